"""How long bytes are when FastLZ has compressed them: what OP stack chains charge data by.

The chains' rules (specs.optimism.io, Fjord, "FastLZ Implementation") demand the very length that
level 1 of FastLZ puts out (github.com/ariya/FastLZ); nothing is compressed here.
"""

from __future__ import annotations

_TABLE_SIZE = 1 << 13
_HASH_FACTOR, _HASH_SHIFT = 2_654_435_769, 19
"""Knuth's multiplicative hash, from three bytes to the thirteen bits of the table."""

_FARTHEST = (1 << 13) - 1
"""A match begins at most this many bytes back."""

_NO_MATCH_BEGINS, _EVERY_MATCH_ENDS = 14, 5
"""Bytes before the end: no match begins in the last fourteen or reaches into the last five."""

_LEAST_MATCH = 3
_LITERALS = 32
"""Bytes that one byte can announce as they are."""

_LONGEST_COPY, _SHORT_COPY = 262, 6
"""Bytes beyond the first three that one instruction copies; from six on it takes a third byte."""


def compressed_bytes(plain: bytes) -> int:
    """Return the length of *plain* after FastLZ level 1.

    >>> compressed_bytes(bytes(100)), compressed_bytes(bytes(range(100)))
    (12, 104)
    """
    seen = [0] * _TABLE_SIZE
    length = done = 0
    at = 2
    while (found := _next_match(plain, seen, at)) is not None:
        at, back = found
        size = _match_size(plain, back, at)
        length += _literals(at - done) + _copy(size)
        at = done = at + size
        for place in (done - 2, done - 1):
            seen[_hash(plain[place : place + 3])] = place
    return length + _literals(len(plain) - done)


def _next_match(plain: bytes, seen: list[int], start: int) -> tuple[int, int] | None:
    """Find the next three bytes from *start* on that came before: (where, where before)."""
    for at in range(start, len(plain) - _NO_MATCH_BEGINS):
        three = plain[at : at + _LEAST_MATCH]
        key = _hash(three)
        back, seen[key] = seen[key], at
        if at - back <= _FARTHEST and three == plain[back : back + _LEAST_MATCH]:
            return at, back
    return None


def _match_size(plain: bytes, back: int, at: int) -> int:
    end = len(plain) - _EVERY_MATCH_ENDS
    size = _LEAST_MATCH
    while at + size < end and plain[back + size] == plain[at + size]:
        size += 1
    return size


def _hash(three: bytes) -> int:
    return (_HASH_FACTOR * int.from_bytes(three, "little") >> _HASH_SHIFT) % _TABLE_SIZE


def _literals(count: int) -> int:
    whole, rest = divmod(count, _LITERALS)
    return whole * (_LITERALS + 1) + (rest + 1 if rest else 0)


def _copy(size: int) -> int:
    whole, rest = divmod(size - _LEAST_MATCH, _LONGEST_COPY)
    return 3 * whole + (3 if rest >= _SHORT_COPY else 2)
