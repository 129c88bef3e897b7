"""Moves carried out on paper: what every way sells and brings, expected and at least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from agent.core.money import Token
from agent.core.rounding import mul_div_down
from agent.planning.board import Board
from agent.planning.fuel import UNWRAP, WRAP, Fuel
from agent.planning.route import Move
from agent.planning.trade import Size, Trade, Turn, exactly, trade
from agent.planning.way import Way

_Hop = tuple[int, int]
"""A move by its place among all, and a way by its place in the move's route."""


class Unsaid(str):
    """A reason that tells nobody anything: moves would go round in a circle, or all is sold."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Trades and turns in an order in which they can be done, and what is left to spend.

    `spare` is base units of tokens that the moves touch: neither sold nor short of it when
    everything brings its minimum.
    """

    steps: tuple[Trade | Turn, ...]
    spare: Mapping[Token, int]


@dataclass(slots=True)
class _Books:
    """The ledger while it is written; `came` is base units that arrived, expected and at least."""

    board: Board
    fuel: Fuel
    moves: Sequence[Move]
    outs: dict[Token, list[Way]] = field(default_factory=dict)
    hops: dict[int, list[_Hop]] = field(default_factory=dict)
    wanted: dict[_Hop, int] = field(default_factory=dict)
    came: dict[Token, tuple[int, int]] = field(default_factory=dict)
    spare: dict[Token, int] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    steps: list[Trade | Turn] = field(default_factory=list)

    def held(self, token: Token) -> int:
        """Base units of *token* that the moves may spend."""
        board, chain = self.board, token.chain
        if token.is_native:
            free = board.native_free.get(chain, 0) - self.fuel.caps.get(chain, 0)
            return max(0, free - self.fuel.spent.get(token, 0))
        return max(0, board.free.get(token, 0) - self.fuel.spent.get(token, 0))

    def gap(self, token: Token) -> int:
        """What the gas reserve takes out of all that arrives of *token*."""
        return self.fuel.gaps.get(token.chain, 0) if token.is_native else 0

    def want(self, way: Way) -> int:
        """What the moves want to sell along *way*, and what rides along."""
        extra = self.fuel.riding(way) if way.index in self.fuel.rides else 0
        return extra + sum(self.wanted.get(hop, 0) for hop in self.hops[way.index])


def ledger(board: Board, moves: Sequence[Move], fuel: Fuel) -> Ledger | str:
    """Carry out *moves* after *fuel*, or say why that must not be done.

    What is wanted and not there is not sold.
    """
    books = _Books(board, fuel, moves)
    for number, move in enumerate(moves):
        books.wanted[number, 0] = move.raw
        for place, way in enumerate(move.route.ways):
            if way.index not in books.hops:
                books.outs.setdefault(way.edge.sell, []).append(way)
            books.hops.setdefault(way.index, []).append((number, place))
    books.trades += fuel.trades
    order = _order(books)
    if order is None:
        return Unsaid("these trades would go round in a circle")
    for node in order:
        why = _node(books, node)
        if why:
            return why
    # What brings gas goes first: on a chain without any nothing else can be done before.
    steps = sorted(books.steps, key=lambda step: not _brings_gas(fuel, step))
    return Ledger((*fuel.first, *steps, *fuel.last), MappingProxyType(books.spare))


def _brings_gas(fuel: Fuel, step: Trade | Turn) -> bool:
    return isinstance(step, Trade) and step.way.index in fuel.rides


def _order(books: _Books) -> list[Token] | None:
    """Nodes that are sold or bought, each after those that bring it something."""
    node = books.board.node
    before: dict[Token, set[Token]] = {}
    for ways in books.outs.values():
        for way in ways:
            before.setdefault(node(way.edge.buy), set()).add(node(way.edge.sell))
            before.setdefault(node(way.edge.sell), set())
    order: list[Token] = []
    while before:
        ready = sorted((token for token, needs in before.items() if not needs), key=_key)
        if not ready:
            return None
        order += ready
        for token in ready:
            del before[token]
        for needs in before.values():
            needs.difference_update(ready)
    return order


def _key(token: Token) -> tuple[int, str]:
    return token.key


