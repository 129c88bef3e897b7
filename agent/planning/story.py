"""The answer to "why" of a plan, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agent.core.decide import Drift
from agent.core.wording import chain_name, listed, money, percent
from agent.planning.board import Board
from agent.planning.goals import Goal
from agent.planning.outlook import Outlook


def funding(seen: Outlook) -> tuple[str, ...]:
    """What each sold asset pays for."""
    sold: dict[str, dict[str, Decimal]] = {}
    for trade in seen.trades:
        bought = sold.setdefault(trade.way.sell[0], {})
        name = trade.way.buy[0]
        bought[name] = bought.get(name, Decimal(0)) + trade.sold_value
    return tuple(
        f"{asset} funds {listed([f'{money(value)} of {name}' for name, value in bought.items()])}"
        for asset, bought in sorted(sold.items())
    )


def unreached(board: Board, seen: Outlook, left: Iterable[tuple[Goal, Decimal]]) -> tuple[str, ...]:
    """What stays outside its band, or may stay there, and what holds it."""
    return tuple(_unreached(board, seen, goal, value) for goal, value in left)


def _unreached(board: Board, seen: Outlook, goal: Goal, value: Decimal) -> str:
    side = "above" if value > 0 else "below"
    band = f"its band of {percent(goal.low)} to {percent(goal.high)}"
    parts = [goal.asset] if goal.asset else []
    name = " on ".join([*parts, *([chain_name(goal.chain)] if goal.chain is not None else [])])
    total = sum(seen.expected.values(), Decimal(0))
    share = goal.of(seen.expected) / total
    if goal.low <= share <= goal.high:
        return (
            f"{name} is expected inside {band}, but its minimum outcome is "
            f"{money(abs(value))} {side} it"
        )
    text = f"{name} stays {money(abs(value))} {side} {band}"
    fixed = _never_sold(board, goal)
    if value > 0 and fixed > 0:
        return f"{text}: {money(fixed)} of it is counted and never sold"
    if goal.asset is None:
        return f"{text}: no way to another chain is known"
    return text


def _never_sold(board: Board, goal: Goal) -> Decimal:
    """Value of the goal's holdings that only count."""
    held = (
        position.counted
        for position in board.problem.valuation.positions
        if position.role == "count"
        and position.asset is not None
        and goal.holds((position.asset, position.token.chain))
    )
    return sum(held, Decimal(0))


def doing_nothing(drifts: Iterable[Drift]) -> str:
    """What it means not to do the plan."""
    stays = [
        f"{drift.name} {money(abs(drift.excess))} {'above' if drift.excess > 0 else 'below'}"
        for drift in drifts
        if drift.excess
    ]
    if not stays:
        return "doing nothing costs nothing now: every part is inside its band"
    return f"doing nothing costs nothing now and leaves {listed(stays)} the band"


def single_sources(board: Board, seen: Outlook) -> tuple[str, ...]:
    """Assets in the plan that only one source prices: such a plan is for reading only."""
    names = {
        board.prices.asset_of[token]
        for trade in seen.trades
        for token in (trade.way.edge.sell, trade.way.edge.buy)
    }
    alone = sorted(name for name in names if not board.prices.by_asset[name].independent)
    if not alone:
        return ()
    verb = "has" if len(alone) == 1 else "have"
    return (f"{listed(alone)} {verb} one price source only, so this plan is for reading only",)
