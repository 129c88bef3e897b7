"""What every node promises, on each chain that the tests can make."""

from __future__ import annotations

import pytest
from conformance.nodes import (
    STRANGER,
    TIP,
    Harness,
    mined,
    native,
    pay,
    transfer,
)

from agent.core.log import LogQuery
from agent.core.money import Address, ChainId, Token
from agent.errors import BadReply, StaleHead, Unavailable
from agent.ports import Read
from agent.wire.abi import functions
from agent.wire.events import events

UNKNOWN_HASH = "0x" + "77" * 32
TRANSFER = events("erc20")["Transfer"]
DECIMALS = functions("erc20")["decimals()"].encode()


# Holdings


def test_snapshot_has_every_balance_at_one_block(on: Harness) -> None:
    coin, token, other = native(on.chain), on.token(1_000_000), on.token(5)
    taken = on.node.snapshot(on.account, [coin, token, other])
    assert {coin: 10**18, token: 1_000_000, other: 5} == dict(taken.balances)
    assert (on.chain, on.account, (), "") == (
        taken.chain,
        taken.account,
        taken.unreadable,
        taken.code_hash,
    )
    assert on.node.block(taken.block.number) == taken.block


def test_snapshot_without_the_native_coin_has_only_tokens(on: Harness) -> None:
    token = on.token(3)
    assert {token: 3} == dict(on.node.snapshot(on.account, [token]).balances)


def test_snapshot_lists_what_cannot_be_read_and_never_as_zero(on: Harness) -> None:
    token, unreadable = on.token(7), on.unreadable()
    taken = on.node.snapshot(on.account, [unreadable[0], token, *unreadable[1:]])
    assert {token: 7} == dict(taken.balances)
    assert tuple(unreadable) == taken.unreadable


def test_snapshot_shows_code_of_the_account(on: Harness) -> None:
    token = on.token(1)
    taken = on.node.snapshot(token.address, [token])
    assert on.node.code_hashes([token.address])[token.address] == taken.code_hash
    assert 66 == len(taken.code_hash)


def test_snapshot_of_tokens_of_another_chain_is_refused(on: Harness) -> None:
    token = on.token(1)
    foreign = Token(ChainId(on.chain + 1), token.address, 6, "TEST")
    with pytest.raises(ValueError, match="another chain"):
        on.node.snapshot(on.account, [foreign])


def test_balances_are_those_of_the_block_asked_for(on: Harness) -> None:
    coin, token = native(on.chain), on.token(100)
    before = on.node.block().number
    mined(on, transfer(token, STRANGER, 30), 0)
    after = on.node.block().number
    assert {coin: 10**18, token: 100} == dict(on.node.balances(on.account, [coin, token], before))
    assert {token: 70} == dict(on.node.balances(on.account, [token], after))


def test_balance_that_cannot_be_read_is_an_error(on: Harness) -> None:
    for token in on.unreadable():
        with pytest.raises(BadReply, match=token.address):
            on.node.balances(on.account, [token], on.node.block().number)


def test_code_hash_is_empty_without_code(on: Harness) -> None:
    token = on.token(1)
    found = on.node.code_hashes([on.account, token.address])
    assert ("", 66) == (found[on.account], len(found[token.address]))


# Reads and blocks


def test_read_answers_in_order_and_none_for_a_failed_call(on: Harness) -> None:
    token = on.token(1)
    reverting = next(t for t in on.unreadable() if t.address not in (STRANGER, token.address))
    calls = [
        Read(token.address, DECIMALS),
        Read(reverting.address, DECIMALS),
        Read(STRANGER, DECIMALS),
        Read(token.address, functions("erc20")["balanceOf(address)"].encode(on.account)),
    ]
    six, failed, nothing, one = on.node.read(calls)
    assert (6, None, b"", 1) == (_number(six), failed, nothing, _number(one))


def test_read_of_nothing_asks_nobody(on: Harness) -> None:
    before = on.node.requests
    assert () == on.node.read([])
    assert before == on.node.requests


def test_read_looks_at_the_block_asked_for(on: Harness) -> None:
    token = on.token(100)
    before = on.node.block().number
    mined(on, transfer(token, STRANGER, 30), 0)
    balance = Read(token.address, functions("erc20")["balanceOf(address)"].encode(on.account))
    assert (100, 70) == (
        _number(on.node.read([balance], before)[0]),
        _number(on.node.read([balance])[0]),
    )


