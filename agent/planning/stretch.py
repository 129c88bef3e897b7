"""The stretch of a ladder that may be used, in value: what pays enough, and what is left of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from agent.planning.curve import Curve

Points = tuple[tuple[float, float], ...]
"""Growing points (value sold, value brought); between them the straight line holds."""


def offered(line: Curve, impact: float, cap: float) -> Points:
    """The part of a ladder that loses no more than *impact* of what is sold, up to *cap*.

    It begins at nothing, unless too little costs too much of itself or is not taken.
    """
    rate = 1.0 - impact
    points = list(zip(line.sold, line.brought, strict=True))
    first, last = 0, len(points)
    while last and points[last - 1][1] < rate * points[last - 1][0]:
        last -= 1
    while first < last and points[first][1] < rate * points[first][0]:
        first += 1
    if first == last:
        return ()
    found = points[first:last]
    if first:
        found.insert(0, _crossing(points[first - 1], points[first], rate))
    elif not line.is_bridge:
        found.insert(0, (0.0, 0.0))
    if last < len(points):
        found.append(_crossing(points[last - 1], points[last], rate))
    grows = [two for one, two in pairwise(found) if two[0] > one[0]]
    return _up_to([found[0], *grows], cap)


def _crossing(
    one: tuple[float, float], two: tuple[float, float], rate: float
) -> tuple[float, float]:
    """Where the line from *one* to *two* brings exactly *rate* of what is sold."""
    above, below = one[1] - rate * one[0], two[1] - rate * two[0]
    part = above / (above - below)
    return _between(one, two, part)


def along(points: Points, sold: float) -> float:
    """What a ladder brings for what is sold; its ends hold beyond them.

    >>> along(((0.0, 0.0), (10.0, 9.0), (20.0, 17.0)), 15.0)
    13.0
    """
    if len(points) == 1:
        return points[0][1]
    place = min(max(bisect_left(points, (sold,)), 1), len(points) - 1)
    one, two = points[place - 1], points[place]
    return _between(one, two, min(1.0, max(0.0, (sold - one[0]) / (two[0] - one[0]))))[1]


def highest(ladders: Sequence[tuple[Points, float]]) -> Points:
    """The most that any of several ladders brings, each after a cost; growing points.

    What they bring together at one size, parts on each, is not thought of. Between its points the
    line is never below any of them.

    >>> highest([(((0.0, 0.0), (10.0, 9.0)), 0.0), (((0.0, 0.0), (10.0, 9.8), (20.0, 19.0)), 0.5)])
    ((0.0, 0.0), (10.0, 9.3), (20.0, 18.5))
    """
    sizes = sorted({sold for ladder, _ in ladders for sold, _ in ladder})
    points: list[tuple[float, float]] = []
    for size in sizes:
        taken = [
            (ladder, cost) for ladder, cost in ladders if ladder[0][0] <= size <= ladder[-1][0]
        ]
        most = max(along(ladder, size) - cost for ladder, cost in taken) if size else 0.0
        points.append((size, max([most, *(brought for _, brought in points[-1:])])))
    return tuple(points)


def _between(
    one: tuple[float, float], two: tuple[float, float], part: float
) -> tuple[float, float]:
    return one[0] + part * (two[0] - one[0]), one[1] + part * (two[1] - one[1])


def _up_to(points: list[tuple[float, float]], cap: float) -> Points:
    """The points up to *cap*, with one there."""
    if not cap >= points[0][0]:
        return ()
    if cap >= points[-1][0]:
        return tuple(points)
    found = [points[0]]
    for point in points[1:]:
        if point[0] > cap:
            before = found[-1]
            if cap > before[0]:
                found.append(_between(before, point, (cap - before[0]) / (point[0] - before[0])))
            break
        if point[0] > found[-1][0]:
            found.append(point)
    return tuple(found) if len(found) > 1 else ()


def shortened(points: Points, used: float) -> Points:
    """What is left of a ladder of which *used* is sold already."""
    if not used or not points:
        return points
    if not points[-1][0] > used:
        return ()
    found: list[tuple[float, float]] = []
    before = points[0]
    if before[0] >= used:
        return points
    for point in points[1:]:
        if point[0] > used:
            if not found:
                start = _between(before, point, (used - before[0]) / (point[0] - before[0]))
                found.append((0.0, 0.0))
            found.append((point[0] - used, point[1] - start[1]))
        before = point
    return tuple(found)
