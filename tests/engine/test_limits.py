"""Limits that nobody passes: not two lanes, not the second run, not the first use."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    leg,
    plan,
    policy,
)
from scenes import BRIDGED, ONE_SWAP, ORDER, after, facts, start, started

from agent.core import fact as f
from agent.core.closing import costs
from agent.core.plan import Sell
from agent.errors import Unreachable


def codes(world: World) -> set[str]:
    return {no.code for fact in facts(world, f.Refused) for no in fact.refusals}


def small(id_: str, sell, buy, after: tuple = ()):
    """Thirty dollars' worth of wrapped ether."""
    return leg(id_, "swap", "venue", Sell(sell, ETHER // 100), buy, 29 * 10**6, after)


def test_an_approval_does_not_make_a_venue_a_known_one():
    world = World()
    large = leg("2", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2900 * 10**6)
    both = plan(small("1", WETH_A, USDC_A), large)
    honest = world.venue.quote

    def quote(leg_, *args):
        if leg_.id == "2" and not facts(world, f.Mined):
            raise Unreachable("the venue is silent", fix="wait")
        return honest(leg_, *args)

    def mine(fact) -> None:
        # The swap itself stays in the pool: only the approval has worked by then.
        if isinstance(fact, f.Mined):
            world.chains[A].automine = False

    world.venue.quote = quote
    with started(world, both, canary=Decimal(50)) as held:
        after(held, mine)
        held.advance(4)
        assert ["r1/1/1/0"] == [fact.intent for fact in facts(world, f.Mined)]
        world.chains[A].mine()
        ended = held.advance(600)
    assert ("aborted", {"G501", "N107"}) == (ended.outcome, codes(world))
    assert 0 == world.holds(USDC_B)


def meet(world: World, lanes: int) -> None:
    """Let the first quotes of so many lanes wait for each other: none is done before the next."""
    honest, gate = world.venue.quote, threading.Barrier(lanes, timeout=5)
    left = iter(range(lanes))

    def quote(*args):
        if next(left, None) is not None:
            gate.wait()
        return honest(*args)

    world.venue.quote = quote


@pytest.mark.parametrize("serial", [True, False])
def test_two_lanes_do_not_both_send_a_canary(serial):
    world = World()
    both = plan(small("1", WETH_A, USDC_A), small("2", WETH_B, USDC_B))
    if not serial:
        meet(world, 2)

    def mine(fact) -> None:
        # What has delivered is known: the first swap is not mined before the second is judged.
        if isinstance(fact, f.Reserved) and fact.intent.draft.purpose == "swap":
            world.chains[fact.intent.draft.chain].automine = False
        if isinstance(fact, f.Refused):
            for chain in (A, B):
                world.chains[chain].automine = True
                world.chains[chain].mine()

    with started(world, both, canary=Decimal(50), serial=serial) as held:
        after(held, mine)
        held.advance(600)
    assert [0, 29_900_000] == sorted([world.holds(USDC_A), world.holds(USDC_B)])
    assert {"G501"} == codes(world)


def test_a_venue_that_has_delivered_is_a_known_one():
    world = World()
    large = leg("2", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6, ("1",))
    ended = start(world, plan(small("1", WETH_A, USDC_A), large), world.io(canary=Decimal(50)))
    assert ("done", 3_019_900_000) == (ended.outcome, world.holds(USDC_A))


def test_a_bridge_is_known_once_it_has_delivered_and_not_before():
    world = World("push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    wanted = plan(
        leg("1", "bridge", "paper-bridge", Sell(USDC_A, 10**7), USDC_B, 9 * 10**6),
        leg("2", "bridge", "paper-bridge", Sell(USDC_A, 10**9), USDC_B, 9 * 10**8, ("1",)),
        leg("3", "bridge", "paper-bridge", Sell(USDC_A, 10**9 // 2), USDC_B, 4 * 10**8),
    )
    ended = start(world, wanted, world.io(canary=Decimal(50)))
    assert ("aborted", {"G501"}) == (ended.outcome, codes(world))
    assert 9_995_000 == world.holds(USDC_B)


def test_what_a_bridge_takes_is_not_a_loss_but_its_fee_is():
    world = World("push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED) as held:
        assert "done" == held.advance(600).outcome
        found = costs(held.state.runs["r1"])
    assert Decimal("0.5") == found.lost


def test_a_months_cost_counts_the_losses_of_runs_that_are_long_final():
    world = World()
    world.chains[A].ledger.mint(WETH_A.address, ME, 10 * ETHER)
    world.chains[A].mine()
    io = world.io(policy=policy(max_month_cost=Decimal(50)))
    from agent.engine.loop import session

    outcomes = []
    with session("worker", io) as held:
        for number in range(4):
            held.start(f"r{number}", ONE_SWAP, world.snapshot())
            outcomes.append(held.advance(600).outcome)
            world.chains[A].mine(4)
            held.advance(1)
    assert ["done", "done", "done", "aborted"] == outcomes
    assert {"G303"} == codes(world)


def test_money_in_flight_is_limited_over_all_transfers():
    world = World("never")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    both = plan(
        leg("1", "bridge", "paper-bridge", Sell(USDC_A, 10**9), USDC_B, 9 * 10**8),
        leg("2", "bridge", "paper-bridge", Sell(USDC_A, 10**9), USDC_B, 9 * 10**8),
    )
    start(world, both, world.io(policy=policy(max_in_flight=Decimal(1500))))
    assert {"G305"} == codes(world)
    assert 1000 * 10**6 == world.holds(USDC_A)


def test_a_replacement_that_the_month_cannot_pay_leaves_the_old_one_standing():
    from scenes import slow_world

    world = slow_world()
    node = world.chains[A]
    io = world.io(policy=policy(max_month_cost=Decimal("0.72")))
    from agent.engine.loop import session

    with session("worker", io) as held:
        held.start("r1", ONE_SWAP, world.snapshot())
        held.advance(1)
        node.base_fee = 100 * 10**9
        waited = held.advance(120)
    assert "a month's cost would come to" in waited.why
    assert ["first"] == [fact.kind for fact in facts(world, f.Reserved)]


def test_an_order_that_nobody_filled_gives_its_value_back_to_the_limits():
    world = World()
    io = world.io(policy=policy(max_day_value=Decimal(7000)))
    from agent.engine.loop import session

    with session("worker", io) as held:
        held.start("r1", ORDER, world.snapshot())
        held.advance(5)
        world.book.time = world.clock.now() + 10_000
        assert "aborted" == held.advance(600).outcome
        held.start("r2", ONE_SWAP, world.snapshot())
        assert "done" == held.advance(600).outcome
