"""Fewer sizes in the place of many: the corners of tangents, between which all of them lie.

A mixture of some sizes of a ladder brings less than the ladder between them, so that leaving sizes
out would prove too much. Where two tangents of it meet is above it: mixtures of such corners hold
all that mixtures of the sizes do, and more by little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from agent.planning.coupling import Coupling
from agent.planning.sizes import Sizes
from agent.planning.table import Bools, Floats, Ints

_STRAIGHT = 1e-12
"""Slopes that differ by less are one."""

_SAME = 1e-9
"""Sizes that differ by so small a part are the same."""


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The offered sizes of one arc: sold, brought, by kind what is beyond its room, and slopes."""

    sold: Floats
    brought: Floats
    beyond: Floats
    slope: Floats

    def corner(self, one: int, other: int) -> tuple[float, float] | None:
        """Where the tangents between two sizes meet, if there is anything between them."""
        first, last = float(self.slope[one]), float(self.slope[other - 1])
        if other - one < 2 or first - last <= _STRAIGHT:
            return None
        x0, f0 = float(self.sold[one]), float(self.brought[one])
        x1, f1 = float(self.sold[other]), float(self.brought[other])
        sold = (f1 - f0 - last * x1 + first * x0) / (first - last)
        return sold, f0 + first * (sold - x0)

    def kept(self, near: float, most: float) -> list[int]:
        """The sizes that tangents touch, so that no corner is above the ladder by more than *most*.

        Ends are touched, the size next to *near*, and those where room ends: what is beyond it
        grows evenly between any two of them.
        """
        last = len(self.sold) - 1
        touched = {0, last}
        if near > 0:
            touched.add(int(np.abs(self.sold - near).argmin()))
        for kind, place in np.argwhere((self.beyond[:, :-1] <= 0) & (self.beyond[:, 1:] > 0)):
            moved = self.sold if kind else self.brought
            step = float(moved[place + 1] - moved[place])
            # Room ends at this size, or else at one between that is not offered.
            at_once = float(self.beyond[kind, place + 1]) >= step * (1.0 - _SAME)
            touched |= {int(place)} if at_once else {int(place), int(place) + 1}
        waiting = list(pairwise(sorted(touched)))
        while waiting:
            one, other = waiting.pop()
            corner = self.corner(one, other)
            if corner is None:
                continue
            if corner[1] - float(np.interp(corner[0], self.sold, self.brought)) > most:
                place = int(np.clip(np.searchsorted(self.sold, corner[0]), one + 1, other - 1))
                touched.add(place)
                waiting += [(one, place), (place, other)]
        return sorted(touched)

    def outline(self, near: float, most: float) -> Iterator[tuple[float, float]]:
        """Sizes and corners in order."""
        kept = self.kept(near, most)
        for one, other in pairwise(kept):
            yield float(self.sold[one]), float(self.brought[one])
            corner = self.corner(one, other)
            if corner is not None:
                yield corner
        yield float(self.sold[kept[-1]]), float(self.brought[kept[-1]])


def outlined(found: Sizes, shared: Coupling, offered: Bools, *, near: Floats, most: float) -> Sizes:
    """The *offered* sizes by fewer ones, whose mixtures bring more by no more than *most*.

    What mixtures of the offered ones sell, bring and move beyond their room, mixtures of these do
    too. *near* is by arc what is sold by a good flow: there nothing more is brought.
    """
    outlines = [
        list(_ladder(found, arc, places).outline(float(near[arc]), most)) if len(places) else []
        for arc, places in enumerate(map(np.flatnonzero, offered & found.fresh))
    ]
    width = max(map(len, outlines), default=1) or 1
    fresh = np.array([[k < len(each) for k in range(width)] for each in outlines], dtype=np.bool_)
    points = np.array([each + [(0.0, 0.0)] * (width - len(each)) for each in outlines])
    sold, brought = points[..., 0], points[..., 1]
    moved = (brought, sold, sold)
    beyond = np.array(
        [np.maximum(moved[kind] - shared.room[kind][:, None], 0.0) for kind in range(3)]
    )
    return replace(found, sold=sold, brought=brought, beyond=beyond, fresh=fresh)


def _ladder(found: Sizes, arc: int, places: Ints) -> _Ladder:
    sold, brought = found.sold[arc, places], found.brought[arc, places]
    return _Ladder(sold, brought, found.beyond[:, arc, places], np.diff(brought) / np.diff(sold))
