"""The charge on how far ranges end from their targets, as the solver is told of it.

Of each charged range one row says how far off it ends, and columns say what that costs: steps that
grow dearer, as the tangents of the charge do. Tangents are nowhere above it, so that what is proven
with them is true; what a flow costs is charged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.planning.table import Floats, Ints, Table

_EVENLY = 8
"""Tangents on either side of the target, up to the farther edge of the band."""

_CLOSER, _FINER = 9, 3.0
"""So many more on either side of where a flow ends that is known, each so many times nearer."""

_LEAST_REACH = 1e-4
"""The part of the whole that tangents reach at least, where bands are narrower."""

_SAME = 1e-9
"""Tangents that are no further apart than this part of their reach are the same."""

_Entries = tuple[Ints, Ints, Floats]
"""Rows, columns and values of entries of a sparse matrix."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tracked:
    """Rows of the ranges that are charged, and columns by which they may be off.

    `curve` is by row what the square of a distance costs (scaled money); a column costs `cost` a
    unit and is no larger than `most`.
    """

    rows: Ints
    curve: Floats
    cost: Floats
    most: Floats
    entries: _Entries

    def after(self, columns: int) -> _Entries:
        """The entries where so many other columns come first."""
        row, column, value = self.entries
        return row, columns + column, value

    def least(self, dual: Floats) -> float:
        """The least that distances cost after what the prices of their rows take, charged exactly.

        Of a distance d that is c·d² + p·d at the price p: −p²/4c, and never more.
        """
        price = dual[self.rows]
        return -float((price * price / (4.0 * self.curve)).sum())


_NONE = np.zeros(0, dtype=np.int64)
NOTHING = Tracked(
    rows=_NONE,
    curve=np.zeros(0),
    cost=np.zeros(0),
    most=np.zeros(0),
    entries=(_NONE, _NONE, np.zeros(0)),
)
"""Where nothing is charged."""


def curve(table: Table) -> Floats:
    """By range what the square of a distance costs."""
    return table.rate / table.whole if table.whole > 0 else np.zeros_like(table.rate)


def distances(table: Table, after: Floats) -> Floats:
    """By range how far it is from its target when nodes have these values."""
    return np.asarray(table.member @ after - table.target * after.sum())


def charge(table: Table, after: Floats) -> float:
    """What distances cost, exactly."""
    off = distances(table, after)
    return float((curve(table) * off * off).sum())


def tracked(table: Table, first: int, near: Floats) -> Tracked:
    """The charges, with their rows from *first* on, finest where ranges are *near* (distances)."""
    charged = np.flatnonzero(table.rate > 0)
    if not len(charged) or not table.whole > 0:
        return NOTHING
    curves = curve(table)[charged]
    cost, most, row, sign = [np.zeros(0)], [np.zeros(0)], [_NONE], [np.zeros(0)]
    for place, which in enumerate(charged.tolist()):
        for side in (1.0, -1.0):
            points = tangents(_reach(table, which), table.whole, side * float(near[which]))
            ends = (points[1:] + points[:-1]) / 2
            cost.append(2.0 * curves[place] * points)
            most.append(np.append(np.diff(ends, prepend=0.0), np.inf))
            row.append(np.full(len(points), first + place))
            sign.append(np.full(len(points), -side))
    rows, values = np.concatenate(row), np.concatenate(sign)
    return Tracked(
        rows=first + np.arange(len(charged)),
        curve=curves,
        cost=np.concatenate(cost),
        most=np.concatenate(most),
        entries=(rows, np.arange(len(rows)), values),
    )


def tangents(reach: float, whole: float, near: float) -> Floats:
    """Distances on one side of a target, from 0 on, at which the charge's tangents are taken."""
    far = 2.0 ** np.arange(1.0, 1.0 + max(0.0, np.ceil(np.log2(whole / reach))))
    evenly = np.arange(1.0, _EVENLY + 1) / _EVENLY
    closer = _FINER ** -np.arange(1.0, _CLOSER + 1)
    about = near / reach + np.concatenate([[0.0], closer, -closer])
    points = np.unique(np.concatenate([[0.0], evenly, far, about[about > 0]]))
    kept = np.append(True, np.diff(points) > _SAME)
    return np.asarray(reach * points[kept])


def _reach(table: Table, which: int) -> float:
    target, whole = table.target[which], table.whole
    edge = max(abs(table.low[which] - target), abs(table.high[which] - target))
    return float(max(edge * whole + table.tolerance[which], _LEAST_REACH * whole))


def arc_blocks(table: Table, first: int) -> list[_Entries]:
    """What arcs put into the rows: what they take from a range, bring to it, and make it pay."""
    charged = np.flatnonzero(table.rate > 0)
    if not len(charged):
        return []
    member = table.member[charged]
    paid = np.flatnonzero(table.payer >= 0)
    leaves, enters = np.nonzero(member[:, table.tail]), np.nonzero(member[:, table.head])
    pays = np.nonzero(member[:, table.payer[paid]])
    payers = paid[pays[1]]
    return [
        (first + leaves[0], 3 * leaves[1], np.full(len(leaves[0]), -1.0)),
        (first + enters[0], 3 * enters[1] + 1, np.ones(len(enters[0]))),
        (first + pays[0], 3 * payers + 2, -table.fixed[payers]),
    ]


def of_loss(table: Table, first: int) -> _Entries:
    """What the value lost puts into the rows: targets are shares of what is left."""
    charged = np.flatnonzero(table.rate > 0)
    rows = first + np.arange(len(charged))
    return rows, np.zeros(len(charged), dtype=np.int64), table.target[charged]


def sides(table: Table) -> Floats:
    """What the rows are equal to."""
    charged = np.flatnonzero(table.rate > 0)
    return np.asarray(table.target[charged] * table.whole - table.inside[charged])
