"""Two chains for the whole module, and a clean view of them for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cctp_rig
import pytest
from arbitrum_rigs import Rollup, clean_rollup, open_rollup
from bridge_rigs import Crossing, clean, open_crossing
from cctp_rig import Burning
from stargate_rigs import Passing, open_passing

from agent.lab.worlds import Worlds


@pytest.fixture(scope="session")
def two_chains(lab_cache: Path) -> Iterator[Crossing]:
    with open_crossing(lab_cache) as opened:
        yield opened


@pytest.fixture
def crossing(two_chains: Crossing) -> Iterator[Crossing]:
    with clean(two_chains) as cleaned:
        yield cleaned


@pytest.fixture(scope="session")
def open_rollups(lab_cache: Path) -> Iterator[Rollup]:
    with open_rollup(lab_cache) as opened:
        yield opened


@pytest.fixture
def rollup(open_rollups: Rollup) -> Iterator[Rollup]:
    with clean_rollup(open_rollups) as cleaned:
        yield cleaned


@pytest.fixture(scope="session")
def two_domains(lab_cache: Path) -> Iterator[Burning]:
    with cctp_rig.open_burning(lab_cache) as opened:
        yield opened


@pytest.fixture
def burning(two_domains: Burning) -> Iterator[Burning]:
    with cctp_rig.clean(two_domains) as cleaned:
        yield cleaned


@pytest.fixture
def passing(chains: Worlds) -> Iterator[Passing]:
    with open_passing(chains) as opened:
        yield opened
