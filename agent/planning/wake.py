"""What a way brings on pools that earlier trades have moved, by the pools' own maths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from agent.core.amm.path import Hop
from agent.core.money import Address
from agent.planning.board import Board
from agent.planning.pool_curve import Curve, pool_curve
from agent.planning.way import Way

Side = tuple[Address, bool]
"""A pool, and whether its first token goes in."""

Draws = tuple[tuple[Side, float], ...]
"""Base units that go into pools, by side."""

_SURELY = 1e-9
"""The part by which what floats say comes out is lessened, so that they never say too much."""


def wake(way: Way, earlier: Iterable[Draws]) -> Draws:
    """What *earlier* trades put into the pools of *way*, on the sides that it uses itself.

    What they put in on the other side would only make them pay more: it is left out.
    """
    mine = _sides(way)
    found: dict[Side, float] = {}
    for draws in earlier:
        for side, value in draws:
            if side in mine:
                found[side] = found.get(side, 0.0) + value
    return tuple(sorted(found.items()))


def passed(board: Board, way: Way, before: Draws, raw: int) -> tuple[int, Draws]:
    """What *raw* base units bring along *way* after what went in *before*, and what they put in.

    Each size of an edge has its own paths: these are those of the next larger size that was
    sampled, each taking its part. A V3 pool pays for what goes in by and by what it pays for all
    of it at once, and a V2 pool no more than that (its fees stay in it, but what they add is less
    than the fee itself), so that curves of single swaps tell all.
    """
    split = way.edge.splits[bisect_left(way.edge.ladder, (raw, -1))]
    taken, out = dict(before), 0.0
    for share in split.shares:
        x = raw * (share.amount_in / split.amount_in)
        for hop in share.hops:
            side = hop.pool.address, hop.zero_for_one
            line, used = side_curve(board, hop), taken.get(side, 0.0)
            taken[side] = used + x
            x = line.at(used + x)[0] - line.at(used)[0]
        out += x
    put = {side: value - dict(before).get(side, 0.0) for side, value in taken.items()}
    return int(out * (1.0 - _SURELY)), tuple(sorted(put.items()))


def side_curve(board: Board, hop: Hop) -> Curve:
    """The curve of one side of a pool; it is kept with the board."""
    key = ("side", hop.pool.address, hop.zero_for_one)
    found: Curve | None = board.memo.get(key)
    if found is None:
        found = board.memo[key] = pool_curve(hop.pool, zero_for_one=hop.zero_for_one)
    return found


def hops(ways: Iterable[Way]) -> Mapping[Side, Hop]:
    """All sides of pools that *ways* lead through."""
    return {
        (hop.pool.address, hop.zero_for_one): hop
        for way in ways
        for split in way.edge.splits
        for share in split.shares
        for hop in share.hops
    }


def _sides(way: Way) -> frozenset[Side]:
    return frozenset(hops((way,)))
