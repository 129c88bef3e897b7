"""Where the money of a real transfer is, from the first block to the last."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
from stargate_rigs import (
    CONFIRMATIONS,
    ENDPOINT,
    FACTS,
    FAR,
    NEAR,
    OTHER,
    WALLET,
    Passing,
    open_passing,
)

from agent.bridges import _stargate_evidence
from agent.bridges._stargate_offers import SEND_CALL, word
from agent.bridges._stargate_tracking import IDLE_SECONDS, LATE_SECONDS
from agent.bridges.stargate import make
from agent.core.intent import Draft, Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Meaning
from agent.errors import BadReply, Unavailable
from agent.lab.accounts import TREASURY
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.sandbox import deliver
from agent.lab.worlds import Worlds
from agent.ports import Act, Delivered, Gone, Track, Transfer, Waiting
from agent.wire.calldata import meaning

RAW = 4_150 * 10**6
OUT = 4_147_509_999
ETHER = 10**18
NOWHERE = "0x" + "77" * 32
STRANGER = Address("0x" + "57a6e" * 8)
CALL_OPTIONS = bytes.fromhex("00030100110100000000000000000000000000030d40")
"""LayerZero's options of a message with 200 000 gas."""
LATE, IDLE = 180 + LATE_SECONDS + 1, 180 + IDLE_SECONDS + 1


@pytest.fixture
def passing(chains: Worlds) -> Iterator[Passing]:
    with open_passing(chains) as opened:
        yield opened


def tracked(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> Track:
    now = passing.now(leg.sell.token.chain) + later
    return passing.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, now)


def waits(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> str:
    found = tracked(passing, leg, deposit, later)
    assert isinstance(found, Waiting), found
    assert found.until > passing.now(leg.sell.token.chain) + later
    assert found.due is None
    return found.why.replace(found.id, "0xid") if found.id else found.why


def delivered(passing: Passing, leg: Leg, deposit: Receipt) -> Amount:
    found = tracked(passing, leg, deposit)
    assert isinstance(found, Delivered), found
    assert found.block is not None
    assert found.block > 0
    return found.amount


def acts(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> tuple[Draft, str]:
    found = tracked(passing, leg, deposit, later)
    assert isinstance(found, Act), found
    assert isinstance(found.draft.payload, Call)
    return found.draft, found.why


def sent(passing: Passing, symbol: str = "USDC", raw: int = RAW) -> tuple[Leg, Receipt]:
    """The wallet has money on the near chain and sends it."""
    passing.worlds[NEAR].fund(WALLET, {symbol: raw})
    leg = passing.leg(symbol, raw)
    return leg, passing.deposit(leg)


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
