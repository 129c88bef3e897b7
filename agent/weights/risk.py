"""What weights would have meant in the past: how far each asset swings, and whose risk it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.core.money import WHOLE_BPS, Bps
from agent.weights.history import History

YEAR_DAYS = 365
"""Crypto is traded on all of them."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Of one asset: volatility a year, and its part of the variance of the whole; 1 is 100 %."""

    volatility: float
    part: float


def risks(history: History, weights: Mapping[str, Bps]) -> dict[str, Risk]:
    """Each asset's volatility, and its part in the risk of the portfolio of *weights*.

    The part is w·(Σw) over w'Σw with the sample covariance Σ: Euler's allocation. It is below
    zero for an asset that moves against the others.
    """
    names = history.assets
    columns = np.array([[float(each) for each in history.returns(name)] for name in names])
    covariance = np.atleast_2d(np.cov(columns))
    weight = np.array([weights[name] / WHOLE_BPS for name in names])
    marginal = covariance @ weight
    variance = float(weight @ marginal)
    a_year = math.sqrt(YEAR_DAYS / history.step_days)
    return {
        name: Risk(
            volatility=math.sqrt(covariance[i, i]) * a_year,
            part=float(weight[i] * marginal[i]) / variance,
        )
        for i, name in enumerate(names)
    }
