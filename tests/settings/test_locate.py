"""The line of every key, held against what tomllib reads from the same text."""

import tomllib

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agent.settings.locate import KeyPath, lines
from agent.settings.toml_file import Bare


def paths(value: object, at: KeyPath = ()) -> set[KeyPath]:
    """Every path that tomllib knows, the root left out."""
    below = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = {at} if at else set()
    for key, inner in below:
        found |= paths(inner, (*at, key))
    return found


EVERY_FORM = '''\
# a comment with [brackets] and = signs
title = "one # not a comment"   # a comment
"quoted key" = 1
'literal' = 2
dotted.key . "with spaces" = 3
"esc\\u0061ped" = 4

[table]
date = 1979-05-27 07:32:00
list = [
  1,  # one
  [2, 3],
  { a = 4, b = { c = "]" } },
]
multi = """
[not.a.table]
key = "not a key"
"""
raw = \'\'\'
it's ''
\'\'\'
[table.below."dotted.name"]
x = """quotes at the end"""""
y = \'\'

[[lists]]
name = "first"
[lists.inside]
deep = 1
[[lists]]
name = "second"
[[lists.nested]]
z = 1
[[lists.nested]]
z = {}
empty = []

[late]
[super.implied]
v = 1
[super]
w = 2
'''


def test_each_form_of_toml_has_the_line_where_it_is_written():
    found = lines(EVERY_FORM)
    assert paths(tomllib.loads(EVERY_FORM)) == set(found)
    expected = {
        ("title",): 2,
        ("quoted key",): 3,
        ("dotted", "key", "with spaces"): 5,
        ("escaped",): 6,
        ("table",): 8,
        ("table", "list"): 10,
        ("table", "list", 0): 11,
        ("table", "list", 1, 1): 12,
        ("table", "list", 2, "b", "c"): 13,
        ("table", "multi"): 15,
        ("table", "raw"): 19,
        ("table", "below", "dotted.name", "x"): 23,
        ("lists",): 26,
        ("lists", 0, "inside", "deep"): 29,
        ("lists", 1): 30,
        ("lists", 1, "nested", 0, "z"): 33,
        ("lists", 1, "nested", 1, "empty"): 36,
        ("super", "implied", "v"): 40,
        ("super",): 41,
        ("super", "w"): 42,
    }
    assert expected == {path: found[path] for path in expected}


NAMES = st.sampled_from(
    ["a", "b-1", "key", "ETH", "eip155:1", "a.b", "it's", 'say "x"', "ü", "", "#"]
)
LEAVES = st.sampled_from(
    [
        "1",
        "true",
        "1.50",
        '"text"',
        '"# [x]"',
        "'raw \"'",
        "1979-05-27",
        "[]",
        "{}",
        '"""\nx = 1\n[y]\n"""',
        "'''\n'''",
        '"\\""',
        "1979-05-27 07:32:00Z",
    ]
)


def written(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return name if name.isascii() and name.replace("-", "").isalnum() else f'"{escaped}"'


@st.composite
def values(draw, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["leaf", "list", "table"])) if depth else "leaf"
    if kind == "list":
        gap = draw(st.sampled_from(["", " ", "\n", "\n  # ]\n  "]))
        inner = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + gap + ("," + gap).join(inner) + gap + "]"
    if kind == "table":
        names = draw(st.lists(NAMES, max_size=3, unique=True))
        return "{ " + ", ".join(f"{written(name)} = {draw(values(0))}" for name in names) + " }"
    return draw(LEAVES)


@st.composite
def documents(draw) -> str:
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        key = " . ".join(written(part) for part in draw(st.lists(NAMES, min_size=1, max_size=3)))
        kind = draw(st.sampled_from(["pair", "pair", "pair", "[", "[[", "comment"]))
        if kind == "pair":
            rows.append(f"{key} = {draw(values())}")
        elif kind == "comment":
            rows.append(draw(st.sampled_from(["", "# [a]", "   # x = 1"])))
        else:
            rows.append(kind + key + kind.replace("[", "]"))
    return draw(st.sampled_from(["\n", "\n\n"])).join(rows)


@given(documents())
def test_every_key_that_tomllib_reads_is_found_and_no_other(text: str):
    try:
        known = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    found = lines(text)
    assert paths(known) == set(found)
    rows = text.split("\n")
    for path, line in found.items():
        # A key is written on its line; a list's element only has to lie inside the text.
        if isinstance(path[-1], str):
            assert path[-1].replace('"', '\\"') in rows[line - 1]
        assert 1 <= line <= len(rows)


@given(documents(), st.integers(0, 10_000), st.text(alphabet="a.=[]{}\"'#\n ,1\\", max_size=2))
@example("a=", 2, "''''b'''")
@example('a = """\\"""" \n[b]', 0, "a")
@example("a = ''''b''''' # it ends in two quotes", 0, "a")
def test_a_text_changed_anywhere_is_located_as_long_as_it_is_toml(text: str, at: int, more: str):
    at %= len(text) + 1
    text = text[:at] + more + text[at + 1 :]
    try:
        known = tomllib.loads(text, parse_float=Bare)
    except tomllib.TOMLDecodeError:
        return
    assert paths(known) == set(lines(text))


def test_text_that_is_no_toml_says_where_it_stopped():
    with pytest.raises(ValueError, match="line 2 is not TOML"):
        lines("a = 1\n?")
