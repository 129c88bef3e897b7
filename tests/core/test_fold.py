"""A journal whose facts can follow each other is one state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core.fold_rig import ARRIVED, BACK, FIRST, LOST, MINED, ON_ORDER, SENT, SIGNED
from stories import (
    APPROVE,
    CLAIM,
    DEPOSIT,
    ETH,
    FAR_USDC,
    FEE,
    NOW,
    REVOKE,
    SWAP,
    USDC,
    WETH,
    B,
    bridge_leg,
    closed,
    done,
    leg,
    mined,
    plan,
    quoted,
    reserved,
    settled,
    signed,
    started,
    submitted,
    told,
    unmined,
)

from agent.core import fact as f
from agent.core.fold import apply
from agent.core.money import Amount, ChainId
from agent.core.state import Contradiction, State


def test_each_fact_moves_the_position_by_one():
    assert 4 == told(*MINED).seq


def test_taking_over_changes_the_worker_and_nothing_else():
    before, after = told(*SIGNED), told(*SIGNED, f.TookOver("other", NOW))
    assert replace(before, seq=4, worker="other") == after


def test_a_nonce_of_what_was_given_up_unsigned_is_free_again():
    state = told(started(), FIRST, f.Voided(FIRST.intent.id, 0, "late", NOW))
    assert 0 == state.next_nonce(ChainId(1))
    assert {"r1/1/1/0", "r1/1/2/0"} == set(told(reserved(round_=2), state=state).runs["r1"].intents)


def test_a_nonce_that_a_stranger_took_before_the_signature_is_free_again():
    state = told(started(), FIRST, f.Displaced(FIRST.intent.id, NOW))
    assert 0 == state.next_nonce(ChainId(1))


@pytest.mark.parametrize("end", [(mined(FIRST),), (f.Displaced(FIRST.intent.id, NOW),), ()])
def test_a_nonce_of_something_signed_is_never_free_again(end):
    state = told(*SIGNED, *end)
    assert 1 == state.next_nonce(ChainId(1))
    assert 0 == state.next_nonce(B)


@pytest.mark.parametrize(
    ("story", "floor"),
    [
        (done(reserved(nonce=4), final=True), 5),
        ((reserved(nonce=4), signed(reserved(nonce=4)), f.Displaced("r1/1/1/0", NOW)), 5),
        ((reserved(nonce=4), f.Displaced("r1/1/1/0", NOW)), 0),
        ((reserved(nonce=4), f.Voided("r1/1/1/0", 0, "", NOW)), 0),
        ((ON_ORDER, signed(ON_ORDER), f.Expired("r1/1/1/0", NOW)), 0),
    ],
    ids=["mined", "displaced", "displaced unsigned", "given up", "order"],
)
def test_an_archived_run_leaves_its_used_nonces_behind(story, floor):
    state = told(started(), *story, closed(), started(run="r2"))
    assert ["r2"] == list(state.runs)
    assert floor == state.next_nonce(ChainId(1))


def test_a_run_whose_blocks_can_still_go_away_is_kept():
    state = told(started(), *done(FIRST), closed(), started(run="r2"))
    assert ["r1", "r2"] == list(state.runs)


def test_a_resubmission_does_not_renew_the_wait():
    state = told(*SIGNED, submitted(FIRST, 5), submitted(FIRST, 9))
    assert 5 == state.intent(FIRST.intent.id).attempts[0].submitted.block


def test_a_block_that_goes_away_forgets_what_was_measured_and_sent():
    state = told(
        *SIGNED,
        submitted(FIRST),
        mined(FIRST),
        f.Confirmed(FIRST.intent.id, NOW),
        settled(),
        unmined(FIRST),
    )
    known = state.intent(FIRST.intent.id)
    assert (None, None, False) == (known.mined, known.attempts[0].submitted, known.confirmed)
    assert None is state.runs["r1"].legs["1"].settled


def test_a_block_that_goes_away_reopens_its_run_and_the_question_to_a_person():
    inflow = f.ForeignInflow("r1", Amount(USDC, 5), NOW)
    state = told(*MINED, inflow, closed(outcome="needs_human"))
    assert "r1" == state.unreconciled
    state = told(unmined(FIRST), state=state)
    run = state.runs["r1"]
    assert (None, (), None, 1) == (run.closed, run.inflows, state.unreconciled, run.reopened)
    assert run is state.open_run


@pytest.mark.parametrize(
    ("what", "story", "left"),
    [
        (DEPOSIT, ARRIVED, (True, False, False)),
        (DEPOSIT, BACK, (False, False, False)),
        (DEPOSIT, LOST, (False, False, False)),
        (CLAIM, ARRIVED, (False, False, False)),
        (CLAIM, BACK, (False, False, False)),
    ],
)
def test_what_ended_a_transfer_is_forgotten_with_the_block_that_it_rests_on(what, story, left):
    claim = reserved(CLAIM, 0, round_=0)
    state = told(*SENT, *done(claim), story)
    gone = reserved(DEPOSIT) if what is DEPOSIT else claim
    leg_ = told(unmined(gone), state=state).runs["r1"].legs["1"]
    assert left == (leg_.arrived is not None, leg_.refunded is not None, leg_.lost is not None)


def test_two_runs_that_wait_for_a_person_are_accepted_one_by_one():
    second = reserved(run="r2", nonce=1)
    state = told(
        *MINED, closed(), started(run="r2"), second, signed(second), mined(second), unmined(FIRST)
    )
    assert "r1" == state.open_run.id
    state = told(
        mined(FIRST, number=8),
        closed("r2", "needs_human"),
        closed("r1", "needs_human"),
        state=state,
    )
    assert ("r2", "r1") == state.stuck
    state = told(f.Reconciled("r1", "looked", NOW), state=state)
    assert "r2" == state.unreconciled
    with pytest.raises(Contradiction):
        apply(state, started(run="r3"))
    assert None is told(f.Reconciled("r2", "looked", NOW), state=state).unreconciled


def test_a_plan_in_the_middle_keeps_what_has_begun_and_gives_up_what_was_refused():
    refused = f.Refused("r1", "1", "venue", (), NOW)
    state = told(
        started(leg("1"), leg("2"), leg("3")),
        quoted(),
        *done(reserved(APPROVE)),
        *done(reserved(leg_="2", nonce=1)),
        refused,
        f.Replanned("r1", plan(leg("4"), id="other"), NOW),
    )
    run = state.runs["r1"]
    assert {"1": True, "2": False, "4": False} == {
        key: leg_.given_up for key, leg_ in run.legs.items()
    }
    assert ("other", 1) == (run.plan.id, run.replans)


def test_an_inflow_that_is_measured_again_counts_once():
    first, other = (f.ForeignInflow("r1", Amount(token, 5), NOW) for token in (USDC, WETH))
    second = f.ForeignInflow("r1", Amount(USDC, 8), NOW + 1)
    assert (other, second) == told(started(), first, other, second).runs["r1"].inflows


def test_a_venue_is_known_once_it_has_delivered():
    assert frozenset() == told(started(), quoted(), *done(reserved(APPROVE))).vias
    assert frozenset() == told(*MINED).vias
    assert {"venue"} == told(*MINED, settled()).vias


def test_a_bridge_is_known_once_money_has_arrived():
    assert frozenset() == told(*SENT).vias
    assert {"bridge"} == told(*SENT, ARRIVED).vias


def test_a_fill_counts_once_under_its_name():
    fill = f.Filled(ON_ORDER.intent.id, "x", Amount(WETH, 50), Amount(USDC, 40), NOW)
    later = replace(fill, id="y", at=NOW + 9)
    state = told(started(), ON_ORDER, signed(ON_ORDER), fill, replace(fill, at=NOW + 5), later)
    assert (fill, later) == state.intent(ON_ORDER.intent.id).fills


def test_a_due_draft_stands_beside_those_before_it():
    due = f.Due("r1", "1", REVOKE, "left over", NOW)
    assert (due, due) == told(started(), due, due).runs["r1"].legs["1"].dues


def test_a_cancel_is_kept_with_its_reason():
    wish = f.CancelRequested("r1", "enough", NOW)
    assert wish == told(started(), wish).runs["r1"].cancel


def test_what_other_runs_change_later_is_told_apart_from_ones_own():
    second = reserved(run="r2", nonce=1)
    state = told(
        started(),
        quoted(SWAP),
        *done(FIRST),
        settled(),
        closed(),
        started(run="r2"),
        quoted(SWAP, run="r2"),
        *done(second),
        settled("r2"),
    )
    from agent.core.closing import elsewhere

    first, later = state.runs["r1"], state.runs["r2"]
    assert {WETH: -100, USDC: 100, ETH: -FEE} == dict(later.base)
    assert {WETH: -100, USDC: 100, ETH: -FEE} == elsewhere(state, first)
    assert {0} == set(elsewhere(state, later).values())
    state = told(unmined(FIRST), state=state)
    assert {WETH: 100, USDC: -100, ETH: FEE} == elsewhere(state, state.runs["r2"])


def test_a_run_that_is_archived_changes_nothing_for_those_that_stay():
    from agent.core.closing import elsewhere

    old = reserved(nonce=4)
    story = (
        started(),
        quoted(SWAP),
        *done(old),
        settled(),
        closed(),
        started(run="r2"),
        quoted(SWAP, run="r2"),
        *done(reserved(run="r2", nonce=5)),
        settled("r2"),
        closed("r2"),
    )
    state = told(*story, f.Final("r1/1/1/0", NOW), started(run="r3"))
    assert ["r2", "r3"] == list(state.runs)
    assert {0} == set(elsewhere(state, state.runs["r2"]).values())
    assert {0} == set(elsewhere(state, state.runs["r3"]).values())


def test_nothing_is_known_before_the_first_fact():
    state = State()
    assert (None, None, 0) == (state.open_run, state.unreconciled, state.next_nonce(ChainId(1)))


@pytest.mark.parametrize(
    "landed",
    [f.Arrived("r1", "1", Amount(FAR_USDC, 97), NOW), f.Refunded("r1", "1", Amount(USDC, 9), NOW)],
)
def test_what_a_reorganisation_takes_away_is_under_way_again(landed):
    gone = f.Unlanded("r1", "1", "not delivered yet", NOW)
    state = told(started(bridge_leg()), landed)
    assert state.runs["r1"].legs["1"].landed
    assert not apply(state, gone).runs["r1"].legs["1"].landed
    with pytest.raises(Contradiction, match="nothing of leg 1 has landed"):
        told(started(bridge_leg()), gone)
