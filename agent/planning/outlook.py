"""What a set of moves would do: costs, and where every part would end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from agent.core.frozen import empty
from agent.core.money import ChainId, Token
from agent.core.tracking import charge, rates
from agent.core.wording import money
from agent.planning.board import Board
from agent.planning.fuel import UNWRAP, WRAP, Fuel, refuelled
from agent.planning.goals import Cell
from agent.planning.ledger import ledger
from agent.planning.route import Move
from agent.planning.trade import Trade, Turn
from agent.planning.way import Way


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Where a set of moves leads.

    `steps` can be done in this order; `spare` is base units of the tokens they touch that are
    not needed by them.
    """

    board: Board
    moves: tuple[Move, ...]
    fuel: Fuel
    steps: tuple[Trade | Turn, ...]
    spare: Mapping[Token, int]

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """Swaps and transfers."""
        return tuple(step for step in self.steps if isinstance(step, Trade))

    @cached_property
    def sold(self) -> Mapping[int, Trade]:
        """The trades of the moves by the index of their way."""
        return {done.way.index: done for done in self.trades if done.gas_for is None}

    @cached_property
    def expected(self) -> Mapping[Cell, Decimal]:
        """Values by cell when every trade brings what is expected."""
        return self._after(at_least=False)

    @cached_property
    def least(self) -> Mapping[Cell, Decimal]:
        """Values by cell when every trade brings only its minimum."""
        return self._after(at_least=True)

    def _after(self, *, at_least: bool) -> Mapping[Cell, Decimal]:
        """Values by cell after the trades; gas comes out of the gas coin, where that counts."""
        cells = dict(self.board.start)
        for done in self.trades:
            sell, buy = done.way.sell, done.way.buy
            went = done.sure_sold_value if at_least else done.sold_value
            came = done.sure_value if at_least else done.expected_value
            cells[sell] = cells.get(sell, Decimal(0)) - went
            cells[buy] = cells.get(buy, Decimal(0)) + came
        for chain, cost in self.gas_costs.items():
            asset = self.board.asset_of.get(self.board.native(chain))
            if asset is not None:
                cells[asset, chain] = cells.get((asset, chain), Decimal(0)) - cost
        return MappingProxyType(cells)

    @cached_property
    def gas_costs(self) -> Mapping[ChainId, Decimal]:
        """The value of all gas by chain."""
        costs: dict[ChainId, Decimal] = {}
        for step in self.steps:
            chain, cost = (
                (step.way.sell[1], step.way.gas_cost)
                if isinstance(step, Trade)
                else (step.token.chain, step.gas_cost)
            )
            costs[chain] = costs.get(chain, Decimal(0)) + cost
        return costs

    @cached_property
    def gas(self) -> Decimal:
        """Value of all gas."""
        return sum(self.gas_costs.values(), Decimal(0))

    @cached_property
    def cost(self) -> Decimal:
        """Expected value lost, gas included."""
        lost = (trade.sold_value - trade.expected_value for trade in self.trades)
        return sum(lost, self.gas)

    @cached_property
    def charge(self) -> Decimal:
        """What distances from the targets are charged, where they are."""
        charged = charged_assets(self.board)
        if not charged:
            return Decimal(0)
        after = dict.fromkeys(self.board.problem.policy.targets, Decimal(0))
        for (asset, _), value in self.expected.items():
            after[asset] += value
        whole = sum(self.board.start.values(), Decimal(0))
        return charge(charged, self.board.problem.policy.targets, after=after, whole=whole)

    @cached_property
    def total(self) -> Decimal:
        """What plans are compared by: cost, and what distances are charged."""
        return self.cost + self.charge

    @property
    def worst_case(self) -> Decimal:
        """Value lost when every trade brings only its minimum, gas included."""
        lost = (trade.sure_sold_value - trade.sure_value for trade in self.trades)
        return sum(lost, self.gas)

    @cached_property
    def turnover(self) -> Decimal:
        """Value sold, on each way anew."""
        return sum((trade.sold_value for trade in self.trades), Decimal(0))

    @cached_property
    def bridged(self) -> Decimal:
        """Value that leaves its chain."""
        return sum((t.sold_value for t in self.trades if t.way.is_bridge), Decimal(0))

    def left(self, token: Token) -> int:
        """Base units of *token* that could be sold beside all that is planned."""
        known = self.spare.get(token)
        if known is not None:
            return known
        free = self.board.free.get(token, 0)
        if token.is_native:
            free = self.board.native_free.get(token.chain, 0) - self.fuel.caps.get(token.chain, 0)
        return max(0, free - self.fuel.spent.get(token, 0))

    def available(self, token: Token) -> int:
        """Base units of *token* that could be sold, with what can be wrapped to them."""
        coin = self.board.native(token.chain)
        wraps = token.chain in self.board.wraps and token == self.board.node(coin)
        return self.left(token) + (self.left(coin) if wraps else 0)


