"""A clock that moves only when somebody waits."""

from __future__ import annotations


class PaperClock:
    """Time of a paper world in unix seconds; sleeping moves it, and `on_sleep` hears of it."""

    def __init__(self, start: int) -> None:
        self._now = float(start)

    def now(self) -> int:
        """Unix seconds."""
        return int(self._now)

    def sleep(self, seconds: float) -> None:
        """Move time forward, a whole second at least: paper chains count in seconds."""
        self._now += max(1.0, seconds)
