"""The exact planner: the cheapest flow into all ranges, with a proof of how good it is.

Every arc is a mixture of the corners of its ladder's concave majorant and one choice: used or
not. The relaxation of that (`master`) gives a bound, and says which arcs and sizes can be in no
flow that is better than the best one known; the rest is searched by the solver (`program`).
What it finds is carried out again by the exact ladders (`flowcost`) before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from agent.planning.budget import COARSE, FINE, Budget
from agent.planning.coupling import Coupling, coupling
from agent.planning.flowcost import DUST, Outcome, circle, outcome, wasted
from agent.planning.majorant import Hull, concave_run, hull
from agent.planning.master import LITTLE, Master, Relaxed
from agent.planning.network import Flow, Network
from agent.planning.outline import outlined
from agent.planning.polish import polished
from agent.planning.program import Answer, Program
from agent.planning.shares import shares
from agent.planning.sizes import Sizes, sizes, widened
from agent.planning.swaps import Swaps
from agent.planning.table import Bools, Floats, Ints, Table, along, table
from agent.planning.tree import Floor, Tree

_FIRST_LIMIT = 0.02
"""The part of the whole that a plan is supposed to cost less than, until that proves wrong."""

_MARGIN = 1e-9
"""The part of a cost by which proofs are weakened, so that rounding cannot break them."""

_DENT = 1e-9
"""Less than this (scaled money) is not sold, and is no difference between two ladders."""

_NEAR = 0.1
"""The part of the gap that a range's own arcs are supposed to explain at most."""

_OUTLINES = (1e-2, 1e-3, 0.0)
"""How far above the ladders sizes may be in a search, by the part of what a leg costs: what is
found among the coarser ones is mostly good enough."""

_LEFT = 0.8
"""The part of the gap that a search may leave: outlines take the rest."""

_LEGS = 10
"""A plan is supposed to have so many legs at least."""

_FEW = 100
"""So many arcs are searched in a tenth of a second."""


@dataclass(slots=True)
class _Search:
    """What is known so far; costs are scaled. `prices` and `floor` are the relaxation's proof."""

    table: Table
    hull: Hull
    budget: Budget
    best: Outcome
    bound: float = -np.inf
    floor: float = -np.inf
    prices: Floats = field(default_factory=lambda: np.zeros(0))
    circles: list[Ints] = field(default_factory=list)
    floors: tuple[Floor, ...] = ()
    rounds: int = 0
    braked: bool = False
    spent: float = 0.0

    @property
    def dust(self) -> float:
        return DUST * self.table.whole

    @property
    def reaches(self) -> bool:
        """Whether a flow is known that reaches all ranges."""
        return self.best.fits and self.best.missed <= self.dust

    @property
    def closed(self) -> bool:
        """Whether the best flow is proven to be good enough."""
        return self.reaches and self.best.cost - self.bound <= self.budget.gap * self.best.cost

    def offer(self, sold: Floats) -> None:
        """Take a flow if it is the best so far."""
        found = outcome(self.table, sold)
        if found.fits and found.better_than(self.best, self.dust):
            self.best = found


@dataclass(frozen=True, slots=True)
class _Stage:
    """The problem while no more than a limit may be lost."""

    shared: Coupling
    sizes: Sizes
    limit: float
    elastic: bool = False


def solve(network: Network, *, budget: Budget | None = None, start: Flow | None = None) -> Flow:
    """The flow that misses the ranges least, and of those the cheapest one found.

    *start* is a flow that is known to be possible; the answer is never worse. Fees that a node
    pays lower its value, never what may be sold of it.
    """
    arrays = table(network)
    search = _Search(
        table=arrays,
        hull=hull(arrays),
        budget=budget or Budget(gap=FINE if len(network.arcs) <= _FEW else COARSE),
        best=outcome(arrays, np.zeros(len(arrays.tail))),
    )
    if start is not None:
        search.offer(np.array(start.sold, dtype=np.float64)[arrays.origin] * arrays.scale)
    gains = (arrays.brought > arrays.sold).any()
    if not len(arrays.tail) or (search.best.missed <= 0 and not search.best.cost and not gains):
        search.bound = search.best.cost
    elif not _reach(search):
        _miss_least(search)
    return _flow(network, search)


