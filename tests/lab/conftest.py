"""The local chain with pools of Uniswap v4 or SushiSwap, for all that goes through them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fork_rig import put_sushi
from v4_rig import with_pools

from agent.lab.world import World


@pytest.fixture
def sushi_chain(chain: World, lab_cache: Path) -> World:
    """The local chain as of now with SushiSwap's pairs; all is undone."""
    put_sushi(chain, lab_cache)
    return chain


@pytest.fixture(scope="module")
def with_v4(world: World, lab_cache: Path) -> Iterator[World]:
    """The local chain with pools of V4; what is done to it is undone in the end."""
    snapshot = world.snapshot()
    with_pools(world, lab_cache)
    yield world
    world.revert(snapshot)


@pytest.fixture
def v4_chain(with_v4: World) -> Iterator[World]:
    """That chain as of now with fresh feeds; what the test does to it is undone."""
    snapshot = with_v4.snapshot()
    with_v4.publish()
    yield with_v4
    with_v4.revert(snapshot)
