"""The methods by name: what each takes, and what it presumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from agent.core.money import Bps
from agent.weights import optimal
from agent.weights.bounds import Bounds
from agent.weights.history import History
from agent.weights.proportional import proportional
from agent.weights.rounding import rounded


@dataclass(frozen=True, slots=True)
class Method:
    """One way to weigh; `takes` is what it weighs by."""

    name: str
    takes: Literal["names", "caps", "prices"]
    presumes: str


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("equal", "names", "nothing of the assets is known that would tell them apart"),
        Method("market-cap", "caps", "the market as a whole prices risk and return rightly"),
        Method(
            optimal.INVERSE_VOLATILITY,
            "prices",
            "volatilities stay as they were, and all assets move together equally closely",
        ),
        Method(
            optimal.RISK_PARITY,
            "prices",
            "volatilities and correlations stay as they were; each asset adds the same risk",
        ),
        Method(
            optimal.MINIMUM_VARIANCE,
            "prices",
            "volatilities and correlations stay as they were, and are known exactly",
        ),
        Method(
            optimal.HRP,
            "prices",
            "assets fall into groups that move alike, and the groups stay as they were",
        ),
    )
}


def equally(assets: tuple[str, ...], bounds: Bounds) -> dict[str, Bps]:
    """The same for each, as far as *bounds* allow.

    >>> equally(("ETH", "USDC"), Bounds.none(("ETH", "USDC")))
    {'ETH': 5000, 'USDC': 5000}
    """
    return by_size(dict.fromkeys(assets, Fraction(1)), bounds)


def by_size(sizes: Mapping[str, Fraction], bounds: Bounds) -> dict[str, Bps]:
    """In proportion to positive *sizes*, as far as *bounds* allow."""
    return rounded(proportional(sizes, bounds), bounds)


def by_history(method: str, history: History, bounds: Bounds) -> dict[str, Bps]:
    """By a method that takes prices; raises ExtraMissing and WrongValue."""
    found = rounded(optimal.optimal(method, history, bounds), bounds)
    return {name: found[name] for name in history.assets}
