"""The relaxation that bounds the cost: mixtures of sizes of each arc, found column by column.

An arc may be used in part here. Sizes are priced in as they are needed; what the rows' prices
then prove does not rest on the solver: see `Master.proven`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.planning.coupling import Coupling, joined
from agent.planning.sizes import Sizes, mixed
from agent.planning.solver import run, solver
from agent.planning.table import Bools, Floats, Ints

_DUAL, _PRIMAL = 1, 4
"""The solver's simplex variants: rows leave a start for the one, columns for the other."""

_NOTHING = 1e-7
"""A price nearer to zero than this (scaled money) is none: the solver's own tolerance."""

LITTLE = 1e-9
"""An arc that is used in a smaller part than this is not used."""

_LEAST_PART = 0.01
"""The smallest part that an arc's fixed cost is spread over."""

MISSED_PRICE = 10.0
"""What a unit costs that ranges are missed by: more than any ladder loses of a unit."""

UNMET_PRICE = 1e4
"""What it costs not to enter a range that must be entered, while columns are few."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxed:
    """The relaxation's answer: `bound` is proven, `price` is what each arc's use adds to it.

    `used` is in how large a part each arc is used, `sparse` are the arcs of an answer that uses few
    of them; `missed` what ranges are missed by; `costs`
    are the prices of all sizes, and `dual` those of the shared rows.
    """

    bound: float
    missed: float
    used: Floats
    sparse: Bools
    price: Floats
    costs: Floats
    dual: Floats


def proven(shared: Coupling, found: Sizes, dual: Floats) -> tuple[float, Floats, Floats]:
    """What prices of rows prove of the cost of all flows, the prices themselves, and of sizes.

    For any prices of the right sign the rows' worth and, for each arc by itself, the least of
    using it at any size or not at all, are together no more than any flow costs.
    """
    dual = np.where(np.isinf(shared.lower), np.minimum(dual, 0.0), dual)
    dual = np.where(np.isinf(shared.upper), np.maximum(dual, 0.0), dual)
    which = slice(shared.ranges_row, shared.ranges_row + shared.own_count - 1)
    dual[which] = np.clip(dual[which], -MISSED_PRICE, MISSED_PRICE)
    dual[shared.missed_row] = 0.0
    row, column, value = shared.own
    of_loss = (column == 0) & (row > 0)
    dual[0] = 1.0 - float((value[of_loss] * dual[row[of_loss]]).sum())
    side = np.where(dual > 0, shared.lower, shared.upper)
    worth = float((dual * np.where(dual == 0, 0.0, side)).sum())
    costs = found.priced(shared.reduced(dual), shared, dual)
    worth += shared.tracked.least(dual)
    return worth + float(np.minimum(costs.min(axis=1), 0.0).sum()), dual, costs


class Master:
    """The relaxation over all arcs."""

    def __init__(self, shared: Coupling, found: Sizes, fixed: Floats) -> None:
        self._shared, self._sizes = shared, found
        self._solver = solver()
        self._solver.setOptionValue("presolve", "off")
        self._fixed = fixed
        self._rows = len(shared.lower)
        self._twice = np.full(len(fixed), -1, dtype=np.int64)
        self._arc = np.zeros(0, dtype=np.int64)
        self._begin()

    def _begin(self) -> None:
        shared = self._shared
        blank = np.zeros(self._rows, dtype=np.int32)
        empty, none = np.zeros(0, dtype=np.int32), np.zeros(0)
        self._solver.addRows(self._rows, shared.lower, shared.upper, 0, blank, empty, none)
        cost, lower = np.full(shared.own_count, MISSED_PRICE), np.zeros(shared.own_count)
        cost[0], lower[0] = 1.0, -np.inf
        self._add_columns(cost, lower, shared.own)
        cuts = np.flatnonzero(shared.lower == 1.0)
        unmet = (cuts, np.arange(len(cuts)), np.ones(len(cuts)))
        self._add_columns(np.full(len(cuts), UNMET_PRICE), np.zeros(len(cuts)), unmet)
        off = shared.tracked
        if len(off.cost):
            self._add_columns(off.cost, np.zeros(len(off.cost)), off.entries, off.most)
        self._first = shared.own_count + len(cuts) + len(off.cost)
        inside = self._sizes.fresh & (self._sizes.beyond.sum(axis=0) == 0)
        arcs = np.flatnonzero(inside.any(axis=1))
        last = inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
        self.add(arcs, last[arcs])

    def _add_columns(
        self, cost: Floats, lower: Floats, block: Any, upper: Floats | None = None
    ) -> None:
        row, column, value = block
        upper = np.full(len(cost), np.inf) if upper is None else upper
        starts = np.searchsorted(column, np.arange(len(cost))).astype(np.int32)
        self._solver.addCols(
            len(cost), cost, lower, upper, len(row), starts,
            row.astype(np.int32), value,
        )  # fmt: skip

    def add(self, arcs: Ints, places: Ints) -> None:
        """Add one column for each arc: that it is used at one of its sizes."""
        shared = self._shared
        own = np.flatnonzero(self._twice[arcs] >= 0)
        blocks = [
            mixed(self._sizes, shared, arcs, places),
            shared.entries(3 * arcs + 2),
            (self._twice[arcs[own]], own, np.ones(len(own))),
        ]
        self._add_columns(shared.price[arcs], np.zeros(len(arcs)), joined(blocks))
        self._arc = np.concatenate([self._arc, arcs])

    def solve(self, *, rounds: int, slopes: int) -> Relaxed | None:
        """Price columns in until none is worth more than nothing, or for so many rounds."""
        strategy = _PRIMAL
        for asked in range(1, rounds + 1):
            self._solver.setOptionValue("simplex_strategy", strategy)
            run(self._solver)
            info = self._solver.getInfo()
            if info.primal_solution_status != 2 or info.dual_solution_status != 2:
                return None
            solution = self._solver.getSolution()
            values, dual = np.array(solution.col_value), np.array(solution.row_dual)
            if asked == rounds:
                break
            if self._once(values):
                strategy = _DUAL
            elif self._price_in(dual):
                strategy = _PRIMAL
            else:
                break
        return self._relaxed(values, dual, slopes)

    def _sparse(self, used: Floats, rounds: int) -> Bools:
        """Which arcs are used when those that are used in part cost as much as if wholly.

        Slope scaling: each round's parts are the next round's prices, so that few arcs are used
        much instead of many a little.
        """
        weight = np.ones(len(used))
        which = np.arange(self._first, self._first + len(self._arc), dtype=np.int32)
        self._solver.setOptionValue("simplex_strategy", _PRIMAL)
        for _ in range(rounds):
            weight = np.where(used > LITTLE, 1.0 / np.clip(used, _LEAST_PART, 1.0), weight)
            cost = self._shared.price + (weight - 1.0) * self._fixed
            self._solver.changeColsCost(len(which), which, cost[self._arc])
            run(self._solver)
            used = self._used(np.array(self._solver.getSolution().col_value))
        return np.asarray(used > LITTLE)

    def _once(self, values: Floats) -> bool:
        """See to it that no arc is used more than once; whether one was."""
        arcs = np.flatnonzero((self._used(values) > 1 + 1e-6) & (self._twice < 0))
        if not len(arcs):
            return False
        self._twice[arcs] = self._rows + np.arange(len(arcs))
        old = np.flatnonzero(np.isin(self._arc, arcs))
        row = self._twice[self._arc[old]] - self._rows
        order = np.argsort(row, kind="stable")
        self._solver.addRows(
            len(arcs), np.full(len(arcs), -np.inf), np.ones(len(arcs)), len(row),
            np.searchsorted(row[order], np.arange(len(arcs))).astype(np.int32),
            (self._first + old[order]).astype(np.int32), np.ones(len(row)),
        )  # fmt: skip
        self._rows += len(arcs)
        return True

    def _used(self, values: Floats) -> Floats:
        mix = values[self._first :]
        used = np.bincount(self._arc, weights=mix, minlength=len(self._fixed))
        return np.asarray(used, dtype=np.float64)

    def _price_in(self, dual: Floats) -> bool:
        """Add the column of each arc that is worth most; whether there were any."""
        costs = self._sizes.priced(self._shared.reduced(dual), self._shared, dual)
        best = costs.argmin(axis=1)
        worth = costs[np.arange(len(best)), best]
        own = np.flatnonzero(self._twice >= 0)
        worth[own] -= dual[self._twice[own]]
        arcs = np.flatnonzero(worth < -_NOTHING)
        if len(arcs):
            self.add(arcs, best[arcs])
        return bool(len(arcs))

    def _relaxed(self, values: Floats, dual: Floats, slopes: int) -> Relaxed:
        shared = self._shared
        bound, prices, costs = proven(shared, self._sizes, dual[: len(shared.lower)])
        price = costs.min(axis=1)
        return Relaxed(
            bound=bound,
            missed=float(values[1 : shared.own_count].sum()),
            used=self._used(values),
            sparse=self._sparse(self._used(values), slopes),
            price=price,
            costs=costs,
            dual=prices,
        )
