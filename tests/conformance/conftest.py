"""The chains on which nodes are tried: a local one, one in this process, one on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.eth_tester_server import EthTester, serve
from conformance.nodes import (
    Harness,
    OnAnvil,
    OnEthTester,
    OnPaper,
)

from agent.lab.compiled import compiled_contracts
from agent.lab.contracts import Artifact
from agent.lab.world import World


@pytest.fixture(scope="session")
def own(lab_cache: Path) -> dict[str, Artifact]:
    return compiled_contracts(lab_cache)


@pytest.fixture(scope="session")
def eth_tester() -> Iterator[EthTester]:
    with serve(EthTester()) as tester:
        yield tester


@pytest.fixture
def anvil(chain: World, own: dict[str, Artifact]) -> Iterator[OnAnvil]:
    on = OnAnvil(chain, own)
    yield on
    on.node.close()


@pytest.fixture
def in_process(eth_tester: EthTester, own: dict[str, Artifact]) -> Iterator[OnEthTester]:
    on = OnEthTester(eth_tester, own)
    yield on
    on.node.close()


@pytest.fixture
def paper() -> OnPaper:
    return OnPaper()


@pytest.fixture(params=["anvil", "in_process", "paper"])
def on(request: pytest.FixtureRequest) -> Harness:
    """Each chain in turn."""
    found: Harness = request.getfixturevalue(request.param)
    return found
