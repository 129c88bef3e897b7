"""Bytes with pieces cut out and others put in, as a fault or an attack would."""

from hypothesis import strategies as st

Edits = list[tuple[int, int, bytes]]
"""Where, how many bytes are cut out, and what is put in."""


def edits(longest: int) -> st.SearchStrategy[Edits]:
    """One to three edits of bytes that are about *longest*."""
    each = st.tuples(st.integers(0, longest), st.integers(0, 64), st.binary(max_size=64))
    return st.lists(each, min_size=1, max_size=3)


def spliced(data: str, changes: Edits) -> str:
    """Calldata in hex after *changes*."""
    raw = bytes.fromhex(data[2:])
    for place, length, other in changes:
        start = place % (len(raw) + 1)
        raw = raw[:start] + other + raw[start + length :]
    return "0x" + raw.hex()
