"""Money that no run follows: found by logs alone or left by a run, and followed to its end."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from crash_rig import MODES, Crash, Fuse, deposits, fused
from paper_world import (
    BRIDGE,
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_B,
    A,
    B,
    World,
    address,
    leg,
    plan,
)
from scenes import BRIDGED, after, facts, purposes, slow_world, started, until

from agent.core import fact as f
from agent.core.closing import explained, touched
from agent.core.money import Amount, Token
from agent.core.plan import Sell
from agent.core.snapshot import InFlight
from agent.core.state import State
from agent.core.transit import awaited, in_flight
from agent.engine import recover
from agent.engine.io import Io
from agent.engine.loop import Finished, Session, Wait, session
from agent.engine.survey import read
from agent.errors import NoRoute, Unreachable
from agent.ports import Act, Delivered, Gone, Returned, Waiting
from agent.stores.memory import MemoryJournal

RAW, BEST = 1000 * 10**6, 999_500_000
LONG = 4 * 3_600
SWAP_B = plan(leg("1", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2900 * 10**6))


def orphaned(way: str = "claim", *, make: Any = World, **kwargs: Any) -> World:
    """A deposit is mined, and whoever made it has forgotten it."""
    world = make(way, **kwargs)
    world.chains[A].ledger.mint(USDC_A.address, ME, RAW)
    with session("forgetful", world.io()) as held:
        held.start("lost", BRIDGED, world.snapshot())
        while not facts(world, f.Settled):
            held.advance(0)
            world.clock.sleep(1)
            if not world.chains[A].automine:
                world.chains[A].mine()
    for node in world.chains.values():
        node.mine(3)
    world.journal = MemoryJournal()
    world.seen.clear()
    return world


def strays(io: Io, state: State) -> tuple[recover.Stray, ...]:
    """What a search of all logs and the journal tell, as `resume` asks for it."""
    (bridge,) = io.bridges.values()
    transfers = bridge.find(ME, {A: 0, B: 0})
    told = [recover.found(each, io) for each in recover.unknown(transfers, state)]
    return (*(recover.known(each, io) for each in recover.left(state)), *told)


def resumed(world: World, io: Io, run: str = "r1", budget: float = 900) -> Finished | Wait:
    """One process's `resume`: go on with what is open, else follow what no run follows."""
    with session(f"worker-{run}", io) as held:
        return resume(held, world, io, run, budget)


def resume(
    held: Session, world: World, io: Io, run: str = "r1", budget: float = 900
) -> Finished | Wait:
    if held.state.open_run is None:
        now = world.clock.now()
        wanted = [each for each in strays(io, held.state) if each.followed(now)]
        if wanted:
            recover.begin(held, io, run, wanted)
    return held.advance(budget)


def balanced(held: Session, world: World) -> None:
    """Before and the facts of each run are what is there now."""
    for run in held.state.runs.values():
        before = {holding.token: holding.raw for holding in run.started.before}
        told = explained(run)
        inflows = {each.amount.token: each.amount.raw for each in run.inflows}
        assert run.closed is not None
        for held_after in run.closed.after:
            token = held_after.token
            assert held_after.raw == before[token] + told.get(token, 0) + inflows.get(token, 0)


def test_deposit_that_two_bridges_find_is_one() -> None:
    (one,) = orphaned().bridge.find(ME, {A: 0, B: 0})
    told = recover.unknown([one, replace(one, via="other")], State())
    assert (one,) == told


# ---- found by logs alone ---------------------------------------------------------------------


def test_a_forgotten_deposit_is_found_by_logs_and_claimed():
    world = orphaned()
    world.clock.sleep(20)
    io = world.io()
    with session("heir", io) as held:
        (stray,) = strays(io, held.state)
        assert isinstance(stray.told, Act)
        assert ("claim", "paper-bridge", RAW, BEST, False) == (
            stray.claim.kind,
            stray.claim.via,
            stray.claim.planned_sell.raw,
            stray.claim.min_buy,
            stray.ours,
        )
        ended = resume(held, world, io)
        balanced(held, world)
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert (BEST, ["claim"]) == (world.holds(USDC_B), purposes(world))
    assert [] == facts(world, f.ForeignInflow)
    assert [] == list(world.bridge.find(ME, {A: 0}))


