"""What ties the arcs together: balances, ranges and limits, as rows of one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from agent.planning.majorant import bent
from agent.planning.table import Bools, Floats, Ints, Table
from agent.planning.tracked import NOTHING, Tracked, arc_blocks, of_loss, sides, tracked

_NEED = 1e-6
"""Less than this (scaled money) is no need: a cut that asks for a leg must not rest on rounding."""

Block = tuple[Ints, Ints, Floats]
"""Rows, columns and values of entries of a sparse matrix."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coupling:
    """Shared rows, and what each arc puts into them.

    The columns of arc a are 3a (sold), 3a + 1 (brought) and 3a + 2 (used): `start`, `row` and
    `value` are compressed columns. `own` are the entries of the columns that no arc owns: the
    value lost, then by range what it is too small by, then what it is too large by. `room` is by
    kind and arc how much may be moved unless others make room, and `over` the row that what is
    moved beyond it counts in. `price` is what using an arc costs nobody whose value counts.
    `tracked` has more columns that no arc owns: distances from targets, which cost.
    """

    lower: Floats
    upper: Floats
    ranges_row: int
    missed_row: int
    start: Ints
    row: Ints
    value: Floats
    own: Block
    own_count: int
    price: Floats
    room: Floats
    over: Ints
    tracked: Tracked = NOTHING

    def entries(self, columns: Ints) -> Block:
        """The entries of some of the arcs' columns: rows, places in *columns* and values."""
        sizes = self.start[columns + 1] - self.start[columns]
        first = np.concatenate([[0], np.cumsum(sizes)])
        inner = np.arange(first[-1]) - np.repeat(first[:-1], sizes)
        which = np.repeat(self.start[columns], sizes) + inner
        return self.row[which], np.repeat(np.arange(len(columns)), sizes), self.value[which]

    def reduced(self, dual: Floats) -> Floats:
        """What arcs' columns cost after what their entries earn, by column kind."""
        column = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        earned = np.bincount(
            column, weights=self.value * dual[self.row], minlength=len(self.start) - 1
        )
        found = np.asarray(-earned.reshape(-1, 3), dtype=np.float64)
        found[:, 2] += self.price
        return found


def joined(blocks: list[Block]) -> Block:
    """Entries by column, then row; equal places added up, zeros left out."""
    row, column, value = (np.concatenate(each) for each in zip(*blocks, strict=True))
    order = np.lexsort((row, column))
    row, column, value = row[order], column[order], value[order]
    if not len(row):
        return row, column, value
    fresh = np.flatnonzero(np.r_[True, (np.diff(column) != 0) | (np.diff(row) != 0)])
    row, column, value = row[fresh], column[fresh], np.add.reduceat(value, fresh)
    real = value != 0
    return row[real], column[real], value[real]


class _Rows:
    """The first numbers of the shared rows: what is lost comes first."""

    def __init__(self, nodes: int, ranges: int, joints: int, charged: int) -> None:
        self.balance = 1
        self.low = self.balance + nodes
        self.high = self.low + ranges
        self.over_in = self.high + ranges
        self.over_out = self.over_in + ranges
        self.over_held = self.over_out + ranges
        self.joint = self.over_held + nodes
        self.tracked = self.joint + joints
        self.turnover = self.tracked + charged
        self.in_flight = self.turnover + 1
        self.legs = self.in_flight + 1
        self.missed = self.legs + 1
        self.must_enter = self.missed + 1
        self.must_leave = self.must_enter + ranges
        self.count = self.must_leave + ranges


def coupling(
    table: Table, most_lost: float, *, elastic: bool, near: Floats | None = None
) -> Coupling:
    """The shared rows when no more than *most_lost* may be lost.

    With *elastic* ranges may be missed: nothing is then said of what must enter or leave them.
    What is charged is told most exactly where ranges are *near*, by their distance from targets.
    """
    charged = int((table.rate > 0).sum())
    rows = _Rows(len(table.start), len(table.low), len(table.joint.most), charged)
    lower, upper = _bounds(table, rows, most_lost, elastic=elastic)
    count = 3 * len(table.tail)
    row, column, value = joined(_arc_blocks(table, rows))
    room, over = _rooms(table, rows, most_lost, elastic=elastic)
    return Coupling(
        lower=lower,
        upper=upper,
        ranges_row=rows.low,
        missed_row=rows.missed,
        start=np.searchsorted(column, np.arange(count + 1)),
        row=row,
        value=value,
        own=joined(_own_blocks(table, rows)),
        own_count=1 + 2 * len(table.low),
        price=np.where(table.payer < 0, table.fixed, 0.0),
        room=room,
        over=over,
        tracked=tracked(table, rows.tracked, np.zeros(len(table.low)) if near is None else near),
    )


