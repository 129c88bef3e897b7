"""The journal in memory: for simulations and tests, gone with its process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agent.core.codec import to_json
from agent.core.fact import Fact
from agent.core.money import Address
from agent.errors import Fenced, Locked
from agent.stores._chain import Head, Row, follow, genesis, lane, verified


@dataclass(frozen=True, slots=True)
class Options:
    """A journal in memory has nothing to choose."""


def make(options: Options, _io: object) -> MemoryJournal:
    """A new, empty journal."""
    del options
    return MemoryJournal()


class MemoryJournal:
    """Keeps the same lines and hashes as a journal on disk, so that both are one thing to test."""

    def __init__(self) -> None:
        self._rows: dict[Address, list[Row]] = {}
        self._locks: dict[Address, threading.Lock] = {}
        self._guard = threading.Lock()

    def append(self, account: Address, seq: int, fact: Fact) -> None:
        """Keep *fact* at position *seq*; raises Fenced when that is not the next one."""
        line = to_json(fact)
        with self._guard:
            head = self._head(lane(account))
            if seq != head.seq + 1:
                raise Fenced(f"{account}: position {seq} is not the next one, {head.seq + 1} is")
            self._rows.setdefault(account, []).append(follow(account, head, line))

    def load(self, account: Address) -> tuple[Fact, ...]:
        """All facts of *account* in order."""
        with self._guard:
            rows = [
                (row.seq, row.line, row.hash, row.prev) for row in self._rows.get(lane(account), [])
            ]
            head = self._head(account)
        return verified(account, rows, (head.seq, head.hash) if rows else None)[0]

    def accounts(self) -> tuple[Address, ...]:
        """All accounts with at least one fact, sorted."""
        with self._guard:
            return tuple(sorted(self._rows))

    def head(self, account: Address) -> str:
        """The hash of the last fact, the account's genesis hash when there is none."""
        with self._guard:
            return self._head(lane(account)).hash

    @contextmanager
    def hold(self, account: Address) -> Iterator[None]:
        """Hold the account's lock within this process; raises Locked."""
        with self._guard:
            lock = self._locks.setdefault(lane(account), threading.Lock())
        if not lock.acquire(blocking=False):
            raise Locked(f"{account} is held by this process", fix="wait until the other run ends")
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Nothing to let go of: what was kept stays readable."""

    def _head(self, account: Address) -> Head:
        rows = self._rows.get(account)
        return Head(rows[-1].seq, rows[-1].hash) if rows else genesis(account)
