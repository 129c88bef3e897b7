"""What a paper chain does beyond the promises of every node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_world import BOOK, ETH_A, ETHER, ME, USDC_A, VENUE, WETH_A, A, B, World, address
from sim.paper import GWEI, PLENTY, mined, receipt, sign

from agent.core.money import NATIVE, Amount
from agent.core.quote import Allowance, Call
from agent.errors import BadReply, Unavailable
from agent.ports import Read
from agent.sim.chain import NO_FUNDS, PaperChain
from agent.wire.abi import functions
from agent.wire.erc20 import allowance, approve

STRANGER = address(0x57)
ERC20 = functions("erc20")


@pytest.fixture
def node() -> PaperChain:
    return World().chains[A]


def transfer(raw: int, to: str = STRANGER) -> Call:
    return Call(A, WETH_A.address, 0, ERC20["transfer(address,uint256)"].encode(to, raw))


def pay(wei: int) -> Call:
    return Call(A, STRANGER, wei, "0x")


# The pool


@given(st.one_of(st.binary(), st.text().map(str.encode), st.just(b"{}"), st.just(b"[1]")))
def test_bytes_that_are_no_transaction_are_not_taken(content: bytes) -> None:
    node = World(automine=False).chains[A]
    sent = node.send("0x" + content.hex())
    assert (False, {}) == (sent.accepted, node.pool)


def test_hex_that_is_none_is_not_taken(node: PaperChain) -> None:
    assert "failed to decode signed transaction" == node.send("0xzz").said


def test_transaction_for_another_chain_is_not_taken(node: PaperChain) -> None:
    sent = node.send(sign(Call(B, STRANGER, 1, "0x"), 0).raw)
    assert (False, "invalid chain id") == (sent.accepted, sent.said)
    assert 0 == node.pending_nonce(ME)


def test_used_nonce_is_too_low(node: PaperChain) -> None:
    mined(node, pay(1))
    sent = node.send(sign(pay(2), 0).raw)
    assert (False, "nonce too low") == (sent.accepted, sent.said)


def test_transaction_below_the_base_fee_waits_until_it_falls(node: PaperChain) -> None:
    node.base_fee = 20 * GWEI
    sent = sign(pay(1), 0)
    assert node.send(sent.raw).accepted
    assert receipt(node, sent) is None
    node.base_fee = GWEI
    node.mine()
    assert receipt(node, sent) is not None


def test_transaction_waits_for_the_nonce_before_it(node: PaperChain) -> None:
    first, second = sign(pay(1), 0), sign(pay(1), 1)
    node.send(second.raw)
    assert (None, 0) == (receipt(node, second), node.pending_nonce(ME))
    node.send(first.raw)
    both = [receipt(node, sent) for sent in (first, second)]
    assert {node.block().number} == {found.block_number for found in both if found}


def test_transaction_that_became_too_dear_for_its_sender_waits_for_money(node: PaperChain) -> None:
    node.automine = False
    sent = sign(pay(9 * ETHER), 0)
    assert node.send(sent.raw).accepted
    node.ledger.move(NATIVE, ME, STRANGER, 2 * ETHER)
    node.mine()
    assert (None, (True,)) == (receipt(node, sent), node.sight(ME, [sent.hash]).known)
    node.ledger.mint(NATIVE, ME, 2 * ETHER)
    node.mine()
    assert receipt(node, sent) is not None


@pytest.mark.parametrize(
    ("tip", "max_fee", "taken"),
    [(110, 1100, True), (109, 1100, False), (110, 1099, False), (200, 1000, False)],
)
def test_replacement_must_raise_both_fees_by_a_tenth(tip: int, max_fee: int, taken: bool) -> None:
    node = World(automine=False).chains[A]
    node.send(sign(pay(1), 0, tip=100 * GWEI, max_fee=1000 * GWEI).raw)
    assert taken == node.send(sign(pay(2), 0, tip=tip * GWEI, max_fee=max_fee * GWEI).raw).accepted


def test_same_bytes_in_the_pool_are_known_already() -> None:
    node = World(automine=False).chains[A]
    sent = sign(pay(1), 0)
    assert [True, False] == [node.send(sent.raw).accepted for _ in range(2)]


def test_gas_above_the_limit_is_burnt_and_nothing_else_happens(node: PaperChain) -> None:
    before = node.snapshot(ME, [ETH_A, WETH_A]).balances
    sent = sign(transfer(7), 0, gas_limit=30_000)
    node.send(sent.raw)
    found = receipt(node, sent)
    assert found is not None
    assert (False, 30_000) == (found.ok, found.gas_used)
    after = node.snapshot(ME, [ETH_A, WETH_A]).balances
    assert {ETH_A: before[ETH_A] - found.fee, WETH_A: before[WETH_A]} == dict(after)


@given(st.lists(st.tuples(st.integers(0, 4 * ETHER), st.integers(0, 3), st.booleans()), max_size=8))
def test_nothing_is_made_or_lost_by_transactions(moves: list[tuple[int, int, bool]]) -> None:
    node = World(automine=False).chains[A]
    total = {token: _supply(node, token) for token in (NATIVE, WETH_A.address)}
    for nonce, (raw, blocks, coin) in enumerate(moves):
        node.send(sign(pay(raw) if coin else transfer(raw), nonce).raw)
        node.mine(blocks)
    node.mine()
    assert total == {token: _supply(node, token) for token in total}
    assert min(node.ledger.balances.values()) >= 0


def _supply(node: PaperChain, token: str) -> int:
    return sum(raw for (held, _), raw in node.ledger.balances.items() if held == token)


# What it shows


def test_block_before_the_first_is_not_there(node: PaperChain) -> None:
    with pytest.raises(Unavailable, match="no block -1"):
        node.block(-1)


def test_another_transaction_of_the_account_uses_its_nonce(node: PaperChain) -> None:
    node.use_nonce(ME)
    node.mine()
    assert (1, 1) == (node.pending_nonce(ME), node.sight(ME, []).nonce)


def test_money_of_a_reverted_transaction_was_not_received(node: PaperChain) -> None:
    found = mined(node, transfer(4 * ETHER))
    assert (False, (0, 0)) == (found.ok, node.received(ME, WETH_A, found.hash))


def test_receipt_that_was_reorganised_has_no_transfers(node: PaperChain) -> None:
    found = mined(node, transfer(7))
    node.reorg(2)
    with pytest.raises(BadReply, match=found.hash):
        node.received(ME, WETH_A, found.hash)


def test_code_that_the_ledger_names_is_the_account_s(node: PaperChain) -> None:
    node.ledger.code[ME] = "0xef01"
    assert "0xef01" == node.snapshot(ME, []).code_hash
    assert {ME: "0xef01", STRANGER: ""} == node.code_hashes([ME, STRANGER])


def test_token_answers_allowances_and_only_the_decimals_that_it_has(node: PaperChain) -> None:
    mined(node, approve(A, WETH_A.address, VENUE, 9))
    decimals = Read(WETH_A.address, ERC20["decimals()"].encode())
    assert (None,) == node.read([decimals])
    node.ledger.decimals[WETH_A.address] = 18
    said = node.read([decimals, allowance(WETH_A.address, ME, VENUE)])
    assert [18, 9] == [int.from_bytes(answer or b"", "big") for answer in said]


@pytest.mark.parametrize("asked", ["0x70a08231", "0x70a08231" + "ff" * 32, "0xdeadbeef"])
def test_token_reverts_on_a_read_that_it_does_not_know(node: PaperChain, asked: str) -> None:
    assert (None,) == node.read([Read(WETH_A.address, asked)])


# Simulation


def one(node: PaperChain, call: Call, gas_limit: int = PLENTY):
    return node.simulate(ME, [(call, gas_limit)], [ETH_A, WETH_A], [])


@pytest.mark.parametrize(
    ("calldata", "why"),
    [
        ("0xdeadbeef", "no such function"),
        ("0x095ea7b3", "calldata of another shape"),
        ("0xa9059cbb" + "ff" * 64, "calldata of another shape"),
        ("0x70a08231" + "00" * 32, "no such function"),
    ],
)
def test_call_that_a_token_does_not_take_reverts(node: PaperChain, calldata: str, why: str) -> None:
    done = one(node, Call(A, USDC_A.address, 0, calldata))
    assert (False, (0, why)) == (done.ok, done.reverted)


def test_money_sent_with_a_call_that_reverts_stays(node: PaperChain) -> None:
    done = one(node, Call(A, USDC_A.address, 5, "0xdeadbeef"))
    assert (False, {ETH_A: 0, WETH_A: 0}) == (done.ok, dict(done.deltas))


def test_guarded_token_changes_an_allowance_only_through_zero(node: PaperChain) -> None:
    calls = [(approve(A, USDC_A.address, BOOK, raw), PLENTY) for raw in (7, 8, 0, 9)]
    left = Allowance(BOOK, Amount(USDC_A, 9))
    done = node.simulate(ME, calls, [], [left])
    assert ((1, "approve from non-zero to non-zero"), (9,)) == (done.reverted, done.allowances)


def test_gas_of_earlier_calls_must_be_paid_too(node: PaperChain) -> None:
    node.ledger.balances[NATIVE, ME] = 2 * GWEI * 71_000
    calls = [(transfer(1), 50_000), (transfer(1), 50_000)]
    done = node.simulate(ME, calls, [WETH_A], [])
    assert (False, (0, NO_FUNDS), {}) == (done.ok, done.reverted, dict(done.deltas))
    assert one(node, transfer(1)).reverted == (0, NO_FUNDS)
    assert one(node, transfer(1), 50_000).ok
