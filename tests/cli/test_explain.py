"""`explain`: every code has a long text, and every long text a code."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from cli.commands import Command

import agent.errors
from agent.cli.explain import Explanation, explanations, text
from agent.errors import AgentError

PACKAGE = Path(agent.errors.__file__).parent
CODE = re.compile(r"[A-Z][0-9]{3}")

LOOSENING = re.compile(r"--yes|--no-rehearsal|raise the|widen|turn off|switch off|disable", re.I)


def codes_in_the_program() -> set[str]:
    """Every string in agent/ that is a code: errors, refusals, findings."""
    return {
        node.value
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }


def test_every_code_of_the_program_is_explained_and_no_other() -> None:
    assert codes_in_the_program() == set(explanations())


def test_every_error_class_has_an_explained_code() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(agent.errors, inspect.isclass)
        if issubclass(kind, AgentError)
    ]
    assert len(kinds) > 30
    assert {kind.code for kind in kinds} <= set(explanations())


@pytest.mark.parametrize("found", explanations().values(), ids=lambda found: found.code)
def test_explanation_says_what_it_means_what_to_do_and_what_is_at_stake(
    found: Explanation,
) -> None:
    assert len(found.title) <= 72
    assert not found.title.endswith(".")
    for part in (found.means, found.do, found.risk):
        assert part.endswith((".", "?"))
        assert part[0].isupper() or part.startswith(("rebalancer ", "`"))
    assert len(found.means) > 60
    assert all(len(line) <= 88 for line in text(found).splitlines())


def test_explanation_of_a_guard_says_what_loosening_it_would_risk() -> None:
    told = [found for found in explanations().values() if found.code[0] in "GS"]
    assert len(told) > 25
    assert [] == [found.code for found in told if len(found.risk) < 60]


def test_what_to_do_never_invites_to_loosen_a_guard() -> None:
    told = [found for found in explanations().values() if found.code[0] in "GS"]
    assert ["G303"] == [found.code for found in told if LOOSENING.search(found.do)]


def test_explain_prints_paragraphs_that_fit_a_terminal(bare: Command) -> None:
    told = bare("explain", "g402")
    wanted = """\
G402  this machine's clock and the chain's differ
what it means
  The newest block's time and our clock are more than a minute apart. Expiry of quotes,
  freshness of prices and deadlines rest on both.
what to do
  Set the clock (NTP). If the clock is right the node is behind: use another one.
  `rebalancer doctor` shows both.
what loosening it would risk
  With a late clock stale prices look fresh and dead quotes look alive.
"""
    assert (0, wanted, "") == (told.code, told.stdout, told.stderr)


def test_explain_prints_json(bare: Command) -> None:
    told = bare("--json", "explain", "U100").document
    assert {
        "schema": 1,
        "kind": "explanation",
        "code": "U100",
        "title": "the command line cannot be meant",
        "means": "An unknown command or option, a missing value, or a value that the option does "
        "not take. Nothing was begun.",
        "do": "rebalancer --help, or rebalancer COMMAND --help.",
        "risk": "There is nothing to loosen.",
    } == told


def test_explain_without_a_code_lists_all(bare: Command) -> None:
    listed = [line.split()[0] for line in bare("explain").stdout.splitlines()]
    assert sorted(explanations()) == listed
    told = bare("explain", "--json").document
    assert ("codes", listed) == (told["kind"], [row["code"] for row in told["codes"]])


def test_explain_refuses_a_code_that_does_not_exist(bare: Command) -> None:
    told = bare("explain", "G999\x1b[31m")
    assert (2, "") == (told.code, told.stdout)
    assert "error[C104] there is no code 'G999\\x1b[31m'\n" in told.stderr
