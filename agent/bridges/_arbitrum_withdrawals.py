"""Follows ether out of a rollup: sent, confirmed by the validators a week later, then claimed.

Anybody may claim it then, and it always goes to the recipient of the send. The proof is built from
what the rollup noted of its sends; the outbox checks it, so that no node has to be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.bridges._arbitrum_contracts import (
    CONFIRM_PERIOD,
    EXECUTED,
    IS_SPENT,
    PROOF,
    ROLLUP,
    ROOTS,
    SENT,
    Pair,
    Send,
    ask,
    read_send,
    understood,
)
from agent.bridges._arbitrum_tree import Tree
from agent.core.intent import Draft, Receipt
from agent.core.log import LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import span, whole
from agent.errors import BadReply
from agent.ports import Act, Delivered, Delivery, Gone, Node, Read, Track, Transfer, Waiting

SLOT_SECONDS = 12
"""Of Ethereum: the period of the rollup contract counts its blocks, one in a slot or none, so that
it is never over earlier."""

ASSERTION_SECONDS = 3_600
"""Validators assert about once an hour what the rollup has done, and confirm as often."""

CLAIM_GAS = 250_000
"""For the claim: 112 000 were used on local chains, and every further height of the tree takes
700; it has some twenty."""

SOON_SECONDS, LONGEST_PAUSE_SECONDS, PARTS_OF_PAUSE = 5, 1_800, 8
"""Pauses between looks once it is due: short at first, then an eighth of the time since."""

FIRST_WINDOW, WINDOW_GROWTH = 512, 4
"""Blocks of the first look back for a payment's log, and how much wider each next one is."""

WINDOW = 14_400
"""Blocks of the rollup, about an hour: after so many an assertion has mostly been made."""


@dataclass(frozen=True, slots=True)
class _Proven:
    """A send with the way up to a confirmed root."""

    send: Send
    path: tuple[bytes, ...]


