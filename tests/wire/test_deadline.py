"""Deadlines: one limit over everything."""

import pytest

from agent.wire import deadline as module
from agent.wire.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: times[0])
    return times


def test_deadline_counts_down(clock: list[float]) -> None:
    deadline = Deadline(10.0)
    clock[0] = 104.0
    assert 6.0 == deadline.remaining_seconds()
    assert (True, False) == (deadline.allows(5.9), deadline.allows(6.0))


def test_deadline_that_has_passed_is_a_timeout(clock: list[float]) -> None:
    deadline = Deadline(10.0)
    clock[0] = 110.0
    assert not deadline.allows(0.0)
    with pytest.raises(TimeoutError):
        deadline.remaining_seconds()
