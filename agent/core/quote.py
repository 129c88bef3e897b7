"""Firm offers and what their calls mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.money import Address, Amount, ChainId, Token


@dataclass(frozen=True, slots=True)
class Call:
    """One contract call: `value` in wei, `data` as hex with prefix."""

    chain: ChainId
    to: Address
    value: int
    data: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """The right of `spender` to move exactly `amount` of the wallet's tokens."""

    spender: Address
    amount: Amount


@dataclass(frozen=True, slots=True)
class Permit:
    """The right of `spender` to what the wallet lets `keeper` (Permit2) move: exactly `amount`.

    It ends at `until` (unix seconds), and with the keeper's own allowance.
    """

    keeper: Address
    spender: Address
    amount: Amount
    until: int


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """An EIP-712 message of a kind from a closed list; `content` is canonical JSON."""

    kind: Literal["cow_order"]
    chain: ChainId
    content: str
    valid_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A firm offer: this payload, this minimum, until then.

    Amounts are base units; `expires` is unix seconds of chain time; `gas` is gas units
    for the call alone; `route` names the hops for people. `fee` is what a bridge wants in the gas
    coin on top (base units), sent along as value. With a `permit` its keeper has the allowance,
    and the spender takes the money from there.
    """

    via: str
    sell: Amount
    buy: Token
    amount_out: int
    min_amount_out: int
    allowances: tuple[Allowance, ...]
    payload: Call | TypedMessage
    expires: int
    gas: int
    route: str = ""
    fee: int = 0
    permit: Permit | None = None


Answered = Literal["offered", "none", "limited", "down", "refused"]
"""How a venue answers: with an offer, with no way, with a wish to be asked less, not at all, or
with what was refused, by itself or by the guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another venue's answer to the question that a quote won.

    Of an offer, `out` is what it promised and `net` the same less what its gas and its fee are
    worth, in base units of the token bought; otherwise `code` and `why` say what spoke against it.
    """

    via: str
    answer: Answered
    out: int = 0
    net: int = 0
    code: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a call does, decoded from its bytes and from nothing else.

    None stands for what the bytes do not say. `inner` holds nested calls. `deadline` is
    unix seconds after which the call reverts. `to_chain` is where a bridge delivers, until
    `fill_deadline` (unix seconds); after that `refund` gets the money back. `wraps` says that
    its wrapped coins stand for the gas coin (`Layout`). `fee` is wei of the value that pay for a
    message. `unread` says that it carries bytes that nobody decoded, `undated` that the function
    knows no deadline, `lasting` that an undelivered transfer stays claimable for ever. `sweeps`
    says that it pays out what the contract itself holds, `takes` that it fetches what is sold
    (`Layout`).
    """

    target: Address
    selector: str
    name: str
    recipient: Address | None = None
    sell: Address | None = None
    amount_in: int | None = None
    buy: Address | None = None
    min_out: int | None = None
    value: int = 0
    spender: Address | None = None
    deadline: int | None = None
    to_chain: ChainId | None = None
    refund: Address | None = None
    fill_deadline: int | None = None
    wraps: bool = False
    fee: int = 0
    unread: bool = False
    undated: bool = False
    lasting: bool = False
    sweeps: bool = False
    takes: bool = False
    inner: tuple[Meaning, ...] = ()
