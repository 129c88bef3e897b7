"""Follows tokens into a rollup: under way, waiting as a ticket, or redeemed and there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from agent.bridges._arbitrum_batches import Batches
from agent.bridges._arbitrum_contracts import understood
from agent.bridges._arbitrum_tickets import (
    FINALIZED,
    INITIATED,
    REDEEM,
    SCHEDULED,
    TIMEOUT,
    Crossing,
    Lane,
    read_crossing,
)
from agent.core.intent import Draft, Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.core.quote import Call
from agent.core.wording import whole
from agent.ports import Act, Delivered, Delivery, Gone, Node, Read, Track, Transfer, Waiting
from agent.wire.abi import encode, selector

SOON_SECONDS, SELDOM_SECONDS = 10, 60
"""Pauses between looks, until it is late and from then on."""

REDEEM_GAS = 600_000
"""A redemption may use all of it; for a copy that exists 300 000 are ample."""

MAX_REDEEMS = 3
"""A ticket that our own redemptions do not redeem is for a person to look at."""

TICKET_SECONDS = 604_800
"""So long a ticket waits: ArbRetryableTx, `getLifetime`, one week."""

WINDOW = 14_400
"""Blocks of the rollup, about an hour: a ticket is mostly redeemed as it comes in."""


class TokenDeposits:
    """Says of one token on its way into the rollup where it is, and redeems its ticket."""

    def __init__(self, lane: Lane, nodes: Mapping[ChainId, Node]) -> None:
        self._lane = lane
        self._parent = nodes[lane.pair.parent.chain]
        self._child = nodes[lane.pair.child.chain]
        self._batches = Batches(lane.pair, nodes)
        self._retryables = lane.pair.child.address("retryables")

    def track(self, leg: Leg, receipt: Receipt, sold_raw: int, claims: int, now: int) -> Track:  # noqa: ARG002  the lane says what is bought
        """Where the token of one mined deposit is; *claims* of ours tried to redeem it."""
        made = self._made(receipt)
        if made is None:
            return Waiting(now + SOON_SECONDS, "the deposit is not where it was mined")
        if isinstance(made, str):
            return Gone(made)
        if made.raw != sold_raw:
            return Gone(f"message {made.number} is of {made.raw} base units, not {sold_raw}")
        counted = self._batches.counted()
        if made.number >= self._batches.read(counted):
            return self._under_way(made, now)
        if not self._batches.is_past(counted):
            why = f"{self._named(made)} was taken in; the node of {self._there} is behind it"
            return Waiting(now + SOON_SECONDS, why, str(made.number))
        timeout = self._timeout(made)
        if timeout is not None:
            return self._redeem(made, timeout, claims)
        return self._redeemed(made, now)

    def find(self, account: Address, first: int) -> list[Transfer]:
        """Deposits of *account* for itself since block *first* that are not redeemed."""
        topics = INITIATED.topics(_from=account, _to=account)
        last = self._parent.block().number
        query = LogQuery(address=self._lane.gateway, topics=topics, first=first, last=last)
        found = []
        for log in self._parent.logs(query):
            made = self._read(log, self._parent.logs_of(log.transaction))
            if made is not None:
                found.append(made)
        if not found:
            return []
        read = self._batches.read(self._batches.counted())
        open_ = [each for each in found if each.number >= read or self._timeout(each) is not None]
        return [self._transfer(each) for each in open_]

    def _transfer(self, made: Crossing) -> Transfer:
        return Transfer(
            via="canonical_arbitrum",
            id=str(made.number),
            sold=Amount(self._lane.token, made.raw),
            buy=self._lane.copy,
            least=made.raw,
            deposit=made.log.transaction,
            block=made.log.block_number,
        )

    def rehearse(self, leg: Leg, receipt: Receipt) -> Delivery | None:
        """What pays the same on a fork, where there is no sequencer; raises Unavailable."""
        made = self._made(receipt)
        if not isinstance(made, Crossing):
            return None
        paid = Amount(leg.buy, made.raw)
        data = selector("transfer(address,uint256)")
        data += encode(["address", "uint256"], [made.to, made.raw]).hex()
        call = Call(leg.buy.chain, leg.buy.address, 0, data)
        return Delivery(calls=(call,), needs=paid, brings=paid)

    @property
    def _there(self) -> str:
        return f"chain {self._lane.pair.child.chain}"

    def _named(self, made: Crossing) -> str:
        return f"message {made.number} of chain {self._lane.pair.parent.chain}"

    def _made(self, receipt: Receipt) -> Crossing | str | None:
        """The deposit that a transaction of ours made, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it made no such deposit.
        """
        logs = self._parent.logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        mine = [x for x in logs if x.address == self._lane.gateway and INITIATED.is_in(x)]
        told = [made for log in mine if (made := self._read(log, logs)) is not None]
        if len(told) != 1:
            return f"transaction {receipt.hash} made {len(told)} deposits for this leg"
        return told[0]

    def _read(self, log: Log, logs: tuple[Log, ...]) -> Crossing | None:
        return understood(read_crossing, log, logs, self._lane)

    def _timeout(self, made: Crossing) -> int | None:
        """Unix seconds until which the ticket waits; None when there is none (any more)."""
        read = Read(self._retryables, TIMEOUT.encode(made.ticket))
        (answer,) = self._child.read([read])
        return None if answer is None else int(understood(TIMEOUT.decode, answer)[0])

    def _under_way(self, made: Crossing, now: int) -> Waiting:
        late, promise = self._batches.promise(
            now - self._parent.block(made.log.block_number).timestamp
        )
        money = whole(Amount(self._lane.token, made.raw))
        state = "is late" if late else "is on its way"
        why = f"{money} {state}: Arbitrum's gateway holds it ({self._named(made)}) and {promise}"
        pause = SELDOM_SECONDS if late else SOON_SECONDS
        return Waiting(now + pause, why, str(made.number))

    def _redeem(self, made: Crossing, timeout: int, claims: int) -> Track:
        money = whole(Amount(self._lane.token, made.raw))
        until = f"{datetime.fromtimestamp(timeout, UTC):%Y-%m-%d %H:%M} UTC"
        ticket = f"0x{made.ticket.hex()}"
        if claims >= MAX_REDEEMS:
            why = f"{money} waits on {self._there} as ticket {ticket}, which {claims} redemptions"
            return Gone(f"{why} did not redeem; anybody may until {until}, and then it is lost")
        call = Call(self._lane.pair.child.chain, self._retryables, 0, REDEEM.encode(made.ticket))
        draft = Draft(purpose="claim", chain=call.chain, payload=call, gas_limit=REDEEM_GAS)
        return Act(draft, f"{money} waits on {self._there} as ticket {ticket} until {until}")

    def _redeemed(self, made: Crossing, now: int) -> Track:
        """What a ticket that is gone brought, by the rollup's own logs, deep enough to count."""
        head = self._child.block()
        log = self._arrival(made, head.number)
        if log is not None:
            needed = self._lane.pair.child.confirmations
            if head.number - log.block_number + 1 >= needed:
                return Delivered(Amount(self._lane.copy, made.raw), log.block_number)
            why = f"{self._named(made)} was redeemed and waits for {needed} confirmations"
            return Waiting(now + SOON_SECONDS, why, str(made.number))
        since = self._parent.block(made.log.block_number).timestamp
        if head.timestamp - since > TICKET_SECONDS + WINDOW:
            return Gone(f"nobody redeemed {self._named(made)} in its week")
        why = f"{self._named(made)} was redeemed; no node has shown its log yet"
        return Waiting(now + SOON_SECONDS, why, str(made.number))

    def _arrival(self, made: Crossing, head: int) -> Log | None:
        """The gateway's log on the rollup in the transaction that redeemed the ticket."""
        for log in self._tries(made, head):
            retry = str(log.topics[2])
            for found in self._child.logs_of(retry):
                if found.address != self._lane.far_gateway or not FINALIZED.is_in(found):
                    continue
                said = understood(FINALIZED.decode, found)
                told = (said["l1Token"], said["_to"], said["_amount"])
                if told == (self._lane.token.address, made.to, made.raw):
                    return found
        return None

    def _tries(self, made: Crossing, head: int) -> Iterator[Log]:
        """Every time that the ticket was tried, in order."""
        topics = SCHEDULED.topics(ticketId=made.ticket)
        first = self._block_at(self._parent.block(made.log.block_number).timestamp, head)
        while first <= head:
            last = min(first + WINDOW - 1, head)
            query = LogQuery(address=self._retryables, topics=topics, first=first, last=last)
            yield from self._child.logs(query)
            first = last + 1

    def _block_at(self, unix: int, head: int) -> int:
        """The first block of the rollup at or after a time, by halving."""
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            if self._child.block(middle).timestamp < unix:
                low = middle + 1
            else:
                high = middle
        return low
