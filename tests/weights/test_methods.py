"""Methods that look at past prices: what each is said to do, against independent arithmetic."""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import islice, permutations
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from price_histories import (
    FIRST,
    NAMES,
    covariance,
    in_another_order,
    in_another_unit,
    of_returns,
    walk,
)
from skfolio.optimization import HierarchicalRiskParity

from agent.core.money import WHOLE_BPS, Bps
from agent.errors import ExtraMissing, WrongValue
from agent.weights import METHODS, Bounds, History, by_history, risks
from agent.weights import optimal as optimal_module

BY_PRICES = [name for name, method in METHODS.items() if method.takes == "prices"]
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=20)


def free(history: History) -> Bounds:
    return Bounds.none(history.assets)


def some_bounds(history: History, random: Random) -> Bounds:
    """Bounds around random weights."""
    parts = [random.random() for _ in history.assets]
    inner = [int(part / sum(parts) * 10_000) for part in parts]
    least = {n: Bps(random.randint(0, w)) for n, w in zip(history.assets, inner, strict=True)}
    most = {
        n: Bps(random.randint(w + len(parts), 10_000))
        for n, w in zip(history.assets, inner, strict=True)
    }
    return Bounds(least=least, most=most)


def vector(weights: dict[str, Bps]) -> np.ndarray:
    return np.array([float(weight) / WHOLE_BPS for weight in weights.values()])


@pytest.mark.parametrize("method", BY_PRICES)
@FEW
@given(seed=SEEDS, assets=st.integers(2, 6))
def test_weights_are_the_whole_inside_bounds_and_of_no_order(
    method: str, seed: int, assets: int
) -> None:
    history, random = walk(seed, assets), Random(seed)
    bounds = some_bounds(history, random)
    order = random.sample(range(assets), assets)
    found = by_history(method, history, bounds)
    assert (WHOLE_BPS, history.assets) == (sum(found.values()), tuple(found))
    assert all(bounds.least[name] <= found[name] <= bounds.most[name] for name in found)
    assert found == by_history(method, in_another_order(history, order), bounds)


@pytest.mark.parametrize(
    ("method", "seed"), [("minimum-variance", 0), ("risk-parity", 1), ("risk-parity", 3)]
)
def test_order_of_columns_decides_nothing_where_a_solver_would_notice_it(
    method: str, seed: int
) -> None:
    """Handed over as they stand, these columns gave answers a basis point apart."""
    history = walk(seed, 5)
    orders = islice(permutations(range(5)), 60)
    found = [
        sorted(by_history(method, in_another_order(history, order), free(history)).items())
        for order in orders
    ]
    assert [found[0]] * 60 == found


@pytest.mark.parametrize("volatilities", [(2, 1), (1, 2, 3), (2, 3, 4, 1), (1, 2, 3, 4, 5)])
def test_risk_parity_of_uncorrelated_assets_has_an_answer(volatilities: tuple[int, ...]) -> None:
    """It is that of inverse volatility; at skfolio's own precision the third had none."""
    history = walsh([each / 100 for each in volatilities], "abcde")
    expected = by_history("inverse-volatility", history, free(history))
    found = by_history("risk-parity", history, free(history))
    assert all(abs(found[name] - expected[name]) <= 1 for name in found)


@pytest.mark.parametrize("method", BY_PRICES)
@FEW
@given(seed=SEEDS, factors=st.lists(st.integers(1, 10**9).map(Decimal), min_size=4, max_size=4))
def test_prices_in_another_unit_give_the_same_weights(
    method: str, seed: int, factors: list[Decimal]
) -> None:
    history = walk(seed, 4)
    other = in_another_unit(history, factors)
    assert by_history(method, history, free(history)) == by_history(method, other, free(history))


@FEW
@given(seed=SEEDS, assets=st.integers(2, 6))
def test_inverse_volatility_is_its_formula(seed: int, assets: int) -> None:
    history = walk(seed, assets)
    inverse = [1 / statistics.stdev(map(float, history.returns(name))) for name in history.assets]
    found = by_history("inverse-volatility", history, free(history))
    for weight, part in zip(found.values(), inverse, strict=True):
        assert abs(weight - part / sum(inverse) * WHOLE_BPS) <= 1


def walsh(volatilities: list[float], names: Sequence[str] = NAMES) -> History:
    """Returns of these volatilities that are exactly uncorrelated: rows of a Hadamard matrix."""
    matrix = np.array([[1]])
    for _ in range(6):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return of_returns(matrix[1 : len(volatilities) + 1].T * np.array(volatilities), names)


