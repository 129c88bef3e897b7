"""A plan simulated leg by leg without forks: what could not be simulated is never called well."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paper_world import (
    BRIDGE,
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    A,
    B,
    World,
    address,
    leg,
    plan,
    rich_plan,
)
from scenes import BRIDGED, ONE_SWAP

from agent.chain.given import overrides
from agent.compose.ahead import Ahead, ahead
from agent.core.money import Token
from agent.core.plan import Plan, Sell
from agent.engine.io import Io
from agent.errors import BadReply, NoSimulator


def foreseen(world: World, wanted: Plan, **changes: object) -> Ahead:
    io: Io = world.io(**changes)
    return ahead(io, wanted, world.snapshot())


def why(found: Ahead) -> dict[str, str]:
    return {each.leg.id: each.why for each in found.legs if each.flow is None}


def test_legs_on_two_chains_follow_each_other_and_nothing_happens() -> None:
    world = World("push")
    before = world.snapshot().balances
    found = foreseen(world, rich_plan())
    assert ({}, 0, True) == (why(found), found.left, all(row.matches for row in found.rows))
    # The wallet has no USDC on the far chain but what the bridge is to bring.
    (swap,) = [each for each in found.legs if each.leg.buy == WBTC_B]
    assert swap.flow is not None
    assert 5980 * 10**6 * 9995 // 10_000 == swap.flow.sold
    assert before == world.snapshot().balances
    assert before[WETH_A] == found.after[WETH_A]


def test_leg_that_the_guard_refuses_keeps_those_behind_it_unsimulated() -> None:
    world = World("push")
    world.venue.recipient = address(0xBAD)
    said = why(foreseen(world, rich_plan()))
    assert {"2", "3", "4", "5"} == set(said)
    assert said["2"].startswith("[G105]")
    assert "not simulated: it waits for leg 2" == said["3"]


def test_chain_that_is_silent_is_not_simulated_and_the_other_is() -> None:
    world = World("push")
    snapshot = world.snapshot()
    world.chains[B].down = True
    found = ahead(world.io(), rich_plan(), snapshot)
    assert {
        "3": "not simulated: chain 8453: no answer",
        "4": "not simulated: it waits for leg 3",
        "5": "not simulated: chain 8453: no answer",
    } == why(found)


def test_node_that_cannot_simulate_at_all_is_an_error() -> None:
    world = World()

    def simulate(*_: object) -> None:
        raise NoSimulator("no eth_simulateV1", fix="another node")

    world.chains[A].simulate = simulate
    with pytest.raises(NoSimulator):
        foreseen(world, ONE_SWAP)


def test_revocation_is_nothing_that_brings_anything() -> None:
    wanted = plan(leg("1", "revoke", "owner", Sell(USDC_A, 0), USDC_A, 0))
    object.__setattr__(wanted.legs[0], "detail", BRIDGE)
    assert {"1": "not simulated: a revoke is no trade"} == why(foreseen(World(), wanted))


def test_what_is_missing_reverts_and_is_told() -> None:
    said = why(foreseen(World("push"), BRIDGED))
    assert "transfer exceeds balance" in said["1"]


def test_more_than_one_arrival_of_a_token_adds_up() -> None:
    world = World("push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    second = replace(BRIDGED.legs[0], id="2")
    found = foreseen(world, plan(BRIDGED.legs[0], second))
    assert (2 * 999_500_000, {}) == (found.after[USDC_B], why(found))


# Balances that are put in

TOKEN = Token(A, address(0x77), 6, "T")


class Hidden:
    """A node whose token keeps its balances where nobody looks."""

    def batch(self, calls: list[tuple[str, object]]) -> list[str]:
        return ["0x" + f"{5:064x}" for _ in calls]


def test_token_that_keeps_balances_elsewhere_is_said() -> None:
    with pytest.raises(BadReply, match="nobody knows where T on chain 1 keeps its balances"):
        overrides(Hidden(), ME, {TOKEN: ETHER})
