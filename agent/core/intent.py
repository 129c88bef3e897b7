"""Intents, their attempts, and what the chain answered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.fees import TxKind
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.quote import Allowance, Call, TypedMessage

Purpose = Literal[
    "approve_zero", "approve", "swap", "order", "wrap", "unwrap", "deposit", "claim", "revoke"
]
PROTECTIVE = frozenset({"revoke", "claim"})
"""Purposes that only take risk away: neither a spent budget nor the end of a run stops them."""

AttemptKind = Literal["first", "reprice", "cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One thing that a leg still has to do, not yet bound to a nonce.

    `gas_limit` is gas units for what it executes, without what Arbitrum counts as gas for
    its place on the parent chain; `valid_until` unix seconds of chain time after which it must
    not be signed, 0 for never; `moves` is what leaves the wallet if it succeeds.
    """

    purpose: Purpose
    chain: ChainId
    payload: Call | TypedMessage
    gas_limit: int
    valid_until: int = 0
    moves: Amount | None = None
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Charges:
    """What a reservation takes out of the limits, in the unit of account.

    `value` is money moved, `fee` the largest network fee it may cost.
    """

    value: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTx:
    """A transaction of EIP-1559, or a legacy one; fees in wei per gas, `data` hex with prefix.

    The gas price of a legacy one stands in both fees.
    """

    chain: ChainId
    sender: Address
    nonce: int
    to: Address
    value: int
    data: str
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    kind: TxKind = "eip1559"


@dataclass(frozen=True, slots=True)
class SignedTx:
    """Signed bytes as hex with prefix, and the transaction hash computed from them."""

    raw: str
    hash: str

    @property
    def name(self) -> str:
        """What it is known by: its hash."""
        return self.hash


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A signed typed message; `digest` is its id at the venue."""

    kind: Literal["cow_order"]
    digest: str
    signature: str
    valid_to: int

    @property
    def name(self) -> str:
        """What it is known by: its digest."""
        return self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One thing to be done on one nonce; `nonce` is None for a typed message.

    `id` is unique in the account's journal; `round` is the quote round of its leg.
    """

    id: str
    run: str
    leg: str
    round: int
    index: int
    draft: Draft
    account: Address
    nonce: int | None
    charges: Charges
    native_price: Decimal

    @property
    def chain(self) -> ChainId:
        """The chain it acts on."""
        return self.draft.chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a mined transaction did; `fee` is wei in total, L1 data fee included."""

    hash: str
    block_number: int
    block_hash: str
    ok: bool
    gas_used: int
    fee: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A measured change of one balance in base units, fees of the network not included."""

    token: Token
    raw: int
