"""Searches the choices of arcs as a tree: which are used, which are not, and what is left open.

At each of its nodes the best mixtures of sizes are a linear program, which differs from the one
before in a few limits: it starts where that one ended. (A general solver looks for cuts first,
which on columns like these takes it longer than the whole search takes here.) Branch and bound:
Land and Doig 1960; who is chosen by what choosing cost before, found out by trying at first:
Achterberg, Koch and Martin, Branching rules revisited, 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

from agent.planning.coupling import Block, Coupling, joined
from agent.planning.master import MISSED_PRICE, UNMET_PRICE
from agent.planning.program import Answer
from agent.planning.sizes import Sizes, mixed
from agent.planning.solver import asked, solver
from agent.planning.table import Bools, Floats, Ints

_WHOLE = 1e-6
"""An arc that is used but for so small a part is used or is not."""

_CANDIDATES, _TRIED = 20, 10
"""So many of the most promising arcs are looked at in a node, so many of them tried at most."""

_LEAST_GAIN = 1e-6
"""What choosing costs at least, so that products tell."""

_MISSED = 1e-7
"""Ranges that are missed by no more (scaled money) are reached: the solver's own tolerance."""

_OPEN = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Floor:
    """What some *arcs* cost together at the prices *dual* of rows, with *of_loss* a unit lost.

    It is at least *least*, whatever the others do.
    """

    arcs: Bools
    dual: Floats
    of_loss: float
    least: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Priced:
    """What sizes cost (by arc and place), instead of what they lose and arcs cost.

    What is lost, *of_loss* a unit, is between two limits.
    """

    costs: Floats
    of_loss: float
    lost: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """What is chosen, what that costs, in what part arcs are used, and mixtures if none in part.

    Where ranges are `missed` that costs too, so that there always is an answer.
    """

    serial: int
    cost: float
    chosen: Ints
    used: Floats
    missed: bool
    mixtures: Floats | None

    @property
    def between(self) -> Ints:
        """The arcs that are used in part."""
        return np.flatnonzero((self.used > _WHOLE) & (self.used < 1.0 - _WHOLE))


class _Guess:
    """What it cost before, by the part that was missing, not to use an arc (0), and to (1)."""

    def __init__(self, count: int) -> None:
        self._sum, self._count = np.zeros((2, count)), np.zeros((2, count))

    def learn(self, arc: int, use: int, gain: float, part: float) -> None:
        self._sum[use, arc] += gain / part
        self._count[use, arc] += 1

    def unknown(self, arc: int) -> bool:
        return not self._count[:, arc].all()

    def scores(self, used: Floats) -> Floats:
        """How much both choices of each arc are supposed to cost, one times the other."""
        known = self._sum.sum(axis=1) / np.maximum(self._count.sum(axis=1), 1)
        rate = np.where(self._count > 0, self._sum / np.maximum(self._count, 1), known[:, None])
        part = np.array([used, 1.0 - used])
        return np.asarray(np.maximum(rate * part, _LEAST_GAIN).prod(axis=0))


