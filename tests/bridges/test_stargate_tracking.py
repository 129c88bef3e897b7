"""Where the money of a real transfer over Stargate is, from the first block to the last."""

from __future__ import annotations

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

from agent.bridges import _stargate_evidence
from agent.bridges._stargate_tracking import IDLE_SECONDS, LATE_SECONDS
from agent.core.intent import Draft, Receipt
from agent.core.money import Amount
from agent.core.plan import Leg
from agent.core.quote import Call, Meaning
from agent.lab.accounts import TREASURY
from agent.lab.puppet import Puppet, Tx, tx
from agent.ports import Act, Delivered, Gone, Waiting
from agent.wire.calldata import meaning

LATE, IDLE = 180 + LATE_SECONDS + 1, 180 + IDLE_SECONDS + 1


def acts(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> tuple[Draft, str]:
    found = tracked(passing, leg, deposit, later)
    assert isinstance(found, Act), found
    assert isinstance(found.draft.payload, Call)
    return found.draft, found.why


def perform(passing: Passing, draft: Draft, sender: str = WALLET) -> int:
    """Somebody sends a claim; the gas that it took."""
    call = draft.payload
    assert isinstance(call, Call)
    assert 0 == call.value
    puppet = passing.puppet(call.chain, sender)
    (found,) = puppet.send(Tx(to=call.to, input=call.data, what="claiming"))
    passing.worlds[call.chain].mine(CONFIRMATIONS)
    return int(found["gasUsed"], 16)


def turn(passing: Passing, seconds: int = 3) -> None:
    passing.worlds.jump(seconds)
    passing.worlds.turn()


# Delivered.


def test_transfer_is_delivered_to_the_base_unit(passing: Passing) -> None:
    leg, deposit = sent(passing)
    assert 0 == passing.held(NEAR, "USDC")
    assert (
        "4,147.51 USDC is on its way to chain 8453: its message 0xid is verified after about "
        "3 min; it can neither be taken back nor paid to anybody else"
    ) == waits(passing, leg, deposit)
    turn(passing)
    assert (
        "message 0xid was executed on chain 8453 and waits for 2 confirmations (1 now)"
    ) == waits(passing, leg, deposit)
    passing.worlds.mine()
    for _ in range(2):
        assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)
    assert OUT == passing.held(FAR, "USDC")


def test_coin_is_delivered_to_the_base_unit(passing: Passing) -> None:
    leg, deposit = sent(passing, "ETH", ETHER + 5)
    before = passing.held(FAR, "ETH")
    passing.deliver()
    out = (ETHER // 10**12 * 9_994 // 10_000 - 1) * 10**12
    assert Amount(leg.buy, out) == delivered(passing, leg, deposit)
    assert before + out == passing.held(FAR, "ETH")


def test_token_that_answers_nothing_crosses_too(passing: Passing) -> None:
    passing.worlds[NEAR].fund(WALLET, {"USDT": RAW})
    leg = passing.leg("USDT", RAW, far=OTHER)
    deposit = passing.deposit(leg)
    passing.deliver()
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)
    assert (0, OUT) == (passing.held(NEAR, "USDT"), passing.held(OTHER, "USDT"))


def test_delivery_from_long_ago_is_found(passing: Passing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stargate_evidence, "FIRST_WINDOW", 2)
    leg, deposit = sent(passing)
    passing.deliver()
    passing.worlds[FAR].mine(60)
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)


def test_state_and_logs_are_of_one_block(passing: Passing) -> None:
    leg, deposit = sent(passing)
    honest, old = passing.nodes[FAR].block, passing.nodes[FAR].block()
    passing.deliver()
    passing.nodes[FAR].block = lambda *_: old  # type: ignore[method-assign]
    assert "is on its way" in waits(passing, leg, deposit)
    passing.nodes[FAR].block = honest  # type: ignore[method-assign]
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)


