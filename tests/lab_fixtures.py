"""Local chains for the whole test run, one or three, and a clean view of them for each test."""

import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from agent.lab.world import World, open_world
from agent.lab.worlds import Worlds, open_worlds


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
    """The local chain as of now with fresh feeds; what the test does to it is undone.

    That it mines at once too, but after the rest: what then still waited would be mined.
    """
    snapshot = world.snapshot()
    world.publish(max(int(time.time()), world.head()[1] + 1))
    yield world
    world.revert(snapshot)
    world.rpc.call("evm_setAutomine", True)


@pytest.fixture(scope="session")
def worlds(lab_cache: Path) -> Iterator[Worlds]:
    """Three local chains whose time stands, shared: use `chains` to change anything on them."""
    with open_worlds(lab_cache, block_seconds=None) as opened:
        yield opened


@pytest.fixture
def chains(worlds: Worlds) -> Iterator[Worlds]:
    """The three chains as of now with fresh feeds and a prompt relayer; all is undone afterwards.

    Call `turn` to let the relayer look.
    """
    snapshot = worlds.snapshot()
    heads = [world.head()[1] for world in worlds.values()]
    worlds.set_time(max(int(time.time()), *heads) + 1)
    yield worlds
    worlds.revert(snapshot)
    worlds.relay("prompt")
    worlds.forge("fee", 0)