@pytest.mark.parametrize("method", ["risk-parity", "inverse-volatility", "minimum-variance"])
@pytest.mark.parametrize("assets", [2, 4, 5])
def test_equal_volatilities_without_correlation_give_equal_weights(
    method: str, assets: int
) -> None:
    history = walsh([0.01] * assets)
    assert {10_000 // assets} == set(by_history(method, history, free(history)).values())


def test_hrp_of_two_assets_weighs_by_inverse_variance() -> None:
    history = walsh([0.01, 0.02])
    assert {"ETH": 8_000, "WBTC": 2_000} == by_history("hrp", history, free(history))


def equal_risk(sigma: np.ndarray) -> np.ndarray:
    """Risk parity by cyclical coordinate descent (Griveau-Billion, Richard and Roncalli, 2013)."""
    x = 1 / np.sqrt(np.diag(sigma))
    for _ in range(10_000):
        before = x.copy()
        for i in range(len(x)):
            others = sigma[i] @ x - sigma[i, i] * x[i]
            x[i] = (-others + np.sqrt(others**2 + 4 * sigma[i, i] / len(x))) / (2 * sigma[i, i])
        if np.abs(x / before - 1).max() < 1e-13:
            break
    return x / x.sum()


@FEW
@given(seed=SEEDS, assets=st.integers(2, 6))
def test_risk_parity_is_what_coordinate_descent_finds(seed: int, assets: int) -> None:
    history = walk(seed, assets)
    found = by_history("risk-parity", history, free(history))
    assert np.abs(vector(found) - equal_risk(covariance(history))).max() <= 1.5 / WHOLE_BPS


def test_risk_parity_shares_the_risk_equally() -> None:
    history = of_returns(np.random.default_rng(3).normal(size=(200, 4)) * [0.01, 0.02, 0.03, 0.04])
    found = risks(history, by_history("risk-parity", history, free(history)))
    assert all(abs(risk.part - 0.25) < 0.001 for risk in found.values())


@FEW
@given(seed=SEEDS, assets=st.integers(2, 6), bounded=st.booleans())
def test_no_weights_inside_the_bounds_have_less_variance_than_minimum_variance(
    seed: int, assets: int, bounded: bool
) -> None:
    history = walk(seed, assets)
    bounds = some_bounds(history, Random(seed)) if bounded else free(history)
    sigma = covariance(history)

    def variance(weights: np.ndarray) -> float:
        return float(weights @ sigma @ weights)

    found = vector(by_history("minimum-variance", history, bounds))
    rivals = [vector(by_history(method, history, bounds)) for method in BY_PRICES]
    for giver, taker in np.random.default_rng(seed).integers(0, assets, size=(30, 2)):
        rival = found.copy()
        step = 0.002
        rival[giver] -= step
        rival[taker] += step
        names = history.assets
        if (
            rival[giver] * WHOLE_BPS >= bounds.least[names[giver]]
            and rival[taker] * WHOLE_BPS <= bounds.most[names[taker]]
        ):
            rivals.append(rival)
    # Basis points are not fine enough where one asset is a hundred times as calm as another.
    loss_of_rounding = 2 * np.abs(sigma).max() * assets / WHOLE_BPS**2 * assets
    assert variance(found) <= min(map(variance, rivals)) + loss_of_rounding


@FEW
@given(seed=SEEDS)
def test_minimum_variance_of_two_assets_is_its_formula(seed: int) -> None:
    history = walk(seed, 2)
    (a, c), (_, b) = covariance(history)
    expected = min(1.0, max(0.0, (b - c) / (a + b - 2 * c)))
    found = by_history("minimum-variance", history, free(history))
    assert abs(found["ETH"] - expected * WHOLE_BPS) <= 1


@FEW
@given(seed=SEEDS, assets=st.integers(2, 6))
def test_hrp_is_what_skfolio_answers(seed: int, assets: int) -> None:
    history = walk(seed, assets)
    names = sorted(history.assets)
    returns = np.array([[float(each) for each in history.returns(name)] for name in names]).T
    theirs = dict(zip(names, HierarchicalRiskParity().fit(returns).weights_, strict=True))
    found = by_history("hrp", history, free(history))
    assert all(abs(found[name] - theirs[name] * WHOLE_BPS) <= 1 for name in names)


def test_two_stablecoins_do_not_blunt_the_solver() -> None:
    """On plain returns skfolio is 21 basis points away; on scaled ones none."""
    random = np.random.default_rng(0)
    calm = random.normal(size=(365, 2)) * 0.0002
    wild = (random.normal(size=(365, 1)) + 0.5 * random.normal(size=(365, 4))) * 0.05
    history = of_returns(np.c_[calm, wild])
    sigma = covariance(history)
    shares = optimal_module.optimal("minimum-variance", history, free(history))
    found = np.array([float(shares[name]) for name in history.assets])
    between = np.array([2, -2, 0, 0, 0, 0]) / WHOLE_BPS
    variances = [rival @ sigma @ rival for rival in (found - between, found, found + between)]
    assert variances[1] == min(variances)


def test_what_is_above_a_bound_goes_to_the_others_in_proportion() -> None:
    history = walsh([0.01, 0.02, 0.04])
    most = {"ETH": Bps(4_000), "WBTC": WHOLE_BPS, "BNB": WHOLE_BPS}
    bounds = Bounds(least=dict.fromkeys(history.assets, Bps(0)), most=most)
    found = by_history("risk-parity", history, bounds)
    assert {"ETH": 4_000, "WBTC": 4_000, "BNB": 2_000} == found


def test_parts_of_the_risk_are_the_whole_and_volatility_is_of_a_year() -> None:
    history = walsh([0.01, 0.02])
    found = risks(history, {"ETH": Bps(5_000), "WBTC": Bps(5_000)})
    assert [0.2, 0.8] == [round(risk.part, 6) for risk in found.values()]
    per_day = statistics.stdev(map(float, history.returns("WBTC")))
    assert round(per_day * 365**0.5, 12) == round(found["WBTC"].volatility, 12)


def test_volatility_of_weekly_prices_is_of_a_year_too() -> None:
    daily = walsh([0.01, 0.02])
    weeks = tuple(FIRST + timedelta(weeks=i) for i in range(len(daily.days)))
    weights = {"ETH": Bps(5_000), "WBTC": Bps(5_000)}
    found = risks(History(assets=daily.assets, days=weeks, rows=daily.rows), weights)["ETH"]
    assert round(risks(daily, weights)["ETH"].volatility / 7**0.5, 12) == round(
        found.volatility, 12
    )


def refusal(history: History, method: str = "minimum-variance") -> str:
    with pytest.raises(WrongValue) as refused:
        by_history(method, history, free(history))
    return refused.value.message


@pytest.mark.parametrize("method", BY_PRICES)
def test_asset_that_never_moves_has_no_risk_to_weigh(method: str) -> None:
    history = walsh([0.01, 0.0])
    assert "WBTC never moves against its trend, so it has no risk to weigh" == refusal(
        history, method
    )


@pytest.mark.parametrize("method", BY_PRICES)
def test_assets_that_are_one_are_refused(method: str) -> None:
    random = np.random.default_rng(5).normal(size=(90, 1)) * 0.01
    history = of_returns(np.c_[random, random, random[::-1]])
    expected = f"{method} has no answer that skfolio is sure of: The covariance matrix is not"
    assert refusal(history, method).startswith(expected)


def answering(weights: list[float], doubt: str = "") -> Callable[..., Any]:
    """An estimator of skfolio's shape with that answer."""

    class Estimator:
        def __init__(self, **_limits: object) -> None:
            self.weights_ = weights

        def fit(self, returns: object) -> Estimator:
            warnings.warn("deprecated", FutureWarning, stacklevel=2)
            if doubt:
                warnings.warn(doubt, UserWarning, stacklevel=2)
            return self

    return Estimator


@pytest.mark.parametrize(
    "weights", [[0.5, 0.4998], [0.5, 0.5002], [-0.0002, 1.0002], [float("nan"), 0.5]]
)
@pytest.mark.parametrize("method", BY_PRICES)
def test_answer_that_is_no_weights_is_refused(
    monkeypatch: pytest.MonkeyPatch, weights: list[float], method: str
) -> None:
    names = ("InverseVolatility", "RiskBudgeting", "MeanRisk", "HierarchicalRiskParity")
    library = SimpleNamespace(**dict.fromkeys(names, answering(weights)))
    monkeypatch.setattr(optimal_module, "_library", lambda _method: library)
    assert refusal(walsh([0.01, 0.02]), method).startswith(method)


def test_dust_of_a_solver_is_swept_up(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        **dict.fromkeys(
            ("InverseVolatility", "RiskBudgeting", "MeanRisk", "HierarchicalRiskParity"),
            answering([-1e-9, 1.0 + 1e-9]),
        )
    )
    monkeypatch.setattr(optimal_module, "_library", lambda _method: library)
    history = walsh([0.01, 0.02])
    for method in BY_PRICES:
        assert {"ETH": 0, "WBTC": 10_000} == by_history(method, history, free(history))


def test_doubt_of_the_library_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(
        **dict.fromkeys(
            ("InverseVolatility", "RiskBudgeting", "MeanRisk", "HierarchicalRiskParity"),
            answering([0.5, 0.5], doubt="Solution may be\n inaccurate."),
        )
    )
    monkeypatch.setattr(optimal_module, "_library", lambda _method: library)
    expected = "hrp has no answer that skfolio is sure of: Solution may be inaccurate."
    assert expected == refusal(walsh([0.01, 0.02]), "hrp")


@pytest.mark.parametrize("method", BY_PRICES)
def test_missing_extra_names_what_to_install(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setitem(sys.modules, "skfolio", None)
    history = walsh([0.01, 0.02])
    with pytest.raises(ExtraMissing) as missing:
        by_history(method, history, free(history))
    assert missing.value.message.startswith(f"{method} needs skfolio, which cannot be imported: ")
    expected = "install it: pip install 'rebalancer[weights]'; equal and market-cap need nothing"
    assert expected == missing.value.fix


def test_weights_stay_what_they_were() -> None:
    """Pinned: another release of skfolio that answers differently is seen."""
    history = walk(2026, 6, days=365)
    found = {
        method: list(by_history(method, history, free(history)).values()) for method in BY_PRICES
    }
    assert {
        "inverse-volatility": [4948, 2354, 648, 146, 778, 1126],
        "risk-parity": [6027, 1784, 570, 128, 635, 856],
        "minimum-variance": [7821, 1205, 194, 12, 403, 365],
        "hrp": [8020, 1478, 137, 7, 116, 242],
    } == found
