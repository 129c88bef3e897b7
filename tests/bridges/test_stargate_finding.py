"""Transfers over Stargate that are not what the leg says, found by logs alone, and rehearsed."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
from bridges.stargate_passages import ETHER, OUT, RAW, STRANGER, delivered, sent, tracked, waits
from stargate_rigs import (
    CONFIRMATIONS,
    ENDPOINT,
    FACTS,
    FAR,
    NEAR,
    OTHER,
    WALLET,
    Passing,
)

from agent.bridges._stargate_offers import SEND_CALL, word
from agent.bridges.stargate import make
from agent.core.log import Log, LogQuery
from agent.core.money import Amount, ChainId
from agent.core.plan import Leg, Sell
from agent.core.quote import Call
from agent.errors import BadReply, Unavailable
from agent.lab.sandbox import deliver
from agent.ports import Gone, Transfer, Waiting

NOWHERE = "0x" + "77" * 32
CALL_OPTIONS = bytes.fromhex("00030100110100000000000000000000000000030d40")
"""LayerZero's options of a message with 200 000 gas."""


# Transfers that are not what the leg says.


def test_transfer_in_another_block_is_waited_for(passing: Passing) -> None:
    leg, deposit = sent(passing)
    elsewhere = replace(deposit, block_hash=NOWHERE)
    assert "the transfer is not where it was mined" == waits(passing, leg, elsewhere)


def test_transfer_that_the_node_does_not_have_is_no_loss(passing: Passing) -> None:
    leg, deposit = sent(passing)
    with pytest.raises(Unavailable):
        tracked(passing, leg, replace(deposit, hash=NOWHERE))


def test_transaction_without_this_transfer_is_gone(passing: Passing) -> None:
    leg, deposit = sent(passing)
    for other in (passing.leg("ETH", RAW), passing.leg("USDC", RAW, far=OTHER)):
        found = tracked(passing, other, deposit)
        assert isinstance(found, Gone)
        assert f"transaction {deposit.hash} made" in found.why
    assert isinstance(tracked(passing, leg, deposit), Waiting)


def test_transfer_over_a_chain_that_is_not_known_any_more_is_waited_for(passing: Passing) -> None:
    leg, deposit = sent(passing)
    options = passing.options()
    near = {NEAR: options.chains[NEAR]}
    bridge = make(replace(options, chains=near), passing.io)
    found = bridge.track(leg, deposit, RAW, 0, passing.now())
    assert isinstance(found, Waiting)
    assert "chains.toml says nothing of Stargate's USDC on both chains" == found.why


def test_transfer_to_another_contract_than_stargate_s_is_gone(passing: Passing) -> None:
    leg, deposit = sent(passing)
    facts = deepcopy(FACTS)
    facts[FAR]["messaging"] = facts[OTHER]["messaging"]
    bridge = make(passing.options(facts), passing.io)
    found = bridge.track(leg, deposit, RAW, 0, passing.now())
    assert isinstance(found, Gone)
    assert found.why.endswith("made 0 transfers for this leg")


def test_transfer_that_calls_a_contract_is_none_of_ours(passing: Passing) -> None:
    passing.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    leg = passing.leg("USDC", RAW)
    quote = passing.quote(leg)
    called = (FACTS[FAR]["eid"], word(WALLET), RAW, OUT, CALL_OPTIONS, b"\x01", b"")
    data = SEND_CALL.encode(called, (quote.fee, 0), WALLET)
    assert isinstance(quote.payload, Call)
    deposit = passing.deposit(leg, quote=replace(quote, payload=replace(quote.payload, data=data)))
    assert () == passing.bridge.find(WALLET, {NEAR: 0})
    assert isinstance(tracked(passing, leg, deposit), Gone)


def test_log_that_cannot_be_read_is_a_bad_reply(passing: Passing) -> None:
    leg, deposit = sent(passing)
    logs = passing.nodes[NEAR].logs_of(deposit.hash)
    cut = tuple(replace(log, data=log.data + b"\0") for log in logs)
    passing.nodes[NEAR].logs_of = lambda _hash: cut  # type: ignore[method-assign]
    with pytest.raises(BadReply, match="cannot be read"):
        tracked(passing, leg, deposit)


def test_payout_of_another_amount_is_not_this_one(passing: Passing) -> None:
    leg, deposit = sent(passing)
    passing.deliver()
    honest = passing.nodes[FAR].logs

    def less(query: LogQuery) -> tuple[Log, ...]:
        one = (1).to_bytes(32, "big")
        return tuple(replace(log, data=log.data[:32] + one) for log in honest(query))

    passing.nodes[FAR].logs = less  # type: ignore[method-assign]
    assert "no node has shown the log" in waits(passing, leg, deposit)


