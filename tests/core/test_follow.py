"""What a sighting of the chain means for an intent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import (
    NOW,
    SWAP,
    again,
    receipt,
    reserved,
    sighting,
    signed,
    started,
    submitted,
    told,
)

from agent.core import fact as f
from agent.core.follow import Found, Missing, Replace, Rules, Still, Taken, judge, overdue

FIRST = reserved(nonce=3)
SECOND = again(FIRST)
CANCEL = again(FIRST, "cancel")
RULES = Rules(confirmations=2, replace_after_blocks=5, max_attempts=3)
FRESH = NOW + 119
LATE = NOW + 120
"""The story's swap is valid until then: no later block can come in time."""


def known(*facts):
    return told(started(), FIRST, *facts).intent(FIRST.intent.id)


ONE = known(signed(FIRST), submitted(FIRST))
TWO = known(signed(FIRST), submitted(FIRST), SECOND, signed(SECOND), submitted(SECOND))
CANCELLING = known(signed(FIRST), submitted(FIRST), CANCEL, signed(CANCEL), submitted(CANCEL))


def judged(intent, seen, *, unwanted=False):
    return judge(intent, seen, RULES, unwanted=unwanted)


@pytest.mark.parametrize(
    ("head", "finalized", "confirmed", "final"),
    [(6, 0, False, False), (7, 0, True, False), (9, 5, True, False), (9, 6, True, True)],
)
def test_a_receipt_is_as_good_as_its_depth(head, finalized, confirmed, final):
    found = receipt(FIRST, number=6)
    seen = sighting(found, head=head, finalized=finalized, nonce=4)
    assert Found(0, found, confirmed=confirmed, final=final) == judged(ONE, seen)


def test_the_attempt_that_was_mined_is_told_by_its_hash():
    found = receipt(FIRST)
    assert 0 == judged(TWO, sighting(found, None, nonce=4)).attempt
    later = receipt(SECOND)
    assert 1 == judged(TWO, sighting(None, later, nonce=4)).attempt


def test_a_receipt_counts_also_when_nobody_wants_it_any_more():
    assert isinstance(judged(ONE, sighting(receipt(FIRST), nonce=4), unwanted=True), Found)


def test_a_used_nonce_without_a_receipt_is_a_strangers_once_that_is_final():
    waiting = judged(ONE, sighting(None, nonce=4, nonce_final=3))
    assert isinstance(waiting, Still)
    assert "waiting for finality" in waiting.why
    assert Taken() == judged(ONE, sighting(None, nonce=4, nonce_final=4))


@pytest.mark.parametrize("seen", [sighting(None, None, nonce=4), sighting(None, None, nonce=9)])
def test_several_attempts_on_a_used_nonce_are_neither_sent_nor_replaced(seen):
    for later in (LATE, FRESH):
        assert isinstance(
            judged(TWO, replace(seen, head=replace(seen.head, timestamp=later))), Still
        )


def test_bytes_that_nobody_knows_are_handed_over_again():
    assert Missing() == judged(ONE, sighting(None, known=False, nonce=3))


def test_bytes_that_were_never_handed_over_are_missing_whatever_the_node_says():
    assert Missing() == judged(known(signed(FIRST)), sighting(None, nonce=3))


@pytest.mark.parametrize("intent", [ONE, known(signed(FIRST))], ids=["sent", "signed"])
@pytest.mark.parametrize("is_known", [True, False])
def test_what_nobody_wants_or_comes_too_late_is_cancelled(intent, is_known):
    seen = sighting(None, known=is_known, nonce=3)
    assert Replace("cancel", "the run is to end") == judged(intent, seen, unwanted=True)
    late = sighting(None, known=is_known, nonce=3, timestamp=LATE)
    assert Replace("cancel", "its deadline has passed") == judged(intent, late)


def test_a_cancel_is_never_cancelled():
    seen = sighting(None, None, nonce=3, timestamp=LATE, head=9)
    assert isinstance(judged(CANCELLING, seen, unwanted=True), Still)


@pytest.mark.parametrize(("head", "replaced"), [(9, False), (10, True), (11, True)])
def test_blocks_and_not_seconds_make_an_attempt_old(head, replaced):
    seen = sighting(None, nonce=3, head=head, timestamp=FRESH)
    assert replaced == isinstance(judged(ONE, seen), Replace)


def test_an_old_attempt_is_repriced_and_an_old_cancel_cancelled_dearer():
    seen = sighting(None, nonce=3, head=10)
    assert Replace("reprice", "not mined in 5 blocks") == judged(ONE, seen)
    both = sighting(None, None, nonce=3, head=10)
    assert Replace("cancel", "not mined in 5 blocks") == judged(CANCELLING, both)


def test_attempts_end_at_a_number():
    third = again(SECOND)
    three = known(
        signed(FIRST), SECOND, signed(SECOND), third, signed(third), submitted(third, block=5)
    )
    waiting = judged(three, sighting(None, None, None, nonce=3, head=99))
    assert Still("in the pool, 94 blocks old, 3 attempts made") == waiting


def test_a_replacement_that_was_given_up_leaves_the_one_before_it_to_be_followed():
    voided = known(signed(FIRST), submitted(FIRST), SECOND, f.Voided(FIRST.intent.id, 1, "", NOW))
    assert Missing() == judged(voided, sighting(None, known=False, nonce=3))
    assert "reprice" == judged(voided, sighting(None, nonce=3, head=10)).kind


def test_what_waits_for_an_earlier_nonce_is_not_made_dearer():
    waiting = judged(ONE, sighting(None, nonce=2, head=99, timestamp=FRESH))
    assert Still("waits for the wallet's transaction with nonce 2") == waiting


def test_an_intent_without_a_deadline_is_never_late():
    forever = replace(SWAP, valid_until=0)
    intent = told(started(), reserved(forever)).intent("r1/1/1/0")
    assert not overdue(intent, sighting(timestamp=2**40))


def test_a_message_has_no_nonce_that_a_stranger_could_use():
    from stories import ORDER

    order = reserved(ORDER, None)
    intent = told(started(), order, signed(order), submitted(order)).intent("r1/1/1/0")
    assert isinstance(judged(intent, sighting(nonce=9, nonce_final=9, timestamp=LATE)), Replace)


sightings = st.builds(
    sighting,
    st.sampled_from([None, receipt(FIRST)]),
    st.sampled_from([None, receipt(SECOND)]),
    known=st.booleans(),
    nonce=st.integers(0, 6),
    nonce_final=st.integers(0, 6),
    head=st.integers(6, 40),
    timestamp=st.integers(NOW, NOW + 300),
    finalized=st.integers(0, 40),
)


@given(sightings, st.booleans())
def test_nothing_is_sent_or_replaced_on_a_used_nonce_or_beside_a_receipt(seen, unwanted):
    found = judged(TWO, seen, unwanted=unwanted)
    if any(seen.receipts):
        assert isinstance(found, Found)
    elif seen.nonce > 3:
        assert isinstance(found, Taken | Still)
    else:
        assert not isinstance(found, Found | Taken)
    if isinstance(found, Taken):
        assert seen.nonce_final > 3
    if isinstance(found, Missing):
        assert not unwanted
        assert seen.head.timestamp < LATE
