"""Shares in whole basis points that sum to the whole: the method of the largest remainder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from agent.core.money import WHOLE_BPS, Bps
from agent.weights.bounds import Bounds


def rounded(shares: Mapping[str, Fraction], bounds: Bounds) -> dict[str, Bps]:
    """Each share down to a basis point, what is left to those that lost most; within *bounds*.

    Of equal losses the first by name comes first, so that the order of assets decides nothing.

    >>> thirds = {name: Fraction(1, 3) for name in ("b", "a", "c")}
    >>> rounded(thirds, Bounds.none(("a", "b", "c")))
    {'b': 3333, 'a': 3334, 'c': 3333}
    """
    exact = {name: share * WHOLE_BPS for name, share in shares.items()}
    counts = {
        name: max(bounds.least[name], min(bounds.most[name], math.floor(value)))
        for name, value in exact.items()
    }
    while missing := WHOLE_BPS - sum(counts.values()):
        step = 1 if missing > 0 else -1
        ends = bounds.most if missing > 0 else bounds.least
        free = [name for name in counts if counts[name] != ends[name]]
        # The one that is furthest from its share in this direction.
        chosen = min(free, key=lambda name: (step * (counts[name] - exact[name]), name))
        counts[chosen] += step
    return {name: Bps(count) for name, count in counts.items()}
