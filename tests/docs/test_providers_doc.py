"""docs/providers.md says what every venue and bridge really did on the local chains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from provider_document import BY_POOLS, CASES, DOCUMENT, Case, Row, measured, put, table, written

from agent.compose.adapters import venue_names
from agent.compose.bridges import all_bridge_names
from agent.compose.providers import provider_names
from agent.core import fact as f
from agent.lab.providers import desk_names
from agent.lab.worlds import Worlds

REGENERATE = "REGENERATE"
"""Variable that lets the tests write the document instead of comparing it."""

FOUND: list[Row] = []


@pytest.fixture(scope="module", autouse=True)
def document() -> Iterator[None]:
    yield
    if os.environ.get(REGENERATE) and len(FOUND) == len(CASES):
        put(FOUND)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.via}-{case.name}")
def test_leg_runs_to_its_end_with_every_base_unit_explained(case: Case, chains: Worlds) -> None:
    row, run = measured(case, chains)
    FOUND.append(row)
    assert () == run.closed.unexplained
    assert [] == run.of(f.ForeignInflow)
    assert run.got >= run.quoted.quote.min_amount_out
    if os.environ.get(REGENERATE):
        return
    (then,) = [each for each in written() if (each.by, each.leg) == (row.by, row.leg)]
    assert then.sold == row.sold
    # What solvers and executors take for their gas follows the block's base fee.
    assert close(then.least, row.least, parts=1_000)
    assert close(then.got, row.got, parts=1_000)
    assert close(str(then.gas), str(row.gas), parts=20)


def close(one: str, other: str, *, parts: int) -> bool:
    """Whether two figures differ by no more than one of so many *parts*."""
    first, second = (Decimal(text.replace(",", "")) for text in (one, other))
    return abs(first - second) * parts <= first


def test_every_venue_and_every_bridge_has_a_row() -> None:
    rows = {row.by for row in written()}
    assert rows == {*BY_POOLS, *provider_names("venues"), *all_bridge_names()}
    assert [(case.via, case.name) for case in CASES] == [(row.by, row.leg) for row in written()]
    assert DOCUMENT.read_text(encoding="utf-8").endswith(table(written()))


def test_document_says_of_each_what_stands_for_it_on_local_chains() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in {*venue_names(), *all_bridge_names(), *desk_names()}:
        assert f"| {name} |" in text.partition("## Measured")[0], name


def test_script_is_where_the_document_says() -> None:
    assert (Path(__file__).parents[2] / "scripts" / "providers_doc.py").is_file()
