"""Several questions at once, under one deadline: who is late is left behind."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What came of one question: an answer, a fault, or neither in time; `ms` it took so long."""

    answer: T | None
    fault: Exception | None
    ms: int


def together(asks: Mapping[str, Callable[[], T]], *, seconds: float) -> dict[str, Told[T]]:
    """What came of each question within *seconds*, in the order of *asks*.

    Each has a thread of its own. One that is late goes on until its own limits end it, and nobody
    hears what it says then.
    """
    told: queue.SimpleQueue[tuple[str, Told[T]]] = queue.SimpleQueue()
    began = time.monotonic()

    def ask(name: str, question: Callable[[], T]) -> None:
        told.put((name, alone(question)))

    for name, question in asks.items():
        threading.Thread(target=ask, args=(name, question), name=name, daemon=True).start()
    found: dict[str, Told[T]] = {}
    while len(found) < len(asks):
        left = began + seconds - time.monotonic()
        try:
            name, each = told.get(timeout=max(0.0, left))
        except queue.Empty:
            break
        found[name] = each
    late: Told[T] = Told(None, None, _ms_since(began))
    return {name: found.get(name, late) for name in asks}


def alone(question: Callable[[], T]) -> Told[T]:
    """What came of one question, asked here and now, however long it takes."""
    began = time.monotonic()
    try:
        return Told(question(), None, _ms_since(began))
    except Exception as fault:  # noqa: BLE001 - it is the caller's, who judges it
        return Told(None, fault, _ms_since(began))


def _ms_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
