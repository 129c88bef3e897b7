"""The exact planner: the cheapest flow into all ranges, with a proof of how good it is.

Every arc is a mixture of the corners of its ladder's concave majorant and one choice: used or
not. The relaxation of that (`master`) gives a bound, and says which arcs and sizes can be in no
flow that is better than the best one known; the rest is searched as a tree of choices (`tree`).
What that finds is carried out again by the exact ladders (`flowcost`) before it counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agent.planning.budget import COARSE, FINE, Budget
from agent.planning.coupling import coupling
from agent.planning.flowcost import outcome
from agent.planning.majorant import hull
from agent.planning.master import LITTLE, Master, Relaxed
from agent.planning.network import Flow, Network
from agent.planning.polish import polished
from agent.planning.quest import FEW, OUTLINES, Quest, Stage, nearest, searched, sizes_of, swapped
from agent.planning.shares import shares
from agent.planning.sizes import sizes, widened
from agent.planning.table import Bools, table

_FIRST_LIMIT = 0.02
"""The part of the whole that a plan is supposed to cost less than, until that proves wrong."""

_MARGIN = 1e-9
"""The part of a cost by which proofs are weakened, so that rounding cannot break them."""

_NEAR = 0.1
"""The part of the gap that a range's own arcs are supposed to explain at most, of many arcs."""


def solve(network: Network, *, budget: Budget | None = None, start: Flow | None = None) -> Flow:
    """The flow that misses the ranges least, and of those the cheapest one found.

    *start* is a flow that is known to be possible; the answer is never worse. Fees that a node
    pays lower its value, never what may be sold of it.
    """
    arrays = table(network)
    quest = Quest(
        table=arrays,
        hull=hull(arrays),
        budget=budget or Budget(gap=FINE if len(network.arcs) <= FEW else COARSE),
        best=outcome(arrays, np.zeros(len(arrays.tail))),
    )
    if start is not None:
        quest.offer(np.array(start.sold, dtype=np.float64)[arrays.origin] * arrays.scale)
    gains = (arrays.brought > arrays.sold).any()
    if not len(arrays.tail) or (quest.best.missed <= 0 and not quest.best.cost and not gains):
        quest.bound = quest.best.cost
    elif not _reach(quest):
        _miss_least(quest)
    return _flow(network, quest)


def _flow(network: Network, quest: Quest) -> Flow:
    """The answer in the network's own order and unit."""
    arrays, best = quest.table, polished(quest.table, quest.best)
    sold = np.zeros(len(network.arcs))
    sold[arrays.origin] = best.sold / arrays.scale
    return Flow(
        sold=tuple(sold.tolist()),
        cost=best.cost / arrays.scale,
        bound=min(quest.bound, best.cost) / arrays.scale,
        missed=best.missed / arrays.scale,
        rounds=quest.rounds,
        braked=quest.braked,
        floor=min(quest.floor, best.cost) / arrays.scale,
        prices=tuple(quest.prices.tolist()),
        charge=best.charge / arrays.scale,
    )


def _stage(quest: Quest, limit: float, *, elastic: bool = False) -> Stage:
    quest.best = polished(quest.table, quest.best)
    shared = coupling(quest.table, limit, elastic=elastic, near=quest.best.off)
    return Stage(shared, sizes(quest.hull, shared), limit, elastic)


def _reach(quest: Quest) -> bool:
    """Find the cheapest flow that reaches all ranges; whether there is one."""
    whole = quest.table.whole
    for limit in (_FIRST_LIMIT * whole, whole):
        # Prices prove nothing of flows that lose more than they were asked for.
        quest.floor, quest.prices, quest.floors = -np.inf, np.zeros(0), ()
        stage = _stage(quest, min(quest.best.cost, limit) if quest.reaches else limit)
        relaxed = _relax(quest, stage, slopes=quest.budget.slopes)
        if relaxed is None:
            continue
        _begin(quest, stage, relaxed)
        if quest.reaches and not quest.closed:
            tighter = _stage(quest, min(quest.best.cost, stage.limit))
            stage, relaxed = tighter, _relax(quest, tighter) or relaxed
            if not quest.closed and len(relaxed.used) > min(FEW, quest.budget.most_arcs):
                relaxed = _raise(quest, stage, relaxed)
        if quest.closed:
            return True
        offered = _open(quest, stage, relaxed)
        if not quest.reaches or offered.any(axis=1).sum() <= quest.budget.most_arcs:
            _close(quest, stage, offered)
        if quest.reaches and quest.best.cost <= stage.limit * (1 + _MARGIN):
            return True
    return quest.reaches


def _close(quest: Quest, stage: Stage, offered: Bools) -> None:
    """Search among all sizes that are still open, by outlines that are finer where they must be."""
    for part in OUTLINES:
        answer = searched(quest, stage, offered, quest.budget.nodes, part=part)
        if answer is None:
            break
        bound = answer.bound - _MARGIN * abs(answer.bound)
        quest.bound = max(quest.bound, min(bound, stage.limit))
        if quest.closed or quest.braked:
            break


