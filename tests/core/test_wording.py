"""Numbers as people read them."""

from decimal import Decimal

import pytest
from portfolios import USDC, WETH

from agent.core.money import Amount, ChainId
from agent.core.wording import (
    chain_name,
    figure,
    listed,
    money,
    percent,
    percent_of_bps,
    span,
    whole,
)


def test_money_has_two_digits_and_thousands():
    assert "4,197.30" == money(Decimal("4197.3"))


def test_percent_has_one_digit():
    assert ["2.1 %", "-0.5 %", "5.0 %"] == [
        percent(Decimal("0.0214")),
        percent(Decimal("-0.005")),
        percent_of_bps(500),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.0000"),
        ("0.9821", "0.9821"),
        ("3012", "3,012.00"),
        ("99.98765", "99.9876"),
        ("0.0000123456", "0.00001235"),
    ],
)
def test_figure_keeps_the_digits_that_matter(value, text):
    assert text == figure(Decimal(value))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (41, "41 s"),
        (60, "1 min"),
        (90, "90 s"),
        (120, "2 min"),
        (3_600, "1 h"),
        (6 * 3_600, "6 h"),
        (86_400, "1 d"),
        (100_000, "27 h"),
        (200_000, "2 d"),
    ],
)
def test_span_uses_the_largest_unit_that_still_tells_something(seconds, text):
    assert text == span(seconds)


def test_amount_carries_its_symbol():
    assert ["1.4000 WETH", "4,197.30 USDC"] == [
        whole(Amount(WETH, 14 * 10**17)),
        whole(Amount(USDC, 4_197_300_000)),
    ]


def test_chain_has_its_caip_2_name():
    assert "eip155:8453" == chain_name(ChainId(8453))


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")],
)
def test_list_ends_in_and(items, text):
    assert text == listed(items)