def _flow(network: Network, search: _Search) -> Flow:
    """The answer in the network's own order and unit."""
    arrays, best = search.table, polished(search.table, search.best)
    sold = np.zeros(len(network.arcs))
    sold[arrays.origin] = best.sold / arrays.scale
    return Flow(
        sold=tuple(sold.tolist()),
        cost=best.cost / arrays.scale,
        bound=min(search.bound, best.cost) / arrays.scale,
        missed=best.missed / arrays.scale,
        rounds=search.rounds,
        braked=search.braked,
        floor=min(search.floor, best.cost) / arrays.scale,
        prices=tuple(search.prices.tolist()),
        charge=best.charge / arrays.scale,
    )


def _stage(search: _Search, limit: float, *, elastic: bool = False) -> _Stage:
    search.best = polished(search.table, search.best)
    shared = coupling(search.table, limit, elastic=elastic, near=search.best.off)
    return _Stage(shared, sizes(search.hull, shared), limit, elastic)


def _reach(search: _Search) -> bool:
    """Find the cheapest flow that reaches all ranges; whether there is one."""
    whole = search.table.whole
    for limit in (_FIRST_LIMIT * whole, whole):
        # Prices prove nothing of flows that lose more than they were asked for.
        search.floor, search.prices, search.floors = -np.inf, np.zeros(0), ()
        stage = _stage(search, min(search.best.cost, limit) if search.reaches else limit)
        relaxed = _relax(search, stage, slopes=search.budget.slopes)
        if relaxed is None:
            continue
        _begin(search, stage, relaxed)
        if search.reaches and not search.closed:
            tighter = _stage(search, min(search.best.cost, stage.limit))
            stage, relaxed = tighter, _relax(search, tighter) or relaxed
            if not search.closed and len(relaxed.used) > min(_FEW, search.budget.most_arcs):
                relaxed = _raise(search, stage, relaxed)
        if search.closed:
            return True
        offered = _open(search, stage, relaxed)
        if not search.reaches or offered.any(axis=1).sum() <= search.budget.most_arcs:
            _close(search, stage, offered)
        if search.reaches and search.best.cost <= stage.limit * (1 + _MARGIN):
            return True
    return search.reaches


def _close(search: _Search, stage: _Stage, offered: Bools) -> None:
    """Search among all sizes that are still open, by outlines that are finer where they must be."""
    for part in _OUTLINES:
        answer = _search(search, stage, offered, search.budget.nodes, part=part)
        if answer is None:
            break
        bound = answer.bound - _MARGIN * abs(answer.bound)
        search.bound = max(search.bound, min(bound, stage.limit))
        if search.closed or search.braked:
            break


