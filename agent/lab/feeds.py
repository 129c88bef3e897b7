"""Keeps the price feeds of a local chain fresh while somebody works with it."""

import threading
from types import TracebackType
from typing import Self

from agent.errors import AgentError
from agent.lab.world import World

EVERY_SECONDS = 20.0
"""A third of the heartbeat that the overlay states, so that one missed turn does no harm."""


class FeedPublisher:
    """Publishes all feeds every few seconds from a thread, as a context manager.

    The thread ends with the block, with the process, or with the chain; ``fault`` is why it ended
    early, None while all is well.
    """

    def __init__(self, world: World, *, every_seconds: float = EVERY_SECONDS) -> None:
        self.fault: AgentError | None = None
        self._world = world
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="feeds", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _publish(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                self._world.publish()
            except AgentError as fault:
                self.fault = fault
                return
