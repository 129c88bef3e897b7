"""The time of this machine, read nowhere else."""

from __future__ import annotations

import time


class SystemClock:
    """Implements the Clock port."""

    def now(self) -> int:
        """Unix seconds."""
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
