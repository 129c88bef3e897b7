"""Many calls in one: the bytes, the halving, and the way without Multicall3."""

from collections.abc import Sequence
from typing import Any

import pytest
from chain.scripted import Scripted, header
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.chain.multicall import (
    AGGREGATE3,
    QUESTIONS_AT_ONCE,
    aggregating,
    decode_aggregate,
    encode_aggregate,
    one_by_one,
)
from agent.core.money import Address
from agent.errors import BadReply
from agent.ports import Read
from agent.wire.keccak import selector
from agent.wire.rpc import RpcError

patient = settings(deadline=None)

MULTICALL3 = Address("0xca11bde05977b3631167028862be2a173976ca11")
SHAPE = ["(address,bool,bytes)[]"]
ANSWER = ["(bool,bytes)[]"]

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
reads = st.builds(Read, addresses, st.binary(max_size=100).map(lambda raw: "0x" + raw.hex()))
answers = st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), max_size=12)


def numbered(count: int) -> list[Read]:
    return [Read(Address(f"0x{n:040x}"), "0x") for n in range(count)]


class Aggregator(Scripted):
    """A Multicall3 whose every call returns its target; it takes only so many at once."""

    def __init__(self, at_most: int) -> None:
        super().__init__(eth_call=self._call, eth_getBlockByNumber=header(9))
        self._at_most = at_most

    def _call(self, params: Sequence[Any]) -> Any:
        raw = bytes.fromhex(params[0]["data"][2:])
        (calls,) = abi_decode(SHAPE, raw[4:])
        if len(calls) > self._at_most:
            return RpcError(-32000, "out of gas")
        results = [(True, bytes.fromhex(target[2:])) for target, _, _ in calls]
        return "0x" + abi_encode(ANSWER, [results]).hex()


def test_selector_is_aggregate3s() -> None:
    assert selector("aggregate3((address,bool,bytes)[])") == "0x" + AGGREGATE3.hex()


@patient
@given(st.lists(reads, max_size=12))
def test_calls_are_encoded_as_the_reference_encodes_them(calls: list[Read]) -> None:
    expected = abi_encode(SHAPE, [[(c.to, True, bytes.fromhex(c.data[2:])) for c in calls]])
    assert "0x" + (AGGREGATE3 + expected).hex() == encode_aggregate(calls)


@patient
@given(answers)
def test_answers_are_read_as_the_reference_wrote_them(results: list[tuple[bool, bytes]]) -> None:
    raw = abi_encode(ANSWER, [results])
    assert [data if ok else None for ok, data in results] == decode_aggregate(raw, len(results))


@patient
@given(answers, st.data())
def test_answer_that_is_cut_or_altered_is_refused_or_of_the_same_length(
    results: list[tuple[bool, bytes]], data: st.DataObject
) -> None:
    raw = bytearray(abi_encode(ANSWER, [results]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for altered in (bytes(raw), cut):
        try:
            found = decode_aggregate(altered, len(results))
        except BadReply:
            continue
        assert len(results) == len(found)


def test_answer_for_another_number_of_calls_is_refused() -> None:
    with pytest.raises(BadReply, match="another length"):
        decode_aggregate(abi_encode(ANSWER, [[(True, b"")]]), 2)


def test_calls_that_fit_are_one_request() -> None:
    node = Aggregator(at_most=400)
    found = aggregating(MULTICALL3)(node, numbered(400), "latest")
    assert [bytes.fromhex(read.to[2:]) for read in numbered(400)] == found
    assert [["eth_call"]] == [[method for method, _ in batch] for batch in node.batches]


def test_single_call_is_made_as_such_and_not_by_a_contract() -> None:
    (wanted,) = numbered(1)
    node = Scripted(eth_getBalance="0x0", eth_call=lambda p: p[0]["to"])
    assert [bytes.fromhex(wanted.to[2:])] == aggregating(MULTICALL3)(node, [wanted], "0x5")


def test_refused_calls_are_halved_at_a_pinned_block() -> None:
    node = Aggregator(at_most=30)
    found = aggregating(MULTICALL3)(node, numbered(101), "latest")
    assert [bytes.fromhex(read.to[2:]) for read in numbered(101)] == found
    blocks = [
        [params[1] for method, params in batch if method == "eth_call"] for batch in node.batches
    ]
    assert [["latest"], [], ["0x9"] * 2, ["0x9"] * 4] == blocks


def test_more_calls_than_one_aggregate_takes_go_in_one_pinned_batch() -> None:
    node = Aggregator(at_most=40)
    aggregating(MULTICALL3, at_once=40)(node, numbered(100), "0x5")
    assert [["0x5"] * 3] == [[params[1] for _, params in batch] for batch in node.batches]


def test_single_call_that_is_refused_is_the_nodes_error() -> None:
    with pytest.raises(RpcError, match="out of gas"):
        aggregating(MULTICALL3)(Aggregator(at_most=0), numbered(2), "0x5")


def test_rate_limit_is_not_answered_with_more_requests() -> None:
    node = Scripted(eth_call=RpcError(-32005, "limit"))
    with pytest.raises(RpcError, match="limit"):
        aggregating(MULTICALL3)(node, numbered(8), "0x5")
    assert 1 == len(node.batches)


def test_one_by_one_tells_a_failed_call_from_a_node_without_state() -> None:
    node = Scripted(eth_getBalance="0x0", eth_call=lambda p: RpcError(-32015, "VM error"))
    assert [None, None] == one_by_one(node, numbered(2), "0x5")
    node.answers["eth_getBalance"] = RpcError(-32000, "missing trie node")
    with pytest.raises(RpcError, match="missing trie node"):
        one_by_one(node, numbered(2), "0x5")


def test_one_by_one_pins_the_block_when_it_needs_several_requests() -> None:
    node = Scripted(eth_getBalance="0x0", eth_call="0x01", eth_getBlockByNumber=header(9))
    count = QUESTIONS_AT_ONCE + 1
    assert [b"\1"] * count == one_by_one(node, numbered(count), "latest")
    assert {"0x9"} == {params[1] for batch in node.batches[1:] for _, params in batch}
    assert [1, QUESTIONS_AT_ONCE + 1, 2] == [len(batch) for batch in node.batches]


def test_one_by_one_stops_at_a_rate_limit() -> None:
    node = Scripted(eth_getBalance="0x0", eth_call=RpcError(429, "slow down"))
    with pytest.raises(RpcError, match="slow down"):
        one_by_one(node, numbered(1), "0x5")
