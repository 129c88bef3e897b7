"""What is asked of an OP stack chain's oracle, and answers that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest
from chain.scripted import Scripted

from agent.chain.fees import l1_fees
from agent.chain.fees_op_stack import MAX_REMEMBERED, ORACLE, Paid, Untold, charged
from agent.core.fees import L1Fee
from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.errors import BadReply
from agent.wire.abi import selector
from agent.wire.rpc import RpcError

CALL = Call(ChainId(10), Address("0x" + "57" * 20), 1, "0x")
NO_SUCH_FUNCTION = RpcError(3, "execution reverted")
NUMBERS = {"l1BaseFee()": 20 * 10**9, "baseFeeScalar()": 2_269,
           "blobBaseFee()": 2 * 10**9, "blobBaseFeeScalar()": 1_055_762}  # fmt: skip


def word(number: int) -> str:
    return f"0x{number:064x}"


def oracle(fee: Any, operator: Any, *, raw: Any = "0x" + "02" * 10) -> Scripted:
    said = {
        selector("getL1Fee(bytes)"): fee,
        selector("getOperatorFee(uint256)"): operator,
        **{selector(name): word(number) for name, number in NUMBERS.items()},
    }

    def call(params: Any) -> Any:
        assert params[0]["to"] == ORACLE
        return said[params[0]["data"][:10]]

    return Scripted(eth_call=call, eth_getRawTransactionByHash=raw)


def untold(number: int = 1, *, l1_fee: bool = True) -> Untold:
    return Untold(
        transaction=f"0x{number:064x}", block_hash="0x" + "bb" * 32, gas_used=50_000, l1_fee=l1_fee
    )


def test_what_the_operator_takes_is_added() -> None:
    node = oracle(word(500), word(20))
    assert (L1Fee(wei=520), L1Fee(wei=520)) == l1_fees(node, [(CALL, 50_000)] * 2, "op_stack")
    assert 1 == len(node.batches)
    gas = [params[0]["data"][-64:] for _, params in node.batches[0]][1]
    assert 50_000 == int(gas, 16)


def test_oracle_without_the_function_serves_a_chain_without_an_operator_fee() -> None:
    node = oracle(word(500), NO_SUCH_FUNCTION)
    assert (L1Fee(wei=500),) == l1_fees(node, [(CALL, 50_000)], "op_stack")


@pytest.mark.parametrize("operator", ["0x", "0x00", None, "0x" + "00" * 31])
def test_operator_fee_that_is_no_number_is_refused(operator: Any) -> None:
    with pytest.raises(BadReply):
        l1_fees(oracle(word(500), operator), [(CALL, 50_000)], "op_stack")


def test_limit_is_no_missing_function() -> None:
    with pytest.raises(RpcError, match="slow down"):
        l1_fees(oracle(word(5), RpcError(429, "slow down")), [(CALL, 1)], "op_stack")


def test_mined_fee_follows_from_signed_bytes_and_the_block_s_numbers() -> None:
    node = oracle("0x", word(20))
    expected = charged(11, *NUMBERS.values()) + 20
    assert [expected, 20] == Paid().wei(node, [untold(), untold(2, l1_fee=False)])
    pinned = {str(params[1]) for method, params in node.batches[0] if method == "eth_call"}
    assert {str({"blockHash": "0x" + "bb" * 32, "requireCanonical": True})} == pinned


@pytest.mark.parametrize("raw", [None, "0x0", RpcError(-32601, "no such method")])
def test_signed_bytes_that_the_node_does_not_give_are_no_fee_of_zero(raw: Any) -> None:
    with pytest.raises((BadReply, RpcError)):
        Paid().wei(oracle("0x", word(0), raw=raw), [untold()])


def test_mined_fees_are_asked_for_once() -> None:
    paid, node = Paid(), oracle("0x", word(20))
    first = paid.wei(node, [untold()])
    assert (first, 1) == (paid.wei(node, [untold()]), len(node.batches))
    assert 2 == len(paid.wei(node, [untold(), untold(2)]))
    assert (2, 6) == (len(node.batches), len(node.batches[1]))


def test_memory_of_fees_is_bounded() -> None:
    paid, node = Paid(), oracle("0x", word(20))
    paid.wei(node, [untold(number) for number in range(MAX_REMEMBERED + 1)])
    paid.wei(node, [untold()])
    assert (2, 6) == (len(node.batches), len(node.batches[1]))


def test_least_size_is_charged_for_short_bytes() -> None:
    per_byte = charged(10**6, *NUMBERS.values()) / (836_500 * 10**6 - 42_585_600)
    assert charged(1, *NUMBERS.values()) == charged(170, *NUMBERS.values())
    assert abs(charged(1, *NUMBERS.values()) - int(100 * 10**6 * per_byte)) < 100
    assert charged(171, *NUMBERS.values()) > charged(170, *NUMBERS.values())


def test_state_that_is_gone_is_replaced_by_the_newest_which_the_closing_rule_proves() -> None:
    gone = RpcError(-32602, "BlockOutOfRangeError")
    node = oracle("0x", word(20))
    inner = node.answers["eth_call"]
    node.answers["eth_call"] = lambda params: inner(params) if params[1] == "latest" else gone
    assert [charged(11, *NUMBERS.values()) + 20] == Paid().wei(node, [untold()])
    assert 2 == len(node.batches)
    node.answers["eth_call"] = lambda _params: RpcError(429, "slow down")
    with pytest.raises(RpcError, match="slow down"):
        Paid().wei(node, [untold()])
    node.answers["eth_call"] = lambda _params: gone
    with pytest.raises(BadReply, match="does not say what data costs"):
        Paid().wei(node, [untold()])