def _bounds(table: Table, rows: _Rows, most_lost: float, *, elastic: bool) -> tuple[Floats, Floats]:
    lower, upper = np.full(rows.count, -inf), np.full(rows.count, inf)
    lower[0] = upper[0] = 0.0
    lower[rows.balance : rows.low] = -table.free
    lower[rows.low : rows.high] = table.low * table.whole - table.tolerance - table.inside
    upper[rows.high : rows.over_in] = table.high * table.whole + table.tolerance - table.inside
    upper[rows.over_in : rows.joint] = 0.0
    upper[rows.joint : rows.tracked] = table.joint.most
    lower[rows.tracked : rows.turnover] = upper[rows.tracked : rows.turnover] = sides(table)
    limits = [table.max_turnover, table.max_in_flight, table.max_legs]
    upper[rows.turnover : rows.missed] = limits
    if not elastic:
        # What must at least enter each range, and what must leave it, whatever else happens.
        need = table.low * (table.whole - most_lost) - table.tolerance - table.inside
        excess = table.inside - table.high * table.whole - table.tolerance
        # What a range gains inside makes it large enough without any arc that enters it, and what
        # it loses there small enough: no more than all may lose, and others gain.
        gains, inner = _gains(table), _inner(table)
        others = (~inner) @ gains
        lost = np.minimum(most_lost + others, _losses(table))
        need -= inner @ gains
        excess -= (1.0 - table.high) * np.maximum(lost, 0.0) + table.high * others
        lower[rows.must_enter : rows.must_leave] = np.where(need > _NEED, 1.0, -inf)
        lower[rows.must_leave :] = np.where(excess > _NEED, 1.0, -inf)
    return lower, upper


def _crossings(table: Table) -> tuple[Bools, Bools]:
    """By range and arc: which leave it, which enter it."""
    at_tail, at_head = table.member[:, table.tail], table.member[:, table.head]
    return at_tail & ~at_head, at_head & ~at_tail


def _inner(table: Table) -> Bools:
    """By range and arc: which begin and end in it."""
    return table.member[:, table.tail] & table.member[:, table.head]


def _losses(table: Table) -> Floats:
    """By range the most that is lost inside, fees included."""
    most = (table.sold - table.brought).max(axis=1, initial=0.0)
    paid = np.zeros(len(table.start))
    np.add.at(paid, table.payer[table.payer >= 0], table.fixed[table.payer >= 0])
    return np.asarray(_inner(table) @ most + table.member @ paid, dtype=np.float64)


def _gains(table: Table) -> Floats:
    """By arc the most that it brings beyond what is sold."""
    gains = (table.brought - table.sold).max(axis=1, initial=0.0)
    return np.where(gains > _NEED, gains, 0.0)


def _block(row: Ints | int, column: Ints, value: Floats | float) -> Block:
    shape = column.shape
    return (
        np.broadcast_to(np.asarray(row, dtype=np.int64), shape),
        column,
        np.broadcast_to(np.asarray(value, dtype=np.float64), shape),
    )