def test_blocks_are_linked_by_their_parents(on: Harness) -> None:
    on.mine(2)
    head = on.node.block()
    parent = on.node.block(head.number - 1)
    assert (head.number - 1, parent.hash) == (parent.number, head.parent_hash)
    assert parent.timestamp <= head.timestamp
    assert on.node.block("finalized").number <= head.number


def test_block_that_is_not_there_is_an_error(on: Harness) -> None:
    with pytest.raises(Unavailable):
        on.node.block(on.node.block().number + 1000)


def test_fees_are_what_a_transaction_needs(on: Harness) -> None:
    quote = on.node.fees()
    assert quote.priority_fee_per_gas >= 1
    signed = on.sign(pay(on.chain, STRANGER, 1), 0, tip=quote.priority_fee_per_gas)
    assert on.node.send(signed.raw).accepted
    on.mine()
    assert on.node.sight(on.account, [signed.hash]).receipts[0] is not None


def test_every_call_has_a_fee_for_data_if_only_of_nothing(on: Harness) -> None:
    calls = [(pay(on.chain, STRANGER, number), 21_000) for number in range(3)]
    assert 3 == len(on.node.l1_fees(calls))
    assert () == on.node.l1_fees([])
    assert all(fee.wei >= 0 and fee.gas >= 0 for fee in on.node.l1_fees(calls))


# Transactions


def test_mined_transaction_is_seen_with_its_receipt_and_fee(on: Harness) -> None:
    before = on.node.sight(on.account, [])
    assert (0, ()) == (before.nonce, before.receipts)
    hashed = mined(on, pay(on.chain, STRANGER, 1000), 0)
    seen = on.node.sight(on.account, [hashed])
    (receipt,) = seen.receipts
    assert receipt is not None
    assert (hashed, True, 21_000, 1, (True,)) == (
        receipt.hash,
        receipt.ok,
        receipt.gas_used,
        seen.nonce,
        seen.known,
    )
    assert on.node.block(receipt.block_number).hash == receipt.block_hash
    left = on.node.balances(on.account, [native(on.chain)], receipt.block_number)
    assert 10**18 - 1000 - receipt.fee == left[native(on.chain)]
    assert receipt.fee >= 21_000 * TIP


def test_reverted_transaction_is_mined_and_not_ok(on: Harness) -> None:
    token = on.token(10)
    signed = on.sign(transfer(token, STRANGER, 11), 0)
    assert on.node.send(signed.raw).accepted
    on.mine()
    seen = on.node.sight(on.account, [signed.hash])
    assert (False, 1) == (seen.receipts[0] and seen.receipts[0].ok, seen.nonce)
    assert (0, 0) == on.node.received(on.account, token, signed.hash)


def test_unknown_transaction_has_no_receipt(on: Harness) -> None:
    hashed = mined(on, pay(on.chain, STRANGER, 1), 0)
    seen = on.node.sight(on.account, [UNKNOWN_HASH, hashed])
    assert ((False, True), None) == (seen.known, seen.receipts[0])
    assert seen.receipts[1] is not None


def test_same_bytes_twice_act_once(on: Harness) -> None:
    token = on.token(100)
    signed = on.sign(transfer(token, STRANGER, 30), 0)
    assert on.node.send(signed.raw).accepted
    on.mine()
    again = on.node.send(signed.raw)
    on.mine()
    assert not again.accepted
    assert again.said
    head = on.node.block().number
    assert {token: 70} == dict(on.node.balances(on.account, [token], head))
    assert 1 == on.node.sight(on.account, [signed.hash]).nonce


def test_bytes_that_are_no_transaction_are_an_unknown_with_the_nodes_words(on: Harness) -> None:
    sent = on.node.send("0x02c0")
    assert not sent.accepted
    assert 0 < len(sent.said) <= 200


def test_transaction_that_the_account_cannot_pay_for_is_not_taken(on: Harness) -> None:
    signed = on.sign(pay(on.chain, STRANGER, 10**18), 0)
    sent = on.node.send(signed.raw)
    on.mine()
    assert not sent.accepted
    assert sent.said
    seen = on.node.sight(on.account, [signed.hash])
    assert ((None,), 0) == (seen.receipts, seen.nonce)


