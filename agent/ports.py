"""The ports: what the engine asks of the world, and nothing about how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from agent.core.fact import Fact, Reserved
from agent.core.fees import FeeQuote, L1Fee
from agent.core.intent import Draft, Receipt, SignedMessage, SignedTx
from agent.core.layout import Layout
from agent.core.log import Log, LogQuery
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.notice import Notice
from agent.core.order import OrderState
from agent.core.plan import Leg
from agent.core.price import Opinion, Ratio, Unpriced
from agent.core.quote import Allowance, Call, Quote, TypedMessage
from agent.core.sighting import Sighting
from agent.core.simulated import NOTHING, Simulated
from agent.core.snapshot import Block, ChainSnapshot
from agent.core.storage_proof import StorageProof
from agent.provider import Http, Offline

BlockTag = int | Literal["latest", "finalized"]


@dataclass(frozen=True, slots=True)
class Read:
    """One read-only call; `data` is hex with prefix."""

    to: Address
    data: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What a node said to signed bytes: `accepted` False means unknown, so look it up.

    `said` is the node's own text, cut and cleaned; it is for people and decides nothing.
    """

    accepted: bool
    said: str = ""


class Node(Protocol):
    """One chain, through one or several RPC endpoints.

    All methods raise `Unavailable` (or a subclass) when no useful answer came; none
    retries a broadcast.
    """

    @property
    def chain(self) -> ChainId:
        """The chain that it serves, verified against the endpoint before first use."""

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""

    def snapshot(
        self, account: Address, tokens: Sequence[Token], *, old: bool = False
    ) -> ChainSnapshot:
        """All balances, the block and the account's code, atomically, in one request.

        Raises `StaleHead` when the newest block is too old to decide on, unless *old* is given:
        a chain that stands still can be read all the same.
        """

    def balances(self, account: Address, tokens: Sequence[Token], at: int) -> Mapping[Token, int]:
        """Base units at block number *at*; raises when one of them cannot be read."""

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        """Answers in order, None for a call that reverted; one request."""

    def block(self, at: BlockTag = "latest") -> Block:
        """A block by number or tag."""

    def code_hashes(self, addresses: Sequence[Address]) -> Mapping[Address, str]:
        """Keccak of the runtime code (hex with prefix), empty for an account without code."""

    def fees(self) -> FeeQuote:
        """Base fee of the next block, a usual priority fee, and what a byte of data costs."""

    def l1_fees(self, calls: Sequence[tuple[Call, int]]) -> tuple[L1Fee, ...]:
        """What the place of each call (with its gas limit) on the parent chain costs now.

        In the order of *calls*; nothing where the chain has no parent. Never a guess: it raises
        `Unavailable` when the chain's own oracle does not say it.
        """

    def sight(self, account: Address, hashes: Sequence[str]) -> Sighting:
        """Heads, nonces and receipts together."""

    def pending_nonce(self, account: Address) -> int:
        """The account's next nonce with the node's pool counted in."""

    def received(self, account: Address, token: Token, transaction: str) -> tuple[int, int]:
        """(in, out) of *token* by the Transfer logs of one mined transaction, base units."""

    def logs(self, query: LogQuery) -> tuple[Log, ...]:
        """All logs that match, in order; raises when the node has not all of the blocks.

        However many blocks are asked for: what a node refuses at once is asked for in parts.
        """

    def logs_of(self, transaction: str) -> tuple[Log, ...]:
        """All logs of one mined transaction, in order; raises when it is not mined."""

    def simulate(
        self,
        account: Address,
        calls: Sequence[tuple[Call, int]],
        watch: Sequence[Token],
        allowances: Sequence[Allowance],
        given: Mapping[Token, int] = NOTHING,
    ) -> Simulated:
        """Run *calls* (each with its gas limit) in a row as the account would, on the head.

        Of what is *given* (base units) it has more than it has; the deltas do not contain it.
        """

    def send(self, raw: str) -> Sent:
        """Hand over signed bytes once; an error is an unknown, never a no."""


@runtime_checkable
class Prover(Protocol):
    """The part of a node that proves to another chain what a contract of its own keeps."""

    def proof(self, account: Address, slot: str, at: int) -> StorageProof:
        """The Merkle proof of one storage slot (32 bytes of hex) at block number *at*.

        Raises `Unavailable`, also when the node keeps no state of so old a block.
        """


class Venue(Protocol):
    """A place to swap on one chain."""

    name: str

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges of all *pairs* up to the largest *sizes* (base units) at once."""

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw* base units, or raise `Unavailable`.

        *min_out* is the least that independent prices allow; the quote's minimum is not
        below it. *now* is the chain's time in unix seconds.
        """

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Field maps of its calls by selector: data for the shared decoder."""

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Addresses that its calls go to or that may spend, with pinned code hashes or ''."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do before `until`; `id` is the bridge's number, by `due` the money is back."""

    until: int
    why: str
    id: str = ""
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A transfer needs a transaction of ours on `draft.chain`."""

    draft: Draft
    why: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The money is on the far chain, measured, since `block`; None: since its run began."""

    amount: Amount
    block: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """The money came back, measured, since `block`; None: since its run began."""

    amount: Amount
    block: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Gone:
    """The money cannot be accounted for."""

    why: str


