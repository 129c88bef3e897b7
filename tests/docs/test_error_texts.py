"""What errors tell people to do: one plain deed each, and never to loosen a guard."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import agent
from agent.core.verdict import Refusal
from agent.keeper.refusals import FIXES, WAIT, error_of

LOOSENING = re.compile(
    r"\b(max|min)_\w+|\[(limits|confirm|canary|venues|bridges)\]|\b(band|cooldown|canary)\b"
    r"|--yes|--no-rehearsal|--i-accept|mode ="
    r"|\b(raise|increase|higher|loosen|relax|widen|allow|disable|ignore|skip|force|override)\b"
    r"|\b(turn|switch) off\b",
    re.IGNORECASE,
)

HARMLESS = {
    # To take an allowance back loosens nothing, and --yes only answers the question.
    "run it on a terminal, or with --yes",
    # What a run was started with, taken away in its middle: its money is there.
    "put it back under [venues] until the run has ended",
    "put it back under [bridges] until the run has ended",
}


def fixes() -> Iterator[tuple[str, str]]:
    """(place, text) of every `fix=` in the program; what is filled in later stands as `…`."""
    package = Path(agent.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "fix":
                text = _text(node.value)
                if text is not None:
                    yield f"{path.relative_to(package)}:{node.value.lineno}", text
    yield from FIXES.items()
    yield "WAIT", WAIT


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else "…"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    return None


def test_no_error_invites_to_loosen_a_guard() -> None:
    found = list(fixes())
    assert len(found) > 100
    assert [] == [
        (place, text) for place, text in found if LOOSENING.search(text) and text not in HARMLESS
    ]


def test_each_deed_fits_into_the_sentence_of_an_error() -> None:
    """It is printed between "nothing was signed. " and ". more: …"."""
    assert [] == [
        (place, text) for place, text in fixes() if not text.strip() or re.search(r"[.\n]$", text)
    ]


def test_refusals_of_one_moment_are_one_error_under_the_first_code() -> None:
    error = error_of(Refusal("G201", "one"), Refusal("G202", "two"), Refusal("G201", "one"))
    assert ("G201", "one; two", WAIT, 6) == (error.code, error.message, error.fix, error.exit)
    assert 8 == error_of(Refusal("N104", "unread")).exit
    assert 7 == error_of(Refusal("S101", "reverts")).exit
