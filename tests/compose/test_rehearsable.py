"""Rehearsals pass over signed orders, which somebody else would fill in a run."""

from __future__ import annotations

import pytest
from paper_world import ME, START, SWAP_A, USDC_A, WETH_A, A, World
from scenes import ORDER

from agent.compose.ahead import ahead
from agent.compose.rehearsable import Unrehearsed, rehearsable
from agent.errors import NoRoute


def test_order_gives_way_to_a_venue_that_can_be_rehearsed() -> None:
    world = World()
    (leg,) = ahead(world.io(), ORDER, world.snapshot()).legs
    assert ("", True) == (leg.why, leg.flow is not None)


def test_order_alone_says_why_nothing_was_rehearsed() -> None:
    world = World()
    io = world.io(venues={"book": world.book, "wrap": world.io().venues["wrap"]})
    (leg,) = ahead(io, ORDER, world.snapshot()).legs
    assert leg.flow is None
    assert "[N107] an order at book is filled by others, so it cannot be rehearsed" == leg.why


def test_venue_of_orders_is_the_same_but_for_its_offers() -> None:
    world = World()
    seen = rehearsable({"venue": world.venue, "book": world.book})
    assert seen["venue"] is world.venue
    book = seen["book"]
    assert isinstance(book, Unrehearsed)
    assert ("book", dict(world.book.targets(A))) == (book.name, dict(book.targets(A)))
    assert dict(world.book.layouts) == dict(book.layouts)
    pairs, sizes = [(WETH_A, USDC_A)], {WETH_A: 10**18}
    assert world.book.survey(A, pairs, sizes) == book.survey(A, pairs, sizes)
    with pytest.raises(NoRoute, match="cannot be rehearsed"):
        book.quote(SWAP_A, 1, ME, 1, START)