def test_call_of_an_account_without_code_succeeds_and_does_nothing(on: Harness) -> None:
    nowhere = Token(on.chain, STRANGER, 18, "NONE")
    hashed = mined(on, transfer(nowhere, on.account, 5), 0)
    (receipt,) = on.node.sight(on.account, [hashed]).receipts
    assert receipt is not None
    assert receipt.ok
    assert (0, 0) == on.node.received(on.account, nowhere, hashed)


def test_pending_nonce_counts_mined_transactions(on: Harness) -> None:
    assert 0 == on.node.pending_nonce(on.account)
    mined(on, pay(on.chain, STRANGER, 1), 0)
    assert 1 == on.node.pending_nonce(on.account)


def test_old_receipt_stands_on_the_chain(on: Harness) -> None:
    hashed = mined(on, pay(on.chain, STRANGER, 1), 0)
    on.mine(4)
    first, second = (on.node.sight(on.account, [hashed]).receipts[0] for _ in range(2))
    assert first is not None
    assert first == second


# Transfers


def test_received_counts_what_the_tokens_own_logs_say(on: Harness) -> None:
    token, other = on.token(100), on.token(50)
    out = mined(on, transfer(token, STRANGER, 30), 0)
    assert (0, 30) == on.node.received(on.account, token, out)
    assert (30, 0) == on.node.received(STRANGER, token, out)
    assert (0, 0) == on.node.received(on.account, other, out)
    to_self = mined(on, transfer(token, on.account, 5), 1)
    assert (5, 5) == on.node.received(on.account, token, to_self)


def test_received_of_an_unknown_transaction_is_an_error(on: Harness) -> None:
    with pytest.raises(Unavailable):
        on.node.received(on.account, on.token(1), UNKNOWN_HASH)


def test_received_of_the_native_coin_has_no_answer(on: Harness) -> None:
    with pytest.raises(ValueError, match="native"):
        on.node.received(on.account, native(on.chain), UNKNOWN_HASH)


# Logs


def test_logs_are_those_of_the_contract_the_topics_and_the_blocks(on: Harness) -> None:
    token, other = on.token(100), on.token(50)
    first = on.node.block().number + 1
    out = mined(on, transfer(token, STRANGER, 30), 0)
    self = mined(on, transfer(token, on.account, 5), 1)
    mined(on, transfer(other, STRANGER, 1), 2)
    last = on.node.block().number

    def found(*, since: int = first, until: int = last, **wanted: Address) -> list[str]:
        topics = TRANSFER.topics(**wanted)
        query = LogQuery(address=token.address, topics=topics, first=since, last=until)
        return [log.transaction for log in on.node.logs(query)]

    assert [out, self] == found()
    assert [out] == found(to=STRANGER)
    assert [self] == found(**{"from": on.account, "to": on.account})
    assert [] == found(to=token.address)
    assert [out] == found(until=first)
    assert [] == found(since=last + 1, until=last)
    assert [] == found(since=last, until=last)


def test_logs_of_a_transaction_are_its_own(on: Harness) -> None:
    token = on.token(100)
    hashed = mined(on, transfer(token, STRANGER, 30), 0)
    (receipt,) = on.node.sight(on.account, [hashed]).receipts
    assert receipt is not None
    (log,) = on.node.logs_of(hashed)
    assert (token.address, hashed) == (log.address, log.transaction)
    assert (receipt.block_number, receipt.block_hash) == (log.block_number, log.block_hash)
    assert {"from": on.account, "to": STRANGER, "value": 30} == TRANSFER.decode(log)
    whole_block = LogQuery(
        address=token.address,
        topics=TRANSFER.topics(),
        first=log.block_number,
        last=log.block_number,
    )
    assert (log,) == on.node.logs(whole_block)


def test_logs_of_an_unknown_transaction_are_an_error(on: Harness) -> None:
    with pytest.raises(Unavailable):
        on.node.logs_of(UNKNOWN_HASH)


def test_logs_of_blocks_that_are_not_there_are_an_error(on: Harness) -> None:
    head = on.node.block().number
    beyond = LogQuery(address=STRANGER, topics=(), first=head, last=head + 1)
    with pytest.raises(StaleHead):
        on.node.logs(beyond)


def _number(answer: bytes | None) -> int:
    assert answer is not None
    return int.from_bytes(answer, "big")
