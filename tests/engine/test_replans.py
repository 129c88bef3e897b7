"""A refusal deserves another plan, also when something has begun already."""

from __future__ import annotations

from fractions import Fraction

import pytest
from paper_world import (
    ETHER,
    ME,
    USDC_A,
    VENUE,
    WETH_A,
    A,
    World,
    address,
    leg,
    plan,
)
from scenes import BRIDGED, ONE_SWAP, after, allowance, facts, purposes, started

from agent.core import fact as f
from agent.core.money import Token
from agent.core.plan import Sell

AGAIN = plan(leg("again", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6), id_="again")


def test_a_leg_that_was_refused_after_its_approval_is_replaced_by_another_plan():
    world = World()
    good = dict(world.venue.rates)

    def replan(_run):
        world.venue.rates = good
        return AGAIN

    def react(fact) -> None:
        if isinstance(fact, f.Mined) and fact.intent == "r1/1/1/0":
            world.venue.rates = {**good, (WETH_A.address, USDC_A.address): Fraction(1, 10**12)}

    with started(world, ONE_SWAP, replan=replan) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 2990 * 10**6) == (ended.outcome, world.holds(USDC_A))
    assert ["approve", "revoke", "approve", "swap"] == purposes(world)
    assert 0 == allowance(world, WETH_A, VENUE)
    assert 1 == len(facts(world, f.Replanned))


def test_what_has_arrived_stays_when_the_rest_is_planned_again():
    world = World("push")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    world.venue.recipient = address(0xBAD)
    both = plan(
        *BRIDGED.legs, leg("2", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6, ("1",))
    )

    def replan(_run):
        world.venue.recipient = None
        return AGAIN

    with started(world, both, replan=replan) as held:
        ended = held.advance(600)
    assert ("done", 3990 * 10**6) == (ended.outcome, world.holds(USDC_A))


def test_a_leg_that_went_wrong_is_not_planned_again():
    world = World("refund")
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED, replan=lambda _run: AGAIN) as held:
        ended = held.advance(600)
    assert ("aborted", "leg 1 came back") == (ended.outcome, ended.why)
    assert [] == facts(world, f.Replanned)


def test_another_plan_with_a_token_that_was_not_read_ends_the_run():
    world = World()
    world.venue.recipient = address(0xBAD)
    strange = Token(A, address(0x99), 18, "NEW")
    other = plan(leg("n", "swap", "venue", Sell(WETH_A, ETHER), strange, 1))
    with started(world, ONE_SWAP, replan=lambda _run: other) as held:
        ended = held.advance(600)
    assert "aborted" == ended.outcome
    assert ended.why.endswith("another plan needs NEW, which was not read at the start")


@pytest.mark.parametrize("serial", [True, False])
def test_a_refusal_beside_a_leg_in_flight_lets_that_one_finish(serial):
    from paper_world import USDC_B, WETH_B, B

    world = World()
    both = plan(
        leg("1", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6),
        leg("2", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2900 * 10**6),
    )
    refuse = world.venue.quote

    def react(fact) -> None:
        if isinstance(fact, f.Signed) and fact.intent == "r1/1/1/1":
            world.venue.recipient = address(0xBAD)

    def quote(leg_, *args):
        if leg_.id == "2" and not [s for s in facts(world, f.Signed) if s.intent == "r1/1/1/1"]:
            from agent.errors import Unreachable

            raise Unreachable("not yet", fix="wait")
        return refuse(leg_, *args)

    world.venue.quote = quote
    with started(world, both, serial=serial) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("aborted", 2990 * 10**6, 0) == (
        ended.outcome,
        world.holds(USDC_A),
        world.holds(USDC_B),
    )
    assert 0 == world.chains[B].ledger.nonces.get(ME, 0)
