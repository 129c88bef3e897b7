"""The signer over a key in plain text: only when that was accepted, and only for small sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn, SupportsIndex

from agent.core.fact import Reserved
from agent.core.intent import SignedMessage, SignedTx
from agent.core.money import Address
from agent.errors import KeyMismatch, KeyMissing, KeyNotAllowed
from agent.signers._check import intended, local_rule
from agent.signers._key import Key, key_of, secret_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`reveal` gives the key in hex when it is needed; `accepted` is the explicit flag.

    `max_value` is the largest value, in the unit of account, that may move under it.
    """

    address: Address
    reveal: Callable[[], str] = field(repr=False)
    accepted: bool
    max_value: Decimal
    local: bool
    generated: frozenset[Address]

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key does not leave its process")


def make(options: Options, _io: object) -> EnvKeySigner:
    """The signer; the key is not looked at before it must sign."""
    return EnvKeySigner(options)


class EnvKeySigner:
    """Signs while the value it has moved stays within its limit."""

    kind = "env_key"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._key: Key | None = None
        self._charged: dict[tuple[str, int], Decimal] = {}

    @property
    def address(self) -> Address:
        """The account that it signs for."""
        return self._options.address

    def permit(self, value: Decimal) -> None:
        """Refuse a plan that moves *value* when that is above the limit; raises KeyNotAllowed."""
        limit = self._options.max_value
        if not (value.is_finite() and limit.is_finite() and 0 <= value <= limit):
            raise KeyNotAllowed(
                f"a key in plain text moves at most {limit}, this would be {value}",
                fix="put the key into an encrypted file: rebalancer accounts import",
            )

    def unlock(self) -> None:
        """Make sure that it can sign; raises KeyNotAllowed, KeyMissing or KeyMismatch."""
        self._usable()

    def sign(self, reserved: Reserved) -> SignedTx | SignedMessage:
        """Sign what stands in the journal; raises KeyProblem."""
        unsigned = intended(reserved, self.address)
        self.permit(reserved.charges.value)
        # By attempt: to sign the same one again after a failure moves nothing more.
        charged = {**self._charged, (reserved.intent.id, reserved.attempt): reserved.charges.value}
        self.permit(sum(charged.values(), Decimal(0)))
        key = self._usable()
        self._charged = charged
        return key.sign(unsigned)

    def _usable(self) -> Key:
        options = self._options
        if not options.accepted:
            raise KeyNotAllowed(
                "a key in plain text was given, and nobody accepted that",
                fix="put the key into an encrypted file: rebalancer accounts import",
            )
        local_rule(options.address, local=options.local, generated=options.generated)
        if self._key is None:
            self._key = _key_from(options)
        return self._key

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key does not leave its process")


def _key_from(options: Options) -> Key:
    # The key's text is never a variable here: what raises below would show it.
    key = _read(options.reveal())
    if key is None:
        raise KeyMissing(
            "what was given as a key in plain text is none", fix="give a key of 64 hex digits"
        )
    if key.address != options.address:
        raise KeyMismatch(
            f"the key in plain text is that of {key.address}, the wallet is {options.address}",
            fix="give the wallet's own key, or correct the wallet's address",
        )
    return key


def _read(text: str) -> Key | None:
    secret = secret_of(text)
    return None if secret is None else key_of(secret)
