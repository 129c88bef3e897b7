"""Facts to JSON and back: one spelling each, and any surprise refuses."""

import json
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NewType, get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import KINDS, facts, values

from agent.core.codec import Undecodable, decode, encode, from_json, to_json
from agent.core.fact import Confirmed, Filled, Reserved, Settled, Signed, Started, TookOver
from agent.core.intent import SignedTx
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Plan

LINE = '{"fact":{"at":7,"type":"TookOver","worker":"w"},"v":4}'


def example(kind: type) -> Any:
    """One value of a type, the same each time."""
    found: list[Any] = []

    @settings(max_examples=1, derandomize=True, database=None)
    @given(values(kind))
    def take(value: Any) -> None:
        found.append(value)

    take()
    return found[0]


def reachable(wanted: Any, seen: set[type]) -> set[type]:
    if is_dataclass(wanted) and isinstance(wanted, type) and wanted not in seen:
        seen.add(wanted)
        for hint in get_type_hints(wanted).values():
            reachable(hint, seen)
    for part in get_args(wanted):
        reachable(part, seen)
    return seen


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_fact_comes_back_equal(kind: type, data: st.DataObject) -> None:
    fact = data.draw(values(kind))
    assert encode(fact) == encode(from_json(to_json(fact)))
    assert fact == from_json(to_json(fact))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts())
def test_line_is_ascii_and_the_only_spelling(fact: Any) -> None:
    line = to_json(fact)
    assert line.isascii()
    assert "\n" not in line
    assert line == to_json(from_json(line))


def test_line_is_what_journals_already_hold() -> None:
    assert LINE == to_json(TookOver("w", 7))
    big = Token(ChainId(1), Address("0x" + "a0" * 20), 6, "USDC")
    assert (
        '{"fact":{"at":1,"bought":{"raw":5,"token":{"address":"0x' + "a0" * 20 + '","chain":1,'
        '"decimals":6,"symbol":"USDC","type":"Token"},"type":"Amount"},"id":"f","intent":"i",'
        '"sold":{"raw":"9007199254740992","token":{"address":"0x' + "a0" * 20 + '","chain":1,'
        '"decimals":6,"symbol":"USDC","type":"Token"},"type":"Amount"},"type":"Filled"},"v":4}'
    ) == to_json(Filled("i", "f", Amount(big, 2**53), Amount(big, 5), 1))


def test_fields_named_kind_survive_beside_the_tag() -> None:
    reserved = example(Reserved)
    again = from_json(to_json(replace(reserved, kind="cancel")))
    assert isinstance(again, Reserved)
    assert "cancel" == again.kind


def test_no_frozen_type_has_a_field_that_the_tag_would_hide() -> None:
    names = {
        field.name for kind in KINDS for cls in reachable(kind, set()) for field in fields(cls)
    }
    assert "type" not in names
    assert "kind" in names


def test_value_inside_a_fact_can_be_coded_alone() -> None:
    plan = example(Plan)
    assert plan == decode(json.loads(json.dumps(encode(plan))), Plan)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts(), st.data())
