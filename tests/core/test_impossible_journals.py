"""A journal whose facts cannot follow each other is refused, and leaves the state as it was."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from core.fold_rig import ARRIVED, BACK, FIRST, LOST, MINED, ON_ORDER, SENT, SIGNED
from stories import (
    ETH,
    FAR_USDC,
    NOW,
    USDC,
    WETH,
    again,
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
from agent.core.state import Contradiction

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
