"""The list of threats names every rule of the guard, and for each of them a test that exists."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.core.guard import RULES

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"\| (?P<threat>T\d\d) \| (?P<what>[^|]+) \| `(?P<rule>\w+)` \| (?P<code>[GS]\d{3}) "
    r"\| `(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)` \|"
)
RULE_NAMES = [rule.__name__ for rule in RULES]


@dataclass(frozen=True, slots=True)
class Row:
    """One threat, the rule against it, and the test that shows it."""

    threat: str
    what: str
    rule: str
    code: str
    file: str
    test: str


def rows() -> list[Row]:
    lines = (ROOT / "docs" / "threats.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| T")]
    found = [ROW.fullmatch(line) for line in table]
    assert None not in found, [line for line, row in zip(table, found, strict=True) if not row]
    return [Row(**row.groupdict()) for row in found if row is not None]


def test_every_rule_has_a_row_and_every_row_a_rule() -> None:
    assert set(RULE_NAMES) == {row.rule for row in rows()}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.threat}-{row.test}")
def test_row_names_a_test_that_exists(row: Row) -> None:
    tree = ast.parse((ROOT / row.file).read_text())
    assert row.test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_rule_has_a_test_of_the_guard_s_own_with_its_code(rule: str) -> None:
    own = [row for row in rows() if row.rule == rule and "test_guard" in row.file]
    assert own
    text = (ROOT / own[0].file).read_text()
    for row in own:
        assert f'"{row.code}' in text or f"{row.code} " in text


def test_every_code_of_a_rule_is_in_its_rows() -> None:
    """Codes are read from the source of each rule."""
    for rule in RULES:
        said = {
            leaf.value
            for leaf in ast.walk(ast.parse(inspect.getsource(rule)))
            if isinstance(leaf, ast.Constant) and re.fullmatch(r"[GS]\d{3}", str(leaf.value))
        }
        assert said <= {row.code for row in rows() if row.rule == rule.__name__}


def test_threats_are_in_order_and_say_what_would_happen() -> None:
    assert [row.threat for row in rows()] == sorted(row.threat for row in rows())
    assert len(rows()) == len({(row.threat, row.what) for row in rows()})