def test_any_cut_or_doubled_byte_refuses_or_means_the_same(fact: Any, data: st.DataObject) -> None:
    line = to_json(fact)
    at = data.draw(st.integers(0, len(line) - 1))
    for changed in (line[:at], line[:at] + line[at] + line[at:], line[:at] + line[at + 1 :]):
        if changed != line:
            try:
                other = from_json(changed)
            except Undecodable:
                continue
            assert changed == to_json(other)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "nested deeper than 32"),
        ('"[' * 100_000, "no JSON"),
        (LINE.replace('"w"', "[" * 33 + "]" * 33), "nested deeper than 32"),
        (LINE.replace('"w"', "[" * 30 + "]" * 30), "is no str"),
        ("[]", "not a journal line"),
        ('{"v":4}', "not a journal line"),
        ('{"v":4,"fact":{},"more":1}', "not a journal line"),
        ('{"v":1,"fact":{}}', "version 1, this program reads 4"),
        ('{"v":"3","fact":{}}', "version '3', this program reads 4"),
        ('{"v":4,"fact":[]}', "no fact that this program knows"),
        ('{"v":4,"fact":{}}', "no fact that this program knows"),
        ('{"v":4,"fact":{"type":"Plan"}}', "no fact that this program knows"),
        ('{"v":4,"fact":{"type":["TookOver"]}}', "no fact that this program knows"),
        (LINE.replace('"v":4', '"v":true'), "version True, this program reads 4"),
        (LINE.replace('"v":4', '"v":4.0'), "the one spelling"),
        (LINE.replace(":7", ": 7"), "the one spelling"),
        (LINE + " ", "the one spelling"),
        (LINE.replace('"at":7', '"at":6,"at":7'), "the one spelling"),
        (LINE.replace('"w"', '"\\u0077"'), "the one spelling"),
        (LINE.replace('"at":7,', ""), "TookOver does not match in at"),
        (LINE.replace('"at":7', '"at":7,"x":0'), "TookOver does not match in x"),
        (LINE.replace("7", "7.0"), "$.fact.at: 7.0 is no int"),
        (LINE.replace("7", "NaN"), "$.fact.at: nan is no int"),
        (LINE.replace("7", "true"), "$.fact.at: True is no int"),
        (LINE.replace("7", '"7"'), "$.fact.at: '7' is no int"),
        (LINE.replace("7", "null"), "$.fact.at: None is no int"),
        (LINE.replace("7", "9007199254740992"), "$.fact.at: 9007199254740992 is no int"),
        (LINE.replace("7", '"9007199254740991"'), "$.fact.at: '9007199254740991' is no int"),
        (LINE.replace("7", '"09007199254740992"'), "is no int"),
        (LINE.replace("7", '"٩٠٠٧١٩٩٢٥٤٧٤٠٩٩٢"'), "is no int"),
        (LINE.replace("7", '"9_007_199_254_740_992"'), "is no int"),
        (LINE.replace("7", '"' + "9" * 79 + '"'), "9… is no int"),
        (LINE.replace("7", "9" * 5000), "no JSON"),
        (LINE.replace('"w"', "1"), "$.fact.worker: 1 is no str"),
    ],
    ids=lambda text: text[:30],
)
def test_line_with_a_surprise_refuses_and_says_where(line: str, why: str) -> None:
    with pytest.raises(Undecodable) as caught:
        from_json(line)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 300


Wrapped = NewType("Wrapped", ChainId)


@dataclass(frozen=True)
class Inner:
    n: int


@dataclass(frozen=True)
class Nest:
    inner: tuple["Nest", ...]


@dataclass(frozen=True)
class Outer:
    inner: Inner | SignedTx
    maybe: Inner | None
    number: Decimal | None
    many: tuple[tuple[str, int], ...]
    word: Literal["yes", "no"]
    chain: Wrapped
    flag: bool


OUTER = Outer(Inner(1), None, Decimal("1.0"), (("a", 1),), "yes", Wrapped(ChainId(5)), False)


@pytest.mark.parametrize(
    ("field", "raw", "why"),
    [
        ("inner", None, "$.inner: None is not known here"),
        ("inner", {"type": "Outer"}, "$.inner: 'Outer' is not known here"),
        ("inner", {"n": 1}, "$.inner: {'n': 1} is not known here"),
        ("inner", {"type": "Inner"}, "$.inner: Inner does not match in n"),
        ("maybe", 3, "$.maybe: 3 is not known here"),
        ("number", "1,0", "$.number: '1,0' is no Decimal"),
        ("number", "NaN", "$.number: 'NaN' is no Decimal"),
        ("number", "-Infinity", "$.number: '-Infinity' is no Decimal"),
        ("number", "01", "$.number: '01' is no Decimal"),
        ("number", "1e3", "$.number: '1e3' is no Decimal"),
        ("number", " 1", "$.number: ' 1' is no Decimal"),
        ("number", 1, "$.number: 1 is no Decimal"),
        ("number", {"type": "Decimal"}, "$.number: 'Decimal' is not known here"),
        ("many", {}, "$.many: a list is wanted"),
        ("many", ["a1"], "$.many[0]: a list is wanted"),
        ("many", [["a"]], "$.many[0]: 2 items are wanted, 1 are there"),
        ("many", [["a", 1], ["b", "c"]], "$.many[1][1]: 'c' is no int"),
        ("word", "maybe", "$.word: 'maybe' is none of ('yes', 'no')"),
        ("word", ["yes"], "$.word: ['yes'] is none of ('yes', 'no')"),
        ("chain", "x", "$.chain: 'x' is no int"),
        ("flag", 0, "$.flag: 0 is no bool"),
    ],
)
def test_field_of_another_shape_refuses_and_says_where(field: str, raw: Any, why: str) -> None:
    with pytest.raises(Undecodable) as caught:
        decode({**encode(OUTER), field: raw}, Outer)
    assert why == str(caught.value)


