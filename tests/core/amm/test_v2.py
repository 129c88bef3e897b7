"""Swaps in pairs of reserves, by published vectors and by their laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import POOL, amounts, unhurried, v2_pool
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.core.amm.outcome import OutOfLiquidity, Reverts
from agent.core.amm.v2 import after, amount_in, amount_out

E18 = 10**18
pools = st.builds(v2_pool, amounts(111), amounts(111))


# Source of the vectors: Uniswap v2-core, UniswapV2Pair.spec.ts.
@pytest.mark.parametrize(
    ("paid_in", "reserve_in", "reserve_out", "expected"),
    [
        (1, 5, 10, 1662497915624478906),
        (1, 10, 5, 453305446940074565),
        (2, 5, 10, 2851015155847869602),
        (2, 10, 5, 831248957812239453),
        (1, 10, 10, 906610893880149131),
        (1, 100, 100, 987158034397061298),
        (1, 1000, 1000, 996006981039903216),
    ],
)
def test_output_equals_the_published_vector(paid_in, reserve_in, reserve_out, expected):
    forward = v2_pool(reserve_in * E18, reserve_out * E18)
    backward = v2_pool(reserve_out * E18, reserve_in * E18)
    assert [expected, expected] == [
        amount_out(forward, paid_in * E18, zero_for_one=True),
        amount_out(backward, paid_in * E18, zero_for_one=False),
    ]


# Source of the vectors: Uniswap v2-periphery, UniswapV2Router02.spec.ts.
def test_amounts_equal_the_published_vectors_of_the_library():
    pool = v2_pool(100, 100)
    assert [1, 2] == [
        amount_out(pool, 2, zero_for_one=True),
        amount_in(pool, 1, zero_for_one=True),
    ]


def test_pair_of_a_fork_keeps_another_share():
    pool = v2_pool(10**12, 10**12)
    fork = replace(pool, kept_numerator=9975, kept_denominator=10_000)
    assert [996_999, 997_499] == [
        amount_out(each, 10**6, zero_for_one=True) for each in (pool, fork)
    ]


@unhurried
@given(pools, amounts(111), st.booleans())
def test_product_of_the_reserves_never_falls(pool, offered, is_down):
    paid = amount_out(pool, offered, zero_for_one=is_down)
    assume(isinstance(paid, int))
    moved = after(pool, amount_in=offered, amount_out=paid, zero_for_one=is_down)
    assert pool.reserve0 * pool.reserve1 <= moved.reserve0 * moved.reserve1


@unhurried
@given(pools, amounts(111), st.booleans())
def test_output_is_positive_and_less_than_the_reserve(pool, offered, is_down):
    paid = amount_out(pool, offered, zero_for_one=is_down)
    assume(isinstance(paid, int))
    assert 0 < paid < (pool.reserve1 if is_down else pool.reserve0)


@unhurried
@given(pools, amounts(110), amounts(110), st.booleans())
def test_more_input_never_pays_less(pool, less, extra, is_down):
    small = amount_out(pool, less, zero_for_one=is_down)
    large = amount_out(pool, less + extra, zero_for_one=is_down)
    assume(isinstance(small, int) and isinstance(large, int))
    assert small <= large


@unhurried
@given(pools, amounts(110), amounts(110), st.booleans())
def test_one_piece_never_pays_less_than_two(pool, first, second, is_down):
    at_once = amount_out(pool, first + second, zero_for_one=is_down)
    one = amount_out(pool, first, zero_for_one=is_down)
    assume(isinstance(at_once, int) and isinstance(one, int))
    moved = after(pool, amount_in=first, amount_out=one, zero_for_one=is_down)
    two = amount_out(moved, second, zero_for_one=is_down)
    assume(isinstance(two, int))
    assert one + two <= at_once


@unhurried
@given(pools, amounts(111), st.booleans())
def test_input_for_an_output_buys_it_and_one_unit_less_would_not(pool, wanted, is_down):
    needed = amount_in(pool, wanted, zero_for_one=is_down)
    assume(isinstance(needed, int))
    assert amount_out(pool, needed, zero_for_one=is_down) >= wanted
    fewer = amount_out(pool, needed - 2, zero_for_one=is_down)
    assert isinstance(fewer, Reverts) or fewer < wanted


@unhurried
@given(pools, amounts(111), st.booleans())
def test_buying_back_the_output_never_needs_more_than_was_paid(pool, offered, is_down):
    paid = amount_out(pool, offered, zero_for_one=is_down)
    assume(isinstance(paid, int))
    assert amount_in(pool, paid, zero_for_one=is_down) <= offered + 1


@pytest.mark.parametrize("quote", [amount_out, amount_in])
@pytest.mark.parametrize("amount", [0, -1])
def test_amount_of_nothing_reverts(quote, amount):
    expected = Reverts(POOL, "the amount is zero or less")
    assert expected == quote(v2_pool(100, 100), amount, zero_for_one=True)


@pytest.mark.parametrize("reserves", [(0, 100), (100, 0), (0, 0)])
@pytest.mark.parametrize("quote", [amount_out, amount_in])
def test_empty_pair_is_out_of_liquidity(quote, reserves):
    assert OutOfLiquidity(POOL) == quote(v2_pool(*reserves), 1, zero_for_one=True)


def test_output_of_the_whole_reserve_is_out_of_liquidity():
    assert OutOfLiquidity(POOL) == amount_in(v2_pool(100, 100), 100, zero_for_one=True)


def test_output_that_rounds_to_zero_reverts():
    expected = Reverts(POOL, "the output rounds to zero")
    assert expected == amount_out(v2_pool(100, 100), 1, zero_for_one=True)


def test_reserve_that_would_outgrow_its_word_reverts():
    expected = Reverts(POOL, "the amount does not fit the contract's integers")
    pool = v2_pool(2**112 - 10, 2**111)
    assert [expected, expected] == [
        amount_out(pool, 10, zero_for_one=True),
        amount_in(pool, 2**100, zero_for_one=True),
    ]


def test_reserve_may_fill_its_word():
    assert 8 == amount_out(v2_pool(2**112 - 10, 2**112 - 1), 9, zero_for_one=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reserve0": -1}, "reserves -1, 100 are not uint112"),
        ({"reserve1": 1 << 112}, "are not uint112"),
        ({"kept_numerator": 1001}, "1001 of 1000 is no share"),
        ({"kept_numerator": 0}, "0 of 1000 is no share"),
    ],
)
def test_contradictory_pair_raises(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(v2_pool(100, 100), **change)
