"""What a run may do: its policy, its limits, a pause, another worker, and what is tried instead."""

from __future__ import annotations

from decimal import Decimal

import pytest
from crash_rig import Fuse, balances, fused, once
from paper_world import (
    BRIDGE,
    ETHER,
    ME,
    SWAP_A,
    USDC_A,
    USDC_B,
    VENUE,
    WETH_A,
    A,
    World,
    address,
    leg,
    plan,
    policy,
    rich_plan,
)
from scenes import BRIDGED, ONE_SWAP, allowance, facts, slow_world, start

from agent.core import fact as f
from agent.core.plan import Sell
from agent.core.state import State
from agent.engine.loop import Finished, Wait, advance, session
from agent.engine.tail import load
from agent.planning.problem import NoPlan


def test_a_forged_recipient_is_refused_and_nothing_is_signed():
    world = World()
    world.venue.recipient = address(0xBAD)
    ended = start(world, ONE_SWAP)
    assert "aborted" == ended.outcome
    codes = {refusal.code for fact in facts(world, f.Refused) for refusal in fact.refusals}
    assert "G105" in codes
    assert [] == facts(world, f.Signed)


def test_a_refused_leg_is_planned_again_on_another_venue():
    world = World()
    world.venue.recipient = address(0xBAD)
    other = leg("1b", "swap", "book", Sell(WETH_A, 2 * ETHER), USDC_A, 5900 * 10**6)
    io = world.io(replan=lambda run: plan(other, id_="second"))
    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        held.advance(5)
        world.book.fill(world.chains[A].ledger, other, ME, 100)
        ended = held.advance(600)
    assert ("done", 5980 * 10**6) == (ended.outcome, world.holds(USDC_A))


def test_replanning_stops_after_a_bounded_number_of_times():
    world = World()
    world.venue.recipient = address(0xBAD)
    numbers = iter(range(100))
    io = world.io(
        replan=lambda run: plan(
            leg(f"n{next(numbers)}", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6)
        )
    )
    ended = start(world, ONE_SWAP, io)
    assert ("aborted", 2) == (ended.outcome, len(facts(world, f.Replanned)))


def test_a_venue_outside_the_policy_is_refused():
    world = World()
    ended = start(world, ONE_SWAP, world.io(venues={}))
    assert "aborted" == ended.outcome
    assert "G112" == facts(world, f.Refused)[0].refusals[0].code


def test_limits_are_charged_before_the_signature_and_refuse():
    world = World()
    ended = start(world, ONE_SWAP, world.io(policy=policy(max_run_value=Decimal(5000))))
    codes = [refusal.code for fact in facts(world, f.Refused) for refusal in fact.refusals]
    assert ("aborted", ["G301"]) == (ended.outcome, codes)
    assert 0 == allowance(world, WETH_A, VENUE)
    assert 0 == world.holds(USDC_A)


def test_two_lanes_cannot_both_pass_the_last_of_a_limit():
    world = World()
    two = plan(
        leg("1", "swap", "venue", Sell(WETH_A, 2 * ETHER), USDC_A, 5900 * 10**6),
        leg("2", "swap", "venue", Sell(world_weth_b(), 2 * ETHER), USDC_B, 5900 * 10**6),
    )
    start(world, two, world.io(policy=policy(max_run_value=Decimal(7000)), serial=False))
    moved = [world.holds(USDC_A), world.holds(USDC_B)]
    assert [0, 5980 * 10**6] == sorted(moved)


def world_weth_b():
    from paper_world import WETH_B

    return WETH_B


def test_a_day_limit_counts_earlier_runs():
    world = World()
    io = world.io(policy=policy(max_day_value=Decimal(10_000)))
    world.chains[A].ledger.mint(WETH_A.address, ME, 10 * ETHER)
    with session("worker", io) as held:
        outcomes = []
        for number in range(2):
            held.start(f"r{number}", ONE_SWAP, world.snapshot())
            outcomes.append(held.advance(600).outcome)
            world.chains[A].mine(4)
            held.advance(1)
        world.clock.sleep(90_000)
        world.chains[A].mine()
        fresh = plan(SWAP_A, id_="later")
        object.__setattr__(fresh, "expires", world.clock.now() + 60)
        held.start("r9", fresh, world.snapshot())
        outcomes.append(held.advance(600).outcome)
    assert ["done", "aborted", "done"] == outcomes


