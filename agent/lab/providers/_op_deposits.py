"""Deposits of the OP stack as its rollups derive them from the portal's events.

Sources: Optimism specs, "Deposits" (the type 0x7e, its source hash, the packing of the event).
"""

from dataclasses import dataclass
from typing import Any, Final

from agent.lab.abi import answer
from agent.wire.keccak import keccak256

DEPOSITED: Final = "0x" + keccak256(b"TransactionDeposited(address,address,uint256,bytes)").hex()

_TYPE: Final = 0x7E
_SYSTEM: Final = 0
"""No deposit of a user is one of the system."""

_USER_DEPOSIT: Final = bytes(32)
"""The domain of source hashes of what users deposit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """One deposit transaction of the rollup; ``made_in`` is the block of its event."""

    made_in: int
    source: bytes
    sender: str
    to: str
    mint: int
    value: int
    gas: int
    creates: bool
    data: bytes

    @property
    def raw(self) -> bytes:
        """The transaction as rollups write it, which nobody signs."""
        to = b"" if self.creates else bytes.fromhex(self.to[2:])
        fields = [
            _text(self.source),
            _text(bytes.fromhex(self.sender[2:])),
            _text(to),
            *map(_number, (self.mint, self.value, self.gas, _SYSTEM)),
            _text(self.data),
        ]
        return bytes([_TYPE]) + _headed(0xC0, b"".join(fields))

    @property
    def hash(self) -> str:
        """What the rollup knows it by."""
        return "0x" + keccak256(self.raw).hex()


def derived(log: dict[str, Any]) -> Derived:
    """The deposit transaction of a ``TransactionDeposited`` event, as nodes write logs."""
    (packed,) = answer("(bytes)", log["data"])
    index = int(log["logIndex"], 16).to_bytes(32, "big")
    place = keccak256(bytes.fromhex(log["blockHash"][2:]) + index)
    return Derived(
        made_in=int(log["blockNumber"], 16),
        source=keccak256(_USER_DEPOSIT + place),
        sender="0x" + log["topics"][1][26:],
        to="0x" + log["topics"][2][26:],
        mint=int.from_bytes(packed[:32], "big"),
        value=int.from_bytes(packed[32:64], "big"),
        gas=int.from_bytes(packed[64:72], "big"),
        creates=bool(packed[72]),
        data=packed[73:],
    )


def _number(value: int) -> bytes:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(raw: bytes) -> bytes:
    return raw if len(raw) == 1 and raw[0] < 0x80 else _headed(0x80, raw)


def _headed(base: int, body: bytes) -> bytes:
    """RLP: a first byte that tells the length, or how long the length is (yellow paper, B)."""
    if len(body) <= 55:
        return bytes([base + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(size)]) + size + body
