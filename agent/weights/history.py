"""Past prices of several assets, a fixed number of days apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Closing prices, all positive: `rows[t][i]` is that of `assets[i]` on `days[t]`."""

    assets: tuple[str, ...]
    days: tuple[date, ...]
    rows: tuple[tuple[Decimal, ...], ...]

    @property
    def step_days(self) -> int:
        """Days from one row to the next."""
        return (self.days[1] - self.days[0]).days

    def returns(self, asset: str) -> tuple[Fraction, ...]:
        """What each step brought, as a part of the price before it; exact.

        Exact, so that prices in another unit give the same weights to the last digit.
        """
        column = [Fraction(row[self.assets.index(asset)]) for row in self.rows]
        return tuple(after / before - 1 for before, after in pairwise(column))
