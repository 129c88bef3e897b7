"""Multiplication and division with the rounding in the name."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.rounding import mul_div_down, mul_div_up

words = st.integers(0, 2**256 - 1)
divisors = st.integers(1, 2**256 - 1)


@given(words, words, divisors)
def test_exact_result_lies_between_the_two_roundings(a, b, denominator):
    exact = Fraction(a) * b / denominator
    assert mul_div_down(a, b, denominator) <= exact <= mul_div_up(a, b, denominator)


@given(words, words, divisors)
def test_roundings_differ_by_one_exactly_where_there_is_a_remainder(a, b, denominator):
    has_remainder = a * b % denominator != 0
    assert has_remainder == mul_div_up(a, b, denominator) - mul_div_down(a, b, denominator)


def test_products_beyond_256_bits_are_exact():
    assert 2**256 - 1 == mul_div_down(2**256 - 1, 2**256 - 1, 2**256 - 1)


@pytest.mark.parametrize("rounded", [mul_div_down, mul_div_up])
def test_division_by_zero_raises(rounded):
    with pytest.raises(ZeroDivisionError):
        rounded(1, 1, 0)
