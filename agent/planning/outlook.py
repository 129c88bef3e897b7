"""What a set of trades would do: minima, costs, wraps, and where every part would end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from agent.core.fees import MAX_BASE_FEE_GROWTH
from agent.core.frozen import empty
from agent.core.money import WHOLE_BPS, Amount, ChainId, raw_up
from agent.core.rounding import mul_div_up
from agent.core.wording import chain_name, percent, percent_of_bps, whole
from agent.planning.board import Board, Way
from agent.planning.goals import Cell
from agent.planning.ladder import bought

WRAP_GAS = 46_000
"""Gas of WETH9 `deposit` into an empty balance: 21 000 for the transaction, 22 100 for the new
storage slot (EIP-2929), about 1 900 for the event and the rest."""

UNWRAP_GAS = 46_000
"""Gas of WETH9 `withdraw`, rounded up to that of `deposit`: it changes a slot and sends coins."""


NO_GAS = "G403"
"""Error code of a chain whose gas coin does not pay for anything that should be done there."""


class Starved(str):
    """Why the gas coin does not suffice: nothing but a deposit of it helps."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """Base units to sell along one way."""

    way: Way
    raw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A flow with what it brings: base units expected and at least, values, gas included not."""

    way: Way
    raw: int
    expected: int
    least: int
    sold_value: Decimal
    expected_value: Decimal
    least_value: Decimal
    gas_cost: Decimal

    @property
    def cost(self) -> Decimal:
        """Value lost and gas."""
        return self.sold_value - self.expected_value + self.gas_cost


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Where a set of trades leads.

    `wraps` and `unwraps` are base units of the gas coin by chain; `gas_costs` the value of all
    gas by chain.
    """

    board: Board
    trades: tuple[Trade, ...]
    wraps: Mapping[ChainId, int]
    unwraps: Mapping[ChainId, int]
    gas_costs: Mapping[ChainId, Decimal]

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
            came = done.least_value if at_least else done.expected_value
            cells[sell] = cells.get(sell, Decimal(0)) - done.sold_value
            cells[buy] = cells.get(buy, Decimal(0)) + came
        for chain, cost in self.gas_costs.items():
            asset = self.board.asset_of.get(self.board.native(chain))
            if asset is not None:
                cells[asset, chain] = cells.get((asset, chain), Decimal(0)) - cost
        return MappingProxyType(cells)

    @property
    def gas(self) -> Decimal:
        """Value of all gas."""
        return sum(self.gas_costs.values(), Decimal(0))

    @property
    def cost(self) -> Decimal:
        """Expected value lost, gas included."""
        lost = (trade.sold_value - trade.expected_value for trade in self.trades)
        return sum(lost, self.gas)

    @property
    def worst_case(self) -> Decimal:
        """Value lost when every trade brings only its minimum, gas included."""
        lost = (trade.sold_value - trade.least_value for trade in self.trades)
        return sum(lost, self.gas)

    @property
    def turnover(self) -> Decimal:
        """Value sold."""
        return sum((trade.sold_value for trade in self.trades), Decimal(0))


def trade(board: Board, flow: Flow, earlier: Sequence[Trade] = ()) -> Trade | str:
    """Price *flow* after *earlier* trades, or say why it must not be done.

    What earlier trades pushed through a pool of the same edge counts as if it had gone along
    this edge: the first part of the ladder is used up.
    """
    way, edge = flow.way, flow.way.edge
    used = _used(way, earlier)
    start, end = bought(edge, used), bought(edge, used + flow.raw)
    if start is None or end is None:
        return f"{way.name} is not offered for as much as {whole(Amount(edge.sell, flow.raw))}"
    limits = board.problem.policy.limits
    expected, fair = end - start, way.fair_out(flow.raw)
    by_price = mul_div_up(fair, WHOLE_BPS - limits.max_price_impact_bps, WHOLE_BPS)
    if not (0 < by_price <= expected):
        off = percent(1 - Decimal(expected) / fair) if fair else "far"
        limit = percent_of_bps(limits.max_price_impact_bps)
        return f"{way.name} pays {off} less than independent prices (limit {limit})"
    by_quote = mul_div_up(expected, WHOLE_BPS - limits.max_slippage_bps, WHOLE_BPS)
    least = max(by_price, by_quote)
    return Trade(
        way=way,
        raw=flow.raw,
        expected=expected,
        least=least,
        sold_value=way.sold_value(flow.raw),
        expected_value=way.bought_value(expected),
        least_value=way.bought_value(least),
        gas_cost=board.gas_value(edge.sell.chain, edge.gas),
    )


def untouched(board: Board) -> Outlook:
    """Where no trade at all leads."""
    none: Mapping[ChainId, int] = empty()
    return Outlook(board=board, trades=(), wraps=none, unwraps=none, gas_costs={})


def _used(way: Way, earlier: Sequence[Trade]) -> int:
    """Base units of the edge's ladder that earlier trades through its pools have used up."""
    pools = way.edge.pools
    value = sum((t.sold_value for t in earlier if t.way.edge.pools & pools), Decimal(0))
    return raw_up(value / way.sell_price, way.edge.sell) if value else 0


