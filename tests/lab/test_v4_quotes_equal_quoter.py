"""Quotes of v4's pools equal those of its quoter, to the last base unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from v4_rig import Score, V4Duel

from agent.lab.world import World

COUNT = 600


@pytest.fixture(scope="module")
def duel(world: World, lab_cache: Path) -> Iterator[V4Duel]:
    """Puts contracts and pools of its own, so the chain is put back afterwards."""
    snapshot = world.snapshot()
    yield V4Duel(world, lab_cache, seed=7)
    world.revert(snapshot)


@pytest.fixture(scope="module")
def score(duel: V4Duel) -> Score:
    return duel.run(COUNT)


def test_no_quote_differs_from_the_quoter(score: Score) -> None:
    assert [] == score.mismatches
    assert COUNT == score.outcomes.total()


def test_most_questions_were_answered_and_many_crossed_ticks(score: Score) -> None:
    assert {"quoted", "refused"} == set(score.outcomes)
    assert score.outcomes["quoted"] > COUNT // 2
    assert score.crossed > COUNT // 8
    assert score.extensions > 0


def test_wrong_protocol_fee_would_be_noticed(duel: V4Duel) -> None:
    right = dict(duel.pools)
    duel.pools = {
        at: replace(pool, protocol_fee=(pool.protocol_fee + 1) % 500) for at, pool in right.items()
    }
    mismatches = duel.run(60).mismatches
    duel.pools = right
    assert mismatches
