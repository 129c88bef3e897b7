"""What two chains' logs, states and balances prove about a transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from agent.bridges._stargate_chains import StargateChain
from agent.bridges._stargate_messages import (
    PACKET,
    RECEIVED,
    SENT,
    Packet,
    Passage,
    Sent,
    passage,
    read_packet,
    read_sent,
)
from agent.bridges._stargate_offers import word
from agent.core.intent import Receipt
from agent.core.log import Log, LogQuery
from agent.core.money import Address, Amount, ChainId
from agent.core.plan import Leg
from agent.errors import BadReply
from agent.ports import Node, Read
from agent.wire.abi import AbiError, functions

P = ParamSpec("P")
T = TypeVar("T")

FIRST_WINDOW, WINDOW_GROWTH = 512, 4
"""Blocks of the first look back for an arrival's log, and how much wider each next one is."""

HOUR_SECONDS = 3_600
"""So much may the clocks of two chains differ."""

_ENDPOINT, _POOL = functions("stargate_endpoint"), functions("stargate_pool")
_PAYLOAD = _ENDPOINT["inboundPayloadHash(address,uint32,bytes32,uint64)"]
_DONE = _ENDPOINT["lazyInboundNonce(address,uint32,bytes32)"]
_KEPT = _POOL["unreceivedTokens(bytes32,uint8)"]

_NOTHING, _TAKEN_BACK = bytes(32), b"\xff" * 32
"""Hashes of a message that is not there, and of one that must be verified anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How a message stands on the far chain at one block.

    It is executed once and for all when no hash of it is left and its number is `done`; what the
    pool then could not pay out is `kept` there.
    """

    verified: bool
    executed: bool
    taken_back: bool
    kept: bool


