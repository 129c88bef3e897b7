"""The signer for forks: it signs nothing and says what the fork shall run as the account."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from agent.core.fact import Reserved
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import Address
from agent.errors import KeyNotAllowed
from agent.signers._check import intended
from agent.wire.order import Order

PREFIX = "impersonate:"
"""Begins every payload, so that no node can take it for signed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`address` is the wallet's."""

    address: Address


def make(options: Options, _io: object) -> ImpersonatingSigner:
    """The signer for forks."""
    return ImpersonatingSigner(options.address)


class ImpersonatingSigner:
    """Has no key; only a fork that impersonates the account can run what it returns."""

    kind = "impersonate"

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def address(self) -> Address:
        """The account that is impersonated."""
        return self._address

    def unlock(self) -> None:
        """Nothing is locked."""

    def sign(self, reserved: Reserved) -> SignedTx:
        """The call as JSON after `PREFIX`, and its SHA-256 as hash; raises KeyProblem.

        Quantities are hex with prefix, under the names of `eth_sendTransaction`.
        """
        unsigned = intended(reserved, self._address)
        if isinstance(unsigned, Order):
            raise KeyNotAllowed(
                "on a fork nobody fills a signed order, so none is signed for it",
                fix="rehearse with a venue that swaps by itself",
            )
        call = {
            "from": unsigned.sender,
            "to": unsigned.to,
            "value": hex(unsigned.value),
            "data": unsigned.data,
            "gas": hex(unsigned.gas_limit),
            **_price(unsigned),
            "nonce": hex(unsigned.nonce),
        }
        raw = PREFIX + json.dumps(call, separators=(",", ":"))
        return SignedTx(raw, "0x" + sha256(raw.encode()).hexdigest())


def _price(unsigned: UnsignedTx) -> dict[str, str]:
    if unsigned.kind == "legacy":
        return {"gasPrice": hex(unsigned.max_fee_per_gas)}
    return {
        "maxFeePerGas": hex(unsigned.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(unsigned.max_priority_fee_per_gas),
    }
