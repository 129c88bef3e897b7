"""What is known while a flow is looked for, and the ways to find a better one among some sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from agent.planning.budget import Budget
from agent.planning.coupling import Coupling
from agent.planning.flowcost import DUST, Outcome, circle, outcome, wasted
from agent.planning.majorant import Hull, concave_run
from agent.planning.master import LITTLE, Relaxed
from agent.planning.outline import outlined
from agent.planning.program import Answer, Program
from agent.planning.sizes import Sizes, sizes
from agent.planning.swaps import Swaps
from agent.planning.table import Bools, Floats, Ints, Table, along
from agent.planning.tree import Floor, Tree

_DENT = 1e-9
"""Less than this (scaled money) is not sold, and is no difference between two ladders."""

OUTLINES = (5e-3, 5e-4, 0.0)
"""How far above the ladders sizes may be in a search, by the part of what a leg costs: what is
found among the coarser ones is mostly good enough."""

_LEFT, _LEFT_OF_FEW = 0.8, 0.01
"""The part of the gap that a search may leave: outlines take the rest. Of few arcs as good as
nothing is left, since that takes no longer."""

FEW = 100
"""So many arcs are searched in a tenth of a second."""

_LEGS = 10
"""A plan is supposed to have so many legs at least."""


@dataclass(slots=True)
class Quest:
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
        """What counts as nothing."""
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
class Stage:
    """The problem while no more than a limit may be lost."""

    shared: Coupling
    sizes: Sizes
    limit: float
    elastic: bool = False


def nearest(quest: Quest, relaxed: Relaxed, count: int) -> Bools:
    """The arcs of the best flow, those that the relaxation uses most, and would use next."""
    order = np.lexsort(
        (relaxed.price, np.where(relaxed.used > LITTLE, -relaxed.used, 0.0), quest.best.sold <= 0)
    )
    return np.isin(np.arange(len(order)), order[:count])


def sizes_of(stage: Stage, arcs: Bools) -> Bools:
    """All sizes of some arcs."""
    return stage.sizes.fresh & arcs[:, None]


def swapped(quest: Quest, stage: Stage, used: Bools, near: Bools, tries: int) -> int | None:
    """How many of the *tries* are left after swaps, None if the arcs *used* are no flow."""
    found = Swaps(quest.table, stage.shared, stage.sizes, near).improved(used, tries)
    if found is None:
        return None
    sold = np.where(found[0] > _DENT, found[0], 0.0)
    quest.offer(sold)
    _make_exact(quest, stage, sold, 0.0)
    return found[1]


def searched(
    quest: Quest,
    stage: Stage,
    offered: Bools,
    nodes: int,
    *,
    missed: float | None = 0.0,
    part: float = OUTLINES[0],
) -> Answer | None:
    """Search among some sizes, or say that nothing is possible.

    Ranges may be *missed* by so much; None asks how little they can be missed by. Where they must
    be reached, what is found may bring less than it says by *part* of what a leg costs.
    """
    answer = None
    for _ in range(quest.budget.circles):
        if missed == 0.0:
            answer = _branched(quest, stage, offered, nodes, part)
        else:
            answer = _ask(quest, _program(quest, stage, stage.sizes, offered, missed), nodes)
        if answer is None or _taken(quest, stage, answer, missed):
            break
        if nodes == quest.budget.first_nodes:  # no bound rests on this one: stay near
            offered = offered & (answer.sold > 0)[:, None]
            offered |= sizes_of(stage, _instead(quest.table, quest.circles[-1]))
    return answer


def _branched(quest: Quest, stage: Stage, offered: Bools, nodes: int, part: float) -> Answer | None:
    """Ask the tree of choices for a flow that is cheaper than the best one known."""
    left = quest.budget.seconds - quest.spent
    if left <= 0:
        quest.braked = True
        return None
    cost = quest.best.cost if quest.reaches else max(quest.floor, 0.0)
    legs = max(_LEGS, int((quest.best.sold > 0).sum()))
    found = outlined(
        stage.sizes, stage.shared, offered, near=quest.best.sold, most=part * abs(cost) / legs
    )
    tree = Tree(stage.shared, found, found.fresh, groups=quest.circles, floors=quest.floors)
    quest.rounds += 1
    most = min(quest.best.cost, stage.limit) if quest.reaches else stage.limit
    answer = tree.search(
        most=most,
        gap=quest.budget.gap * (_LEFT_OF_FEW if len(quest.table.tail) <= FEW else _LEFT),
        nodes=nodes,
        seconds=left,
        known=quest.reaches,
    )
    quest.braked |= tree.seconds >= left
    quest.spent += tree.seconds
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


def _taken(quest: Quest, stage: Stage, answer: Answer, missed: float | None) -> bool:
    """Take an answer, made exact where ladders are not concave; not if it leads round."""
    sold = _sold(quest, answer)
    round_ = circle(quest.table, np.flatnonzero(sold))
    if round_ is not None:
        quest.circles.append(round_)
        return False
    if missed == 0.0:
        # Outlines bring more than there is: these arcs are given sizes anew.
        used = sold > 0
        swapped(quest, stage, used, used, 0)
    else:
        quest.offer(sold)
        _make_exact(quest, stage, sold, missed)
    return True


def _make_exact(quest: Quest, stage: Stage, sold: Floats, missed: float | None) -> None:
    """Find sizes again where an answer's arcs bring less than their majorants say."""
    arrays, found = quest.table, quest.hull
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
        answer = _ask(quest, _program(quest, stage, again, offered, None), quest.budget.nodes)
        missed = None if answer is None else max(answer.value, 0.0) + quest.dust
    answer = _ask(quest, _program(quest, stage, again, offered, missed), quest.budget.nodes)
    if answer is not None:
        quest.offer(_sold(quest, answer))


def _sold(quest: Quest, answer: Answer) -> Floats:
    sold = np.where((answer.used > 0.5) & (answer.sold > _DENT), answer.sold, 0.0)
    return wasted(quest.table, sold, answer.brought)


def _program(
    quest: Quest, stage: Stage, found: Sizes, offered: Bools, missed: float | None
) -> Program:
    program = Program(stage.shared, found, offered, quest.circles)
    if missed is None:
        program.only_missed()
    elif missed > 0:
        program.allow_missed(missed)
    return program


def _ask(quest: Quest, program: Program, nodes: int) -> Answer | None:
    budget = quest.budget
    left = budget.seconds - quest.spent
    if left <= 0:
        quest.braked = True
        return None
    for name, value in (
        ("mip_max_nodes", nodes), ("mip_rel_gap", 0.9 * budget.gap), ("time_limit", left),
        ("mip_heuristic_run_rens", False), ("mip_heuristic_run_rins", False),
        ("mip_heuristic_run_root_reduced_cost", False), ("mip_allow_restart", False),
        ("mip_allow_cut_separation_at_nodes", False),
    ):  # fmt: skip
        program.option(name, value)
    if quest.best.sold.any():
        program.begin_with(quest.best.sold)
    quest.rounds += 1
    answer = program.solve()
    quest.braked |= program.braked
    quest.spent += program.seconds
    return answer
