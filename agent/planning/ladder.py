"""What an edge pays between the sampled points of its ladder."""

from __future__ import annotations

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
        and edge.gas >= 0
    )


def bought(edge: Edge, raw: int) -> int | None:
    """Base units out for *raw* base units in, rounded down; None beyond the last point.

    Between two points of a concave ladder the straight line is never above it. The ladder
    begins at nothing for nothing.
    """
    before_in, before_out = 0, 0
    for point_in, point_out in edge.ladder:
        if raw <= point_in:
            part = mul_div_down(point_out - before_out, raw - before_in, point_in - before_in)
            return before_out + part
        before_in, before_out = point_in, point_out
    return None


def largest(limit: int, fits: Callable[[int], bool]) -> int:
    """A number up to *limit* that fits, the largest to within a thousandth; 0 when none does.

    All numbers below one that fits should fit too. The answer has been seen to fit.

    >>> largest(100, lambda number: number * number < 50)
    7
    """
    low, high = 0, limit + 1
    while high - low > 1 + low // _PRECISION:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
