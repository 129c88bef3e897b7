"""Ticks and square roots of prices, by published constants and at every kind of boundary."""

from __future__ import annotations

from fractions import Fraction

import pytest
from amm_pools import unhurried
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm.tick_price import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)

ticks = st.integers(MIN_TICK, MAX_TICK)
inner_ticks = st.integers(MIN_TICK + 1, MAX_TICK - 1)


@pytest.mark.parametrize(
    ("tick", "sqrt_ratio"),
    [
        (MIN_TICK, 4295128739),
        (MIN_TICK + 1, 4295343490),
        (0, 2**96),
        (MAX_TICK - 1, 1461373636630004318706518188784493106690254656249),
        (MAX_TICK, 1461446703485210103287273052203988822378723970342),
    ],
)
def test_sqrt_ratio_at_tick_equals_the_published_value(tick, sqrt_ratio):
    assert sqrt_ratio == sqrt_ratio_at_tick(tick)


@pytest.mark.parametrize(
    ("sqrt_ratio", "tick"),
    [
        (4295128739, -887272),
        (4295343489, -887272),
        (4295343490, -887271),
        (2**96 - 1, -1),
        (2**96, 0),
        (1461373636630004318706518188784493106690254656248, 887270),
        (1461373636630004318706518188784493106690254656249, 887271),
        (1461446703485210103287273052203988822378723970341, 887271),
    ],
)
def test_tick_at_sqrt_ratio_equals_the_published_value(sqrt_ratio, tick):
    assert tick == tick_at_sqrt_ratio(sqrt_ratio)


def test_constants_are_the_prices_of_the_outermost_ticks():
    outermost = sqrt_ratio_at_tick(MIN_TICK), sqrt_ratio_at_tick(MAX_TICK)
    assert (MIN_SQRT_RATIO, MAX_SQRT_RATIO) == outermost


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_tick_beyond_the_scale_raises(tick):
    with pytest.raises(ValueError, match=f"tick {tick} is outside -887272..887272"):
        sqrt_ratio_at_tick(tick)


@pytest.mark.parametrize("sqrt_ratio", [MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO])
def test_price_beyond_the_scale_raises(sqrt_ratio):
    with pytest.raises(ValueError, match=f"square root of price {sqrt_ratio} is outside"):
        tick_at_sqrt_ratio(sqrt_ratio)


@unhurried
@given(inner_ticks)
def test_tick_survives_the_round_trip_and_its_price_is_the_first_of_it(tick):
    sqrt_ratio = sqrt_ratio_at_tick(tick)
    around = [tick_at_sqrt_ratio(sqrt_ratio + offset) for offset in (-1, 0, 1)]
    assert [tick - 1, tick, tick] == around


@unhurried
@given(st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1))
def test_every_price_lies_between_its_tick_and_the_next(sqrt_ratio):
    tick = tick_at_sqrt_ratio(sqrt_ratio)
    assert sqrt_ratio_at_tick(tick) <= sqrt_ratio < sqrt_ratio_at_tick(tick + 1)


@unhurried
@given(st.integers(-4_000, 4_000))
def test_sqrt_ratio_is_the_root_of_the_power_to_twelve_digits(tick):
    exact = Fraction(10_001, 10_000) ** tick
    squared = Fraction(sqrt_ratio_at_tick(tick), 2**96) ** 2
    assert abs(squared / exact - 1) < Fraction(1, 10**12)
