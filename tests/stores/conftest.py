"""A journal on disk with a few facts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_rigs import ACCOUNT, step
from stores.sqlite_rig import LENGTH

from agent.stores.sqlite import SqliteJournal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "journal.sqlite3"


@pytest.fixture
def journal(folder: Path) -> Iterator[SqliteJournal]:
    with contextlib.closing(SqliteJournal(folder, busy_seconds=0.05)) as journal:
        yield journal


@pytest.fixture
def filled(journal: SqliteJournal) -> SqliteJournal:
    for seq in range(LENGTH):
        journal.append(ACCOUNT, seq, step(seq))
    return journal
