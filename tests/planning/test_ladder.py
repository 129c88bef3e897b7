"""What an edge pays between its sampled points."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import USDC, USDC_BASE, WETH, edge

from agent.core.market import Edge
from agent.planning.ladder import bought, fitting, is_sound


def ladder(*points):
    return Edge("router", WETH, USDC, points, 100_000, 12)


THREE = ladder((100, 90), (200, 170), (400, 300))


@pytest.mark.parametrize(
    ("raw", "out"),
    [(0, 0), (1, 0), (50, 45), (100, 90), (101, 90), (150, 130), (399, 299), (400, 300)],
)
def test_ladder_pays_the_straight_line_rounded_down(raw, out):
    assert out == bought(THREE, raw)


def test_ladder_says_nothing_beyond_its_end():
    assert bought(THREE, 401) is None


@given(st.integers(1, 2 * 10**21))
def test_ladder_never_pays_more_than_the_pool_behind_it(raw):
    fine = edge(WETH, USDC, depth="10000000", most="6000000")
    reserve_in, reserve_out = 10_000_000 * 10**18 // 3000, 10_000_000 * 10**6
    paid = raw * 9_995 // 10_000
    assert bought(fine, raw) <= reserve_out * paid // (reserve_in + paid) + 1


@given(st.integers(0, 400), st.integers(0, 400))
def test_ladder_never_falls(one, other):
    low, high = sorted((one, other))
    assert bought(THREE, low) <= bought(THREE, high)


@pytest.mark.parametrize(
    "broken",
    [
        ladder(),
        ladder((0, 0)),
        ladder((100, 90), (100, 95)),
        ladder((100, 90), (200, 80)),
        ladder((-5, 90)),
        ladder((100, -1)),
        ladder((100, float("nan"))),
        ladder((100.0, 90)),
        ladder((True, True)),
        replace(THREE, gas=-1),
    ],
)
def test_ladder_that_is_no_growing_row_of_whole_numbers_is_not_sound(broken):
    assert not is_sound(broken)


def test_growing_ladder_is_sound():
    assert is_sound(THREE)
    assert is_sound(ladder((100, 90), (200, 90)))


@pytest.mark.parametrize("raw", [1, 99, 401])
def test_bridge_takes_nothing_beyond_either_end_of_its_ladder(raw):
    over = replace(THREE, buy=USDC_BASE)
    assert bought(over, raw) is None
    assert [0, 90, 300] == [bought(over, inside) for inside in (0, 100, 400)]


@given(st.integers(1, 10**30), st.integers(1, 10**30))
def test_size_that_is_too_large_is_made_smaller_to_the_border(wish, border):
    found = fitting(1, wish, wish, lambda number: number <= border)
    if wish <= border * 2**9:
        assert min(wish, border) * 998 // 1_000 <= found <= min(wish, border)
    else:
        assert found <= border


@given(st.integers(1, 10**30), st.integers(1, 10**30))
def test_size_that_is_too_small_is_made_larger_to_the_border(wish, border):
    most = wish * 2**9
    found = fitting(1, wish, most, lambda number: number >= border)
    if border <= most:
        assert max(wish, border) <= found <= max(wish, border) * 1_002 // 1_000 + 1
    else:
        assert 0 == found


def test_no_size_fits_where_none_does():
    assert 0 == fitting(1, 10, 100, lambda _: False)
