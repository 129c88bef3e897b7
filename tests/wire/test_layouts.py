"""Field maps of providers' calls: what each kind of entry makes of the bytes."""

from __future__ import annotations

from typing import Any

import pytest
from proposals import ACCOUNT, CHAIN, DAI, FAR_WETH, OTHER, USDC, WETH, call_data

from agent.core.layout import Layout, Place
from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import Call, Meaning
from agent.core.verdict import Refusal
from agent.wire.calldata import by_selector, meaning

TARGET, NEXT = Address("0x" + "71" * 20), Address("0x" + "72" * 20)
COIN = "0x" + "ee" * 20
NOBODY = "0x" + "00" * 20


def read(layout: Layout, *values: Any, value: int = 0, more: tuple[Layout, ...] = ()) -> Any:
    call = Call(CHAIN, TARGET, value, call_data(layout, *values))
    return meaning(call, by_selector(layout, *more), account=ACCOUNT)


def meant(layout: Layout, *values: Any, value: int = 0, more: tuple[Layout, ...] = ()) -> Meaning:
    found = read(layout, *values, value=value, more=more)
    assert isinstance(found, Meaning), found
    return found


def refused(layout: Layout, *values: Any, **changes: Any) -> str:
    found = read(layout, *values, **changes)
    assert isinstance(found, Refusal), found
    return f"{found.code} {found.why}"


SWAP = Layout(
    signature="swap(address,(address,address,address,uint256,uint256,uint256),bytes)",
    sell=(1, 0),
    buy=(1, 1),
    recipient=(1, 2),
    amount_in=(1, 3),
    min_out=(1, 4),
    coins=frozenset({COIN}),
    stands={NOBODY: "sender"},
    zeros=((1, 5),),
    unread=((2,),),
    undated=True,
)


def test_pseudo_address_of_a_coin_means_the_gas_coin() -> None:
    m = meant(SWAP, TARGET, (COIN, USDC.address, ACCOUNT, 5, 4, 0), b"", value=5)
    assert (NATIVE, USDC.address) == (m.sell, m.buy)
    m = meant(SWAP, TARGET, (USDC.address, COIN, ACCOUNT, 5, 4, 0), b"")
    assert (USDC.address, NATIVE) == (m.sell, m.buy)


def test_pseudo_recipient_means_the_sender() -> None:
    assert ACCOUNT == meant(SWAP, TARGET, (COIN, DAI.address, NOBODY, 5, 4, 0), b"").recipient


@pytest.mark.parametrize(("content", "unread"), [(b"", False), (b"route", True)])
def test_bytes_for_others_are_unread_when_there_are_any(content: bytes, unread: bool) -> None:
    m = meant(SWAP, TARGET, (WETH.address, DAI.address, ACCOUNT, 5, 4, 0), content)
    assert (unread, True) == (m.unread, m.undated)


def test_flags_that_must_be_empty_are() -> None:
    said = refused(SWAP, TARGET, (WETH.address, DAI.address, ACCOUNT, 5, 4, 1), b"")
    assert f"G101 swap on {TARGET} cannot be decoded: a field that must be empty is not" == said


def test_lists_that_must_be_empty_are() -> None:
    layout = Layout(signature="f(uint256[])", zeros=((0,),))
    assert "f" == meant(layout, ()).name
    assert "must be empty" in refused(layout, (1,))


def test_word_of_zeros_is_empty_and_bytes_of_zeros_are_not() -> None:
    word = Layout(signature="f(bytes32,(uint256,bytes32))", zeros=((0,), (1, 1)))
    assert "f" == meant(word, bytes(32), (1, bytes(32))).name
    assert "must be empty" in refused(word, bytes(32), (1, b"\1" * 32))
    text = Layout(signature="f(bytes)", zeros=((0,),))
    assert "must be empty" in refused(text, bytes(32))


def test_fields_that_must_be_equal_are() -> None:
    layout = Layout(signature="f(address,(address,uint256))", equal=(((0,), (1, 0)),))
    assert "f" == meant(layout, TARGET, (TARGET, 1)).name
    assert "two fields that must be equal are not" in refused(layout, TARGET, (NEXT, 1))


def test_address_equals_itself_in_a_word_and_no_other() -> None:
    layout = Layout(signature="f(address,bytes32)", equal=(((0,), (1,)),))
    padded = bytes(12) + bytes.fromhex(TARGET[2:])
    assert "f" == meant(layout, TARGET, padded).name
    for other in (b"\1" + padded[1:], bytes(32), padded[:-1] + b"\0"):
        assert "two fields that must be equal are not" in refused(layout, TARGET, other)


@pytest.mark.parametrize(("low", "fits"), [(4, True), (5, True), (6, False)])
def test_field_that_another_bounds_is_not_above_it(low: int, fits: bool) -> None:
    layout = Layout(signature="f(uint256,uint256)", ordered=(((0,), (1,)),))
    found = read(layout, low, 5)
    assert fits == isinstance(found, Meaning)


@pytest.mark.parametrize(
    ("word", "fits"), [(0, True), (1 << 92, True), (1 << 95, False), (1, False)]
)
def test_bits_under_a_mask_are_as_wanted(word: int, fits: bool) -> None:
    layout = Layout(signature="f(uint256)", masks=(((0,), (1 << 95) | 0x3FFF, 0),))
    assert fits == isinstance(read(layout, word), Meaning)


