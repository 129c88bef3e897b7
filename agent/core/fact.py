"""The facts of a journal: append-only, versioned, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.intent import (
    AttemptKind,
    Charges,
    Delta,
    Draft,
    Intent,
    Receipt,
    SignedMessage,
    SignedTx,
    UnsignedTx,
)
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Plan
from agent.core.quote import Quote, Rival
from agent.core.verdict import Refusal

VERSION = 4
"""Version of the facts' JSON form; a journal with another one is refused, never guessed."""

Outcome = Literal["done", "nothing", "aborted", "waiting", "needs_human"]


@dataclass(frozen=True, slots=True)
class Holding:
    """A balance at the start or the end of a run, in base units."""

    token: Token
    raw: int


@dataclass(frozen=True, slots=True)
class At:
    """A pinned block."""

    chain: ChainId
    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run began with this plan, these balances at these blocks; `at` is unix seconds."""

    run: str
    account: Address
    plan: Plan
    before: tuple[Holding, ...]
    blocks: tuple[At, ...]
    at: int
    worker: str


@dataclass(frozen=True, slots=True)
class TookOver:
    """Another worker goes on; whoever appended before must stop."""

    worker: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A leg has a firm quote that the guard accepted; `drafts` in order do it.

    `revoke` takes an allowance back if the act does not use it up. `rivals` are the answers of
    the other venues that were asked; `net` is the quote's output less what its gas and fee are
    worth, to compare with theirs.
    """

    run: str
    leg: str
    round: int
    sell_raw: int
    quote: Quote
    drafts: tuple[Draft, ...]
    revoke: Draft | None
    at: int
    net: int = 0
    rivals: tuple[Rival, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The guard, a simulation or a limit said no to a leg; nothing was signed for it."""

    run: str
    leg: str
    via: str
    refusals: tuple[Refusal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Replanned:
    """The legs that have not begun are replaced by those of another plan."""

    run: str
    plan: Plan
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """An attempt is about to be signed: nonce, call and charges stand before the signature.

    Attempt 0 brings the intent; later ones replace it on the same nonce and charge only
    what they may cost more. `unsigned` is None for a typed message.
    """

    intent: Intent
    attempt: int
    kind: AttemptKind
    unsigned: UnsignedTx | None
    charges: Charges
    at: int


@dataclass(frozen=True, slots=True)
class Voided:
    """The last attempt was never signed and never will be; its charges are returned."""

    intent: str
    attempt: int
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed bytes, recorded before they are submitted."""

    intent: str
    attempt: int
    payload: SignedTx | SignedMessage
    at: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """Bytes were handed to a node at block `block`; `accepted` is False when unknown."""

    intent: str
    attempt: int
    accepted: bool
    block: int
    at: int


@dataclass(frozen=True, slots=True)
class Mined:
    """One attempt is in a block."""

    intent: str
    attempt: int
    receipt: Receipt
    at: int


@dataclass(frozen=True, slots=True)
class Unmined:
    """A reorganisation took the block away."""

    intent: str
    block_hash: str
    at: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The block is deep enough for dependent legs."""

    intent: str
    at: int


@dataclass(frozen=True, slots=True)
class Final:
    """The block cannot be reorganised any more."""

    intent: str
    at: int


@dataclass(frozen=True, slots=True)
class Displaced:
    """A transaction that is not ours used the nonce, and that is final."""

    intent: str
    at: int


@dataclass(frozen=True, slots=True)
class Expired:
    """A signed message can no longer be filled."""

    intent: str
    at: int


@dataclass(frozen=True, slots=True)
class Filled:
    """Part of a signed order was executed, in base units; `id` makes it count once."""

    intent: str
    id: str
    sold: Amount
    bought: Amount
    at: int


@dataclass(frozen=True, slots=True)
class Due:
    """A leg needs one more thing done: a claim on the far chain, a revocation."""

    run: str
    leg: str
    draft: Draft
    why: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Nothing can be done for a transfer before `until`, which is long: nobody waits for it.

    A run of which nothing else is left ends without it. `id` is the bridge's number for it, and
    by `due` it is back; times are unix seconds.
    """

    run: str
    leg: str
    until: int
    why: str
    id: str
    due: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Money of a transfer is on the far chain, measured; in `block` there, 0 where not told."""

    run: str
    leg: str
    amount: Amount
    at: int
    block: int = 0


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money of a transfer came back, measured; in `block` of its chain, 0 where not told."""

    run: str
    leg: str
    amount: Amount
    at: int
    block: int = 0


@dataclass(frozen=True, slots=True)
class Unlanded:
    """A reorganisation took away what a transfer had brought, or what had come back."""

    run: str
    leg: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A transfer's money cannot be accounted for."""

    run: str
    leg: str
    why: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a leg's own transactions changed, measured between pinned blocks."""

    run: str
    leg: str
    deltas: tuple[Delta, ...]
    value: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The owner wants the run to end; what is mined stays."""

    run: str
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class ForeignInflow:
    """More came in than the run explains: a deposit, interest, spam."""

    run: str
    amount: Amount
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The run ended; `final` says whether every block of it is beyond reorganisation."""

    run: str
    outcome: Outcome
    why: str
    after: tuple[Holding, ...]
    blocks: tuple[At, ...]
    unexplained: tuple[Delta, ...]
    final: bool
    at: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A person looked at a run that needed one and accepts the balances as they are."""

    run: str
    note: str
    at: int


Fact = (
    Started
    | TookOver
    | Quoted
    | Refused
    | Replanned
    | Reserved
    | Voided
    | Signed
    | Submitted
    | Mined
    | Unmined
    | Confirmed
    | Final
    | Displaced
    | Expired
    | Filled
    | Due
    | Deferred
    | Arrived
    | Refunded
    | Unlanded
    | Lost
    | Settled
    | CancelRequested
    | ForeignInflow
    | Closed
    | Reconciled
)