def test_what_is_followed_is_in_flight_from_the_start_until_it_is_there():
    world = orphaned("never")
    with session("heir", world.io()) as held:
        assert isinstance(resume(held, world, world.io(), budget=30), Wait)
        (flying,) = awaited(held.state)
        assert (("r1", "1", "paper-bridge"), Amount(USDC_A, RAW), Amount(USDC_B, BEST)) == (
            (flying.run, flying.leg, flying.via),
            flying.sold,
            flying.least,
        )
        assert (InFlight("1", Amount(USDC_B, BEST), USDC_B),) == in_flight(held.state)
        world.bridge.way = "push"
        ended = held.advance(900)
        assert ("done", ()) == (ended.outcome, in_flight(held.state))
        assert USDC_B in touched(held.state.runs["r1"])
    assert (BEST, []) == (world.holds(USDC_B), purposes(world))


def test_what_comes_back_ends_a_recovery_as_done():
    world = orphaned("never")
    with session("heir", world.io()) as held:
        assert isinstance(resume(held, world, world.io(), budget=30), Wait)
        world.bridge.way = "refund"
        ended = held.advance(900)
        balanced(held, world)
    assert ("done", "everything has arrived or come back") == (ended.outcome, ended.why)
    assert (RAW, 0) == (world.holds(USDC_A), world.holds(USDC_B))
    assert 1 == len(facts(world, f.Refunded))


def test_a_paused_wallet_claims():
    world = orphaned()
    world.clock.sleep(20)
    world.paused = "a look"
    assert "done" == resumed(world, world.io()).outcome
    assert BEST == world.holds(USDC_B)


def test_a_claim_asks_no_budget_but_the_cap_of_fees():
    from paper_world import policy

    world = orphaned()
    world.clock.sleep(20)
    tight = policy(max_run_value=0, max_day_value=0, max_month_cost=0, max_in_flight=0)
    assert "done" == resumed(world, world.io(policy=tight)).outcome
    assert BEST == world.holds(USDC_B)


def test_somebody_else_who_claims_first_has_done_our_work():
    world = orphaned()
    world.clock.sleep(20)
    stolen: list[int] = []

    def react(fact) -> None:
        if isinstance(fact, f.Reserved) and not stolen:
            stolen.append(1)
            (made,) = world.bridge.find(ME, {A: 0})
            receipt = world.chains[A].sight(ME, (made.deposit,)).receipts[0]
            world.bridge._give(world.chains[B], receipt, Amount(USDC_B, BEST), ME)

    io = world.io()
    with session("heir", io) as held:
        after(held, react)
        ended = resume(held, world, io)
        balanced(held, world)
    assert ("done", [1], BEST) == (ended.outcome, stolen, world.holds(USDC_B))


def test_what_arrived_between_the_question_and_the_first_balances_is_not_counted_twice():
    world = orphaned("never")
    io = world.io()
    with session("heir", io) as held:
        told = strays(io, held.state)
        assert isinstance(told[0].told, Waiting)
        world.bridge.way = "push"
        world.clock.sleep(20)
        assert isinstance(strays(io, held.state)[0].told, Delivered)
        recover.begin(held, io, "r1", told)
        ended = held.advance(900)
        (arrived,) = facts(world, f.Arrived)
        assert arrived.block <= held.state.runs["r1"].started.blocks[1].number
    assert ("done", [], BEST) == (ended.outcome, facts(world, f.ForeignInflow), world.holds(USDC_B))


def test_what_somebody_else_sent_and_has_ended_needs_no_run():
    world = orphaned("never")
    io = world.io()
    now = world.clock.now()
    (stray,) = strays(io, State())
    assert stray.followed(now)
    for told in (Delivered(Amount(USDC_B, 1)), Returned(Amount(USDC_A, 1)), Gone("nowhere")):
        assert not replace(stray, told=told).followed(now)
        assert replace(stray, told=told, ours=True).followed(now)


def test_a_token_or_bridge_that_is_not_known_here_bars_it_and_is_said():
    world = orphaned()
    io = world.io()
    (transfer,) = world.bridge.find(ME, {A: 0})
    far = Token(B, address(0x99), 6, "?")
    strange = recover.found(replace(transfer, buy=far), io)
    assert f"token {far.address} on chain 8453 is not among those known here" == strange.barred
    nowhere = recover.found(replace(transfer, buy=Token(10, address(0x99), 6, "?")), io)
    assert "is not among those known here" in nowhere.barred
    other = recover.found(replace(transfer, via="other"), io)
    assert "other is not among the bridges that are allowed" == other.barred
    assert not any(each.followed(world.clock.now()) for each in (strange, nowhere, other))


def test_what_cannot_be_asked_now_is_waited_for():
    world = orphaned()
    world.clock.sleep(20)
    (transfer,) = world.bridge.find(ME, {A: 0})
    world.chains[A].down = True
    told = recover.found(transfer, world.io()).told
    assert isinstance(told, Waiting)
    assert "chain 1: no answer" == told.why