def outlook(board: Board, flows: Sequence[Flow]) -> Outlook | str:
    """What *flows*, done in this order, would do, or why they must not be done."""
    trades: list[Trade] = []
    for flow in flows:
        priced = trade(board, flow, trades)
        if isinstance(priced, str):
            return priced
        trades.append(priced)
    wraps, unwraps = _wraps(board, trades)
    gas: dict[ChainId, int] = {}
    for chain in sorted({done.way.edge.sell.chain for done in trades}):
        own = sum(done.way.edge.gas for done in trades if done.way.edge.sell.chain == chain)
        gas[chain] = own + WRAP_GAS * (chain in wraps) + UNWRAP_GAS * (chain in unwraps)
        missing = _starved(board, chain, gas[chain], wraps.get(chain, 0))
        if missing:
            return missing
    gas_costs = {chain: board.gas_value(chain, units) for chain, units in gas.items()}
    return Outlook(
        board=board,
        trades=tuple(trades),
        wraps=MappingProxyType(wraps),
        unwraps=MappingProxyType(unwraps),
        gas_costs=MappingProxyType(gas_costs),
    )


def _wraps(board: Board, trades: Sequence[Trade]) -> tuple[dict[ChainId, int], dict[ChainId, int]]:
    """Base units to wrap for what is sold beyond the wrapped balance, and to unwrap.

    Unwrapped is what passes through, and what a chain's gas reserve lacks while there is
    something to do on that chain.
    """
    wraps, unwraps = {}, {}
    for chain in sorted({done.way.edge.sell.chain for done in trades}):
        wrapped = board.problem.wrapped.get(chain)
        if wrapped is None:
            continue
        sold = sum(done.raw for done in trades if done.way.edge.sell == wrapped)
        have = board.free.get(wrapped, 0)
        if sold > have:
            wraps[chain] = sold - have
        passing = sum(done.expected for done in trades if done.way.edge.buy == wrapped)
        refill = min(max(0, have - sold), board.reserve_gap(chain))
        unwrap = passing if wrapped in board.transit else refill * (chain in board.native_free)
        if unwrap > 0:
            unwraps[chain] = unwrap
    return wraps, unwraps


def _starved(board: Board, chain: ChainId, gas: int, wrap: int) -> str:
    """Why the gas coin does not suffice; empty when it does.

    A node asks for the fee cap to be covered, which is above the expected fee. The reserve
    pays fees, but it is never wrapped.
    """
    fees = MAX_BASE_FEE_GROWTH * board.problem.fees[chain].expected(gas, 0)
    held = board.native_held.get(chain, 0)
    coin = board.native(chain)
    where = chain_name(chain)
    if not fees <= held:
        have, need = (whole(Amount(coin, raw)) for raw in (held, fees))
        return Starved(f"{where} has {have} for gas, up to {need} are needed")
    if wrap and not wrap <= board.native_free.get(chain, 0) - fees:
        return (
            f"{whole(Amount(coin, wrap))} would have to be wrapped on {where}, "
            "which would touch the gas reserve"
        )
    return ""
