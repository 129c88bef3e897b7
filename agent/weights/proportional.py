"""Shares in proportion to sizes, as far as bounds allow."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent.core.money import WHOLE_BPS
from agent.weights.bounds import Bounds


def proportional(sizes: Mapping[str, Fraction], bounds: Bounds) -> dict[str, Fraction]:
    """One scale for all: share = scale × size, or the bound that this passes; exact.

    That is where capping again and again ends, what is above a cap being divided among the
    others in proportion; with floors too there is still one answer and no order. The sum over
    all assets rises with the scale in straight pieces, so the scale is found by interpolation.

    >>> caps = {"BTC": Fraction(6), "ETH": Fraction(3), "SOL": Fraction(1)}
    >>> from agent.core.money import Bps
    >>> bounds = Bounds(least=dict.fromkeys(caps, Bps(0)), most=dict.fromkeys(caps, Bps(5_000)))
    >>> {name: str(share) for name, share in proportional(caps, bounds).items()}
    {'BTC': '1/2', 'ETH': '3/8', 'SOL': '1/8'}
    """
    least = {name: Fraction(bounds.least[name], WHOLE_BPS) for name in sizes}
    most = {name: Fraction(bounds.most[name], WHOLE_BPS) for name in sizes}

    def shares(scale: Fraction) -> dict[str, Fraction]:
        return {n: max(least[n], min(most[n], scale * size)) for n, size in sizes.items()}

    def total(scale: Fraction) -> Fraction:
        return sum(shares(scale).values(), Fraction(0))

    bends = {ends[n] / size for ends in (least, most) for n, size in sizes.items()}
    scales = sorted({Fraction(0), *bends})
    above = next(i for i, scale in enumerate(scales) if total(scale) >= 1)
    if above == 0:
        return least
    low, high = scales[above - 1], scales[above]
    rise = (1 - total(low)) / (total(high) - total(low))
    return shares(low + rise * (high - low))
