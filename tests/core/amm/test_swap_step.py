"""Single steps and prices, by the published vectors of the contracts' own tests."""

from __future__ import annotations

from math import isqrt

import pytest
from amm_pools import unhurried
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm import sqrt_price as curve
from agent.core.amm.swap_step import exact_in_down, exact_in_up, exact_out_down, exact_out_up
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick

ONE = 2**96
E18 = 10**18


def root(numerator, denominator):
    return isqrt((numerator << 192) // denominator)


# Source of the vectors: Uniswap v3-core, SwapMath.spec.ts.
@pytest.mark.parametrize(
    ("step", "arguments", "expected"),
    [
        pytest.param(
            exact_in_up,
            (ONE, root(101, 100), 2 * E18, E18, 600),
            (root(101, 100), 9975124224178055, 9925619580021728, 5988667735148),
            id="input capped at the target",
        ),
        pytest.param(
            exact_out_up,
            (ONE, root(101, 100), 2 * E18, E18, 600),
            (root(101, 100), 9975124224178055, 9925619580021728, 5988667735148),
            id="output capped at the target",
        ),
        pytest.param(
            exact_in_up,
            (ONE, root(1000, 100), 2 * E18, E18, 600),
            (
                curve.price_after_amount1_in(ONE, 2 * E18, 999400000000000000),
                999400000000000000,
                666399946655997866,
                600000000000000,
            ),
            id="input spent before the target",
        ),
        pytest.param(
            exact_out_up,
            (ONE, root(10000, 100), 2 * E18, E18, 600),
            (2 * ONE, 2 * E18, E18, 1200720432259356),
            id="output received before the target",
        ),
        pytest.param(
            exact_out_down,
            (
                417332158212080721273783715441582,
                1452870262520218020823638996,
                159344665391607089467575320103,
                1,
                1,
            ),
            (417332158212080721273783715441581, 1, 1, 1),
            id="output capped at what was asked for",
        ),
        pytest.param(
            exact_in_down,
            (2, 1, 1, 3915081100057732413702495386755767, 1),
            (1, 39614081257132168796771975168, 0, 39614120871253040049813),
            id="part of the input reaches the lowest price",
        ),
        pytest.param(
            exact_in_up,
            (2413, 79887613182836312, 1985041575832132834610021537970, 10, 1872),
            (2413, 0, 0, 10),
            id="all of the input is the fee",
        ),
        pytest.param(
            exact_out_up,
            (ONE * 256, ONE * 256 * 11 // 10, 1024, 4, 3000),
            (ONE * 256 * 11 // 10, 26215, 0, 79),
            id="too little liquidity for the output of token0",
        ),
        pytest.param(
            exact_out_down,
            (ONE * 256, ONE * 256 * 9 // 10, 1024, 263000, 3000),
            (ONE * 256 * 9 // 10, 1, 26214, 1),
            id="too little liquidity for the output of token1",
        ),
    ],
)
def test_step_equals_the_published_vector(step, arguments, expected):
    assert expected == step(*arguments)


# Source of the vectors: Uniswap v3-core, SqrtPriceMath.spec.ts.
@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (curve.price_after_amount0_in(ONE, E18, E18 // 10), 72025602285694852357767227579),
        (curve.price_after_amount1_in(ONE, E18, E18 // 10), 87150978765690771352898345369),
        (curve.price_after_amount0_in(ONE, 10 * E18, 2**100), 624999999995069620),
        (curve.price_after_amount0_out(ONE, E18, E18 // 10), 88031291682515930659493278152),
        (curve.price_after_amount1_out(ONE, E18, E18 // 10), 71305346262837903834189555302),
        (curve.amount0_up(ONE, root(121, 100), E18), 90909090909090910),
        (curve.amount0_down(ONE, root(121, 100), E18), 90909090909090909),
        (curve.amount1_up(ONE, root(121, 100), E18), 100000000000000000),
        (curve.amount1_down(ONE, root(121, 100), E18), 99999999999999999),
        (curve.amount0_up(root(2**90, 1), root(2**96, 1), E18), 24869),
        (curve.amount0_down(root(2**90, 1), root(2**96, 1), E18), 24868),
    ],
)
def test_curve_equals_the_published_vector(actual, expected):
    assert expected == actual


def test_all_the_input_there_is_leaves_the_lowest_price():
    assert 1 == curve.price_after_amount0_in(ONE, 1, 2**255)


def test_input_whose_product_overflows_takes_the_coarser_formula():
    price = 658198023707355952687765630944773109092401557626
    liquidity = 104170193464824518269082839627333181664
    amount = 582208580383382190478542907802281
    fine = -(-(liquidity << 96) * price // ((liquidity << 96) + amount * price))
    coarse = curve.price_after_amount0_in(price, liquidity, amount)
    assert [14175698014513262355676467355506466, 14175698014513262355676467355506473] == [
        fine,
        coarse,
    ]


prices = st.integers(MIN_TICK, MAX_TICK - 1).map(sqrt_ratio_at_tick)
liquidities = st.integers(0, 127).flatmap(lambda bits: st.integers(1, 1 << bits))
offers = st.integers(0, 160).flatmap(lambda bits: st.integers(1, 1 << bits))
fees = st.sampled_from((0, 100, 500, 3000, 10_000, 999_999))


@unhurried
@given(prices, prices, liquidities, offers, fees)
def test_step_never_takes_more_than_offered_nor_passes_its_target(a, b, liquidity, offered, fee):
    low, high = min(a, b), max(a, b)
    for step, start, target in ((exact_in_down, high, low), (exact_in_up, low, high)):
        reached, taken, _, charged = step(start, target, liquidity, offered, fee)
        assert low <= reached <= high
        assert taken >= 0
        assert charged >= 0
        assert taken + charged <= offered


@unhurried
@given(prices, prices, liquidities, offers, fees)
def test_step_never_pays_more_than_asked_for(a, b, liquidity, asked, fee):
    low, high = min(a, b), max(a, b)
    for step, start, target in ((exact_out_down, high, low), (exact_out_up, low, high)):
        reached, _, paid, _ = step(start, target, liquidity, asked, fee)
        assert low <= reached <= high
        assert 0 <= paid <= asked
        assert (paid < asked) <= (reached == target)


@unhurried
@given(prices, prices, liquidities)
def test_pool_takes_at_least_what_it_pays_over_the_same_stretch(a, b, liquidity):
    low, high = min(a, b), max(a, b)
    assert 0 <= curve.amount0_down(low, high, liquidity) <= curve.amount0_up(low, high, liquidity)
    assert 0 <= curve.amount1_down(low, high, liquidity) <= curve.amount1_up(low, high, liquidity)
    assert curve.amount0_up(low, high, liquidity) < 1 << 192  # what the contract's words can hold
    assert curve.amount1_up(low, high, liquidity) < 1 << 192
