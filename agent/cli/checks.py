"""A finding of a check: what was looked at, how it stands, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.errors import AgentError

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`about` names what was looked at; `code` and `fix` are empty where nothing is wrong.

    `place` is where a fact stands that must be corrected, as file, line and key.
    """

    about: str
    level: Level
    what: str
    fix: str = ""
    code: str = ""
    place: str = ""


def fine(about: str, what: str) -> Finding:
    """It is as it should be."""
    return Finding(about=about, level="ok", what=what)


def warning(about: str, what: str, fix: str, code: str = "") -> Finding:
    """It works, and somebody should look."""
    return Finding(about=about, level="warning", what=what, fix=fix, code=code)


def wrong(about: str, what: str, fix: str, code: str = "", *, place: str = "") -> Finding:
    """A run would be refused, or would not come to its end."""
    return Finding(about=about, level="error", what=what, fix=fix, code=code, place=place)


def met(about: str, error: AgentError, *, level: Level = "error") -> Finding:
    """An error that a check met."""
    return Finding(about=about, level=level, what=error.message, fix=error.fix, code=error.code)