class Tree:
    """Mixtures of the *offered* sizes, where each arc is used wholly or not at all.

    Of each of the *groups* of arcs at least one is not used, and *floors* hold.
    """

    def __init__(
        self,
        shared: Coupling,
        found: Sizes,
        offered: Bools,
        *,
        groups: Sequence[Ints] = (),
        floors: Sequence[Floor] = (),
        priced: Priced | None = None,
    ) -> None:
        self._shared, self._sizes = shared, found
        self._arcs = np.flatnonzero(offered.any(axis=1))
        self._place, self._size = np.nonzero(offered[self._arcs])
        self._arc = self._arcs[self._place]
        self._first = shared.own_count + len(shared.tracked.cost)
        self._guess = _Guess(len(self._arcs))
        self._chosen = np.full(len(self._arcs), _OPEN)
        self._begin(groups, floors)
        if priced is not None:
            self._price(priced)
        from highspy import HighsModelStatus as Status

        self._optimal = Status.kOptimal
        self._told = {Status.kOptimal, Status.kInfeasible, Status.kObjectiveBound}
        self._cut, self._left_out = np.inf, np.inf
        self._best: _Node | None = None
        self._asked = 0

    def _begin(self, groups: Sequence[Ints], floors: Sequence[Floor]) -> None:
        shared, count = self._shared, len(self._arcs)
        columns = self._first + np.arange(len(self._arc))
        entries = joined(
            [
                shared.own,
                shared.tracked.after(shared.own_count),
                self._moved(mixed(self._sizes, shared, self._arc, self._size)),
                self._moved(shared.entries(3 * self._arc + 2)),
            ]
        )
        bound = np.isfinite(shared.lower) | np.isfinite(shared.upper)
        bound &= np.isin(np.arange(len(bound)), entries[0])
        index = np.cumsum(bound) - 1
        self._own_row = int(bound.sum())
        kept = bound[entries[0]]
        blocks = [
            (index[entries[0][kept]], entries[1][kept], entries[2][kept]),
            (self._own_row + self._place, columns, np.ones(len(columns))),
        ]
        lower = [shared.lower[bound], np.full(count, -np.inf)]
        upper = [shared.upper[bound], np.ones(count)]
        rows = self._own_row + count
        for group in groups:
            in_group = np.flatnonzero(np.isin(self._arc, group))
            blocks.append((np.full(len(in_group), rows), columns[in_group], np.ones(len(in_group))))
            lower.append(np.full(1, -np.inf))
            upper.append(np.full(1, len(group) - 1.0))
            rows += 1
        for floor in floors:
            blocks += self._floor(floor, rows)
            lower.append(np.full(1, floor.least))
            upper.append(np.full(1, np.inf))
            rows += 1
        self._pass(np.concatenate(lower), np.concatenate(upper), joined(blocks))

    def _price(self, priced: Priced) -> None:
        self._solver.changeColCost(0, priced.of_loss)
        self._solver.changeColBounds(0, *priced.lost)
        which = self._first + np.arange(len(self._arc), dtype=np.int32)
        self._solver.changeColsCost(len(which), which, priced.costs[self._arc, self._size])

    def _moved(self, block: Block) -> Block:
        row, column, value = block
        return row, self._first + column, value

    def _floor(self, floor: Floor, row: int) -> list[Block]:
        """A floor's row: the sizes of its arcs at its prices, and the loss."""
        mine = np.flatnonzero(floor.arcs[self._arc])
        prices = self._sizes.priced(self._shared.reduced(floor.dual), self._shared, floor.dual)
        cost = prices[self._arc[mine], self._size[mine]]
        of_loss = (np.full(1, row), np.zeros(1, dtype=np.int64), np.full(1, floor.of_loss))
        return [(np.full(len(mine), row), self._first + mine, cost), of_loss]

    def _pass(self, lower: Floats, upper: Floats, block: Block) -> None:
        shared = self._shared
        count = self._first + len(self._arc)
        cost, least, most = np.zeros(count), np.zeros(count), np.full(count, np.inf)
        cost[0], least[0] = 1.0, -np.inf
        off = slice(shared.own_count, self._first)
        cost[1 : off.start] = MISSED_PRICE
        cost[off], most[off] = shared.tracked.cost, shared.tracked.most
        cost[self._first :] = shared.price[self._arc]
        row, column, value = block
        none = np.zeros(0, dtype=np.int32)
        self._solver = solver()
        self._solver.setOptionValue("presolve", "off")
        blank = np.zeros(len(lower), dtype=np.int32)
        self._solver.addRows(len(lower), lower, upper, 0, blank, none, np.zeros(0))
        starts = np.searchsorted(column, np.arange(count)).astype(np.int32)
        self._solver.addCols(
            count, cost, least, most, len(row), starts, row.astype(np.int32), value
        )
        cuts = np.flatnonzero(lower[: self._own_row] == 1.0)
        self._missing = np.r_[np.arange(1, off.start), count + np.arange(len(cuts))].astype(
            np.int32
        )
        ones = np.ones(len(cuts))
        starts = np.arange(len(cuts), dtype=np.int32)
        self._solver.addCols(
            len(cuts), UNMET_PRICE * ones, 0.0 * ones, np.inf * ones,
            len(cuts), starts, cuts.astype(np.int32), ones,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """How long the solver took, by its own clock."""
        return float(self._solver.getRunTime())

    def search(
        self, *, most: float, gap: float, nodes: int, seconds: float, known: bool = True
    ) -> Answer | None:
        """The cheapest flow that is found below *most*, and what none is below.

        What would be cheaper by no more than the part *gap* is not looked for. Where no flow is
        *known* the search goes down to any first. Nothing is used in the answer where nothing is
        found; None where nothing is possible at all. No more linear programs are begun after so
        many *nodes*, or *seconds* of the solver.
        """
        self._known = known
        self._cut_at(most, gap)
        waiting: list[tuple[float, int, _Node]] = []
        node = self._solved(np.full(len(self._arcs), _OPEN), -np.inf)
        while node is not None and self._asked < nodes and self.seconds < seconds:
            found = self._children(node, gap)
            for other in found[1:]:
                heappush(waiting, (other.cost, other.serial, other))
            node = found[0] if found else self._next(waiting)
        left = [self._left_out, self._cut, *(cost for cost, _, _ in waiting)]
        bound = min(left if node is None else [*left, node.cost])
        return self._answer(bound) if np.isfinite(bound) else None

    def _cut_at(self, cost: float, gap: float) -> None:
        """Look for nothing that costs as much, or less by only a part of it."""
        if np.isfinite(cost):
            self._cut = cost - gap * abs(cost)
            self._solver.setOptionValue("objective_bound", self._cut)

    def _next(self, waiting: list[tuple[float, int, _Node]]) -> _Node | None:
        """The cheapest node that waits, if it is cheap enough: so are none if it is not."""
        if not waiting or waiting[0][0] >= self._cut:
            return None
        return heappop(waiting)[2]

    def _children(self, node: _Node, gap: float) -> list[_Node]:
        """What follows from a node: none from one where all arcs are used wholly or not at all."""
        if node.mixtures is not None:
            self._best = node
            self._left_out = min(self._left_out, node.cost)
            self._cut_at(node.cost, gap)
            return []
        if self._best is None and not self._known:
            # Down to any flow at first: what is used most is used wholly.
            arc = max(node.between.tolist(), key=lambda each: (node.used[each], -each))
            return sorted(
                self._chosen_both(node, arc), key=lambda each: (each.missed, -each.serial)
            )
        tried: dict[int, list[_Node]] = {}
        scores, between = self._guess.scores(node.used), node.between
        promising = between[np.argsort(-scores[between], kind="stable")[:_CANDIDATES]].tolist()
        for arc in promising:
            if len(tried) < _TRIED and self._guess.unknown(arc):
                tried[arc] = self._chosen_both(node, arc)
                if len(tried[arc]) < 2:  # nothing to choose: the arc is settled
                    return tried[arc]
        scores = self._guess.scores(node.used)
        arc = max(promising, key=lambda each: (scores[each], -each))
        both = tried[arc] if arc in tried else self._chosen_both(node, arc)
        return sorted(both, key=lambda child: child.cost)

    def _chosen_both(self, node: _Node, arc: int) -> list[_Node]:
        """The nodes in which an arc is not used, and is used."""
        found = []
        for use in (0, 1):
            chosen = node.chosen.copy()
            chosen[arc] = use
            child = self._solved(chosen, node.cost)
            most = self._cut if np.isfinite(self._cut) else 2.0 * abs(node.cost)
            gain = (most if child is None else child.cost) - node.cost
            part = node.used[arc] if not use else 1.0 - node.used[arc]
            self._guess.learn(arc, use, max(gain, 0.0), float(part))
            if child is not None:
                found.append(child)
        return found

    def _reaching(self, chosen: Ints, above: float) -> _Node | None:
        """The node of choices that leave nothing open, if no range is missed."""
        count, none = len(self._missing), np.zeros(len(self._missing))
        self._solver.changeColsBounds(count, self._missing, none, none)
        node = self._solved(chosen, above, may_miss=False)
        self._solver.changeColsBounds(count, self._missing, none, np.full(count, np.inf))
        return node

    def _solved(self, chosen: Ints, above: float, *, may_miss: bool = True) -> _Node | None:
        """The node with these choices, None where it costs too much; its parent costs *above*."""
        for arc in np.flatnonzero(chosen != self._chosen).tolist():
            used, unused = chosen[arc] == 1, chosen[arc] == 0
            self._solver.changeRowBounds(
                self._own_row + arc, 1.0 if used else -np.inf, 0.0 if unused else 1.0
            )
        self._chosen = chosen
        self._asked += 1
        if not self._tells():
            self._solver.clearSolver()
            if not self._tells():
                self._left_out = min(self._left_out, above)
                return None
        if self._solver.getModelStatus() != self._optimal:
            return None
        values = np.array(self._solver.getSolution().col_value)
        cost = float(self._solver.getInfo().objective_function_value)
        if cost >= self._cut:
            return None
        mixtures = values[self._first : self._first + len(self._arc)]
        missed = float(values[self._missing].sum()) > _MISSED
        used = _summed(self._place, mixtures, len(self._arcs))
        node = _Node(self._asked, cost, chosen, used, missed, mixtures)
        if len(node.between):
            return replace(node, mixtures=None)
        if missed and may_miss:
            return self._reaching(chosen, above)
        return node

    def _tells(self) -> bool:
        """Ask the solver; whether it has an answer."""
        return asked(self._solver) and self._solver.getModelStatus() in self._told

    def _answer(self, bound: float) -> Answer:
        """The best flow that was found."""
        count = len(self._shared.price)
        values = np.zeros(len(self._arc))
        if self._best is not None and self._best.mixtures is not None:
            values = self._best.mixtures
        sold = values * self._sizes.sold[self._arc, self._size]
        brought = values * self._sizes.brought[self._arc, self._size]
        return Answer(
            value=np.inf if self._best is None else self._best.cost,
            bound=bound,
            sold=_summed(self._arc, sold, count),
            brought=_summed(self._arc, brought, count),
            used=_summed(self._arc, values, count),
        )


def _summed(places: Ints, values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(places, values, count), dtype=np.float64)
