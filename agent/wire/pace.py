"""Asks one provider: within its own limit of questions, and its faults are told as its silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from agent.errors import BadReply, ProviderSilent, RateLimited, Unreachable
from agent.provider import JSON, Http

PATIENCE_SECONDS = 3.0
"""A question waits this long for its turn; later its answer would come too late anyway."""

_NO_HEADERS: Final[Mapping[str, str]] = {}


class Bucket:
    """At most *calls* turns in *seconds*, spread as they come; safe to share between threads."""

    def __init__(
        self, *, calls: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = calls
        self._each = seconds / calls
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at = clock()
        self._closed_until = 0.0

    def take(self, patience_seconds: float) -> float:
        """Take a turn and return the seconds to wait before it.

        Raises RateLimited, taking none, when that is longer than *patience_seconds*.
        """
        with self._lock:
            now = self._clock()
            # A bucket that is full at t has been emptied by one turn for each step before t.
            full_at = max(self._full_at, now) + self._each
            wait = max(full_at - now - self._calls * self._each, self._closed_until - now, 0.0)
            if wait > patience_seconds:
                raise RateLimited(
                    f"the next question would have to wait {wait:.0f} s for its turn",
                    fix=f"wait {wait:.0f} seconds",
                    seconds=wait,
                )
            self._full_at = full_at
            return wait

    def close(self, seconds: float) -> None:
        """Give no turns for *seconds* from now."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)


class ProviderHttp:
    """The port `Http` of one provider over the one of all, within the turns of its *bucket*.

    Without a bucket it may be asked as often as anybody likes. A provider that is down, asks for a
    pause or talks nonsense raises ProviderSilent with the code of the fault: nodes are waited for,
    providers are done without.
    """

    def __init__(
        self, inner: Http, bucket: Bucket | None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._inner = inner
        self._bucket = bucket
        self._sleep = sleep

    def get(
        self, url: str, query: Mapping[str, str], *, headers: Mapping[str, str] = _NO_HEADERS
    ) -> JSON:
        """The answer to one question; raises ProviderSilent and Rejected."""
        return self._told(lambda: self._inner.get(url, query, headers=headers))

    def post(self, url: str, body: JSON, *, headers: Mapping[str, str] = _NO_HEADERS) -> JSON:
        """The answer to a question with a body; raises ProviderSilent and Rejected."""
        return self._told(lambda: self._inner.post(url, body, headers=headers))

    def _told(self, ask: Callable[[], JSON]) -> JSON:
        try:
            return ask() if self._bucket is None else self._in_turn(ask, self._bucket)
        except (RateLimited, Unreachable, BadReply) as fault:
            raise ProviderSilent(fault.message, fix=fault.fix, code=fault.code) from fault

    def _in_turn(self, ask: Callable[[], JSON], bucket: Bucket) -> JSON:
        wait = bucket.take(PATIENCE_SECONDS)
        if wait:
            self._sleep(wait)
        try:
            return ask()
        except RateLimited as limited:
            bucket.close(max(limited.seconds, 1.0))
            raise


_BUCKETS: dict[str, Bucket] = {}
_LOCK = threading.Lock()


def bucket_of(name: str, *, calls: int, seconds: float) -> Bucket:
    """The one bucket of this process for the provider *name*."""
    with _LOCK:
        if name not in _BUCKETS:
            _BUCKETS[name] = Bucket(calls=calls, seconds=seconds)
        return _BUCKETS[name]
