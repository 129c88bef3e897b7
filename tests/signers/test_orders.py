"""Signed orders: the whole order and nothing else, by the wallet's own key, or no signature."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signer_rigs import ADDRESS, KEY, MAKE, STRANGER, TRANSACTION, WITH_KEY, reserved

from agent.core.fact import Reserved
from agent.core.intent import SignedMessage
from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import TypedMessage
from agent.errors import KeyMismatch, KeyNotAllowed, KeyProblem
from agent.signers._key import key_of
from agent.signers._order import signed_order, typed
from agent.wire.order import Order, order_digest, order_message

SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the group, https://www.secg.org/sec2-v2.pdf."""

ORDER = Order(
    chain=ChainId(1),
    settlement=Address("0x9008d19f58aabd9ed0d60971565aa8510560ab41"),
    sell=Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
    buy=NATIVE,
    receiver=ADDRESS,
    sell_amount=10**18,
    buy_amount=2_990 * 10**6,
    valid_to=1_800_000_000,
)
every_signer_with_key = pytest.mark.parametrize("name", WITH_KEY)


def ordered(message: TypedMessage | None = None, **changes: Any) -> Reserved:
    """The reservation of an order; *changes* are of its intent."""
    fact = reserved(None)
    message = order_message(ORDER) if message is None else message
    draft = dataclasses.replace(fact.intent.draft, purpose="order", payload=message)
    intent = dataclasses.replace(fact.intent, draft=draft, **changes)
    return dataclasses.replace(fact, intent=intent)


def signer_of(signed: SignedMessage) -> str:
    return str(Account._recover_hash(signed.digest, signature=signed.signature)).lower()


@every_signer_with_key
def test_order_is_signed_over_all_of_its_fields_by_the_wallet_s_key(
    name: str, tmp_path: Path
) -> None:
    signed = MAKE[name](tmp_path).sign(ordered())
    assert isinstance(signed, SignedMessage)
    assert ("cow_order", order_digest(ORDER), ORDER.valid_to) == (
        signed.kind,
        signed.digest,
        signed.valid_to,
    )
    assert ADDRESS == signer_of(signed)


@every_signer_with_key
def test_same_order_gives_the_same_signature_again(name: str, tmp_path: Path) -> None:
    signer = MAKE[name](tmp_path)
    assert signer.sign(ordered()) == signer.sign(ordered())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sell_amount=st.integers(0, 2**256 - 1),
    buy_amount=st.integers(0, 2**256 - 1),
    valid_to=st.integers(0, 2**32 - 1),
)
def test_whatever_an_order_of_ours_says_is_what_is_signed(
    tmp_path: Path, sell_amount: int, buy_amount: int, valid_to: int
) -> None:
    order = dataclasses.replace(
        ORDER, sell_amount=sell_amount, buy_amount=buy_amount, valid_to=valid_to
    )
    signed = MAKE["keystore"](tmp_path).sign(ordered(order_message(order)))
    assert isinstance(signed, SignedMessage)
    assert (order_digest(order), ADDRESS) == (signed.digest, signer_of(signed))


def changed(old: str, new: str) -> TypedMessage:
    message = order_message(ORDER)
    assert old in message.content
    return dataclasses.replace(message, content=message.content.replace(old, new))


