"""What distance from the targets is charged: where, how much, and how it grows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import TARGETS, policy, trigger

from agent.core.policy import PolicyError, Tracking
from agent.core.tracking import HORIZON_SECONDS, MOST_RATE, VOLATILITY, charge, rates

YEAR = 365 * 86_400
numbers = st.decimals(0, 100, places=4)
values = st.fixed_dictionaries({name: st.decimals(0, 10**6, places=2) for name in TARGETS})


def wished(risk: str = "1", **more):
    return Tracking(risk_aversion=Decimal(risk), **more)


def test_nothing_is_charged_unless_it_is_asked_for():
    assert {} == rates(policy())
    assert {} == rates(policy(tracking=wished("0", volatility={"ETH": Decimal(1)})))


@pytest.mark.parametrize("to", ["target", "edge"])
def test_nothing_is_charged_where_the_rule_says_where_to_end(to):
    assert {} == rates(policy(tracking=wished(), trigger=trigger(rebalance_to=to)))


def test_a_rate_is_half_of_aversion_times_variance_times_time():
    own = wished("4", horizon_seconds=YEAR // 10, volatility={"ETH": Decimal("0.5")})
    assert {"ETH": Decimal("0.05"), "WBTC": 2 * VOLATILITY**2 / 10} == {
        name: rate for name, rate in rates(policy(tracking=own)).items() if name != "USDC"
    }


def test_pegged_assets_have_no_volatility_unless_it_is_said():
    pegs = {"USDC": Decimal(1)}
    assert {"ETH", "WBTC"} == set(rates(policy(tracking=wished(), pegs=pegs)))
    own = wished(volatility={"USDC": Decimal("0.01"), "WBTC": Decimal(0)})
    assert {"ETH", "USDC"} == set(rates(policy(tracking=own, pegs=pegs)))


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [
        ("time", 86_400),
        ("hybrid", 86_400),
        ("threshold", HORIZON_SECONDS),
        ("manual", HORIZON_SECONDS),
    ],
)
def test_a_distance_lasts_until_the_next_scheduled_run(mode, seconds):
    when = trigger(mode=mode, every_seconds=86_400)
    found = rates(policy(tracking=wished("2"), trigger=when))["ETH"]
    assert VOLATILITY**2 * seconds / YEAR == found
    said = rates(policy(tracking=wished("2", horizon_seconds=3_600), trigger=when))["ETH"]
    assert VOLATILITY**2 * 3_600 / YEAR == said


def test_no_rate_makes_it_pay_to_throw_value_away():
    found = rates(policy(tracking=wished("1000000")))
    assert {MOST_RATE} == set(found.values())


def test_a_volatility_of_no_target_cannot_be_meant():
    with pytest.raises(PolicyError, match=r"tracking\.volatility\.DOGE: no such target"):
        policy(tracking=wished(volatility={"DOGE": Decimal(2)}))


def test_nothing_is_charged_at_the_targets_and_of_nothing():
    ends = {"ETH": Decimal(500), "WBTC": Decimal(200), "USDC": Decimal(300)}
    charged = {"ETH": Decimal(1), "WBTC": Decimal(1), "USDC": Decimal(1)}
    assert 0 == charge(charged, TARGETS, after=ends, whole=Decimal(1000))
    assert 0 == charge(
        charged, TARGETS, after={name: Decimal(0) for name in ends}, whole=Decimal(0)
    )
    assert 0 == charge({}, TARGETS, after=ends, whole=Decimal(1000))


@given(values, numbers, numbers)
def test_a_larger_aversion_never_charges_less(after, small, large):
    small, large = sorted((small, large))

    def charged(risk):
        own = rates(policy(tracking=replace(wished(), risk_aversion=risk)))
        return charge(own, TARGETS, after=after, whole=Decimal(10**6))

    assert 0 <= charged(small) <= charged(large)


@given(values, st.sampled_from(sorted(TARGETS)))
def test_the_charge_is_of_the_square_of_the_distance(after, name):
    left = sum(after.values())
    off = after[name] - left * TARGETS[name].weight / 10_000
    once = charge({name: Decimal("0.1")}, TARGETS, after=after, whole=Decimal(1000))
    assert abs(once - off * off / 10_000) < Decimal("1e-9")
