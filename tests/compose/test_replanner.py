"""What is left of a run is planned within what the run may still move, and elsewhere if it can."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    WETH_B,
    A,
    World,
    address,
    leg,
    plan,
    policy,
)
from scenes import ONE_SWAP, facts, slow_world, started, until

from agent.compose.account import replanner
from agent.core import fact as f
from agent.core.budget import run_value
from agent.core.plan import Sell
from agent.core.state import RunState
from agent.core.wish import Wish
from agent.engine.io import Io
from agent.engine.survey import read
from agent.errors import NoRoute
from agent.planning.problem import NoPlan
from agent.sim.venue import PaperVenue

OTHER = address(0x13)


def worlds(way: str = "claim") -> tuple[World, Io]:
    """A world with a second venue that pays a little less."""
    world = slow_world(way=way, automine=True)
    other = PaperVenue("other", OTHER)
    other.rates = {pair: rate * 999 / 1000 for pair, rate in world.venue.rates.items()}
    for chain, node in world.chains.items():
        node.contracts[OTHER] = other
        for token in (WETH_A, USDC_A, USDC_B, WBTC_B):
            if token.chain == chain:
                node.ledger.mint(token.address, OTHER, 10**30)
    io = world.io()
    io.venues.pop("book")
    io.venues["other"] = other
    return world, replace(io, replan=replanner(io))


def test_another_plan_moves_only_what_the_limit_of_the_run_leaves() -> None:
    world, io = worlds()
    # The second leg is refused once the first one, worth 6,000 of 9,000, is done.
    refused = leg("2", "swap", "venue", Sell(WETH_A, ETHER // 10), USDC_A, 10**12, ("1",))
    io = replace(io, policy=policy(max_run_value=Decimal(9000)))
    io = replace(io, replan=replanner(io))
    with started(world, plan(*ONE_SWAP.legs, refused), **fields(io)) as held:
        ended = held.advance(600)
        run = held.state.runs["r1"]
    (again,) = facts(world, f.Replanned)
    assert "done" == ended.outcome
    assert again.plan.turnover <= 3000
    assert 6000 < run_value(run) <= 9000
    assert {"r1."} == {each.id[:3] for each in again.plan.legs}


def fields(io: Io) -> dict[str, object]:
    return {name: getattr(io, name) for name in ("venues", "replan", "policy")}


def test_a_run_that_has_moved_all_it_may_is_not_planned_again() -> None:
    world, io = worlds()
    io = replace(io, policy=policy(max_run_value=Decimal(6000)))
    with started(world, ONE_SWAP, policy=io.policy) as held:
        held.advance(600)
        found = replanner(io)(held.state.runs["r1"])
    assert NoPlan(("the run has moved all that max_run_value allows",)) == found


def test_a_venue_that_was_refused_for_its_offer_is_avoided() -> None:
    world, io = worlds()
    world.venue.recipient = address(0xBAD)
    other, asked = io.venues["other"], []
    honest = other.quote

    def quote(*args):
        asked.append(args)
        if len(asked) == 1:
            raise NoRoute("not this time", fix="none")
        return honest(*args)

    other.quote = quote
    with started(world, ONE_SWAP, **fields(io)) as held:
        ended = held.advance(600)
    assert ("done", {"venue"}) == (ended.outcome, held.state.runs["r1"].shunned)
    (again,) = facts(world, f.Replanned)
    assert {"other", "wrap"} >= {each.via for each in again.plan.legs}


def test_the_only_way_is_tried_again() -> None:
    world, io = worlds()
    io.venues.pop("other")
    world.venue.recipient = address(0xBAD)
    with started(world, ONE_SWAP, **fields(io)) as held:
        held.advance(600)
    assert ["venue"] * 3 == [fact.via for fact in facts(world, f.Refused)]


def test_who_was_refused_is_asked_again_where_more_stays_outside_without_it() -> None:
    world, io = worlds()
    # The other one has no bitcoin, whose band needs some.
    other = io.venues["other"]
    other.rates = {pair: rate for pair, rate in other.rates.items() if WBTC_B.address not in pair}
    world.venue.rates |= {(WETH_B.address, WBTC_B.address): Fraction(5 * 10**8, 10**20)}
    with started(world, ONE_SWAP) as held:
        run = replace(held.state.runs["r1"], shunned=frozenset({"venue"}))
        found = replanner(io)(run)
        del io.venues["venue"]
        alone = replanner(io)(run)
    assert not isinstance(found, NoPlan)
    assert not isinstance(alone, NoPlan)
    assert "venue" in {each.via for each in found.legs}
    assert found.missed < alone.missed


def test_a_limit_that_refuses_is_not_the_fault_of_a_venue() -> None:
    world, io = worlds()
    narrow = policy(max_fee_per_tx=Decimal("0.0001"))
    with started(world, ONE_SWAP, venues=io.venues, policy=narrow) as held:
        held.advance(600)
        assert frozenset() == held.state.runs["r1"].shunned


def test_money_in_flight_is_part_of_what_is_planned_on() -> None:
    world, io = worlds("never")
    world.chains[A].ledger.mint(USDC_A.address, ME, 100_000 * 10**6)
    away = leg("1", "bridge", "paper-bridge", Sell(USDC_A, 90_000 * 10**6), USDC_B, 1)
    with started(world, plan(away)) as held:
        until(held, world, lambda: facts(world, f.Settled))
        run: RunState = held.state.runs["r1"]
        (flying,) = read(io, held.state).in_flight
        found = replanner(io)(run)
    assert 89_955 * 10**6 == flying.amount.raw
    # Counting the money in flight the wallet has too many dollars, without it too few.
    assert isinstance(found, NoPlan)
    assert ["USDC stays"] == [why[:10] for why in found.why if "USDC" in why and "above" in why]


def test_what_is_left_is_planned_for_what_the_run_was_begun_for() -> None:
    world, io = worlds()
    raised, money = Wish("raise", "USDC", Decimal(3000)), Wish("invest", "ETH", Decimal(2))
    with started(world, replace(ONE_SWAP, wish=money), **fields(io)) as held:
        begun = held.state.runs["r1"]
        found = replanner(io)(replace(begun, plan=ONE_SWAP))
        other = replace(begun.started, plan=replace(ONE_SWAP, wish=raised))
        again = replanner(io)(replace(begun, started=other))
        held.advance(600)
        late = replanner(io)(held.state.runs["r1"])
    assert not isinstance(found, NoPlan)
    assert not isinstance(again, NoPlan)
    assert (money, raised) == (found.wish, again.wish)
    assert isinstance(late, NoPlan)
    assert late.why[0].startswith("part of what was to be invested may be sold by now")
