"""What becomes of money between two chains: late, short, back, or moved by its owner meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    A,
    B,
    World,
    address,
    leg,
    plan,
)
from scenes import BRIDGED, after, facts, slow_world, started, until

from agent.core import fact as f
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.state import State
from agent.engine.loop import Wait, session
from agent.engine.survey import read
from agent.ports import Delivered, Waiting

BEST = 999_500_000
ONWARD = plan(
    *BRIDGED.legs,
    leg("2", "swap", "venue", Sell(USDC_B, 0, ("1",), 10**9), WBTC_B, 1_600_000, ("1",)),
)


def ticking(way: str = "push") -> World:
    world = slow_world(way=way, automine=True)
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    return world


def test_a_fill_that_comes_late_only_costs_time():
    world = ticking()
    world.bridge.seconds = 3000
    with started(world, ONWARD) as held:
        assert isinstance(held.advance(900), Wait)
        world.clock.sleep(900)
        (flying,) = held.advance(0).awaited
        assert flying.late < world.clock.now()
        until(held, world, lambda: facts(world, f.Closed), tries=5000)
    (closed,) = facts(world, f.Closed)
    assert ("done", 0) == (closed.outcome, world.holds(USDC_B))


def test_a_transfer_that_came_back_is_money_for_the_next_plan():
    world = ticking("never")
    with started(world, ONWARD) as held:
        waited = held.advance(900)
        assert isinstance(waited, Wait)
        # The relayer is gone for good; after the deadline the money comes back.
        world.bridge.way = "refund"
        ended = held.advance(900)
        assert ("aborted", "leg 1 came back") == (ended.outcome, ended.why)
        seen = read(world.io(), held.state)
        assert (1000 * 10**6, ()) == (seen.holds(USDC_A), seen.in_flight)
        world.bridge.way = "push"
        again = replace(ONWARD, id="again", expires=world.clock.now() + 600)
        held.start("r2", again, seen)
        assert "done" == held.advance(900).outcome
    assert {"deposit": 2} == {
        "deposit": sum(r.intent.draft.purpose == "deposit" for r in facts(world, f.Reserved))
    }


def test_a_fill_that_is_short_is_counted_as_measured_and_the_rest_goes_on_with_it():
    world = ticking()
    world.bridge.track = short(world, BEST * 98 // 100)
    with started(world, ONWARD) as held:
        ended = held.advance(900)
    (arrived,) = facts(world, f.Arrived)
    (swap,) = [fact for fact in facts(world, f.Quoted) if fact.leg == "2"]
    assert ("done", BEST * 98 // 100) == (ended.outcome, arrived.amount.raw)
    assert arrived.amount.raw == swap.sell_raw
    assert [] == facts(world, f.ForeignInflow)


def short(world: World, raw: int):
    """A relayer that pays less than was asked for."""
    paid = []

    def track(*_args):
        if not paid:
            paid.append(raw)
            world.chains[B].mine()
            world.chains[B].ledger.mint(USDC_B.address, ME, raw)
        return Delivered(Amount(USDC_B, raw))

    return track


def test_an_owner_who_moves_the_money_that_is_to_leave_signs_no_deposit():
    world = ticking()
    with started(world, ONWARD) as held:
        ledger = world.chains[A].ledger
        ledger.move(USDC_A.address, ME, address(0xBEEF), 1)
        ended = held.advance(900)
    assert "aborted" == ended.outcome
    assert [] == [r for r in facts(world, f.Reserved) if r.intent.draft.purpose == "deposit"]


def test_an_owner_who_moves_what_arrived_is_told_what_is_missing():
    world = ticking()

    def react(fact) -> None:
        if isinstance(fact, f.Arrived):
            world.chains[B].ledger.move(USDC_B.address, ME, address(0xBEEF), 10**6)

    with started(world, ONWARD) as held:
        after(held, react)
        ended = held.advance(900)
    assert "needs_human" == ended.outcome
    assert "1000000 base units of USDC on chain 8453 left the wallet" in ended.why


def test_an_owner_who_adds_money_on_the_far_chain_is_not_taken_for_the_relayer():
    world = ticking("never")
    with started(world, ONWARD) as held:
        until(held, world, lambda: facts(world, f.Settled))
        world.chains[B].ledger.mint(USDC_B.address, ME, 77)
        assert isinstance(held.advance(60), Wait)
        world.bridge.way = "push"
        ended = held.advance(900)
    (inflow,) = facts(world, f.ForeignInflow)
    assert ("done", 77) == (ended.outcome, inflow.amount.raw)
    assert world.holds(USDC_B) == 77


def test_what_the_bridge_knows_of_a_transfer_is_told_with_it():
    world = ticking()
    due = world.clock.now() + 4000
    world.bridge.track = lambda *_: Waiting(world.clock.now() + 5, "not yet", "#7", due)
    with started(world, BRIDGED) as held:
        (flying,) = held.advance(60).awaited
    assert ("#7", due) == (flying.id, flying.due)


def test_another_process_goes_on_where_the_first_left_a_transfer():
    world = ticking()
    world.bridge.seconds = 300
    with session("cron-1", world.io()) as held:
        held.start("r1", ONWARD, world.snapshot())
        assert isinstance(held.advance(0), Wait)
    for tick in range(2, 60):
        world.clock.sleep(30)
        with session(f"cron-{tick}", world.io()) as held:
            ended = held.advance(0)
        if not isinstance(ended, Wait):
            break
    assert "done" == ended.outcome
    assert 1 == sum(r.intent.draft.purpose == "deposit" for r in facts(world, f.Reserved))
    assert (ETHER, State()) != (world.holds(WETH_A), held.state)


class Relayer:
    """Pays out once it is asked to, as often as the far chain forgets it."""

    def __init__(self, world: World) -> None:
        self.world, self.away = world, 0

    def track(self, *_args):
        node = self.world.chains[B]
        if self.away:
            self.away -= 1
            return Waiting(self.world.clock.now() + 5, "not delivered yet")
        if not node.ledger.store.get("paid"):
            node.mine()
            node.ledger.store["paid"] = 1
            node.ledger.mint(USDC_B.address, ME, BEST)
        return Delivered(Amount(USDC_B, BEST))


@pytest.mark.parametrize("fact", [f.Arrived, f.Quoted, f.Confirmed])
def test_an_arrival_that_a_reorganisation_takes_away_is_waited_for_again(fact):
    """Whenever it is taken away before the far swap has it: no leg is refused for it."""
    world = slow_world(way="push", automine=True, finality=6)
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    relayer = Relayer(world)
    world.bridge.track = relayer.track
    struck: list[int] = []

    def react(told) -> None:
        last = isinstance(told, fact) and (
            getattr(told, "leg", None) in {"1" if fact is f.Arrived else "2"}
            or getattr(told, "intent", "") == "r1/2/1/0"
        )
        if last and not struck:
            struck.append(1)
            node = world.chains[B]
            depth = next(n for n in range(1, 6) if not node.blocks[-1 - n].after.store.get("paid"))
            node.reorg(depth)
            relayer.away = 4

    with started(world, ONWARD) as held:
        after(held, react)
        ended = held.advance(900)
    assert ("done", [1]) == (ended.outcome, struck)
    assert 1 == len(facts(world, f.Unlanded))
    assert [] == facts(world, f.Refused)
    assert 0 == world.holds(USDC_B)


def test_an_arrival_that_went_away_at_the_very_end_keeps_the_run_open():
    world = slow_world(way="push", automine=True, finality=6)
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    relayer = Relayer(world)
    world.bridge.track = relayer.track

    def react(told) -> None:
        if isinstance(told, f.Arrived) and not facts(world, f.Unlanded):
            world.chains[B].reorg(1)
            relayer.away = 3

    with started(world, BRIDGED) as held:
        after(held, react)
        ended = held.advance(900)
    assert ("done", BEST) == (ended.outcome, world.holds(USDC_B))
    assert [1, 2] == [len(facts(world, kind)) for kind in (f.Unlanded, f.Arrived)]
