"""Fees: what is offered, what replaces it, what it is worth."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fees import FeeQuote, L1Fee, TxFees, bump, money, most, offer

wei = st.integers(0, 2**64)


@given(wei, wei)
def test_an_offer_survives_a_doubled_base_fee(base, priority):
    made = offer(FeeQuote(base, priority))
    assert made.max_fee_per_gas - made.max_priority_fee_per_gas == 2 * base
    assert made.max_priority_fee_per_gas == priority


@given(wei, wei, wei, wei)
def test_a_replacement_beats_both_fees_by_an_eighth_and_pays_for_now(fee, tip, base, priority):
    before, fresh = TxFees(fee, tip), offer(FeeQuote(base, priority))
    after = bump(before, FeeQuote(base, priority))
    for old, new, now in (
        (fee, after.max_fee_per_gas, fresh.max_fee_per_gas),
        (tip, after.max_priority_fee_per_gas, fresh.max_priority_fee_per_gas),
    ):
        assert new > old
        assert Fraction(new) >= Fraction(old) * Fraction(1125, 1000)
        assert new >= now
        assert new == now or Fraction(new) < Fraction(old) * Fraction(1125, 1000) + 2


@pytest.mark.parametrize(
    ("wei_", "price", "worth"),
    [
        (0, "3000", "0"),
        (1, "3000", "0.000001"),
        (21_000 * 10**9, "3000", "0.063"),
        (10**18, "0.0000001", "0.000001"),
    ],
)
def test_a_fee_is_worth_its_coins_rounded_up(wei_, price, worth):
    assert Decimal(worth) == money(wei_, Decimal(price))


@given(st.integers(0, 2**256), st.decimals(0, 10**6, places=8))
def test_a_fee_is_never_charged_below_its_worth_nor_a_millionth_above(wei_, price):
    exact = Fraction(wei_) * Fraction(price) / 10**18
    assert 0 <= Fraction(money(wei_, price)) - exact < Fraction(1, 10**6)


@given(wei, wei)
def test_legacy_transaction_offers_the_gas_price_and_is_replaced_by_a_dearer_one(
    price: int, later: int
) -> None:
    first = offer(FeeQuote(price, 0, kind="legacy"))
    assert TxFees(price, price, "legacy") == first
    after = bump(first, FeeQuote(later, 0, kind="legacy"))
    assert (after.max_fee_per_gas, "legacy") == (after.max_priority_fee_per_gas, after.kind)
    assert after.max_fee_per_gas * 1000 >= first.max_fee_per_gas * 1125
    assert after.max_fee_per_gas >= later


@given(wei, st.integers(0, 10**8), st.integers(0, 10**18), st.integers(0, 10**7))
def test_largest_fee_leaves_room_for_the_parent_chain(
    price: int, gas: int, beside: int, more: int
) -> None:
    fees = TxFees(price, 0)
    assert gas * price == most(fees, gas, L1Fee())
    assert (gas + 2 * more) * price + 2 * beside == most(fees, gas, L1Fee(wei=beside, gas=more))
    assert L1Fee(wei=2 * beside, gas=2 * more) == L1Fee(wei=beside, gas=more).most
