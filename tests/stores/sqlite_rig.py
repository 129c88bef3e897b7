"""The journal's file in other hands, and a reader of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from agent.stores.sqlite import SqliteJournal

LENGTH = 4


@contextlib.contextmanager
def hand(file: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of somebody else."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def reader(folder: Path) -> contextlib.closing[SqliteJournal]:
    return contextlib.closing(SqliteJournal(folder, read_only=True))
