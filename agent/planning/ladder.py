"""What an edge pays between the sampled points of its ladder."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise

from agent.core.market import Edge
from agent.core.rounding import mul_div_down

_PRECISION = 1_000
"""A size is found to within this part of itself: finer is below what a pool moves in a block."""


def is_sound(edge: Edge) -> bool:
    """Whether the ladder is whole numbers that grow, and the gas is known."""
    points = ((0, 0), *edge.ladder)
    steps = pairwise(points)
    return (
        len(points) > 1
        and all(type(number) is int for point in edge.ladder for number in point)
        and all(a[0] < b[0] and a[1] <= b[1] for a, b in steps)
        and min(edge.gas, edge.data_bytes, edge.fee, edge.far_gas) >= 0
    )


def is_bridge(edge: Edge) -> bool:
    """Whether the edge leads to another chain."""
    return edge.sell.chain != edge.buy.chain


def bought(edge: Edge, raw: int) -> int | None:
    """Base units out for *raw* base units in, rounded down; None beyond the ends of the ladder.

    Between two points of a concave ladder the straight line is never above it. A swap's ladder
    begins at nothing for nothing, a bridge's at its first point: it takes no less than that.
    """
    ladder = edge.ladder
    index = bisect_left(ladder, (raw, -1))
    if index == len(ladder) or (index == 0 and 0 < raw < ladder[0][0] and is_bridge(edge)):
        return None
    before_in, before_out = ladder[index - 1] if index else (0, 0)
    point_in, point_out = ladder[index]
    part = mul_div_down(point_out - before_out, raw - before_in, point_in - before_in)
    return before_out + part


_TRIES = 10
"""How often a size is halved or doubled before none is thought to fit."""


def fitting(least: int, wish: int, most: int, fits: Callable[[int], bool]) -> int:
    """The number from *least* to *most* that fits and is nearest to *wish*, to a thousandth.

    Smaller ones go first. 0 when none fits; what fits should be numbers in a row. The answer has
    been seen to fit.

    >>> fitting(1, 100, 1000, lambda number: 3 < number * number < 50)
    7
    >>> fitting(1, 100, 1000, lambda number: number > 200)
    201
    """
    if fits(wish):
        return wish
    for shrinks in (True, False):
        before, number = wish, wish
        for _ in range(_TRIES):
            before, number = number, max(least, number // 2) if shrinks else min(most, number * 2)
            if number == before:
                break
            if fits(number):
                return narrowed(number, before, fits)
    return 0


def narrowed(good: int, bad: int, fits: Callable[[int], bool]) -> int:
    """The number nearest to *bad* that fits, from *good*, which does, to within a thousandth.

    >>> narrowed(3, 1000, lambda number: number < 100)
    99
    """
    while abs(bad - good) > 1 + good // _PRECISION:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