Track = Waiting | Act | Delivered | Returned | Gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer that a bridge's logs tell of: it has left and not arrived.

    `sold` has left, at least `least` is to arrive as `buy`; `due` is unix seconds after which it
    comes back instead, None where it does not by itself. `deposit` is the transaction's hash and
    `id` the bridge's own number for it, '' where it has none.
    """

    via: str
    id: str
    sold: Amount
    buy: Token
    least: int
    deposit: str
    block: int
    due: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Calls that anybody may send, in a row, to pay a transfer out: for rehearsals on forks.

    `needs` is what the sender must have; the allowances are among the `calls`. `played` are calls
    before them that only these accounts may send: on a fork they do, without their keys. Where the
    bridge's own contracts cannot be brought to it on a fork, the calls only pay the same: `brings`.
    """

    calls: tuple[Call, ...]
    needs: Amount
    played: tuple[tuple[Address, Call], ...] = ()
    brings: Amount | None = None


class Bridge(Protocol):
    """A way from one chain to another."""

    name: str

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges of those *routes* (sell, buy on another chain) that it serves.

        Ladders go up to the *sizes* (base units by token sold). What it cannot tell honestly,
        such as a fee that nobody told it, is no edge. Raises nothing.
        """

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to send exactly *sell_raw* base units, or raise `Unavailable`."""

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Field maps of its calls by selector: data for the shared decoder."""

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Addresses that its calls go to or that may spend, with pinned code hashes or ''."""

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money of a mined deposit is; *claims* of ours are mined already."""

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Transfers of *account* that have not arrived, from chain logs alone.

        *since* is the first block to look at, by chain. Raises `Unavailable`.
        """

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What delivers a deposit on a fork; None when nothing is needed. Raises `Unavailable`."""


@runtime_checkable
class OrderBook(Protocol):
    """The part of a venue that takes signed messages instead of transactions."""

    def post(self, message: TypedMessage, signed: SignedMessage) -> Sent:
        """Hand over a signed order once more; the same digest is the same order."""

    def order(self, message: TypedMessage, signed: SignedMessage) -> OrderState:
        """Fills so far, and whether more may come.

        An order that the venue never got is open, without fills, until its time is over. Only
        what the chain says is a fill, and only the chain ends an order.
        """


class Signer(Protocol):
    """Holds a key and signs reserved attempts, nothing else."""

    @property
    def address(self) -> Address:
        """The account that it signs for."""

    @property
    def kind(self) -> str:
        """The name of the kind of signer, as in the configuration."""

    def unlock(self) -> None:
        """Make sure that it can sign, asking for what it needs; raises KeyProblem as `sign`."""

    def sign(self, reserved: Reserved) -> SignedTx | SignedMessage:
        """Sign what stands in the journal; raises KeyProblem."""


class Oracle(Protocol):
    """A source of prices, independent of the venues."""

    name: str

    def opinions(
        self, assets: Mapping[str, Sequence[Token]], now: int
    ) -> tuple[Opinion | Ratio | Unpriced, ...]:
        """What it says about *assets* (with their tokens); silence is said as Unpriced."""


class Journal(Protocol):
    """Facts by account, in order; the only lock that must hold."""

    def append(self, account: Address, seq: int, fact: Fact) -> None:
        """Write *fact* durably at position *seq* (from 0).

        Raises Fenced when the position is taken or not the next one, DiskFull when it
        cannot be made durable, JournalCorrupt when what is there cannot be trusted.
        """

    def load(self, account: Address) -> tuple[Fact, ...]:
        """All facts of an account in order, hash chain verified; raises JournalCorrupt."""

    def accounts(self) -> tuple[Address, ...]:
        """All accounts with at least one fact."""

    def head(self, account: Address) -> str:
        """The hash of the last fact, the account's genesis hash when there is none."""

    def hold(self, account: Address) -> AbstractContextManager[None]:
        """The account's lock, which dies with its process; raises Locked."""

    def close(self) -> None:
        """Let go of files; safe to call twice."""


class Sandbox(Protocol):
    """Makes throw-away copies of chains."""

    def fork(self, chain: ChainId, url: str, block: int) -> AbstractContextManager[str]:
        """The URL of a copy of the chain behind *url* at *block*, gone afterwards."""


class Clock(Protocol):
    """Time of this machine."""

    def now(self) -> int:
        """Unix seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Notifier(Protocol):
    """A way to reach a person."""

    @property
    def name(self) -> str:
        """What memory and messages call it; no secret."""

    def tell(self, notice: Notice) -> None:
        """Hand *notice* on once; raises AgentError, whose text holds no secret, when it cannot."""


@dataclass(frozen=True, slots=True)
class AdapterIo:
    """What an adapter may touch: the nodes by chain, the clock, and providers' servers."""

    nodes: Mapping[ChainId, Node]
    clock: Clock
    http: Http = field(default_factory=Offline)


Observer = Callable[[Fact], None]
"""Told of each fact after it is durable."""