def _node(books: _Books, node: Token) -> str:
    """Sell what the moves want of one node; why that must not be done, or nothing."""
    board = books.board
    wrapped = board.problem.wrapped.get(node.chain)
    selling = books.outs.get(node, [])
    if node != wrapped or node.chain not in board.wraps:
        return _sell(books, node, selling, []) if selling else ""
    coin = board.native(node.chain)
    native = books.outs.get(coin, [])
    came = books.came.get(node, (0, 0))
    if node in board.transit and came[0]:
        if selling:
            return f"{node.symbol} is in no asset: what arrives of it cannot be passed on"
        books.steps.append(_unwrap_all(books, node, coin, came))
        arrived = books.came.get(coin, (0, 0))
        books.came[coin] = (arrived[0] + came[0], arrived[1] + came[1])
    if not (selling or native):
        return ""
    short = sum(books.want(way) for way in selling) - books.held(node) - came[0]
    why = _sell(books, coin, native, [short] if short > 0 else [])
    return why or _sell(books, node, selling, [])


def _unwrap_all(books: _Books, wrapped: Token, coin: Token, came: tuple[int, int]) -> Turn:
    board, chain = books.board, wrapped.chain
    return Turn(
        token=wrapped,
        buy=coin,
        size=Size(planned=came[0], sure=came[1], held=0, kind="floats"),
        gas_cost=board.gas_value(chain, *UNWRAP),
        gas_cap=board.gas_cap(chain, *UNWRAP),
    )


def _sell(books: _Books, token: Token, ways: list[Way], wraps: list[int]) -> str:
    """Sell one token along *ways*, and of a gas coin wrap what its wrapped form is short of."""
    board = books.board
    wants = [*wraps, *(books.want(way) for way in ways)]
    expected, least = books.came.get(token, (0, 0))
    gap = books.gap(token)
    if gap:
        # What may float would float with the part that belongs to the reserve.
        expected = least = max(0, least - gap)
    sizes, books.spare[token] = shared(wants, books.held(token), expected, least, floats=not gap)
    for size in sizes[: len(wraps)]:
        if size.sure > 0:
            buy = board.node(token)
            books.steps.append(
                Turn(
                    token=token,
                    buy=buy,
                    size=size,
                    gas_cost=board.gas_value(token.chain, *WRAP),
                    gas_cap=board.gas_cap(token.chain, *WRAP),
                )
            )
            came = books.came.get(buy, (0, 0))
            books.came[buy] = (came[0] + size.planned, came[1] + size.sure)
    for way, want, size in zip(ways, wants[len(wraps) :], sizes[len(wraps) :], strict=True):
        why = _trade(books, way, want, size)
        if why:
            return why
    return ""


def _trade(books: _Books, way: Way, want: int, size: Size) -> str:
    """Carry out one way, and hand on what it brings to the next ways of its moves."""
    if not size.sure > 0:
        return f"{way.name} would have nothing to sell"
    done = trade(books.board, way, size, books.trades)
    if isinstance(done, str):
        return done
    riding = books.fuel.rides.get(way.index, 0)
    if riding and not (size.kind == "held" and riding <= done.least):
        return Unsaid(f"{way.name} cannot take gas along")
    books.trades.append(done)
    books.steps.append(done)
    came = books.came.get(way.edge.buy, (0, 0))
    books.came[way.edge.buy] = (came[0] + done.expected, came[1] + done.sure_out)
    for number, place in books.hops[way.index]:
        if place + 1 < len(books.moves[number].route.ways):
            part = mul_div_down(done.expected, books.wanted[number, place], want)
            books.wanted[number, place + 1] = part
    return ""


def shared(
    wants: Sequence[int], held: int, expected: int, least: int, *, floats: bool = True
) -> tuple[list[Size], int]:
    """How much of one token each of several gets that want it, and what is left over for sure.

    Who can be paid out of what is *held* is, in order, and waits for nothing. If one is left it
    takes the rest of that and follows what arrives, *expected* or at *least*. Several share what
    arrives at least: none of them can take what another counts on.

    >>> [each.planned for each in shared([5, 9], 6, 10, 8)[0]]
    [5, 9]
    >>> [each.planned for each in shared([9, 9], 6, 10, 8)[0]]
    [7, 7]
    """
    sizes = {}
    for place, want in enumerate(wants):
        if want <= held:
            sizes[place] = exactly(want)
            held -= want
    waiting = [place for place in range(len(wants)) if place not in sizes]
    total, budget = sum(wants[place] for place in waiting), held + least
    left = max(0, budget - total)
    if not expected and len(waiting) == 1:
        sizes[waiting[0]] = exactly(min(total, held))
    elif floats and len(waiting) == 1:
        planned, sure = min(total, held + expected), min(total, budget)
        sizes[waiting[0]] = Size(planned=planned, sure=sure, held=held, kind="floats")
    else:
        for place in waiting:
            part = mul_div_down(wants[place], min(budget, total), total)
            sizes[place] = Size(planned=part, sure=part, held=0, kind="shares")
    return [sizes[place] for place in range(len(wants))], left
