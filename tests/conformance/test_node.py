"""What every node promises, on each chain that the tests can make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.eth_tester_server import EthTester, serve
from conformance.nodes import (
    MAX_FEE,
    STRANGER,
    TIP,
    Harness,
    OnAnvil,
    OnEthTester,
    OnPaper,
    Whole,
    call,
    native,
    pay,
    transfer,
)

from agent.core.log import LogQuery
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.quote import Allowance, Call
from agent.errors import BadReply, NoSimulator, StaleHead, Unavailable
from agent.lab.compiled import compiled_contracts
from agent.lab.contracts import Artifact
from agent.lab.world import World
from agent.ports import Read
from agent.wire.abi import functions
from agent.wire.events import events

UNKNOWN_HASH = "0x" + "77" * 32
TRANSFER = events("erc20")["Transfer"]
DECIMALS = functions("erc20")["decimals()"].encode()
PLENTY = 200_000


@pytest.fixture(scope="session")
def own(lab_cache: Path) -> dict[str, Artifact]:
    return compiled_contracts(lab_cache)


@pytest.fixture(scope="session")
def eth_tester() -> Iterator[EthTester]:
    with serve(EthTester()) as tester:
        yield tester


@pytest.fixture
def anvil(chain: World, own: dict[str, Artifact]) -> Iterator[OnAnvil]:
    on = OnAnvil(chain, own)
    yield on
    on.node.close()


@pytest.fixture
def in_process(eth_tester: EthTester, own: dict[str, Artifact]) -> Iterator[OnEthTester]:
    on = OnEthTester(eth_tester, own)
    yield on
    on.node.close()


@pytest.fixture
def paper() -> OnPaper:
    return OnPaper()


@pytest.fixture(params=["anvil", "in_process", "paper"])
def on(request: pytest.FixtureRequest) -> Harness:
    """Each chain in turn."""
    found: Harness = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["anvil", "paper"])
def whole(request: pytest.FixtureRequest) -> Whole:
    """Each chain in turn that can do everything."""
    found: Whole = request.getfixturevalue(request.param)
    return found


def mined(on: Harness, call_: Call, nonce: int) -> str:
    """Send one call of the account and see it in a block."""
    signed = on.sign(call_, nonce)
    assert on.node.send(signed.raw).accepted
    on.mine()
    (receipt,) = on.node.sight(on.account, [signed.hash]).receipts
    assert receipt is not None
    return signed.hash


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


# Chains that finalize, take blocks back, or hold transactions in a pool


def test_finality_follows_the_head(whole: Whole) -> None:
    hashed = mined(whole, pay(whole.chain, STRANGER, 1), 0)
    fresh = whole.node.sight(whole.account, [hashed])
    whole.mine(5)
    old = whole.node.sight(whole.account, [hashed])
    (receipt,) = old.receipts
    assert receipt is not None
    assert fresh.finalized < receipt.block_number <= old.finalized <= old.head.number
    assert (0, 1, 1) == (fresh.nonce_final, old.nonce_final, old.nonce)


def test_reorganised_receipt_is_gone(whole: Whole) -> None:
    hashed = mined(whole, pay(whole.chain, STRANGER, 1), 0)
    whole.mine(2)
    seen = whole.node.sight(whole.account, [hashed])
    assert seen.receipts[0] is not None
    whole.reorg(seen.head.number - seen.receipts[0].block_number + 1)
    seen = whole.node.sight(whole.account, [hashed])
    assert ((None,), 0) == (seen.receipts, seen.nonce)


def test_transaction_in_the_pool_is_known_and_not_mined(whole: Whole) -> None:
    whole.hold()
    signed = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    assert whole.node.send(signed.raw).accepted
    seen = whole.node.sight(whole.account, [signed.hash])
    assert ((None,), (True,), 0) == (seen.receipts, seen.known, seen.nonce)
    assert 1 == whole.node.pending_nonce(whole.account)


def test_replaced_transaction_is_found_by_the_hash_that_was_mined(whole: Whole) -> None:
    whole.hold()
    first = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    second = whole.sign(pay(whole.chain, STRANGER, 1), 0, tip=2 * TIP, max_fee=2 * MAX_FEE)
    assert [True, True] == [whole.node.send(each.raw).accepted for each in (first, second)]
    whole.mine()
    seen = whole.node.sight(whole.account, [first.hash, second.hash])
    assert [True, False] == [receipt is None for receipt in seen.receipts]


def test_replacement_that_offers_no_more_is_not_taken(whole: Whole) -> None:
    whole.hold()
    first = whole.sign(pay(whole.chain, STRANGER, 1), 0)
    same = whole.sign(pay(whole.chain, STRANGER, 2), 0)
    assert [True, False] == [whole.node.send(each.raw).accepted for each in (first, same)]
    whole.mine()
    seen = whole.node.sight(whole.account, [first.hash, same.hash])
    assert [False, True] == [receipt is None for receipt in seen.receipts]


def test_wrapping_counts_as_receiving(whole: Whole) -> None:
    weth = whole.wrapped
    wrap = Call(whole.chain, weth.address, 70, "0xd0e30db0")
    assert (70, 0) == whole.node.received(whole.account, weth, mined(whole, wrap, 0))
    unwrap = call(weth, "withdraw(uint256)", 30)
    assert (0, 30) == whole.node.received(whole.account, weth, mined(whole, unwrap, 1))


# Simulation


def test_simulation_shows_deltas_allowances_and_gas_and_changes_nothing(whole: Whole) -> None:
    coin, token = native(whole.chain), whole.token(100)
    calls = [
        (transfer(token, STRANGER, 30), PLENTY),
        (call(token, "approve(address,uint256)", STRANGER, 9), PLENTY),
        (pay(whole.chain, STRANGER, 12_345), 21_000),
    ]
    spender = Allowance(STRANGER, Amount(token, 9))
    done = whole.node.simulate(whole.account, calls, [coin, token], [spender])
    assert (True, {coin: -12_345, token: -30}, (9,), None) == (
        done.ok,
        dict(done.deltas),
        done.allowances,
        done.reverted,
    )
    assert 21_000 == done.gas_used[2]
    assert all(21_000 < gas < PLENTY for gas in done.gas_used[:2])
    assert {coin: 10**18, token: 100} == dict(
        whole.node.snapshot(whole.account, [coin, token]).balances
    )


def test_simulated_gas_is_what_the_transaction_uses(whole: Whole) -> None:
    token = whole.token(100)
    done = whole.node.simulate(
        whole.account, [(transfer(token, STRANGER, 30), PLENTY)], [token], []
    )
    hashed = mined(whole, transfer(token, STRANGER, 30), 0)
    (receipt,) = whole.node.sight(whole.account, [hashed]).receipts
    assert receipt is not None
    assert (receipt.gas_used,) == done.gas_used


def test_simulation_names_the_first_call_that_fails_and_why(whole: Whole) -> None:
    token = whole.token(100)
    panics = transfer(token, STRANGER, 101)
    says = call(token, "mint(address,uint256)", whole.account, 1)
    fine = transfer(token, STRANGER, 1)
    first = whole.node.simulate(
        whole.account, [(fine, PLENTY), (says, PLENTY), (panics, PLENTY)], [token], []
    )
    assert (False, (1, "only the owner mints"), {token: -1}) == (
        first.ok,
        first.reverted,
        dict(first.deltas),
    )


def test_simulation_goes_on_after_a_call_that_fails(whole: Whole) -> None:
    token = whole.token(100)
    calls = [(transfer(token, STRANGER, raw), PLENTY) for raw in (101, 7)]
    done = whole.node.simulate(whole.account, calls, [token], [])
    assert (False, {token: -7}, 2) == (done.ok, dict(done.deltas), len(done.gas_used))


def test_simulation_holds_a_call_to_its_gas_limit(whole: Whole) -> None:
    token = whole.token(100)
    done = whole.node.simulate(whole.account, [(transfer(token, STRANGER, 7), 25_000)], [token], [])
    assert (False, 0, {token: 0}, (25_000,)) == (
        done.ok,
        done.reverted and done.reverted[0],
        dict(done.deltas),
        done.gas_used,
    )


def test_simulation_without_a_reason_says_so(whole: Whole) -> None:
    mute = whole.unreadable()[1]
    done = whole.node.simulate(whole.account, [(call(mute, "x(uint256)", 1), PLENTY)], [], [])
    assert (False, 0) == (done.ok, done.reverted and done.reverted[0])
    assert done.reverted is not None
    assert done.reverted[1]


def test_simulation_of_an_account_that_cannot_pay_is_a_refusal(whole: Whole) -> None:
    poor = Address("0x" + "99" * 20)
    done = whole.node.simulate(poor, [(pay(whole.chain, STRANGER, 1), 21_000)], [], [])
    assert not done.ok
    assert done.reverted is not None
    assert "nsufficient funds" in done.reverted[1]


def test_simulation_cannot_be_told_by_its_prices(anvil: OnAnvil) -> None:
    # BASEFEE GASPRICE MUL ISZERO, jump over STOP: only then send the caller one wei.
    trap = anvil.contract("0x483a0215600857005b5f5f5f5f6001335af100")
    anvil.world.fund(trap.address, {"ETH": 10})
    lure = call(trap, "x(uint256)", 1)
    ours = anvil.node.simulate(anvil.account, [(lure, PLENTY)], [native(anvil.chain)], [])
    assert (True, {native(anvil.chain): 0}) == (ours.ok, dict(ours.deltas))
    # The trap works: a rehearsal without prices is promised the wei.
    fields = {"from": anvil.account, "to": trap.address, "data": lure.data}
    naive = {"blockStateCalls": [{"calls": [fields]}], "traceTransfers": True}
    (block,) = anvil.world.rpc.call("eth_simulateV1", naive, "latest")  # type: ignore[misc]
    assert 1 == len(block["calls"][0]["logs"])  # type: ignore[call-overload,index]


def test_simulation_runs_at_the_time_of_the_next_block(anvil: OnAnvil) -> None:
    # Sends its caller as many wei as TIMESTAMP has seconds.
    clock = anvil.contract("0x5f5f5f5f42335af100")
    anvil.world.fund(clock.address, {"ETH": 10**18})
    later = anvil.world.head()[1] + 3600
    anvil.world.rpc.call("evm_setNextBlockTimestamp", later)
    ask = [(call(clock, "x(uint256)", 1), PLENTY)]
    done = anvil.node.simulate(anvil.account, ask, [native(anvil.chain)], [])
    assert {native(anvil.chain): later} == dict(done.deltas)


def test_node_without_simulation_says_so(in_process: OnEthTester) -> None:
    call_ = pay(in_process.chain, STRANGER, 1)
    with pytest.raises(NoSimulator, match="eth_simulateV1"):
        in_process.node.simulate(in_process.account, [(call_, 21_000)], [], [])


def _number(answer: bytes | None) -> int:
    assert answer is not None
    return int.from_bytes(answer, "big")
