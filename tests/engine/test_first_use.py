"""First uses from the plan to the chain: a little goes, arrives, and then the rest goes."""

from __future__ import annotations

from decimal import Decimal

from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WETH_A,
    WETH_B,
    World,
    leg,
    plan,
    prices,
)
from portfolios import problem
from scenes import facts, start

from agent.core import fact as f
from agent.core.money import Amount
from agent.core.plan import Plan, Sell
from agent.core.state import State
from agent.engine.loop import session
from agent.engine.survey import look, make_plan
from agent.engine.tail import load
from agent.planning.first_use import first_uses

CANARY = Decimal(50)
LARGE = leg("1", "swap", "venue", Sell(WETH_A, 2 * ETHER), USDC_A, 5900 * 10**6)
FAR = leg("2", "swap", "venue", Sell(WETH_B, ETHER), USDC_B, 2950 * 10**6)


def careful(*legs, **more) -> Plan:
    return plan(*first_uses(legs, problem(prices=prices(), canary=CANARY, **more)).legs)


def sent(world: World, purpose: str) -> list[Decimal]:
    """What was moved, in the order in which it was signed."""
    moved = [
        fact.intent.draft.moves
        for fact in facts(world, f.Reserved)
        if fact.intent.draft.purpose == purpose
    ]
    return [prices().worth(Amount(each.token, each.raw)) for each in moved]


def test_a_wallet_that_never_used_a_venue_ends_its_first_run_done():
    world = World()
    venues = {name: venue for name, venue in world.io().venues.items() if name != "book"}
    io = world.io(venues=venues, canary=CANARY)
    seen = look(io, State(), asked=True)
    made = make_plan(io, seen)
    assert isinstance(made, Plan)
    assert "first use of venue moves 45.00 first" in made.why
    with session("worker", io) as held:
        held.start("r1", made, seen.snapshot)
        assert "done" == held.advance(600).outcome
    first, *others = sent(world, "swap")
    assert first <= CANARY < sum(others)
    again = look(io, load(io.journal, ME), asked=True)
    assert "venue" in again.known


def test_other_chains_wait_for_the_first_use_on_one():
    world = World()
    ended = start(world, careful(LARGE, FAR), world.io(canary=CANARY))
    assert ("done", []) == (ended.outcome, facts(world, f.Refused))
    first, *others = sent(world, "swap")
    assert (Decimal(45), [Decimal(3000), Decimal(5955)]) == (first, sorted(others))
    order = [
        (type(fact), fact.leg) for fact in world.seen if isinstance(fact, f.Quoted | f.Settled)
    ]
    assert [(f.Quoted, "1c"), (f.Settled, "1c")] == order[:2]


def test_a_second_run_needs_no_first_use():
    world = World()
    io = world.io(canary=CANARY)
    start(world, careful(LARGE), io)
    known = load(io.journal, ME).vias
    assert [LARGE] == list(careful(LARGE, known=known).legs)


def test_a_bridge_delivers_a_little_before_the_rest_leaves():
    world = World("push")
    world.chains[WETH_A.chain].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    whole = leg("1", "bridge", "paper-bridge", Sell(USDC_A, 10**9), USDC_B, 999 * 10**6)
    ended = start(world, careful(whole), world.io(canary=CANARY))
    assert ("done", []) == (ended.outcome, facts(world, f.Refused))
    assert [Decimal(45), Decimal(955)] == sent(world, "deposit")
    order = [
        (type(fact), fact.leg) for fact in world.seen if isinstance(fact, f.Quoted | f.Arrived)
    ]
    assert [(f.Quoted, "1c"), (f.Arrived, "1c"), (f.Quoted, "1"), (f.Arrived, "1")] == order
