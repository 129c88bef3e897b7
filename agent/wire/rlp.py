"""Recursive length prefixes, as transactions are hashed with: bytes, numbers and lists of these."""

from __future__ import annotations

from collections.abc import Sequence

_STRING, _LIST, _SHORT = 0x80, 0xC0, 55

Item = bytes | int | Sequence["Item"]


def rlp(item: Item) -> bytes:
    """Encode an item; a number is its bytes without leading zeros (Yellow Paper, appendix B).

    >>> rlp([b"cat", 0, 1024]).hex()
    'c88363617480820400'
    """
    if isinstance(item, int):
        return rlp(item.to_bytes((item.bit_length() + 7) // 8, "big"))
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _STRING:
            return item
        return _headed(item, _STRING)
    return _headed(b"".join(rlp(each) for each in item), _LIST)


def _headed(content: bytes, kind: int) -> bytes:
    if len(content) <= _SHORT:
        return bytes([kind + len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([kind + _SHORT + len(size)]) + size + content
