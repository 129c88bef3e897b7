"""Tokens over Arbitrum's canonical bridge: terms, bytes, tickets, and whole runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from arbitrum_rigs import (
    CONFIRMATIONS,
    ETHER,
    FAR,
    ME,
    NEAR,
    STRANGER,
    WALLET,
    Rollup,
)
from arbitrum_run import ArbitrumRun
from bridges.arbitrum_lies import between, changed, meant, owner, silent, waits

from agent.bridges import _arbitrum_token_deposits
from agent.bridges._arbitrum_contracts import CONTENT, DELIVERED
from agent.bridges._arbitrum_tickets import FINALIZED, INITIATED, OUTBOUND, Lane, ticket_id
from agent.bridges.canonical_arbitrum import make
from agent.core import fact as f
from agent.core.intent import Receipt
from agent.core.money import Address, Amount
from agent.core.plan import Leg
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.engine.loop import Finished, Wait
from agent.errors import BadReply, NoRoute
from agent.lab.providers._arbitrum_contracts import CHILD_GATEWAY, GATEWAY, ROUTER
from agent.lab.puppet import tx
from agent.ports import Act, Delivered, Gone, Track
from agent.wire.abi import AbiError, encode

RAW = 10**7


def track(rollup: Rollup, leg: Leg, deposit: Receipt, *, later: int = 0, claims: int = 0) -> Track:
    return rollup.bridge.track(leg, deposit, leg.sell.fixed_raw, claims, rollup.now() + later)


def copies(rollup: Rollup) -> int:
    return rollup.held(FAR, token=rollup.token(FAR, "WBTC"))


def waiting_ticket(rollup: Rollup) -> tuple[Leg, Receipt]:
    rollup.worlds.tell(ME, "redeem", "never")
    leg = rollup.token_leg()
    deposit = rollup.deposit(leg)
    rollup.take_in()
    return leg, deposit


# What it offers, and what its bytes mean.


def test_terms_are_one_to_one_with_the_ticket_s_fee_on_top(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    (edge,) = rollup.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})
    quote = rollup.quote(leg)
    assert (RAW, RAW) == edge.ladder[-1]
    assert (RAW, RAW) == (quote.amount_out, quote.min_amount_out)
    assert 0 < quote.fee == edge.fee < ETHER // 100
    assert isinstance(quote.payload, Call)
    assert quote.fee == quote.payload.value
    assert [GATEWAY] == [each.spender for each in quote.allowances]


def test_bytes_name_token_recipient_refund_and_nothing_to_call(rollup: Rollup) -> None:
    quote = rollup.quote(rollup.token_leg())
    assert isinstance(quote.payload, Call)
    said = meant(rollup, quote.payload)
    assert isinstance(said, Meaning)
    near, far = rollup.token(NEAR, "WBTC"), rollup.token(FAR, "WBTC")
    assert (near.address, far.address, FAR) == (said.sell, said.buy, said.to_chain)
    assert (WALLET, WALLET) == (said.recipient, said.refund)
    assert (RAW, RAW, quote.fee) == (said.amount_in, said.min_out, said.fee)


@pytest.mark.parametrize(
    "told",
    [
        encode(["uint256", "bytes"], [1, b"\1"]),
        encode(["uint256", "uint256", "uint256"], [1, 96, 0]),
        encode(["uint256", "uint256", "uint256", "uint256"], [1, 64, 0, 0]),
        b"\0" * 40,
    ],
)
def test_terms_that_call_something_or_are_no_terms_are_refused(rollup: Rollup, told: Any) -> None:
    near = rollup.token(NEAR, "WBTC").address
    data = OUTBOUND.encode(near, WALLET, WALLET, RAW, 1, 2, told)
    assert isinstance(meant(rollup, Call(NEAR, Address(ROUTER), 5, data)), Refusal)


def test_token_that_the_router_sends_elsewhere_is_no_route(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    owner(rollup).send(
        tx(
            ROUTER,
            "setGateways(address[],address[],uint256,uint256,uint256)",
            *([leg.sell.token.address], ["0x" + "00" * 19 + "01"], 10**6, 10**9, 10**16),
            value=10**16 + 10**15,
        )
    )
    with pytest.raises(NoRoute, match="sends this token elsewhere"):
        rollup.quote(leg)


def test_account_with_code_and_silent_chains_get_no_offer(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    rollup.worlds[NEAR].rpc.call("anvil_setCode", WALLET, "0xef0100" + "11" * 20)
    with pytest.raises(NoRoute, match="credits an account with code elsewhere"):
        rollup.quote(leg)
    with pytest.raises(NoRoute):
        rollup.bridge.quote(leg, 0, WALLET, 1, rollup.now())
    between(rollup, NEAR, read=silent)
    assert () == rollup.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})


def test_token_without_gateways_on_both_sides_does_not_cross(rollup: Rollup) -> None:
    known = rollup.options().chains
    facts = {**known[FAR].facts, "gateways": {"DAI": CHILD_GATEWAY}}
    changed_far = replace(known[FAR], facts=facts)
    bridge = make(rollup.options(chains={**known, FAR: changed_far}), rollup.io)
    leg = rollup.token_leg()
    assert () == bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: RAW})


# Where a deposit is.


def test_deposit_is_under_way_then_redeemed_and_deep(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    deposit = rollup.deposit(leg)
    assert "is on its way: Arbitrum's gateway holds it" in waits(track(rollup, leg, deposit))
    assert "is late" in waits(track(rollup, leg, deposit, later=3_700))
    (found,) = rollup.bridge.find(WALLET, {NEAR: 0})
    assert (Amount(leg.sell.token, RAW), leg.buy) == (found.sold, found.buy)
    rollup.worlds.jump(3)
    rollup.turn()
    rollup.worlds[NEAR].mine(CONFIRMATIONS)
    now = rollup.now() + 60
    rollup.worlds[NEAR].set_time(now)
    rollup.worlds[NEAR].mine(CONFIRMATIONS)
    assert "the node of chain 42161 is behind it" in waits(track(rollup, leg, deposit))
    rollup.worlds[FAR].set_time(now + 9)
    rollup.worlds[FAR].mine(CONFIRMATIONS)
    assert Delivered(Amount(leg.buy, RAW)) == track(rollup, leg, deposit)
    assert RAW == copies(rollup)
    assert () == rollup.bridge.find(WALLET, {NEAR: 0})


def test_arrival_waits_until_it_is_deep(rollup: Rollup) -> None:
    leg, deposit = waiting_ticket(rollup)
    act = track(rollup, leg, deposit)
    assert isinstance(act, Act)
    assert isinstance(act.draft.payload, Call)
    assert rollup.sent(act.draft.payload, STRANGER).ok
    rollup.worlds.turn()
    options = rollup.options()
    deeper = {**options.chains, FAR: replace(options.chains[FAR], confirmations=50)}
    bridge = make(replace(options, chains=deeper), rollup.io)
    why = "message 0 of chain 1 was redeemed and waits for 50 confirmations"
    assert why == waits(bridge.track(leg, deposit, RAW, 0, rollup.now()))


def test_ticket_that_nobody_redeems_is_found_and_redeemed_and_given_up_in_the_end(
    rollup: Rollup,
) -> None:
    leg, deposit = waiting_ticket(rollup)
    (found,) = rollup.bridge.find(WALLET, {NEAR: 0})
    assert deposit.hash == found.deposit
    act = track(rollup, leg, deposit)
    assert isinstance(act, Act)
    assert ("claim", FAR) == (act.draft.purpose, act.draft.chain)
    assert "waits on chain 42161 as ticket 0x" in act.why
    given_up = track(rollup, leg, deposit, claims=3)
    assert isinstance(given_up, Gone)
    assert "which 3 redemptions did not redeem; anybody may until" in given_up.why
    rollup.worlds.jump(604_801)
    rollup.worlds.mine(CONFIRMATIONS)
    assert "no node has shown its log yet" in waits(track(rollup, leg, deposit))
    rollup.worlds.jump(20_000)
    rollup.worlds.mine(CONFIRMATIONS)
    assert Gone("nobody redeemed message 0 of chain 1 in its week") == track(rollup, leg, deposit)
    assert () == rollup.bridge.find(WALLET, {NEAR: 0})


def test_failed_redemption_before_the_one_that_worked_is_passed_over(
    rollup: Rollup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_arbitrum_token_deposits, "WINDOW", 3)
    code = rollup.worlds[FAR].rpc.call("eth_getCode", CHILD_GATEWAY, "latest")
    rollup.worlds[FAR].rpc.call("anvil_setCode", CHILD_GATEWAY, "0xfe")
    leg = rollup.token_leg()
    deposit = rollup.deposit(leg)
    rollup.take_in()
    act = track(rollup, leg, deposit)
    assert isinstance(act, Act)
    assert isinstance(act.draft.payload, Call)
    rollup.worlds[FAR].rpc.call("anvil_setCode", CHILD_GATEWAY, code)
    assert rollup.sent(act.draft.payload).ok
    rollup.turn()
    rollup.worlds.mine(4)
    assert Delivered(Amount(leg.buy, RAW)) == track(rollup, leg, deposit)


def test_other_transactions_are_not_taken_for_the_deposit(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    other = rollup.sent(Call(NEAR, STRANGER, 1, "0x"))
    assert Gone(f"transaction {other.hash} made 0 deposits for this leg") == track(
        rollup, leg, other
    )
    deposit = rollup.deposit(leg)
    found = rollup.bridge.track(leg, deposit, RAW - 1, 0, rollup.now())
    assert Gone(f"message 0 is of {RAW} base units, not {RAW - 1}") == found
    moved = replace(deposit, block_hash="0x" + "11" * 32)
    assert "the deposit is not where it was mined" == waits(track(rollup, leg, moved))
    assert rollup.bridge.rehearse(leg, moved, STRANGER) is None
    between(rollup, NEAR, logs=changed(INITIATED, l1Token=STRANGER))
    assert isinstance(track(rollup, leg, deposit), Gone)
    assert () == rollup.bridge.find(WALLET, {NEAR: 0})


@pytest.mark.parametrize(
    "lie",
    [
        changed(DELIVERED, kind=12),
        changed(DELIVERED, messageIndex=9),
        changed(CONTENT, data=b"\0" * 400),
        changed(CONTENT, messageNum=9),
        changed(INITIATED, _sequenceNumber=9),
    ],
)
def test_logs_that_do_not_fit_together_are_not_believed(rollup: Rollup, lie: Any) -> None:
    leg = rollup.token_leg()
    deposit = rollup.deposit(leg)
    between(rollup, NEAR, logs=lie)
    with pytest.raises(BadReply):
        track(rollup, leg, deposit)


@pytest.mark.parametrize(
    "lie",
    [
        changed(FINALIZED, _amount=RAW + 1),
        changed(FINALIZED, _to=STRANGER),
        lambda logs: tuple(log for log in logs if not FINALIZED.is_in(log)),
    ],
)
def test_redemption_that_brought_something_else_is_no_arrival(rollup: Rollup, lie: Any) -> None:
    leg = rollup.token_leg()
    deposit = rollup.deposit(leg)
    rollup.take_in()
    between(rollup, FAR, logs=lie)
    assert "no node has shown its log yet" in waits(track(rollup, leg, deposit))


def test_ticket_is_known_by_what_arbitrum_s_own_sdk_computes() -> None:
    # ParentToChildMessage.calculateSubmitRetryableId of @arbitrum/sdk 4.1.0, with these arguments.
    sender, refund = (
        "0x12dec91b0a9ba741903aa3699bf4ce31d6c5dd17",
        "cb431653bdb2525c866d962ad66be358f6719e89",
    )
    delivered = {"messageIndex": 0x63340, "sender": sender, "baseFeeL1": 0x038F1E3EA0}
    words = (
        int("65e1a5e8946e7e87d9774f5288f41c30a99fd302", 16),
        0,
        0x024D042AD54E80,
        0xD5FFF1A13880,
        int(refund, 16),
        int(refund, 16),
        0x01AD84,
        0xDF847580,
        4,
    )
    content = b"".join(word.to_bytes(32, "big") for word in words) + bytes.fromhex("2e567b36")
    wanted = "de06470f2fd077b0a00635e6f3fbeedb04580176687659c2ddcf1187221c2a99"
    assert wanted == ticket_id(FAR, delivered, content).hex()
    with pytest.raises(AbiError, match="ends too early"):
        ticket_id(FAR, delivered, content[:100])


# Whole runs.


def test_token_runs_to_its_end_with_every_base_unit_explained(rollup: Rollup) -> None:
    run, leg = ArbitrumRun(rollup), rollup.token_leg()
    before = rollup.held(NEAR, token=leg.sell.token)
    coin, far_coin = rollup.held(NEAR), rollup.held(FAR)
    ended = run.begin(leg)
    assert [] == [no.why for fact in run.of(f.Refused) for no in fact.refusals]
    assert isinstance(ended, Finished)
    assert ("done", ["approve", "deposit"]) == (ended.outcome, run.purposes())
    assert RAW == copies(rollup)
    assert before - RAW == rollup.held(NEAR, token=leg.sell.token)
    (quoted,) = run.of(f.Quoted)
    assert coin - run.fees(NEAR) - quoted.quote.fee == rollup.held(NEAR)
    # What is left of the ticket's fee comes on the rollup, whose coin the plan does not touch.
    assert 0 < rollup.held(FAR) - far_coin < quoted.quote.fee
    (closed,) = run.of(f.Closed)
    assert ("done", ()) == (closed.outcome, closed.unexplained)


def test_ticket_that_nobody_redeemed_is_redeemed_by_another_process(rollup: Rollup) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    rollup.worlds.tell(ME, "redeem", "never")
    run = ArbitrumRun(rollup)
    assert isinstance(run.begin(rollup.token_leg(), budget=60), Wait)
    rollup.worlds.tell(ME, "sequence", "prompt")
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["approve", "deposit", "claim"]) == (ended.outcome, run.purposes())
    assert RAW == copies(rollup)


def test_rehearsal_of_a_token_pays_the_same(rollup: Rollup) -> None:
    leg = rollup.token_leg()
    plan = rollup.bridge.rehearse(leg, rollup.deposit(leg), STRANGER)
    assert plan is not None
    assert (leg.buy.address, 0) == (plan.calls[0].to, plan.calls[0].value)
    assert Amount(leg.buy, RAW) == plan.needs == plan.brings


def test_lane_is_what_both_chains_know(rollup: Rollup) -> None:
    (lane,) = rollup.bridge._lanes
    assert isinstance(lane, Lane)
    assert (GATEWAY, CHILD_GATEWAY) == (lane.gateway, lane.far_gateway)
    assert {GATEWAY, ROUTER} <= set(rollup.bridge.targets(NEAR))
