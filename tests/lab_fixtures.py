"""One local chain for the whole test run, and a clean view of it for each test."""

import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from agent.lab.world import World, open_world


@pytest.fixture(scope="session")
def lab_cache() -> Path:
    """The program's own cache: packages and the saved chain are fetched and built once."""
    return platformdirs.user_cache_path("rebalancer")


@pytest.fixture(scope="session")
def world(lab_cache: Path) -> Iterator[World]:
    """The local chain, shared: use `chain` unless nothing is changed on it."""
    with open_world(lab_cache) as opened:
        yield opened


@pytest.fixture
def chain(world: World) -> Iterator[World]:
    """The local chain as of now with fresh feeds; what the test does to it is undone."""
    snapshot = world.snapshot()
    world.publish(max(int(time.time()), world.head()[1] + 1))
    yield world
    world.revert(snapshot)