def test_delivery_whose_log_nobody_shows_is_waited_for(passing: Passing) -> None:
    leg, deposit = sent(passing)
    passing.deliver()
    passing.nodes[FAR].logs = lambda _query: ()  # type: ignore[method-assign]
    wanted = "message 0xid was executed on chain 8453; no node has shown the log of its payout yet"
    assert wanted == waits(passing, leg, deposit)


def test_search_for_a_log_ends_well_before_the_transfer(
    passing: Passing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_stargate_evidence, "FIRST_WINDOW", 1)
    passing.worlds.jump(86_400)
    passing.worlds.mine(3)
    leg, deposit = sent(passing)
    passing.deliver()
    asked: list[int] = []
    passing.nodes[FAR].logs = lambda query: asked.append(query.first) or ()  # type: ignore[method-assign,func-returns-value]
    assert "no node has shown the log" in waits(passing, leg, deposit)
    assert min(asked) > 0


def test_delivery_that_is_reorganised_away_is_under_way_again(passing: Passing) -> None:
    leg, deposit = sent(passing)
    snapshot = passing.worlds[FAR].snapshot()
    passing.deliver()
    assert isinstance(tracked(passing, leg, deposit), Delivered)
    passing.worlds[FAR].revert(snapshot)
    assert "is on its way" in waits(passing, leg, deposit)
    passing.worlds[FAR].mine(7)
    passing.deliver()
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)


def test_two_transfers_of_one_amount_are_told_apart(passing: Passing) -> None:
    leg, first = sent(passing)
    _, second = sent(passing)
    assert 2 == len(passing.bridge.find(WALLET, {NEAR: 0}))
    passing.deliver()
    assert Amount(leg.buy, OUT) == delivered(passing, leg, first)
    assert Amount(leg.buy, OUT) == delivered(passing, leg, second)
    assert 2 * OUT == passing.held(FAR, "USDC")


def test_delivery_after_which_nothing_came_is_gone(passing: Passing) -> None:
    leg, deposit = sent(passing)
    passing.deliver()
    passing.nodes[FAR].received = lambda *_: (OUT - 1, 0)  # type: ignore[method-assign]
    found = tracked(passing, leg, deposit)
    assert isinstance(found, Gone)
    assert "and nothing came to your wallet" in found.why


# Late, never, and finished by the wallet itself.


def test_transfer_that_nobody_verifies_waits_and_says_so(passing: Passing) -> None:
    passing.tell("mode", "never")
    leg, deposit = sent(passing)
    turn(passing, 7_200)
    why = waits(passing, leg, deposit)
    assert "4,147.51 USDC is late to chain 8453: its message 0xid is verified after" in why
    (found,) = passing.bridge.find(WALLET, {NEAR: 0})
    assert (deposit.hash, None) == (found.deposit, found.due)


def test_late_transfer_arrives_all_the_same(passing: Passing) -> None:
    passing.tell("mode", "late")
    leg, deposit = sent(passing)
    turn(passing)
    assert "is on its way" in waits(passing, leg, deposit)
    turn(passing, 60)
    passing.worlds.mine(CONFIRMATIONS)
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)


@pytest.mark.parametrize(("symbol", "raw"), [("USDC", RAW), ("ETH", ETHER)])
def test_verified_message_that_nobody_executes_is_executed_by_the_wallet(
    passing: Passing, symbol: str, raw: int
) -> None:
    passing.tell("mode", "verified")
    leg, deposit = sent(passing, symbol, raw)
    out = passing.quote(leg).amount_out
    turn(passing)
    why = waits(passing, leg, deposit)
    assert "on chain 8453 is verified, and is executed any moment (0xid)" in why
    assert "is executed any moment" in waits(passing, leg, deposit, IDLE - 60)
    draft, why = acts(passing, leg, deposit, IDLE)
    assert why.endswith("; your wallet does, which costs gas there")
    assert ("claim", FAR, None) == (draft.purpose, draft.chain, draft.moves)
    said = meaning(draft.payload, passing.bridge.layouts, account=WALLET)  # type: ignore[arg-type]
    assert isinstance(said, Meaning)
    assert (ENDPOINT, "lzReceive", None) == (said.target, said.name, said.recipient)
    assert ENDPOINT in passing.bridge.targets(FAR)
    before = passing.held(FAR, symbol, STRANGER)
    used = perform(passing, draft, sender=TREASURY)
    assert draft.gas_limit > 2 * used
    assert before == passing.held(FAR, symbol, STRANGER)
    assert Amount(leg.buy, out) == delivered(passing, leg, deposit)


