"""Fees: the protocol's base fee, what others tip, and numbers that cannot be meant."""

from decimal import Decimal
from typing import Any

import pytest
from chain.scripted import Scripted, header
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.chain.fees import MOST_PER_GAS, NextBlock, next_block
from agent.core.fees import FeeModel, FeeQuote
from agent.core.money import ChainId
from agent.errors import BadReply
from agent.wire.rpc import RpcError

patient = settings(deadline=None)

CHAIN = ChainId(8453)

NO_METHOD = RpcError(-32601, "the method eth_feeHistory does not exist")


def node(history: Any, *, pending: Any = None, tip: Any = "0x3", price: Any = "0x7") -> Scripted:
    blocks = {"latest": header(100), "pending": pending}
    return Scripted(
        eth_gasPrice=price,
        eth_feeHistory=history,
        eth_getBlockByNumber=lambda params: blocks[params[0]],
        eth_maxPriorityFeePerGas=tip,
    )


def quoted(asked: Scripted, model: FeeModel = "eip1559") -> NextBlock:
    return next_block(asked, CHAIN, model)


def history(base_fees: list[int], tips: list[int], used: list[Any] | None = None) -> dict[str, Any]:
    return {
        "baseFeePerGas": [hex(fee) for fee in base_fees],
        "gasUsedRatio": [Decimal("0.5")] * len(tips) if used is None else used,
        "reward": [[hex(tip)] for tip in tips],
    }


def test_quote_is_the_next_blocks_base_fee_and_the_median_tip() -> None:
    asked = node(history([10, 20, 30, 40], [5, 1, 9]))
    assert FeeQuote(40, 5) == quoted(asked).fees
    assert 1 == len(asked.batches)


def test_empty_blocks_say_nothing_about_tips() -> None:
    full, empty = Decimal("0.9"), Decimal("0.0")
    assert (
        9
        == quoted(
            node(history([1, 1, 1, 1], [0, 9, 0], [empty, full, 0]))
        ).fees.priority_fee_per_gas
    )


@patient
@given(st.lists(st.integers(0, MOST_PER_GAS), max_size=20))
def test_priority_fee_is_one_that_was_paid_or_one_wei(tips: list[int]) -> None:
    quote = quoted(node(history([7] * (len(tips) + 1), tips))).fees
    assert (7, True) == (quote.base_fee_per_gas, quote.priority_fee_per_gas in {1, *tips})
    assert 1 <= quote.priority_fee_per_gas


def test_one_absurd_block_does_not_move_the_quote() -> None:
    assert FeeQuote(1, 2) == quoted(node(history([1] * 6, [2, 2, 10**17, 2, 2]))).fees


def test_node_without_fee_history_is_asked_for_its_pending_block() -> None:
    pending = header(101, baseFeePerGas="0x2a")
    assert FeeQuote(42, 3) == quoted(node(NO_METHOD, pending=pending)).fees
    assert FeeQuote(42, 1) == quoted(node(NO_METHOD, pending=pending, tip=NO_METHOD)).fees


def test_rate_limit_is_no_missing_method() -> None:
    with pytest.raises(RpcError, match="limit"):
        quoted(node(RpcError(-32005, "limit")))


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        {},
        history([1], [1]),
        history([1, 1], []) | {"gasUsedRatio": [1]},
        history([1, MOST_PER_GAS + 1], [1]),
        history([1, 2], [MOST_PER_GAS + 1]),
        {"baseFeePerGas": ["0x1", 7], "gasUsedRatio": [1], "reward": [["0x1"]]},
        {"baseFeePerGas": ["0x1", "0x1"], "gasUsedRatio": [1], "reward": [[]]},
        {"baseFeePerGas": ["0x1", "0x1"], "gasUsedRatio": [1], "reward": ["0x1"]},
        {"baseFeePerGas": ["0x1", "0x1"], "gasUsedRatio": [1], "reward": None},
        {"baseFeePerGas": ["0x1", "-0x1"], "gasUsedRatio": [1], "reward": [["0x1"]]},
    ],
)
def test_malformed_history_is_refused(reply: Any) -> None:
    with pytest.raises(BadReply):
        quoted(node(reply))


@pytest.mark.parametrize("pending", [None, {}, header(101, baseFeePerGas=None)])
def test_chain_without_base_fee_is_refused(pending: Any) -> None:
    with pytest.raises(BadReply):
        quoted(node(NO_METHOD, pending=pending))


def test_next_block_is_not_earlier_than_the_pending_one() -> None:
    quiet = history([1, 1], [1])
    head = int(header(100)["timestamp"], 16)
    late = header(101, timestamp=hex(head + 500))
    assert head + 500 == quoted(node(quiet, pending=late)).timestamp
    for none in (None, header(100), RpcError(-32000, "no pending block")):
        assert head + 1 == quoted(node(quiet, pending=none)).timestamp


def test_legacy_chain_has_one_price_and_is_asked_for_nothing_else() -> None:
    asked = node(NO_METHOD, price="0x2a")
    found = quoted(asked, "legacy")
    assert (FeeQuote(42, 0, kind="legacy"), "legacy") == (found.fees, found.model)
    methods = [method for method, _ in asked.batches[0]]
    assert (["eth_gasPrice", *["eth_getBlockByNumber"] * 2], 1) == (methods, len(asked.batches))


@pytest.mark.parametrize("price", [None, "", hex(MOST_PER_GAS + 1), 5])
def test_gas_price_that_cannot_be_meant_is_refused(price: Any) -> None:
    with pytest.raises(BadReply):
        quoted(node(NO_METHOD, price=price), "legacy")


def test_node_without_a_gas_price_is_refused_on_a_legacy_chain() -> None:
    with pytest.raises(RpcError):
        quoted(node(NO_METHOD, price=NO_METHOD), "legacy")