def test_a_pause_signs_nothing_and_the_run_goes_on_afterwards():
    world = slow_world(automine=True)
    world.paused = "looking at something"
    waited = start(world, ONE_SWAP)
    assert isinstance(waited, Wait)
    assert "paused: looking at something" == waited.why
    assert [] == facts(world, f.Signed)
    world.paused = None
    assert "done" == start(world, ONE_SWAP).outcome


def test_a_claim_goes_on_while_paused():
    world = World("claim")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    io = world.io()
    with session("worker", io) as held:
        held.start("r1", BRIDGED, world.snapshot())
        while not facts(world, f.Settled):
            held.advance(1)
            world.clock.sleep(1)
        world.paused = "a look at the far chain"
        ended = held.advance(600)
    assert "done" == ended.outcome


def test_a_second_worker_takes_the_run_over_and_the_first_is_fenced():
    from agent.errors import Fenced

    world = World()
    io = world.io()
    with session("one", io) as slow:
        slow.start("r1", ONE_SWAP, world.snapshot())
    with session("two", io) as second:
        assert "done" == second.advance(600).outcome
    assert "two" == load(world.journal, ME).worker
    with pytest.raises(Fenced):
        slow.cancel("I am back")


def test_the_state_is_the_fold_of_the_journal():
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", rich_plan(), world.snapshot())
        held.advance(3600)
        assert held.state == load(world.journal, ME)
    assert isinstance(load(world.journal, address(1)), State)


def test_a_plan_of_another_policy_is_not_started():
    from agent.errors import WrongValue

    world = World()
    with session("worker", world.io()) as held:
        other = plan(SWAP_A)
        object.__setattr__(other, "policy_hash", "other")
        with pytest.raises(WrongValue, match="does not belong to this policy"):
            held.start("r1", other, world.snapshot())


def test_a_silent_node_makes_the_caller_come_back():
    from agent.errors import Unreachable

    world = World()

    class Silent:
        def __getattr__(self, name):
            raise Unreachable("chain 1 does not answer", fix="wait")

    waited = start(world, ONE_SWAP, world.io(prices=Silent().__getattr__ and (lambda: Silent().x)))
    assert isinstance(waited, Wait)
    assert "chain 1 does not answer" == waited.why


def test_no_route_is_a_refusal_and_not_a_wait():
    world = World()
    world.venue.rates = {}
    ended = start(world, ONE_SWAP)
    assert ("aborted", "N107") == (ended.outcome, facts(world, f.Refused)[0].refusals[0].code)


def test_nothing_was_ever_run_says_so():
    world = World()
    assert Finished("nothing", "no run has been started") == advance("w", world.io(), 1)


def test_a_replan_without_a_plan_says_what_was_tried():
    world = World()
    world.venue.recipient = address(0xBAD)
    ended = start(world, ONE_SWAP, world.io(replan=lambda run: NoPlan(("no other venue",))))
    assert ended.why.endswith("no other plan: no other venue")


def test_crash_counting_sees_every_effect():
    world, fuse = World(), Fuse()
    once(world, fused(world, fuse), ONE_SWAP, "w")
    appended = len(load_facts(world))
    assert 2 * (appended + 2 + 2) == fuse.burnt
    assert balances(world)["USDC@1"] == 5980 * 10**6


def load_facts(world: World):
    return world.journal.load(ME)


def test_a_revocation_of_the_owner_is_a_run_of_its_own():
    world = World()
    wanted = plan(leg("1", "revoke", "owner", Sell(USDC_A, 0), USDC_A, 0))
    object.__setattr__(wanted.legs[0], "detail", BRIDGE)
    assert 5 == allowance(world, USDC_A, BRIDGE)
    ended = start(world, wanted)
    assert ("done", 0) == (ended.outcome, allowance(world, USDC_A, BRIDGE))
    assert ["revoke"] == [fact.intent.draft.purpose for fact in facts(world, f.Reserved)]
