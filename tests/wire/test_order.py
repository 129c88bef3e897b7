"""Orders of CoW Protocol: their text, their hash, their name."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import NATIVE, Address, ChainId
from agent.wire.keccak import keccak256
from agent.wire.order import (
    APP_DATA,
    APP_DATA_HASH,
    BUY_COIN,
    DOMAIN_NAME,
    DOMAIN_VERSION,
    FIELDS,
    TYPE_HASH,
    Order,
    order_digest,
    order_fields,
    order_message,
    order_uid,
    read_order,
)

ORDER = Order(
    chain=ChainId(1),
    settlement=Address("0x9008d19f58aabd9ed0d60971565aa8510560ab41"),
    sell=Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
    buy=Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),
    receiver=Address("0x" + "a1" * 20),
    sell_amount=10**18,
    buy_amount=2_990 * 10**6,
    valid_to=1_800_000_000,
)

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
orders = st.builds(
    Order,
    chain=st.integers(1, 2**60).map(ChainId),
    settlement=addresses,
    sell=addresses,
    buy=st.one_of(st.just(NATIVE), addresses),
    receiver=addresses,
    sell_amount=st.integers(0, 2**256 - 1),
    buy_amount=st.integers(0, 2**256 - 1),
    valid_to=st.integers(0, 2**32 - 1),
)


def digest_by_another_program(order: Order) -> str:
    """EIP-712 by eth_account, from the order's JSON alone."""
    made: Any = encode_typed_data(
        {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": order.chain,
            "verifyingContract": order.settlement,
        },
        {"Order": [{"name": name, "type": kind} for name, kind in FIELDS]},
        {
            name: int(str(value)) if name.endswith("Amount") else value
            for name, value in order_fields(order).items()
        },
    )
    return "0x" + bytes(_hash_eip191_message(made)).hex()


def test_type_hash_is_that_of_the_settlement() -> None:
    signature = f"Order({','.join(f'{kind} {name}' for name, kind in FIELDS)})"
    assert keccak256(signature.encode()) == TYPE_HASH


def test_app_data_hash_is_the_hash_of_its_text() -> None:
    assert "0x" + keccak256(APP_DATA.encode()).hex() == APP_DATA_HASH


@given(orders)
def test_digest_is_the_one_that_another_program_computes(order: Order) -> None:
    assert digest_by_another_program(order) == order_digest(order)


@given(orders)
def test_what_is_written_is_read_back_and_the_same_order_gives_the_same_text(order: Order) -> None:
    message = order_message(order)
    named = replace(order, buy=NATIVE) if order.buy == BUY_COIN else order
    assert named == read_order(message)
    assert message == order_message(read_order(message))


@pytest.mark.parametrize("field", [field.name for field in fields(Order)])
def test_digest_covers_every_field(field: str) -> None:
    value = getattr(ORDER, field)
    other = value + 1 if isinstance(value, int) else Address("0x" + "0d" * 20)
    assert order_digest(replace(ORDER, **{field: other})) != order_digest(ORDER)


def test_name_of_an_order_is_its_digest_its_owner_and_its_end() -> None:
    uid = order_uid(order_digest(ORDER), ORDER.receiver, ORDER.valid_to)
    assert 2 + 2 * 56 == len(uid)
    assert order_digest(ORDER) + "a1" * 20 + "6b49d200" == uid
