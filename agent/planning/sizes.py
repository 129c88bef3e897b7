"""The sizes that arcs can have: corners of their majorants, and where room ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.planning.coupling import Block, Coupling, joined
from agent.planning.majorant import Hull
from agent.planning.table import Bools, Floats, Ints, along


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizes:
    """By arc and place, in order: what is sold, brought, and moved beyond each kind of room.

    A size between two neighbours is a mixture of them, and so is what is beyond its room.
    """

    sold: Floats
    brought: Floats
    beyond: Floats
    fresh: Bools

    def priced(self, reduced: Floats, shared: Coupling, dual: Floats) -> Floats:
        """What using an arc at each of its sizes costs after what its entries earn."""
        cost = reduced[:, :1] * self.sold + reduced[:, 1:2] * self.brought + reduced[:, 2:]
        for kind in range(3):
            cost = cost - dual[shared.over[kind]][:, None] * self.beyond[kind]
        return np.where(self.fresh, cost, np.inf)


def sizes(hull: Hull, shared: Coupling) -> Sizes:
    """All sizes of all arcs."""
    low, high = hull.sold[:, 0], hull.sold[:, -1]
    fs_high = hull.brought[:, -1]
    # Where exactly as much is brought as there is room for; the other kinds are of what is sold.
    into = np.clip(shared.room[0], hull.brought[:, 0], fs_high)
    grows = np.maximum.accumulate(hull.brought, axis=1)
    ends = [along(grows, hull.sold, into)]
    ends += [np.clip(shared.room[kind], low, high) for kind in (1, 2)]
    extra = np.column_stack(ends)
    sold = np.column_stack([hull.sold, extra])
    brought = np.column_stack(
        [hull.brought, *(along(hull.sold, hull.brought, each) for each in ends)]
    )
    order = np.argsort(sold, axis=1, kind="stable")
    sold = np.take_along_axis(sold, order, axis=1)
    brought = np.take_along_axis(brought, order, axis=1)
    moved = (brought, sold, sold)
    beyond = np.array(
        [np.maximum(moved[kind] - shared.room[kind][:, None], 0.0) for kind in range(3)]
    )
    fresh = np.ones(sold.shape, dtype=np.bool_)
    fresh[:, 1:] = np.diff(sold, axis=1) > 1e-12 * sold[:, 1:]
    order = np.argsort(~fresh, axis=1, kind="stable")
    sold, brought, fresh = (
        np.take_along_axis(each, order, axis=1) for each in (sold, brought, fresh)
    )
    beyond = np.take_along_axis(beyond, order[None], axis=2)
    return Sizes(sold=sold, brought=brought, beyond=beyond, fresh=fresh)


def widened(near: Bools) -> Bools:
    """Sizes and their neighbours: one between two of them is a mixture of both."""
    wide = near.copy()
    wide[:, 1:] |= near[:, :-1]
    wide[:, :-1] |= near[:, 1:]
    return wide


def mixed(found: Sizes, shared: Coupling, arcs: Ints, places: Ints) -> Block:
    """The entries of columns that stand for sizes, but for what using an arc puts into rows."""
    sold, brought = found.sold[arcs, places], found.brought[arcs, places]
    blocks = []
    for kind, by in enumerate((sold, brought)):
        row, column, value = shared.entries(3 * arcs + kind)
        blocks.append((row, column, value * by[column]))
    for kind in range(3):
        beyond = found.beyond[kind][arcs, places]
        some = np.flatnonzero(beyond > 0)
        blocks.append((shared.over[kind][arcs[some]], some, beyond[some]))
    return joined(blocks)
