"""Burns over CCTP that are not what they should be, found by logs alone, and rehearsed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bridges.cctp_burns import FAST_FEE, arrived, attested, found, silent, waits
from cctp_rig import FAR, NEAR, RAW, STRANGER, WALLET, Burning

from agent.bridges._burn_message import DEPOSIT, word
from agent.bridges.cctp import make
from agent.core.money import Address
from agent.errors import BadReply, Unavailable
from agent.lab.providers.cctp import MESSENGER, TRANSMITTER
from agent.lab.puppet import Tx, tx
from agent.ports import Gone, Transfer

NOWHERE = "0x" + "77" * 32


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
