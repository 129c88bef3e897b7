"""Fixtures of the tests of nodes: a world with a keyed account, and a relay in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chain.relay import Relay, relay
from conformance.nodes import OnAnvil

from agent.lab.compiled import compiled_contracts
from agent.lab.contracts import Artifact
from agent.lab.world import World


@pytest.fixture(scope="session")
def own(lab_cache: Path) -> dict[str, Artifact]:
    return compiled_contracts(lab_cache)


@pytest.fixture
def way(chain: World) -> Iterator[Relay]:
    with relay(chain.url) as way:
        yield way


@pytest.fixture
def anvil(chain: World, own: dict[str, Artifact]) -> Iterator[OnAnvil]:
    on = OnAnvil(chain, own)
    yield on
    on.node.close()
