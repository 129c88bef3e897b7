"""Many questions to several venues under one deadline: some allow one question in a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Generic, TypeVar

from agent.core.quote import Quote
from agent.engine.auction import SECONDS
from agent.errors import RateLimited
from agent.wire.together import Told, alone, together

K = TypeVar("K")

Asks = Mapping[tuple[K, str], Callable[[], Quote]]
"""Questions by what they are about and the venue that is asked."""


def in_turns(asks: Asks[K], *, serial: bool = False) -> dict[tuple[K, str], Told[Quote]]:
    """What came of each question: venues side by side, each one question after the other in order.

    Who wants to be asked less hears no more of them, and nobody does once the time is over; with
    *serial* venues are asked one after the other, however long it takes.
    """
    talks: dict[str, _Talk[K]] = {}
    for (about, name), ask in asks.items():
        talks.setdefault(name, _Talk()).asks[about] = ask
    if serial:
        for talk in talks.values():
            talk.go_on()
    else:
        side_by_side = {name: talk.go_on for name, talk in talks.items()}
        together(side_by_side, seconds=SECONDS)
    told = {name: talk.end() for name, talk in talks.items()}
    late: Told[Quote] = Told(None, None, int(SECONDS * 1000))
    return {(about, name): told[name].get(about, late) for about, name in asks}


class _Talk(Generic[K]):
    """The questions to one venue, and what it said to them so far."""

    def __init__(self) -> None:
        self.asks: dict[K, Callable[[], Quote]] = {}
        self._told: dict[K, Told[Quote]] = {}
        self._lock = Lock()
        self._is_over = False

    def go_on(self) -> None:
        """Ask all there is to ask, until the talk is over."""
        for about, ask in self.asks.items():
            each = alone(ask)
            with self._lock:
                if self._is_over:
                    return
                self._told[about] = each
                if isinstance(each.fault, RateLimited):
                    self._told = dict.fromkeys(self.asks, each) | self._told
                    return

    def end(self) -> dict[K, Told[Quote]]:
        """What was said; nothing is asked any more."""
        with self._lock:
            self._is_over = True
        return self._told
