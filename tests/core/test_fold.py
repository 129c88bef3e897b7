"""A journal whose facts cannot follow each other is refused; one that can is one state."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from stories import (
    APPROVE,
    CLAIM,
    DEPOSIT,
    ETH,
    FAR_USDC,
    FEE,
    NOW,
    ORDER,
    REVOKE,
    SWAP,
    USDC,
    WETH,
    B,
    again,
    bridge_leg,
    closed,
    done,
    draft,
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
from agent.core.intent import Charges, SignedTx
from agent.core.money import Amount, ChainId
from agent.core.state import Contradiction, State

FIRST = reserved()
ON_ORDER = reserved(ORDER, None)
SIGNED = (started(), FIRST, signed(FIRST))
MINED = (*SIGNED, mined(FIRST))
ARRIVED = f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW)
LOST = f.Lost("r1", "1", "gone", NOW)
BACK = f.Refunded("r1", "1", Amount(USDC, 100), NOW)
SENT = (
    started(bridge_leg()),
    quoted(DEPOSIT),
    *done(reserved(DEPOSIT)),
    settled(deltas={USDC: -100}),
)
WRONG_CHAIN = reserved(draft("claim", ChainId(10)))

CONTRADICTIONS = {
    "a run while another is open": (
        (started(),),
        started(run="r2"),
        "before another one was finished",
    ),
    "a run while one waits for a person": (
        (started(), closed(outcome="needs_human")),
        started(run="r2"),
        "before another one was finished",
    ),
    "a run under a known id": ((*MINED, closed()), started(), "run id 'r1' cannot be used"),
    "a run id that would be taken apart": ((), started(run="a/b"), "cannot be used"),
    "a plan with a circle": (
        (),
        started(leg("1", after=("2",)), leg("2", after=("1",))),
        "plan plan cannot be executed: legs 1, 2 wait for each other",
    ),
    "a plan over a token that was not read": (
        (),
        started(tokens=(ETH, WETH)),
        "plan plan touches USDC, which was not read",
    ),
    "a plan on a chain whose gas coin was not read": (
        (),
        started(tokens=(WETH, USDC)),
        "plan plan touches gas coin of 1, which was not read",
    ),
    "another plan with a circle": (
        (started(),),
        f.Replanned("r1", plan(leg("2", after=("2",))), NOW),
        "legs 2 wait for each other",
    ),
    "another plan over a token that was not read": (
        (started(tokens=(ETH, WETH, USDC)),),
        f.Replanned("r1", plan(leg("2", buy=FAR_USDC)), NOW),
        "touches USDC, which was not read",
    ),
    "another plan with a leg that has begun": (
        SIGNED,
        f.Replanned("r1", plan(leg()), NOW),
        "reuses the id of a leg that has begun",
    ),
    "a reconciliation that nobody asked for": (
        (started(),),
        f.Reconciled("r1", "", NOW),
        "needs no reconciliation",
    ),
    "an end of an unknown run": ((), closed(), "no open run r1"),
    "a second end": ((started(), closed()), closed(), "no open run r1"),
    "an end with something under way": (SIGNED, closed(), "closed while r1/1/1/0 is under way"),
    "a cancel of a closed run": (
        (started(), closed()),
        f.CancelRequested("r1", "", NOW),
        "no open run",
    ),
    "a quote of an unknown leg": ((started(),), quoted(leg_="7"), "no leg 7 in run r1"),
    "a quote out of its turn": ((started(),), quoted(round_=2), "quote round 2 after 0"),
    "a quote in a closed run": ((started(), closed()), quoted(), "no open run r1"),
    "a measurement of nothing": ((started(),), settled(), "leg 1 has nothing to settle"),
    "a measurement of what has gone away": (
        (*MINED, unmined(FIRST)),
        settled(),
        "leg 1 has nothing to settle",
    ),
    "a second measurement": ((*MINED, settled()), settled(), "leg 1 has nothing to settle"),
    "an arrival after a loss": ((*SENT, LOST), ARRIVED, "the transfer of leg 1 has ended already"),
    "a loss after an arrival": ((*SENT, ARRIVED), LOST, "the transfer of leg 1 has ended already"),
    "a refund after an arrival": (
        (*SENT, ARRIVED),
        BACK,
        "the transfer of leg 1 has ended already",
    ),
    "an attempt for an unknown leg": ((started(),), reserved(leg_="9"), "no leg 9 in run r1"),
    "an attempt in a closed run": ((started(), closed()), FIRST, "no open run r1"),
    "an intent and a transaction with two nonces": (
        (started(),),
        replace(FIRST, intent=replace(FIRST.intent, nonce=3)),
        "have two nonces",
    ),
    "a transaction for a message": (
        (started(),),
        replace(FIRST, intent=ON_ORDER.intent),
        "have two nonces",
    ),
    "a first attempt that replaces": (
        (started(),),
        replace(FIRST, kind="reprice"),
        "attempt 0 of r1/1/1/0 is called reprice",
    ),
    "a second attempt that is the first": (
        (*SIGNED,),
        replace(again(FIRST), kind="first"),
        "attempt 1 of r1/1/1/0 is called first",
    ),
    "a second attempt of nothing": ((started(),), again(FIRST), "attempt 1 of unknown intent"),
    "a fee on a chain whose coin was not read": (
        (started(),),
        WRONG_CHAIN,
        "the gas coin of chain 10 was not read",
    ),
    "a nonce that another intent holds": (SIGNED, reserved(index=1), "nonce 0 belongs to r1/1/1/0"),
    "a nonce that a signed and displaced intent held": (
        (*SIGNED, f.Displaced(FIRST.intent.id, NOW)),
        reserved(index=1),
        "nonce 0 belongs to r1/1/1/0",
    ),
    "a nonce below those of archived runs": (
        (started(), *done(reserved(nonce=4), final=True), closed(), started(run="r2")),
        reserved(run="r2", nonce=4),
        "nonce 4 was used before, the lowest free one is 5",
    ),
    "an attempt of a mined intent": (
        MINED,
        again(FIRST),
        "attempt 1 cannot follow on intent r1/1/1/0",
    ),
    "a gap between attempts": (SIGNED, again(again(FIRST)), "attempt 2 cannot follow"),
    "an attempt of another intent under its id": (
        SIGNED,
        replace(
            again(FIRST), intent=replace(FIRST.intent, charges=Charges(Decimal(0), Decimal(0)))
        ),
        "attempt 1 cannot follow",
    ),
    "an attempt before the last one is signed": (
        (started(), FIRST),
        again(FIRST),
        "before the last one was signed",
    ),
    "a fact of an intent that is not there": ((started(),), signed(FIRST), "no intent r1/1/1/0"),
    "a fact of an intent of an unknown run": ((), signed(FIRST), "no intent r1/1/1/0"),
    "a fact of an attempt that is not there": (
        SIGNED,
        signed(again(FIRST)),
        "no attempt 1 of intent",
    ),
    "a fact of an attempt before the first": (
        SIGNED,
        f.Voided(FIRST.intent.id, -1, "", NOW),
        "no attempt -1",
    ),
    "a second signature": (SIGNED, signed(FIRST), "is signed again, or too late"),
    "a signature after it was given up": (
        (started(), FIRST, f.Voided(FIRST.intent.id, 0, "", NOW)),
        signed(FIRST),
        "is signed again, or too late",
    ),
    "a signature after a stranger took the nonce": (
        (started(), FIRST, f.Displaced(FIRST.intent.id, NOW)),
        signed(FIRST),
        "is signed again, or too late",
    ),
    "a transaction signed for a message": (
        (started(), ON_ORDER),
        replace(signed(ON_ORDER), payload=SignedTx("0x", "0x")),
        "is signed as something else",
    ),
    "a message signed for a transaction": (
        (started(), FIRST),
        replace(signed(FIRST), payload=signed(ON_ORDER).payload),
        "is signed as something else",
    ),
    "bytes sent unsigned": ((started(), FIRST), submitted(FIRST), "is sent unsigned"),
    "a signed attempt given up": (
        SIGNED,
        f.Voided(FIRST.intent.id, 0, "", NOW),
        "cannot be given up any more",
    ),
    "an attempt given up twice": (
        (
            *SIGNED,
            again(FIRST),
            f.Voided(FIRST.intent.id, 1, "", NOW),
            f.Voided(FIRST.intent.id, 1, "", NOW),
        ),
        None,
        "cannot be given up any more",
    ),
    "a mined attempt that was never signed": (
        (started(), FIRST),
        mined(FIRST),
        "cannot have been mined",
    ),
    "a mined attempt with another's hash": (
        (*SIGNED, again(FIRST), signed(again(FIRST))),
        replace(mined(FIRST), attempt=1),
        "attempt 1 of r1/1/1/0 cannot have been mined",
    ),
    "a block twice": (MINED, mined(FIRST), "cannot have been mined"),
    "a block after a stranger's": (
        (*SIGNED, f.Displaced(FIRST.intent.id, NOW)),
        mined(FIRST),
        "cannot have been mined",
    ),
    "a block that went away before it came": (SIGNED, unmined(FIRST), "is not in block 0xb6"),
    "another block that went away": (MINED, unmined(FIRST, 7), "is not in block 0xb7"),
    "a final block that went away": (
        (*MINED, f.Final(FIRST.intent.id, NOW)),
        unmined(FIRST),
        "or there for good",
    ),
    "a confirmation of nothing": (
        SIGNED,
        f.Confirmed(FIRST.intent.id, NOW),
        "r1/1/1/0 is not mined",
    ),
    "a finality of nothing": (SIGNED, f.Final(FIRST.intent.id, NOW), "r1/1/1/0 is not mined"),
    "a stranger after our own": (
        MINED,
        f.Displaced(FIRST.intent.id, NOW),
        "cannot be displaced any more",
    ),
    "a stranger on a message": (
        (started(), ON_ORDER),
        f.Displaced(ON_ORDER.intent.id, NOW),
        "cannot be displaced any more",
    ),
    "a fill of a transaction": (
        SIGNED,
        f.Filled(FIRST.intent.id, "x", Amount(WETH, 1), Amount(USDC, 1), NOW),
        "is no open order",
    ),
    "a fill before the signature": (
        (started(), ON_ORDER),
        f.Filled(ON_ORDER.intent.id, "x", Amount(WETH, 1), Amount(USDC, 1), NOW),
        "is no open order",
    ),
    "an expiry twice": (
        (started(), ON_ORDER, signed(ON_ORDER), f.Expired(ON_ORDER.intent.id, NOW)),
        f.Expired(ON_ORDER.intent.id, NOW),
        "is no open order",
    ),
    "a submission in a closed run": ((*MINED, closed()), submitted(FIRST), "run r1 is closed"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_journal_that_tells_of_an_impossible_thing_is_refused(what):
    before, fact, why = CONTRADICTIONS[what]
    if fact is None:
        *before, fact = before
    state = told(*before)
    with pytest.raises(Contradiction) as caught:
        apply(state, fact)
    assert why in str(caught.value)


def test_a_refused_fact_leaves_the_state_as_it_was():
    state = told(*SIGNED)
    with pytest.raises(Contradiction):
        apply(state, signed(FIRST))
    assert told(*SIGNED) == state


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
