"""What the arcs of one range must cost together, whatever the others do: it raises the bound.

Arcs are parted by the range that is all their own. With the prices of what ranges share given,
each part is a small question that the solver answers exactly, where the relaxation would use
arcs in part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.planning.coupling import Coupling
from agent.planning.master import Relaxed
from agent.planning.sizes import Sizes, widened
from agent.planning.table import Bools, Floats, Ints, Table
from agent.planning.tree import Floor, Priced, Tree

_NOBODY = -1

_GAP = 1e-9
"""The gap at which the search of a share ends: its gain is the least proven."""

_WHOLE = 1e-6
"""An arc that is used in all but so small a part is used wholly."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """Arcs and rows by the range that they belong to alone; -1 is shared."""

    shared: Coupling
    sizes: Sizes
    arc: Ints
    row: Ints

    def gains(
        self, relaxed: Relaxed, *, near: float, most_lost: float, nodes: int
    ) -> tuple[Floats, tuple[Floor, ...]]:
        """By range how much more its own arcs cost than the relaxation says, and what they cost.

        At its prices: each is proven for flows that lose no more than *most_lost*, all of them
        together. Ranges whose arcs the relaxation uses wholly or not at all gain nothing. What
        costs more than *near* is not looked at, so that no range gains more than that.
        """
        dual, costs = relaxed.dual, relaxed.costs
        common = np.where(self.row == _NOBODY, dual, 0.0)
        priced = self.sizes.priced(self.shared.reduced(common), self.shared, common)
        close = widened(costs - np.minimum(relaxed.price, 0.0)[:, None] <= near) & self.sizes.fresh
        part = (relaxed.used > _WHOLE) & (np.abs(relaxed.used - 1) > _WHOLE)
        lost = np.where(self.sizes.fresh, self.sizes.sold - self.sizes.brought, 0.0)
        least_lost = float(np.minimum(lost.min(axis=1), 0.0).sum())
        row, column, value = self.shared.own
        found, floors = np.zeros(int(self.arc.max(initial=0)) + 1), list[Floor]()
        for share in np.unique(self.arc[part & (self.arc != _NOBODY)]).tolist():
            mine = (column == 0) & (self.row[row] == share)
            alone = _alone(self.shared, self.row == share)
            of_loss = float((value[mine] * dual[row[mine]]).sum())
            tree = Tree(
                alone,
                self.sizes,
                close & (self.arc == share)[:, None],
                priced=Priced(costs=priced, of_loss=of_loss, lost=(least_lost, most_lost)),
            )
            answer = tree.search(most=np.inf, gap=_GAP, nodes=nodes, seconds=np.inf, known=False)
            if answer is not None:
                known = self._floor(share, dual, relaxed.price)
                found[share] = min(max(answer.bound - known, 0.0), near)
                least = known + float(found[share])
                floors.append(
                    Floor(arcs=self.arc == share, dual=common, of_loss=of_loss, least=least)
                )
        return found, tuple(floors)

    def _floor(self, share: int, dual: Floats, price: Floats) -> float:
        """What the relaxation's prices prove of a share."""
        mine = np.where(self.row == share, dual, 0.0)
        side = np.where(mine > 0, self.shared.lower, self.shared.upper)
        worth = float((mine * np.where(mine == 0, 0.0, side)).sum())
        return worth + float(np.minimum(price[self.arc == share], 0.0).sum())


def shares(table: Table, shared: Coupling, found: Sizes) -> Shares:
    """Each arc belongs to the range that fewest arcs touch, but for the range of most arcs."""
    touched = table.member[:, table.tail] | table.member[:, table.head]
    counts = touched.sum(axis=1)
    many = np.where(touched, counts[:, None], np.iinfo(np.int64).max)
    arc = np.where(touched.any(axis=0), many.argmin(axis=0), _NOBODY)
    arc[arc == counts.argmax()] = _NOBODY
    column = np.repeat(np.arange(len(shared.start) - 1), np.diff(shared.start))
    rows, owners = [shared.row], [arc[column // 3]]
    for kind in range(3):
        some = found.beyond[kind].any(axis=1)
        rows.append(shared.over[kind][some])
        owners.append(arc[some])
    row, owner = np.concatenate(rows), np.concatenate(owners)
    first = np.full(len(shared.lower), np.iinfo(np.int64).max)
    last = np.full(len(shared.lower), _NOBODY)
    np.minimum.at(first, row, owner)
    np.maximum.at(last, row, owner)
    # How far a range is off is everybody's: it has a price alone.
    last[shared.tracked.rows] = _NOBODY - 1
    return Shares(shared=shared, sizes=found, arc=arc, row=np.where(first == last, first, _NOBODY))


def _alone(shared: Coupling, kept: Bools) -> Coupling:
    """Some rows by themselves, and one more for all that would go into others."""
    count = int(kept.sum())
    index = np.where(kept, np.cumsum(kept) - 1, count)
    entry = kept[shared.row]
    column = np.repeat(np.arange(len(shared.start) - 1), np.diff(shared.start))[entry]
    row, owned, value = shared.own
    loss = kept[row] & (owned == 0)
    return Coupling(
        lower=np.append(shared.lower[kept], -np.inf),
        upper=np.append(shared.upper[kept], np.inf),
        ranges_row=count,
        missed_row=count,
        start=np.searchsorted(column, np.arange(len(shared.start))),
        row=index[shared.row[entry]],
        value=shared.value[entry],
        own=(index[row[loss]], owned[loss], value[loss]),
        own_count=1,
        price=np.zeros(len(shared.price)),
        room=shared.room,
        over=index[shared.over],
    )
