"""The run is to stop, or must wait: nothing new is begun, risk is taken away, no loop spins."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from crash_rig import Crash
from paper_world import (
    BOOK,
    ME,
    USDC_A,
    VENUE,
    WETH_A,
    A,
    World,
    policy,
    prices,
    rich_plan,
)
from scenes import (
    BRIDGED,
    ONE_SWAP,
    ORDER,
    after,
    allowance,
    facts,
    purposes,
    slow_world,
    started,
    until,
)

from agent.core import fact as f
from agent.engine.loop import Finished, Wait, advance
from agent.engine.tail import load
from agent.errors import Unreachable


def spoil(world: World):
    """A reaction: the market falls through the floor once the approval is mined."""

    def react(fact) -> None:
        if isinstance(fact, f.Mined):
            world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(1, 10**12)

    return react


def test_a_revocation_above_the_fee_cap_waits_and_does_not_spin():
    world = slow_world(automine=True)
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Refused):
            node.base_fee = 10**14

    with started(world, ONE_SWAP, policy=policy(max_fee_per_tx=Decimal(15))) as held:
        after(held, spoil(world))
        after(held, react)
        waited = held.advance(120)
        assert isinstance(waited, Wait)
        assert "max_fee_per_tx" in waited.why
        node.base_fee = 10**9
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))
    assert ["approve", "revoke"] == purposes(world)


def test_a_revocation_without_a_price_for_gas_waits_and_does_not_spin():
    world = slow_world(automine=True)
    known = [True]

    def partly():
        found = prices()
        if known:
            return found
        return replace(found, by_asset={k: v for k, v in found.by_asset.items() if k != "ETH"})

    with started(world, ONE_SWAP, prices=partly) as held:
        after(held, spoil(world))
        after(held, lambda fact: known.clear() if isinstance(fact, f.Refused) else None)
        waited = held.advance(60)
        assert isinstance(waited, Wait)
        assert "the gas coin has no price" in waited.why
        known.append(True)
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))


def test_a_swap_whose_token_lost_its_price_is_refused():
    world = World()
    known = [True]

    def partly():
        found = prices()
        if known:
            return found
        tokens = {token: name for token, name in found.asset_of.items() if token != WETH_A}
        return replace(found, asset_of=tokens)

    with started(world, ONE_SWAP, prices=partly) as held:
        after(held, lambda fact: known.clear() if isinstance(fact, f.Mined) else None)
        ended = held.advance(600)
    assert "aborted" == ended.outcome
    assert ["G202"] == [no.code for fact in facts(world, f.Refused) for no in fact.refusals]
    assert 0 == allowance(world, WETH_A, VENUE)


def test_a_revocation_for_an_account_with_code_waits_and_does_not_spin():
    world = slow_world(automine=True)
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Refused):
            node.ledger.code[ME] = "0xef01"

    with started(world, ONE_SWAP) as held:
        after(held, spoil(world))
        after(held, react)
        waited = held.advance(60)
        assert isinstance(waited, Wait)
        assert "the wallet's account has code now" == waited.why
        del node.ledger.code[ME]
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))


def test_an_account_that_gets_code_before_the_signature_signs_no_swap():
    world = World()
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Reserved) and fact.intent.draft.purpose == "approve":
            node.ledger.code[ME] = "0xef01"

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("aborted", []) == (ended.outcome, facts(world, f.Signed))
    assert "G401" in {no.code for fact in facts(world, f.Refused) for no in fact.refusals}


def test_a_pause_holds_back_what_is_signed_and_not_sent():
    world = slow_world(automine=True)

    def react(fact) -> None:
        if isinstance(fact, f.Signed):
            world.paused = "a second look"

    with started(world, ONE_SWAP) as held:
        after(held, react)
        waited = held.advance(30)
        assert isinstance(waited, Wait)
        assert "paused: a second look" == waited.why
        assert 0 == world.chains[A].ledger.nonces.get(ME, 0)
        world.seen.clear()
        held._tail.append = type(held._tail).append.__get__(held._tail)
        world.paused = None
        assert "done" == held.advance(600).outcome


def test_a_pause_lets_what_was_sent_be_followed():
    world = slow_world()

    def react(fact) -> None:
        if isinstance(fact, f.Submitted):
            world.paused = "a second look"

    with started(world, ONE_SWAP) as held:
        after(held, react)
        waited = held.advance(60)
    assert isinstance(waited, Wait)
    assert "paused: a second look" == waited.why
    assert ["r1/1/1/0"] == [fact.intent for fact in facts(world, f.Mined)]


def test_a_pause_replaces_nothing():
    world = slow_world()
    node = world.chains[A]
    with started(world, ONE_SWAP) as held:
        held.advance(1)
        node.base_fee = 50 * 10**9
        world.paused = "a second look"
        waited = held.advance(200)
    assert isinstance(waited, Wait)
    assert "paused: a second look" == waited.why
    assert ["first"] == [fact.kind for fact in facts(world, f.Reserved)]


def test_a_signed_order_is_not_posted_once_the_run_is_cancelled():
    world = World()

    with started(world, ORDER) as held:

        def react(fact) -> None:
            if isinstance(fact, f.Signed) and fact.intent.endswith("/1/1"):
                held.cancel("no")

        after(held, react)
        waited = held.advance(30)
        assert isinstance(waited, Wait)
        world.book.time = world.clock.now() + 10_000
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, world.book.posts)
    assert 0 == allowance(world, WETH_A, BOOK)


def facts_of_a_run(wanted, way: str) -> int:
    world = World(way)
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, wanted) as held:
        held.advance(3600)
    return len(world.seen)


def cancelled_at(wanted, way: str, position: int, *, automine: bool) -> tuple[World, object]:
    world = slow_world(automine=automine, way=way)
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, wanted) as held:

        def react(_fact) -> None:
            if len(world.seen) == position:
                held.cancel("the owner said so")

        if position == 1:
            held.cancel("the owner said so")
        after(held, react)
        return world, held.advance(7200)


@pytest.mark.parametrize("position", range(1, facts_of_a_run(rich_plan(), "claim")))
def test_a_run_can_be_cancelled_at_each_of_its_facts(position):
    world, ended = cancelled_at(rich_plan(), "claim", position, automine=True)
    assert isinstance(ended, Finished), ended
    assert "aborted" == ended.outcome
    left = {
        key: raw
        for node in world.chains.values()
        for key, raw in node.ledger.allowances.items()
        if raw
    }
    assert {(USDC_A.address, ME): 5}.items() >= {key[:2]: raw for key, raw in left.items()}.items()
    assert [] == facts(world, f.ForeignInflow)


@pytest.mark.parametrize("position", range(1, facts_of_a_run(ONE_SWAP, "claim")))
def test_a_run_in_slow_blocks_can_be_cancelled_at_each_of_its_facts(position):
    world, ended = cancelled_at(ONE_SWAP, "claim", position, automine=False)
    assert isinstance(ended, Finished), ended
    assert "aborted" == ended.outcome
    assert 0 == allowance(world, WETH_A, VENUE)


def test_a_cancelled_transfer_still_arrives():
    world = World("claim")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED) as held:
        until(held, world, lambda: facts(world, f.Settled))
        held.cancel("enough")
        ended = held.advance(600)
    assert ("aborted", "enough") == (ended.outcome, ended.why)
    assert 1 == len(facts(world, f.Arrived))


def test_a_node_that_is_silent_for_a_day_is_still_asked():
    world = World()

    def nothing():
        raise Unreachable("no oracle answers", fix="wait")

    with started(world, ONE_SWAP, prices=nothing) as held:
        waited = held.advance(70_000)
    assert isinstance(waited, Wait)
    assert "no oracle answers" == waited.why


def test_a_deposit_is_written_down_once_however_often_the_end_is_tried():
    world = World()

    def dies(fact) -> None:
        if isinstance(fact, f.ForeignInflow):
            raise Crash

    def first_life() -> None:
        with started(world, ONE_SWAP) as held:
            world.chains[A].ledger.mint(USDC_A.address, ME, 77)
            after(held, dies)
            held.advance(600)

    with pytest.raises(Crash):
        first_life()
    assert "done" == advance("next", world.io(), 600).outcome
    assert [77] == [x.amount.raw for x in facts(world, f.ForeignInflow)]
    assert 1 == len(load(world.journal, ME).runs["r1"].inflows)


def test_a_deposit_that_a_reorganisation_took_back_is_not_an_inflow_any_more():
    world = World(finality=12)

    def dies(fact) -> None:
        if isinstance(fact, f.ForeignInflow):
            world.chains[A].ledger.move(USDC_A.address, ME, BOOK, 77)
            raise Crash

    def first_life() -> None:
        with started(world, ONE_SWAP) as held:
            world.chains[A].ledger.mint(USDC_A.address, ME, 77)
            after(held, dies)
            held.advance(600)

    with pytest.raises(Crash):
        first_life()
    assert "done" == advance("next", world.io(), 600).outcome
    assert [77, 0] == [x.amount.raw for x in facts(world, f.ForeignInflow)]
