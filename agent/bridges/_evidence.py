"""What two chains' logs, states and balances prove about a deposit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from agent.bridges._routes import ChainOptions
from agent.bridges._spoke_pool import (
    DEPOSITED,
    FILLED,
    NOBODY,
    REFUNDED,
    STATUS,
    STATUS_FILLED,
    Deposit,
    Fill,
    address_in,
    fills,
    read_deposit,
    read_fill,
    refunded_to,
    word,
)
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.errors import BadReply
from agent.ports import BlockTag, Node, Read
from agent.wire.abi import AbiError
from agent.wire.events import events

P = ParamSpec("P")
T = TypeVar("T")

FIRST_WINDOW, WINDOW_GROWTH = 512, 4
"""Blocks of the first look back for a delivery's log, and how much wider each next one is: it is
mostly among the newest."""

DAY_SECONDS = 86_400
"""So far back an older deposit may still wait for its refund, and the two clocks may differ."""

_TRANSFER = events("erc20")["Transfer"]


class Evidence:
    """Reads the pools of all chains; every method raises Unavailable, and remembers places only."""

    def __init__(self, chains: Mapping[ChainId, ChainOptions], nodes: Mapping[ChainId, Node]):
        self._chains = chains
        self._nodes = nodes
        self._fills: dict[bytes, Log] = {}
        self._starts: dict[bytes, int] = {}

    def deposit_of(self, leg: Leg, receipt: Receipt) -> Deposit | str | None:
        """The deposit that a transaction of ours made, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it made no such deposit.
        """
        chain = leg.sell.token.chain
        logs = self._nodes[chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        pool = self._chains[chain].spoke_pool
        made = [
            _read(read_deposit, log, chain)
            for log in logs
            if log.address == pool and DEPOSITED.is_in(log)
        ]
        found = [each for each in made if each.to_chain == leg.buy.chain]
        if len(found) != 1:
            return f"transaction {receipt.hash} made {len(found)} deposits for this leg"
        return found[0]

    def is_filled(self, made: Deposit, at: BlockTag = "latest") -> bool:
        """Whether the far pool says that it paid this deposit out, and no other like it."""
        (filled,) = self._filled(made.to_chain, [made], at)
        return filled

    def _filled(self, chain: ChainId, made: Sequence[Deposit], at: BlockTag) -> list[bool]:
        """The same of several deposits to one chain, in one request."""
        pool = self._chains[chain].spoke_pool
        reads = [Read(pool, STATUS.encode(each.relay_hash)) for each in made]
        found = []
        for answer in self._nodes[chain].read(reads, at):
            if answer is None:
                raise BadReply(
                    f"Across's pool {pool} on chain {chain} does not tell what it paid out",
                    fix="check its address in chains.toml",
                )
            found.append(_read(STATUS.decode, answer)[0] == STATUS_FILLED)
        return found

    def fill_of(self, made: Deposit, head: int) -> Log | None:
        """The log of its delivery up to block *head*, the newest first; None when there is none."""
        node, known = self._nodes[made.to_chain], self._fills.get(made.relay_hash)
        if known is not None and node.block(known.block_number).hash == known.block_hash:
            return known
        last, width = head, FIRST_WINDOW
        while True:
            first = max(0, last - width + 1)
            query = LogQuery(
                address=self._chains[made.to_chain].spoke_pool,
                topics=FILLED.topics(originChainId=made.origin, depositId=made.id),
                first=first,
                last=last,
            )
            for log in node.logs(query):
                if _read(fills, log, made):
                    self._fills[made.relay_hash] = log
                    return log
            if not first or node.block(first).timestamp < made.quote_timestamp - DAY_SECONDS:
                return None
            last, width = first - 1, width * WINDOW_GROWTH

    def measured(self, made: Deposit, log: Log) -> Amount | None:
        """What the delivery brought to the recipient, by the tokens' own logs; None for nothing.

        Other deliveries to the same account in the same transaction are taken off.
        """
        node, far = self._nodes[made.to_chain], self._chains[made.to_chain]
        fill = _read(read_fill, log)
        account, output = address_in(fill.recipient), far.known(address_in(made.output_token))
        if account is None or word(account) != made.recipient or output is None:
            return None
        beside = sum(each.output_amount for each in self._beside(made.to_chain, fill))
        came, _ = node.received(account, output, log.transaction)
        if output != far.wrapped or came > 0:
            return Amount(output, came - beside) if came > beside else None
        # The pool unwrapped the coin: the wrapper's own log says how much.
        _, unwrapped = node.received(far.spoke_pool, output, log.transaction)
        if unwrapped >= beside + fill.output_amount:
            return Amount(far.native, fill.output_amount)
        before, after = (
            node.balances(account, [far.native], number)[far.native]
            for number in (log.block_number - 1, log.block_number)
        )
        return Amount(far.native, after - before) if after > before else None

    def _beside(self, chain: ChainId, fill: Fill) -> Iterable[Fill]:
        """Other deliveries of the same token to the same account in the same transaction."""
        for log in self._nodes[chain].logs_of(fill.log.transaction):
            if log.address == fill.log.address and FILLED.is_in(log) and log != fill.log:
                other = _read(read_fill, log)
                same = (other.recipient, other.output_token)
                if same == (fill.recipient, fill.output_token):
                    yield other

    def refunded_in(self, made: Deposit) -> int | None:
        """The block by which what was paid back covers this deposit and those that expired before.

        A bundle pays several deposits of one account back in one sum, and does not say which.
        None while it does not.
        """
        account = address_in(made.depositor) or NOBODY
        if made.relay_hash not in self._starts:
            start = self._block_at(made.origin, made.quote_timestamp - DAY_SECONDS)
            self._starts[made.relay_hash] = start
        found = self._expired(made.origin, account, self._starts[made.relay_hash])
        return next((block for each, block in found if each == made), None)

    def open_deposits(self, chain: ChainId, account: Address, first: int) -> list[Deposit]:
        """Deposits since block *first* that were neither delivered nor paid back, in order."""
        return [made for made, block in self._expired(chain, account, first) if block is None]

    def _expired(
        self, chain: ChainId, account: Address, first: int
    ) -> list[tuple[Deposit, int | None]]:
        """Deposits that were not delivered, each with the block by which it was paid back."""
        node = self._nodes[chain]
        head = node.block().number
        query = LogQuery(
            address=self._chains[chain].spoke_pool,
            topics=DEPOSITED.topics(depositor=word(account)),
            first=first,
            last=head,
        )
        made = [_read(read_deposit, log, chain) for log in node.logs(query)]
        paid: dict[bytes, list[tuple[int, int]]] = {}
        spent: dict[bytes, int] = {}
        found: list[tuple[Deposit, int | None]] = []
        for each, expired in self._undelivered(made):
            token, block = each.input_token, None
            if expired and token not in paid:
                paid[token] = self._paid_back(chain, account, token, first, head)
            if expired:
                due = spent.get(token, 0) + each.input_amount
                block = next((number for number, total in paid[token] if total >= due), None)
            if block is not None:
                spent[token] = due
            found.append((each, block))
        return found

    def _undelivered(self, made: Sequence[Deposit]) -> list[tuple[Deposit, bool]]:
        """Those that no far pool paid out, the first deadline first, and whether it is over.

        What goes to a chain that is not known here can still be on its way for all we know.
        """
        found: list[tuple[Deposit, bool]] = []
        for chain in dict.fromkeys(each.to_chain for each in made):
            mine = [each for each in made if each.to_chain == chain]
            if chain not in self._chains:
                found += [(each, False) for each in mine]
                continue
            head = self._nodes[chain].block()
            filled = self._filled(chain, mine, head.number)
            found += [
                (each, head.timestamp > each.fill_deadline)
                for each, done in zip(mine, filled, strict=True)
                if not done
            ]
        return sorted(found, key=lambda pair: (pair[0].fill_deadline, pair[0].id))

    def _paid_back(
        self, chain: ChainId, account: Address, token: bytes, first: int, head: int
    ) -> list[tuple[int, int]]:
        """Base units that the pool paid back up to a block: named in refunds, and seen to move."""
        near, node = self._chains[chain], self._nodes[chain]
        deep, address = head - near.confirmations + 1, address_in(token) or NOBODY
        topics = _TRANSFER.topics(**{"from": near.spoke_pool, "to": account})
        moves = node.logs(LogQuery(address=address, topics=topics, first=first, last=deep))
        total, found = 0, []
        blocks = {move.transaction: move.block_number for move in moves}
        for transaction in dict.fromkeys(move.transaction for move in moves):
            came = sum(
                int(_read(_TRANSFER.decode, move)["value"])
                for move in moves
                if move.transaction == transaction
            )
            named = sum(
                _read(refunded_to, log, account, address)
                for log in node.logs_of(transaction)
                if log.address == near.spoke_pool and REFUNDED.is_in(log)
            )
            total += min(came, named)
            found.append((blocks[transaction], total))
        return found

    def _block_at(self, chain: ChainId, unix: int) -> int:
        """The first block at or after a time, by halving."""
        node = self._nodes[chain]
        low, high = 0, node.block().number
        while low < high:
            middle = (low + high) // 2
            if node.block(middle).timestamp < unix:
                low = middle + 1
            else:
                high = middle
        return low


def _read(decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return decode(*args, **kwargs)
    except AbiError as fault:
        raise BadReply(
            f"what Across's pool says cannot be read: {fault}",
            fix="check the pool's address in chains.toml, and whether its contract is a newer one",
        ) from None
