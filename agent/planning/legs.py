"""Legs of a plan from its trades: wraps first, swaps, then unwraps."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent.core.money import Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.planning.board import Board
from agent.planning.outlook import UNWRAP_GAS, WRAP_GAS, Outlook, Trade

WRAP_VIA = "wrap"
"""The venue of wraps and unwraps."""


@dataclass(slots=True)
class _Numbered:
    """Ids for legs in the order in which they are made."""

    last: int = 0

    def next(self) -> str:
        self.last += 1
        return str(self.last)


def legs(board: Board, seen: Outlook) -> tuple[Leg, ...]:
    """Legs with ids "1", "2", … so that each one comes after those that it waits for.

    A swap spends what is wrapped already first; only what is short waits for the wrap.
    """
    ids = _Numbered()
    wraps = {chain: _wrap(board, seen, chain, raw, ids.next()) for chain, raw in seen.wraps.items()}
    made: list[Leg] = list(wraps.values())
    left = dict(board.free)
    for trade in seen.trades:
        wrap = wraps.get(trade.way.edge.sell.chain)
        have = left.get(trade.way.edge.sell, 0)
        made.append(_swap(trade, have, wrap, ids.next()))
        left[trade.way.edge.sell] = max(0, have - trade.raw)
    for chain, raw in seen.unwraps.items():
        wrapped = board.problem.wrapped[chain]
        swaps = [leg for leg in made if leg.kind == "swap" and leg.buy == wrapped]
        passing = swaps if wrapped in board.transit else []
        made.append(_unwrap(board, seen, Amount(wrapped, raw), passing, ids.next()))
    return tuple(made)


def _wrap(board: Board, seen: Outlook, chain: ChainId, raw: int, leg_id: str) -> Leg:
    gas_cost = board.gas_value(chain, WRAP_GAS)
    return Leg(
        id=leg_id,
        kind="wrap",
        via=WRAP_VIA,
        sell=Sell(board.native(chain), raw),
        buy=board.problem.wrapped[chain],
        expected_out=raw,
        min_buy=raw,
        gas_cost=gas_cost,
        cost=gas_cost,
        seconds=_quickest(seen, chain),
    )


def _swap(trade: Trade, have: int, wrap: Leg | None, leg_id: str) -> Leg:
    edge = trade.way.edge
    sell = Sell(edge.sell, trade.raw)
    if wrap is not None and wrap.buy == edge.sell and have < trade.raw:
        sell = Sell(edge.sell, have, (wrap.id,), trade.raw)
    return Leg(
        id=leg_id,
        kind="swap",
        via=edge.via,
        sell=sell,
        buy=edge.buy,
        expected_out=trade.expected,
        min_buy=trade.least,
        after=sell.arrivals,
        gas_cost=trade.gas_cost,
        cost=_cents(trade.cost),
        seconds=edge.seconds,
        detail=edge.detail,
    )


def _unwrap(board: Board, seen: Outlook, amount: Amount, passing: list[Leg], leg_id: str) -> Leg:
    """An unwrap of what the *passing* legs deliver, or of what is held when there are none."""
    chain = amount.token.chain
    gas_cost = board.gas_value(chain, UNWRAP_GAS)
    sell, least = Sell(amount.token, amount.raw), amount.raw
    if passing:
        sell = Sell(amount.token, 0, tuple(leg.id for leg in passing), amount.raw)
        least = sum(leg.min_buy for leg in passing)
    return Leg(
        id=leg_id,
        kind="unwrap",
        via=WRAP_VIA,
        sell=sell,
        buy=board.native(chain),
        expected_out=amount.raw,
        min_buy=least,
        after=sell.arrivals,
        gas_cost=gas_cost,
        cost=gas_cost,
        seconds=_quickest(seen, chain),
    )


def _quickest(seen: Outlook, chain: ChainId) -> int:
    """The usual duration of a plain transaction: that of the quickest swap."""
    return min(t.way.edge.seconds for t in seen.trades if t.way.edge.sell.chain == chain)


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"))


def spendable(board: Board) -> dict[Token, int]:
    """Base units of each token that a plan may spend, gas reserve not yet taken off."""
    held = dict(board.free)
    for chain, free in board.native_free.items():
        reserve = board.problem.policy.gas_reserve.get(chain, 0)
        held[board.native(chain)] = free + reserve
    return held