def test_nested_values_of_all_shapes_come_back() -> None:
    assert OUTER == decode(encode(OUTER), Outer)
    assert replace(OUTER, maybe=Inner(2), number=None) == decode(
        encode(replace(OUTER, maybe=Inner(2), number=None)), Outer
    )


def test_brackets_inside_of_strings_are_no_depth() -> None:
    fact = TookOver('[[{{"\\' * 1000, 7)
    assert fact == from_json(to_json(fact))


def test_deep_line_does_not_end_the_process_whatever_its_recursion_limit() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(Undecodable, match="nested deeper"):
            from_json("[" * 1_000_000)
    finally:
        sys.setrecursionlimit(limit)


def test_value_that_holds_values_of_its_own_type_comes_back() -> None:
    nest = Nest((Nest(()), Nest((Nest(()),))))
    assert nest == decode(encode(nest), Nest)


def test_dataclass_of_another_name_refuses() -> None:
    with pytest.raises(Undecodable, match=r"\$: a Inner is wanted"):
        decode({"type": "Outer", "n": 1}, Inner)
    with pytest.raises(Undecodable, match=r"\$: a Inner is wanted"):
        decode([], Inner)


def test_type_that_the_codec_does_not_know_refuses() -> None:
    with pytest.raises(TypeError, match=r"float.* has no exact JSON form"):
        decode(1, float)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("sNaN"),
        [1],
        {"a": 1},
        b"x",
        Inner,
        10**78,
        -(10**78),
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_without_an_exact_form_is_not_encoded(value: Any) -> None:
    with pytest.raises(TypeError, match="has no exact JSON form"):
        encode((value,))


@pytest.mark.parametrize(
    "fact",
    [
        TookOver("w", True),
        TookOver("w", "soon"),
        TookOver(3, 1),
        Signed("i", 0, None, 1),
        Confirmed("i", 2**300),
        replace(example(Settled), value=1),
        replace(example(Started), plan=None),
        example(Plan),
        Inner(1),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_fact_that_could_not_be_read_back_is_never_written(fact: Any) -> None:
    with pytest.raises(TypeError):
        to_json(fact)


def test_a_new_field_is_left_out_while_it_says_nothing() -> None:
    """So that what was written before there was such a field stays its one spelling."""
    plan = replace(example(Plan), tracking=Decimal(0))
    written = encode(plan)
    assert "tracking" not in written
    assert plan == decode(written, Plan)
    more = replace(plan, tracking=Decimal("0.25"))
    assert {**written, "tracking": "0.25"} == encode(more)
    assert more == decode(encode(more), Plan)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"tracking": "0"}, r"\$: Plan\.tracking is left out when it is 0"),
        ({"tracking": "0.00"}, r"\$: Plan\.tracking is left out when it is 0"),
        ({"tracking": "x"}, r"\$\.tracking: "),
        ({"trackin": "1"}, r"\$: Plan does not match in trackin"),
    ],
)
def test_a_new_field_has_one_spelling_too(said: dict[str, str], why: str) -> None:
    written = encode(replace(example(Plan), tracking=Decimal(0)))
    with pytest.raises(Undecodable, match=why):
        decode({**written, **said}, Plan)
