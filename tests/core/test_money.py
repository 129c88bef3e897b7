"""Amounts do not mix, and nothing is rounded in secret."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import NATIVE, Address, Amount, ChainId, Token, raw_down, raw_up

USDC = Token(ChainId(1), Address("0x" + "a0" * 20), 6, "USDC")
OTHER = Token(ChainId(8453), USDC.address, 6, "USDC")
counts = st.integers(-(2**256), 2**256)
tokens = st.integers(0, 36).map(lambda decimals: Token(ChainId(1), NATIVE, decimals, "X"))


@given(counts, counts)
def test_amounts_of_one_token_add_and_compare_like_their_counts(a, b):
    left, right = Amount(USDC, a), Amount(USDC, b)
    assert (a + b, a - b) == ((left + right).raw, (left - right).raw)
    assert (a < b, a <= b) == (left < right, left <= right)


@pytest.mark.parametrize("other", [Amount(OTHER, 1), 1, None])
@pytest.mark.parametrize("act", ["__add__", "__sub__", "__lt__", "__le__"])
def test_amounts_of_different_things_do_not_mix(act, other):
    with pytest.raises(TypeError, match="USDC does not mix with"):
        getattr(Amount(USDC, 1), act)(other)


def test_a_token_is_its_chain_and_address_and_nothing_else():
    renamed = Token(USDC.chain, USDC.address, 18, "FAKE")
    assert (USDC, hash(USDC)) == (renamed, hash(renamed))
    assert USDC != OTHER
    assert USDC != "USDC"


@given(counts, tokens)
def test_whole_tokens_are_exact_at_any_size(raw, token):
    assert Fraction(raw, 10**token.decimals) == Fraction(Amount(token, raw).whole)


@given(st.fractions(-(10**30), 10**30), tokens)
def test_base_units_are_rounded_down_for_what_we_get_and_up_for_what_we_pay(whole, token):
    exact = whole * token.unit
    assert 0 <= exact - raw_down(whole, token) < 1
    assert 0 <= raw_up(whole, token) - exact < 1


def test_the_gas_coin_has_no_address():
    assert [True, False] == [Token(ChainId(1), NATIVE, 18, "ETH").is_native, USDC.is_native]
    assert Decimal("-0.000001") == Amount(USDC, -1).whole