def _begin(search: _Search, stage: _Stage, relaxed: Relaxed) -> None:
    """Find a good flow among few arcs; of many, more are looked at when those few are none."""
    nodes = search.budget.first_nodes
    if len(relaxed.used) <= _FEW and search.budget.few_swaps:
        every = np.ones(len(relaxed.used), dtype=np.bool_)
        known = (
            [search.best.sold > 0] if search.reaches else [relaxed.sparse, relaxed.used > LITTLE]
        )
        for used in known:
            if _swapped(search, stage, used, every, search.budget.few_swaps) is not None:
                return
    if len(relaxed.used) > search.budget.most_arcs:
        for some in (0, search.budget.near // 2):
            if not some or not search.reaches:
                chosen = relaxed.sparse | _nearest(search, relaxed, some)
                _search(search, stage, _sizes_of(stage, chosen), nodes)
        if search.reaches:
            _swap(search, stage, relaxed)
            return
    _search(search, stage, _promising(search, stage, relaxed), nodes)


def _swap(search: _Search, stage: _Stage, relaxed: Relaxed) -> None:
    """Make the best flow cheaper by swaps, first among few arcs, then among more."""
    tries = search.budget.swaps
    for count in (search.budget.near // 2, search.budget.near):
        used = search.best.sold > 0
        near = _nearest(search, relaxed, count) | used
        left = _swapped(search, stage, used, near, tries)
        if left is None:
            break
        tries = left


def _swapped(search: _Search, stage: _Stage, used: Bools, near: Bools, tries: int) -> int | None:
    """How many of the *tries* are left after swaps, None if the arcs *used* are no flow."""
    found = Swaps(search.table, stage.shared, stage.sizes, near).improved(used, tries)
    if found is None:
        return None
    sold = np.where(found[0] > _DENT, found[0], 0.0)
    search.offer(sold)
    _make_exact(search, stage, sold, 0.0)
    return found[1]


def _nearest(search: _Search, relaxed: Relaxed, count: int) -> Bools:
    """The arcs that are used, and of the others those that would be used next."""
    used = (relaxed.used > LITTLE) | (search.best.sold > 0)
    order = np.argsort(np.where(used, -np.inf, relaxed.price), kind="stable")
    return np.isin(np.arange(len(order)), order[:count])


def _relax(search: _Search, stage: _Stage, *, slopes: int = 0) -> Relaxed | None:
    """The relaxation's answer, if it says that ranges can be reached."""
    search.rounds += 1
    master = Master(stage.shared, stage.sizes, search.table.fixed)
    relaxed = master.solve(rounds=search.budget.columns, slopes=slopes)
    if relaxed is None or relaxed.missed > search.dust:
        return None
    floor = min(relaxed.bound - _MARGIN * abs(relaxed.bound), stage.limit)
    if floor > search.floor:
        search.floor, search.prices = floor, relaxed.dual.copy()
        # From the legs on rows count arcs, not money: their prices are money.
        search.prices[stage.shared.missed_row - 1 :] /= search.table.scale
        search.bound = max(search.bound, floor)
    return relaxed


def _raise(search: _Search, stage: _Stage, relaxed: Relaxed) -> Relaxed:
    """Raise the bound by what each range's own arcs cost together."""
    parts = shares(search.table, stage.shared, stage.sizes)
    gains, floors = parts.gains(
        relaxed,
        near=max(0.0, search.best.cost - relaxed.bound) * (1.0 if len(relaxed.used)<=search.budget.most_arcs else _NEAR),
        most_lost=stage.limit,
        nodes=search.budget.share_nodes,
    )
    search.rounds += len(floors)
    search.floors = floors
    bound = relaxed.bound + float(gains.sum())
    search.bound = max(search.bound, min(bound - _MARGIN * abs(bound), stage.limit))
    by_arc = np.where(parts.arc >= 0, gains[parts.arc], 0.0)
    return replace(relaxed, bound=bound, costs=relaxed.costs - by_arc[:, None])


def _promising(search: _Search, stage: _Stage, relaxed: Relaxed) -> Bools:
    """Sizes of the arcs that the relaxation uses, and of those that it would use next."""
    used = (relaxed.used > LITTLE) | (search.best.sold > 0)
    count = max(search.budget.first_arcs, 2 * int(used.sum()))
    return _sizes_of(stage, _nearest(search, relaxed, count))


def _sizes_of(stage: _Stage, arcs: Bools) -> Bools:
    return stage.sizes.fresh & arcs[:, None]


def _open(search: _Search, stage: _Stage, relaxed: Relaxed) -> Bools:
    """Sizes that a better flow than the best known could have."""
    if not search.reaches:
        return stage.sizes.fresh
    cost = min(search.best.cost, stage.limit)
    room = cost - relaxed.bound + _MARGIN * search.table.whole
    # What others' negative prices add is counted in the bound already.
    near = relaxed.costs - np.minimum(relaxed.price, 0.0)[:, None] <= room
    return widened(near) & stage.sizes.fresh


def _search(
    search: _Search,
    stage: _Stage,
    offered: Bools,
    nodes: int,
    *,
    missed: float | None = 0.0,
    part: float = _OUTLINES[0],
) -> Answer | None:
    """Search among some sizes, or say that nothing is possible.

    Ranges may be *missed* by so much; None asks how little they can be missed by. Where they must
    be reached, what is found may bring less than it says by *part* of what a leg costs.
    """
    answer = None
    for _ in range(search.budget.circles):
        if missed == 0.0:
            answer = _branched(search, stage, offered, nodes, part)
        else:
            answer = _ask(search, _program(search, stage, stage.sizes, offered, missed), nodes)
        if answer is None or _taken(search, stage, answer, missed):
            break
        if nodes == search.budget.first_nodes:  # no bound rests on this one: stay near
            offered = offered & (answer.sold > 0)[:, None]
            offered |= _sizes_of(stage, _instead(search.table, search.circles[-1]))
    return answer


def _branched(
    search: _Search, stage: _Stage, offered: Bools, nodes: int, part: float
) -> Answer | None:
    """Ask the tree of choices for a flow that is cheaper than the best one known."""
    left = search.budget.seconds - search.spent
    if left <= 0:
        search.braked = True
        return None
    cost = search.best.cost if search.reaches else max(search.floor, 0.0)
    legs = max(_LEGS, int((search.best.sold > 0).sum()))
    found = outlined(
        stage.sizes, stage.shared, offered, near=search.best.sold, most=part * abs(cost) / legs
    )
    tree = Tree(stage.shared, found, found.fresh, search.circles, search.floors)
    search.rounds += 1
    most = min(search.best.cost, stage.limit) if search.reaches else stage.limit
    answer = tree.search(most=most, gap=_LEFT * search.budget.gap, nodes=nodes, seconds=left, known=search.reaches)
    search.braked |= tree.seconds >= left
    search.spent += tree.seconds
    return answer


def _instead(arrays: Table, round_: Ints) -> Bools:
    """What could be used instead of arcs that lead round: all that crosses the same ranges.

    Of the ranges that an arc crosses the one that is crossed by the fewest arcs counts.
    """
    found = np.zeros(len(arrays.tail), dtype=np.bool_)
    crossed = arrays.member[:, arrays.tail] != arrays.member[:, arrays.head]
    for arc in round_:
        ranges = np.flatnonzero(crossed[:, arc])
        if len(ranges):
            found |= crossed[ranges[crossed[ranges].sum(axis=1).argmin()]]
    return found


def _program(
    search: _Search, stage: _Stage, found: Sizes, offered: Bools, missed: float | None
) -> Program:
    program = Program(stage.shared, found, offered, search.circles)
    if missed is None:
        program.only_missed()
    elif missed > 0:
        program.allow_missed(missed)
    return program


def _ask(search: _Search, program: Program, nodes: int) -> Answer | None:
    budget = search.budget
    left = budget.seconds - search.spent
    if left <= 0:
        search.braked = True
        return None
    for name, value in (
        ("mip_max_nodes", nodes), ("mip_rel_gap", 0.9 * budget.gap), ("time_limit", left),
        ("mip_heuristic_run_rens", False), ("mip_heuristic_run_rins", False),
        ("mip_heuristic_run_root_reduced_cost", False), ("mip_allow_restart", False),
        ("mip_allow_cut_separation_at_nodes", False),
    ):  # fmt: skip
        program.option(name, value)
    if search.best.sold.any():
        program.begin_with(search.best.sold)
    search.rounds += 1
    answer = program.solve()
    search.braked |= program.braked
    search.spent += program.seconds
    return answer


def _taken(search: _Search, stage: _Stage, answer: Answer, missed: float | None) -> bool:
    """Take an answer, made exact where ladders are not concave; not if it leads round."""
    sold = _sold(search, answer)
    round_ = circle(search.table, np.flatnonzero(sold))
    if round_ is not None:
        search.circles.append(round_)
        return False
    if missed == 0.0:
        # Outlines bring more than there is: these arcs are given sizes anew.
        used = sold > 0
        _swapped(search, stage, used, used, 0)
    else:
        search.offer(sold)
        _make_exact(search, stage, sold, missed)
    return True


def _make_exact(search: _Search, stage: _Stage, sold: Floats, missed: float | None) -> None:
    """Find sizes again where an answer's arcs bring less than their majorants say."""
    arrays, found = search.table, search.hull
    above = along(found.sold, found.brought, sold) - arrays.brought_by(sold)
    used = np.flatnonzero(sold)
    if not (above[used] > _DENT).any():
        return
    xs, fs = found.sold.copy(), found.brought.copy()
    for arc in used:
        points = concave_run(arrays, int(arc), float(sold[arc]))
        for row, values in zip((xs[arc], fs[arc]), points, strict=True):
            row[: len(values)], row[len(values) :] = values, values[-1]
    again = sizes(Hull(sold=xs, brought=fs), stage.shared)
    offered = np.zeros_like(again.fresh)
    offered[used] = again.fresh[used]
    if missed:
        # How little these arcs miss by their exact ladders is another question.
        answer = _ask(search, _program(search, stage, again, offered, None), search.budget.nodes)
        missed = None if answer is None else max(answer.value, 0.0) + search.dust
    answer = _ask(search, _program(search, stage, again, offered, missed), search.budget.nodes)
    if answer is not None:
        search.offer(_sold(search, answer))


def _sold(search: _Search, answer: Answer) -> Floats:
    sold = np.where((answer.used > 0.5) & (answer.sold > _DENT), answer.sold, 0.0)
    return wasted(search.table, sold, answer.brought)


def _miss_least(search: _Search) -> None:
    """Find the flow that misses least, then the cheapest that misses no more."""
    stage = _stage(search, search.table.whole, elastic=True)
    search.bound = search.floor = -np.inf
    search.prices = np.zeros(0)
    every, nodes = stage.sizes.fresh, search.budget.nodes
    answer = _search(search, stage, every, nodes, missed=None)
    if answer is None:
        return
    least = max(answer.value, search.best.missed) + search.dust
    answer = _search(search, stage, every, nodes, missed=least)
    if answer is not None:
        search.bound = answer.bound
