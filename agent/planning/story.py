"""The answer to "why" of a plan, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from agent.core.decide import Drift
from agent.core.money import Amount, ChainId
from agent.core.wording import chain_name, listed, money, percent, whole
from agent.planning.board import Board
from agent.planning.goals import Goal
from agent.planning.outlook import Outlook, charged_assets
from agent.planning.route import Move, Route
from agent.planning.trade import Trade, Turn


def funding(seen: Outlook) -> tuple[str, ...]:
    """What each sold asset pays for, and what goes to another chain."""
    sold: dict[str, dict[str, Decimal]] = {}
    abroad: list[str] = []
    for move in seen.moves:
        value = _moved(seen, move)
        route = move.route
        if route.bridges:
            abroad.append(_abroad(route, value))
            continue
        bought = sold.setdefault(route.sell[0], {})
        bought[route.buy[0]] = bought.get(route.buy[0], Decimal(0)) + value
    here = [
        f"{asset} funds {listed([f'{money(value)} of {name}' for name, value in bought.items()])}"
        for asset, bought in sorted(sold.items())
    ]
    return (*here, *sorted(abroad))


def _moved(seen: Outlook, move: Move) -> Decimal:
    """The value that a move takes from where it begins."""
    way = move.route.ways[0]
    wanted = sum(other.raw for other in seen.moves if other.route.ways[0] is way)
    return seen.sold[way.index].sold_value * move.raw / (wanted + seen.fuel.riding(way))


def _abroad(route: Route, value: Decimal) -> str:
    """What goes over a bridge, and as what."""
    bridges = route.bridges
    bridge, vias = bridges[0], ", then ".join(way.edge.via for way in bridges)
    asset, bought = route.sell[0], route.buy[0]
    source, goal = chain_name(route.sell[1]), chain_name(route.buy[1])
    if asset == bought == bridge.sell[0]:
        return f"{money(value)} of {asset} goes from {source} to {goal} by {vias}"
    carried = f" as {bridge.sell[0]}" if bridge.sell[0] not in {asset, bought} else ""
    return (
        f"{asset} on {source} funds {money(value)} of {bought} on {goal}, "
        f"bridged{carried} by {vias}"
    )


def refuels(seen: Outlook) -> tuple[str, ...]:
    """Where gas comes from on chains that have too little of it."""
    full = {done.way.buy[1] for done in seen.trades if done.way.index in seen.fuel.rides}
    short = {chain for chain, gap in seen.fuel.gaps.items() if gap} - full
    return (
        *(
            f"gas for {chain_name(chain)}: {text}"
            + ("" if chain in short else ", to pay its fees and fill its reserve")
            for chain, text in _gas(seen)
        ),
        *(
            f"{chain_name(chain)} stays below its gas reserve: nothing fills it"
            for chain in sorted(short)
        ),
    )


def _gas(seen: Outlook) -> Iterator[tuple[ChainId, str]]:
    """How much gas which chain gets, and how."""
    for step in (*seen.fuel.first, *seen.fuel.last):
        if isinstance(step, Trade) and step.gas_for is not None and step.way.is_bridge:
            yield step.gas_for, _bridged(step, step.expected)
        elif isinstance(step, Turn) and step.gas_for is not None:
            sold = [t for t in seen.fuel.trades if t.way.sell[1] == t.gas_for == step.gas_for]
            how = f"from {sold[0].way.edge.sell.symbol} sold there" if sold else "unwrapped there"
            yield step.gas_for, f"{whole(Amount(step.buy, step.size.planned))} {how}"
    for done in seen.trades:
        if done.way.index in seen.fuel.rides:
            text = _bridged(done, seen.fuel.rides[done.way.index])
            yield done.way.buy[1], f"{text} with the rest"


def _bridged(done: Trade, raw: int) -> str:
    source, via = chain_name(done.way.sell[1]), done.way.edge.via
    return f"{whole(Amount(done.way.edge.buy, raw))} bridged from {source} by {via}"


def idle(board: Board) -> tuple[str, ...]:
    """Chains that count but are left alone, and why."""
    return tuple(
        f"nothing is done on {chain_name(chain)}: {why}"
        for chain, why in sorted(board.closed.items())
    )


def worst(seen: Outlook) -> tuple[str, ...]:
    """What the worst case leaves out: a transfer is delivered in full, comes back or waits."""
    vias = sorted({done.way.edge.via for done in seen.trades if done.way.is_bridge})
    if not vias:
        return ()
    return (
        f"the worst case is every leg at its minimum; a transfer by {listed(vias)} that never "
        "arrives is refunded where it came from or claimed later, at the cost of its gas and of "
        "time",
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
    if goal.chain is not None and not any(way.is_bridge for way in board.ways):
        return f"{text}: no way to another chain is known" if goal.asset is None else text
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


def weighing(seen: Outlook) -> tuple[str, ...]:
    """What distance from the targets counts in the choice of where to end, where it does."""
    charged = charged_assets(seen.board)
    if not charged:
        return ()
    return (
        "it ends where costs and distance from the targets together count least: "
        f"{money(seen.cost)} and {money(seen.charge)}, for what the distance of "
        f"{listed(sorted(charged))} is expected to lose until the next rebalancing",
    )


def doing_nothing(drifts: Iterable[Drift], charge: Decimal = Decimal(0)) -> str:
    """What it means not to do the plan, and what its distance from the targets is charged."""
    stays = [
        f"{drift.name} {money(abs(drift.excess))} {'above' if drift.excess > 0 else 'below'}"
        for drift in drifts
        if drift.excess
    ]
    now = "doing nothing costs nothing now"
    if charge:
        now = f"{now}, counts {money(charge)} for distance from the targets"
    if not stays:
        return f"{now}: every part is inside its band"
    return f"{now} and leaves {listed(stays)} the band"


def single_sources(board: Board, seen: Outlook) -> tuple[str, ...]:
    """Assets in the plan that only one source prices: such a plan is for reading only."""
    names = {
        board.prices.asset_of[token]
        for done in seen.trades
        for token in (done.way.edge.sell, done.way.edge.buy)
    }
    alone = sorted(name for name in names if not board.prices.by_asset[name].independent)
    if not alone:
        return ()
    verb = "has" if len(alone) == 1 else "have"
    return (f"{listed(alone)} {verb} one price source only, so this plan is for reading only",)
