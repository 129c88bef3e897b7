"""Questions to several venues: side by side, each one after the other, and none after the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.engine import turns
from agent.engine.turns import in_turns
from agent.errors import NoRoute, ProviderSilent, RateLimited


class Said:
    """Answers by name, and in what order each was asked about what."""

    def __init__(self) -> None:
        self.order: dict[str, list[int]] = {}

    def ask(self, about: int, name: str, then: Callable[[], Any] = lambda: None) -> Any:
        def asked() -> Any:
            self.order.setdefault(name, []).append(about)
            then()
            return (about, name)

        return asked


@pytest.mark.parametrize("serial", [True, False])
def test_each_venue_hears_its_questions_in_their_order(serial: bool) -> None:
    said = Said()
    asks = {(n, name): said.ask(n, name) for n in (3, 1, 2) for name in ("a", "b")}
    told = in_turns(asks, serial=serial)
    assert list(asks) == list(told)
    assert {key: key for key in asks} == {key: each.answer for key, each in told.items()}
    assert {"a": [3, 1, 2], "b": [3, 1, 2]} == said.order


def test_venues_are_asked_at_the_same_time() -> None:
    both, said = threading.Barrier(2, timeout=5), Said()
    told = in_turns({(1, name): said.ask(1, name, lambda: both.wait() and None) for name in "ab"})
    assert {"a", "b"} == {each.answer[1] for each in told.values() if each.answer}


def test_nothing_is_asked_once_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SECONDS", 0.05)
    said, gate = Said(), threading.Event()
    slow = {(n, "slow"): said.ask(n, "slow", lambda: gate.wait(5) and None) for n in (1, 2, 3)}
    told = in_turns({**slow, (1, "fast"): said.ask(1, "fast")})
    gate.set()
    time.sleep(0.05)
    assert [1] == said.order["slow"]
    assert [(None, None)] * 3 == [(told[key].answer, told[key].fault) for key in slow]
    assert (1, "fast") == told[1, "fast"].answer


@pytest.mark.parametrize(
    ("fault", "asked"), [(RateLimited, [1]), (ProviderSilent, [1, 2]), (NoRoute, [1, 2])]
)
def test_who_wants_to_be_asked_less_hears_no_more(fault: type[Exception], asked: list[int]) -> None:
    said = Said()

    def raised() -> None:
        raise fault("no", fix="none")

    told = in_turns({(n, "a"): said.ask(n, "a", raised) for n in (1, 2)})
    assert asked == said.order["a"]
    assert [fault, fault] == [type(each.fault) for each in told.values()]
