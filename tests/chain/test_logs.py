"""Logs in parts, and strictly: ranges that nodes refuse, answers to other questions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from chain.scripted import Scripted, block_hash

from agent.chain.logs import MAX_REFUSALS, PARTS_AT_ONCE, logs, logs_of
from agent.core.log import LogQuery
from agent.core.money import Address
from agent.errors import BadReply, StaleHead
from agent.wire.rpc import RpcError

POOL = Address("0x" + "5b" * 20)
TOPIC, OTHER = "0x" + "aa" * 32, "0x" + "bb" * 32
HEAD = 100_000
QUERY = LogQuery(address=POOL, topics=(TOPIC, None), first=10, last=90_000)
SENT = "0x" + "77" * 32


class Node(Scripted):
    host = "node.example:443"
    log_span: int | None = None


def log(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "address": POOL,
        "topics": [TOPIC, OTHER],
        "data": "0x01",
        "blockNumber": hex(number),
        "blockHash": block_hash(number),
        "transactionHash": SENT,
        "logIndex": "0x2",
        **changes,
    }


def serving(
    *numbers: int, at_most: int = 10**9, code: int = -32602, head: int = HEAD
) -> tuple[Node, list[tuple[int, int]]]:
    """A node with a log in each of these blocks, which refuses longer ranges."""
    asked: list[tuple[int, int]] = []

    def answer(params: Sequence[Any]) -> Any:
        first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
        asked.append((first, last))
        if last - first + 1 > at_most:
            return RpcError(code, "query exceeds max results 20000")
        return [log(number) for number in numbers if first <= number <= last]

    return Node(eth_blockNumber=hex(head), eth_getLogs=answer), asked


def answering(answer: Any) -> Node:
    return Node(eth_blockNumber=hex(HEAD), eth_getLogs=answer)


def test_one_question_is_enough_where_the_node_takes_it() -> None:
    node, asked = serving(20, 40_000)
    assert [20, 40_000] == [found.block_number for found in logs(node, QUERY)]
    assert [(10, 90_000)] == asked
    wanted = {"address": POOL, "topics": [TOPIC, None], "fromBlock": "0xa", "toBlock": "0x15f90"}
    assert [("eth_blockNumber", []), ("eth_getLogs", [wanted])] == node.batches[0]


@pytest.mark.parametrize("code", [-32602, -32000, -32005, 429])
@pytest.mark.parametrize("at_most", [50_000, 20_000, 7_000])
def test_refused_range_is_asked_for_in_parts(at_most: int, code: int) -> None:
    blocks = (10, 20, 44_999, 45_000, 45_001, 89_999, 90_000)
    node, asked = serving(*blocks, at_most=at_most, code=code)
    assert list(blocks) == [found.block_number for found in logs(node, QUERY)]
    taken = [part for part in asked if part[1] - part[0] < at_most]
    assert (10, 90_000) == (taken[0][0], taken[-1][1])
    assert all(one[1] + 1 == two[0] for one, two in itertools.pairwise(taken))
    # The longest range that it takes is found by halving, and remembered.
    assert len(asked) - len(taken) <= 4
    asked.clear()
    logs(node, QUERY)
    assert taken == asked
    assert max(len(batch) for batch in node.batches) == min(PARTS_AT_ONCE, len(taken)) + 1


def test_range_with_too_many_logs_is_halved_where_it_is_met() -> None:
    def answer(params: Sequence[Any]) -> Any:
        first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
        dense = first <= 50_000 <= last and last - first > 1_000
        return RpcError(-32005, "more than 10000 results") if dense else [log(first)]

    node = Node(eth_blockNumber=hex(HEAD), eth_getLogs=answer)
    found = [each.block_number for each in logs(node, QUERY)]
    assert sorted(set(found)) == found
    assert 10 == found[0]


def test_node_that_refuses_everything_is_left_alone_soon() -> None:
    node, asked = serving(at_most=0, code=-32005)
    with pytest.raises(RpcError, match="exceeds max results"):
        logs(node, QUERY)
    assert len(asked) <= 2 * MAX_REFUSALS


def test_single_block_that_is_refused_is_not_halved() -> None:
    node, asked = serving(at_most=0)
    with pytest.raises(RpcError):
        logs(node, replace(QUERY, first=7, last=7))
    assert [(7, 7)] == asked


def test_no_blocks_are_no_question() -> None:
    node, asked = serving()
    assert () == logs(node, replace(QUERY, first=8, last=7))
    assert ([], []) == (asked, node.batches)


def test_node_that_has_not_come_so_far_is_behind() -> None:
    node, _ = serving(head=89_999)
    with pytest.raises(StaleHead, match="at block 89999 and was asked for logs up to block 90000"):
        logs(node, QUERY)


def test_logs_are_in_the_order_of_the_chain() -> None:
    shuffled = [log(30), log(20, logIndex="0x5"), log(20, logIndex="0x1")]
    found = logs(answering(shuffled), QUERY)
    assert [(20, 1), (20, 5), (30, 2)] == [(each.block_number, each.index) for each in found]


def test_log_is_read_whole() -> None:
    (found,) = logs(answering([log(20, address="0x" + "5B" * 20)]), QUERY)
    assert (POOL, (TOPIC, OTHER), b"\x01") == (found.address, found.topics, found.data)
    assert (20, block_hash(20), SENT, 2) == (
        found.block_number,
        found.block_hash,
        found.transaction,
        found.index,
    )


BAD: dict[str, Callable[[], Any]] = {
    "no list": lambda: {},
    "null": lambda: None,
    "no log": lambda: ["0x"],
    "another contract": lambda: [log(20, address="0x" + "66" * 20)],
    "another topic": lambda: [log(20, topics=[OTHER, OTHER])],
    "too few topics": lambda: [log(20, topics=[TOPIC])],
    "too many topics": lambda: [log(20, topics=[TOPIC] * 5)],
    "topics that are none": lambda: [log(20, topics="0x")],
    "a short topic": lambda: [log(20, topics=[TOPIC, "0x01"])],
    "an earlier block": lambda: [log(9)],
    "a later block": lambda: [log(90_001)],
    "taken back": lambda: [log(20, removed=True)],
    "the same twice": lambda: [log(20), log(20)],
    "no data": lambda: [log(20, data=None)],
    "odd data": lambda: [log(20, data="0x0")],
    "a short address": lambda: [log(20, address="0x5b")],
    "no number": lambda: [log(20, blockNumber=None)],
    "no hash": lambda: [log(20, transactionHash=None)],
    "no index": lambda: [log(20, logIndex="two")],
}


@pytest.mark.parametrize("bad", BAD)
def test_answer_to_another_question_is_refused(bad: str) -> None:
    with pytest.raises(BadReply):
        logs(answering(BAD[bad]()), QUERY)


def test_logs_of_a_receipt_are_all_of_its_own() -> None:
    both = [log(20, logIndex="0x5"), log(20, address="0x" + "66" * 20, topics=[])]
    node = Node(eth_getTransactionReceipt={"transactionHash": SENT, "logs": both})
    assert [2, 5] == [found.index for found in logs_of(node, SENT)]


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        "0x",
        {"transactionHash": "0x" + "78" * 32, "logs": []},
        {"transactionHash": SENT, "logs": None},
        {"transactionHash": SENT, "logs": [log(20, transactionHash="0x" + "78" * 32)]},
    ],
)
def test_receipt_that_is_missing_or_another_is_refused(receipt: Any) -> None:
    with pytest.raises(BadReply):
        logs_of(Node(eth_getTransactionReceipt=receipt), SENT)
