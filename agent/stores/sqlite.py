"""The journal on this machine's disk: one SQLite file, durable before `append` returns."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.codec import to_json
from agent.core.fact import Fact, Signed
from agent.core.money import Address
from agent.errors import AgentError, Broken, DiskFull, Fenced, JournalCorrupt, Locked
from agent.stores._chain import ChainBroken, Head, follow, genesis, lane, tail, verified
from agent.stores._lock import hold
from agent.stores._private import check_private_file, private_file, private_folder

FILE = "journal.sqlite3"
VERSION = 1
"""Of the tables; a file with another one is left alone."""

_TABLES = (
    "CREATE TABLE facts (account TEXT NOT NULL, seq INTEGER NOT NULL, line TEXT NOT NULL,"
    " hash TEXT NOT NULL, prev TEXT NOT NULL, PRIMARY KEY (account, seq)) WITHOUT ROWID",
    "CREATE TABLE heads (account TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL,"
    " hash TEXT NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
_ROWS = "SELECT seq, line, hash, prev FROM facts WHERE account = ? ORDER BY seq"
_LAST = "SELECT seq, line, hash, prev FROM facts WHERE account = ? ORDER BY seq DESC LIMIT 1"
_AT = "SELECT hash FROM facts WHERE account = ? AND seq = ?"
_KEPT = "SELECT seq, hash FROM heads WHERE account = ?"
_ADD = "INSERT INTO facts (account, seq, line, hash, prev) VALUES (?, ?, ?, ?, ?)"
_KEEP = "INSERT OR REPLACE INTO heads (account, seq, hash) VALUES (?, ?, ?)"
_ACCOUNTS = "SELECT account FROM facts UNION SELECT account FROM heads ORDER BY account"

# Primary result codes, https://www.sqlite.org/rescode.html; the low byte of the extended ones.
_BUSY = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED
_UNWRITABLE = {3, 8, 10, 13, 14}  # PERM, READONLY, IOERR, FULL, CANTOPEN
_DAMAGED = {1, 11, 24, 26}  # ERROR (a table or column is gone), CORRUPT, FORMAT, NOTADB


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`folder` is the state folder, `read_only` for `status`, `busy_seconds` the patience."""

    folder: Path
    read_only: bool = False
    busy_seconds: float = 5.0


def make(options: Options, _io: object) -> SqliteJournal:
    """The journal in the state folder; raises as `SqliteJournal` does."""
    return SqliteJournal(
        options.folder, read_only=options.read_only, busy_seconds=options.busy_seconds
    )


class SqliteJournal:
    """The facts of all accounts of this machine's user, hash-chained by account.

    Threads may share one object, processes may not: it must be opened after a fork. A
    reader writes nothing and sees a missing file as an empty journal. Opening raises
    Broken for files that others may touch, DiskFull, Locked (the file was busy for
    `busy_seconds`) and JournalCorrupt (no journal, or one of a newer version).
    """

    def __init__(
        self, folder: Path, *, read_only: bool = False, busy_seconds: float = 5.0
    ) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._read_only = read_only
        self._busy_seconds = busy_seconds
        self._guard = threading.Lock()
        self._process = os.getpid()
        self._seen: dict[Address, Head] = {}
        self._signed_nothing = True
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        if not read_only:
            private_folder(folder)
            private_file(self._path)
            self._connection = self._open()

    def append(self, account: Address, seq: int, fact: Fact) -> None:
        """Write *fact* durably at position *seq*; raises Fenced when that is not the next one.

        Raises DiskFull when it cannot be made durable, Locked when another process keeps
        the file busy, JournalCorrupt when the end of the stream is not what was written.
        """
        line = to_json(fact)
        if isinstance(fact, Signed):
            self._signed_nothing = False
        with self._transaction("BEGIN IMMEDIATE", lane(account)) as connection:
            if connection is None:
                raise DiskFull(f"{self._path} was opened for reading", fix="run without status")
            head = self._checked_head(connection, account)
            if seq != head.seq + 1:
                raise Fenced(f"{account}: position {seq} is not the next one, {head.seq + 1} is")
            row = follow(account, head, line)
            connection.execute(_ADD, (account, row.seq, row.line, row.hash, row.prev))
            connection.execute(_KEEP, (account, row.seq, row.hash))
        self._seen[account] = Head(row.seq, row.hash)

    def load(self, account: Address) -> tuple[Fact, ...]:
        """All facts of *account* in order, every hash verified; raises JournalCorrupt."""
        with self._transaction("BEGIN", lane(account)) as connection:
            if connection is None:
                return ()
            rows = connection.execute(_ROWS, (account,)).fetchall()
            kept = connection.execute(_KEPT, (account,)).fetchone()
            with self._trusted(account):
                facts, head = verified(account, rows, kept)
                self._see(account, head, {row[0]: row[2] for row in rows})
        return facts

    def accounts(self) -> tuple[Address, ...]:
        """All accounts with at least one fact, sorted."""
        with self._transaction("BEGIN", None) as connection:
            if connection is None:
                return ()
            return tuple(Address(name) for (name,) in connection.execute(_ACCOUNTS).fetchall())

    def head(self, account: Address) -> str:
        """The hash of the last fact, the account's genesis hash when there is none."""
        with self._transaction("BEGIN", lane(account)) as connection:
            if connection is None:
                return genesis(account).hash
            return self._checked_head(connection, account).hash

    def hold(self, account: Address) -> AbstractContextManager[None]:
        """The account's lock, which dies with its process; raises Locked."""
        return hold(self._folder / "locks", account)

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        with self._guard:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