class Evidence:
    """Reads pools and endpoints; every method raises Unavailable, and remembers places only."""

    def __init__(self, chains: Mapping[ChainId, StargateChain], nodes: Mapping[ChainId, Node]):
        self._chains = chains
        self._nodes = nodes
        self._eids = {known.eid: known.chain for known in chains.values()}
        self._arrivals: dict[str, Log] = {}

    def far(self, made: Passage) -> StargateChain | None:
        """Where a transfer goes; None for a chain, or a pool, that is not known here."""
        known = self._chains.get(self._eids.get(made.packet.destination, ChainId(0)))
        return known if known is not None and made.asset in known.pools else None

    def passage_of(self, leg: Leg, receipt: Receipt) -> Passage | str | None:
        """The transfer that a transaction of ours made, by its own logs.

        None while the chain has the transaction elsewhere than the receipt, and a sentence when
        it made no such transfer.
        """
        chain = leg.sell.token.chain
        logs = self._nodes[chain].logs_of(receipt.hash)
        if any(log.block_hash != receipt.block_hash for log in logs):
            return None
        near, far = self._chains[chain], self._chains[leg.buy.chain]
        wanted = (near.asset_of(leg.sell.token), far.eid, word(far.messaging))
        found = [
            each
            for each in self._made(near, logs)
            if (each.asset, each.packet.destination, each.packet.receiver) == wanted
        ]
        if len(found) != 1:
            return f"transaction {receipt.hash} made {len(found)} transfers for this leg"
        return found[0]

    def _made(self, near: StargateChain, logs: Sequence[Log]) -> Iterator[Passage]:
        """Plain transfers by taxi in the logs of one transaction.

        Those that share a bus have no number of their own, and those that call contracts are
        nothing that we send.
        """
        assets = {pool: asset for asset, pool in near.pools.items()}
        sent: dict[bytes, Sent] = {}
        packets: dict[bytes, Packet] = {}
        for log in logs:
            if log.address in assets and SENT.is_in(log):
                one = _read(read_sent, log)
                sent[one.guid] = one
            elif log.address == near.endpoint and PACKET.is_in(log):
                packet = _read(read_packet, log)
                packets[packet.guid] = packet
        for one in sent.values():
            carried, asset = packets.get(one.guid), assets[one.log.address]
            found = None if carried is None else passage(near, asset, one, carried)
            if found is not None:
                yield found

    def stand(self, made: Passage, far: StargateChain, at: int) -> Stand:
        """How its message stands at a block of the far chain; one request."""
        path = (far.messaging, made.packet.source, made.packet.sender)
        reads = [
            Read(far.endpoint, _PAYLOAD.encode(*path, made.packet.nonce)),
            Read(far.endpoint, _DONE.encode(*path)),
            Read(far.pools[made.asset], _KEPT.encode(made.packet.guid, 0)),
        ]
        payload, done, kept = self._nodes[far.chain].read(reads, at)
        if payload is None or done is None or kept is None:
            raise BadReply(
                f"Stargate's contracts on chain {far.chain} do not tell what arrived",
                fix="check their addresses in chains.toml",
            )
        return Stand(
            verified=payload == made.packet.payload_hash,
            executed=payload == _NOTHING and made.packet.nonce <= int.from_bytes(done, "big"),
            taken_back=payload == _TAKEN_BACK,
            kept=kept == made.kept_hash(self.far_raw(made)),
        )

    def far_raw(self, made: Passage) -> int:
        """What it pays out, in base units of the far token."""
        far = self.far(made)
        return made.shared if far is None else made.shared * far.unit(made.asset)

    def would_pass(self, made: Passage, to: Address, data: str) -> bool:
        """Whether a call that anybody may make on the far chain would go through now."""
        chain = self._eids[made.packet.destination]
        (answer,) = self._nodes[chain].read([Read(to, data)])
        return answer is not None

    def sent_at(self, made: Passage) -> int:
        """Unix seconds of the block that it left in."""
        return self._nodes[made.origin].block(made.sent.log.block_number).timestamp

    def arrival_of(self, made: Passage, far: StargateChain, head: int) -> Log | None:
        """The log of its payout up to block *head*, the newest first; None when there is none."""
        node, known = self._nodes[far.chain], self._arrivals.get(made.id)
        if known is not None and node.block(known.block_number).hash == known.block_hash:
            return known
        oldest = self.sent_at(made) - HOUR_SECONDS
        last, width = head, FIRST_WINDOW
        while True:
            first = max(0, last - width + 1)
            topics = RECEIVED.topics(guid=made.packet.guid, toAddress=made.account)
            pool = far.pools[made.asset]
            for log in node.logs(LogQuery(address=pool, topics=topics, first=first, last=last)):
                if _read(RECEIVED.decode, log)["amountReceivedLD"] == self.far_raw(made):
                    self._arrivals[made.id] = log
                    return log
            if not first or node.block(first).timestamp < oldest:
                return None
            last, width = first - 1, width * WINDOW_GROWTH

    def measured(self, made: Passage, far: StargateChain, log: Log) -> Amount | None:
        """What the payout brought, by the token's own logs; None when that is not all of it.

        The gas coin has no logs: the pool writes its own only after the coin has left it.
        """
        token, raw = far.tokens[made.asset], self.far_raw(made)
        if token.is_native:
            return Amount(token, raw)
        came, _ = self._nodes[far.chain].received(made.account, token, log.transaction)
        return Amount(token, raw) if came >= raw else None

    def open_passages(self, chain: ChainId, account: Address, first: int) -> list[Passage]:
        """Transfers of *account* to itself since block *first* that have not arrived, in order.

        What goes to a chain that is not known here can still be on its way for all we know.
        """
        near, node = self._chains[chain], self._nodes[chain]
        head = node.block().number
        sent = [
            log
            for pool in near.pools.values()
            for log in node.logs(
                LogQuery(
                    address=pool,
                    topics=SENT.topics(fromAddress=account),
                    first=first,
                    last=head,
                )
            )
        ]
        made = [
            each
            for transaction in dict.fromkeys(log.transaction for log in sent)
            for each in self._made(near, node.logs_of(transaction))
            if each.sent.account == account == each.account
        ]
        return [each for each in made if not self._is_paid(each)]

    def _is_paid(self, made: Passage) -> bool:
        far = self.far(made)
        if far is None:
            return False
        now = self.stand(made, far, self._nodes[far.chain].block().number)
        return now.executed and not now.kept


def _read(decode: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return decode(*args, **kwargs)
    except AbiError as fault:
        raise BadReply(
            f"what Stargate's contracts say cannot be read: {fault}",
            fix="check their addresses in chains.toml, and whether they are newer ones",
        ) from None
