"""Burns followed to their end on two real chains, whatever Circle's service says meanwhile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from bridges.cctp_burns import FAST_FEE, arrived, attested, silent, waits
from cctp_rig import FAR, NEAR, RAW, STRANGER, WALLET, Burning

from agent.bridges._burn_message import Burn
from agent.bridges._iris import Attested
from agent.bridges.cctp import make
from agent.core.money import Amount
from agent.errors import NoSimulator, Unavailable
from agent.ports import Act, Delivered, Waiting

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
