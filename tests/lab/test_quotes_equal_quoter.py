"""Quotes of the core equal those of the contracts, to the last base unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from quoter_duel import Duel, Score

from agent.core.amm.v3 import V3Pool
from agent.lab.world import World

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

COUNT = 1500


@pytest.fixture(scope="module")
def duel(world: World) -> Iterator[Duel]:
    """Opens pools of its own, so the chain is put back afterwards."""
    snapshot = world.snapshot()
    yield Duel(world, seed=7)
    world.revert(snapshot)


@pytest.fixture(scope="module")
def score(duel: Duel) -> Score:
    return duel.run(COUNT)


def test_no_quote_differs_from_the_contracts(score: Score) -> None:
    assert score.mismatches == []


def test_every_kind_of_question_was_asked(score: Score) -> None:
    assert score.kinds.total() == COUNT
    versions = ("v2", "v3", "mixed")
    hops = ("1 hop", "2 hops", "3 hops")
    possible = {f"{version}, {count}" for version in versions for count in hops}
    assert set(score.kinds) >= possible - {"mixed, 1 hop", "v2, 3 hops"}
    assert score.kinds["v3 exact output"] > 0


def test_every_kind_of_outcome_was_met(score: Score) -> None:
    assert set(score.outcomes) == {
        "quoted",
        "quoted, and as a whole path",
        "refused, only a part can be swapped",
        "refused, as the contract does",
        "refused, pays nothing",
    }
    assert score.extensions > 0


def test_pools_after_real_swaps_are_as_we_say(world: World, duel: Duel) -> None:
    snapshot = world.snapshot()
    pairs = duel.swap_for_real(20)
    world.revert(snapshot)
    assert len(pairs) == 20
    assert [on_chain for on_chain, _ in pairs] == [ours for _, ours in pairs]


def test_wrong_liquidity_would_be_noticed(duel: Duel) -> None:
    right = dict(duel.pools)
    for address, pool in right.items():
        if isinstance(pool, V3Pool) and pool.liquidity:
            duel.pools[address] = replace(pool, liquidity=pool.liquidity + 1)
    mismatches = duel.run(50).mismatches
    duel.pools |= right
    assert mismatches
