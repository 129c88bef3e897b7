"""A policy that cannot be meant does not construct."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from stories import ETH, FAR_WETH, ME, TOKENS, USDC, WETH, A, B, block

from agent.core.money import Amount, Bps
from agent.core.policy import Asset, Instance, Policy, PolicyError, Target
from agent.core.snapshot import ChainSnapshot, InFlight, Snapshot

ASSETS = (
    Asset("ETH", (Instance(ETH, "spend"), Instance(WETH, "count"))),
    Asset("USDC", (Instance(USDC, "spend"),)),
)


def policy(assets=ASSETS, **weights: tuple[int, int]) -> Policy:
    targets = {name: Target(Bps(w), Bps(b)) for name, (w, b) in weights.items()}
    return Policy(account=ME, chains=(A, B), assets=assets, targets=targets)


def test_a_policy_whose_weights_are_the_whole_knows_its_tokens():
    made = policy(ETH=(6000, 500), USDC=(4000, 500))
    assert {ETH: "ETH", WETH: "ETH", USDC: "USDC"} == dict(made.asset_of)
    assert ["spend", "count", None] == [made.role(token) for token in (ETH, WETH, FAR_WETH)]


@pytest.mark.parametrize(
    ("weights", "assets", "why"),
    [
        ({"ETH": (6000, 0)}, ASSETS, "targets: weights sum to 0.6, not to 1"),
        ({"ETH": (6000, 0), "USDC": (4001, 0)}, ASSETS, "targets: weights sum to 1.0001, not to 1"),
        (
            {"ETH": (-1, 0), "USDC": (10_001, 0)},
            ASSETS,
            "targets.ETH: weight and band lie between 0 and 1",
        ),
        (
            {"ETH": (6000, 10_001), "USDC": (4000, 0)},
            ASSETS,
            "targets.ETH: weight and band lie between 0 and 1",
        ),
        ({"BTC": (10_000, 0)}, ASSETS, "targets.BTC: no such asset"),
        ({"ETH": (10_000, 0)}, (*ASSETS, ASSETS[0]), "assets: an asset is named twice"),
        (
            {"ETH": (10_000, 0)},
            (*ASSETS, Asset("X", (Instance(USDC, "count"),))),
            "assets: a token belongs to two assets",
        ),
    ],
)
def test_a_policy_that_cannot_be_meant_says_which_key(weights, assets, why):
    with pytest.raises(PolicyError) as caught:
        policy(assets, **weights)
    assert why == str(caught.value)
    assert caught.value.key == why.partition(":")[0]


@pytest.mark.parametrize(
    ("weight", "band", "low", "high"),
    [(5000, 500, 4500, 5500), (100, 500, 0, 600), (9900, 500, 9400, 10_000), (0, 0, 0, 0)],
)
def test_a_band_ends_at_nothing_and_at_the_whole(weight, band, low, high):
    target = Target(Bps(weight), Bps(band))
    assert (low, high) == (target.low, target.high)


def test_a_snapshot_knows_what_was_read_and_nothing_else():
    here = ChainSnapshot(A, ME, block(), MappingProxyType({ETH: 1, USDC: 2}), unreadable=(WETH,))
    there = ChainSnapshot(B, ME, block(), MappingProxyType({FAR_WETH: 3}))
    seen = Snapshot(ME, {A: here, B: there}, (InFlight("1", Amount(USDC, 5), USDC),))
    assert {ETH: 1, USDC: 2, FAR_WETH: 3} == dict(seen.balances)
    assert [1, 3] == [seen.holds(ETH), seen.holds(FAR_WETH)]
    with pytest.raises(KeyError):
        seen.holds(WETH)
    assert {A, B} == {token.chain for token in TOKENS}
