"""Follows ether into a rollup: the inbox has it, then the rollup, then a batch of the sequencer.

On the rollup a deposit is a transaction without logs, whose hash says whom it credits with how
much. A node that does not know such transactions is past it once the batches on the parent chain
have read the message, which the sequencer posts only after it has done so.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.bridges._arbitrum_batches import Batches
from agent.bridges._arbitrum_contracts import (
    DELIVERED,
    Message,
    Pair,
    alias,
    read_message,
    understood,
)
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import whole
from agent.ports import Delivered, Delivery, Gone, Node, Track, Transfer, Waiting

SOON_SECONDS, SELDOM_SECONDS = 10, 60
"""Pauses between looks, until it is late and from then on."""

FIRST_WINDOW, WINDOW_GROWTH = 512, 4
"""Blocks of the first look back for messages that are not read yet, and how much wider each next
one is: they are among the newest."""


class Deposits:
    """Says of ether on its way into the rollup where it is."""

    def __init__(self, pair: Pair, nodes: Mapping[ChainId, Node]) -> None:
        self._pair = pair
        self._nodes = nodes
        self._batches = Batches(pair, nodes)

    @property
    def _parent(self) -> Node:
        return self._nodes[self._pair.parent.chain]

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, now: int) -> Track:
        """Where the ether of one mined deposit is; raises Unavailable."""
        made = self._made(leg, receipt)
        if made is None:
            return Waiting(now + SOON_SECONDS, "the deposit is not where it was mined")
        if isinstance(made, str):
            return Gone(made)
        if made.value != sold_raw:
            return Gone(f"message {made.number} is of {made.value} wei, not {sold_raw}")
        credited = self._credited(made)
        if credited is not None:
            return Delivered(Amount(leg.buy, made.value), credited)
        counted = self._batches.counted()
        if made.number >= self._batches.read(counted):
            return self._under_way(made, now)
        if not self._batches.is_past(counted):
            why = f"{self._named(made)} was taken in; the node of {self._there} is behind it"
            return Waiting(now + SOON_SECONDS, why, str(made.number))
        return Delivered(Amount(leg.buy, made.value))

    def _credited(self, made: Message) -> int | None:
        """The block of the rollup that credited it, deep enough; None where no node shows it."""
        child = self._pair.child
        sight = self._nodes[child.chain].sight(made.to, (made.credited_by(child.chain),))
        (receipt,) = sight.receipts
        if receipt is None or not receipt.ok:
            return None
        deep = sight.head.number - receipt.block_number + 1 >= child.confirmations
        return receipt.block_number if deep else None

    def find(self, account: Address, first: int) -> list[Transfer]:
        """Deposits of *account* since block *first* that no batch has read; raises Unavailable."""
        read = self._batches.read(self._batches.counted())
        parent, child = self._pair.parent, self._pair.child
        return [
            Transfer(
                via="canonical_arbitrum",
                id=str(made.number),
                sold=Amount(parent.native, made.value),
                buy=child.native,
                least=made.value,
                deposit=made.log.transaction,
                block=made.log.block_number,
            )
            for made in self._unread(account, first, read)
            if self._credited(made) is None
        ]

    def rehearse(self, leg: Leg, receipt: Receipt) -> Delivery | None:
        """What pays the same on a fork, where there is no sequencer; raises Unavailable."""
        made = self._made(leg, receipt)
        if not isinstance(made, Message):
            return None
        paid = Amount(leg.buy, made.value)
        call = Call(leg.buy.chain, made.to, made.value, "0x")
        return Delivery(calls=(call,), needs=paid, brings=paid)

    @property
    def _there(self) -> str:
        return f"chain {self._pair.child.chain}"

    def _named(self, made: Message) -> str:
        return f"message {made.number} of chain {self._pair.parent.chain}"

    def _made(self, leg: Leg, receipt: Receipt) -> Message | str | None:
        """The deposit that a transaction of ours made, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it made no such deposit.
        """
        logs = self._nodes[leg.sell.token.chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        found = [self._read(log, logs) for log in logs if self._is_message(log)]
        told = [each for each in found if each is not None]
        if len(told) != 1:
            return f"transaction {receipt.hash} made {len(told)} deposits for this leg"
        return told[0]

    def _is_message(self, log: Log) -> bool:
        return log.address == self._pair.bridge and DELIVERED.is_in(log)

    def _read(self, log: Log, logs: tuple[Log, ...]) -> Message | str | None:
        return understood(read_message, log, logs, self._pair.inbox)

    def _under_way(self, made: Message, now: int) -> Waiting:
        late, promise = self._batches.promise(
            now - self._parent.block(made.log.block_number).timestamp
        )
        money = whole(Amount(self._pair.parent.native, made.value))
        state = "is late" if late else "is on its way"
        why = f"{money} {state}: Arbitrum's bridge holds it ({self._named(made)}) and {promise}"
        pause = SELDOM_SECONDS if late else SOON_SECONDS
        return Waiting(now + pause, why, str(made.number))

    def _unread(self, account: Address, first: int, read: int) -> list[Message]:
        """Deposits of an account from message *read* on, from the newest window backwards."""
        node, found = self._parent, list[Message]()
        last, width = node.block().number, FIRST_WINDOW
        while last >= first:
            start = max(first, last - width + 1)
            query = LogQuery(
                address=self._pair.bridge, topics=DELIVERED.topics(), first=start, last=last
            )
            logs = node.logs(query)
            said = [understood(DELIVERED.decode, log) for log in logs]
            mine = [
                self._read(log, node.logs_of(log.transaction))
                for log, each in zip(logs, said, strict=True)
                if each["messageIndex"] >= read and each["sender"] == alias(account)
            ]
            found = [each for each in mine if isinstance(each, Message)] + found
            if any(each["messageIndex"] < read for each in said):
                break
            last, width = start - 1, width * WINDOW_GROWTH
        return found
