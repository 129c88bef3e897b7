"""Time on paper."""

from agent.sim.clock import PaperClock


def test_time_stands_still_until_somebody_waits() -> None:
    clock = PaperClock(100)
    assert (100, 100) == (clock.now(), clock.now())
    clock.sleep(12)
    assert 112 == clock.now()


def test_shortest_wait_is_a_second() -> None:
    clock = PaperClock(100)
    clock.sleep(0.01)
    assert 101 == clock.now()
