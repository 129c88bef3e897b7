"""Steps side by side: a lane that hangs holds up nobody but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType

from agent.core.fact import Fact
from agent.core.progress import Step, lane
from agent.core.state import State
from agent.engine.io import Later

LANES = 8
"""Steps performed side by side at most: more chains than that share threads."""

Result = tuple[Fact, ...] | Later


class Lanes:
    """Performs steps by threads; with *serial* one after another, as they are taken.

    Used by one thread, in a ``with``: leaving it waits for what is still being performed, and
    drops what that finds.
    """

    def __init__(self, attempt: Callable[[Step, State], Result], *, serial: bool) -> None:
        self._attempt = attempt
        self._pool = None if serial else ThreadPoolExecutor(LANES, "lane")
        self._queue: list[tuple[Step, State]] = []
        self._running: dict[Future[Result], tuple[Step, State]] = {}

    @property
    def busy(self) -> frozenset[tuple[str, ...]]:
        """The lanes in which a step is being performed."""
        return frozenset(lane(step) for step, _ in (*self._queue, *self._running.values()))

    def begin(self, steps: Iterable[Step], state: State) -> None:
        """Perform *steps*, all of them in the same *state*."""
        for step in steps:
            if self._pool is None:
                self._queue.append((step, state))
            else:
                self._running[self._pool.submit(self._attempt, step, state)] = (step, state)

    def ended(self, patience: float | None) -> Iterator[tuple[Step, State, Result]]:
        """What has been performed, at least one unless *patience* seconds are over before."""
        while self._queue:
            step, state = self._queue.pop(0)
            yield step, state, self._attempt(step, state)
        done, _ = wait(self._running, patience, FIRST_COMPLETED)
        for future in done:
            step, state = self._running.pop(future)
            yield step, state, future.result()

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
