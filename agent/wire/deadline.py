"""One total time limit over everything that a call does."""

import time


class Deadline:
    """Counts down from ``seconds`` on the monotonic clock."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        if not (0 < seconds < float("inf")):
            raise ValueError(f"a time limit must be positive and finite, not {seconds} s")
        self._at = time.monotonic() + seconds

    def remaining_seconds(self) -> float:
        """Return the time left; ``TimeoutError`` once there is none."""
        left = self._at - time.monotonic()
        if not (left > 0):
            raise TimeoutError("timed out")
        return left

    def allows(self, seconds: float) -> bool:
        """Tell whether more than ``seconds`` are left."""
        return self._at - time.monotonic() > seconds
