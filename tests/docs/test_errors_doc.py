"""docs/errors.md is what the commands print, and none of it costs anything."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cli_fixtures import NewWallet
from error_cases import CASES, Attempt, Case, arranged, kept
from error_document import DOCUMENT, head, put, section, sections

from agent.core.fact import Signed
from agent.errors import JournalCorrupt

REGENERATE = "REGENERATE"
"""Variable that lets the tests write the document instead of comparing it."""


@pytest.fixture(params=CASES, ids=lambda case: case.anchor)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def attempt(case: Case, new_wallet: NewWallet) -> Iterator[Attempt]:
    with arranged(case, new_wallet) as found:
        yield found


def test_bad_input_is_told_as_documented_and_costs_nothing(case: Case, attempt: Attempt) -> None:
    wallet = attempt.wallet
    before = (wallet.nonce(), signatures(attempt), kept(wallet))

    words, environ, before_it = (*case.command, *attempt.more), attempt.environ, attempt.before
    told = wallet.command(*words, environ=environ, before=before_it)
    if before_it is None:
        as_json = wallet.here(*words, "--json", environ=environ)
    else:
        as_json = wallet.command(*words, "--json", environ=environ, before=before_it)

    assert (case.exit, case.exit) == (told.code, as_json.code), told.stderr
    error = as_json.document
    assert {"schema": 1, "kind": "error", "code": case.code, "exit": case.exit} == {
        key: error[key] for key in ("schema", "kind", "code", "exit")
    }
    assert error["nothing_signed"] is True
    assert told.stderr.endswith(
        f"error[{case.code}] {error['message']}\n"
        f"  nothing was signed. {error['fix']}. more: rebalancer explain {case.code}\n"
    )
    assert before == (wallet.nonce(), signatures(attempt), kept(wallet))
    if os.environ.get(REGENERATE):
        put(case.title, section(case, wallet, told, as_json))
    written = sections(DOCUMENT.read_text(encoding="utf-8"))
    assert written.get(case.title) == section(case, wallet, told, as_json)


def signatures(attempt: Attempt) -> int | None:
    """Signatures in the journal, None where it cannot be read."""
    try:
        return sum(isinstance(fact, Signed) for fact in attempt.wallet.facts())
    except JournalCorrupt:
        return None


def test_document_has_each_case_once_and_nothing_else() -> None:
    written = sections(DOCUMENT.read_text(encoding="utf-8"))
    assert ["", *(case.title for case in CASES)] == list(written)
    assert head() == written[""]