def _begin(quest: Quest, stage: Stage, relaxed: Relaxed) -> None:
    """Find a good flow among few arcs; of many, more are looked at when those few are none."""
    nodes = quest.budget.first_nodes
    if len(relaxed.used) <= FEW and quest.budget.few_swaps:
        every = np.ones(len(relaxed.used), dtype=np.bool_)
        known = [quest.best.sold > 0] if quest.reaches else [relaxed.sparse, relaxed.used > LITTLE]
        for used in known:
            if swapped(quest, stage, used, every, quest.budget.few_swaps) is not None:
                return
    if len(relaxed.used) > quest.budget.most_arcs:
        for some in (0, quest.budget.near // 2):
            if not some or not quest.reaches:
                chosen = relaxed.sparse | nearest(quest, relaxed, some)
                searched(quest, stage, sizes_of(stage, chosen), nodes)
        if quest.reaches:
            _improve(quest, stage, relaxed)
            return
    searched(quest, stage, _promising(quest, stage, relaxed), nodes)


def _improve(quest: Quest, stage: Stage, relaxed: Relaxed) -> None:
    """Make the best flow cheaper: by swaps, by a search among few arcs, and by swaps of more."""
    budget = quest.budget
    for count, tries, nodes in (
        (budget.near // 2, budget.swaps, budget.near_nodes),
        (budget.near, budget.swaps, 0),
    ):
        used = quest.best.sold > 0
        swapped(quest, stage, used, nearest(quest, relaxed, count), tries)
        if nodes:
            few = max(budget.most_near, 5 * int((quest.best.sold > 0).sum()) // 4)
            searched(quest, stage, sizes_of(stage, nearest(quest, relaxed, few)), nodes)


def _relax(quest: Quest, stage: Stage, *, slopes: int = 0) -> Relaxed | None:
    """The relaxation's answer, if it says that ranges can be reached."""
    quest.rounds += 1
    master = Master(stage.shared, stage.sizes, quest.table.fixed)
    relaxed = master.solve(rounds=quest.budget.columns, slopes=slopes)
    if relaxed is None or relaxed.missed > quest.dust:
        return None
    floor = min(relaxed.bound - _MARGIN * abs(relaxed.bound), stage.limit)
    if floor > quest.floor:
        quest.floor, quest.prices = floor, relaxed.dual.copy()
        # From the legs on rows count arcs, not money: their prices are money.
        quest.prices[stage.shared.missed_row - 1 :] /= quest.table.scale
        quest.bound = max(quest.bound, floor)
    return relaxed


def _raise(quest: Quest, stage: Stage, relaxed: Relaxed) -> Relaxed:
    """Raise the bound by what each range's own arcs cost together."""
    parts = shares(quest.table, stage.shared, stage.sizes)
    is_large = len(relaxed.used) > quest.budget.most_arcs
    gains, floors = parts.gains(
        relaxed,
        near=max(0.0, quest.best.cost - relaxed.bound) * (_NEAR if is_large else 1.0),
        most_lost=stage.limit,
        nodes=quest.budget.share_nodes,
    )
    quest.rounds += len(floors)
    quest.floors = floors
    bound = relaxed.bound + float(gains.sum())
    quest.bound = max(quest.bound, min(bound - _MARGIN * abs(bound), stage.limit))
    by_arc = np.where(parts.arc >= 0, gains[parts.arc], 0.0)
    return replace(relaxed, bound=bound, costs=relaxed.costs - by_arc[:, None])


def _promising(quest: Quest, stage: Stage, relaxed: Relaxed) -> Bools:
    """Sizes of the arcs that the relaxation uses, and of those that it would use next."""
    used = (relaxed.used > LITTLE) | (quest.best.sold > 0)
    count = max(quest.budget.first_arcs, 2 * int(used.sum()))
    return sizes_of(stage, nearest(quest, relaxed, count))


def _open(quest: Quest, stage: Stage, relaxed: Relaxed) -> Bools:
    """Sizes that a better flow than the best known could have."""
    if not quest.reaches:
        return stage.sizes.fresh
    cost = min(quest.best.cost, stage.limit)
    room = cost - relaxed.bound + _MARGIN * quest.table.whole
    # What others' negative prices add is counted in the bound already.
    near = relaxed.costs - np.minimum(relaxed.price, 0.0)[:, None] <= room
    return widened(near) & stage.sizes.fresh


def _miss_least(quest: Quest) -> None:
    """Find the flow that misses least, then the cheapest that misses no more."""
    stage = _stage(quest, quest.table.whole, elastic=True)
    quest.bound = quest.floor = -np.inf
    quest.prices = np.zeros(0)
    every, nodes = stage.sizes.fresh, quest.budget.nodes
    answer = searched(quest, stage, every, nodes, missed=None)
    if answer is None:
        return
    least = max(answer.value, quest.best.missed) + quest.dust
    answer = searched(quest, stage, every, nodes, missed=least)
    if answer is not None:
        quest.bound = answer.bound
