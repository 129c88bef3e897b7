"""A run ends without a transfer that waits for days, and another one follows it to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from crash_rig import deposits
from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_B,
    A,
    World,
    leg,
    plan,
)
from recovery_rig import BEST, RAW, balanced
from scenes import BRIDGED, facts, purposes, slow_world, started

from agent.core import fact as f
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.snapshot import InFlight
from agent.core.transit import awaited
from agent.engine import recover
from agent.engine.loop import Finished, Session
from agent.engine.survey import read
from agent.errors import NoRoute, Unreachable
from agent.ports import Act, Delivered, Returned

LONG = 4 * 3_600
SWAP_B = plan(leg("1", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2900 * 10**6))


# ---- runs that end without a transfer that waits for days ------------------------------------


def slow(way: str = "claim") -> World:
    world = slow_world(way=way, automine=True)
    world.chains[A].ledger.mint(USDC_A.address, ME, RAW)
    world.bridge.seconds = LONG
    return world


def test_a_run_does_not_block_the_wallet_for_a_transfer_that_takes_long():
    world = slow()
    with started(world, BRIDGED) as held:
        ended = held.advance(900)
        assert ("waiting", "leg 1: the relayer has not filled it yet") == (ended.outcome, ended.why)
        assert None is held.state.open_run
        (flying,) = awaited(held.state)
        (deferred,) = facts(world, f.Deferred)
        assert deferred.until == flying.typical
        assert 0 <= deferred.until - world.clock.now() - LONG < 60
        # Another run begins, counts the money that is away, and ends by the closing rule.
        seen = read(world.io(), held.state)
        assert (InFlight("1", Amount(USDC_B, BEST), USDC_B),) == seen.in_flight
        again = replace(SWAP_B, expires=world.clock.now() + 600)
        held.start("r2", again, seen)
        assert "done" == held.advance(900).outcome
        assert 1 == len(recover.left(held.state))
        balanced(held, world)


def test_the_tick_adopts_what_was_left_once_something_can_be_done_for_it():
    world = slow()
    io = world.io()
    with started(world, BRIDGED) as held:
        assert "waiting" == held.advance(900).outcome
        asked: list[int] = []
        honest = world.bridge.track
        world.bridge.track = lambda *args: (asked.append(1), honest(*args))[1]
        assert () == recover.due(held.state, io)
        assert [] == asked
        world.clock.sleep(LONG + 60)
        (stray,) = recover.due(held.state, io)
        assert (True, Act, True) == (stray.ours, type(stray.told), stray.needs_us)
        recover.begin(held, io, "r2", [stray])
        assert ("r2", "1") == held.state.runs["r1"].legs["1"].heir
        assert 1 == len(awaited(held.state))
        assert "done" == held.advance(900).outcome
        assert ((), ()) == (awaited(held.state), recover.due(held.state, io))
        assert frozenset({"paper-bridge"}) <= held.state.vias
        balanced(held, world)
    assert BEST == world.holds(USDC_B)


def test_what_came_by_itself_while_nobody_waited_is_written_down_and_counted_once():
    """Also while another run was on, to which it is an inflow."""
    world = slow("never")
    io = world.io()
    with started(world, BRIDGED) as held:
        assert "waiting" == held.advance(900).outcome
        again = replace(SWAP_B, expires=world.clock.now() + 600)
        held.start("r2", again, read(io, held.state))
        world.bridge.seconds, world.bridge.way = -100, "push"
        (stray,) = recover.left(held.state)
        assert isinstance(recover.known(stray, io).told, Delivered)
        assert "done" == held.advance(900).outcome
        (inflow,) = facts(world, f.ForeignInflow)
        assert Amount(USDC_B, BEST) == inflow.amount
        world.clock.sleep(LONG + 60)
        recover.begin(held, io, "r3", recover.due(held.state, io))
        assert "done" == held.advance(900).outcome
        assert () == awaited(held.state)
        balanced(held, world)
    assert [BEST] == [each.amount.raw for each in facts(world, f.Arrived)]
    assert 1 == len(facts(world, f.ForeignInflow))


def until_closed(held: Session, world: World) -> Finished:
    """A bridge that always believes that it comes at once is waited for a day."""
    for _ in range(300):
        ended = held.advance(0)
        if isinstance(ended, Finished):
            return ended
        world.clock.sleep(600)
    raise AssertionError("it waits for ever")


def test_what_comes_any_moment_is_waited_for_a_day_and_no_longer():
    world = slow("never")
    world.bridge.seconds = 10
    with started(world, BRIDGED) as held:
        ended = until_closed(held, world)
    (deferred,) = facts(world, f.Deferred)
    assert "waiting" == ended.outcome
    assert 86_400 < deferred.at - facts(world, f.Mined)[-1].at <= 87_000
    assert deferred.until - deferred.at == 3_600


def test_what_goes_on_beside_a_slow_transfer_is_finished_before_the_run_ends_without_it():
    world = slow()
    both = plan(*BRIDGED.legs, replace(SWAP_B.legs[0], id="2"))
    with started(world, both) as held:
        ended = held.advance(900)
    assert ("waiting", "leg 1: the relayer has not filled it yet") == (ended.outcome, ended.why)
    assert {"1", "2"} == {fact.leg for fact in facts(world, f.Settled)}


def test_what_follows_a_slow_transfer_is_left_to_another_plan():
    world = slow()
    onward = plan(
        *BRIDGED.legs,
        leg("2", "swap", "venue", Sell(USDC_B, 0, ("1",), 10**9), WBTC_B, 1_600_000, ("1",)),
    )
    with started(world, onward) as held:
        assert "waiting" == held.advance(900).outcome
    assert ["approve_zero", "approve", "deposit"] == purposes(world)


def test_a_refusal_beside_a_slow_transfer_aborts_and_leaves_it_under_way():
    world = slow()

    def quote(*_args):
        if facts(world, f.Deferred):
            raise NoRoute("no way any more", fix="none")
        raise Unreachable("the venue is silent", fix="wait")

    world.venue.quote = quote
    both = plan(*BRIDGED.legs, replace(SWAP_B.legs[0], id="2"))
    with started(world, both) as held:
        ended = held.advance(900)
        assert ("aborted", "leg 2: venue: no way any more") == (ended.outcome, ended.why)
        assert 1 == len(recover.left(held.state))


def test_a_transfer_that_waits_again_is_handed_from_run_to_run():
    world = slow()
    io = world.io()
    with started(world, BRIDGED) as held:
        assert "waiting" == held.advance(900).outcome
        world.clock.sleep(LONG + 60)
        world.bridge.seconds = 3 * LONG
        for run in ("r2", "r3"):
            strays_now = [recover.known(each, io) for each in recover.left(held.state)]
            recover.begin(held, io, run, strays_now)
            assert "waiting" == held.advance(900).outcome
        assert ("r2", "r3", "r3") == (
            held.state.runs["r1"].legs["1"].heir[0],
            held.state.runs["r2"].legs["1"].heir[0],
            awaited(held.state)[0].run,
        )
        world.clock.sleep(3 * LONG)
        recover.begin(held, io, "r4", recover.due(held.state, io))
        assert ("done", "every leg arrived") == (held.advance(900).outcome, held.advance(0).why)
        world.clock.sleep(600)
        held.advance(60)
        # All of them are over: the next run finds none of them in its way.
        again = replace(SWAP_B, expires=world.clock.now() + 600)
        held.start("r5", again, read(io, held.state))
        assert ["r5"] == list(held.state.runs)
    assert BEST == world.holds(USDC_B)


@pytest.mark.parametrize("adopted", [False, True])
def test_a_deposit_whose_block_goes_away_after_the_run_ended_is_made_again(adopted: bool):
    world = slow_world(way="claim", automine=True, finality=40)
    world.chains[A].ledger.mint(USDC_A.address, ME, RAW)
    world.bridge.seconds = 5_000
    io = world.io()
    with started(world, BRIDGED) as held:
        assert "waiting" == held.advance(900).outcome
        if adopted:
            recover.begin(held, io, "r2", [recover.known(recover.left(held.state)[0], io)])
        node = world.chains[A]
        sent = facts(world, f.Mined)[-1].receipt.block_number
        node.reorg(len(node.blocks) - sent)
        assert isinstance(held.advance(3_000), Finished)
        assert 1 == len(facts(world, f.Unmined))
        assert ["r1"] == [each.run for each in awaited(held.state)]
        assert "waiting" == held.state.runs["r1"].closed.outcome
        world.clock.sleep(6_000)
        left = recover.due(held.state, io)
        recover.begin(held, io, "r3", left)
        ended = held.advance(900)
    assert ("done", 1, BEST) == (ended.outcome, deposits(world), world.holds(USDC_B))


def test_limits_count_what_is_under_way_until_it_is_there():
    from agent.core.budget import in_flight_value

    world = slow()
    io = world.io()
    with started(world, BRIDGED) as held:
        held.advance(900)
        assert 1000 == in_flight_value(held.state)
        world.clock.sleep(LONG + 60)
        recover.begin(held, io, "r2", recover.due(held.state, io))
        assert 1000 == in_flight_value(held.state)
        held.advance(900)
        assert 0 == in_flight_value(held.state)


def test_a_silent_bridge_does_not_stop_the_wallet_at_the_next_tick():
    world = slow()
    with started(world, BRIDGED) as held:
        held.advance(900)
        world.clock.sleep(LONG + 60)

        def track(*_args):
            raise Unreachable("the bridge is silent", fix="wait")

        world.bridge.track = track
        assert () == recover.due(held.state, world.io())


def test_a_bridge_that_tells_no_block_counts_what_was_there_before_once():
    world = slow("never")
    io = world.io()
    honest = world.bridge.track
    blind = {Delivered: lambda told: Delivered(told.amount), Returned: lambda t: Returned(t.amount)}

    def track(*args):
        told = honest(*args)
        return blind.get(type(told), lambda same: same)(told)

    world.bridge.track = track
    with started(world, BRIDGED) as held:
        assert "waiting" == held.advance(900).outcome
        world.bridge.way = "refund"
        world.clock.sleep(LONG + 60)
        recover.begin(held, io, "r2", recover.due(held.state, io))
        assert ("done", 0) == (held.advance(900).outcome, facts(world, f.Refunded)[0].block)
        balanced(held, world)
    assert (RAW, []) == (world.holds(USDC_A), facts(world, f.ForeignInflow))


def test_a_transfer_that_was_planned_to_take_long_is_not_waited_for():
    """Also where its bridge says only when to look again."""
    world = slow("never")
    world.bridge.seconds = 10
    (only,) = BRIDGED.legs
    with started(world, plan(replace(only, seconds=7 * 86_400))) as held:
        assert "waiting" == held.advance(900).outcome
    (deferred,) = facts(world, f.Deferred)
    assert 3_600 == deferred.until - deferred.at
