"""What two chains' logs and states prove about burns of USDC, and what was minted for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from agent.bridges._burn_message import (
    BURNT,
    MINTED,
    RECEIVED,
    SENT,
    USED,
    Burn,
    BurnMessage,
    address_in,
    word,
)
from agent.bridges._domains import Domain, Domains, numbered
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.errors import BadReply
from agent.ports import Node, Read
from agent.wire.abi import AbiError

P = ParamSpec("P")
T = TypeVar("T")

SKEW_SECONDS = 900
"""How far two chains' clocks may differ: what was minted longer before a burn is not of it."""

_BODY_FEE, _BODY_END = 164, 228
"""The part of a burn message that the attester fills in."""


Key = tuple[int | None, int, bytes]
"""What a burn and its mint have in common: the far chain, the domain that was left, and the message
but for what the attester fills in. Burns that are all alike share it."""


@dataclass(frozen=True, slots=True)
class Mint:
    """Something minted: the log of its message, and the one of the money, which comes before."""

    received: Log
    minted: Log
    key: Key

    @property
    def place(self) -> tuple[str, int]:
        """Where its log stands: no other mint has it."""
        return self.received.transaction, self.received.index


class Burns:
    """Reads all chains' messengers; every method raises Unavailable, and remembers places only."""

    def __init__(self, domains: Domains, nodes: Mapping[ChainId, Node]) -> None:
        self._domains = domains
        self._nodes = nodes
        self._starts: dict[tuple[ChainId, ChainId, int], int] = {}
        self._taken: dict[tuple[str, int], str] = {}
        self._alike: dict[Key, set[str]] = {}

    def burn_of(self, leg: Leg, receipt: Receipt) -> Burn | str | None:
        """The burn that a transaction of ours made, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it made no such burn.
        """
        near, far = self._domains[leg.sell.token.chain], self._domains[leg.buy.chain]
        logs = self._nodes[near.chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        found = [burn for burn in self._burns(near, logs) if burn.to_chain == far.chain]
        if len(found) != 1:
            return f"transaction {receipt.hash} burnt {len(found)} times for this leg"
        return found[0]

    def made_at(self, burn: Burn) -> int:
        """Unix seconds of its block."""
        return self._nodes[burn.origin].block(burn.log.block_number).timestamp

    def _burns(self, near: Domain, logs: Sequence[Log]) -> Iterator[Burn]:
        """The burns of one transaction: each message with the log that follows it."""
        message: BurnMessage | None = None
        numbers = numbered(self._domains)
        for log in logs:
            if log.address == near.transmitter and SENT.is_in(log):
                message = _read(_sent, log)
            elif log.address == near.messenger and BURNT.is_in(log) and message is not None:
                told = _read(BURNT.decode, log)
                yield Burn(
                    origin=near.chain,
                    to_chain=numbers.get(message.destination),
                    token=told["burnToken"],
                    message=message,
                    log=log,
                )
                message = None

    def mint_of(self, far: Domain, burn: Burn, nonce: bytes, head: int) -> Mint | None:
        """What was minted for a burn that the attester gave a *nonce*, up to block *head*.

        None while the far chain has not taken the message. Raises BadReply where it says that it
        has, and no log of it is ours.
        """
        node = self._nodes[far.chain]
        (answer,) = node.read([Read(far.transmitter, USED.encode(nonce))], head)
        if answer is None:
            raise _unreadable(far)
        if not _read(USED.decode, answer)[0]:
            return None
        query = LogQuery(
            address=far.transmitter,
            topics=RECEIVED.topics(nonce=nonce),
            first=self._far_start(far, burn),
            last=head,
        )
        for log in node.logs(query):
            for mint in self._mints(far, node.logs_of(log.transaction)):
                if mint.received == log and mint.key == _key(burn):
                    return self._owned(mint, burn)
        raise BadReply(
            f"chain {far.chain} took message 0x{nonce.hex()}, and no log of that is of our burn",
            fix="wait for the node; if it stays, its answers or Circle's cannot be trusted",
        )

    def mint_by_logs(self, far: Domain, burn: Burn, head: int) -> Mint | None:
        """The same without a nonce: a mint for our wallet that is as the burn was.

        None also while there are fewer or more of these than burns that are alike, as far as we
        follow them, since nobody could say which is whose.
        """
        account = address_in(burn.message.mint_recipient)
        if account is None:
            return None
        mine, start = burn.log.transaction, self._far_start(far, burn)
        found = [
            mint for mint in self._minted_for(far, account, start, head) if mint.key == _key(burn)
        ]
        owners = {mint.place: self._taken.get(mint.place, "") for mint in found}
        waiting = self._alike.setdefault(_key(burn), set())
        waiting.add(mine)
        free = [mint for mint in found if owners[mint.place] in {"", mine}]
        if mine not in owners.values() and len(free) != len(waiting - set(owners.values())):
            return None
        owned = [mint for mint in free if owners[mint.place] == mine]
        return self._owned((owned or free)[0], burn)

    def _owned(self, mint: Mint, burn: Burn) -> Mint:
        """The mint, which is no other burn's from now on."""
        self._taken[mint.place] = burn.log.transaction
        return mint

    def measured(self, far: Domain, burn: Burn, mint: Mint) -> Amount | None:
        """What a mint brought, by the messenger's and the token's own logs; None for nothing."""
        told = _read(MINTED.decode, mint.minted)
        account = told["mintRecipient"]
        if word(account) != burn.message.mint_recipient or told["mintToken"] != far.usdc.address:
            return None
        came, _ = self._nodes[far.chain].received(account, far.usdc, mint.received.transaction)
        return Amount(far.usdc, told["amount"]) if came >= told["amount"] > 0 else None

    def open_burns(self, chain: ChainId, account: Address, first: int) -> list[Burn]:
        """Burns of *account* since block *first* for which nothing was minted, in order.

        Burns that are alike in all are told apart by their number alone: the first to be burnt
        counts as the first to be minted.
        """
        near, node = self._domains[chain], self._nodes[chain]
        query = LogQuery(
            address=near.messenger,
            topics=BURNT.topics(depositor=account),
            first=first,
            last=node.block().number,
        )
        transactions = dict.fromkeys(log.transaction for log in node.logs(query))
        made = [
            burn
            for transaction in transactions
            for burn in self._burns(near, node.logs_of(transaction))
        ]
        minted = self._minted_keys(made)
        found = []
        for burn in made:
            if minted[_key(burn)] > 0:
                minted[_key(burn)] -= 1
            else:
                found.append(burn)
        return found

    def _minted_keys(self, made: Sequence[Burn]) -> Counter[Key]:
        """How often was minted what those burns want, since the first of them, by key."""
        found: Counter[Key] = Counter()
        firsts: dict[tuple[ChainId, Address], Burn] = {}
        for burn in made:
            account = address_in(burn.message.mint_recipient)
            if burn.to_chain is not None and account is not None:
                firsts.setdefault((burn.to_chain, account), burn)
        for (chain, account), first in firsts.items():
            far, head = self._domains[chain], self._nodes[chain].block().number
            minted = self._minted_for(far, account, self._far_start(far, first), head)
            found.update(mint.key for mint in minted)
        return found

    def _minted_for(self, far: Domain, account: Address, first: int, last: int) -> Iterator[Mint]:
        """All that was minted for *account* in those blocks, in order."""
        node = self._nodes[far.chain]
        topics = MINTED.topics(mintRecipient=account, mintToken=far.usdc.address)
        query = LogQuery(address=far.messenger, topics=topics, first=first, last=last)
        for transaction in dict.fromkeys(log.transaction for log in node.logs(query)):
            for mint in self._mints(far, node.logs_of(transaction)):
                if _read(MINTED.decode, mint.minted)["mintRecipient"] == account:
                    yield mint

    def _mints(self, far: Domain, logs: Sequence[Log]) -> Iterator[Mint]:
        """The mints of one transaction: each with the log of its message, which follows it."""
        minted: Log | None = None
        for log in logs:
            if log.address == far.messenger and MINTED.is_in(log):
                minted = log
            elif log.address == far.transmitter and RECEIVED.is_in(log):
                told = _read(RECEIVED.decode, log)
                if minted is not None and told["sender"] == far.messenger_word:
                    key = (far.chain, told["sourceDomain"], _bare(told["messageBody"]))
                    yield Mint(log, minted, key)
                minted = None

    def _far_start(self, far: Domain, burn: Burn) -> int:
        """The far block from which a burn can have been minted."""
        key = far.chain, burn.origin, burn.log.block_number
        if key not in self._starts:
            time = self.made_at(burn) - SKEW_SECONDS
            self._starts[key] = self._block_at(far.chain, time)
        return self._starts[key]

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


def _sent(log: Log) -> BurnMessage | None:
    """The message that left; None for one that is too short to be about a burn."""
    raw = SENT.decode(log)["message"]
    try:
        return BurnMessage(raw)
    except AbiError:
        return None


def _key(burn: Burn) -> Key:
    return burn.to_chain, burn.message.source, _bare(burn.message.body)


def _bare(body: bytes) -> bytes:
    """A burn message without fee and expiry, which the attester fills in."""
    return body[:_BODY_FEE] + body[_BODY_END:]


def _unreadable(far: Domain) -> BadReply:
    return BadReply(
        f"CCTP's contract {far.transmitter} on chain {far.chain} does not tell what it took",
        fix="check its address in chains.toml",
    )


def _read(decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return decode(*args, **kwargs)
    except AbiError as fault:
        raise BadReply(
            f"what CCTP's contracts say cannot be read: {fault}",
            fix="check their addresses in chains.toml, and whether they are newer ones",
        ) from None