def charged_assets(board: Board) -> Mapping[str, Decimal]:
    """Rates of the assets whose distance from their targets is charged."""
    key = ("rates",)
    if key not in board.memo:
        board.memo[key] = rates(board.problem.policy)
    found: Mapping[str, Decimal] = board.memo[key]
    return found


def in_flight_room(board: Board) -> Decimal:
    """Value that may still be sent to other chains: what is on its way counts."""
    flying = (position.value for position in board.problem.valuation.in_flight)
    on_its_way = sum((value for value in flying if value is not None), Decimal(0))
    return board.problem.policy.limits.max_in_flight - on_its_way


def untouched(board: Board) -> Outlook:
    """Where no move at all leads."""
    none = Fuel(
        first=(),
        last=(),
        spent=empty(),
        caps=empty(),
        gaps=empty(),
        rides=empty(),
        awaited=frozenset(),
    )
    return Outlook(board=board, moves=(), fuel=none, steps=(), spare=empty())


def outlook(board: Board, moves: Sequence[Move]) -> Outlook | str:
    """What *moves* would do, or why they must not be done."""
    caps, riders = _caps(board, moves), _riders(board, moves)
    seen = _outlook(board, moves, caps, riders)
    return _outlook(board, moves, caps, {}) if riders and isinstance(seen, str) else seen


def _outlook(
    board: Board,
    moves: Sequence[Move],
    caps: Mapping[ChainId, int],
    riders: Mapping[ChainId, Way],
) -> Outlook | str:
    fuel = refuelled(board, caps, riders)
    if isinstance(fuel, str):
        return fuel
    done = ledger(board, moves, fuel)
    if isinstance(done, str):
        return done
    seen = Outlook(board=board, moves=tuple(moves), fuel=fuel, steps=done.steps, spare=done.spare)
    return _forbidden(seen) or seen


def _riders(board: Board, moves: Sequence[Move]) -> dict[ChainId, Way]:
    """Transfers that bring a gas coin, and sell nothing that another way of the moves brings."""
    later = {way.index for move in moves for way in move.route.ways[1:]}
    first = sorted((move.route.ways[0] for move in moves), key=lambda way: -way.index)
    return {
        way.buy[1]: way
        for way in first
        if way.edge.buy == board.native(way.buy[1]) and way.index not in later
    }


def _caps(board: Board, moves: Sequence[Move]) -> dict[ChainId, int]:
    """Wei that fees may take by chain, with room for wraps where such may be needed."""
    ways: dict[int, Way] = {way.index: way for move in moves for way in move.route.ways}
    turns: set[tuple[ChainId, tuple[int, int]]] = set()
    caps: dict[ChainId, int] = {}
    for way in ways.values():
        chain, wrapped = way.sell[1], board.problem.wrapped.get(way.sell[1])
        caps[chain] = caps.get(chain, 0) + way.gas_cap
        if chain in board.wraps and way.edge.sell == wrapped:
            turns.add((chain, WRAP))
        if way.edge.buy in board.transit:
            turns.add((way.buy[1], UNWRAP))
    for chain, turn in turns:
        caps[chain] = caps.get(chain, 0) + board.gas_cap(chain, *turn)
    return caps


def _forbidden(seen: Outlook) -> str:
    """Which limit the trades cross, if any."""
    limits = seen.board.problem.policy.limits
    if not seen.turnover <= limits.max_run_value:
        return f"max_run_value of {money(limits.max_run_value)} is used up"
    if seen.bridged and not seen.bridged <= in_flight_room(seen.board):
        return f"max_in_flight of {money(limits.max_in_flight)} is used up"
    for done in seen.trades:
        if done.gas_for is None and not done.sold_value >= limits.min_trade:
            could = f"{done.way.name} would move {money(done.sold_value)}"
            return f"{could}, less than the least of {money(limits.min_trade)}"
    return ""
