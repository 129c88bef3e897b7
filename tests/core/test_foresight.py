"""Balances as a plan foresees them, against balances as they turned out, part by part."""

from __future__ import annotations

from dataclasses import replace

from paper_world import (
    ETH_A,
    ME,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    WETH_B,
    A,
    World,
    address,
    plan,
    rich_plan,
)
from scenes import BRIDGED, ONE_SWAP, slow_world, started

from agent.core.foresight import FEES, Comparison, Part, compare
from agent.core.money import Token
from agent.core.plan import Plan


def outcome(
    wanted: Plan, world: World | None = None, budget: float = 3600
) -> dict[Token, Comparison]:
    """The comparison of a plan with what became of it, by token."""
    world = world or slow_world(automine=True)
    before = world.snapshot().balances
    with started(world, wanted) as held:
        held.advance(budget)
        rows = compare(wanted, held.state.runs["r1"], before, world.snapshot().balances)
    return {row.token: row for row in rows}


def test_a_plan_that_was_done_differs_by_what_has_a_name_only():
    rows = outcome(rich_plan())
    assert {True} == {row.matches for row in rows.values()}
    assert {ETH_A, WETH_A, WETH_B, USDC_B, WBTC_B} < set(rows)
    (fees,) = rows[ETH_A].parts
    assert (FEES, rows[ETH_A].difference) == (fees.what, fees.raw)
    assert rows[ETH_A].difference < 0


def test_what_a_swap_brought_more_is_its_price():
    # Foreseen were 5,900.00, the venue pays 5,980.00.
    assert (Part("price of leg 1", 80 * 10**6),) == outcome(ONE_SWAP)[USDC_A].parts


def test_what_a_bridge_kept_less_is_its_fee():
    world = slow_world(automine=True, way="push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    # Foreseen were 999.00, and 999.50 arrive.
    assert (Part("fee of leg 1", 500_000),) == outcome(BRIDGED, world)[USDC_B].parts


def test_what_sells_what_has_arrived_differs_in_size():
    parts = outcome(rich_plan())[USDC_B].parts
    (size,) = [part.raw for part in parts if part.what == "size of leg 4"]
    (fee,) = [part.raw for part in parts if part.what == "fee of leg 3"]
    assert 0 < fee == -size


def test_what_was_sent_and_not_mined_has_cost_nothing_yet():
    rows = outcome(ONE_SWAP, World(automine=False), budget=1)
    assert (True, ()) == (rows[ETH_A].matches, rows[ETH_A].parts)


def test_nothing_is_said_of_what_is_neither_held_nor_foreseen():
    assert WBTC_B not in outcome(ONE_SWAP)


def test_a_leg_that_was_not_done_matches_nothing():
    world = slow_world(automine=True)
    world.venue.recipient = address(0xBAD)
    rows = outcome(ONE_SWAP, world)
    assert (False, False) == (rows[USDC_A].matches, rows[WETH_A].matches)
    assert 0 == rows[USDC_A].simulated


def test_a_leg_that_was_planned_and_never_begun_matches_nothing():
    world = World()
    before = world.snapshot().balances
    with started(world, plan(id_="empty")) as held:
        rows = compare(ONE_SWAP, held.state.runs["r1"], before, before)
    assert {USDC_A, WETH_A} == {row.token for row in rows if not row.matches}


def test_what_leaves_without_a_name_is_seen():
    world = slow_world(automine=True)
    before = world.snapshot().balances
    with started(world, ONE_SWAP) as held:
        held.advance(600)
        world.chains[A].ledger.move(USDC_A.address, ME, address(0xBAD), 1)
        rows = compare(ONE_SWAP, held.state.runs["r1"], before, world.snapshot().balances)
    (missing,) = [row for row in rows if not row.matches]
    assert (USDC_A, -1) == (
        missing.token,
        missing.difference - sum(part.raw for part in missing.parts),
    )
    assert replace(missing, simulated=missing.simulated + 1).matches
