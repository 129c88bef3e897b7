"""When the next tick is due, and a clock that a request to end wakes up."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.ports import Clock


class Ending:
    """A wish to end that a signal handler can make and every thread sees while it waits.

    It is a pipe and not an event: a handler runs in the middle of anything, also while its own
    thread holds the lock of an event.
    """

    def __init__(self) -> None:
        self._seen, self._said = os.pipe()

    def ask(self) -> None:
        """Make the wish; safe in a signal handler."""
        os.write(self._said, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until the wish is made; tells whether it was."""
        # Nobody reads: the pipe stays ready for all who wait.
        return bool(select.select([self._seen], [], [], max(0.0, seconds))[0])

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._seen)
        os.close(self._said)


@dataclass(frozen=True, slots=True)
class PoliteClock:
    """Implements the Clock port: a wait ends with KeyboardInterrupt once the process shall end.

    Steps that are being performed are not interrupted: what is being written is finished.
    """

    clock: Clock
    ending: Ending

    def now(self) -> int:
        """Unix seconds."""
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait; raises KeyboardInterrupt when the process was asked to end."""
        if self.ending.wait(seconds):
            raise KeyboardInterrupt


def next_due(due: int, now: int, every: int) -> int:
    """The first moment of the grid through *due* that lies after *now*: missed ticks are one.

    >>> next_due(100, 130, 60), next_due(100, 400, 60)
    (160, 460)
    """
    return due + (max(0, now - due) // every + 1) * every


def spread(name: str, due: int, width: int) -> int:
    """Seconds from 0 to *width* to add to the moment *due*.

    The same for the same *name* and moment, and spread over names and moments, so that many
    keepers with one schedule do not ask the same nodes in the same second.
    """
    if width <= 0:
        return 0
    return int.from_bytes(sha256(f"{name}:{due}".encode()).digest()[:8]) % (width + 1)


def default_spread(every: int) -> int:
    """A tenth of the interval, and a minute at most."""
    return min(every // 10, 60)
