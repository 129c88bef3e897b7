"""Strict JSON: what is accepted equals the standard parser, all else is refused alike."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.strict_json import MAX_DEPTH, MAX_VALUES, StrictJsonError, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**256), 2**256) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_json_of_plain_values_comes_back_unchanged(value: Any) -> None:
    assert value == loads(json.dumps(value).encode())


@given(st.binary() | st.text('[]{}",:\\ \n0a', max_size=200).map(str.encode))
def test_any_bytes_are_parsed_or_refused_with_one_error(raw: bytes) -> None:
    try:
        value = loads(raw)
    except StrictJsonError:
        return
    assert value == json.loads(raw, parse_float=Decimal)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", "NaN or infinity"),
        ('{"a": -Infinity}', "NaN or infinity"),
        ("[Infinity]", "NaN or infinity"),
        ('{"a": 1, "a": 2}', "a key appears twice in one object"),
        ('[{"b": {"a": 1, "a": 1}}]', "a key appears twice in one object"),
        ("1" * 81, "a number of more than 80 characters"),
        ("0." + "1" * 79, "a number of more than 80 characters"),
        ("1e101", "a number beyond ten to the power of 100"),
        ("1e-101", "a number beyond ten to the power of 100"),
        ("1e999999999999999999999", "a number beyond ten to the power of 100"),
        ("[" * 65 + "]" * 65, "nested deeper than 64"),
        ("[" * 200_000, "nested deeper than 64"),
        ('{"a":' * 200_000, "nested deeper than 64"),
        ('["' + '\\"' * 100 + "[" * 200, "not JSON"),
        ("[" + "0," * MAX_VALUES + "0]", f"more than {MAX_VALUES} values"),
        ("[" + "{}," * (MAX_VALUES // 2) + "0]", f"more than {MAX_VALUES} values"),
        ('{"a": 1', "not JSON"),
        ('{"a": 1} x', "not JSON"),
        ("", "not JSON"),
        ("'a'", "not JSON"),
        ("\ufeff1", "not JSON"),
    ],
)
def test_json_beyond_the_rules_is_refused(text: str, why: str) -> None:
    with pytest.raises(StrictJsonError) as refused:
        loads(text.encode())
    assert why == str(refused.value)


def test_json_in_another_encoding_is_refused() -> None:
    with pytest.raises(StrictJsonError, match=r"^not UTF-8$"):
        loads('{"a": 1}'.encode("utf-16"))


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    text = json.dumps([["[" * 500], {"{" * 500: '"[' * 500}])
    assert json.loads(text) == loads(text.encode())


@given(st.integers(0, 80), st.sampled_from(["[]", "{}"]))
def test_depth_up_to_the_limit_is_accepted(depth: int, kind: str) -> None:
    opening, closing = ("[", "]") if kind == "[]" else ('{"a[\\"":', "}")
    text = opening * depth + "0" + closing * depth
    # The commas and braces of the neighbour make the scanner count instead of guess.
    text = f'[{text}, {{}}, "]]]]]", {"[]," * 70} 0]'
    if depth < MAX_DEPTH:
        assert json.loads(text) == loads(text.encode())
    else:
        with pytest.raises(StrictJsonError, match="nested deeper"):
            loads(text.encode())


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=18
    )
)
def test_fractions_become_exact_decimals(number: Decimal) -> None:
    found = loads(f"{number:f}".encode())
    assert number == found
    assert isinstance(found, Decimal)
