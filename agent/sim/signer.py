"""A signer on paper: its bytes are the transaction itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256

from agent.core.fact import Reserved
from agent.core.intent import SignedMessage, SignedTx, UnsignedTx
from agent.core.money import Address
from agent.core.quote import TypedMessage


class PaperSigner:
    """Signs for paper chains only: no real chain takes such bytes."""

    kind = "paper"

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def address(self) -> Address:
        """The account that it signs for."""
        return self._address

    def unlock(self) -> None:
        """Nothing is locked."""

    def sign(self, reserved: Reserved) -> SignedTx | SignedMessage:
        """The same reservation gives the same bytes."""
        if reserved.unsigned is None:
            message = reserved.intent.draft.payload
            if not isinstance(message, TypedMessage):
                raise TypeError("neither a transaction nor a message")
            digest = "0x" + sha256(message.content.encode()).hexdigest()
            return SignedMessage(message.kind, digest, "paper", message.valid_to)
        return signed(reserved.unsigned)


def signed(unsigned: UnsignedTx) -> SignedTx:
    """A transaction as paper chains take it: its bytes are its text, its hash is theirs."""
    text = json.dumps(asdict(unsigned), sort_keys=True).encode()
    return SignedTx("0x" + text.hex(), "0x" + sha256(text).hexdigest())
