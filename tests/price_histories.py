"""Past prices for tests of weights: random walks with a common factor, and walks with exact moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from agent.weights import History

FIRST = date(2026, 1, 1)
NAMES = ("ETH", "WBTC", "BNB", "AVAX", "POL", "USDC")


def of_returns(returns: np.ndarray, names: Sequence[str] = NAMES) -> History:
    """Prices that start at 100 and bring these returns, one row a day."""
    prices = 100 * np.cumprod(np.vstack([np.ones(returns.shape[1]), 1 + returns]), axis=0)
    return History(
        assets=tuple(names[: returns.shape[1]]),
        days=tuple(FIRST + timedelta(days=i) for i in range(len(prices))),
        rows=tuple(tuple(Decimal(f"{price:.12f}") for price in row) for row in prices),
    )


def walk(seed: int, assets: int, *, days: int = 90) -> History:
    """A factor in common, more or less of it, and volatilities from a stablecoin's to a wild one's."""
    random = np.random.default_rng(seed)
    common = random.normal(size=(days, 1)) * random.uniform(-0.5, 1.5, size=assets)
    own = random.normal(size=(days, assets))
    return of_returns((common + own) * 10 ** random.uniform(-3.5, -1.5, size=assets))


def covariance(history: History) -> np.ndarray:
    columns = [[float(each) for each in history.returns(name)] for name in history.assets]
    return np.cov(np.array(columns))


def in_another_order(history: History, order: Sequence[int]) -> History:
    return History(
        assets=tuple(history.assets[i] for i in order),
        days=history.days,
        rows=tuple(tuple(row[i] for i in order) for row in history.rows),
    )


def in_another_unit(history: History, factors: Sequence[Decimal]) -> History:
    """The same prices, each asset's times a factor; exact for prices of few digits."""
    return History(
        assets=history.assets,
        days=history.days,
        rows=tuple(
            tuple(price * factor for price, factor in zip(row, factors, strict=True))
            for row in history.rows
        ),
    )


def csv_of(history: History) -> str:
    head = ",".join(("date", *history.assets))
    lines = [
        ",".join((day.isoformat(), *map(str, row)))
        for day, row in zip(history.days, history.rows, strict=True)
    ]
    return "\n".join((head, *lines)) + "\n"
