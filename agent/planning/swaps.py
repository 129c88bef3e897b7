"""Makes a flow cheaper by using another arc, one arc less, or one instead of another.

Of a flow whose arcs are given the best sizes are a linear program, and its prices say how much
another choice could save at most: what can save nothing is never tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.planning.coupling import Block, Coupling, joined
from agent.planning.flowcost import circle
from agent.planning.sizes import Sizes, mixed
from agent.planning.solver import asked, solver
from agent.planning.table import Bools, Floats, Ints, Table

_WORTHWHILE = 1e-4
"""The part of a flow's cost that a change must be able to save to be tried."""

_SAVED = 1e-6
"""The part of a flow's cost that a change must save to be taken."""

_INSTEAD = 6
"""So many arcs are tried in the place of one."""

_NONE = -1


@dataclass(frozen=True, slots=True, order=True)
class _Change:
    """What a change costs at least, the arc that is used then, and the one that is not."""

    least: float
    use: int
    leave: int


class Swaps:
    """A flow over *near* arcs whose choice changes while that makes it cheaper."""

    def __init__(self, table: Table, shared: Coupling, found: Sizes, near: Bools) -> None:
        self._table, self._shared, self._sizes, self._near = table, shared, found, near
        arcs, places = np.nonzero(found.fresh & near[:, None])
        rows = np.concatenate(
            [
                shared.own[0],
                shared.tracked.rows,
                mixed(found, shared, arcs, places)[0],
                shared.entries(3 * np.flatnonzero(near) + 2)[0],
            ]
        )
        kept = np.zeros(len(shared.lower), dtype=np.bool_)
        kept[rows] = True
        kept &= np.isfinite(shared.lower) | np.isfinite(shared.upper)
        self._kept = kept
        self._row = np.where(kept, np.cumsum(kept) - 1, _NONE)
        self._open = np.zeros(len(near), dtype=np.bool_)
        self._at = np.full(len(near), _NONE, dtype=np.int64)
        self._places: dict[int, Ints] = {}
        self._values, self._dual = np.zeros(0), np.zeros(0)
        crossed = table.member[:, table.tail] != table.member[:, table.head]
        leaves = crossed & table.member[:, table.tail]
        enters = crossed & table.member[:, table.head]
        self._left, self._entered = (
            np.where(each.any(axis=0), each.argmax(axis=0), _NONE) if len(each) else table.tail
            for each in (leaves, enters)
        )
        self._begin()

    def _begin(self) -> None:
        shared, kept = self._shared, self._kept
        self._solver = solver()
        self._solver.setOptionValue("presolve", "off")
        self._rows, self._columns = int(kept.sum()), 0
        blank = np.zeros(self._rows, dtype=np.int32)
        self._solver.addRows(
            self._rows, shared.lower[kept], shared.upper[kept], 0, blank, blank[:0], np.zeros(0)
        )
        cost, lower, upper = (np.zeros(shared.own_count) for _ in range(3))
        cost[0], lower[0], upper[0] = 1.0, -np.inf, np.inf
        self._add_columns(cost, lower, upper, self._of_kept(shared.own))
        off = shared.tracked
        if len(off.cost):
            none = np.zeros(len(off.cost))
            self._add_columns(off.cost, none, off.most, self._of_kept(off.entries))

    def _of_kept(self, block: Block) -> Block:
        row, column, value = block
        kept = self._kept[row]
        return self._row[row[kept]], column[kept], value[kept]

    def _add_columns(self, cost: Floats, lower: Floats, upper: Floats, block: Block) -> None:
        row, column, value = block
        starts = np.searchsorted(column, np.arange(len(cost))).astype(np.int32)
        self._solver.addCols(
            len(cost), cost, lower, upper, len(row), starts, row.astype(np.int32), value
        )
        self._columns += len(cost)

    def _add(self, arc: int) -> None:
        """Add an arc's columns: its use, and its sizes."""
        shared = self._shared
        places = np.flatnonzero(self._sizes.fresh[arc])
        count = len(places)
        self._solver.addRow(0.0, 0.0, 0, np.zeros(0, dtype=np.int32), np.zeros(0))
        sizes_row = np.full(count + 1, self._rows)
        self._rows += 1
        uses = self._of_kept(shared.entries(np.array([3 * arc + 2])))
        sold = self._of_kept(mixed(self._sizes, shared, np.full(count, arc), places))
        one = np.ones(count + 1)
        one[0] = -1.0
        block = joined(
            [uses, (sold[0], 1 + sold[1], sold[2]), (sizes_row, np.arange(count + 1), one)]
        )
        self._at[arc], self._places[arc] = self._columns, places
        cost, none = np.zeros(count + 1), np.zeros(count + 1)
        cost[0] = shared.price[arc]
        self._add_columns(cost, none, none, block)

    def _set(self, arc: int, *, used: bool) -> None:
        if arc == _NONE:
            return
        if self._at[arc] == _NONE:
            self._add(arc)
        count = len(self._places[arc]) + 1
        lower, upper = np.zeros(count), np.full(count, float(used))
        lower[0] = float(used)
        which = (self._at[arc] + np.arange(count)).astype(np.int32)
        self._solver.changeColsBounds(count, which, lower, upper)
        self._open[arc] = used

    def _solve(self, most: float) -> float | None:
        """The cost of the best sizes, None if it is above *most* or there are none."""
        self._solver.setOptionValue("objective_bound", most)
        if not asked(self._solver):
            return None
        info = self._solver.getInfo()
        cost = float(info.objective_function_value)
        if info.primal_solution_status != 2 or info.dual_solution_status != 2 or cost >= most:
            return None
        found = self._solver.getSolution()
        values, dual = np.array(found.col_value), np.array(found.row_dual)
        if circle(self._table, np.flatnonzero(self._sold(values))) is not None:
            return None
        self._values, self._dual = values, dual
        return cost

    def _sold(self, values: Floats) -> Floats:
        sold = np.zeros(len(self._near))
        for arc in np.flatnonzero(self._open).tolist():
            first, places = self._at[arc] + 1, self._places[arc]
            sold[arc] = values[first : first + len(places)] @ self._sizes.sold[arc, places]
        return np.where(sold > 0, sold, 0.0)

    def improved(self, used: Bools, tries: int) -> tuple[Floats, int] | None:
        """What is sold after swaps, and how many of the *tries* are left.

        None if the arcs that are *used* are no flow.
        """
        for arc in np.flatnonzero(used).tolist():
            self._set(arc, used=True)
        cost = self._solve(np.inf)
        if cost is None:
            return None
        sold, failed, since = self._sold(self._values), set[tuple[int, int]](), 0
        while tries > 0:
            changes = [each for each in self._changes(cost) if (each.use, each.leave) not in failed]
            if not changes:
                if not since:
                    break
                failed, since = set(), 0
                continue
            for each in changes[:tries]:
                tries -= 1
                self._set(each.use, used=True)
                self._set(each.leave, used=False)
                found = self._solve(cost - _SAVED * abs(cost))
                if found is not None:
                    cost, since, sold = found, since + 1, self._sold(self._values)
                    break
                failed.add((each.use, each.leave))
                self._set(each.use, used=False)
                self._set(each.leave, used=True)
        return sold, tries

    def _changes(self, cost: float) -> list[_Change]:
        """Changes that could save something, those that could save most first."""
        dual = np.zeros(len(self._kept))
        dual[self._kept] = self._dual[: int(self._kept.sum())]
        shared = self._shared
        price = self._sizes.priced(shared.reduced(dual), shared, dual).min(axis=1)
        return sorted(self._worthwhile(price, _WORTHWHILE * abs(cost)))

    def _worthwhile(self, price: Floats, worth: float) -> Iterator[_Change]:
        closed, used = np.flatnonzero(self._near & ~self._open), np.flatnonzero(self._open)
        for arc in closed[price[closed] < -worth].tolist():
            yield _Change(float(price[arc]), arc, _NONE)
        tail, head = self._table.tail, self._table.head
        for leave in used.tolist():
            if price[leave] > worth:
                yield _Change(-float(price[leave]), _NONE, leave)
            alike = (tail[closed] == tail[leave]) | (head[closed] == head[leave])
            for ranges in (self._left, self._entered):
                alike |= ranges[closed] == ranges[leave]
            arcs = closed[alike & (price[closed] - price[leave] < -worth)]
            for use in arcs[np.argsort(price[arcs], kind="stable")[:_INSTEAD]].tolist():
                yield _Change(float(price[use] - price[leave]), use, leave)
