"""Legs that follow what left before, and transfers that go from run to run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stories import (
    APPROVE,
    CLAIM,
    DEPOSIT,
    FAR_USDC,
    NOW,
    USDC,
    A,
    B,
    bridge_leg,
    closed,
    done,
    hash_of,
    leg,
    plan,
    quoted,
    reserved,
    settled,
    started,
    told,
)

from agent.core import fact as f
from agent.core.budget import in_flight_value
from agent.core.closing import ending, explained, touched
from agent.core.codec import from_json, to_json
from agent.core.money import Amount
from agent.core.movement import away, delivered, followed_by
from agent.core.plan import PlanError, Sell, in_order
from agent.core.progress import Close, Reserve, Track, next_steps, trouble
from agent.core.state import Contradiction
from agent.core.transit import awaited

LEFT = reserved(DEPOSIT, 1, index=1)
HASH = hash_of(LEFT)


def claim(id_: str = "1", deposit: str = HASH):
    return leg(id_, "claim", Sell(USDC, 100), FAR_USDC, via="bridge", detail=deposit)


def recovery(run: str = "r2", *legs, number: int = 50) -> f.Started:
    blocks = (f.At(A, number, "0xa"), f.At(B, number, "0xb"))
    return started(*(legs or (claim(),)), run=run, blocks=blocks)


def deferred(run: str = "r1", until: int = NOW + 9_000) -> f.Deferred:
    return f.Deferred(
        run=run, leg="1", until=until, why="it takes days", id="#7", due=NOW + 9_999, at=NOW
    )


def arrived(run: str = "r2", block: int = 60) -> f.Arrived:
    return f.Arrived(run, "1", Amount(FAR_USDC, 99), NOW, block)


def journey(*, final: bool = True) -> tuple:
    """A run whose transfer takes days: it ends without it."""
    begun = (started(bridge_leg()), quoted(APPROVE, DEPOSIT, min_out=97))
    acts = (*done(reserved(APPROVE), final=final), *done(LEFT, final=final))
    return (*begun, *acts, settled(deltas={USDC: -100}), deferred(), closed(outcome="waiting"))


WAITING = journey()


def steps(*story, now: int = NOW):
    return list(next_steps(told(*story), now))


def test_a_claim_is_asked_for_at_once_and_its_due_act_is_reserved():
    assert [Track("r2", "1")] == steps(recovery())
    due = f.Due("r2", "1", CLAIM, "claimable", NOW)
    assert [Reserve("r2", "1", 0, 0, CLAIM, ()), Track("r2", "1")] == steps(recovery(), due)


def test_a_claim_ends_with_the_arrival_or_with_what_came_back():
    for landed in (arrived(), f.Refunded("r2", "1", Amount(USDC, 100), NOW, 60)):
        state = told(recovery(), landed)
        run = state.runs["r2"]
        assert [Close("r2", "every leg arrived", ok=True)] == list(next_steps(state, NOW))
        assert ("done", None) == (ending(run, (), ()).outcome, trouble(run, run.legs["1"]))
        assert {landed.amount.token: landed.amount.raw} == explained(run)
        assert (landed.amount.token,) == touched(run)
    assert 99 == delivered(told(recovery(), arrived()).runs["r2"], state_leg(recovery(), arrived()))


def state_leg(*story):
    return told(*story).runs["r2"].legs["1"]


def test_what_was_there_before_the_run_changes_nothing_in_it():
    run = told(recovery(number=60), arrived(block=60)).runs["r2"]
    assert {} == explained(run)
    assert {FAR_USDC: 99} == explained(told(recovery(number=59), arrived()).runs["r2"])
    assert {FAR_USDC: 99} == explained(told(recovery(), arrived(block=0)).runs["r2"])
    there = recovery("r2", replace(claim(), expected_out=0))
    assert {} == explained(told(there, arrived(block=0)).runs["r2"])


def test_a_run_waits_for_what_is_short_and_ends_without_what_is_long():
    open_ = WAITING[:-1]
    assert [Close("r1", "every leg arrived", ok=True)] == steps(*open_)
    assert [Track("r1", "1")] == steps(*open_, now=NOW + 9_000)
    run = told(*open_).runs["r1"]
    end = ending(run, (), ())
    assert ("waiting", "leg 1: it takes days") == (end.outcome, end.why)


def test_what_a_run_left_is_under_way_with_all_that_the_bridge_said():
    (flying,) = awaited(told(*WAITING))
    assert ("r1", HASH, "#7", NOW + 9_999, NOW + 9_000) == (
        flying.run,
        flying.deposit,
        flying.id,
        flying.due,
        flying.typical,
    )
    assert flying.late >= flying.typical


def test_a_claim_takes_a_transfer_over_and_it_is_counted_once():
    state = told(*WAITING, recovery())
    assert ("r2", "1") == state.runs["r1"].legs["1"].heir
    assert ["r2"] == [each.run for each in awaited(state)]
    assert 10 == in_flight_value(state)
    over = told(arrived(), state=state)
    assert ((), 0) == (awaited(over), in_flight_value(over))
    assert frozenset({"bridge"}) == over.vias


def test_what_others_sent_proves_nothing_of_a_bridge():
    assert frozenset() == told(recovery(), arrived()).vias


def test_another_deposit_or_bridge_is_no_heir():
    for other in (claim(deposit="0xother"), replace(claim(), via="other")):
        state = told(*WAITING, recovery("r2", other))
        assert None is state.runs["r1"].legs["1"].heir
        assert ["r1", "r2"] == [each.run for each in awaited(state)]


def test_a_run_is_kept_as_long_as_what_it_sent_is_under_way():
    ended = told(*WAITING, recovery(), deferred("r2"), closed("r2", "waiting"))
    third = told(recovery("r3"), state=ended)
    assert ["r1", "r2", "r3"] == list(third.runs)
    assert 10 == in_flight_value(third)
    over = told(arrived("r3"), closed("r3"), started(run="r4"), state=third)
    assert ["r4"] == list(over.runs)


def test_a_transfer_whose_heir_is_archived_is_over():
    """The heir had nothing to wait for but the money, the first run waits for finality."""
    state = told(*journey(final=False), recovery(), arrived(), closed("r2"), started(run="r3"))
    assert ["r1", "r3"] == list(state.runs)
    run = state.runs["r1"]
    assert None is followed_by(state, run, run.legs["1"])
    assert ((), 0) == (awaited(state), in_flight_value(state))


GONE = f.Unmined(LEFT.intent.id, "0xb6", NOW)
APPROVAL_GONE = f.Unmined(reserved(APPROVE).intent.id, "0xb6", NOW)


def test_a_deposit_whose_block_went_away_is_followed_by_its_own_run_again():
    third = (recovery(), deferred("r2"), closed("r2", "waiting"), recovery("r3"))
    state = told(*journey(final=False), *third, GONE)
    assert state.open_run is state.runs["r1"]
    assert None is state.runs["r1"].legs["1"].heir
    for name in ("r2", "r3"):
        run = state.runs[name]
        assert (True, False) == (run.legs["1"].undone, away(run, run.legs["1"]))
    run = state.runs["r3"]
    why = "leg 1: its deposit went away with its block, and is made again"
    assert ("aborted", why) == (ending(run, (), ()).outcome, ending(run, (), ()).why)
    again = told(*done(LEFT)[2:], settled(deltas={USDC: -100}), state=state)
    assert ["r1"] == [each.run for each in awaited(again)]


def test_a_deposit_whose_money_is_being_claimed_stays_with_its_heir():
    claimed = reserved(CLAIM, 0, run="r2", round_=0)
    begun = (recovery(), f.Due("r2", "1", CLAIM, "claimable", NOW), claimed)
    for story in (begun, (recovery(), arrived())):
        state = told(*journey(final=False), *story, GONE)
        assert ("r2", "1") == state.runs["r1"].legs["1"].heir
        assert not state.runs["r2"].legs["1"].undone


def test_a_deposit_whose_heir_is_archived_stays_over():
    over = (recovery(), arrived(), closed("r2"), started(run="r3"))
    state = told(*journey(final=False), *over, GONE)
    assert ("r2", "1") == state.runs["r1"].legs["1"].heir


def test_a_run_that_is_reopened_by_something_else_leaves_its_transfer_to_the_heir():
    state = told(*journey(final=False), recovery(), APPROVAL_GONE)
    approval = done(reserved(APPROVE))
    run = told(*approval[2:], settled(deltas={USDC: -100}), state=state).runs["r1"]
    assert away(run, run.legs["1"])
    end = ending(run, (), ())
    assert ("waiting", "leg 1: run r2 follows its transfer") == (end.outcome, end.why)


def test_a_cancelled_recovery_follows_what_it_has_signed_for_and_nothing_else():
    cancel = f.CancelRequested("r2", "not now", NOW)
    assert [Close("r2", "not now", ok=False)] == steps(recovery(), cancel)
    claimed = reserved(CLAIM, 0, run="r2", round_=0)
    story = (recovery(), f.Due("r2", "1", CLAIM, "claimable", NOW), *done(claimed, final=True))
    assert [Track("r2", "1")] == steps(*story, cancel)


def test_claims_do_not_date_the_schedule():
    state = told(*WAITING, recovery(), arrived(), closed("r2", at=NOW + 77))
    assert (("r1", NOW), ("r2", NOW + 77)) == (
        (state.acted.run, state.acted.at),
        (state.ended.run, state.ended.at),
    )


@pytest.mark.parametrize(
    ("story", "why"),
    [
        ((started(), deferred()), "nothing of leg 1 is under way"),
        ((recovery(), arrived(), deferred("r2")), "nothing of leg 1 is under way"),
        ((recovery(), f.Replanned("r2", plan(leg("2")), NOW)), "no other plan for what has left"),
        ((started(), f.Replanned("r1", plan(claim("2")), NOW)), "no other plan for what has left"),
        ((recovery("r2", claim("1"), claim("2")),), "two legs follow the same deposit"),
    ],
)
def test_facts_that_cannot_follow(story, why):
    with pytest.raises(Contradiction, match=why):
        told(*story)


def test_two_claims_of_one_deposit_are_no_plan():
    with pytest.raises(PlanError, match="two legs follow the same deposit"):
        in_order((claim("1"), claim("2")))


@pytest.mark.parametrize("fact", [deferred(), replace(deferred(), due=None), arrived(), recovery()])
def test_facts_of_claims_come_back_from_their_lines(fact):
    assert fact == from_json(to_json(fact))
