"""Our prefixes are those of the reference."""

import rlp as reference  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.rlp import Item, rlp

items = st.recursive(st.binary(max_size=300), lambda inner: st.lists(inner, max_size=5))


@given(items)
def test_items_are_encoded_as_the_reference_encodes_them(item: Item) -> None:
    assert reference.encode(item) == rlp(item)


@given(st.integers(0, 2**256 - 1))
def test_numbers_are_encoded_as_the_reference_encodes_them(number: int) -> None:
    assert reference.encode(number) == rlp(number)
