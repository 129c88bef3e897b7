"""Calls by a function's signature, as set-up code writes them."""

from functools import cache
from typing import Any

from agent.wire.abi import decode, encode, selector


def call_bytes(signature: str, *arguments: Any) -> str:
    """Calldata as prefixed hex.

    >>> call_bytes("transfer(address,uint256)", "0x" + "11" * 20, 1)[:10]
    '0xa9059cbb'
    """
    return selector(signature) + encode(_arguments(signature), arguments).hex()


def answer(types: str, raw: str) -> tuple[Any, ...]:
    """The values in a hex answer; *types* is a list such as ``(uint256,address)``."""
    return decode(_arguments(types), bytes.fromhex(raw.removeprefix("0x")))


@cache
def _arguments(signature: str) -> tuple[str, ...]:
    """Split at the commas that are in no inner tuple.

    >>> _arguments("mint((address,uint24),bytes)")
    ('(address,uint24)', 'bytes')
    """
    inner = signature[signature.index("(") + 1 : -1]
    found: list[str] = []
    depth = 0
    for part in inner.split(",") if inner else []:
        if depth:
            found[-1] += "," + part
        else:
            found.append(part)
        depth += part.count("(") - part.count(")")
    return tuple(found)
