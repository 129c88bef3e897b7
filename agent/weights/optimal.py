"""Weights by skfolio, which is an extra: nothing else of the program needs it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from agent.core.money import WHOLE_BPS
from agent.errors import ExtraMissing, WrongValue
from agent.weights.bounds import Bounds
from agent.weights.history import History
from agent.weights.proportional import proportional

INVERSE_VOLATILITY, RISK_PARITY = "inverse-volatility", "risk-parity"
MINIMUM_VARIANCE, HRP = "minimum-variance", "hrp"

_TOLERANCE = Fraction(1, WHOLE_BPS)
"""How far a solver's weight may lie outside its bounds, and the sum from 1: one basis point."""

_GAPS = (1e-9, 1e-8, 1e-7)
"""How exactly the solver shall find the optimum: skfolio's own gap, then wider ones while it is in
doubt, which is once in 150 times. On 155 random histories no weight of risk parity is more than 0.5
basis points from what coordinate descent finds at the widest gap, 0.14 at the others."""

_LEAST = Fraction(1, 10**12)
"""Takes the place of zeros and of the solver's dust below it, so that it can be scaled."""


def optimal(method: str, history: History, bounds: Bounds) -> dict[str, Fraction]:
    """Shares by *method*, as skfolio finds them, each inside *bounds*.

    Minimum variance is sought inside the bounds. The others are sought without, and what is above
    a bound is then divided among the other assets in proportion: skfolio's own bounds for HRP cut
    where its tree is divided, so that an asset gets what its calmer sibling may not have.

    Raises ExtraMissing without skfolio, WrongValue for prices from which there is no answer.
    """
    library = _library(method)
    # By name: interior points and trees of clusters depend on the order of columns.
    names = sorted(history.assets)
    returns = _scaled(history, names)
    limits = {
        "min_weights": np.array([bounds.least[name] / WHOLE_BPS for name in names]),
        "max_weights": np.array([bounds.most[name] / WHOLE_BPS for name in names]),
    }
    attempts = {
        INVERSE_VOLATILITY: [library.InverseVolatility()],
        RISK_PARITY: [library.RiskBudgeting(solver_params=each) for each in _solver_params()],
        MINIMUM_VARIANCE: [
            library.MeanRisk(solver_params=each, **limits) for each in _solver_params()
        ],
        HRP: [library.HierarchicalRiskParity()],
    }
    found = _fitted(method, attempts[method], returns)
    shares = dict(zip(names, found, strict=True))
    if method == MINIMUM_VARIANCE:
        return _sound(method, shares, bounds)
    return proportional(_sound(method, shares, Bounds.none(tuple(names))), bounds)


def _library(method: str) -> Any:
    try:
        from skfolio import optimization  # type: ignore[import-untyped]
    except ImportError as error:
        raise ExtraMissing(
            f"{method} needs skfolio, which cannot be imported: {error}",
            fix="install it: pip install 'rebalancer[weights]'; equal and market-cap need nothing",
        ) from None
    return optimization


def _scaled(history: History, names: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Returns by day and asset, in units of the geometric mean of their volatilities.

    No weight depends on the unit, but a solver's tolerance is absolute: with two stablecoins
    among six assets weights out of plain returns were up to 0.2 % of the whole beside the minimum.
    Raises WrongValue for an asset that does not move.
    """
    columns = {name: history.returns(name) for name in names}
    for name, column in columns.items():
        if min(column) == max(column):
            what = f"{name} never moves against its trend, so it has no risk to weigh"
            raise WrongValue(what, fix="leave it out by --of, and set its share by hand")
    found = np.array([[float(each) for each in column] for column in columns.values()]).T
    spread: np.ndarray[Any, np.dtype[np.float64]] = np.std(found, axis=0, ddof=1)
    unit: float = np.exp(np.mean(np.log(spread)))
    return found / unit


def _solver_params() -> list[dict[str, float]]:
    return [{"tol_gap_abs": gap, "tol_gap_rel": gap} for gap in _GAPS]


def _fitted(
    method: str, attempts: Sequence[Any], returns: np.ndarray[Any, np.dtype[np.float64]]
) -> list[Fraction]:
    """What the first of *attempts* answers that is in no doubt; a doubt of skfolio is a warning.

    Raises WrongValue with the last one's doubt or error when there is none.
    """
    why = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", UserWarning)
        for estimator in attempts:
            try:
                return [Fraction(float(weight)) for weight in estimator.fit(returns).weights_]
            except Exception as error:  # noqa: BLE001  a foreign library with many kinds of errors
                why = " ".join(str(error).split())
    raise WrongValue(
        f"{method} has no answer that skfolio is sure of: {why}",
        fix="leave out assets that move alike, or look further back",
    )


def _sound(method: str, shares: Mapping[str, Fraction], bounds: Bounds) -> dict[str, Fraction]:
    """The same shares; raises WrongValue when they leave the bounds, or are not the whole."""
    low = {name: Fraction(bounds.least[name], WHOLE_BPS) for name in shares}
    high = {name: Fraction(bounds.most[name], WHOLE_BPS) for name in shares}
    inside = all(
        low[name] - _TOLERANCE <= share <= high[name] + _TOLERANCE for name, share in shares.items()
    )
    if not (inside and abs(sum(shares.values(), Fraction(0)) - 1) <= _TOLERANCE):
        raise WrongValue(
            f"{method}: skfolio's answer leaves the bounds, or is not the whole",
            fix="look further back, or try it without --at-least and --at-most",
        )
    return {name: max(_LEAST, low[name], min(high[name], share)) for name, share in shares.items()}
