"""Fees of rollups on real local ones: what is said beforehand, charged, and written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from chain.relay import Error, relay
from chain.rollups import GAS, OnRollup, calls
from conformance.nodes import STRANGER, over
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.chain.envelope import signed_size, usual
from agent.chain.fast_lz import compressed_bytes
from agent.chain.fees_op_stack import ORACLE, charged
from agent.chain.fork import IMPERSONATED, ForkNode, impersonated_hash
from agent.core.fees import L1Fee
from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.errors import BadReply
from agent.lab.anvil import STATES_KEPT
from agent.lab.sandbox import ForkSandbox
from agent.lab.world import World, open_world
from agent.ports import Read
from agent.wire.abi import Function
from agent.wire.rpc import Rpc

BASE, ARBITRUM = 8453, 42161
SILENT = ("0x", Error(3, "execution reverted"))
NUMBERS = ("l1BaseFee", "baseFeeScalar", "blobBaseFee", "blobBaseFeeScalar")


@pytest.fixture(scope="module")
def base(lab_cache: Path) -> Iterator[OnRollup]:
    with open_world(lab_cache, chain_id=BASE) as world:
        yield OnRollup(world)


@pytest.fixture(scope="module")
def arbitrum(lab_cache: Path) -> Iterator[OnRollup]:
    with open_world(lab_cache, chain_id=ARBITRUM) as world:
        yield OnRollup(world)


def test_receipts_on_an_op_stack_chain_say_all_that_was_paid(base: OnRollup) -> None:
    start = base.node.sight(base.account, ()).nonce
    for nonce, call in enumerate(calls(base.chain, STRANGER), start):
        (expected,) = base.node.l1_fees([(call, GAS)])
        paid = base.pay(call, nonce)
        assert paid.by_balance == paid.receipt.fee
        assert 0 < expected.wei < paid.receipt.fee


def test_estimate_of_an_op_stack_chain_is_what_it_then_charges(base: OnRollup) -> None:
    start = base.node.sight(base.account, ()).nonce
    for nonce, call in enumerate(calls(base.chain, STRANGER), start):
        (expected,) = base.node.l1_fees([(call, GAS)])
        paid = base.pay(call, nonce)
        l1 = paid.receipt.fee - paid.receipt.gas_used * price(base, paid.receipt.hash)
        assert abs(expected.wei - l1) <= l1 // 50


def test_receipt_is_completed_by_one_request_and_then_remembered(base: OnRollup) -> None:
    call = calls(base.chain, STRANGER)[1]
    receipt = base.pay(call, base.node.sight(base.account, ()).nonce).receipt
    with closing(over(base.world, fee_model="op_stack")) as fresh:
        seen = [fresh.sight(base.account, [receipt.hash]).receipts for _ in range(2)]
        before = fresh.requests
        seen.append(fresh.sight(base.account, [receipt.hash]).receipts)
        assert 1 == fresh.requests - before
    assert [(receipt,)] * 3 == seen


def test_receipt_is_completed_when_the_node_has_forgotten_the_block(base: OnRollup) -> None:
    call = calls(base.chain, STRANGER)[2]
    receipt = base.pay(call, base.node.sight(base.account, ()).nonce).receipt
    base.world.mine(2 * STATES_KEPT)
    with closing(over(base.world, fee_model="op_stack")) as fresh:
        assert (receipt,) == fresh.sight(base.account, [receipt.hash]).receipts


def test_quote_of_an_op_stack_chain_prices_a_byte_of_a_usual_leg_in_one_request(
    base: OnRollup,
) -> None:
    before = base.node.requests
    quote = base.node.fees()
    assert 1 == base.node.requests - before
    samples = usual(base.chain)
    expected = sum(fee.wei for fee in base.node.l1_fees([(each, GAS) for each in samples]))
    assert -(-expected // sum(map(signed_size, samples))) == quote.data_fee_per_byte
    assert "eip1559" == quote.kind


def test_simulation_on_an_op_stack_chain_shows_no_fee_as_moved(base: OnRollup) -> None:
    call = Call(base.chain, STRANGER, 7, "0x" + "ab" * 200)
    done = base.node.simulate(base.account, [(call, GAS), (call, GAS)], [base.coin], [])
    assert (True, {base.coin: -14}) == (done.ok, dict(done.deltas))


@settings(max_examples=60)
@given(st.one_of(
    st.binary(max_size=900),
    st.lists(st.sampled_from([b"\0" * 12, b"abcdefgh", b"\xff", b"xyz"]), max_size=120).map(b"".join),
))  # fmt: skip
def test_compressed_length_is_that_of_the_chains_own_compression(
    base: OnRollup, plain: bytes
) -> None:
    numbers = [ask(base, Function(name, (), ("uint256",))) for name in NUMBERS]
    said = ask(base, Function("getL1Fee", ("bytes",), ("uint256",)), plain)
    # The oracle expects unsigned bytes and counts 68 for the signature.
    assert said == charged(compressed_bytes(plain) + 68, *numbers)


def test_longest_copies_are_counted_in_parts(base: OnRollup) -> None:
    for size in (261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 600, 9_000):
        numbers = [ask(base, Function(name, (), ("uint256",))) for name in NUMBERS]
        plain = bytes(range(200)) + bytes(size) + bytes(range(200))
        said = ask(base, Function("getL1Fee", ("bytes",), ("uint256",)), plain)
        assert said == charged(compressed_bytes(plain) + 68, *numbers)


def test_fork_of_an_op_stack_chain_charges_the_same_way(base: OnRollup, lab_cache: Path) -> None:
    at = base.world.head()[0]
    spent = 0
    with ExitStack() as stack:
        url = stack.enter_context(ForkSandbox(lab_cache).fork(base.chain, base.world.url, at))
        fork = ForkNode(over(base.world, url, fee_model="op_stack"), url)
        stack.enter_context(closing(fork))
        before = fork.snapshot(base.account, [base.coin]).balances[base.coin]
        nonce = fork.pending_nonce(base.account)
        for number, call in enumerate(calls(base.chain, STRANGER), nonce):
            raw = impersonated(base.account, call, number)
            assert fork.send(raw).accepted
            Rpc(url).call("anvil_mine", "0x1")
            (receipt,) = fork.sight(base.account, [impersonated_hash(raw)]).receipts
            assert receipt is not None
            spent += receipt.fee + call.value
        after = fork.snapshot(base.account, [base.coin]).balances[base.coin]
        assert fork.l1_fees([(call, GAS)]) == base.node.l1_fees([(call, GAS)])
    assert before - after == spent


@pytest.mark.parametrize("silent", SILENT, ids=["none", "revert"])
def test_silent_oracle_is_no_fee_of_zero(base: OnRollup, silent: object) -> None:
    call = calls(base.chain, STRANGER)[2]
    receipt = base.pay(call, base.node.sight(base.account, ()).nonce).receipt
    with relay(base.world.url) as way:
        way.changes["eth_call"] = lambda params, found: (
            silent if params[0]["to"] == ORACLE else found
        )
        with closing(over(base.world, way.url, fee_model="op_stack")) as node:
            for asked in (
                node.fees,
                lambda: node.l1_fees([(call, GAS)]),
                lambda: node.sight(base.account, [receipt.hash]),
                lambda: node.simulate(base.account, [(call, GAS)], [base.coin], []),
            ):
                with pytest.raises(BadReply, match="does not say what data costs"):
                    asked()
            assert base.node.block().hash == node.block().hash


def test_quote_of_arbitrum_counts_the_parent_chain_as_gas(arbitrum: OnRollup) -> None:
    node = arbitrum.node
    before = node.requests
    quote = node.fees()
    assert 1 == node.requests - before
    samples = usual(arbitrum.chain)
    fees = node.l1_fees([(each, GAS) for each in samples])
    assert [(0, True)] * 2 == [(fee.wei, fee.gas > 0) for fee in fees]
    wei = sum(fee.gas for fee in fees) * arbitrum.world.place.base_fee
    assert -(-wei // sum(map(signed_size, samples))) == quote.data_fee_per_byte


def test_receipts_on_arbitrum_say_all_that_was_paid(arbitrum: OnRollup) -> None:
    start = arbitrum.node.sight(arbitrum.account, ()).nonce
    for nonce, call in enumerate(calls(arbitrum.chain, STRANGER), start):
        paid = arbitrum.pay(call, nonce)
        assert paid.by_balance == paid.receipt.fee


@pytest.mark.parametrize("silent", SILENT, ids=["none", "revert"])
def test_silent_node_interface_is_no_fee_of_zero(arbitrum: OnRollup, silent: object) -> None:
    with relay(arbitrum.world.url) as way:
        way.changes["eth_call"] = lambda _params, _found: silent
        with closing(over(arbitrum.world, way.url, fee_model="arbitrum")) as node:
            for asked in (node.fees, lambda: node.l1_fees([(usual(arbitrum.chain)[0], GAS)])):
                with pytest.raises(BadReply, match="does not say what data costs"):
                    asked()


def test_snapshot_of_arbitrum_asks_arb_sys_for_the_block_in_one_request(
    arbitrum: OnRollup,
) -> None:
    seen = arbitrum.node.snapshot(arbitrum.account, [arbitrum.coin])
    assert (1, arbitrum.world.head()[0]) == (seen.requests, seen.block.number)


def test_block_that_arb_sys_does_not_know_is_read_again_by_its_hash(arbitrum: OnRollup) -> None:
    arb_sys, rpc = "0x" + "64".rjust(40, "0"), arbitrum.world.rpc
    code = rpc.call("eth_getCode", arb_sys, "latest")
    # PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: another block than the header's.
    rpc.call("anvil_setCode", arb_sys, "0x60075f5260205ff3")
    try:
        seen = arbitrum.node.snapshot(arbitrum.account, [arbitrum.coin])
    finally:
        rpc.call("anvil_setCode", arb_sys, code)
    assert (2, arbitrum.world.head()[0]) == (seen.requests, seen.block.number)


def test_chain_without_a_parent_is_asked_nothing(chain: World) -> None:
    with closing(over(chain)) as node:
        assert (L1Fee(), L1Fee()) == node.l1_fees([(each, GAS) for each in usual(ChainId(1))])
        assert 0 == node.requests
        assert 0 == node.fees().data_fee_per_byte


def price(on: OnRollup, transaction: str) -> int:
    """Wei that each gas of a mined transaction cost."""
    found = on.world.rpc.call("eth_getTransactionReceipt", transaction)
    assert isinstance(found, dict)
    return int(str(found["effectiveGasPrice"]), 16)


def ask(on: OnRollup, function: Function, *values: object) -> int:
    """A number that the fee oracle of an OP stack chain says."""
    (answer,) = on.node.read([Read(ORACLE, function.encode(*values))])
    (found,) = function.decode(answer or b"")
    return int(found)


def impersonated(account: Address, call: Call, nonce: int) -> str:
    fields = {
        "from": account,
        "to": call.to,
        "value": hex(call.value),
        "data": call.data,
        "gas": hex(GAS),
        "nonce": hex(nonce),
        "maxFeePerGas": hex(10**11),
        "maxPriorityFeePerGas": hex(10**9),
    }
    return IMPERSONATED + json.dumps(fields)
