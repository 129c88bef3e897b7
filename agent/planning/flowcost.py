"""What a flow costs and misses by the exact ladders, whoever found it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.planning.table import Floats, Ints, Table
from agent.planning.tracked import charge, distances

DUST = 1e-8
"""The part of the whole that counts as nothing: far below what any price is known to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A flow by the table's arcs with its cost and what it misses (scaled); `fits` the limits.

    `charge` is the part of the cost that is charged for distances from targets, `off`, by range.
    """

    sold: Floats
    cost: float
    missed: float
    fits: bool
    charge: float
    off: Floats

    def better_than(self, other: Outcome, dust: float) -> bool:
        """Whether it misses less, or as much and costs less."""
        if self.fits != other.fits:
            return self.fits
        if abs(self.missed - other.missed) > dust:
            return self.missed < other.missed
        return self.cost < other.cost


def outcome(table: Table, sold: Floats) -> Outcome:
    """Carry a flow out."""
    on = np.flatnonzero(sold > 0)
    moved = sold[on]
    brought = table.brought_by(moved, on)
    dust = DUST * table.whole
    tail, head, payer = table.tail[on], table.head[on], table.payer[on]
    paid = payer >= 0
    after, free, sure = table.start.copy(), table.free.copy(), table.start.copy()
    for values, arrives in ((after, brought), (free, brought), (sure, brought * table.sure[on])):
        np.subtract.at(values, tail, moved)
        np.add.at(values, head, arrives)
    for values in (after, sure):
        np.subtract.at(values, payer[paid], table.fixed[on][paid])
    whole = after.sum()
    short = table.low * whole - table.tolerance - table.member @ sure
    over = table.member @ after - table.high * whole - table.tolerance
    missed = np.maximum(np.maximum(short, over), 0.0)
    missed = np.where(missed > dust, missed, 0.0)
    sizes = (moved >= table.least[on] - dust) & (moved <= table.most[on] + dust)
    limits = (
        moved[table.trade[on]].sum() <= table.max_turnover + dust
        and moved[table.bridge[on]].sum() <= table.max_in_flight + dust
        and table.trade[on].sum() <= table.max_legs
    )
    limits = limits and not (table.joint.beyond(on, moved, brought) > dust).any()
    charged = charge(table, after)
    return Outcome(
        sold=sold,
        cost=float((moved - brought).sum() + table.fixed[on].sum()) + charged,
        missed=float(missed.sum()),
        fits=bool(limits and sizes.all() and (free >= -dust).all() and circle(table, on) is None),
        charge=charged,
        off=distances(table, after),
    )


def circle(table: Table, on: Ints) -> Ints | None:
    """Arcs among these that lead round, one after the other; None when there are none."""
    leaving: dict[int, list[int]] = {}
    for arc in on.tolist():
        leaving.setdefault(int(table.tail[arc]), []).append(arc)
    done: set[int] = set()
    for first in sorted(leaving):
        path: list[int] = []
        waiting = [iter(leaving[first])] if first not in done else []
        nodes = [first]
        while waiting:
            arc = next(waiting[-1], None)
            if arc is None:
                waiting.pop()
                done.add(nodes.pop())
                path = path[:-1]
                continue
            head = int(table.head[arc])
            if head in nodes:
                return np.array([*path, arc][nodes.index(head) :], dtype=np.int64)
            if head not in done:
                path.append(arc)
                nodes.append(head)
                waiting.append(iter(leaving.get(head, ())))
    return None


def wasted(table: Table, sold: Floats, brought: Floats) -> Floats:
    """*sold*, and wasted what arcs bring less than their ladders, if there is an arc for that."""
    wastes = np.flatnonzero(table.wastes)
    if not len(wastes):
        return sold
    used = np.flatnonzero((sold > 0) & ~table.wastes)
    less = np.maximum(table.brought_by(sold[used], used) - brought[used], 0.0)
    by_node = np.bincount(table.head[used], weights=less, minlength=len(table.start))
    kept = table.brought[wastes, -1] / table.sold[wastes, -1]
    more = np.minimum(by_node[table.tail[wastes]] / (1.0 - kept), table.most[wastes] - sold[wastes])
    found = sold.copy()
    found[wastes] += more
    return found
