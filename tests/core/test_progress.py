"""What happens next, told from the state alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stories import (
    APPROVE,
    CLAIM,
    DEPOSIT,
    FAR_USDC,
    FAR_WETH,
    NOW,
    ORDER,
    REVOKE,
    SWAP,
    USDC,
    WETH,
    A,
    B,
    again,
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
from agent.core.money import Amount
from agent.core.plan import Sell
from agent.core.progress import (
    MARGIN_SECONDS,
    MAX_REPLANS,
    MAX_ROUNDS,
    REVOKE_INDEX,
    Ask,
    Close,
    Measure,
    OnIntent,
    Replan,
    Reserve,
    Track,
    Watch,
    delivered,
    ends_because,
    free_slot,
    lane,
    next_steps,
    trouble,
)
from agent.core.verdict import Refusal

FIRST = reserved(APPROVE)
SECOND = reserved(SWAP, 1, index=1)
REFUSED = f.Refused("r1", "1", "venue", (Refusal("G301", "too much"),), NOW)
CANCEL = f.CancelRequested("r1", "enough", NOW)
VOID = f.Voided(FIRST.intent.id, 0, "late", NOW)
ARRIVED = f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW)
SENT = (
    started(bridge_leg()),
    quoted(DEPOSIT),
    *done(reserved(DEPOSIT)),
    settled(deltas={USDC: -100}),
)
SWAPPED = (started(), quoted(), *done(FIRST), *done(SECOND), settled())


def steps(*facts, now: int = NOW):
    return next_steps(told(*facts), now)


def kinds(*facts, now: int = NOW) -> list[str]:
    return [type(step).__name__ for step in steps(*facts, now=now)]


def test_a_leg_begins_with_a_question():
    assert (Ask("r1", "1", 1, 100, A),) == steps(started())


def test_a_quote_is_followed_draft_by_draft_with_what_is_left():
    assert (Reserve("r1", "1", 1, 0, APPROVE, (SWAP,)),) == steps(started(), quoted())
    after = steps(started(), quoted(), *done(FIRST, final=True))
    assert (Reserve("r1", "1", 1, 1, SWAP, ()),) == after


@pytest.mark.parametrize(
    ("story", "what"),
    [
        ((FIRST,), "sign"),
        ((FIRST, signed(FIRST)), "submit"),
        ((FIRST, signed(FIRST), submitted(FIRST)), "follow"),
        ((FIRST, signed(FIRST), submitted(FIRST), again(FIRST)), "sign"),
        (
            (
                FIRST,
                signed(FIRST),
                submitted(FIRST),
                again(FIRST),
                f.Voided(FIRST.intent.id, 1, "", NOW),
            ),
            "follow",
        ),
        ((FIRST, signed(FIRST), mined(FIRST), unmined(FIRST)), "submit"),
    ],
)
def test_an_intent_is_signed_then_submitted_then_followed(story, what):
    assert (OnIntent(what, "r1/1/1/0", A),) == steps(started(), quoted(), *story)


def test_a_mined_intent_is_watched_until_it_is_final():
    story = (started(), quoted(), FIRST, signed(FIRST), mined(FIRST))
    assert Watch("confirm", "r1/1/1/0", A) in steps(*story)
    story += (f.Confirmed("r1/1/1/0", NOW),)
    assert Watch("finalise", "r1/1/1/0", A) in steps(*story)
    story += (f.Final("r1/1/1/0", NOW),)
    assert "Watch" not in kinds(*story)


def test_an_act_that_is_mined_is_measured_before_anything_follows():
    story = (started(), quoted(), *done(FIRST, final=True), *done(SECOND, final=True))
    assert (Measure("r1", "1", A),) == steps(*story)
    assert (Close("r1", "every leg arrived", ok=True),) == steps(*story, settled())


def test_a_run_does_not_end_on_a_block_that_is_not_deep_enough():
    story = (started(), quoted(SWAP), reserved(), signed(reserved()), mined(reserved()), settled())
    assert (Watch("confirm", "r1/1/1/0", A),) == steps(*story)
    assert (Close("r1", "every leg arrived", ok=True), Watch("finalise", "r1/1/1/0", A)) == steps(
        *story, f.Confirmed("r1/1/1/0", NOW)
    )


def test_a_closed_run_waits_for_finality_and_nothing_else():
    assert ["Watch", "Watch"] == kinds(*SWAPPED, closed())
    final = (f.Final("r1/1/1/0", NOW), f.Final("r1/1/1/1", NOW))
    assert () == steps(*SWAPPED, closed(), *final)


def test_a_closed_run_that_comes_undone_is_gone_on_with():
    assert OnIntent("submit", "r1/1/1/1", A) in steps(*SWAPPED, closed(), unmined(SECOND))


def test_a_leg_waits_for_what_it_depends_on_and_is_sized_by_it():
    follows = leg("2", sell=Sell(USDC, 1, ("1",), 95), buy=WETH, after=("1",))
    story = (started(leg("1"), follows), quoted(SWAP), *done(reserved(), final=True))
    assert ["Measure"] == kinds(*story)
    assert (Ask("r1", "2", 1, 95, A),) == steps(*story, settled())
    less = settled(deltas={WETH: -100, USDC: 40})
    assert (Ask("r1", "2", 1, 41, A),) == steps(*story, less)


def test_a_leg_does_not_build_on_a_block_that_is_not_deep_enough():
    follows = leg("2", sell=Sell(USDC, 0, ("1",), 95), buy=WETH, after=("1",))
    first = reserved()
    story = (
        started(leg("1"), follows),
        quoted(SWAP),
        first,
        signed(first),
        mined(first),
        settled(),
    )
    assert [Watch("confirm", "r1/1/1/0", A)] == list(steps(*story))


def test_chains_go_on_side_by_side_and_one_chain_has_one_step():
    far = leg("3", sell=Sell(FAR_WETH, 1), buy=FAR_USDC)
    found = steps(started(leg("1"), leg("2"), far))
    assert [("1", A), ("3", B)] == [(step.leg, step.chain) for step in found]


def test_an_intent_on_its_way_keeps_its_chain_for_itself():
    found = steps(started(leg("1"), leg("2")), quoted(), FIRST)
    assert [OnIntent("sign", "r1/1/1/0", A)] == list(found)


def test_what_takes_risk_away_goes_before_a_question_on_the_same_chain():
    first = leg("0", sell=Sell(FAR_WETH, 1), buy=FAR_USDC)
    claim = f.Due("r1", "1", CLAIM, "it is there", NOW)
    story = (started(first, bridge_leg()), *SENT[1:], claim)
    assert Reserve("r1", "1", 0, 0, CLAIM, ()) in steps(*story)
    assert "Ask" not in kinds(*story)


def test_a_quote_that_gets_old_is_asked_for_again():
    fresh, stale = SWAP.valid_until - MARGIN_SECONDS, SWAP.valid_until - MARGIN_SECONDS + 1
    assert ["Reserve"] == kinds(started(), quoted(), now=fresh)
    assert (Ask("r1", "1", 2, 100, A),) == steps(started(), quoted(), now=stale)


def test_a_quote_without_a_deadline_does_not_get_old():
    forever = replace(SWAP, valid_until=0)
    assert ["Reserve"] == kinds(started(), quoted(forever), now=NOW + 10**6)


def rounds(count: int):
    return tuple(quoted(round_=number) for number in range(1, count + 1))


def test_the_last_quote_is_tried_even_when_it_is_old():
    late = NOW + 10**6
    assert ["Ask"] == kinds(started(), *rounds(MAX_ROUNDS - 1), now=late)
    assert ["Reserve"] == kinds(started(), *rounds(MAX_ROUNDS), now=late)


def test_an_attempt_that_was_given_up_is_quoted_again_until_there_were_enough():
    assert (Ask("r1", "1", 2, 100, A),) == steps(started(), quoted(), FIRST, VOID)
    last = reserved(APPROVE, round_=MAX_ROUNDS)
    story = (started(), *rounds(MAX_ROUNDS), last, f.Voided(last.intent.id, 0, "", NOW))
    why = f"leg 1: no quote held long enough in {MAX_ROUNDS} rounds"
    assert (Close("r1", why, ok=False),) == steps(*story)


@pytest.mark.parametrize(
    ("story", "why"),
    [
        ((REFUSED,), "leg 1: too much"),
        ((quoted(), *done(FIRST, ok=False)), "leg 1: approve reverted"),
        (
            (quoted(), FIRST, f.Displaced(FIRST.intent.id, NOW)),
            "leg 1: another transaction of the wallet used its nonce",
        ),
        (
            (
                quoted(),
                FIRST,
                signed(FIRST),
                again(FIRST, "cancel"),
                signed(again(FIRST)),
                mined(again(FIRST)),
            ),
            "leg 1: approve was cancelled",
        ),
        (
            (
                quoted(ORDER),
                reserved(ORDER, None),
                signed(reserved(ORDER, None)),
                f.Expired("r1/1/1/0", NOW),
            ),
            "leg 1: order expired unfilled",
        ),
        ((CANCEL,), "enough"),
    ],
)
def test_a_run_ends_because_of_what_went_wrong(story, why):
    run = told(started(), *story).runs["r1"]
    assert why == ends_because(run)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (f.Lost("r1", "1", "nobody knows", NOW), "leg 1: nobody knows"),
        (f.Refunded("r1", "1", Amount(USDC, 100), NOW), "leg 1 came back"),
    ],
)
def test_a_transfer_that_ends_otherwise_ends_the_run(end, why):
    assert why == ends_because(told(*SENT, end).runs["r1"])


def test_a_claim_that_failed_is_no_trouble_by_itself():
    claim = reserved(CLAIM, 0, round_=0)
    run = told(*SENT, *done(claim, ok=False)).runs["r1"]
    assert None is trouble(run, run.legs["1"])


def test_nothing_new_is_begun_once_a_run_is_to_end():
    far = leg("2", sell=Sell(FAR_WETH, 1), buy=FAR_USDC)
    assert (Replan("r1", "leg 1: too much"),) == steps(started(leg(), far), REFUSED)
    assert (Close("r1", "enough", ok=False),) == steps(started(leg(), far), CANCEL)


def test_money_under_way_is_still_tracked_when_a_run_is_to_end():
    assert Track("r1", "1") in steps(*SENT, CANCEL)


def test_a_transfer_is_tracked_once_it_is_confirmed_and_until_it_is_over():
    first = reserved(DEPOSIT)
    story = (started(bridge_leg()), quoted(DEPOSIT), first, signed(first), mined(first))
    measured = settled(deltas={USDC: -100})
    assert "Track" not in kinds(*story)
    assert "Track" not in kinds(*story, measured)
    assert "Track" in kinds(*story, measured, f.Confirmed(first.intent.id, NOW))
    assert "Track" not in kinds(*SENT, ARRIVED)


APPROVED = (started(), quoted(), *done(FIRST, final=True))
TAKE_BACK = Reserve("r1", "1", 0, REVOKE_INDEX, REVOKE, ())


@pytest.mark.parametrize(
    ("story", "revokes"),
    [
        ((), False),
        ((CANCEL,), True),
        ((REFUSED,), True),
        ((SECOND, CANCEL), False),
        ((SECOND, f.Voided(SECOND.intent.id, 0, "", NOW), CANCEL), True),
        ((*done(SECOND, final=True), CANCEL), False),
        ((*done(SECOND, ok=False, final=True),), True),
        ((SECOND, f.Displaced(SECOND.intent.id, NOW)), True),
    ],
)
def test_an_allowance_is_taken_back_when_the_act_will_not_use_it(story, revokes):
    assert revokes == (TAKE_BACK in steps(*APPROVED, *story))


def test_an_allowance_that_was_never_granted_is_not_taken_back():
    assert "Reserve" not in kinds(started(), quoted(), *done(FIRST, ok=False, final=True))
    assert "Reserve" not in kinds(started(), quoted(SWAP, revoke=None), *done(reserved(), ok=False))
    assert "Reserve" not in kinds(started(), quoted(revoke=None), *done(FIRST, final=True), CANCEL)


def test_a_revocation_is_made_once_and_again_only_when_it_was_given_up():
    taken = reserved(REVOKE, 1, round_=0, index=REVOKE_INDEX)
    assert "Reserve" not in kinds(*APPROVED, CANCEL, *done(taken, final=True))
    given_up = (taken, f.Voided(taken.intent.id, 0, "", NOW))
    assert replace(TAKE_BACK, round=-1) in steps(*APPROVED, CANCEL, *given_up)


def test_due_drafts_are_done_one_after_the_other():
    due = f.Due("r1", "1", CLAIM, "", NOW)
    first = reserved(CLAIM, 0, round_=0, index=0)
    state = told(*SENT, due, due, *done(first))
    run = state.runs["r1"]
    assert [None, 0] == [free_slot(run, run.legs["1"], index) for index in (0, 1)]
    assert Reserve("r1", "1", 0, 1, CLAIM, ()) in next_steps(state, NOW)


def test_a_revocation_of_the_owner_is_asked_for_once():
    wanted = started(leg(kind="revoke", sell=Sell(WETH, 0), buy=WETH))
    due = f.Due("r1", "1", REVOKE, "", NOW)
    assert (Ask("r1", "1", 1, 0, A),) == steps(wanted)
    assert (Reserve("r1", "1", 0, 0, REVOKE, ()),) == steps(wanted, due)
    assert (Close("r1", "enough", ok=False),) == steps(wanted, CANCEL)


def test_a_refusal_is_planned_again_a_bounded_number_of_times():
    story = [started(), REFUSED]
    for number in range(MAX_REPLANS):
        assert ["Replan"] == kinds(*story)
        again_ = f.Refused("r1", f"n{number}", "venue", (Refusal("G301", "too much"),), NOW)
        story += [f.Replanned("r1", plan(leg(f"n{number}")), NOW), again_]
    assert ["Close"] == kinds(*story)


def test_a_leg_that_was_given_up_is_left_alone():
    taken = reserved(REVOKE, 1, round_=0, index=REVOKE_INDEX)
    story = (*APPROVED, REFUSED, *done(taken, final=True), f.Replanned("r1", plan(leg("n")), NOW))
    assert (Ask("r1", "n", 1, 100, A),) == steps(*story)


def test_an_open_leg_beside_a_refused_one_is_not_planned_again():
    taken = reserved(REVOKE, 1, round_=0, index=REVOKE_INDEX)
    other = f.Refused("r1", "2", "venue", (Refusal("G301", "too much"),), NOW)
    story = (started(leg("1"), leg("2")), quoted(), *done(FIRST, final=True), other)
    assert (Close("r1", "leg 2: too much", ok=False),) == steps(*story, *done(taken, final=True))


def test_what_has_been_delivered_does_not_keep_a_run_from_another_plan():
    other = f.Refused("r1", "2", "venue", (Refusal("G301", "too much"),), NOW)
    story = (started(leg("1"), leg("2")), quoted(SWAP), *done(reserved(), final=True), settled())
    assert (Replan("r1", "leg 2: too much"),) == steps(*story, other)


@pytest.mark.parametrize(
    ("arrived", "brought"), [(None, None), (Amount(FAR_USDC, 99), 99), (Amount(FAR_WETH, 99), 0)]
)
def test_a_transfer_has_brought_what_arrived_as_the_wanted_token(arrived, brought):
    end = () if arrived is None else (f.Arrived("r1", "1", arrived, NOW),)
    run = told(*SENT, *end).runs["r1"]
    assert brought == delivered(run, run.legs["1"])


def test_an_order_has_brought_its_fills_once_it_is_over():
    order = reserved(ORDER, None)
    fill = f.Filled(order.intent.id, "x", Amount(WETH, 50), Amount(USDC, 40), NOW)
    story = (started(), quoted(ORDER), order, signed(order), submitted(order), fill)
    over = (*story, f.Expired(order.intent.id, NOW))
    assert (OnIntent("follow", order.intent.id, A, True),) == steps(*story)
    assert (Measure("r1", "1", A),) == steps(*over)
    run = told(*over, settled(deltas={WETH: -50, USDC: 40})).runs["r1"]
    assert 40 == delivered(run, run.legs["1"])


def test_steps_that_look_do_not_stand_in_each_others_way():
    looks = [
        Watch("confirm", "i", A),
        Watch("finalise", "i", A),
        Measure("r1", "1", A),
        Track("r1", "1"),
        Replan("r1", ""),
    ]
    assert 5 == len({lane(step) for step in looks})
    assert lane(Close("r1", "", ok=True)) == lane(Replan("r1", ""))
    assert lane(Ask("r1", "1", 1, 1, A)) == lane(OnIntent("sign", "i", A))


# Two runs are open when a reorganisation reopened the older one.

REOPENED = (
    started(leg("1")),
    quoted(SWAP),
    *done(reserved()),
    settled(),
    closed(),
    started(leg("1"), leg("2"), run="r2"),
    quoted(SWAP, run="r2"),
)
YOUNGER = reserved(run="r2", nonce=1)


def test_a_younger_run_begins_nothing_while_an_older_one_is_open():
    assert "Reserve" in kinds(*REOPENED)
    found = steps(*REOPENED, unmined(reserved()))
    assert [OnIntent("submit", "r1/1/1/0", A)] == list(found)


def test_a_younger_run_finishes_what_is_on_its_way_before_the_older_one_ends():
    story = (*REOPENED, YOUNGER, signed(YOUNGER), submitted(YOUNGER), unmined(reserved()))
    assert [OnIntent("submit", "r1/1/1/0", A)] == list(steps(*story))
    story += (mined(reserved(), number=9), f.Final("r1/1/1/0", NOW), settled())
    assert [OnIntent("follow", "r2/1/1/0", A)] == list(steps(*story))
    story += (mined(YOUNGER), f.Final(YOUNGER.intent.id, NOW))
    assert [Measure("r2", "1", A)] == list(steps(*story))
    story += (settled("r2"),)
    assert [Close("r1", "every leg arrived", ok=True)] == list(steps(*story))
    story += (closed(),)
    assert [Ask("r2", "2", 1, 100, A)] == list(steps(*story))


def test_a_younger_run_takes_risk_away_also_while_an_older_one_is_open():
    first = reserved(APPROVE, 1, run="r2")
    story = (
        *REOPENED[:-1],
        quoted(run="r2"),
        *done(first, final=True),
        unmined(reserved()),
        mined(reserved(), number=9),
        f.Final("r1/1/1/0", NOW),
        settled(),
        f.CancelRequested("r2", "enough", NOW),
    )
    found = steps(*story)
    assert Reserve("r2", "1", 0, REVOKE_INDEX, REVOKE, ()) in found


def test_the_same_state_gives_the_same_steps():
    assert steps(*SWAPPED) == steps(*SWAPPED)
