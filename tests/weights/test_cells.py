"""Tables of prices and of market capitalisations: what is read, and where what is wrong stands."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from price_histories import csv_of, walk

from agent.errors import WrongValue
from agent.weights import read_history, read_sizes

GOOD = csv_of(walk(1, 3))
LINES = GOOD.splitlines()


def refusal(text: str, only: tuple[str, ...] = ()) -> str:
    with pytest.raises(WrongValue) as refused:
        read_history(text, shown="p.csv", only=only)
    return refused.value.message


def with_line(number: int, line: str) -> str:
    """The good table with one line, counted from 1, replaced."""
    return "\n".join([*LINES[: number - 1], line, *LINES[number:]])


def test_good_prices_are_read_as_they_stand() -> None:
    assert walk(1, 3) == read_history(GOOD, shown="p.csv")


def test_spaces_quotes_and_empty_lines_do_not_matter() -> None:
    quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES[::2]]
    spaced = [f" {line.replace(',', ' , ')} " for line in LINES[1::2]]
    loose = [line for both in zip(quoted, spaced, strict=True) for line in both]
    assert walk(1, 3) == read_history("\r\n\r\n".join(loose), shown="p.csv")


def test_only_named_columns_are_read_in_the_order_of_the_file() -> None:
    broken = with_line(9, "2026-01-08,95,,97")
    found = read_history(broken, shown="p.csv", only=("BNB", "ETH"))
    assert (("ETH", "BNB"), (Decimal(95), Decimal(97))) == (found.assets, found.rows[7])


def test_weekly_prices_are_a_week_apart() -> None:
    days = [date.fromordinal(738_000 + 7 * i).isoformat() for i in range(61)]
    table = "\n".join(["date,a,b", *(f"{day},1,2" for day in days)])
    assert 7 == read_history(table, shown="p.csv").step_days


@pytest.mark.parametrize(
    ("line", "replacement", "said"),
    [
        (1, "day,ETH,WBTC,BNB", "p.csv:1: the first column is 'day', not date"),
        (1, "date,ETH,,BNB", "p.csv:1: column 3 has no name"),
        (1, "date,ETH,BNB,ETH", "p.csv:1: column ETH is there twice"),
        (1, "date,ETH,WBTC", "p.csv:2: has 4 columns, the header 3"),
        (9, "2026-01-08,5,,7", "p.csv:9: column WBTC: is empty; a gap cannot be filled here"),
        (9, "2026-01-08,5,6", "p.csv:9: has 3 columns, the header 4"),
        (9, "2026-01-08,5,0,7", "p.csv:9: column WBTC: 0 is not above 0"),
        (9, "2026-01-08,5,6,-7.5", "p.csv:9: column BNB: -7.5 is not above 0"),
        (9, "2026-01-08,5,nan,7", "p.csv:9: column WBTC: 'nan' is no number such as 1234.56"),
        (9, "2026-01-08,inf,6,7", "p.csv:9: column ETH: 'inf' is no number such as 1234.56"),
        (9, "2026-01-08,5,1e999,7", "p.csv:9: column WBTC: '1e999' is no number such as 1234.56"),
        (9, '2026-01-08,5,"1,234",7', "p.csv:9: column WBTC: '1,234' is no number such as 1234.56"),
        (9, "2026-01-08,5,٣,7", "p.csv:9: column WBTC: '٣' is no number such as 1234.56"),
        (9, "08.01.2026,5,6,7", "p.csv:9: column date: '08.01.2026' is no day such as 2026-01-31"),
        (9, "2026-02-30,5,6,7", "p.csv:9: column date: '2026-02-30' is no day such as 2026-01-31"),
        (9, "20260108,5,6,7", "p.csv:9: column date: '20260108' is no day such as 2026-01-31"),
        (9, "2026-01-07,5,6,7", "p.csv:9: column date: 2026-01-07 is there twice"),
        (
            9,
            "2026-01-06,5,6,7",
            "p.csv:9: column date: 2026-01-06 follows 2026-01-07; the oldest comes first",
        ),
        (
            9,
            "2026-01-09,5,6,7",
            "p.csv:9: column date: 2026-01-09 is 2 days after the line before it, "
            "the others are 1 apart",
        ),
        (
            9,
            "2026-01-08,101,9.75,97",
            "p.csv:9: column WBTC: 9.75 follows 100.104303461043, more than 10 times as much or as little",
        ),
        (
            9,
            "2026-01-08,101,9e4,97",
            "p.csv:9: column WBTC: 9E+4 follows 100.104303461043, more than 10 times as much or as little",
        ),
        (9, '2026-01-08,5,"6"x,7', "p.csv:9: is no CSV: ',' expected after '\"'"),
        (9, f"2026-01-08,5,{'x' * 99},7", f"p.csv:9: column WBTC: '{'x' * 40}…' is no number such as 1234.56"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(line: int, replacement: str, said: str) -> None:
    assert said == refusal(with_line(line, replacement))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.csv is empty"),
        ("date;ETH;WBTC\n", "p.csv:1: has one column; columns are separated by commas"),
        ("date,ETH\n2026-01-01,5\n", "p.csv has ETH alone; two are needed"),
        ("\n".join(LINES[:61]), "p.csv has 60 prices of each asset; 61 are needed"),
        ("date,ETH,WBTC\n", "p.csv has 0 prices of each asset; 61 are needed"),
    ],
)
def test_too_little_is_refused(text: str, said: str) -> None:
    assert said == refusal(text)


def test_as_many_returns_as_two_for_each_asset_are_needed() -> None:
    names = [f"a{i}" for i in range(40)]
    days = [date.fromordinal(738_000 + i).isoformat() for i in range(80)]
    table = "\n".join([",".join(["date", *names]), *(f"{day}{',1' * 40}" for day in days)])
    assert "p.csv has 80 prices of each asset; 81 are needed for 40 assets" == refusal(table)


def test_wished_column_that_is_not_there_is_refused() -> None:
    assert "p.csv has no DAI, which --of names; it has ETH, WBTC, BNB" == refusal(
        GOOD, ("ETH", "DAI")
    )


@given(st.text(max_size=60), st.integers(1, 91))
def test_no_line_makes_anything_but_prices_or_a_refusal(line: str, number: int) -> None:
    try:
        prices = [
            price for row in read_history(with_line(number, line), shown="p").rows for price in row
        ]
    except WrongValue:
        prices = []
    assert all(price > 0 for price in prices)


def test_market_capitalisations_are_read_exactly() -> None:
    found = read_sizes("Asset,CAP\nETH,4.1e11\nUSDC, 70000000000.25 \n", shown="c.csv")
    assert {"ETH": Fraction(410 * 10**9), "USDC": Fraction(280_000_000_001, 4)} == found


def test_market_capitalisations_of_named_assets_alone_are_read() -> None:
    text = "asset,cap\nETH,2\nDOGE,none\nUSDC,1\n"
    found = read_sizes(text, shown="c.csv", only=("USDC", "ETH"))
    assert {"ETH": Fraction(2), "USDC": Fraction(1)} == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ETH,1\nUSDC,2\n", "c.csv:1: the header is 'ETH,1', not asset,cap"),
        ("asset,cap\nETH,1\nETH,2\n", "c.csv:3: ETH is there twice"),
        ("asset,cap\n,1\n", "c.csv:2: column asset: is empty"),
        ("asset,cap\nETH,0\n", "c.csv:2: column cap: 0 is not above 0"),
        ("asset,cap\nETH,1\n", "c.csv has ETH alone; two are needed"),
        ("asset,cap\n", "c.csv has no asset; two are needed"),
    ],
)
def test_wrong_market_capitalisations_are_told_with_their_place(text: str, said: str) -> None:
    with pytest.raises(WrongValue) as refused:
        read_sizes(text, shown="c.csv")
    assert said == refused.value.message