def test_message_that_waits_for_an_earlier_one_is_waited_for(passing: Passing) -> None:
    passing.tell("mode", "never")
    sent(passing)
    leg, second = sent(passing, "USDC", RAW // 2)
    delivery = passing.bridge.rehearse(leg, second, STRANGER)
    assert delivery is not None
    _, (library, verification) = delivery.played
    sender = passing.puppet(FAR, library)
    sender.send(Tx(to=verification.to, input=verification.data, what="verifying"))
    why = waits(passing, leg, second, IDLE)
    assert "nobody has executed it (0xid); it cannot be paid out now, by anybody" in why
    assert "executed any moment" in waits(passing, leg, second)


def test_payout_that_the_pool_could_not_make_is_retried_by_the_wallet(passing: Passing) -> None:
    leg, deposit = sent(passing)
    usdc = leg.buy.address
    treasury = Puppet(passing.worlds[FAR].rpc, TREASURY)
    treasury.send(tx(usdc, "blacklist(address)", WALLET))
    turn(passing)
    why = waits(passing, leg, deposit)
    assert (
        "Stargate's pool on chain 8453 could not pay 4,147.51 USDC out (message 0xid); it cannot "
        "be paid out now, by anybody, and is tried again"
    ) == why
    (found,) = passing.bridge.find(WALLET, {NEAR: 0})
    assert OUT == found.least
    treasury.send(tx(usdc, "unBlacklist(address)", WALLET))
    draft, _ = acts(passing, leg, deposit)
    said = meaning(draft.payload, passing.bridge.layouts, account=WALLET)  # type: ignore[arg-type]
    assert isinstance(said, Meaning)
    assert (FACTS[FAR]["pools"]["USDC"], WALLET) == (said.target, said.recipient)
    assert draft.gas_limit > 2 * perform(passing, draft)
    assert Amount(leg.buy, OUT) == delivered(passing, leg, deposit)
    assert () == passing.bridge.find(WALLET, {NEAR: 0})


def test_message_that_was_taken_back_must_be_verified_anew(passing: Passing) -> None:
    passing.tell("mode", "verified")
    leg, deposit = sent(passing)
    turn(passing)
    made = passing.bridge._tracker._evidence.passage_of(leg, deposit)
    assert made is not None
    assert not isinstance(made, str)
    packet = made.packet
    treasury = Puppet(passing.worlds[FAR].rpc, TREASURY)
    treasury.send(
        tx(
            ENDPOINT,
            "nilify(address,uint32,bytes32,uint64,bytes32)",
            *(FACTS[FAR]["messaging"], packet.source, packet.sender),
            *(packet.nonce, packet.payload_hash),
        )
    )
    assert "its message 0xid must be verified anew" in waits(passing, leg, deposit, LATE)


def test_looks_become_fewer_the_longer_it_takes(passing: Passing) -> None:
    passing.tell("mode", "never")
    leg, deposit = sent(passing)
    at = passing.now()
    pauses = []
    for later in (0, 40, 160, LATE):
        found = tracked(passing, leg, deposit, later)
        assert isinstance(found, Waiting)
        pauses.append(found.until - at - later)
    assert [2, 5, 15, 15] == pauses
