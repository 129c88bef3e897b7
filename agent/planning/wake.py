"""What a way brings on pools that earlier trades have moved, by the pools' own maths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

from agent.core.amm.path import Hop
from agent.core.amm.v2 import V2Pool
from agent.core.money import Address, ChainId
from agent.planning.board import Board
from agent.planning.pool_curve import Curve, pool_curve
from agent.planning.way import Way

Side = tuple[Address, bool]
"""A pool, and whether its first token goes in."""

Draws = tuple[tuple[Side, float], ...]
"""Base units that go into pools, by side."""

Path = tuple[Hop, ...]
"""Pools one after the other."""

_PARTS = 8
"""In so many parts a swap goes round pools that others moved, each where it brings most."""

_MOST_PATHS = 12
"""So many paths are looked at to go round, those that pay most for the first unit."""

_SURELY = 1e-9
"""The part by which what floats say comes out is lessened, so that they never say too much."""


def wake(way: Way, earlier: Iterable[Draws]) -> Draws:
    """What *earlier* trades put into pools, nothing where *way* leads through none of these sides.

    What they put in on the other side would only make a pool pay more: that is left out.
    """
    found: dict[Side, float] = {}
    for draws in earlier:
        for side, value in draws:
            found[side] = found.get(side, 0.0) + value
    met = not _sides(way).isdisjoint(found)
    return tuple(sorted(found.items())) if met else ()


def passed(board: Board, way: Way, before: Draws, raw: int) -> tuple[int, Draws]:
    """What *raw* base units bring along *way* after what went in *before*, and what they put in.

    Each size of an edge has its own paths: these are those of the sampled sizes next to it, each
    path taking its part. After others it may be better to go round the pools that they moved, over
    no more paths and hops than those: a quote looks for the best then.
    """
    at = bisect_left(way.edge.ladder, (raw, -1))
    tried = [
        [(share.hops, raw * (share.amount_in / split.amount_in)) for share in split.shares]
        for split in reversed(way.edge.splits[max(0, at - 1) : at + 1])
    ]
    if before:
        tried.append(_round(board, way, before, raw))
    sent = [_sent(board, way.sell[1], streams, before) for streams in tried]
    out, taken = max(sent, key=lambda each: each[0])
    earlier = dict(before)
    put = {side: value - earlier.get(side, 0.0) for side, value in taken.items()}
    put = {side: value for side, value in put.items() if value > 0}
    return int(out * (1.0 - _SURELY)), tuple(sorted(put.items()))


def _sent(
    board: Board, chain: ChainId, streams: Iterable[tuple[Path, float]], before: Draws
) -> tuple[float, dict[Side, float]]:
    """What amounts bring along paths, one after the other, and what is in the pools then."""
    taken, out = dict(before), 0.0
    for path, amount in streams:
        x = amount
        for hop in path:
            side = hop.pool.address, hop.zero_for_one
            used = taken.get(side, 0.0)
            taken[side] = used + x
            x = _paid(hop, side_curve(board, chain, hop), used, x)
        out += x
    return out, taken


def _round(board: Board, way: Way, before: Draws, raw: int) -> list[tuple[Path, float]]:
    """The paths that bring most after what went in *before*, found part by part."""
    whole, chain = way.edge.splits[-1].shares, way.sell[1]
    known = _paths(board, way, max(len(share.hops) for share in whole))
    count = 1 if len(whole) == 1 else _PARTS
    amounts: dict[int, float] = {}
    taken, part = before, raw / count
    for _ in range(count):
        open_ = list(range(len(known)) if len(amounts) < len(whole) else amounts)
        sent = [_sent(board, chain, [(known[place], part)], taken) for place in open_]
        best = max(range(len(open_)), key=lambda each: sent[each][0])
        amounts[open_[best]] = amounts.get(open_[best], 0.0) + part
        taken = tuple(sent[best][1].items())
    return [(known[place], amount) for place, amount in amounts.items()]


def _paths(board: Board, way: Way, longest: int) -> tuple[Path, ...]:
    """The best paths of so many hops over what any way of the chain leads through."""
    sell, buy = way.edge.sell, way.edge.buy
    key = ("paths", sell, buy, longest)
    found: tuple[Path, ...] | None = board.memo.get(key)
    if found is None:
        near = hops(each for each in board.ways if each.sell[1] == sell.chain)
        sides = tuple(hop for _, hop in sorted(near.items()))
        every = sorted(
            _led(sides, (), (sell.address, buy.address), longest),
            key=lambda path: -prod(side_curve(board, sell.chain, hop).spot for hop in path),
        )
        found = board.memo[key] = tuple(every[:_MOST_PATHS])
    return found


def _led(
    sides: Sequence[Hop], path: Path, ends: tuple[Address, Address], longest: int
) -> Iterator[Path]:
    met = {hop.token_in for hop in path}
    for hop in sides:
        if hop.token_in == ends[0] and hop.token_out not in met:
            if hop.token_out == ends[1]:
                yield (*path, hop)
            elif len(path) + 1 < longest:
                yield from _led(sides, (*path, hop), (hop.token_out, ends[1]), longest)


def _paid(hop: Hop, line: Curve, used: float, x: float) -> float:
    """What *x* brings after *used* of the same side.

    A V3 pool pays for what goes in by and by what it pays for all of it at once. A V2 pool pays
    less, since the whole of what was *used* is in it then, not only what its fee left: γ·x of the
    rest of what it pays out against that and γ·x.
    """
    pool = hop.pool
    if not (used and isinstance(pool, V2Pool)):
        return line.at(used + x)[0] - (line.at(used)[0] if used else 0.0)
    mine, other = pool.reserve0, pool.reserve1
    if not hop.zero_for_one:
        mine, other = other, mine
    kept = x * pool.kept_numerator / pool.kept_denominator
    return (other - line.at(used)[0]) * kept / (mine + used + kept)


def side_curve(board: Board, chain: ChainId, hop: Hop) -> Curve:
    """The curve of one side of a pool; it is kept with the board."""
    key = ("side", chain, hop.pool.address, hop.zero_for_one)
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