@every_signer_with_key
@pytest.mark.parametrize(
    ("fact", "why"),
    [
        (ordered(changed(ADDRESS, STRANGER)), f"it pays {STRANGER}"),
        (ordered(changed('"feeAmount":"0"', '"feeAmount":"1"')), "feeAmount"),
        (ordered(changed('"kind":"sell"', '"kind":"buy"')), "kind"),
        (ordered(changed(":false", ":true")), "partiallyFillable"),
        (ordered(changed("erc20", "internal")), "TokenBalance"),
        (ordered(changed('"chainId":1', '"chainId":10')), "for another chain"),
        (ordered(changed('"validTo":1800000000', '"validTo":1800000001')), "for another time"),
        (ordered(changed('"message":{', '"message":{"hooks":1,')), "one too many"),
        (ordered(dataclasses.replace(order_message(ORDER), kind="permit")), "neither"),
        (ordered(nonce=3), "an order has no nonce"),
        (dataclasses.replace(ordered(), kind="reprice", attempt=1), "is never replaced"),
        (
            ordered(order_message(dataclasses.replace(ORDER, chain=ChainId(10)))),
            "it is for chain 10, the intent for 1",
        ),
    ],
)
def test_order_that_is_not_wholly_ours_is_refused_before_a_key_is_touched(
    name: str, tmp_path: Path, fact: Reserved, why: str
) -> None:
    signer = MAKE[name](tmp_path)
    with pytest.raises(KeyNotAllowed, match=why) as caught:
        signer.sign(fact)
    assert caught.value.nothing_signed
    assert getattr(signer, "_key", None) is None


@every_signer_with_key
def test_order_of_another_account_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeyMismatch, match="this key signs for"):
        MAKE[name](tmp_path).sign(ordered(account=STRANGER))


@every_signer_with_key
def test_transaction_that_says_it_is_an_order_is_refused(name: str, tmp_path: Path) -> None:
    fact = dataclasses.replace(reserved(TRANSACTION), unsigned=None)
    with pytest.raises(KeyNotAllowed, match="neither a transaction nor an order"):
        MAKE[name](tmp_path).sign(fact)


def test_fork_has_nobody_who_fills_an_order_so_none_is_signed_for_it(tmp_path: Path) -> None:
    with pytest.raises(KeyNotAllowed, match="nobody fills a signed order"):
        MAKE["impersonate"](tmp_path).sign(ordered())


def by(key: str, change: Callable[[Order], Order] = lambda order: order) -> Callable[[Order], str]:
    def sign(order: Order) -> str:
        made: Any = Account.sign_typed_data(bytes.fromhex(key), *typed(change(order)))
        return "0x" + bytes(made.signature).hex()

    return sign


def other_half(order: Order) -> str:
    """The other signature of the same hash, which most contracts do not take."""
    raw = bytes.fromhex(by(KEY)(order)[2:])
    s = SECP256K1 - int.from_bytes(raw[32:64])
    return "0x" + (raw[:32] + s.to_bytes(32) + bytes([55 - raw[64]])).hex()


def with_v_of_zero(order: Order) -> str:
    raw = bytes.fromhex(by(KEY)(order)[2:])
    return "0x" + (raw[:64] + bytes([raw[64] - 27])).hex()


def test_honest_signature_is_let_through() -> None:
    assert order_digest(ORDER) == signed_order(ORDER, ADDRESS, by(KEY)).digest


@pytest.mark.parametrize(
    ("sign", "why"),
    [
        (by("17" * 32), "signed it, not"),
        (by(KEY, lambda order: dataclasses.replace(order, buy_amount=1)), "signed it, not"),
        (by(KEY, lambda order: dataclasses.replace(order, receiver=STRANGER)), "signed it, not"),
        (other_half, "the one of two signatures that does not count"),
        (with_v_of_zero, "another form"),
        (lambda _order: "", "cannot be read"),
        (lambda _order: "0x00", "cannot be read"),
        (lambda _order: "0x" + "00" * 65, "cannot be read"),
        (lambda order: by(KEY)(order) + "00", "cannot be read|another form"),
        (lambda _order: "0xzz", "cannot be read"),
    ],
)
def test_any_other_signature_is_thrown_away(sign: Callable[[Order], str], why: str) -> None:
    with pytest.raises(KeyProblem, match=why) as caught:
        signed_order(ORDER, ADDRESS, sign)
    assert not caught.value.nothing_signed


def test_key_whose_library_fails_says_nothing_of_itself() -> None:
    key = key_of(bytes.fromhex(KEY))
    assert key is not None
    wrong = dataclasses.replace(ORDER, sell_amount=2**256)
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        key.sign(wrong)
    assert KEY not in repr(caught.value)
