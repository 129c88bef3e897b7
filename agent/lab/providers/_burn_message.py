"""CCTP's message about a burn, as bytes at fixed places.

Source: developers.circle.com, "Message format" (CCTP v2).
"""

from dataclasses import dataclass
from typing import Any, Final

_HEAD: Final = {
    "version": (0, 4),
    "sourceDomain": (4, 4),
    "destinationDomain": (8, 4),
    "nonce": (12, 32),
    "sender": (44, 32),
    "recipient": (76, 32),
    "destinationCaller": (108, 32),
    "minFinalityThreshold": (140, 4),
    "finalityThresholdExecuted": (144, 4),
}
_BODY_START: Final = 148
_BODY: Final = {
    "burnToken": (4, 32),
    "mintRecipient": (36, 32),
    "amount": (68, 32),
    "messageSender": (100, 32),
    "maxFee": (132, 32),
    "feeExecuted": (164, 32),
    "expirationBlock": (196, 32),
}
_HOOK_START: Final = 228

_ADDRESSES: Final = ("sender", "recipient", "destinationCaller")
_BODY_ADDRESSES: Final = ("burnToken", "mintRecipient", "messageSender")

_PLACES: Final = _HEAD | {name: (_BODY_START + at, size) for name, (at, size) in _BODY.items()}


@dataclass(frozen=True, slots=True)
class BurnMessage:
    """One message; `with_` makes another one of it."""

    raw: bytes

    def number(self, name: str) -> int:
        """A field as a whole number."""
        start, size = _PLACES[name]
        return int.from_bytes(self.raw[start : start + size])

    def address(self, name: str) -> str:
        """The address in a field of 32 bytes, lower-case."""
        return f"0x{self.number(name):040x}"

    def with_(self, **fields: int) -> "BurnMessage":
        """The same message with other whole numbers in some fields."""
        raw = bytearray(self.raw)
        for name, number in fields.items():
            start, size = _PLACES[name]
            raw[start : start + size] = number.to_bytes(size)
        return BurnMessage(bytes(raw))

    def decoded(self) -> dict[str, Any]:
        """As Circle's API spells it out."""
        hook = self.raw[_BODY_START + _HOOK_START :]
        told: dict[str, Any] = {name: self._told(name, _ADDRESSES) for name in _HEAD}
        told["nonce"] = f"0x{self.number('nonce'):064x}"
        body: dict[str, Any] = {name: self._told(name, _BODY_ADDRESSES) for name in _BODY}
        return {
            **{name: value for name, value in told.items() if name != "version"},
            "messageBody": "0x" + self.raw[_BODY_START:].hex(),
            "decodedMessageBody": {**body, "hookData": "0x" + hook.hex() if hook else None},
        }

    def _told(self, name: str, addresses: tuple[str, ...]) -> str:
        return self.address(name) if name in addresses else str(self.number(name))
