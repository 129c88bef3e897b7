"""What a chain charges beside or instead of usual fees, from reservation to receipt."""

from __future__ import annotations

import json

import pytest
from paper_world import USDC_A, A, B, World, policy, rich_plan
from scenes import ONE_SWAP, after, facts, slow_world, start, started, until

from agent.core import fact as f
from agent.core.closing import costs
from agent.core.fees import SELF_SEND_GAS, FeeQuote, L1Fee, TxFees, money, most
from agent.core.money import ChainId
from agent.sim.chain import BASE_FEE, PRIORITY_FEE, PaperChain

GWEI = 10**9
OFFER = TxFees(2 * BASE_FEE + PRIORITY_FEE, PRIORITY_FEE)


def reservations(world: World, chain: ChainId = A) -> list[f.Reserved]:
    return [fact for fact in facts(world, f.Reserved) if fact.intent.chain == chain]


def intents(world: World, chain: ChainId) -> set[str]:
    return {fact.intent.id for fact in reservations(world, chain)}


def test_run_over_two_rollups_ends_with_every_wei_explained() -> None:
    world = World()
    world.chains[A].data, world.chains[B].data = L1Fee(wei=10**14), L1Fee(gas=7_000)
    ended = start(world, rich_plan())
    assert ("done", [], []) == (
        ended.outcome,
        facts(world, f.ForeignInflow),
        list(facts(world, f.Closed)[0].unexplained),
    )
    paid = sum(fact.receipt.fee for fact in facts(world, f.Mined))
    gas = sum(fact.receipt.gas_used for fact in facts(world, f.Mined))
    assert paid == 2 * GWEI * gas + 10**14 * len(reservations(world))
    assert {57_000} == {
        fact.receipt.gas_used for fact in facts(world, f.Mined) if fact.intent in intents(world, B)
    }


@pytest.mark.parametrize("data", [L1Fee(), L1Fee(wei=10**14), L1Fee(gas=7_000)])
def test_largest_fee_and_gas_limit_leave_room_for_data(data: L1Fee) -> None:
    world = World()
    world.chains[A].data = data
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        run = held.state.runs["r1"]
    for fact in reservations(world):
        assert fact.unsigned is not None
        gas_limit = fact.intent.draft.gas_limit
        assert gas_limit + 2 * data.gas == fact.unsigned.gas_limit
        worth = money(most(OFFER, gas_limit, data), fact.intent.native_price)
        assert worth == fact.charges.fee
    price = reservations(world)[0].intent.native_price
    measured = sum(money(fact.receipt.fee, price) for fact in facts(world, f.Mined))
    assert measured == costs(run).fees < sum(fact.charges.fee for fact in reservations(world))


def test_data_that_became_too_dear_after_the_quote_is_not_reserved() -> None:
    world = World()

    def react(fact: object) -> None:
        if isinstance(fact, f.Quoted):
            world.chains[A].data = L1Fee(wei=10**18)

    with started(world, ONE_SWAP, policy=policy(max_fee_per_tx=15)) as held:
        after(held, react)
        ended = held.advance(600)
    codes = {no.code for fact in facts(world, f.Refused) for no in fact.refusals}
    assert ("aborted", {"G304"}, []) == (ended.outcome, codes, facts(world, f.Signed))


def test_replacement_and_cancel_leave_room_for_data() -> None:
    world = slow_world()
    node = world.chains[A]
    node.data = L1Fee(gas=30_000)
    with started(world, ONE_SWAP) as held:
        held.advance(1)
        node.base_fee = 5 * GWEI
        until(held, world, lambda: len(reservations(world)) == 2)
        node.base_fee = 50 * GWEI
        held.cancel("no more")
        node.data = L1Fee(gas=40_000)
        until(held, world, lambda: len(reservations(world)) == 3)
        node.base_fee = GWEI
        ended = held.advance(3600)
    assert ("aborted", []) == (ended.outcome, facts(world, f.ForeignInflow))
    by_kind = {fact.kind: fact for fact in reservations(world)}
    assert {"first", "reprice", "cancel"} == set(by_kind)
    limits = {kind: fact.unsigned and fact.unsigned.gas_limit for kind, fact in by_kind.items()}
    own = by_kind["first"].intent.draft.gas_limit
    assert (own + 60_000, SELF_SEND_GAS + 80_000) == (limits["reprice"], limits["cancel"])


class Legacy(PaperChain):
    """A chain on paper that takes one gas price, and no other transactions."""

    def fees(self) -> FeeQuote:
        return FeeQuote(self.base_fee + PRIORITY_FEE, 0, kind="legacy")


def test_legacy_chain_gets_legacy_transactions_and_dearer_ones_in_their_place() -> None:
    world = slow_world()
    node = world.chains[A]
    node.__class__ = Legacy
    with started(world, ONE_SWAP) as held:
        held.advance(1)
        node.base_fee = 5 * GWEI
        ended = held.advance(3600)
    assert ("done", True) == (ended.outcome, world.holds(USDC_A) > 0)
    offers = [fact.unsigned for fact in reservations(world)]
    assert {("legacy", True)} == {
        (each.kind, each.max_fee_per_gas == each.max_priority_fee_per_gas)
        for each in offers
        if each is not None
    }
    first, second = [each.max_fee_per_gas for each in offers[:2] if each is not None]
    assert (2 * GWEI, 6 * GWEI) == (first, second)
    sent = [json.loads(bytes.fromhex(fact.payload.raw[2:])) for fact in facts(world, f.Signed)]
    assert {"legacy"} == {each["kind"] for each in sent}
