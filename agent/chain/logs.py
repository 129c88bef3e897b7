"""Logs of a contract over any range of blocks, asked for in parts where a node wants it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from agent.chain.replies import bad_reply, hash_text, payload, quantity, value
from agent.core.log import Log, LogQuery
from agent.core.money import Address
from agent.errors import StaleHead
from agent.wire.rpc import JSON, RpcError

PARTS_AT_ONCE = 10
"""Ranges asked for in one request, once it is known how long they may be."""

MAX_REFUSALS = 30
"""Refused requests before a query is given up; twenty halvings make a million blocks one."""

MIN_SPAN = 500
"""Blocks; a shorter range than this is remembered of no node: it was one dense place."""

MAX_TOPICS = 4
"""The machine's instructions are LOG0 to LOG4."""


class Asks(Protocol):
    """What is needed of an endpoint; `log_span` is what was learned of it, in blocks."""

    log_span: int | None

    @property
    def host(self) -> str:
        """Its name for people."""

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        """Ask several questions in one HTTP request."""


def logs(rpc: Asks, query: LogQuery) -> tuple[Log, ...]:
    """All logs of *query* in order, from a node that has all of its blocks.

    Nodes refuse what is too much for them under many codes, those for too many requests among
    them: whatever is refused is asked for in halves, until it is one block or the patience is
    over. Raises ``StaleHead`` when the node has not come so far, ``RpcError`` for a range that
    stays refused.
    """
    found: list[Log] = []
    first, refusals = query.first, 0
    at_once = 1 if rpc.log_span is None else PARTS_AT_ONCE
    span = rpc.log_span or query.last - query.first + 1
    while first <= query.last:
        parts = _parts(first, query.last, span)[:at_once]
        head, *answers = rpc.batch([("eth_blockNumber", ()), *(_question(query, r) for r in parts)])
        _reaches(rpc, query, quantity(value(head)))
        at_once = PARTS_AT_ONCE
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, RpcError):
                refusals += 1
                if part[0] == part[1] or refusals > MAX_REFUSALS:
                    raise answer
                span, at_once = (part[1] - part[0] + 1) // 2, 1
                rpc.log_span = max(span, MIN_SPAN)
                break
            found += _matching(query, part, answer)
            first = part[1] + 1
    return tuple(sorted(found, key=lambda log: (log.block_number, log.index)))


def logs_of(rpc: Asks, transaction: str) -> tuple[Log, ...]:
    """All logs of a mined transaction in order; raises ``BadReply`` when it is not mined."""
    (answer,) = rpc.batch([("eth_getTransactionReceipt", (transaction,))])
    receipt = value(answer)
    if not isinstance(receipt, dict):
        raise bad_reply("no receipt where a mined transaction was asked for")
    if hash_text(receipt.get("transactionHash")) != transaction:
        raise bad_reply("the receipt of another transaction")
    found = _logs(receipt.get("logs"))
    if any(log.transaction != transaction for log in found):
        raise bad_reply("a receipt with logs of another transaction")
    return tuple(sorted(found, key=lambda log: log.index))


def _parts(first: int, last: int, span: int) -> list[tuple[int, int]]:
    """The next few ranges of at most *span* blocks."""
    starts = range(first, last + 1, span)[:PARTS_AT_ONCE]
    return [(start, min(last, start + span - 1)) for start in starts]


def _question(query: LogQuery, part: tuple[int, int]) -> tuple[str, list[Any]]:
    first, last = part
    wanted = {
        "address": query.address,
        "topics": list(query.topics),
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    return "eth_getLogs", [wanted]


def _reaches(rpc: Asks, query: LogQuery, head: int) -> None:
    """An empty answer about blocks that a node does not have would look like silence there."""
    if not (head >= query.last):
        raise StaleHead(
            f"{rpc.host} is at block {head} and was asked for logs up to block {query.last}",
            fix="wait until the node has caught up, or add a second RPC URL for this chain",
        )


def _matching(query: LogQuery, part: tuple[int, int], answer: JSON) -> list[Log]:
    found = _logs(answer)
    for log in found:
        wanted = zip(query.topics, log.topics, strict=False)
        fits = len(log.topics) >= len(query.topics) and all(w in {None, t} for w, t in wanted)
        if not (log.address == query.address and fits and part[0] <= log.block_number <= part[1]):
            raise bad_reply("logs that it was not asked for")
    if len({(log.block_number, log.index) for log in found}) != len(found):
        raise bad_reply("the same log twice")
    return found


def _logs(answer: JSON) -> list[Log]:
    if not isinstance(answer, list):
        raise bad_reply("logs that are no list")
    return [_log(each) for each in answer]


def _log(answer: JSON) -> Log:
    topics = answer.get("topics") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(topics, list) or len(topics) > MAX_TOPICS:
        raise bad_reply("a log that is none")
    if answer.get("removed", False) is not False:
        raise bad_reply("a log that was taken back")
    address = payload(answer.get("address"))
    if len(address) != 20:
        raise bad_reply("a log of no address")
    return Log(
        address=Address("0x" + address.hex()),
        topics=tuple(hash_text(topic) for topic in topics),
        data=payload(answer.get("data")),
        block_number=quantity(answer.get("blockNumber")),
        block_hash=hash_text(answer.get("blockHash")),
        transaction=hash_text(answer.get("transactionHash")),
        index=quantity(answer.get("logIndex")),
    )
