"""Burns followed to their end on two real chains, whatever Circle's service says meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from cctp_rig import FAR, NEAR, RAW, STRANGER, WALLET, Burning

from agent.bridges._burn_message import DEPOSIT, Burn, word
from agent.bridges._iris import Attested
from agent.bridges.cctp import make
from agent.core.intent import Receipt
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.errors import BadReply, NoSimulator, Unavailable
from agent.lab.providers.cctp import MESSENGER, TRANSMITTER
from agent.lab.puppet import Tx, tx
from agent.ports import Act, Delivered, Gone, Transfer, Waiting
from agent.provider import Offline

FAST_FEE = RAW // 10_000
"""One basis point, as the local attester asks for on Ethereum."""

NOWHERE = "0x" + "77" * 32


def waits(burning: Burning, leg: Leg, deposit: Receipt) -> str:
    found = burning.track(leg, deposit)
    assert isinstance(found, Waiting), found
    assert found.until > burning.now()
    return found.why


def attested(burning: Burning, detail: str = "standard", raw: int = RAW) -> tuple[Leg, Receipt]:
    """A burn that is old enough for its attestation."""
    leg = burning.leg(raw, detail)
    deposit = burning.burn(leg)
    burning.mine(NEAR, 3)
    return leg, deposit


def arrived(burning: Burning, leg: Leg, deposit: Receipt) -> int:
    found = burning.track(leg, deposit)
    assert isinstance(found, Delivered), found
    assert leg.buy == found.amount.token
    return found.amount.raw


def silent(burning: Burning) -> None:
    burning.bridge = make(burning.options(), replace(burning.io, http=Offline()))


# Claimed by ourselves.


def test_standard_burn_is_attested_claimed_and_measured(burning: Burning) -> None:
    leg = burning.leg()
    deposit = burning.burn(leg)
    assert 0 == burning.held(NEAR)
    wanted = (
        "4,150.00 USDC is on its way: burnt on chain 1, and to be attested by Circle, usually "
        "within 19 min; your wallet then claims it on chain 8453, where it stays claimable for ever"
    )
    assert wanted == waits(burning, leg, deposit)
    burning.mine(NEAR, 3)
    asked = burning.track(leg, deposit)
    assert isinstance(asked, Act)
    assert "Circle attested the burn of 4,150.00 USDC on chain 1: it can be claimed" == asked.why
    assert ("claim", FAR) == (asked.draft.purpose, asked.draft.chain)
    claimed = burning.claim(asked)
    assert claimed.gas_used < asked.draft.gas_limit
    assert RAW == burning.held(FAR)
    assert "waits for 2 confirmations (1 now)" in waits(burning, leg, deposit)
    burning.mine(FAR)
    assert Delivered(Amount(leg.buy, RAW), claimed.block_number) == burning.track(leg, deposit)


def test_fast_burn_is_attested_at_once_and_pays_its_fee(burning: Burning) -> None:
    leg = burning.leg(detail="fast")
    deposit = burning.burn(leg)
    burning.claim(burning.track(leg, deposit))
    burning.mine(FAR)
    assert RAW - FAST_FEE == arrived(burning, leg, deposit) == burning.held(FAR)


def test_burn_leads_back_as_well(burning: Burning) -> None:
    leg = burning.leg(sell=FAR)
    deposit = burning.burn(leg)
    burning.mine(FAR, 3)
    burning.claim(burning.track(leg, deposit))
    burning.mine(NEAR)
    assert RAW == arrived(burning, leg, deposit) == burning.held(NEAR)


def test_expired_attestation_is_asked_for_again(burning: Burning) -> None:
    leg = burning.leg(detail="fast")
    deposit = burning.burn(leg)
    burning.attest("expired")
    assert "it expired, and a new one was asked for" in waits(burning, leg, deposit)
    assert "to be attested by Circle" in waits(burning, leg, deposit)
    burning.mine(NEAR, 3)
    burning.claim(burning.track(leg, deposit))
    burning.mine(FAR)
    assert RAW - FAST_FEE == arrived(burning, leg, deposit)


def test_new_attestation_that_cannot_be_asked_for_is_waited_for(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg = burning.leg(detail="fast")
    deposit = burning.burn(leg)
    burning.attest("expired")

    def down(*_: object) -> None:
        raise Unavailable("it is down", fix="wait")

    monkeypatch.setattr(burning.bridge._iris, "reattest", down)
    told = waits(burning, leg, deposit)
    assert "it expired, and a new one could not be asked for: it is down" in told


def test_fee_that_rose_beyond_its_most_makes_a_fast_burn_a_standard_one(burning: Burning) -> None:
    leg = burning.leg(detail="fast")
    deposit = burning.burn(leg)
    burning.worlds.tell("cctp", "set", "fast_bps", "3")
    assert "(insufficient_fee)" in waits(burning, leg, deposit)
    burning.mine(NEAR, 3)
    burning.claim(burning.track(leg, deposit))
    burning.mine(FAR)
    assert RAW == arrived(burning, leg, deposit)


def test_claim_that_the_wallet_cannot_pay_for_waits_for_gas(burning: Burning) -> None:
    leg, deposit = attested(burning)
    burning.worlds[FAR].rpc.call("anvil_setBalance", WALLET, "0x0")
    told = waits(burning, leg, deposit)
    assert "does not take its attestation (the node rejects the calls" in told


def test_node_that_cannot_simulate_is_asked_by_a_call(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise NoSimulator("no", fix="none")

    leg, deposit = attested(burning)
    monkeypatch.setattr(burning.nodes[FAR], "simulate", cannot)
    assert isinstance(burning.track(leg, deposit), Act)
    burning.attest("bad_signature")
    assert "does not take its attestation (it reverts)" in waits(burning, leg, deposit)


def test_no_mutant_of_an_attested_message_is_claimed(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning, "fast")
    honest = burning.track(leg, deposit)
    assert isinstance(honest, Act)
    iris, sent = burning.bridge._iris, burning.bridge._tracker._burns.burn_of(leg, deposit)
    assert isinstance(sent, Burn)
    told = iris.attested(0, sent.log.transaction, sent.message)
    assert isinstance(told, Attested)
    body = {"status": "complete", "attestation": "0x" + told.attestation.hex()}
    answers = [
        {**body, "message": "0x" + bent(told.message.raw, at).hex()}
        for at in range(len(told.message.raw))
    ] + [
        {**body, "message": "0x" + told.message.raw.hex(), "attestation": "0x" + found.hex()}
        for found in (bent(told.attestation, at) for at in range(65))
    ]
    for answer in answers:
        monkeypatch.setattr(iris._http, "get", lambda *_, said=answer: {"messages": [said]})
        found = burning.track(leg, deposit)
        assert isinstance(found, Waiting), answer
    assert 441 == len(answers)


def bent(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


# Claimed by others, and with nobody who tells.


@pytest.mark.parametrize("mode", ["prompt", "down", "gone", "never"])
def test_burn_that_somebody_else_claimed_has_arrived_as_well(burning: Burning, mode: str) -> None:
    leg, deposit = attested(burning)
    burning.claim(burning.track(leg, deposit), STRANGER)
    burning.mine(FAR)
    burning.attest(mode)
    burning.bridge = make(burning.options(), burning.io)
    assert RAW == arrived(burning, leg, deposit)


def test_nobody_s_word_is_needed_to_see_an_arrival(burning: Burning) -> None:
    leg, deposit = attested(burning)
    burning.claim(burning.track(leg, deposit))
    silent(burning)
    assert "waits for 2 confirmations" in waits(burning, leg, deposit)
    burning.mine(FAR)
    assert RAW == arrived(burning, leg, deposit)


def test_one_of_two_burns_that_are_alike_has_arrived_once(burning: Burning) -> None:
    first, second = (attested(burning) for _ in range(2))
    burning.claim(burning.track(*first))
    burning.mine(FAR)
    assert RAW == arrived(burning, *first)
    burning.attest("down")
    assert "nothing can be claimed now" in waits(burning, *second)
    burning.attest("prompt")
    burning.claim(burning.track(*second))
    burning.mine(FAR)
    assert [RAW, RAW] == [arrived(burning, *each) for each in (first, second)]
    silent(burning)
    # Which of the two it is nobody tells, until both are followed and both are there.
    assert "nothing can be claimed now" in waits(burning, *second)
    assert RAW == arrived(burning, *first)
    assert [RAW, RAW] == [arrived(burning, *each) for each in (second, first)]


# Waiting.


def test_attester_that_is_late_is_waited_for(burning: Burning) -> None:
    burning.attest("late")
    leg, deposit = attested(burning)
    assert "4,150.00 USDC is on its way" in waits(burning, leg, deposit)
    burning.worlds.jump(60)
    assert isinstance(burning.track(leg, deposit), Act)


def test_attester_that_never_comes_is_late_after_four_times_its_usual_time(
    burning: Burning,
) -> None:
    burning.attest("never")
    leg, deposit = attested(burning)
    burning.worlds.jump(4 * 1_140 + 10)
    assert "4,150.00 USDC is late: burnt on chain 1" in waits(burning, leg, deposit)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("down", r"HTTP status 503"),
        ("limited", r"HTTP status 429"),
        ("nonsense", r"malformed reply"),
        ("cut", r"127\.0\.0\.1"),
    ],
)
def test_server_that_says_nothing_usable_costs_time_only(
    burning: Burning, mode: str, why: str
) -> None:
    leg, deposit = attested(burning)
    burning.attest(mode)
    told = waits(burning, leg, deposit)
    assert "4,150.00 USDC is on its way" in told
    assert re.search(f"nothing can be claimed now: .*{why}", told)


@pytest.mark.parametrize(
    ("mode", "detail"),
    [
        ("other_amount", "standard"),
        ("other_recipient", "standard"),
        ("other_chain", "standard"),
        ("hooked", "standard"),
        ("greedy", "standard"),
        ("greedy", "fast"),
    ],
)
def test_message_that_is_not_ours_is_never_claimed(
    burning: Burning, mode: str, detail: str
) -> None:
    burning.attest(mode)
    leg, deposit = attested(burning, detail)
    told = waits(burning, leg, deposit)
    assert "nothing can be claimed now: Circle's API tells of another message" in told


def test_signature_of_a_stranger_is_tried_and_not_sent(burning: Burning) -> None:
    burning.attest("bad_signature")
    leg, deposit = attested(burning)
    told = waits(burning, leg, deposit)
    assert "which does not take its attestation" in told
    assert "Invalid signature: not attester" in told


def test_claim_that_brings_less_than_it_says_is_not_sent(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning)
    simulate = burning.nodes[FAR].simulate

    def less(*arguments: Any) -> Any:
        return replace(simulate(*arguments), deltas={leg.buy: RAW - 1})

    monkeypatch.setattr(burning.nodes[FAR], "simulate", less)
    assert f"({RAW - 1} base units would come, not {RAW})" in waits(burning, leg, deposit)


# Deposits and arrivals that are not what they should be.


def test_burn_in_another_block_is_waited_for(burning: Burning) -> None:
    leg, deposit = attested(burning)
    moved = replace(deposit, block_hash=NOWHERE)
    assert "the burn is not where it was mined" == waits(burning, leg, moved)


def test_burn_that_the_node_does_not_have_is_no_loss(burning: Burning) -> None:
    leg, deposit = attested(burning)
    with pytest.raises(Unavailable):
        burning.track(leg, replace(deposit, hash=NOWHERE))


def test_transaction_without_this_burn_is_gone(burning: Burning) -> None:
    leg, deposit = attested(burning)
    (receipt,) = burning.puppet(NEAR, WALLET).send(Tx(to=STRANGER, input="0x", what="nothing"))
    other = replace(deposit, hash=receipt["transactionHash"], block_hash=receipt["blockHash"])
    found = burning.track(leg, other)
    assert isinstance(found, Gone)
    assert f"transaction {other.hash} burnt 0 times for this leg" == found.why


def test_burn_of_another_amount_is_gone(burning: Burning) -> None:
    leg, deposit = attested(burning)
    found = burning.bridge.track(leg, deposit, RAW + 1, 0, 0)
    assert Gone(f"the burn is of {RAW} base units, not {RAW + 1}") == found


def test_claim_that_brought_nothing_is_gone(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning)
    burning.claim(burning.track(leg, deposit))
    burning.mine(FAR)
    monkeypatch.setattr(burning.nodes[FAR], "received", lambda *_: (RAW - 1, 0))
    found = burning.track(leg, deposit)
    assert isinstance(found, Gone)
    assert "and nothing came of it" in found.why


@pytest.mark.parametrize("answer", [None, b"", b"\1" * 31])
def test_contract_that_does_not_tell_what_it_took_is_a_bad_reply(
    burning: Burning, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    leg, deposit = attested(burning)
    monkeypatch.setattr(burning.nodes[FAR], "read", lambda *_: (answer,))
    with pytest.raises(BadReply, match=r"does not tell what it took|cannot be read"):
        burning.track(leg, deposit)


def test_arrival_of_which_no_log_tells_is_a_bad_reply(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning)
    burning.claim(burning.track(leg, deposit))
    monkeypatch.setattr(burning.nodes[FAR], "logs", lambda *_: ())
    with pytest.raises(BadReply, match=r"took message 0x[0-9a-f]{64}, and no log of that is"):
        burning.track(leg, deposit)


# From logs alone.


def found(burning: Burning, since: int = 0, account: Address = WALLET) -> tuple[Transfer, ...]:
    return burning.bridge.find(account, {NEAR: since, FAR: 0, ChainId(10): 0})


def test_unclaimed_burn_is_found_by_logs_alone(burning: Burning) -> None:
    leg, deposit = attested(burning, "fast")
    silent(burning)
    wanted = Transfer(
        via="cctp",
        id="",
        sold=leg.planned_sell,
        buy=leg.buy,
        least=RAW - FAST_FEE * 12 // 10,
        deposit=deposit.hash,
        block=deposit.block_number,
    )
    assert (wanted,) == found(burning)
    assert () == found(burning, account=STRANGER)
    assert () == found(burning, since=deposit.block_number + 1)


def test_claimed_burns_are_not_found(burning: Burning) -> None:
    legs = [attested(burning, raw=raw) for raw in (RAW, RAW, 2 * RAW)]
    back = burning.leg(sell=FAR)
    burning.burn(back)
    burning.claim(burning.track(*legs[0]))
    burning.claim(burning.track(*legs[2]), STRANGER)
    silent(burning)
    assert [legs[1][1].hash, back.buy.chain] == [
        found(burning)[0].deposit,
        found(burning)[1].buy.chain,
    ]
    assert 2 == len(found(burning))


def test_burn_that_is_alike_but_goes_elsewhere_is_another_one(burning: Burning) -> None:
    burning.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    usdc, wallet = burning.usdc(NEAR).address, word(WALLET)
    burning.puppet(NEAR, WALLET).send(
        tx(usdc, "approve(address,uint256)", MESSENGER, RAW),
        tx(MESSENGER, DEPOSIT.signature, RAW, 3, wallet, usdc, bytes(32), 0, 2_000),
    )
    leg, deposit = attested(burning)
    burning.claim(burning.track(leg, deposit))
    (each,) = found(burning)
    assert "USDC on the chain that Circle calls 3" == each.buy.symbol


def test_burn_of_another_token_is_told_in_base_units(burning: Burning) -> None:
    attested(burning)
    domains = burning.bridge._domains
    strange = replace(domains[NEAR], usdc=replace(domains[NEAR].usdc, address=Address(STRANGER)))
    burning.bridge._tracker._domains = {**domains, NEAR: strange}
    (each,) = found(burning)
    assert (RAW, 0, RAW) == (each.sold.raw, each.sold.token.decimals, each.sold.whole)
    assert "base units of an unknown token" == each.sold.token.symbol


def test_burn_for_a_chain_that_is_not_known_here_is_told_all_the_same(burning: Burning) -> None:
    _, deposit = attested(burning)
    known = {NEAR: burning.options().chains[NEAR]}
    burning.bridge = make(burning.options(chains=known), burning.io)
    (each,) = found(burning)
    assert (deposit.hash, RAW, RAW) == (each.deposit, each.sold.raw, each.least)
    assert ("USDC on the chain that Circle calls 6", 6) == (each.buy.symbol, each.buy.decimals)
    assert each.buy != each.sold.token


def test_burn_for_an_address_that_is_longer_stays_open(burning: Burning) -> None:
    burning.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    usdc, long = burning.usdc(NEAR).address, b"\1" * 32
    burning.puppet(NEAR, WALLET).send(
        tx(usdc, "approve(address,uint256)", MESSENGER, RAW),
        tx(MESSENGER, DEPOSIT.signature, RAW, 6, long, usdc, bytes(32), 0, 2_000),
    )
    (each,) = found(burning)
    assert RAW == each.sold.raw
    receipt = replace(attested(burning)[1], hash=each.deposit)
    logs = burning.nodes[NEAR].logs_of(each.deposit)
    silent(burning)
    told = waits(burning, burning.leg(), replace(receipt, block_hash=logs[0].block_hash))
    assert "nothing can be claimed now" in told


def test_messages_that_are_of_no_burn_are_passed_over(burning: Burning) -> None:
    send = "sendMessage(uint32,bytes32,bytes32,uint32,bytes)"
    (receipt,) = burning.puppet(NEAR, WALLET).send(
        tx(TRANSMITTER, send, 6, b"\1" * 32, bytes(32), 2_000, b"short")
    )
    other = replace(
        attested(burning)[1], hash=receipt["transactionHash"], block_hash=receipt["blockHash"]
    )
    told = burning.track(burning.leg(), other)
    assert isinstance(told, Gone)
    assert "burnt 0 times" in told.why


# Rehearsed.


@pytest.mark.parametrize("detail", ["standard", "fast"])
def test_rehearsal_appoints_an_attester_and_claims(burning: Burning, detail: str) -> None:
    leg, deposit = attested(burning, detail)
    plan = burning.bridge.rehearse(leg, deposit, STRANGER)
    assert plan is not None
    assert 0 == plan.needs.raw
    for account, call in (*plan.played, *((STRANGER, call) for call in plan.calls)):
        assert FAR == call.chain
        sender = burning.puppet(FAR, account)
        sender.send(Tx(to=call.to, input=call.data, what="rehearsing"))
    burning.mine(FAR)
    silent(burning)
    assert RAW - FAST_FEE * (detail == "fast") == arrived(burning, leg, deposit)
    assert burning.bridge.rehearse(leg, deposit, STRANGER) is None


def test_rehearsal_lowers_the_number_of_signatures_where_there_are_several(
    burning: Burning,
) -> None:
    leg, deposit = attested(burning)
    transmitter, chief = next(
        (call.to, account)
        for account, call in burning.bridge.rehearse(leg, deposit, STRANGER).played  # type: ignore[union-attr]
    )
    burning.puppet(FAR, chief).send(
        tx(transmitter, "enableAttester(address)", STRANGER),
        tx(transmitter, "setSignatureThreshold(uint256)", 2),
    )
    plan = burning.bridge.rehearse(leg, deposit, STRANGER)
    assert plan is not None
    assert 2 == len(plan.played)
    for account, call in (*plan.played, *((STRANGER, call) for call in plan.calls)):
        burning.puppet(FAR, account).send(Tx(to=call.to, input=call.data, what="rehearsing"))
    assert RAW == burning.held(FAR)


def test_rehearsal_takes_the_most_where_no_fee_is_told_any_more(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning, "fast")
    monkeypatch.setattr(burning.bridge._iris, "fees", lambda *_: {})
    plan = burning.bridge.rehearse(leg, deposit, STRANGER)
    assert plan is not None
    for account, call in (*plan.played, *((STRANGER, call) for call in plan.calls)):
        burning.puppet(FAR, account).send(Tx(to=call.to, input=call.data, what="rehearsing"))
    assert RAW - FAST_FEE * 12 // 10 == burning.held(FAR)


def test_nothing_is_rehearsed_for_a_burn_that_moved(burning: Burning) -> None:
    leg, deposit = attested(burning)
    assert burning.bridge.rehearse(leg, replace(deposit, block_hash=NOWHERE), STRANGER) is None


def test_rehearsal_needs_to_know_who_attests(
    burning: Burning, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg, deposit = attested(burning)
    monkeypatch.setattr(burning.nodes[FAR], "read", lambda reads, *_: [None] * len(reads))
    with pytest.raises(BadReply, match="does not tell who attests"):
        burning.bridge.rehearse(leg, deposit, STRANGER)
