"""From the chains to a plan, with nothing signed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import pytest
from paper_world import (
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    policy,
    prices,
)
from scenes import BRIDGED, facts, start, started, until

from agent.core import fact as f
from agent.core.decide import History, Rebalance, Rest
from agent.core.plan import Plan
from agent.core.state import State
from agent.core.wish import BUY_ONLY, REBALANCE, Wish
from agent.engine.loop import session
from agent.engine.survey import history, look, make_plan, read, survey
from agent.errors import Unreachable
from agent.planning.problem import NoPlan


def test_a_wallet_off_its_target_gets_a_plan_that_the_engine_can_execute():
    world = World()
    venues = {name: venue for name, venue in world.io().venues.items() if name != "book"}
    io = world.io(venues=venues)
    seen = look(io, State(), asked=True)
    assert isinstance(seen.decision, Rebalance)
    made = make_plan(io, seen)
    assert isinstance(made, Plan)
    with session("worker", io) as held:
        held.start("r1", made, seen.snapshot)
        ended = held.advance(600)
    assert ("done", io.policy.hash) == (ended.outcome, made.policy_hash)


def test_one_chain_alone_gives_the_same():
    world = World()
    both = world.io()
    one = replace(both, nodes={A: both.nodes[A]}, chains={A: both.chains[A]})
    assert read(both, State()).chains[A] == read(one, State()).chains[A]


def test_a_wallet_that_is_to_rest_gets_the_reason_instead_of_a_plan():
    world = World()
    io = world.io()
    resting = replace(look(io, State()), decision=Rest("nothing to do: it is fine"))
    assert NoPlan(("nothing to do: it is fine",)) == make_plan(io, resting)


def test_gas_that_cannot_be_valued_is_a_refusal_to_plan():
    world = World()
    io = world.io()
    seen = look(io, State(), asked=True)
    known = prices()
    blind = {key: price for key, price in known.by_asset.items() if key != "ETH"}
    found = make_plan(io, replace(seen, prices=replace(known, by_asset=blind)))
    assert isinstance(found, NoPlan)
    assert ("ETH has no price, so gas cannot be valued",) == found.why
    assert ["G202"] == [no.code for no in found.refusals]


def test_what_has_lost_its_peg_is_not_bought():
    world, known = World(), prices()
    dear = world.io()
    fallen = replace(known.by_asset["USDC"], low=Decimal("0.97"))
    seen = replace(
        look(dear, State(), asked=True),
        prices=replace(known, by_asset={**known.by_asset, "USDC": fallen}),
    )
    pegged = replace(dear, policy=replace(dear.policy, pegs={"USDC": Decimal(1)}))
    free, held = make_plan(dear, seen), make_plan(pegged, seen)
    assert "USDC" in {leg.buy.symbol for leg in free.legs}
    bought = () if isinstance(held, NoPlan) else held.legs
    assert "USDC" not in {leg.buy.symbol for leg in bought if leg.kind == "swap"}
    assert "below its peg of 1.0000: it is not bought while it falls" in " ".join(held.why)


def test_what_plans_serve_is_what_a_person_asks_for_or_the_policy_says():
    io = World().io()
    only = replace(io, policy=replace(io.policy, deposits="buy-only", pegs={"USDC": Decimal(1)}))
    raised = Wish("raise", "USDC", Decimal(500))
    for own, asked, wish in ((io, None, REBALANCE), (only, None, BUY_ONLY), (only, raised, raised)):
        seen = look(own, State(), asked=True, wish=asked)
        assert wish == seen.task.wish
    made = make_plan(only, seen)
    assert isinstance(made, Plan)
    assert (raised, Decimal(500)) == (made.wish, made.reached)


def test_the_next_decision_knows_how_the_last_run_ended():
    assert History() == history(State())
    world = World()
    start(world, BRIDGED_FROM_NOTHING)
    with session("worker", world.io()) as held:
        ended = held.state.ended
        assert History(ended.at, "aborted") == history(held.state)


def test_a_person_who_has_looked_lets_the_next_decision_go_on():
    world = World("gone")
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    start(world, BRIDGED)
    with session("worker", world.io()) as held:
        assert "needs_human" == held.advance(600).outcome
        assert "needs_human" == history(held.state).last_outcome
        held.reconcile("r1", "looked")
        assert "aborted" == history(held.state).last_outcome


BRIDGED_FROM_NOTHING = BRIDGED
"""The wallet has no USDC on the first chain: the deposit does not go through."""


@pytest.mark.parametrize("way", ["push", "never"])
def test_money_under_way_is_part_of_what_is_read(way):
    world = World(way)
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    with started(world, BRIDGED) as held:
        until(held, world, lambda: facts(world, f.Settled))
        (flying,) = read(world.io(), held.state).in_flight
        assert ("1", USDC_B, 999_500_000) == (flying.leg, flying.to, flying.amount.raw)
        held.advance(600)
        left = read(world.io(), held.state).in_flight
    assert (way == "never") == bool(left)


def test_routes_between_chains_are_asked_of_bridges_and_pairs_on_one_of_venues():
    world = World()
    io = world.io(venues={"venue": world.venue})
    pairs = ((USDC_A, USDC_B), (WETH_A, USDC_A))
    found = survey(io, pairs, {USDC_A: 10**9, WETH_A: 10**18})
    assert [("paper-bridge", *pairs[0]), ("venue", *pairs[1])] == [
        (edge.via, edge.sell, edge.buy) for edge in found
    ]


def test_a_bridge_that_takes_longer_than_the_policy_waits_is_left_out():
    world = World()
    impatient = world.io(policy=replace(policy(), max_wait_seconds=9))
    patient = world.io(policy=replace(policy(), max_wait_seconds=10))
    pairs, sizes = ((USDC_A, USDC_B),), {USDC_A: 10**9}
    assert () == survey(impatient, pairs, sizes)
    assert 1 == len(survey(patient, pairs, sizes))


def test_chains_are_surveyed_side_by_side_and_told_in_their_order():
    world, both = World(), Barrier(2, timeout=5)
    pairs = ((WETH_B, USDC_B), (WETH_A, USDC_A))
    sizes = {WETH_A: 8 * ETHER, WETH_B: 8 * ETHER}
    in_turn = survey(world.io(serial=True), pairs, sizes)
    honest = world.venue.survey

    def together(*args):
        both.wait()
        return honest(*args)

    world.venue.survey = together
    assert in_turn == survey(world.io(serial=False), pairs, sizes)
    assert [B, A] == list(dict.fromkeys(edge.sell.chain for edge in in_turn))


def test_all_chains_that_are_silent_in_a_survey_are_named():
    world = World()

    def silent(chain, *_args):
        raise Unreachable(f"chain {chain} is silent", fix="wait")

    world.venue.survey = silent
    pairs = ((WETH_A, USDC_A), (WETH_B, USDC_B))
    with pytest.raises(Unreachable) as caught:
        survey(world.io(serial=False), pairs, {})
    assert f"chain {A} is silent; chain {B} is silent" == caught.value.message
