"""Which routes to look at next: what seems cheapest for what they would repair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain as joined
from itertools import islice

from agent.planning.atlas import Atlas
from agent.planning.outlook import Outlook
from agent.planning.pull import Aims, Need, Pull
from agent.planning.route import Route

_LOOKED_AT = 96
"""Routes whose cost is estimated before each step, about, the cheapest from each list of the
atlas that have something to sell; from every list come two at least."""

_MOST_PASSED = 400
"""Routes of one list that are passed over because nothing needs them, before it is given up."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route and what it is needed for."""

    route: Route
    need: Need


def candidates(map_: Atlas, aims: Aims, seen: Outlook, *, by_size: bool) -> Iterator[Candidate]:
    """Routes that repair something, in the order in which they look promising."""
    pulls = aims.pulls(seen)
    found: dict[tuple[int, ...], tuple[float, float, tuple[int, ...], Candidate]] = {}
    already = {index: float(done.sold_value) for index, done in seen.sold.items()}
    look = _Look(aims, pulls, seen)
    lists = [map_.routes[place] for place in dict.fromkeys(_places(pulls)) if place in map_.routes]
    each_list = max(2, _LOOKED_AT // max(1, len(lists)))
    in_use = look.needed(move.route for move in seen.moves)
    listed = (islice(look.needed(routes[:_MOST_PASSED]), each_list) for routes in lists)
    for candidate in joined(in_use, *listed):
        key = candidate.route.key
        if key not in found:
            found[key] = (*_estimate(map_, already, candidate, by_size=by_size), key, candidate)
    for known in sorted(found.values(), key=lambda each: each[:3]):
        yield known[3]


@dataclass(slots=True)
class _Look:
    """What is off, and what is left to sell; both looked up once."""

    aims: Aims
    pulls: Sequence[Pull]
    seen: Outlook
    needs: dict[tuple[tuple[int, ...], ...], Need | None] = field(default_factory=dict)
    fresh: dict[int, bool] = field(default_factory=dict)

    def needed(self, routes: Iterable[Route]) -> Iterator[Candidate]:
        """The routes that have something to sell and repair something, with what."""
        members, needs, fresh = self.aims.members, self.needs, self.fresh
        for route in routes:
            first = route.ways[0]
            ends = members(first.sell), members(route.ways[-1].buy)
            if ends not in needs:
                needs[ends] = self.aims.need(first.sell, route.buy, self.pulls)
            need = needs[ends]
            if need is None:
                continue
            if first.index not in fresh:
                fresh[first.index] = self.seen.available(first.edge.sell) > 0
            if fresh[first.index]:
                yield Candidate(route, need)


def _places(pulls: Sequence[Pull]) -> Iterator[tuple[str, object]]:
    """The lists of routes that may help what is off."""
    assets = [pull for pull in pulls if pull.goal.asset and pull.goal.chain is None]
    takes = [pull.goal.asset for pull in assets if pull.take > 0]
    gives = [pull.goal.asset for pull in assets if pull.give > 0]
    for pull in pulls:
        asset, chain = pull.goal.asset, pull.goal.chain
        if asset is not None and chain is not None:
            yield from [("from", (asset, chain))] * (pull.surplus > 0)
            yield from [("to", (asset, chain))] * (pull.deficit > 0)
        elif asset is not None and pull.surplus > 0:
            yield from (("pair", (asset, name)) for name in takes if name != asset)
        elif asset is not None and pull.deficit > 0:
            yield from (("pair", (name, asset)) for name in gives if name != asset)
        elif pull.surplus > 0:
            yield ("leaves", chain)
        elif pull.deficit > 0:
            yield ("enters", chain)


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
