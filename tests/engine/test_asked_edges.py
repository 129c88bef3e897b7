"""Pairs that no venue surveys: those who are only asked are asked, and a plan can be made of that."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from paper_world import ETHER, ME, USDC_A, WETH_A, A, World, address

from agent.core.plan import Plan
from agent.core.state import State
from agent.engine import asking
from agent.engine.asking import APPROVAL_GAS, asked_edges
from agent.engine.survey import look, make_plan, survey
from agent.errors import NoRoute
from agent.sim.venue import PaperVenue

PAIR = (WETH_A, USDC_A)
SIZES = {WETH_A: 8 * ETHER}
OTHER = address(0x77)


class OnlyAsked(PaperVenue):
    """A venue that surveys nothing."""

    def survey(self, *_args):
        return ()


def worlds() -> tuple[World, OnlyAsked]:
    world = World()
    venue = OnlyAsked("asked", OTHER)
    venue.rates = dict(world.venue.rates)
    for chain, node in world.chains.items():
        node.contracts[OTHER] = venue
        for token in {WETH_A, USDC_A}:
            if token.chain == chain:
                node.ledger.mint(token.address, OTHER, 10**30)
    return world, venue


def io(world: World, venue: PaperVenue, **changes):
    return world.io(venues={"asked": venue, "wrap": world.io().venues["wrap"]}, **changes)


@pytest.mark.parametrize("serial", [True, False])
def test_two_offers_make_an_edge(serial: bool) -> None:
    world, venue = worlds()
    (edge,) = survey(io(world, venue, serial=serial), (PAIR,), SIZES)
    out = venue.out(*PAIR, 8 * ETHER)
    assert ("asked", WETH_A, USDC_A) == (edge.via, edge.sell, edge.buy)
    assert ((ETHER, out // 8), (8 * ETHER, out)) == edge.ladder
    assert edge.gas > APPROVAL_GAS
    assert edge.data_bytes > 0


def test_a_plan_can_be_made_of_offers_alone() -> None:
    world, venue = worlds()
    made = make_plan(io(world, venue), look(io(world, venue), State(), asked=True))
    assert isinstance(made, Plan)
    assert "asked" in {leg.via for leg in made.legs}


def test_pairs_that_are_surveyed_are_not_asked_for() -> None:
    world, venue = worlds()
    asked = []
    venue.quote = lambda *args: asked.append(args)
    both = world.io(venues={"venue": world.venue, "asked": venue})
    assert ["venue"] == [edge.via for edge in survey(both, (PAIR,), SIZES)]
    assert [] == asked


def test_who_surveys_is_not_asked_for_what_it_has_not() -> None:
    world, venue = worlds()
    world.venue.quote = lambda *args: pytest.fail("it has said what it has")
    both = world.io(venues={"venue": world.venue, "asked": venue})
    back = (USDC_A, WETH_A)
    assert () == asked_edges(both, A, [back], {USDC_A: 10**9}, {"venue"})


def test_who_has_no_way_has_no_edge() -> None:
    world, venue = worlds()
    venue.rates = {}
    assert () == survey(io(world, venue), (PAIR,), SIZES)


def test_one_answer_is_enough() -> None:
    world, venue = worlds()
    honest = venue.quote

    def quote(leg, raw, *args):
        if raw == 8 * ETHER:
            raise NoRoute("too much", fix="less")
        return honest(leg, raw, *args)

    venue.quote = quote
    (edge,) = survey(io(world, venue), (PAIR,), SIZES)
    assert [ETHER] == [raw for raw, _ in edge.ladder]


def test_offers_that_fall_with_their_size_are_no_edge() -> None:
    world, venue = worlds()
    honest = venue.quote

    def quote(leg, raw, *args):
        return replace(honest(leg, raw, *args), amount_out=10**30 // raw)

    venue.quote = quote
    assert () == survey(io(world, venue), (PAIR,), SIZES)


def test_an_order_costs_its_approval_alone() -> None:
    world, _ = worlds()
    book = world.book
    planned = book.quote
    book.quote = lambda leg, *args: planned(replace(leg, via="book"), *args)
    book.survey = lambda *_: ()
    (edge,) = survey(world.io(venues={"book": book}), (PAIR,), SIZES)
    assert (APPROVAL_GAS, asking.APPROVAL_BYTES) == (edge.gas, edge.data_bytes)


@pytest.mark.parametrize("size", [0, 7])
def test_nobody_is_asked_about_nothing(size: int) -> None:
    world, venue = worlds()
    venue.quote = lambda *_: pytest.fail("there is nothing to sell")
    assert () == survey(io(world, venue), (PAIR,), {WETH_A: size})


def test_no_more_pairs_are_asked_about_than_providers_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_PAIRS", 1)
    world, venue = worlds()
    venue.rates[USDC_A.address, WETH_A.address] = Fraction(10**18, 3010 * 10**6)
    pairs = (PAIR, (USDC_A, WETH_A))
    found = survey(io(world, venue), pairs, {**SIZES, USDC_A: 10**10})
    assert [WETH_A] == [edge.sell for edge in found]
    assert ME == io(world, venue).account
