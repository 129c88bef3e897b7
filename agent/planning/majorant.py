"""The least concave majorant of a ladder: no flow brings more than it, so it bounds the cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.planning.table import Bools, Floats, Table, along


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hull:
    """Corners of each arc's majorant from its least to its most."""

    sold: Floats
    brought: Floats


def hull(table: Table) -> Hull:
    """The majorants of all arcs between their least and their most."""
    low, high = table.least, table.most
    xs = np.clip(table.sold, low[:, None], high[:, None])
    fs = np.where(table.sold < low[:, None], table.brought_by(low)[:, None], table.brought)
    fs = np.where(table.sold > high[:, None], table.brought_by(high)[:, None], fs)
    xs = np.column_stack([xs, high])
    fs = np.column_stack([fs, table.brought_by(high)])
    for row in np.flatnonzero(bent(xs, fs)):
        xs[row], fs[row] = _corners(xs[row], fs[row])
    return Hull(sold=xs, brought=fs)


def bent(xs: Floats, fs: Floats, *, by: float = 0.0) -> Bools:
    """Rows whose slopes, those of no width left out, somewhere grow *by* more than this."""
    width = np.diff(xs, axis=1)
    slopes = np.where(width > 0, np.diff(fs, axis=1) / np.where(width > 0, width, 1.0), np.inf)
    before = np.minimum.accumulate(slopes, axis=1)
    return np.asarray((np.isfinite(slopes) & (slopes > before + by)).any(axis=1))


def _corners(xs: Floats, fs: Floats) -> tuple[Floats, Floats]:
    """The upper hull of one ladder's points, filled up with its last one."""
    kept: list[tuple[float, float]] = []
    for x, f in zip(xs.tolist(), fs.tolist(), strict=True):
        if kept and x <= kept[-1][0]:
            continue
        while len(kept) > 1:
            (x0, f0), (x1, f1) = kept[-2:]
            if (f1 - f0) * (x - x0) > (f - f0) * (x1 - x0):
                break
            kept.pop()
        kept.append((x, f))
    kept += [kept[-1]] * (len(xs) - len(kept))
    points = np.array(kept)
    return points[:, 0], points[:, 1]


def concave_run(table: Table, arc: int, sold: float) -> tuple[Floats, Floats]:
    """The points around a size of an arc between which its exact ladder is concave."""
    xs = np.unique(np.clip(table.sold[arc], table.least[arc], table.most[arc]))
    xs = np.unique(np.append(xs, (table.least[arc], table.most[arc])))
    fs = along(
        np.broadcast_to(table.sold[arc], (len(xs), table.sold.shape[1])),
        np.broadcast_to(table.brought[arc], (len(xs), table.sold.shape[1])),
        xs,
    )
    if len(xs) == 1:
        return xs, fs
    slope = np.diff(fs) / np.diff(xs)
    first = last = int(np.clip(np.searchsorted(xs, sold) - 1, 0, len(slope) - 1))
    while first > 0 and slope[first - 1] >= slope[first]:
        first -= 1
    while last + 1 < len(slope) and slope[last + 1] <= slope[last]:
        last += 1
    return xs[first : last + 2], fs[first : last + 2]
