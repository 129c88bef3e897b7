"""The mixed-integer program over some of a network's arcs, in the solver's hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.planning.coupling import Block, Coupling, joined
from agent.planning.sizes import Sizes, mixed
from agent.planning.solver import run, solver
from agent.planning.table import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What the solver found: by arc what is sold and brought, and in how large a part it is used.

    Mixtures may bring less than a ladder does. `value` is the objective, `bound` what it cannot be
    below.
    """

    value: float
    bound: float
    sold: Floats
    brought: Floats
    used: Floats


class Program:
    """Mixtures of sizes, where each arc is used wholly or not at all.

    `arcs` may be used, of each those sizes that are *offered*; of each of the `groups` of arcs at
    least one is not used.
    """

    def __init__(
        self, shared: Coupling, found: Sizes, offered: Bools, groups: Sequence[Ints] = ()
    ) -> None:
        import highspy

        self._highs, self._shared = highspy, shared
        self.arcs = np.flatnonzero(offered.any(axis=1))
        row, self._places = np.nonzero(offered[self.arcs])
        self._arc = self.arcs[row]
        self._sold = found.sold[self._arc, self._places]
        self._brought = found.brought[self._arc, self._places]
        self._first_use = shared.own_count + len(shared.tracked.cost)
        self._first_mix = self._first_use + len(self.arcs)
        count = self._first_mix + len(row)
        uses, mixes = np.arange(self._first_use, self._first_mix), np.arange(self._first_mix, count)
        lower, upper = [shared.lower, np.zeros(len(self.arcs))], [shared.upper]
        upper.append(np.zeros(len(self.arcs)))
        own = len(shared.lower) + np.arange(len(self.arcs))
        entries = mixed(found, shared, self._arc, self._places)
        fixed = shared.entries(3 * self.arcs + 2)
        blocks = [
            shared.own,
            shared.tracked.after(shared.own_count),
            (entries[0], self._first_mix + entries[1], entries[2]),
            (fixed[0], self._first_use + fixed[1], fixed[2]),
            (own[row], mixes, np.ones(len(row))),
            (own, uses, -np.ones(len(uses))),
        ]
        for number, group in enumerate(groups):
            used = self._first_use + np.flatnonzero(np.isin(self.arcs, group))
            place = len(shared.lower) + len(self.arcs) + number
            blocks.append((np.full(len(used), place), used, np.ones(len(used))))
            lower.append(np.full(1, -np.inf))
            upper.append(np.full(1, len(group) - 1.0))
        self._begin(np.concatenate(lower), np.concatenate(upper), joined(blocks), count)

    def _begin(self, lower: Floats, upper: Floats, block: Block, count: int) -> None:
        row, column, value = block
        model = self._highs.HighsLp()
        model.num_col_, model.num_row_ = count, len(lower)
        cost, least, most = np.zeros(count), np.zeros(count), np.full(count, np.inf)
        cost[0], least[0] = 1.0, -np.inf
        off = slice(self._shared.own_count, self._first_use)
        most[1 : off.start] = 0.0
        cost[off], most[off] = self._shared.tracked.cost, self._shared.tracked.most
        cost[self._first_use : self._first_mix] = self._shared.price[self.arcs]
        most[self._first_use :] = 1.0
        model.col_cost_, model.col_lower_, model.col_upper_ = cost, least, most
        model.row_lower_, model.row_upper_ = lower, upper
        model.a_matrix_.format_ = self._highs.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(column, np.arange(count + 1)).astype(np.int32)
        model.a_matrix_.index_ = row.astype(np.int32)
        model.a_matrix_.value_ = value
        whole = self._highs.HighsVarType.kInteger
        kinds = np.full(count, self._highs.HighsVarType.kContinuous)
        kinds[self._first_use : self._first_mix] = whole
        model.integrality_ = kinds.tolist()
        self._solver = solver()
        self._solver.passModel(model)

    def option(self, name: str, value: Any) -> None:
        """Set one of the solver's options."""
        self._solver.setOptionValue(name, value)

    def allow_missed(self, most: float) -> None:
        """Let ranges be missed, together by *most*."""
        which = np.arange(1, self._shared.own_count, dtype=np.int32)
        far = np.full(len(which), np.inf)
        self._solver.changeColsBounds(len(which), which, np.zeros(len(which)), far)
        self._solver.changeRowBounds(self._shared.missed_row, -np.inf, most)

    def only_missed(self) -> None:
        """Let ranges be missed, and nothing cost but that."""
        self.allow_missed(np.inf)
        every = np.arange(self._first_mix, dtype=np.int32)
        price = np.zeros(len(every))
        price[1 : self._shared.own_count] = 1.0
        self._solver.changeColsCost(len(every), every, price)

    def begin_with(self, sold: Floats) -> None:
        """Tell the solver which arcs a known flow uses."""
        which = np.arange(self._first_use, self._first_mix, dtype=np.int32)
        used = (sold[self.arcs] > 0).astype(np.float64)
        self._solver.setSolution(len(which), which, used)

    @property
    def braked(self) -> bool:
        """Whether the solver's time ran out."""
        return bool(self._solver.getModelStatus() == self._highs.HighsModelStatus.kTimeLimit)

    @property
    def seconds(self) -> float:
        """How long the solver took, by its own clock."""
        return float(self._solver.getRunTime())

    def solve(self) -> Answer | None:
        """The best that the solver finds, or None when there is nothing."""
        run(self._solver)
        found = self._solver.getInfo()
        if found.primal_solution_status != 2:
            return None
        values = np.array(self._solver.getSolution().col_value)
        mix, count = values[self._first_mix :], len(self._shared.price)
        used = np.zeros(count)
        used[self.arcs] = values[self._first_use : self._first_mix]
        return Answer(
            value=found.objective_function_value,
            bound=found.mip_dual_bound,
            sold=self._summed(mix * self._sold),
            brought=self._summed(mix * self._brought),
            used=used,
        )

    def _summed(self, values: Floats) -> Floats:
        """Values of sizes by arc."""
        count = len(self._shared.price)
        return np.asarray(np.bincount(self._arc, weights=values, minlength=count), dtype=np.float64)
