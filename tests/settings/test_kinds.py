"""Shares, money and durations: exact, or refused."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import WHOLE_BPS
from agent.errors import ConfigError, WrongType, WrongValue
from agent.settings import kinds
from agent.settings.toml_file import Bare
from agent.settings.value import Value


def value(raw: object, *, textual: bool = False) -> Value:
    return Value(raw=raw, name="key", source="flag", textual=textual)


def written(number: Fraction, digits: int) -> str:
    scaled = number * 10**digits
    whole, rest = divmod(scaled.numerator // scaled.denominator, 10**digits)
    return f"{whole}.{rest:0{digits}}" if digits else str(whole)


@given(st.integers(0, WHOLE_BPS), st.integers(4, 18))
def test_every_basis_point_survives_however_many_zeros_follow(bps: int, digits: int):
    assert bps == kinds.share(value(written(Fraction(bps, WHOLE_BPS), digits)))


@given(st.integers(0, 10**18))
def test_a_share_is_exact_or_refused(numerator: int):
    text = written(Fraction(numerator, 10**18), 18)
    exact = Fraction(numerator * WHOLE_BPS, 10**18)
    if exact.denominator == 1:
        assert exact == kinds.share(value(text))
    else:
        with pytest.raises(WrongValue, match="is finer than 1 bp"):
            kinds.share(value(text))


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
    )
)
def test_whatever_is_given_is_a_number_not_below_0_or_an_error(raw: object):
    try:
        number = kinds.decimal(value(raw))
    except ConfigError:
        return
    assert number >= 0
    assert Decimal(str(raw)) == number


@given(st.decimals(0, 10**18 - 1, places=18, allow_nan=False, allow_infinity=False))
def test_money_keeps_every_digit(money: Decimal):
    text = format(money, "f")
    assert text == format(kinds.decimal(value(text)), "f")
    assert Decimal(kinds.plain(money)) == money


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0s", 0), ("30s", 30), ("10m", 600), ("6h", 21_600), ("7d", 604_800), ("2w", 1_209_600)],
)
def test_durations_are_seconds(text: str, expected: int):
    assert expected == kinds.duration_seconds(value(text))


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-1d", "1.5h", "1h30m", "1 h", "1H", "1e3s", "9999999d"]
)
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(WrongValue, match="is no duration"):
        kinds.duration_seconds(value(text))


def test_a_number_is_text_only_where_it_cannot_be_otherwise():
    assert kinds.whole(0, 100)(value("50", textual=True)) == 50
    with pytest.raises(WrongType):
        kinds.whole(0, 100)(value("50"))
    with pytest.raises(WrongType):
        kinds.whole(0, 100)(value("5e1", textual=True))
    with pytest.raises(WrongType):
        kinds.whole(0, 100)(value(True))


@pytest.mark.parametrize(("raw", "expected"), [(12, "12"), ("0.25", "0.25"), ("86400", "86400")])
def test_seconds_are_whole_or_quoted(raw: object, expected: str):
    assert Decimal(expected) == kinds.seconds(value(raw))


@pytest.mark.parametrize("raw", [0, -1, 86_401, "0", "86400.1", True])
def test_seconds_outside_a_day_are_refused(raw: object):
    with pytest.raises(ConfigError):
        kinds.seconds(value(raw))


def test_a_float_is_never_a_number_whatever_is_wanted():
    for read in (
        kinds.text,
        kinds.decimal,
        kinds.share,
        kinds.duration_seconds,
        kinds.hash32,
        kinds.seconds,
    ):
        with pytest.raises(WrongType):
            read(value(Bare("0.5")))


def test_long_text_is_never_shown_whole():
    with pytest.raises(WrongValue) as caught:
        kinds.decimal(value("5" * 64))
    assert caught.value.message == 'flag: key: "555555555555…" is no plain number such as "1250.50"'


def test_a_private_key_is_recognised_and_not_shown():
    key = "0x" + "c0ffee00" * 8
    for read in (
        kinds.text,
        kinds.address,
        kinds.chain,
        kinds.one_of({"a": 1}),
        kinds.names(["a"], "thing"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(value([key] if read.__qualname__.startswith("names") else key))
        assert "c0ffee" not in caught.value.message
