"""What the world does to a run while it is under way, and how the run ends."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from paper_world import (
    BOOK,
    BRIDGE,
    ETH_A,
    ME,
    USDC_A,
    USDC_B,
    VENUE,
    WETH_A,
    A,
    B,
    World,
    address,
    policy,
    rich_plan,
)
from scenes import BRIDGED, ONE_SWAP, ORDER, allowance, facts, slow_world, start

from agent.core import fact as f
from agent.core.fees import BUMP_DENOMINATOR, BUMP_NUMERATOR
from agent.core.money import NATIVE
from agent.engine.loop import Finished, Wait, advance, session
from agent.errors import RunOpen, Unreconciled


def test_a_run_without_trouble_ends_done_with_no_allowance_left():
    world = World()
    ended = start(world, rich_plan())
    assert "done" == ended.outcome
    assert [0, 0, 0] == [
        allowance(world, WETH_A, VENUE),
        allowance(world, USDC_A, BRIDGE),
        allowance(world, USDC_B, VENUE),
    ]


def test_lanes_of_two_chains_go_on_side_by_side():
    world = World()
    start(world, rich_plan(), world.io(serial=False))
    order = [fact.intent.chain for fact in facts(world, f.Reserved)]
    assert {A, B} == set(order[:2])


def test_a_leftover_allowance_goes_to_zero_before_it_changes():
    world = World()
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    start(world, BRIDGED)
    purposes = [fact.intent.draft.purpose for fact in facts(world, f.Reserved)]
    assert ["approve_zero", "approve", "deposit", "claim"] == purposes


def test_a_transaction_that_is_not_mined_is_replaced_dearer_on_the_same_nonce():
    world = slow_world()
    node = world.chains[A]
    original = node.mine

    def mine(count: int = 1) -> None:
        # The market moves: for eight blocks nobody takes what was offered first.
        node.base_fee = 5 * 10**9 if node.blocks[-1].block.number < 11 else 10**9
        original(count)

    node.mine = mine
    ended = start(world, ONE_SWAP)
    assert "done" == ended.outcome
    first, second = [r for r in facts(world, f.Reserved) if r.intent.index == 0][:2]
    assert ("first", "reprice") == (first.kind, second.kind)
    assert first.unsigned.nonce == second.unsigned.nonce
    least = -(-first.unsigned.max_fee_per_gas * BUMP_NUMERATOR // BUMP_DENOMINATOR)
    assert second.unsigned.max_fee_per_gas >= least
    assert 5900 * 10**6 < world.holds(USDC_A)


def test_a_replacement_above_the_fee_cap_is_not_made():
    world = slow_world()
    node = world.chains[A]
    io = world.io(policy=policy(max_fee_per_tx=Decimal("1.00")))
    node.base_fee = 10**9
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        held.advance(1)
        node.base_fee = 100 * 10**9
        waited = held.advance(200)
    assert isinstance(waited, Wait)
    assert {"first"} == {fact.kind for fact in facts(world, f.Reserved)}


def test_a_swap_past_its_deadline_is_cancelled_by_a_transfer_to_oneself():
    world = slow_world()
    node = world.chains[A]
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        while not [r for r in facts(world, f.Signed) if r.intent.endswith("/1")]:
            held.advance(1)
            world.clock.sleep(1)
        node.pool.clear()
        for _ in range(20):
            world.clock.sleep(12)
        ended = held.advance(3600)
    assert ("aborted", "leg 1: swap was cancelled") == (ended.outcome, ended.why.split(";")[0])
    assert 0 == world.holds(USDC_A)
    assert 0 == allowance(world, WETH_A, VENUE)


def test_cancelling_a_run_gives_up_what_is_not_mined_and_revokes_what_was_granted():
    world = slow_world()
    with session("worker", world.io()) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        while not facts(world, f.Confirmed):
            held.advance(2)
            world.clock.sleep(1)
        held.cancel("the owner changed her mind")
        ended = held.advance(3600)
    assert ("aborted", "the owner changed her mind") == (ended.outcome, ended.why)
    assert 0 == allowance(world, WETH_A, VENUE)
    assert 0 == world.holds(USDC_A)


def test_cancelling_before_the_first_signature_sends_nothing():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        held.cancel("no")
        ended = held.advance(3600)
    assert ("aborted", []) == (ended.outcome, facts(world, f.Signed))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_reorganisation_sends_the_same_bytes_again(depth):
    world = World(finality=6)
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        assert "done" == held.advance(3600).outcome
        world.chains[A].reorg(depth)
        ended = held.advance(3600)
    hashes = {fact.payload.hash for fact in facts(world, f.Signed)}
    assert "done" == ended.outcome
    assert depth == len(facts(world, f.Unmined))
    assert 2 == len(hashes)
    assert 2 * 2990 * 10**6 == world.holds(USDC_A)
    assert 2 == len(facts(world, f.Closed))


def test_a_closed_run_becomes_final_with_the_chain():
    world = World(finality=4)
    io = world.io()
    start(world, ONE_SWAP, io)
    assert not facts(world, f.Closed)[0].final
    world.chains[A].mine(6)
    ended = advance("worker", io, 10)
    assert Finished("done", "every leg arrived", final=True) == ended


def test_a_foreign_transaction_on_our_nonce_ends_the_run_safely():
    world = World(automine=False, finality=2)
    io = world.io()
    node = world.chains[A]
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        held.advance(3)
        assert 1 == len(facts(world, f.Submitted))
        node.use_nonce(ME)
        node.mine(1)
        assert isinstance(held.advance(3), Wait)
        node.mine(4)
        node.automine = True
        ended = held.advance(600)
    assert ("aborted", "leg 1: another transaction of the wallet used its nonce") == (
        ended.outcome,
        ended.why,
    )
    assert 1 == len(facts(world, f.Signed))


def test_a_nonce_taken_before_the_signature_signs_nothing():
    world = World()
    io = world.io()
    signer = io.signer

    class Slow:
        address, kind = signer.address, signer.kind
        asked = 0

        def sign(self, reserved):
            self.asked += 1
            return signer.sign(reserved)

    slow = Slow()
    io = world.io(signer=slow)
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        original = held._tail.append

        def append(fact):
            original(fact)
            if isinstance(fact, f.Reserved):
                world.chains[A].use_nonce(ME)
                world.chains[A].mine()

        held._tail.append = append
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, slow.asked)


def test_a_refund_ends_the_run_with_the_money_back():
    world = World("refund")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    ended = start(world, BRIDGED)
    assert ("aborted", "leg 1 came back") == (ended.outcome, ended.why)
    assert 2000 * 10**6 == world.holds(USDC_A)


def test_money_that_a_bridge_does_not_know_needs_a_person_and_blocks_the_next_run():
    world = World("gone")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", BRIDGED, world.snapshot())
        ended = held.advance(3600)
        assert "needs_human" == ended.outcome
        with pytest.raises(Unreconciled, match="r1"):
            held.start("r2", ONE_SWAP, world.snapshot())
        held.reconcile("r1", "looked at it")
        held.start("r2", ONE_SWAP, world.snapshot())
        assert "done" == held.advance(3600).outcome


def test_a_bridge_that_never_fills_lets_the_caller_come_back_later():
    world = World("never")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    waited = start(world, BRIDGED)
    assert isinstance(waited, Wait)
    assert "the relayer has not filled it yet" == waited.why
    with session("worker", world.io()) as held, pytest.raises(RunOpen):
        held.start("r2", ONE_SWAP, world.snapshot())


def test_money_that_is_pushed_arrives_without_a_claim():
    world = World("push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    ended = start(world, BRIDGED)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))


def test_an_order_is_filled_in_parts_each_counted_once():
    world = World()
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", ORDER, world.snapshot())
        assert isinstance(held.advance(5), Wait)
        order_leg = ORDER.legs[0]
        for percent in (25, 50, 25):
            world.book.fill(world.chains[A].ledger, order_leg, ME, percent)
            waited = held.advance(5)
        ended = waited
    fills = [fact.bought.raw for fact in facts(world, f.Filled)]
    assert [1495 * 10**6, 2990 * 10**6, 1495 * 10**6] == fills
    assert ("done", 5980 * 10**6) == (ended.outcome, world.holds(USDC_A))


def test_an_order_that_expires_half_filled_keeps_what_it_got_and_revokes_the_rest():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", ORDER, world.snapshot())
        held.advance(5)
        world.book.fill(world.chains[A].ledger, ORDER.legs[0], ME, 40)
        held.advance(5)
        world.book.time = world.clock.now() + 10_000
        ended = held.advance(600)
    assert ("done", 2392 * 10**6) == (ended.outcome, world.holds(USDC_A))
    assert 0 == allowance(world, WETH_A, BOOK)


def test_an_order_that_expires_unfilled_aborts_and_revokes():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", ORDER, world.snapshot())
        held.advance(5)
        world.book.time = world.clock.now() + 10_000
        ended = held.advance(600)
    assert ("aborted", "leg 1: order expired unfilled") == (ended.outcome, ended.why)
    assert 0 == allowance(world, WETH_A, BOOK)


def test_a_deposit_from_outside_is_recorded_and_the_run_is_done():
    world = World()
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        world.chains[A].ledger.mint(USDC_A.address, ME, 77)
        world.chains[A].ledger.mint(NATIVE, ME, 5)
        ended = held.advance(600)
    assert "done" == ended.outcome
    inflows = {(x.amount.token, x.amount.raw) for x in facts(world, f.ForeignInflow)}
    assert {(USDC_A, 77), (ETH_A, 5)} == inflows


def test_a_deposit_in_the_very_block_of_the_swap_is_not_taken_for_its_output():
    world = World()
    io = world.io()
    node = world.chains[A]
    original = node.mine

    def mine(count: int = 1) -> None:
        original(count)
        if node.blocks[-1].receipts:
            node.ledger.mint(USDC_A.address, ME, 1)

    node.mine = mine
    start(world, ONE_SWAP, io)
    (settled,) = facts(world, f.Settled)
    got = [delta.raw for delta in settled.deltas if delta.token == USDC_A]
    assert [5980 * 10**6] == got


def test_money_that_leaves_unexplained_needs_a_person():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        world.chains[A].ledger.move(WETH_A.address, ME, address(0xBAD), 10)
        ended = held.advance(600)
    assert "needs_human" == ended.outcome
    assert "10 base units of WETH on chain 1 left the wallet" in ended.why


def test_spam_in_a_token_outside_the_run_stops_nothing():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        world.chains[B].ledger.mint(USDC_B.address, ME, 1)
        assert "done" == held.advance(600).outcome
    assert [] == facts(world, f.ForeignInflow)


def test_a_swap_that_reverts_aborts_and_takes_the_allowance_back():
    world = World()
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        original = held._tail.append

        def append(fact):
            original(fact)
            if isinstance(fact, f.Signed) and fact.intent.endswith("/1/1"):
                world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(1, 10**12)

        held._tail.append = append
        ended = held.advance(600)
    assert ("aborted", "leg 1: swap reverted") == (ended.outcome, ended.why)
    assert 0 == allowance(world, WETH_A, VENUE)
    purposes = [fact.intent.draft.purpose for fact in facts(world, f.Reserved)]
    assert ["approve", "swap", "revoke"] == purposes
