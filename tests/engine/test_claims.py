"""A transfer's second half: claims that fail, that lie, or that wait behind others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paper_world import (
    BRIDGE,
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WETH_B,
    A,
    B,
    World,
    address,
    leg,
    plan,
)
from scenes import BRIDGED, after, facts, purposes, slow_world, started, until

from agent.core import fact as f
from agent.core.layout import Place
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.quote import Allowance, TypedMessage
from agent.engine.loop import Wait
from agent.errors import Unreachable, WrongValue
from agent.ports import Act, Delivered, Returned
from agent.sim.bridge import CLAIM


def funded(way: str = "claim", **kwargs) -> World:
    world = World(way, **kwargs)
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    return world


def empty_far_side(world: World) -> int:
    """The bridge has nothing to give on the far chain; returns what it had."""
    ledger = world.chains[B].ledger
    raw = ledger.balance(USDC_B.address, BRIDGE)
    ledger.move(USDC_B.address, BRIDGE, address(0xBEEF), raw)
    return raw


def test_a_claim_that_reverts_is_made_again_once_the_bridge_asks_for_it():
    world = funded()
    empty_far_side(world)

    def react(fact) -> None:
        if isinstance(fact, f.Mined) and not fact.receipt.ok:
            world.chains[B].ledger.mint(USDC_B.address, BRIDGE, 10**30)

    with started(world, BRIDGED) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    assert ["claim", "claim"] == purposes(world)[-2:]


def test_claims_that_keep_reverting_are_given_to_a_person():
    world = funded()
    empty_far_side(world)
    with started(world, BRIDGED) as held:
        ended = held.advance(600)
    why = "leg 1: 3 claims failed; its money waits at paper-bridge"
    assert ("needs_human", why) == (ended.outcome, ended.why)
    assert 3 == purposes(world).count("claim")
    assert 0 == world.holds(USDC_B)


def test_a_claim_whose_nonce_a_stranger_takes_is_made_on_the_next_one():
    world = funded(finality=12)
    node = world.chains[B]
    left = [1]

    def react(fact) -> None:
        if isinstance(fact, f.Reserved) and fact.intent.draft.purpose == "claim" and left:
            left.pop()
            node.use_nonce(ME)
            node.mine()

    with started(world, BRIDGED) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    claims = [r for r in facts(world, f.Reserved) if r.intent.draft.purpose == "claim"]
    assert [("r1/1/0/0", 0), ("r1/1/-1/0", 1)] == [(r.intent.id, r.unsigned.nonce) for r in claims]


def test_a_claim_that_a_stranger_displaces_is_made_again():
    world = slow_world(way="claim")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    node = world.chains[B]
    left = [1]

    def react(fact) -> None:
        if isinstance(fact, f.Submitted) and fact.intent == "r1/1/0/0" and left:
            left.pop()
            node.pool.clear()
            node.use_nonce(ME)
            node.mine()

    with started(world, BRIDGED) as held:
        after(held, react)
        ended = held.advance(3600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    assert ["r1/1/0/0"] == [fact.intent for fact in facts(world, f.Displaced)]


FORGED = {
    "another contract": lambda draft: replace(
        draft, payload=replace(draft.payload, to=address(0xBAD))
    ),
    "a token": lambda draft: replace(draft, payload=replace(draft.payload, to=USDC_B.address)),
    "another recipient": lambda draft: replace(
        draft,
        payload=replace(draft.payload, data=draft.payload.data.replace(ME[2:], address(0xBAD)[2:])),
    ),
    "another function": lambda draft: replace(
        draft, payload=replace(draft.payload, data="0xa9059cbb" + "00" * 64)
    ),
    "value": lambda draft: replace(draft, payload=replace(draft.payload, value=1)),
    "money": lambda draft: replace(draft, moves=Amount(USDC_B, 1)),
    "an allowance": lambda draft: replace(draft, allowance=Allowance(BRIDGE, Amount(USDC_B, 1))),
    "another purpose": lambda draft: replace(draft, purpose="swap"),
    "another chain": lambda draft: replace(draft, chain=10),
    "a call on another chain": lambda draft: replace(
        draft, payload=replace(draft.payload, chain=A)
    ),
    "a message": lambda draft: replace(draft, payload=TypedMessage("cow_order", B, "{}", 0)),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_claim_is_never_reserved_and_the_honest_one_is(how):
    world = funded()
    honest = world.bridge.track
    forged = [True]

    def track(*args):
        found = honest(*args)
        if isinstance(found, Act) and forged:
            return replace(found, draft=FORGED[how](found.draft))
        return found

    world.bridge.track = track
    with started(world, BRIDGED) as held:
        waited = held.advance(100)
        assert isinstance(waited, Wait)
        assert waited.why.startswith("the claim was refused: ")
        assert "claim" not in purposes(world)
        forged.clear()
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))


def test_a_claim_that_pays_out_on_another_chain_is_refused(monkeypatch):
    elsewhere = replace(CLAIM, places={(B, BRIDGE): Place(to_chain=A)})
    monkeypatch.setattr("agent.sim.bridge.CLAIM", elsewhere)
    world = funded()
    with started(world, BRIDGED) as held:
        waited = held.advance(100)
    assert isinstance(waited, Wait)
    assert "the claim was refused: the claim pays out on chain 1" == waited.why
    assert "claim" not in purposes(world)


@pytest.mark.parametrize("pinned", ["0x" + "00" * 32, None], ids=["other code", "no code"])
def test_a_claim_on_a_contract_without_its_code_waits(pinned):
    world = funded()

    def react(fact) -> None:
        if not isinstance(fact, f.Reserved) or fact.intent.draft.purpose != "deposit":
            return
        if pinned is None:
            del world.chains[B].contracts[BRIDGE]
        else:
            world.bridge.targets = lambda chain: {BRIDGE: pinned if chain == B else ""}

    with started(world, BRIDGED) as held:
        after(held, react)
        waited = held.advance(100)
    assert isinstance(waited, Wait)
    assert "has no code, or other code than it must have" in waited.why


def test_a_claim_is_not_kept_waiting_by_a_venue_that_does_not_answer():
    world = funded()
    honest = world.venue.quote

    def quote(leg_, *args):
        if leg_.sell.token == WETH_B:
            raise Unreachable("the venue is silent", fix="wait")
        return honest(leg_, *args)

    world.venue.quote = quote
    both = plan(leg("0", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2900 * 10**6), *BRIDGED.legs)
    with started(world, both) as held:
        waited = held.advance(600)
    assert isinstance(waited, Wait)
    assert 1 == len(facts(world, f.Arrived))
    assert 999_500_000 == world.holds(USDC_B)


@pytest.mark.parametrize("kind", [Delivered, Returned])
def test_money_that_ends_as_a_token_that_nobody_watched_needs_a_person(kind):
    world = funded()
    from agent.core.money import Token

    strange = Token(B, address(0x77), 6, "USDC.e")
    world.bridge.track = lambda *_: kind(Amount(strange, 999 * 10**6))
    with started(world, BRIDGED) as held:
        ended = held.advance(600)
    assert "needs_human" == ended.outcome
    assert "it ended as USDC.e" in ended.why


def test_money_that_arrives_as_another_watched_token_is_not_what_the_next_leg_spends():
    world = funded()

    world.chains[B].ledger.store["paid"] = 0

    def track(*_):
        if not world.chains[B].ledger.store["paid"]:
            world.chains[B].ledger.store["paid"] = 1
            world.chains[B].ledger.mint(WETH_B.address, ME, ETHER // 3)
        return Delivered(Amount(WETH_B, ETHER // 3))

    world.bridge.track = track
    onward = plan(
        *BRIDGED.legs,
        leg("2", "swap", "venue", Sell(USDC_B, 0, ("1",), 10**9), WETH_B, 1, ("1",)),
    )
    with started(world, onward) as held:
        ended = held.advance(600)
    assert "aborted" == ended.outcome
    assert ["2"] == [fact.leg for fact in facts(world, f.Refused)]
    assert [] == facts(world, f.ForeignInflow)


def test_an_arrival_that_is_not_there_needs_a_person():
    world = funded()
    world.bridge.track = lambda *_: Delivered(Amount(USDC_B, 999 * 10**6))
    with started(world, BRIDGED) as held:
        ended = held.advance(600)
    assert "needs_human" == ended.outcome
    assert "999000000 base units of USDC on chain 8453" in ended.why


def test_a_transfer_at_a_bridge_that_is_not_allowed_any_more_says_what_to_put_back():
    world = funded()
    with started(world, BRIDGED) as held:
        until(held, world, lambda: facts(world, f.Settled))
    from agent.engine.loop import advance

    with pytest.raises(WrongValue, match="waits at paper-bridge"):
        advance("worker", world.io(bridges={}), 10)
