"""Money that no run follows is found by logs alone and followed to its end, whatever strikes."""

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
    WETH_B,
    A,
    B,
    World,
    address,
)
from recovery_rig import BEST, RAW, balanced
from scenes import BRIDGED, after, facts, purposes, until

from agent.core import fact as f
from agent.core.closing import touched
from agent.core.money import Amount, Token
from agent.core.snapshot import InFlight
from agent.core.state import State
from agent.core.transit import awaited, in_flight
from agent.engine import recover
from agent.engine.io import Io
from agent.engine.loop import Finished, Session, Wait, session
from agent.ports import Act, Delivered, Gone, Returned, Waiting
from agent.stores.memory import MemoryJournal


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
