"""Values of one 32-byte ABI word: integers, addresses, truth values and fixed bytes."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WORD_BYTES = 32

_INTEGER = re.compile(r"(u?)int([0-9]{1,3})")
_FIXED_BYTES = re.compile(r"bytes([0-9]{1,2})")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class AbiError(ValueError):
    """Bytes that are not what the types say, or a value that does not fit its type."""


@dataclass(frozen=True, slots=True)
class Word:
    """How one type is written to and read from 32 bytes; both raise ``AbiError``."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


@functools.cache
def word(kind: str) -> Word | None:
    """Return the codec of a type that is exactly one word, None for all other types.

    Source of the layout: "Formal Specification of the Encoding", Solidity ABI specification.
    """
    if kind == "bool":
        return Word(_encode_bool, _decode_bool)
    if kind == "address":
        return Word(_encode_address, _decode_address)
    if (match := _INTEGER.fullmatch(kind)) and int(match[2]) in range(8, 257, 8):
        return _integer(kind, signed=not match[1], bits=int(match[2]))
    if (match := _FIXED_BYTES.fullmatch(kind)) and int(match[1]) in range(1, 33):
        return _fixed_bytes(kind, int(match[1]))
    return None


def _integer(kind: str, *, signed: bool, bits: int) -> Word:
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def encode(value: Any) -> bytes:
        if not (type(value) is int and least <= value <= most):
            raise AbiError(f"{_kind_of(value)} does not fit {kind}")
        return value.to_bytes(WORD_BYTES, "big", signed=signed)

    def decode(raw: bytes) -> int:
        value = int.from_bytes(raw, "big", signed=signed)
        if not (least <= value <= most):
            raise AbiError(f"a word is no {kind}")
        return value

    return Word(encode, decode)


def _fixed_bytes(kind: str, length: int) -> Word:
    def encode(value: Any) -> bytes:
        if not (isinstance(value, bytes) and len(value) == length):
            raise AbiError(f"{_kind_of(value)} does not fit {kind}")
        return value.ljust(WORD_BYTES, b"\0")

    def decode(raw: bytes) -> bytes:
        if any(raw[length:]):
            raise AbiError(f"a word is no {kind}")
        return raw[:length]

    return Word(encode, decode)


def _encode_bool(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise AbiError(f"{_kind_of(value)} does not fit bool")
    return value.to_bytes(WORD_BYTES, "big")


def _decode_bool(raw: bytes) -> bool:
    number = int.from_bytes(raw, "big")
    if not (number <= 1):
        raise AbiError("a word is no bool")
    return number == 1


def _encode_address(value: Any) -> bytes:
    if not (isinstance(value, str) and _ADDRESS.fullmatch(value)):
        raise AbiError(f"{_kind_of(value)} does not fit address")
    return bytes.fromhex(value[2:]).rjust(WORD_BYTES, b"\0")


def _decode_address(raw: bytes) -> str:
    if any(raw[:12]):
        raise AbiError("a word is no address")
    return "0x" + raw[12:].hex()


def _kind_of(value: Any) -> str:
    return f"a number of {value.bit_length()} bits" if type(value) is int else type(value).__name__
