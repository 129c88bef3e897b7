"""Contract calls and their answers as bytes, by signature, without waiting for big imports."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from agent import resources
from agent.wire.keccak import selector
from agent.wire.words import WORD_BYTES, AbiError, word

__all__ = ["AbiError", "Function", "decode", "encode", "functions", "interface", "selector"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract's interface: canonical argument and answer types."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def signature(self) -> str:
        """The canonical signature, such as ``approve(address,uint256)``."""
        return f"{self.name}({','.join(self.inputs)})"

    @property
    def selector(self) -> str:
        """Its four bytes as ``0x`` hex."""
        return selector(self.signature)

    def encode(self, *values: Any) -> str:
        """Return the calldata as ``0x`` hex; raises ``AbiError``."""
        return self.selector + encode(self.inputs, values).hex()

    def decode(self, answer: bytes) -> tuple[Any, ...]:
        """Return the answer's values; raises ``AbiError``."""
        return decode(self.outputs, answer)


def interface(name: str) -> list[dict[str, Any]]:
    """Return the JSON interface ``abis/<name>.json``, as contract libraries take it."""
    entries: list[dict[str, Any]] = json.loads(resources.text(f"abis/{name}.json"))
    return entries


@functools.cache
def functions(name: str) -> Mapping[str, Function]:
    """Return the functions of ``abis/<name>.json`` by canonical signature.

    >>> functions("erc20")["balanceOf(address)"].outputs
    ('uint256',)
    """
    found = [
        Function(
            entry["name"],
            tuple(canonical_type(item) for item in entry["inputs"]),
            tuple(canonical_type(item) for item in entry["outputs"]),
        )
        for entry in interface(name)
        if entry["type"] == "function"
    ]
    return MappingProxyType({function.signature: function for function in found})


def canonical_type(item: Mapping[str, Any]) -> str:
    """Return the type of one parameter of a JSON interface as signatures write it."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    parts = ",".join(canonical_type(part) for part in item["components"])
    return f"({parts}){kind.removeprefix('tuple')}"


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode values; addresses are lower-case hex, integers int, bytes bytes.

    Raises ``AbiError`` when a value does not fit its type.

    >>> encode(["uint256"], [1]).hex()[-4:]
    '0001'
    """
    if len(types) != len(values):
        raise AbiError(f"{len(values)} values for {len(types)} types")
    words = [found for kind in types if (found := word(kind))]
    if len(words) == len(types):
        return b"".join(each.encode(value) for each, value in zip(words, values, strict=True))
    from eth_abi.abi import encode as encode_dynamic
    from eth_abi.exceptions import EncodingError

    try:
        return encode_dynamic(types, values)
    except (EncodingError, TypeError) as fault:
        raise AbiError(f"a value does not fit {','.join(types)}") from fault


def decode(types: Sequence[str], raw: bytes) -> tuple[Any, ...]:
    """Decode an answer; bytes after its end are ignored, as contracts may return more.

    Raises ``AbiError`` when bytes are missing or a value has padding that its type forbids.
    """
    words = [found for kind in types if (found := word(kind))]
    if len(words) != len(types):
        return _decode_dynamic(types, raw)
    if not (len(raw) >= WORD_BYTES * len(words)):
        raise AbiError(f"{len(raw)} bytes are too few for {','.join(types)}")
    return tuple(
        each.decode(raw[start : start + WORD_BYTES])
        for each, start in zip(words, range(0, len(raw), WORD_BYTES), strict=False)
    )


def _decode_dynamic(types: Sequence[str], raw: bytes) -> tuple[Any, ...]:
    from eth_abi.abi import decode as decode_dynamic
    from eth_abi.exceptions import DecodingError

    try:
        values: tuple[Any, ...] = decode_dynamic(types, raw)
    except (DecodingError, OverflowError, UnicodeDecodeError) as fault:
        raise AbiError(f"the bytes are not {','.join(types)}") from fault
    return values
