"""Something that a person who is not at the terminal should know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NoticeEvent = Literal["started", "late", "refused", "needs_human", "done", "test"]
"""What a person may want to be told of; a test is told only when asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person who is not at the terminal should know; it holds no secret.

    `wallet` is CAIP-10, `run`, `code` and `next` (the next command) may be empty, `at` is unix
    seconds, `local` says that the chains are local ones.
    """

    event: NoticeEvent
    portfolio: str
    wallet: str
    why: str
    at: int
    run: str = ""
    code: str = ""
    next: str = ""
    local: bool = False
