"""The journal of the settings, reached without any chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.stores.sqlite import SqliteJournal

if TYPE_CHECKING:
    from agent.settings import Settings


def open_journal(settings: Settings, *, read_only: bool = False) -> SqliteJournal:
    """The journal in the state folder; raises as `SqliteJournal` does."""
    return SqliteJournal(settings.paths.state, read_only=read_only)
