"""Which routes to look at next: what seems cheapest for what they would repair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from agent.planning.atlas import Atlas
from agent.planning.goals import Cell
from agent.planning.outlook import Outlook
from agent.planning.pull import Aims, Need, Pull
from agent.planning.route import Route

_PER_LIST = 8
"""Routes that are taken from each list of the atlas: the cheapest that have something to sell."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route and what it is needed for."""

    route: Route
    need: Need


def candidates(map_: Atlas, aims: Aims, seen: Outlook, *, by_size: bool) -> Iterator[Candidate]:
    """Routes that repair something, in the order in which they look promising."""
    pulls = aims.pulls(seen)
    found: dict[tuple[int, ...], tuple[float, float, tuple[int, ...], Candidate]] = {}
    needs: dict[tuple[Cell, Cell], Need | None] = {}
    already = {index: float(done.sold_value) for index, done in seen.sold.items()}
    in_use = tuple(move.route for move in seen.moves)
    for routes in (in_use, *(map_.routes.get(place, ()) for place in _places(pulls))):
        fresh = (route for route in routes if seen.available(route.ways[0].edge.sell) > 0)
        for candidate in islice(_needed(fresh, aims, pulls, needs), _PER_LIST):
            key = candidate.route.key
            if key not in found:
                found[key] = (*_estimate(map_, already, candidate, by_size=by_size), key, candidate)
    for known in sorted(found.values(), key=lambda each: each[:3]):
        yield known[3]


def _places(pulls: Sequence[Pull]) -> Iterator[tuple[str, object]]:
    """The lists of routes that may help what is off."""
    names = [pull.goal.asset for pull in pulls if pull.goal.asset and pull.goal.chain is None]
    for pull in pulls:
        asset, chain = pull.goal.asset, pull.goal.chain
        if asset is not None and chain is not None:
            yield from [("from", (asset, chain))] * (pull.surplus > 0)
            yield from [("to", (asset, chain))] * (pull.deficit > 0)
        elif asset is not None and pull.surplus > 0:
            yield from (("pair", (asset, name)) for name in names)
        elif asset is not None and pull.deficit > 0:
            yield from (("pair", (name, asset)) for name in names)
        elif pull.surplus > 0:
            yield ("leaves", chain)
        elif pull.deficit > 0:
            yield ("enters", chain)


def _needed(
    routes: Iterator[Route],
    aims: Aims,
    pulls: Sequence[Pull],
    needs: dict[tuple[Cell, Cell], Need | None],
) -> Iterator[Candidate]:
    """The routes that repair something, with what."""
    for route in routes:
        ends = route.sell, route.buy
        if ends not in needs:
            needs[ends] = aims.need(*ends, pulls)
        need = needs[ends]
        if need is not None:
            yield Candidate(route, need)


def _estimate(
    map_: Atlas, already: Mapping[int, float], candidate: Candidate, *, by_size: bool
) -> tuple[float, float]:
    """What a candidate is ranked by: the less the better."""
    need = candidate.need
    value = min(max(need.surplus, need.deficit), need.most)
    repaired = float(need.repaired(value))
    losses = (
        map_.curves[way.index].loss(float(value), already.get(way.index, 0.0))
        for way in candidate.route.ways
    )
    cost = sum(losses) * float(value)
    return (-repaired, cost) if by_size else (cost / repaired, -repaired)
