"""When the next tick is due, and a wait that a wish to end cuts short."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.keeper.clock import Ending, PoliteClock, default_spread, next_due, spread
from agent.sim.clock import PaperClock

MOMENTS = st.integers(0, 2**40)


@given(MOMENTS, MOMENTS, st.integers(1, 10**7))
def test_missed_ticks_are_one_and_the_grid_is_kept(due: int, now: int, every: int) -> None:
    found = next_due(due, now, every)
    assert found > now
    assert 0 == (found - due) % every
    assert found - every <= max(now, due)


@given(st.text(max_size=40), MOMENTS, st.integers(0, 10**6))
def test_spread_stays_inside_its_width_and_is_the_same_for_the_same_keeper(
    name: str, due: int, width: int
) -> None:
    found = spread(name, due, width)
    assert 0 <= found <= width
    assert found == spread(name, due, width)


def test_many_keepers_are_spread_over_the_whole_width() -> None:
    found = [spread(f"wallet {n}", 1_800_000_000, 60) for n in range(2_000)]
    assert set(range(61)) == set(found)


def test_default_spread_is_a_tenth_and_a_minute_at_most() -> None:
    assert [0, 30, 60, 60] == [default_spread(every) for every in (0, 300, 600, 86_400)]


@pytest.fixture
def ending() -> Iterator[Ending]:
    found = Ending()
    yield found
    found.close()


def test_wait_ends_with_an_interruption_once_the_process_was_asked_to_end(ending: Ending) -> None:
    clock = PoliteClock(PaperClock(1_800_000_000), ending)
    clock.sleep(0)
    assert 1_800_000_000 == clock.now()
    ending.ask()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            clock.sleep(3_600)


def test_wish_made_in_the_middle_of_a_wait_ends_it_in_every_thread(ending: Ending) -> None:
    with ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(ending.wait, 60.0) for _ in range(3)]
        signal.signal(signal.SIGUSR1, lambda *_: ending.ask())
        os.kill(os.getpid(), signal.SIGUSR1)
        assert ending.wait(60.0)
        assert [True] * 3 == [wait.result() for wait in waits]
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
