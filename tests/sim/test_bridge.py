"""A paper bridge: money arrives once, whichever way it ends."""

from __future__ import annotations

import pytest
from paper_world import BRIDGE, ME, USDC_A, USDC_B, A, B, World, leg
from sim.paper import PLENTY, granted, mined, tried

from agent.core.intent import Receipt
from agent.core.money import Amount, ChainId
from agent.core.plan import Sell
from agent.core.quote import Call
from agent.ports import Act, Delivered, Gone, Returned, Waiting

RAW = 1000 * 10**6
OUT = 999_500_000
ACROSS = leg("1", "bridge", "paper-bridge", Sell(USDC_A, RAW), USDC_B, OUT)


def deposited(way: str) -> tuple[World, Receipt]:
    """A world in which the wallet has just sent RAW into the bridge."""
    world = World(way)
    node = world.chains[A]
    node.ledger.mint(USDC_A.address, ME, RAW)
    node.ledger.approve(USDC_A.address, ME, BRIDGE, 0)
    quote = world.bridge.quote(ACROSS, RAW, ME, 1, world.clock.now())
    (allowance,) = quote.allowances
    assert mined(node, granted(allowance)).ok
    assert isinstance(quote.payload, Call)
    deposit = mined(node, quote.payload)
    assert deposit.ok
    return world, deposit


def tracked(world: World, deposit: Receipt, claims: int = 0, later: int = 60):
    return world.bridge.track(ACROSS, deposit, RAW, claims, world.clock.now() + later)


def test_quote_is_everything_but_the_fee_and_deposits_exactly_the_sale() -> None:
    world = World()
    world.chains[A].ledger.mint(USDC_A.address, ME, RAW)
    world.chains[A].ledger.approve(USDC_A.address, ME, BRIDGE, 0)
    quote = world.bridge.quote(ACROSS, RAW, ME, 1, world.clock.now())
    assert (OUT, OUT) == (quote.amount_out, quote.min_amount_out)
    done = tried(world, quote)
    assert (True, {USDC_A: -RAW}, (0,)) == (done.ok, dict(done.deltas), done.allowances)


def test_targets_are_on_the_chains_that_it_serves_and_layouts_both_functions() -> None:
    bridge = World().bridge
    assert ({BRIDGE: ""}, {}) == (bridge.targets(B), bridge.targets(ChainId(10)))
    assert {"send", "claim"} == {layout.name for layout in bridge.layouts.values()}


@pytest.mark.parametrize("way", ["push", "claim", "refund", "never"])
def test_money_is_under_way_until_the_relayer_s_time(way: str) -> None:
    world, deposit = deposited(way)
    now = world.clock.now()
    waiting = tracked(world, deposit, later=0)
    assert isinstance(waiting, Waiting)
    assert now < waiting.until


def test_pushed_money_arrives_once_however_often_it_is_asked_for() -> None:
    world, deposit = deposited("push")
    assert [Delivered(Amount(USDC_B, OUT), 4)] * 2 == [tracked(world, deposit) for _ in range(2)]
    assert OUT == world.holds(USDC_B)


def test_refunded_money_comes_back_whole_once() -> None:
    world, deposit = deposited("refund")
    assert [Returned(Amount(USDC_A, RAW), 8)] * 2 == [tracked(world, deposit) for _ in range(2)]
    assert (RAW, 0) == (world.holds(USDC_A), world.holds(USDC_B))


def test_money_to_be_claimed_is_claimed_once() -> None:
    world, deposit = deposited("claim")
    act = tracked(world, deposit)
    assert isinstance(act, Act)
    assert isinstance(act.draft.payload, Call)
    assert ("claim", B) == (act.draft.purpose, act.draft.chain)
    assert mined(world.chains[B], act.draft.payload).ok
    assert OUT == world.holds(USDC_B)
    assert Delivered(Amount(USDC_B, OUT), 4) == tracked(world, deposit, claims=1)
    again = world.chains[B].simulate(ME, [(act.draft.payload, PLENTY)], [], [])
    assert (0, "claimed already") == again.reverted


def test_unknown_deposit_is_gone_at_once() -> None:
    world, deposit = deposited("gone")
    assert isinstance(tracked(world, deposit, later=0), Gone)


def test_contract_knows_no_other_function() -> None:
    done = World().chains[A].simulate(ME, [(Call(A, BRIDGE, 0, "0xdeadbeef"), PLENTY)], [], [])
    assert (0, "no such function") == done.reverted