def test_address_in_a_word_is_read_when_nothing_stands_before_it() -> None:
    layout = Layout(signature="f(bytes32)", recipient=(0,))
    padded = bytes(12) + bytes.fromhex(ACCOUNT[2:])
    assert ACCOUNT == meant(layout, padded).recipient
    dirty = b"\1" + padded[1:]
    assert "an address has more than twenty bytes" in refused(layout, dirty)


def test_sold_coin_that_only_the_value_tells() -> None:
    layout = Layout(signature="f(address,uint256)", buy=(0,), min_out=(1,), paid=True)
    m = meant(layout, USDC.address, 4, value=7)
    assert (NATIVE, None, 7) == (m.sell, m.amount_in, m.value)


EXEC = Layout(
    signature="exec(address,address,uint256,address,bytes)",
    sell=(1,),
    amount_in=(2,),
    equal=(((0,), (3,)),),
    passes=(3,),
    inner=(4,),
)
EXECUTE = Layout(
    signature="execute((address,address,uint256),bytes[])",
    recipient=(0, 0),
    buy=(0, 1),
    min_out=(0, 2),
    unread=((1,),),
    undated=True,
)


def test_call_that_goes_on_is_read_as_a_call_of_the_next_contract() -> None:
    inner = bytes.fromhex(call_data(EXECUTE, (ACCOUNT, DAI.address, 4), (b"a",))[2:])
    m = meant(EXEC, NEXT, WETH.address, 5, NEXT, inner, value=1, more=(EXECUTE,))
    (part,) = m.inner
    assert (TARGET, NEXT) == (m.target, part.target)
    assert (ACCOUNT, DAI.address, 4, True, 1) == (
        part.recipient,
        part.buy,
        part.min_out,
        part.unread,
        part.value,
    )


def test_call_that_goes_on_to_something_unknown_is_refused() -> None:
    inner = bytes.fromhex(call_data(EXECUTE, (ACCOUNT, DAI.address, 4), ())[2:])
    said = refused(EXEC, NEXT, WETH.address, 5, NEXT, inner)
    assert f"G111 the nested call to {NEXT} has the unknown selector 0x{inner[:4].hex()}" == said


def test_call_that_goes_on_without_any_call_is_refused() -> None:
    assert "it nests no calls" in refused(EXEC, NEXT, WETH.address, 5, NEXT, b"", more=(EXECUTE,))


BURN = Layout(
    signature="burn(uint256,uint32,bytes32,address,uint256)",
    amount_in=(0,),
    to_chain=(1,),
    numbers={6: OTHER},
    recipient=(2,),
    sell=(3,),
    fee_in=(4,),
    places={(CHAIN, TARGET): Place(buys={(OTHER, WETH.address): FAR_WETH.address})},
    lasting=True,
)
WHERE = bytes(12) + bytes.fromhex(ACCOUNT[2:])


def test_bridge_s_own_number_of_a_chain_is_translated() -> None:
    m = meant(BURN, 100, 6, WHERE, WETH.address, 3)
    assert (OTHER, FAR_WETH.address, 97, True) == (m.to_chain, m.buy, m.min_out, m.lasting)


def test_number_that_is_no_chain_s_is_refused() -> None:
    said = refused(BURN, 100, 7, WHERE, WETH.address, 3)
    assert "nobody knows a chain of the number 7" in said


def test_fee_above_the_amount_leaves_nothing() -> None:
    assert 0 == meant(BURN, 100, 6, WHERE, WETH.address, 101).min_out


def test_token_that_no_place_knows_buys_nothing() -> None:
    assert meant(BURN, 100, 6, WHERE, DAI.address, 3).buy is None


def test_contract_that_is_no_place_implies_nothing() -> None:
    call = Call(CHAIN, NEXT, 0, call_data(BURN, 100, 6, WHERE, WETH.address, 3))
    m = meaning(call, by_selector(BURN), account=ACCOUNT)
    assert isinstance(m, Meaning)
    assert m.buy is None


def test_pool_implies_its_token_and_a_canonical_bridge_its_chain() -> None:
    layout = Layout(
        signature="bridge(address,uint256)",
        recipient=(0,),
        amount_in=(1,),
        one_to_one=True,
        places={
            (CHAIN, TARGET): Place(
                sell=WETH.address,
                to_chain=ChainId(10),
                buys={(ChainId(10), WETH.address): DAI.address},
            )
        },
    )
    m = meant(layout, ACCOUNT, 9)
    assert (WETH.address, DAI.address, 10, 9) == (m.sell, m.buy, m.to_chain, m.min_out)


def test_message_fee_is_read_from_its_field_or_is_all_value() -> None:
    field = Layout(signature="send(uint256)", fee=(0,))
    assert 8 == meant(field, 8, value=9).fee
    assert 9 == meant(Layout(signature="send(uint256)", value_is_fee=True), 8, value=9).fee
    assert 0 == meant(Layout(signature="send(uint256)"), 8, value=9).fee


def test_function_that_is_paid_one_to_one_guarantees_what_is_sent_less_its_fee() -> None:
    layout = Layout(signature="pay(uint256)", paid=True, one_to_one=True, fee=(0,))
    assert (NATIVE, 9, 7) == (
        meant(layout, 2, value=9).sell,
        meant(layout, 2, value=9).value,
        meant(layout, 2, value=9).min_out,
    )


@pytest.mark.parametrize(
    ("path", "kind"), [((0, -1, 0), "address"), ((0, 2, 1), "uint24"), ((1,), "bytes")]
)
def test_type_of_a_field_is_found_through_arrays(path: tuple[int, ...], kind: str) -> None:
    assert kind == Layout(signature="f((address,uint24)[],bytes)").type_at(path)
