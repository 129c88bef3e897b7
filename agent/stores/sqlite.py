"""The journal on this machine's disk: one SQLite file, durable before `append` returns."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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

_PAUSE_SECONDS = 0.01
"""Between two looks at a file that was busy."""

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
_CORRUPT = 11
_DAMAGED = {1, _CORRUPT, 24, 26}  # ERROR (a table or column is gone), CORRUPT, FORMAT, NOTADB


_Connected = sqlite3.Connection | None


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

    Hashes alone cannot show that the end was cut off: the head is kept a second time in a
    table of its own. Who rewrites both with right hashes is found by every process that had
    read the journal before, and by the head in earlier reports, but not by the file itself.

    Threads may share one object, processes may not: it must be opened after a fork. A
    reader writes nothing and sees a missing file as an empty journal. Opening raises
    Broken for files that others may touch, DiskFull, Locked (the file was busy for
    `busy_seconds`) and JournalCorrupt (no journal, or one of a newer version).
    """

    def __init__(self, folder: Path, *, read_only: bool = False, busy_seconds: float = 5.0) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._read_only = read_only
        self._busy_seconds = busy_seconds
        self._guard = threading.Lock()
        self._process = os.getpid()
        self._seen: dict[Address, Head] = {}
        self._signed_nothing = True
        self._connection: _Connected = None
        self._file: tuple[int, int] | None = None
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
            if self._read_only or connection is None:
                raise DiskFull(f"{self._path} was opened for reading only", fix="open it to write")
            head = self._checked_head(connection, account)
            if seq != head.seq + 1:
                raise Fenced(f"{account}: position {seq} is not the next one, {head.seq + 1} is")
            row = follow(account, head, line)
            connection.execute(_ADD, (account, row.seq, row.line, row.hash, row.prev))
            connection.execute(_KEEP, (account, row.seq, row.hash))
        self._see(account, Head(row.seq, row.hash))

    def load(self, account: Address) -> tuple[Fact, ...]:
        """All facts of *account* in order, every hash verified; raises JournalCorrupt."""
        with self._transaction("BEGIN", lane(account)) as connection:
            if connection is None:
                return ()
            rows = connection.execute(_ROWS, (account,)).fetchall()
            kept = connection.execute(_KEPT, (account,)).fetchone()
            seen = self._seen.get(account)
        # Outside the transaction: a long journal must not keep the appender waiting.
        with self._trusted(account):
            facts, head = verified(account, rows, kept)
            if seen is not None:
                _still_there(seen, head, rows[seen.seq][2] if seen.seq <= head.seq else None)
        self._see(account, head)
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

    def _see(self, account: Address, head: Head) -> None:
        """Remember how far the journal came, so that a change behind our back is found."""
        with self._guard:
            if head.seq > self._seen.get(account, genesis(account)).seq:
                self._seen[account] = head

    def _checked_head(self, connection: sqlite3.Connection, account: Address) -> Head:
        """The head as it stands now, checked against itself, its copy and what we saw."""
        row = connection.execute(_LAST, (account,)).fetchone()
        kept = connection.execute(_KEPT, (account,)).fetchone()
        seen = self._seen.get(account)
        with self._trusted(account):
            head = tail(account, row, kept)
            if seen is not None:
                at = connection.execute(_AT, (account, seen.seq)).fetchone()
                _still_there(seen, head, None if at is None else at[0])
        return head

    @contextmanager
    def _transaction(self, begin: str, account: Address | None) -> Iterator[_Connected]:
        """One transaction, alone in this process; None for a reader without a file."""
        with self._guard, self._translated(account):
            connection = self._connected()
            if connection is None:
                yield None
                return
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A commit that failed on the disk may have ended the transaction already.
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def _connected(self) -> _Connected:
        if self._closed:
            raise ValueError("the journal is closed")
        if os.getpid() != self._process:
            # https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
            raise ValueError("a journal must be opened by the process that uses it")
        if self._connection is None and self._path.exists():
            self._connection = self._open()
        elif self._connection is not None and self._file != _identity(self._path):
            # SQLite would go on writing to a file that nobody finds any more.
            raise JournalCorrupt(
                f"{self._path} was moved, deleted or replaced while it was in use",
                fix="put back the last good copy of it, and stop whatever else uses the folder",
                nothing_signed=self._signed_nothing,
            )
        return self._connection

    def _open(self) -> _Connected:
        patience = time.monotonic() + self._busy_seconds
        while True:
            try:
                return self._opened()
            except Locked:
                # To switch to the write-ahead log SQLite does not wait by itself.
                if not (time.monotonic() < patience):
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _opened(self) -> _Connected:
        for suffix in ("", "-wal", "-shm"):
            check_private_file(self._path.with_name(FILE + suffix))
        mode = "ro" if self._read_only else "rw"
        connection = None
        try:
            with self._translated(None):
                connection = sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode={mode}",
                    uri=True,
                    timeout=self._busy_seconds,
                    isolation_level=None,
                    check_same_thread=False,
                )
                # A byte that is no UTF-8 must break its hash, not the reading of it.
                connection.text_factory = _text
                if self._prepared(connection):
                    self._file = _identity(self._path)
                    return connection
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        connection.close()
        return None

    def _prepared(self, connection: sqlite3.Connection) -> bool:
        """Whether the tables are there, after making them if this is no reader."""
        # Both in one transaction: another process may be making the tables right now.
        connection.execute("BEGIN")
        found = _version(connection)
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("COMMIT")
        if found > VERSION:
            raise JournalCorrupt(
                f"{self._path} was made by a newer version of this program (tables {found}, "
                f"this one knows {VERSION})",
                fix="update the program",
            )
        empty = found == 0 and tables == 0
        if found != VERSION and not empty:
            raise JournalCorrupt(
                f"{self._path} is no journal", fix=f"move {self._path} out of the way"
            )
        if self._read_only:
            return not empty
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        if empty:
            self._create(connection)
        return True

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been first between the look and the lock.
        for statement in _TABLES if _version(connection) == 0 else ():
            connection.execute(statement)
        connection.execute("COMMIT")

    @contextmanager
    def _trusted(self, account: Address) -> Iterator[None]:
        try:
            yield
        except ChainBroken as broken:
            raise JournalCorrupt(
                f"the journal of {account} was changed outside of this program: {broken}",
                fix=f"keep a copy of {self._path}, then put back the last good one",
                nothing_signed=self._signed_nothing,
            ) from broken

    @contextmanager
    def _translated(self, account: Address | None) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Python cannot even decode the messages that quote a damaged schema.
            undecodable = isinstance(error, UnicodeDecodeError)
            code = _CORRUPT if undecodable else getattr(error, "sqlite_errorcode", 0) & 0xFF
            raise self._meaning(code, str(error), account) from error

    def _meaning(self, code: int, said: str, account: Address | None) -> Exception:
        """What an error of SQLite is to the operator."""
        kind: type[AgentError]
        if code in _BUSY:
            kind, what, fix = Locked, "is busy", "wait until the other process is done"
        elif code in _UNWRITABLE:
            kind, what, fix = DiskFull, "cannot be written", "make room on its disk"
        elif code in _DAMAGED:
            kind, what, fix = JournalCorrupt, "is damaged", "put back the last good copy of it"
        else:
            kind, what, fix = Broken, "cannot be used", "look at the reason and repair it"
        of = "" if account is None else f" for {account}"
        return kind(
            f"{self._path} {what}{of}: {said}", fix=fix, nothing_signed=self._signed_nothing
        )


def _still_there(seen: Head, head: Head, hash_there: object) -> None:
    """Refuse a journal in which a fact that this process wrote or read is another one now."""
    if head.seq < seen.seq:
        raise ChainBroken(f"it ended at position {seen.seq} and ends at {head.seq} now")
    if hash_there != seen.hash:
        raise ChainBroken(f"position {seen.seq} is not the fact any more that stood there")


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name, None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