def test_a_deposit_that_no_block_has_is_waited_for_and_given_to_a_person_after_a_day():
    world = orphaned()
    (transfer,) = world.bridge.find(ME, {A: 0})
    missing = replace(transfer, deposit="0x" + "ab" * 32)
    io = world.io()
    stray = recover.found(missing, io)
    why = f"its deposit {missing.deposit} is in no block"
    assert isinstance(stray.told, Waiting)
    assert why == stray.told.why
    with session("heir", io) as held:
        recover.begin(held, io, "r1", [stray])
        waited = held.advance(60)
        assert isinstance(waited, Wait)
        assert why == waited.why
        world.clock.sleep(90_000)
        ended = held.advance(60)
    assert ("needs_human", f"leg 1: {why}") == (ended.outcome, ended.why)


def test_claims_that_keep_failing_are_given_to_a_person():
    world = orphaned()
    world.clock.sleep(20)
    ledger = world.chains[B].ledger
    ledger.move(USDC_B.address, BRIDGE, address(0xBEEF), ledger.balance(USDC_B.address, BRIDGE))
    ended = resumed(world, world.io())
    assert "leg 1: 3 claims failed; its money waits at paper-bridge" == ended.why
    assert ("needs_human", 3) == (ended.outcome, purposes(world).count("claim"))


def test_a_cancelled_recovery_signs_nothing_and_leaves_the_transfer_to_the_next():
    world = orphaned("never")
    io = world.io()
    with session("heir", io) as held:
        assert isinstance(resume(held, world, io, budget=10), Wait)
        held.cancel("not now")
        ended = held.advance(10)
        assert ("aborted", "not now") == (ended.outcome, ended.why)
        assert 1 == len(recover.left(held.state))
        world.bridge.way = "claim"
        assert "done" == resume(held, world, io, "r2").outcome
    assert BEST == world.holds(USDC_B)


def test_a_cancel_does_not_leave_a_claim_that_is_signed():
    world = orphaned()
    world.clock.sleep(20)
    io = world.io()

    def react(fact) -> None:
        if isinstance(fact, f.Confirmed):
            held.cancel("not now")

    with session("heir", io) as held:
        after(held, react)
        ended = resume(held, world, io)
        balanced(held, world)
    assert ("aborted", 1, BEST) == (
        ended.outcome,
        len(facts(world, f.Arrived)),
        world.holds(USDC_B),
    )


def test_several_deposits_are_followed_by_one_run():
    world = orphaned()
    world.chains[A].ledger.mint(USDC_A.address, ME, RAW)
    lost = MemoryJournal()
    with session("forgetful too", world.io(journal=lost)) as held:
        held.start("lost", BRIDGED, world.snapshot())
        until(held, world, lambda: facts(world, f.Settled))
    world.seen.clear()
    world.clock.sleep(20)
    with session("heir", world.io()) as held:
        ended = resume(held, world, world.io())
        assert ["1", "2"] == list(held.state.runs["r1"].legs)
    assert ("done", 2 * BEST) == (ended.outcome, world.holds(USDC_B))


# ---- killed anywhere -------------------------------------------------------------------------


def ready(way: str = "claim") -> World:
    world = orphaned(way)
    world.clock.sleep(20)
    return world


def recovery_effects() -> int:
    fuse, world = Fuse(), ready()
    assert "done" == resumed(world, fused(world, fuse)).outcome
    return fuse.burnt


EFFECTS = recovery_effects()


def test_the_recovery_has_the_effects_that_are_swept():
    assert EFFECTS > 20


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", range(EFFECTS + 1))
def test_a_recovery_that_is_struck_anywhere_claims_once(mode: str, point: int):
    world = ready()
    lost = mode.removesuffix(" lost") if mode.endswith("lost") else ""
    with contextlib.suppress(Crash):
        resumed(world, fused(world, Fuse(point), lost))
    if mode == "reorg after":
        for node in world.chains.values():
            node.reorg(1)
    ended = resumed(world, world.io(), "r2")
    assert isinstance(ended, Finished)
    assert ("done", BEST, 0, 1) == (
        ended.outcome,
        world.holds(USDC_B),
        world.holds(USDC_A),
        deposits(world),
    )
    assert ETHER * 3 == world.holds(WETH_B)


@pytest.mark.parametrize("point", range(0, EFFECTS, 3))
def test_two_deaths_of_a_recovery_change_nothing(point: int):
    for second in range(0, EFFECTS - point, 4):
        world = ready()
        for number, budget in enumerate((point, second)):
            with contextlib.suppress(Crash):
                resumed(world, fused(world, Fuse(budget)), f"r{number}")
        ended = resumed(world, world.io(), "last")
        assert ("done", BEST) == (ended.outcome, world.holds(USDC_B)), second


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