def _arc_blocks(table: Table, rows: _Rows) -> list[Block]:
    sold = 3 * np.arange(len(table.tail))
    brought, used = sold + 1, sold + 2
    joint, paid = table.joint, table.payer >= 0
    payer, fees, uses = table.payer[paid], table.fixed[paid], used[paid]
    blocks = [
        _block(0, sold, -1.0),
        _block(0, brought, 1.0),
        _block(0, uses, -fees),
        _block(rows.balance + table.tail, sold, -1.0),
        _block(rows.balance + table.head, brought, 1.0),
        _block(rows.over_held + table.head, brought, -1.0),
        _block(rows.joint + joint.row, sold[joint.arc], joint.per_sold),
        _block(rows.joint + joint.row, brought[joint.arc], joint.per_brought),
        _block(rows.joint + joint.row, used[joint.arc], joint.per_use),
        _block(rows.turnover, sold[table.trade], 1.0),
        _block(rows.in_flight, sold[table.bridge], 1.0),
        _block(rows.legs, used[table.trade], 1.0),
    ]
    at_tail, at_head = (
        np.nonzero(table.member[:, table.tail]),
        np.nonzero(table.member[:, table.head]),
    )
    of_payer = np.nonzero(table.member[:, payer])
    for base, sure in ((rows.low, table.sure), (rows.high, np.ones(len(sold)))):
        blocks.append(_block(base + at_tail[0], sold[at_tail[1]], -1.0))
        blocks.append(_block(base + at_head[0], brought[at_head[1]], sure[at_head[1]]))
        blocks.append(_block(base + of_payer[0], uses[of_payer[1]], -fees[of_payer[1]]))
    leaves, enters = (np.nonzero(each) for each in _crossings(table))
    # What is lost inside a range makes room in it, and what is gained there can leave it. An arc
    # counts as if it lost all that is sold where it may gain, and where its majorant says too much.
    inner, gains = _inner(table), _gains(table) > 0
    plain = ~gains & ~bent(table.sold, table.brought, by=_NEED)
    within, losing, gaining = map(np.nonzero, (inner, inner & plain, inner & gains))
    blocks += [
        _block(rows.over_in + within[0], sold[within[1]], -1.0),
        _block(rows.over_in + losing[0], brought[losing[1]], 1.0),
        _block(rows.over_out + gaining[0], brought[gaining[1]], -1.0),
        _block(rows.over_in + leaves[0], sold[leaves[1]], -1.0),
        _block(rows.over_in + of_payer[0], uses[of_payer[1]], -fees[of_payer[1]]),
        _block(rows.over_out + enters[0], brought[enters[1]], -1.0),
        _block(rows.must_enter + enters[0], used[enters[1]], 1.0),
        _block(rows.must_leave + leaves[0], used[leaves[1]], 1.0),
        *arc_blocks(table, rows.tracked),
    ]
    return blocks


def _own_blocks(table: Table, rows: _Rows) -> list[Block]:
    ranges = np.arange(len(table.low))
    loss = np.zeros(len(ranges), dtype=np.int64)
    short, over = 1 + ranges, 1 + len(ranges) + ranges
    return [
        _block(0, np.zeros(1, dtype=np.int64), 1.0),
        _block(rows.low + ranges, loss, table.low),
        _block(rows.high + ranges, loss, table.high),
        _block(rows.low + ranges, short, 1.0),
        _block(rows.high + ranges, over, -1.0),
        _block(rows.missed, short, 1.0),
        _block(rows.missed, over, 1.0),
        of_loss(table, rows.tracked),
    ]


def _rooms(table: Table, rows: _Rows, most_lost: float, *, elastic: bool) -> tuple[Floats, Ints]:
    """What may be brought into a range, sold out of one, and sold of a node, by arc.

    What one arc moves beyond that, others must have taken out, or brought, before.
    """
    arcs = np.arange(len(table.tail))
    room = np.full((3, len(arcs)), inf)
    over = np.zeros((3, len(arcs)), dtype=np.int64)
    room[2], over[2] = np.maximum(table.free[table.tail], 0.0), rows.over_held + table.tail
    if not elastic and len(table.low) and len(arcs):
        leaves, enters = _crossings(table)
        most = table.whole + _gains(table).sum()
        take = table.high * most + table.tolerance - table.inside
        give = table.inside - table.low * (table.whole - most_lost) + table.tolerance
        for kind, (crossing, most, base) in enumerate(
            ((enters, take, rows.over_in), (leaves, give, rows.over_out))
        ):
            rooms = np.where(crossing, np.maximum(most, 0.0)[:, None], inf)
            tightest = rooms.argmin(axis=0)
            room[kind], over[kind] = rooms[tightest, arcs], base + tightest
    return room, over