def test_transfer_of_another_amount_is_gone(passing: Passing) -> None:
    leg, deposit = sent(passing)
    found = passing.bridge.track(leg, deposit, RAW - 1, 0, passing.now())
    assert isinstance(found, Gone)
    assert found.why.endswith(f"is of {RAW} base units, not {RAW - 1}")


def test_contract_that_does_not_tell_its_state_is_a_bad_reply(passing: Passing) -> None:
    leg, deposit = sent(passing)
    passing.nodes[FAR].read = lambda reads, *_: (None,) * len(reads)  # type: ignore[method-assign]
    with pytest.raises(BadReply, match="do not tell what arrived"):
        tracked(passing, leg, deposit)


# Found by logs alone.


def test_unfinished_transfer_is_found_by_logs_alone(passing: Passing) -> None:
    first = passing.nodes[NEAR].block().number
    assert () == passing.bridge.find(WALLET, {NEAR: first})
    leg, deposit = sent(passing)
    (found,) = passing.bridge.find(WALLET, {NEAR: first, ChainId(10): 0})
    assert isinstance(found, Transfer)
    assert ("stargate", leg.planned_sell, leg.buy, OUT) == (
        found.via,
        found.sold,
        found.buy,
        found.least,
    )
    assert (deposit.hash, deposit.block_number, None) == (found.deposit, found.block, found.due)
    assert () == passing.bridge.find(STRANGER, {NEAR: first})
    assert () == passing.bridge.find(WALLET, {NEAR: deposit.block_number + 1})
    assert () == passing.bridge.find(WALLET, {FAR: 0})
    again = leg_of(found)
    assert isinstance(tracked(passing, again, deposit), Waiting)
    passing.deliver()
    assert Amount(leg.buy, OUT) == delivered(passing, again, deposit)
    assert () == passing.bridge.find(WALLET, {NEAR: first})


def leg_of(found: Transfer) -> Leg:
    return Leg(
        id="1",
        kind="bridge",
        via=found.via,
        sell=Sell(found.sold.token, found.sold.raw),
        buy=found.buy,
        expected_out=found.least,
        min_buy=found.least,
    )


def test_transfer_to_somebody_else_is_not_the_wallet_s(passing: Passing) -> None:
    passing.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    leg = passing.leg("USDC", RAW)
    passing.deposit(leg, quote=passing.quote(leg, STRANGER))
    assert () == passing.bridge.find(WALLET, {NEAR: 0})
    assert () == passing.bridge.find(STRANGER, {NEAR: 0})


def test_transfer_to_a_chain_that_is_not_known_is_found(passing: Passing) -> None:
    _, deposit = sent(passing)
    options = passing.options()
    chains = {NEAR: options.chains[NEAR]}
    bridge = make(replace(options, chains=chains), passing.io)
    (found,) = bridge.find(WALLET, {NEAR: 0})
    assert (deposit.hash, OUT, "base units of an unknown token") == (
        found.deposit,
        found.least,
        found.buy.symbol,
    )


# Rehearsed.


@pytest.mark.parametrize(("symbol", "raw"), [("USDC", RAW), ("ETH", ETHER)])
def test_rehearsal_plays_the_verifiers_and_nobody_else(
    passing: Passing, symbol: str, raw: int
) -> None:
    passing.tell("mode", "never")
    sent(passing)
    leg, deposit = sent(passing, symbol, raw)
    delivery = passing.bridge.rehearse(leg, deposit, STRANGER)
    assert delivery is not None
    (library,) = passing.puppet(FAR).read(
        ENDPOINT, "defaultReceiveLibrary(uint32)", "(address)", FACTS[NEAR]["eid"]
    )
    assert [library, library] == [account for account, _ in delivery.played]
    assert 0 == delivery.needs.raw
    deliver(passing.worlds[FAR].url, delivery)
    passing.worlds[FAR].mine(CONFIRMATIONS)
    out = passing.quote(leg).amount_out
    assert Amount(leg.buy, out) == delivered(passing, leg, deposit)
    assert None is passing.bridge.rehearse(leg, deposit, STRANGER)


def test_nothing_is_rehearsed_where_nothing_was_sent(passing: Passing) -> None:
    leg, deposit = sent(passing)
    elsewhere = replace(deposit, block_hash=NOWHERE)
    assert None is passing.bridge.rehearse(leg, elsewhere, STRANGER)
