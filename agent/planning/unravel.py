"""A flow taken apart into moves: routes, each with what its first way sells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from agent.core.money import Token, raw_down
from agent.planning.board import Board
from agent.planning.route import Move, Route
from agent.planning.way import Way

_DUST = 1e-9
"""The part of what a way sells below which a thread of it is dropped: rounding of floats."""


@dataclass(slots=True)
class _Thread:
    """A part of the flow that has come over these ways: the values it began with, and has now."""

    ways: tuple[Way, ...]
    first: float
    now: float


@dataclass(slots=True)
class _Tangle:
    """What is sold on each way and the part that it brings, by node of the order of trades."""

    board: Board
    outs: dict[Token, list[tuple[Way, float, float]]] = field(default_factory=dict)
    before: dict[Token, set[Token]] = field(default_factory=dict)


def unravelled(
    board: Board, sold: Mapping[Way, float], brought: Mapping[Way, float]
) -> tuple[Move, ...]:
    """Moves that sell these values on these ways, and bring those.

    What arrives goes on before anything that is held is sold; what goes in a circle is left
    out. The moves come in the order of their ways.
    """
    used = _without_circles(board, sold)
    tangle = _Tangle(board)
    for way, value in used.items():
        tail, head = board.node(way.edge.sell), board.node(way.edge.buy)
        rate = brought[way] / sold[way]
        tangle.outs.setdefault(tail, []).append((way, value, rate))
        tangle.before.setdefault(head, set()).add(tail)
        tangle.before.setdefault(tail, set())
    done: list[_Thread] = []
    waiting: dict[Token, list[_Thread]] = {}
    for node in _order(tangle.before):
        arrived = waiting.pop(node, [])
        for way, value, rate in tangle.outs.get(node, ()):
            for thread in _spun(arrived, way, value, rate):
                waiting.setdefault(board.node(way.edge.buy), []).append(thread)
        done += arrived
    return tuple(_moves([thread for thread in done if thread.ways]))


def _spun(arrived: list[_Thread], way: Way, value: float, rate: float) -> list[_Thread]:
    """Threads that go on along *way*: those that *arrived*, and the rest from what is held."""
    found: list[_Thread] = []
    need = value
    while arrived and need > value * _DUST:
        thread = arrived[0]
        # A gas coin that was bridged is wrapped before it is sold, which is no way of its own.
        part = min(1.0, need / thread.now)
        taken = thread.now * part
        found.append(_Thread((*thread.ways, way), thread.first * part, taken * rate))
        need -= taken
        if part < 1.0:
            thread.first *= 1.0 - part
            thread.now -= taken
        else:
            arrived.pop(0)
    if need > value * _DUST:
        found.append(_Thread((way,), need, need * rate))
    return found


def _moves(threads: Iterable[_Thread]) -> list[Move]:
    """One move for each route, in whole base units."""
    first: dict[tuple[int, ...], tuple[Route, float]] = {}
    for thread in threads:
        route = Route(thread.ways)
        first[route.key] = (route, thread.first + first.get(route.key, (route, 0.0))[1])
    moves = []
    for _, (route, value) in sorted(first.items()):
        way = route.ways[0]
        raw = raw_down(Decimal(value) / way.sell_price, way.edge.sell)
        if raw > 0:
            moves.append(Move(route, raw))
    return moves


def _order(before: Mapping[Token, set[Token]]) -> list[Token]:
    """Nodes, each after those that bring it something; there are no circles."""
    left = {node: set(needs) for node, needs in before.items()}
    order: list[Token] = []
    while left:
        ready = sorted((node for node, needs in left.items() if not needs), key=lambda t: t.key)
        order += ready
        for node in ready:
            del left[node]
        for needs in left.values():
            needs.difference_update(ready)
    return order


def _without_circles(board: Board, sold: Mapping[Way, float]) -> dict[Way, float]:
    """What is sold without what only goes round."""
    left = dict(sorted(sold.items(), key=lambda item: item[0].index))
    while circle := _circle(board, list(left)):
        least = min(left[way] for way in circle)
        for way in circle:
            left[way] -= least
            if not left[way] > sold[way] * _DUST:
                del left[way]
    return left


def _circle(board: Board, ways: Sequence[Way]) -> list[Way]:
    """Ways that lead back to where they begin, if there are any."""
    left = list(ways)
    while True:
        tails = {board.node(way.edge.sell): way for way in reversed(left)}
        goes_on = [way for way in left if board.node(way.edge.buy) in tails]
        if len(goes_on) == len(left):
            break
        left = goes_on
    path: list[Way] = left[:1]
    while path:
        way = tails[board.node(path[-1].edge.buy)]
        if way in path:
            return path[path.index(way) :]
        path.append(way)
    return []
