"""Before + facts = after, and the outcome that follows from it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import (
    APPROVE,
    CLAIM,
    DEPOSIT,
    ETH,
    FAR_ETH,
    FAR_USDC,
    FAR_WETH,
    FEE,
    HELD,
    NOW,
    REVOKE,
    SWAP,
    USDC,
    WETH,
    A,
    B,
    bridge_leg,
    done,
    leg,
    mined,
    plan,
    quoted,
    reserved,
    settled,
    signed,
    started,
    told,
)

from agent.core import fact as f
from agent.core.closing import (
    Costs,
    Ending,
    costs,
    ending,
    explained,
    native_of,
    touched,
    unexplained,
    unread,
)
from agent.core.intent import Delta
from agent.core.money import Amount
from agent.core.plan import Sell

FIRST = reserved(SWAP)
SWAPPED = (started(), quoted(SWAP), *done(FIRST), settled())
SENT = (
    started(bridge_leg()),
    quoted(DEPOSIT),
    *done(reserved(DEPOSIT)),
    settled(deltas={USDC: -100}),
)


def run_of(*facts):
    return told(*facts).runs["r1"]


def balances(run, **changes: int):
    """What every touched token holds when the facts explain all; *changes* come on top."""
    facts = explained(run)
    return {
        token: HELD + facts.get(token, 0) + changes.get(token.symbol, 0) for token in touched(run)
    }


def test_a_leg_that_has_not_begun_touches_nothing():
    assert () == touched(run_of(started(leg("1"), leg("2"))))


def test_begun_legs_touch_what_they_sell_and_buy_and_the_gas_coin():
    run = run_of(started(leg("1"), leg("2", sell=Sell(FAR_WETH, 1), buy=FAR_USDC)), FIRST)
    assert {WETH, USDC, ETH} == set(touched(run))


def test_a_transfer_touches_both_ends_and_what_it_became():
    run = run_of(*SENT, f.Arrived("r1", "1", Amount(FAR_WETH, 5), NOW))
    assert {USDC, FAR_USDC, FAR_WETH, ETH} == set(touched(run))
    with_claim = run_of(*SENT, *done(reserved(CLAIM, 0, round_=0)))
    assert FAR_ETH in touched(with_claim)


def test_settled_legs_arrivals_and_fees_explain_changes():
    claim = done(reserved(CLAIM, 0, round_=0))
    run = run_of(*SENT, *claim, f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW))
    assert {USDC: -100, ETH: -FEE, FAR_USDC: 99, FAR_ETH: -FEE} == explained(run)


def test_a_refund_explains_what_came_back():
    run = run_of(*SENT, f.Refunded("r1", "1", Amount(USDC, 100), NOW))
    assert {USDC: 0, ETH: -FEE} == explained(run)


def test_the_fee_of_a_reverted_transaction_is_explained_too():
    run = run_of(started(), *done(FIRST, ok=False))
    assert {ETH: -FEE} == explained(run)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
def test_only_the_difference_to_the_facts_is_unexplained(weth, usdc, elsewhere):
    run = run_of(*SWAPPED)
    rest = unexplained(run, balances(run, WETH=weth, USDC=usdc), {WETH: elsewhere})
    wanted = {WETH: weth - elsewhere, USDC: usdc}
    assert {token: raw for token, raw in wanted.items() if raw} == {d.token: d.raw for d in rest}


def test_nothing_is_unexplained_when_balances_are_as_told():
    run = run_of(*SWAPPED)
    assert () == unexplained(run, balances(run))


def test_the_gas_coin_is_the_one_of_the_chain():
    run = run_of(started())
    assert (ETH, FAR_ETH) == (native_of(run, A), native_of(run, B))


@pytest.mark.parametrize(
    ("legs", "held", "missing"),
    [
        ((leg(),), (ETH, WETH, USDC), []),
        ((leg(),), (ETH, WETH), ["USDC"]),
        ((leg(),), (WETH, USDC), ["gas coin of 1", "gas coin of 1"]),
        ((bridge_leg(),), (ETH, USDC, FAR_USDC), ["gas coin of 8453"]),
    ],
)
def test_tokens_that_were_not_read_are_named(legs, held, missing):
    before = tuple(f.Holding(token, 1) for token in held)
    assert missing == [token.symbol for token in unread(plan(*legs), before)]


GONE = (Delta(token=WETH, raw=-5),)
CAME = (Delta(token=WETH, raw=5),)
DONE = Ending("done", "every leg arrived")


@pytest.mark.parametrize(
    ("story", "rest", "allowances", "end"),
    [
        (SWAPPED, (), (), DONE),
        (SWAPPED, CAME, (), DONE),
        (
            SWAPPED,
            GONE,
            (),
            Ending(
                "needs_human",
                "5 base units of WETH on chain 1 left the wallet and no fact of this run says why",
            ),
        ),
        (
            SWAPPED,
            (),
            ("X may move 5",),
            Ending("needs_human", "an allowance is still open: X may move 5"),
        ),
        (
            (*SENT, f.Lost("r1", "1", "nobody knows", NOW)),
            GONE,
            ("X",),
            Ending("needs_human", "leg 1: nobody knows"),
        ),
        (
            (*SWAPPED, f.CancelRequested("r1", "enough", NOW)),
            (),
            (),
            Ending("aborted", "enough"),
        ),
        ((*SENT,), (), (), Ending("aborted", "leg 1 was never done")),
        (
            (*SENT, f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW)),
            (),
            (),
            DONE,
        ),
        ((started(leg(kind="revoke")),), (), (), Ending("aborted", "leg 1 was never done")),
        ((started(leg(kind="revoke")), *done(reserved(REVOKE))), (), (), DONE),
        (
            (
                started(),
                quoted(),
                *done(reserved(APPROVE)),
                f.Refused("r1", "1", "venue", (), NOW),
                f.Replanned("r1", plan(), NOW),
            ),
            (),
            (),
            DONE,
        ),
    ],
)
def test_the_worst_that_is_known_is_the_outcome(story, rest, allowances, end):
    assert end == ending(run_of(*story), rest, allowances)


def test_costs_are_fees_that_were_paid_and_value_that_was_lost():
    run = run_of(*SWAPPED)
    assert Costs(Decimal(7), Decimal(3)) == costs(run)
    assert Decimal(10) == costs(run).total


def test_a_transaction_that_is_not_mined_has_cost_nothing():
    assert Costs(Decimal(0), Decimal(0)) == costs(run_of(started(), FIRST, signed(FIRST)))
    assert Decimal(7) == costs(run_of(started(), FIRST, signed(FIRST), mined(FIRST))).fees


def test_a_leg_that_gained_lowers_the_cost():
    run = run_of(started(), quoted(SWAP), *done(FIRST), settled(value=Decimal(2)))
    assert Decimal(5) == costs(run).total
