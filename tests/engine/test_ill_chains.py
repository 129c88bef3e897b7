"""One of several chains is down or stands still: the others go on, and it is said in one line."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from time import monotonic

import pytest
from paper_world import (
    BRIDGE,
    ETH_B,
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    VENUE,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    leg,
    plan,
    prices,
    rich_plan,
)
from scenes import BRIDGED, ONE_SWAP, after, allowance, facts, slow_world, start, started, until

from agent.core import fact as f
from agent.core.plan import Plan, Sell
from agent.core.price import Prices, Unpriced
from agent.core.state import State
from agent.engine.io import Pause
from agent.engine.loop import Finished, Wait, session
from agent.engine.survey import look, make_plan, read
from agent.errors import StaleHead, Unreachable
from agent.sim.venue import QUOTE_SECONDS

SWAP_B = leg("2", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2950 * 10**6)
BOTH = plan(ONE_SWAP.legs[0], SWAP_B)


class Heard(list):
    """What a person was told of pauses."""

    def __call__(self, pause: Pause) -> None:
        self.append(pause)

    @property
    def lines(self) -> list[str]:
        return [pause.why for pause in self]


def later(world: World, seconds: float, react) -> None:
    """Let something happen once so much time has passed."""
    inner, due = world.clock.sleep, [world.clock.now() + seconds]

    def sleep(pause: float) -> None:
        inner(pause)
        if due and world.clock.now() >= due[0]:
            due.clear()
            react()

    world.clock.sleep = sleep


def recover(world: World, chain) -> None:
    """The node answers, blocks come again."""
    world.chains[chain].down = world.chains[chain].halted = False
    world.chains[chain].mine()


def settled(world: World) -> list[str]:
    return [fact.leg for fact in facts(world, f.Settled)]


def ticking(way="claim", **changes) -> World:
    """Blocks come whether anybody sends anything or not."""
    return slow_world(way=way, automine=True, **changes)


SPENDERS = ((WETH_A, VENUE), (USDC_A, BRIDGE), (USDC_B, VENUE), (WETH_B, VENUE))
ILL = {"down": "chain 8453: no answer", "halted": "chain 8453: no new blocks"}


@pytest.mark.parametrize("how", ILL)
@pytest.mark.parametrize("serial", [True, False])
def test_legs_of_an_ill_chain_wait_and_the_others_go_on(how, serial):
    world, heard = ticking(), Heard()
    with started(world, BOTH, serial=serial, hear=heard) as held:
        setattr(world.chains[B], how, True)
        waited = held.advance(300)
        assert isinstance(waited, Wait)
        assert ["1"] == settled(world)
        assert [ILL[how]] == heard.lines
        recover(world, B)
        ended = held.advance(300)
    assert ("done", ["1", "2"]) == (ended.outcome, settled(world))


@pytest.mark.parametrize("how", ILL)
def test_a_chain_that_comes_back_in_time_ends_the_run_without_anybody(how):
    world, heard = ticking(), Heard()
    later(world, 120, lambda: recover(world, B))
    with started(world, BOTH, hear=heard) as held:
        setattr(world.chains[B], how, True)
        ended = held.advance(600)
    assert ("done", [ILL[how]]) == (ended.outcome, heard.lines)


def test_a_silent_node_is_asked_less_and_less_often():
    world = ticking()
    with started(world, plan(SWAP_B)) as held:
        world.chains[B].down = True
        before = world.chains[B].requests
        held.advance(600)
        asked = world.chains[B].requests - before
    assert 14 == asked


@pytest.mark.parametrize("how", ILL)
@pytest.mark.parametrize("chain", [A, B])
@pytest.mark.parametrize("at", range(1, 60, 3))
@pytest.mark.parametrize(("seconds", "poll_seconds"), [(40, 1), (4000, 12)])
def test_an_outage_anywhere_in_the_rich_run_loses_nothing(how, chain, at, seconds, poll_seconds):
    """The chain is away from the n-th fact on; no quote and no deposit outlives the longer time."""
    world = ticking()
    rules = {
        known: replace(each, poll_seconds=poll_seconds) for known, each in world.io().chains.items()
    }
    left = [at]

    def react(_fact) -> None:
        left[0] -= 1
        if left[0] == 0:
            setattr(world.chains[chain], how, True)
            later(world, seconds, lambda: recover(world, chain))

    with started(world, rich_plan(), chains=rules) as held:
        after(held, react)
        ended = held.advance(36_000)
    wanted = {"done"} if seconds < QUOTE_SECONDS else {"done", "aborted"}
    assert ended.outcome in wanted
    # Five base units were granted before: what the run did not touch is not its to take back.
    assert {0, 5} >= {allowance(world, token, spender) for token, spender in SPENDERS}
    assert [] == facts(world, f.ForeignInflow)


def test_prices_that_are_silent_for_a_while_refuse_no_leg():
    world = ticking()
    known = prices()
    silent = Prices({}, {a: Unpriced(a, "N101", f"no price of {a}") for a in known.by_asset})
    silent = Prices({}, silent.refused, known.asset_of)
    times = [silent] * 3
    with started(world, ONE_SWAP, prices=lambda: times.pop() if times else known) as held:
        ended = held.advance(300)
    assert ("done", []) == (ended.outcome, facts(world, f.Refused))


@pytest.mark.parametrize("missing", ["ETH", "USDC"])
def test_a_price_that_falls_silent_before_the_reservation_refuses_no_leg(missing):
    world, ill = ticking(), []
    known = prices()

    def now() -> Prices:
        if not ill:
            return known
        ill.pop()
        rest = {asset: price for asset, price in known.by_asset.items() if asset != missing}
        return Prices(rest, {missing: Unpriced(missing, "N101", "silent")}, known.asset_of)

    def react(fact) -> None:
        if isinstance(fact, f.Quoted):
            ill.extend([1, 1])

    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED, prices=now) as held:
        after(held, react)
        ended = held.advance(300)
    assert ("done", []) == (ended.outcome, facts(world, f.Refused))


# At the start


def test_a_chain_that_is_down_is_named_and_nothing_is_planned():
    world = ticking()
    world.chains[B].down = True
    with pytest.raises(Unreachable, match="chain 8453: no answer") as caught:
        look(world.io(), State(), asked=True)
    assert 8 == caught.value.exit


def test_all_chains_that_are_down_are_named_together():
    world = ticking()
    for node in world.chains.values():
        node.down = True
    with pytest.raises(Unreachable, match="chain 1: no answer; chain 8453: no answer"):
        read(world.io(), State())


def test_a_chain_that_stands_still_is_read_at_its_last_block_and_left_alone():
    world = ticking()
    world.chains[B].halted = True
    io = world.io()
    del io.venues["book"]
    seen = look(io, State(), asked=True)
    assert {B: "chain 8453: no new blocks"} == dict(seen.idle)
    assert world.holds(ETH_B) == seen.snapshot.holds(ETH_B)
    found = make_plan(io, seen)
    assert isinstance(found, Plan)
    assert {A} == {token.chain for leg in found.legs for token in (leg.sell.token, leg.buy)}
    with session("worker", io) as held:
        held.start("r1", found, seen.snapshot)
        assert "done" == held.advance(600).outcome


def test_a_run_begins_beside_a_chain_on_which_an_older_run_is_not_final():
    world = ticking(finality=10**6)
    start(world, plan(SWAP_B))
    world.chains[B].halted = True
    with session("worker", world.io()) as held:
        held.start("r2", ONE_SWAP, world.snapshot_old())
        ended = held.advance(600)
    assert Finished("done", "every leg arrived", final=False) == ended


def test_a_run_does_not_begin_on_a_chain_on_which_an_older_one_is_not_clear():
    world = ticking(finality=10**6)
    start(world, plan(SWAP_B))
    before = world.snapshot_old()
    world.chains[B].halted = True
    again = leg("3", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2950 * 10**6)
    with session("worker", world.io()) as held, pytest.raises(StaleHead):
        held.start("r2", plan(again), before)


# Bridges


def test_while_a_transfer_is_awaited_a_person_is_told_once_who_holds_what():
    world, heard = ticking("never"), Heard()
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED, hear=heard) as held:
        first = held.advance(60)
        second = held.advance(60)
    (pause,) = heard
    flying = pause.awaited
    assert (flying,) == first.awaited == second.awaited
    assert ("r1", "1", "paper-bridge") == (flying.run, flying.leg, flying.via)
    assert (1000 * 10**6, 999_500_000) == (flying.sold.raw, flying.least.raw)
    assert 0 < flying.left < flying.late


def test_a_transfer_whose_bridge_is_silent_is_told_as_a_silence():
    world, heard = ticking("never"), Heard()
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED, hear=heard) as held:
        until(held, world, lambda: facts(world, f.Settled))
        heard.clear()
        world.chains[A].down = True
        waited = held.advance(60)
    assert [None] == [pause.awaited for pause in heard]
    assert ["1"] == [each.leg for each in waited.awaited]


class Hanging:
    """A node that answers nothing until it is let go."""

    def __init__(self, inner, let_go: Event) -> None:
        self._inner, self._let_go = inner, let_go

    def __getattr__(self, name):
        found = getattr(self._inner, name)

        def late(*args, **kwargs):
            assert self._let_go.wait(30), "the other chain waited, too"
            return found(*args, **kwargs)

        return late


def test_a_node_that_hangs_holds_up_nobody_else():
    world, let_go = World(), Event()

    def react(fact) -> None:
        if isinstance(fact, f.Settled) and fact.leg == "1":
            let_go.set()

    nodes = {**world.chains, B: Hanging(world.chains[B], let_go)}
    with started(world, BOTH, serial=False, nodes=nodes) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", ["1", "2"]) == (ended.outcome, settled(world))


def test_what_a_step_finds_in_a_world_that_has_moved_on_is_dropped():
    world, let_go = World(), Event()
    inner = world.venue.quote

    def quote(leg_, *args):
        if leg_.id == "2":
            assert let_go.wait(30)
        return inner(leg_, *args)

    world.venue.quote = quote
    with started(world, BOTH, serial=False) as held:

        def react(fact) -> None:
            if isinstance(fact, f.Settled):
                held.cancel("enough")
                let_go.set()

        after(held, react)
        ended = held.advance(600)
    assert ("aborted", ["1"]) == (ended.outcome, settled(world))
    assert ["1"] == [fact.leg for fact in facts(world, f.Quoted)]


def test_a_moment_comes_while_a_node_hangs():
    """What waited for its time is done although another lane is still at it."""
    world, let_go = World(), Event()
    inner = world.clock.now
    began = monotonic()
    world.clock.now = lambda: inner() + int(monotonic() - began)
    pauses = [1, 1]

    def paused() -> str | None:
        return "a moment" if pauses and pauses.pop() else None

    def react(fact) -> None:
        if isinstance(fact, f.Settled) and fact.leg == "1":
            let_go.set()

    nodes = {**world.chains, B: Hanging(world.chains[B], let_go)}
    with started(world, BOTH, serial=False, nodes=nodes, paused=paused) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", ["1", "2"]) == (ended.outcome, settled(world))