class Withdrawals:
    """Says of ether on its way out of the rollup where it is, and claims it when it can be."""

    def __init__(self, pair: Pair, nodes: Mapping[ChainId, Node]) -> None:
        self._pair = pair
        self._nodes = nodes

    @property
    def _parent(self) -> Node:
        return self._nodes[self._pair.parent.chain]

    @property
    def _child(self) -> Node:
        return self._nodes[self._pair.child.chain]

    def period_seconds(self) -> int:
        """How long the rollup contract lets an assertion be challenged; raises Unavailable."""
        (rollup,) = ask(self._parent, self._pair.bridge, (ROLLUP, ()))
        (blocks,) = ask(self._parent, rollup, (CONFIRM_PERIOD, ()))
        return int(blocks) * SLOT_SECONDS

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, now: int) -> Track:
        """Where the ether of one mined withdrawal is; raises Unavailable."""
        made = self._made(leg, receipt)
        if made is None:
            return Waiting(now + SOON_SECONDS, "the withdrawal is not where it was mined")
        if isinstance(made, str):
            return Gone(made)
        if (made.value, made.data) != (sold_raw, b""):
            return Gone(f"send {made.position} is of {made.value} wei, not {sold_raw}")
        head = self._parent.block()
        counted = max(0, head.number - self._pair.parent.confirmations + 1)
        if self._is_spent(made, counted):
            return Delivered(Amount(leg.buy, made.value), self._paid_in(made, counted))
        if self._is_spent(made, head.number):
            why = f"{self._named(made)} was claimed and waits for {self._depth} confirmations"
            return Waiting(now + SOON_SECONDS, why, str(made.position))
        period = self.period_seconds()
        proven = self._proven(made, head.timestamp - period)
        return self._waits(made, period, now) if proven is None else self._claim(proven)

    def find(self, account: Address, first: int) -> list[Transfer]:
        """Withdrawals of *account* since block *first* that nobody claimed; raises Unavailable."""
        query = LogQuery(
            address=self._pair.arb_sys,
            topics=SENT.topics(destination=account),
            first=first,
            last=self._child.block().number,
        )
        sends = [understood(read_send, log) for log in self._child.logs(query)]
        mine = [each for each in sends if each.caller == account and not each.data and each.value]
        if not mine:
            return []
        counted = max(0, self._parent.block().number - self._pair.parent.confirmations + 1)
        asked = [(IS_SPENT, (each.position,)) for each in mine]
        spent = ask(self._parent, self._pair.outbox, *asked, at=counted)
        parent, child = self._pair.parent, self._pair.child
        return [
            Transfer(
                via="canonical_arbitrum",
                id=str(each.position),
                sold=Amount(child.native, each.value),
                buy=parent.native,
                least=each.value,
                deposit=each.log.transaction,
                block=each.log.block_number,
            )
            for each, done in zip(mine, spent, strict=True)
            if not done
        ]

    def rehearse(self, leg: Leg, receipt: Receipt) -> Delivery | None:
        """What pays the same on a fork, where no validator confirms; raises Unavailable."""
        made = self._made(leg, receipt)
        if not isinstance(made, Send) or self._is_spent(made, self._parent.block().number):
            return None
        paid = Amount(leg.buy, made.value)
        call = Call(leg.buy.chain, made.to, made.value, "0x")
        return Delivery(calls=(call,), needs=paid, brings=paid)

    @property
    def _depth(self) -> int:
        return self._pair.parent.confirmations

    def _named(self, made: Send) -> str:
        return f"send {made.position} of chain {self._pair.child.chain}"

    def _made(self, leg: Leg, receipt: Receipt) -> Send | str | None:
        """What a transaction of ours sent, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it sent nothing, or more than that.
        """
        logs = self._nodes[leg.sell.token.chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        sends = [log for log in logs if log.address == self._pair.arb_sys and SENT.is_in(log)]
        if len(sends) != 1:
            return f"transaction {receipt.hash} made {len(sends)} withdrawals for this leg"
        return understood(read_send, sends[0])

    def _is_spent(self, made: Send, at: int) -> bool:
        (spent,) = ask(self._parent, self._pair.outbox, (IS_SPENT, (made.position,)), at=at)
        return bool(spent)

    def _paid_in(self, made: Send, last: int) -> int:
        """The block of the parent chain, up to *last*, in which the outbox paid it."""
        width = FIRST_WINDOW
        while True:
            first = max(0, last - width + 1)
            topics = EXECUTED.topics(to=made.to, l2Sender=made.caller)
            query = LogQuery(address=self._pair.outbox, topics=topics, first=first, last=last)
            for log in self._parent.logs(query):
                if understood(EXECUTED.decode, log)["transactionIndex"] == made.position:
                    return log.block_number
            if not first:
                raise BadReply(
                    f"no node of chain {self._parent.chain} shows who claimed {self._named(made)}",
                    fix="put another RPC URL for this chain",
                )
            last, width = first - 1, width * WINDOW_GROWTH

    def _claim(self, proven: _Proven) -> Act:
        call = Call(self._pair.parent.chain, self._pair.outbox, 0, proven.send.claim(proven.path))
        draft = Draft(purpose="claim", chain=call.chain, payload=call, gas_limit=CLAIM_GAS)
        return Act(draft, f"{self._named(proven.send)} is confirmed and can be claimed")

    def _waits(self, made: Send, period: int, now: int) -> Waiting:
        due = made.timestamp + period
        money = whole(Amount(self._pair.child.native, made.value))
        if now < due:
            state = f"may be challenged for {span(period)}, until {_clock(due)} at least"
        elif now < due + ASSERTION_SECONDS:
            state = f"is to be confirmed within {span(ASSERTION_SECONDS)}"
        else:
            state = f"is late: validators should have confirmed it {span(now - due)} ago"
        why = (
            f"{money} is on its way out of chain {self._pair.child.chain} "
            f"({self._named(made)}) and {state}; then your wallet claims it on chain "
            f"{self._pair.parent.chain}, which anybody may do for it"
        )
        pause = max(SOON_SECONDS, min(LONGEST_PAUSE_SECONDS, (now - due) // PARTS_OF_PAUSE))
        return Waiting(max(due, now + pause), why, str(made.position))

    def _proven(self, made: Send, horizon: int) -> _Proven | None:
        """The way up from a send to a root that the outbox knows; None while there is none.

        What was sent after *horizon* (unix seconds) cannot be confirmed yet.
        """
        if made.timestamp > horizon:
            return None
        tree = Tree(made.position, self._path(made))
        head, first = self._child.block().number, made.log.block_number
        while True:
            last = min(first + WINDOW - 1, head)
            size = self._confirmed(tree, self._sends(made, tree, first, last))
            if size is not None:
                return _Proven(made, tree.proof(size))
            if last == head or self._child.block(last).timestamp > horizon:
                return None
            first = last + 1

    def _path(self, made: Send) -> list[bytes]:
        """The way up from a send in the tree that ends with it: nodes find it in their logs."""
        read = Read(self._pair.node_interface, PROOF.encode(made.position + 1, made.position))
        (answer,) = self._child.read([read])
        if answer is None:
            raise BadReply(
                f"the node of chain {self._child.chain} does not prove send {made.position}",
                fix="put another RPC URL for this chain: not every node answers NodeInterface",
            )
        item, _, path = understood(PROOF.decode, answer)
        if item != made.item or len(path) != made.position.bit_length():
            raise BadReply(
                f"the node of chain {self._child.chain} proves another send than {made.position}",
                fix="put another RPC URL for this chain",
            )
        return list(path)

    def _sends(self, made: Send, tree: Tree, first: int, last: int) -> list[bytes]:
        """Hashes of what was sent from *made* on, in the blocks *first* to *last*."""
        query = LogQuery(address=self._pair.arb_sys, topics=SENT.topics(), first=first, last=last)
        sends = [understood(read_send, log) for log in self._child.logs(query)]
        following = [each for each in sends if each.position >= made.position]
        expected = list(range(tree.size, tree.size + len(following)))
        if [each.position for each in following] != expected:
            raise BadReply(
                f"the node of chain {self._child.chain} leaves out what was sent",
                fix="put another RPC URL for this chain",
            )
        return [each.item for each in following]

    def _confirmed(self, tree: Tree, items: list[bytes]) -> int | None:
        """Grow the tree by *items*; the first size whose root the outbox knows."""
        roots = [(ROOTS, (tree.grow(item),)) for item in items]
        if not roots:
            return None
        known = ask(self._parent, self._pair.outbox, *roots)
        sizes = range(tree.size - len(items) + 1, tree.size + 1)
        return next((size for size, block in zip(sizes, known, strict=True) if any(block)), None)


def _clock(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"
