"""What two chains say of a message between their bridges: sent, delivered, failed, and the money.

Both directions are alike here: whoever brings a message to the far messenger, that one keeps
whether it was delivered, and its chain's logs say what was paid out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from agent.bridges._op_stack import (
    FINALIZED,
    INITIATED,
    MESSENGER,
    RELAYED,
    Message,
    Withdrawal,
    messages,
    withdrawal,
)
from agent.bridges._op_ways import Route, Side, Way
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.errors import BadReply
from agent.ports import Node, Read
from agent.wire.abi import AbiError

P = ParamSpec("P")
T = TypeVar("T")

FIRST_WINDOW, WINDOW_GROWTH = 512, 4
"""Blocks of the first look back for a delivery's log, and how much wider each next one is: it is
mostly among the newest."""

CLOCKS_SECONDS = 3_600
"""So far two chains' clocks may differ: no delivery is older than its message by more."""


class Messages:
    """Reads messengers and bridges of all chains; every method raises Unavailable."""

    def __init__(self, nodes: Mapping[ChainId, Node]) -> None:
        self._nodes = nodes
        self._places: dict[bytes, Log] = {}

    def sent(self, route: Route, receipt: Receipt) -> tuple[Message, ...] | None:
        """What a transaction of ours sent over *route*, by its own logs.

        None while the chain has the transaction elsewhere than the receipt.
        """
        logs = self._nodes[route.near.chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        return read(messages, logs, route.near, route.far)

    def withdrawn(self, way: Way, message: Message) -> Withdrawal | None:
        """The withdrawal that carries *message*, None where the rollup noted none."""
        logs = self._nodes[way.rollup.chain].logs_of(message.log.transaction)
        return read(withdrawal, logs, way, message)

    def sent_since(self, route: Route, account: Address, first: int) -> list[Message]:
        """What *account* sent to itself over *route* since block *first*, in order."""
        node = self._nodes[route.near.chain]
        query = LogQuery(
            address=route.near.bridge,
            topics=INITIATED.topics(**{"from": account}),
            first=first,
            last=node.block().number,
        )
        transactions = dict.fromkeys(log.transaction for log in node.logs(query))
        return [
            each
            for transaction in transactions
            for each in read(messages, node.logs_of(transaction), route.near, route.far)
            if each.payer == each.to == account
        ]

    def states(self, far: Side, made: Sequence[Message], at: int) -> list[tuple[bool, bool]]:
        """Of each message whether it was delivered, and whether that failed, in one request."""
        asked = [
            Read(far.messenger, MESSENGER[name].encode(each.hash))
            for each in made
            for name in ("successfulMessages", "failedMessages")
        ]
        answers = self._nodes[far.chain].read(asked, at)
        told = []
        for answer in answers:
            if answer is None:
                raise BadReply(
                    f"the messenger {far.messenger} on chain {far.chain} does not tell what it "
                    "delivered",
                    fix="check its address in chains.toml",
                )
            told.append(bool(read(MESSENGER["failedMessages"].decode, answer)[0]))
        return list(zip(told[::2], told[1::2], strict=True))

    def delivery(self, route: Route, made: Message, head: int) -> Log | None:
        """The log of its delivery up to block *head*; None when no node has shown it yet."""
        node, known = self._nodes[route.far.chain], self._places.get(made.hash)
        if known is not None and node.block(known.block_number).hash == known.block_hash:
            return known
        sent = self._nodes[route.near.chain].block(made.log.block_number).timestamp
        last, width = head, FIRST_WINDOW
        while True:
            first = max(0, last - width + 1)
            query = LogQuery(
                address=route.far.messenger,
                topics=RELAYED.topics(msgHash=made.hash),
                first=first,
                last=last,
            )
            for log in node.logs(query):
                self._places[made.hash] = log
                return log
            if not first or node.block(first).timestamp < sent - CLOCKS_SECONDS:
                return None
            last, width = first - 1, width * WINDOW_GROWTH

    def measured(self, route: Route, made: Message, delivery: Log) -> Amount | None:
        """What the far bridge paid out for it, by its own log; None for nothing.

        The bridge notes a payment and then pays, and the messenger notes the delivery after that.
        """
        paid = None
        for log in self._nodes[route.far.chain].logs_of(delivery.transaction):
            if log.index >= delivery.index:
                break
            if log.address == route.far.bridge and FINALIZED.is_in(log):
                said = read(FINALIZED.decode, log)
                if (said["from"], said["to"]) == (made.payer, made.to):
                    paid = Amount(route.far.native, said["amount"])
        return paid


def read(decode: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What a decoder says; bytes that nobody can mean raise BadReply."""
    try:
        return decode(*arguments, **named)
    except AbiError as fault:
        raise BadReply(
            f"the OP stack's bridge answered with {fault}", fix="try again, or use another node"
        ) from None


def clock(unix: int) -> str:
    """A time for people."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"
