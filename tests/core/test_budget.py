"""What intents take out of the limits, and what they give back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import (
    APPROVE,
    DEPOSIT,
    FAR_USDC,
    NOW,
    ORDER,
    SWAP,
    USDC,
    WETH,
    again,
    bridge_leg,
    closed,
    done,
    mined,
    quoted,
    reserved,
    settled,
    signed,
    started,
    told,
    unmined,
)

from agent.core import fact as f
from agent.core.budget import (
    DAY_SECONDS,
    MONTH_SECONDS,
    charge,
    fee_verdict,
    first_use,
    in_flight_value,
    lost_since,
    run_value,
    spent_since,
)
from agent.core.intent import Charges
from agent.core.money import Amount
from agent.core.policy import Limits

FIRST = reserved()
SECOND = again(FIRST, charges=Charges(Decimal(0), Decimal("0.5")))
ON_ORDER = reserved(ORDER, None)
ID = FIRST.intent.id
NOTHING = Charges(Decimal(0), Decimal(0))
FEE = Decimal(7)
"""What a mined transaction of the stories costs at their price of the gas coin."""

CHARGED = {
    "reserved": ((FIRST,), Charges(Decimal(10), Decimal(1))),
    "signed": ((FIRST, signed(FIRST)), Charges(Decimal(10), Decimal(1))),
    "replaced": ((FIRST, signed(FIRST), SECOND), Charges(Decimal(10), Decimal("1.5"))),
    "replacement given up": (
        (FIRST, signed(FIRST), SECOND, f.Voided(ID, 1, "", NOW)),
        Charges(Decimal(10), Decimal(1)),
    ),
    "given up": ((FIRST, f.Voided(ID, 0, "", NOW)), NOTHING),
    "displaced unsigned": ((FIRST, f.Displaced(ID, NOW)), NOTHING),
    "displaced": ((FIRST, signed(FIRST), f.Displaced(ID, NOW)), NOTHING),
    "mined": ((FIRST, signed(FIRST), mined(FIRST)), Charges(Decimal(10), FEE)),
    "reverted": ((FIRST, signed(FIRST), mined(FIRST, ok=False)), Charges(Decimal(0), FEE)),
    "cancelled": (
        (FIRST, signed(FIRST), replace(SECOND, kind="cancel"), signed(SECOND), mined(SECOND)),
        Charges(Decimal(0), FEE),
    ),
    "mined in spite of a cancel": (
        (FIRST, signed(FIRST), replace(SECOND, kind="cancel"), signed(SECOND), mined(FIRST)),
        Charges(Decimal(10), FEE),
    ),
    "mined and gone again": (
        (FIRST, signed(FIRST), mined(FIRST), unmined(FIRST)),
        Charges(Decimal(10), Decimal(1)),
    ),
    "an order that nobody filled": (
        (ON_ORDER, signed(ON_ORDER), f.Expired(ID, NOW)),
        Charges(Decimal(0), Decimal(1)),
    ),
    "an order that was filled in part": (
        (
            ON_ORDER,
            signed(ON_ORDER),
            f.Filled(ID, "x", Amount(WETH, 1), Amount(USDC, 1), NOW),
            f.Expired(ID, NOW),
        ),
        Charges(Decimal(10), Decimal(1)),
    ),
}


@pytest.mark.parametrize("what", CHARGED)
def test_an_intent_takes_what_it_may_cost_and_then_what_it_did(what):
    story, charges = CHARGED[what]
    state = told(started(), *story)
    assert charges == state.intent(ID).charged
    assert charges == spent_since(state, NOW)
    assert charges.value == run_value(state.runs["r1"])


@pytest.mark.parametrize("what", CHARGED)
def test_an_archived_intent_takes_what_it_took_before(what):
    story, charges = CHARGED[what]
    ending = () if what.startswith(("reserved", "signed", "repl", "mined and")) else (closed(),)
    state = told(started(), *story, *ending)
    known = state.intent(ID)
    if ending and known.mined is not None:
        state = told(f.Final(ID, NOW), state=state)
    if ending:
        state = told(started(run="r2"), state=state)
        assert ["r2"] == list(state.runs)
    assert charges == spent_since(state, NOW)


def test_what_was_reserved_before_the_window_does_not_count():
    state = told(started(), reserved(at=NOW - 1), reserved(index=1, nonce=1, at=NOW))
    assert Charges(Decimal(10), Decimal(1)) == spent_since(state, NOW)
    assert Charges(Decimal(20), Decimal(2)) == spent_since(state, NOW - 1)


def test_lost_value_counts_for_its_month_also_when_its_run_is_archived():
    story = (started(), *done(FIRST, final=True), settled(value=Decimal(-3)), closed())
    for state in (told(*story), told(*story, started(run="r2"))):
        assert (Decimal(3), Decimal(0)) == (lost_since(state, NOW), lost_since(state, NOW + 1))


def test_a_leg_that_gained_does_not_make_room_for_losses():
    story = (started(), *done(FIRST, final=True), settled(value=Decimal(5)), closed())
    for state in (told(*story), told(*story, started(run="r2"))):
        assert Decimal(0) == lost_since(state, NOW)


LEFT = (
    started(bridge_leg()),
    quoted(DEPOSIT),
    *done(reserved(DEPOSIT)),
    settled(deltas={USDC: -1}),
)


@pytest.mark.parametrize(
    ("end", "flying"),
    [
        ((), 10),
        ((f.Lost("r1", "1", "gone", NOW),), 10),
        ((f.Arrived("r1", "1", Amount(FAR_USDC, 1), NOW),), 0),
        ((f.Refunded("r1", "1", Amount(USDC, 1), NOW),), 0),
    ],
    ids=["under way", "lost", "arrived", "back"],
)
def test_money_is_in_flight_until_it_is_in_the_wallet_again(end, flying):
    assert Decimal(flying) == in_flight_value(told(*LEFT, *end))


def test_a_swap_is_never_in_flight():
    assert Decimal(0) == in_flight_value(told(started(), FIRST))


def limits(**changes: int) -> Limits:
    wide = {name: Decimal(1000) for name in ("max_run_value", "max_day_value", "max_month_cost")}
    wide |= {"max_in_flight": Decimal(1000), "max_fee_per_tx": Decimal(1000)}
    return Limits(**{**wide, **{name: Decimal(most) for name, most in changes.items()}})


ASKED = Charges(Decimal(10), Decimal(1))


@pytest.mark.parametrize(
    ("narrow", "code"),
    [
        ({"max_run_value": 19}, "G301"),
        ({"max_day_value": 19}, "G302"),
        ({"max_month_cost": 4}, "G303"),
        ({"max_fee_per_tx": 0}, "G304"),
        ({"max_in_flight": 19}, "G305"),
    ],
)
def test_each_limit_refuses_what_goes_beyond_it_and_allows_what_reaches_it(narrow, code):
    # Ten and one are charged already, three are lost, and a deposit of ten is under way.
    state = told(
        *LEFT,
    )
    wish = {"deposit": True} if code == "G305" else {}
    found = charge(state, "r1", ASKED, limits(**narrow), NOW, **wish)
    assert [code] == [no.code for no in found.refusals]
    (name,), (most,) = narrow.keys(), narrow.values()
    wider = charge(state, "r1", ASKED, limits(**{name: most + 8}), NOW, **wish)
    assert wider.ok


def test_in_flight_is_asked_of_deposits_only():
    assert charge(told(*LEFT), "r1", ASKED, limits(max_in_flight=0), NOW).ok


@pytest.mark.parametrize("nan", [Decimal("NaN"), Decimal("sNaN")])
def test_a_fee_that_is_no_number_is_not_allowed(nan):
    from decimal import InvalidOperation

    with pytest.raises(InvalidOperation):
        fee_verdict(nan, limits())


def test_a_day_and_a_month_slide():
    state = told(started(), reserved(at=NOW))
    narrow = limits(max_day_value=15, max_month_cost=1)
    codes = [
        [no.code for no in charge(state, "r1", ASKED, narrow, NOW + later).refusals]
        for later in (0, DAY_SECONDS, DAY_SECONDS + 1, MONTH_SECONDS, MONTH_SECONDS + 1)
    ]
    assert [["G302", "G303"], ["G302", "G303"], ["G303"], ["G303"], []] == codes


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(1, 100))
def test_what_is_charged_one_by_one_never_goes_beyond_the_day(values, most):
    state = told(started())
    narrow = limits(max_day_value=most)
    for number, value in enumerate(values):
        asked = Charges(Decimal(value), Decimal(0))
        if charge(state, "r1", asked, narrow, NOW).ok:
            state = told(reserved(SWAP, number, index=number, charges=asked), state=state)
    assert spent_since(state, NOW).value <= most


def test_first_uses_share_one_canary():
    state = told(started(), reserved())
    assert first_use(state, "venue", Decimal(40), Decimal(50)).ok
    refused = first_use(state, "venue", Decimal(41), Decimal(50)).refusals
    assert [("G501", "first uses of venue would come to 51.00 (canary 50.00)")] == [
        (no.code, no.why) for no in refused
    ]


@pytest.mark.parametrize(
    ("story", "via", "value", "canary"),
    [
        ((FIRST,), "venue", 10**6, None),
        ((FIRST,), "other", 50, 50),
        ((FIRST,), "venue", 0, 5),
        ((*done(FIRST), settled()), "venue", 10**6, 50),
        ((FIRST, f.Voided(ID, 0, "", NOW)), "venue", 50, 50),
    ],
    ids=["no canary", "another venue", "an approval", "a known venue", "given up"],
)
def test_a_canary_limits_only_what_moves_at_a_new_place(story, via, value, canary):
    state = told(started(), *story)
    most = None if canary is None else Decimal(canary)
    assert first_use(state, via, Decimal(value), most).ok


def test_an_approval_is_charged_for_its_fee_alone():
    assert Charges(Decimal(0), Decimal(1)) == told(started(), reserved(APPROVE)).intent(ID).charged
