"""All routes that are worth a look, found once: the few cheapest between any two cells."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.core.money import ChainId, Token
from agent.planning.board import Board
from agent.planning.curve import Curve, curve
from agent.planning.goals import Cell
from agent.planning.outlook import untouched
from agent.planning.route import Route
from agent.planning.way import Way

INTERMEDIATES = 6
"""Tokens that are looked at as what is bridged, for each token sold and chain reached."""

PER_PAIR = 3
"""Routes that are kept for each token sold, cell reached and size: an edge may turn out to be used
up."""

PER_ASSET = 8
"""The same for each asset reached, where it does not matter on which chain."""

_SMALL = 20
"""The second size at which routes are compared is so many times smaller than the first: fixed
costs rule there, price impact rules at the first."""

_Scored = tuple[float, tuple[int, ...], tuple[Way, ...]]
"""The part that is lost, the indices of the ways (no two routes have the same), and the ways."""
_Place = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Atlas:
    """Routes by where they lead, each list with the cheapest first, and the curves of all ways
    by their index.

    Their keys are ("pair", (asset sold, asset bought)), ("leaves", chain), ("enters", chain),
    ("from", cell) and ("to", cell).
    """

    curves: Mapping[int, Curve]
    routes: Mapping[_Place, tuple[Route, ...]]


def atlas(board: Board, value: float) -> Atlas:
    """Look up the routes that are cheapest for about *value* and for much less."""
    curves = {way.index: curve(way) for way in board.ways}
    best: dict[tuple[int, ...], _Scored] = {}
    links = _links(board)
    for size in (value, value / _SMALL):
        losses = {index: each.loss(size) for index, each in curves.items()}
        for scored in _cheapest(board, links, losses):
            best[scored[1]] = min(scored, best.get(scored[1], scored))
    routes: dict[_Place, list[Route]] = defaultdict(list)
    for _, _, ways in sorted(best.values()):
        route = Route(ways)
        for place in _places(route.sell, route.buy):
            routes[place].append(route)
    return Atlas(curves, {place: tuple(found) for place, found in routes.items()})


def _places(sell: Cell, buy: Cell) -> Iterator[_Place]:
    yield ("pair", (sell[0], buy[0]))
    yield ("from", sell)
    yield ("to", buy)
    if sell[1] != buy[1]:
        yield ("leaves", sell[1])
        yield ("enters", buy[1])


@dataclass(frozen=True, slots=True)
class _Links:
    """Ways by the token that they sell, which of them bridge, and tokens that are held."""

    swaps: Mapping[Token, Sequence[Way]]
    bridges: Mapping[Token, Sequence[Way]]
    sources: Sequence[Token]


def _links(board: Board) -> _Links:
    swaps: dict[Token, list[Way]] = defaultdict(list)
    bridges: dict[Token, list[Way]] = defaultdict(list)
    for way in board.ways:
        (bridges if way.is_bridge else swaps)[way.edge.sell].append(way)
    seen = untouched(board)
    tokens = dict.fromkeys(way.edge.sell for way in board.ways)
    return _Links(swaps, bridges, [token for token in tokens if seen.available(token) > 0])


def _cheapest(board: Board, links: _Links, losses: Mapping[int, float]) -> Iterator[_Scored]:
    """The few cheapest routes between any two cells."""
    policy = board.problem.policy
    anywhere = not (policy.by_chain or policy.by_asset_on_chain)
    most = PER_ASSET if anywhere else PER_PAIR
    for token in links.sources:
        best: dict[object, list[_Scored]] = defaultdict(list)
        for scored in _from(board, links, losses, token):
            cell = scored[2][-1].buy
            found = best[cell[0] if anywhere else cell]
            if len(found) < most or scored < found[-1]:
                insort(found, scored)
                del found[most:]
        for found in best.values():
            yield from found


def _from(
    board: Board, links: _Links, losses: Mapping[int, float], token: Token
) -> Iterator[_Scored]:
    """Routes that begin with *token*: swaps, bridges, and what follows after a bridge."""
    abroad: dict[ChainId, list[_Scored]] = defaultdict(list)
    for way in links.swaps.get(token, ()):
        loss = losses[way.index]
        yield loss, (way.index,), (way,)
        if way.buy[0] in board.problem.falling or way.edge.buy in board.transit:
            continue
        for bridge in links.bridges.get(way.edge.buy, ()):
            both = loss + losses[bridge.index]
            found: _Scored = (both, (way.index, bridge.index), (way, bridge))
            yield found
            abroad[bridge.buy[1]].append(found)
    for bridge in links.bridges.get(token, ()):
        arrived: _Scored = (losses[bridge.index], (bridge.index,), (bridge,))
        yield arrived
        yield from _onward(board, links, losses, arrived)
    for reached in abroad.values():
        for known in sorted(reached)[:INTERMEDIATES]:
            yield from _onward(board, links, losses, known)


def _onward(
    board: Board, links: _Links, losses: Mapping[int, float], arrived: _Scored
) -> Iterator[_Scored]:
    """What can be swapped where a bridge leads to."""
    loss, key, ways = arrived
    token = ways[-1].edge.buy
    for form in dict.fromkeys((token, board.node(token))):
        for way in links.swaps.get(form, ()):
            yield loss + losses[way.index], (*key, way.index), (*ways, way)
