"""Puts into words why a call failed, from bytes and texts that anyone may have written."""

from __future__ import annotations

from agent.wire import foreign_text
from agent.wire.abi import AbiError, decode, selector

MAX_REASON_CHARS = 200
"""Characters of a reason that are kept; contracts may revert with megabytes."""

_MAX_REVERT_BYTES = 4096
"""Bytes of a revert that are decoded at all."""

_ERROR = bytes.fromhex(selector("Error(string)")[2:])
_PANIC = bytes.fromhex(selector("Panic(uint256)")[2:])

_PANICS = {
    0x01: "failed assertion",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "value outside an enumeration",
    0x22: "broken storage array",
    0x31: "pop of an empty array",
    0x32: "index out of bounds",
    0x41: "too much memory",
    0x51: "call of an unset function",
}
"""Source: Solidity documentation, "Panic via assert and Error via require"."""


def revert_reason(raw: bytes, said: str) -> str:
    """Return the reason in *raw* revert bytes, or what the node *said* when there is none.

    >>> revert_reason(bytes.fromhex("4e487b71" + "11".rjust(64, "0")), "")
    'Panic 0x11: arithmetic overflow'
    """
    body = raw[4:_MAX_REVERT_BYTES]
    try:
        if raw[:4] == _ERROR:
            return plain(decode(["string"], body)[0]) or "an empty reason"
        if raw[:4] == _PANIC:
            number = decode(["uint256"], body)[0]
            return f"Panic {number:#x}: {_PANICS.get(number, 'unknown kind')}"
    except AbiError:
        pass  # no well-formed standard error: show its selector as of any other
    if len(raw) >= 4:
        return f"custom error 0x{raw[:4].hex()}"
    return plain(said) or "reverted without a reason"


def plain(text: str, *, at_most: int = MAX_REASON_CHARS) -> str:
    """Cut foreign text to a reason's length and escape everything that a terminal would obey."""
    return foreign_text.plain(text, at_most=at_most)
