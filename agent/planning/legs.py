"""Legs of a plan from its trades and wraps, in the order in which they can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.core.money import ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.wording import chain_name
from agent.planning.board import Board
from agent.planning.outlook import Outlook
from agent.planning.trade import Size, Trade, Turn

WRAP_VIA = "wrap"
"""The venue of wraps and unwraps."""

_MICRO = Decimal("0.000001")


@dataclass(slots=True)
class _Making:
    """Legs that are made so far, which of them bring each token, and which bring gas."""

    seen: Outlook
    legs: list[Leg] = field(default_factory=list)
    brings: dict[Token, tuple[str, ...]] = field(default_factory=dict)
    gas: dict[ChainId, tuple[str, ...]] = field(default_factory=dict)


def legs(seen: Outlook) -> tuple[Leg, ...]:
    """Legs with ids "1", "2", … so that each one comes after those that it waits for.

    What is held already is spent first; only what is short waits for what brings it. What one
    leg alone waits for it follows, more or less; where several share it they are sized by what
    comes at least.
    """
    making = _Making(seen)
    for step in seen.steps:
        leg = _trade(making, step) if isinstance(step, Trade) else _turn(making, step)
        making.legs.append(leg)
        _brought(making, step, leg)
    return tuple(making.legs)


def caps(seen: Outlook) -> Mapping[str, int]:
    """Wei that the fees of each leg may take, by leg."""
    return {
        str(number): step.way.gas_cap if isinstance(step, Trade) else step.gas_cap
        for number, step in enumerate(seen.steps, 1)
    }


def _brought(making: _Making, step: Trade | Turn, leg: Leg) -> None:
    """Remember what a leg brings; what it brings for gas is for that alone."""
    chain = _gas_for(making, step)
    if step.gas_for is None:
        making.brings[leg.buy] = (*making.brings.get(leg.buy, ()), leg.id)
    if chain is not None and leg.buy.is_native and chain in making.seen.fuel.awaited:
        making.gas[chain] = (*making.gas.get(chain, ()), leg.id)


def _gas_for(making: _Making, step: Trade | Turn) -> ChainId | None:
    """The chain whose gas a step brings, alone or beside other things."""
    if isinstance(step, Trade) and step.way.index in making.seen.fuel.rides:
        return step.way.buy[1]
    return step.gas_for


def _detail(making: _Making, step: Trade | Turn, detail: str) -> str:
    """What is said about a leg: also for which chain's gas it is."""
    chain = _gas_for(making, step)
    gas = f"gas for {chain_name(chain)}" if chain is not None else ""
    return ", ".join(filter(None, (detail, gas)))


def _sell(making: _Making, step: Trade | Turn, token: Token, size: Size) -> Sell:
    """What a leg spends."""
    if size.kind != "floats":
        return Sell(token, size.planned)
    return Sell(token, size.held, _sources(making, step, token), size.planned)


def _sources(making: _Making, step: Trade | Turn, token: Token) -> tuple[str, ...]:
    """The legs that bring what a leg spends."""
    if step.gas_for is not None:
        return (making.legs[-1].id,)
    return making.brings.get(token, ())


def _after(making: _Making, step: Trade | Turn, token: Token, size: Size) -> tuple[str, ...]:
    """What a leg waits for: what it spends, and gas on a chain that has too little."""
    sources = () if size.kind == "held" else _sources(making, step, token)
    gas = making.gas.get(token.chain, ()) if step.gas_for != token.chain else ()
    return tuple(dict.fromkeys((*sources, *gas)))


def _trade(making: _Making, done: Trade) -> Leg:
    edge = done.way.edge
    return Leg(
        id=str(len(making.legs) + 1),
        kind="bridge" if done.way.is_bridge else "swap",
        via=edge.via,
        sell=_sell(making, done, edge.sell, done.size),
        buy=edge.buy,
        expected_out=done.expected,
        min_buy=done.least,
        after=_after(making, done, edge.sell, done.size),
        gas_cost=done.way.gas_cost,
        cost=done.cost.quantize(_MICRO),
        seconds=edge.seconds,
        detail=_detail(making, done, edge.detail),
    )


def _turn(making: _Making, turn: Turn) -> Leg:
    wraps = turn.token.is_native
    return Leg(
        id=str(len(making.legs) + 1),
        kind="wrap" if wraps else "unwrap",
        via=WRAP_VIA,
        sell=_sell(making, turn, turn.token, turn.size),
        buy=turn.buy,
        expected_out=turn.size.planned,
        min_buy=turn.size.sure,
        after=_after(making, turn, turn.token, turn.size),
        gas_cost=turn.gas_cost,
        cost=turn.gas_cost,
        seconds=_quickest(making.seen, turn.token.chain),
        detail=_detail(making, turn, ""),
    )


def _quickest(seen: Outlook, chain: ChainId) -> int:
    """The usual duration of a plain transaction: that of the quickest trade of the chain."""
    trades = [t for t in seen.trades if t.way.sell[1] == chain and not t.way.is_bridge]
    return min(t.way.edge.seconds for t in trades or seen.trades)


def holdings(board: Board) -> dict[Token, int]:
    """Base units of each token that a plan may spend, and of all gas coins."""
    coins = {board.native(chain): raw for chain, raw in board.native_held.items()}
    return {**board.free, **coins}


def reserves(board: Board) -> dict[Token, int]:
    """Base units of gas coins that a plan may not spend but on fees.

    What is kept aside is among them as far as it is there: only the gas reserve is filled up.
    """
    kept = {p.token: p.kept for p in board.problem.valuation.positions}
    found = {}
    for chain, raw in board.native_held.items():
        coin, reserve = board.native(chain), board.problem.policy.gas_reserve.get(chain, 0)
        spends = chain in board.native_free
        found[coin] = max(reserve, min(raw, reserve + kept.get(coin, 0)) if spends else raw)
    return found
