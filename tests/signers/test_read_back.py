"""Whatever made the bytes: only those that say the reserved transaction are let through."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signer_rigs import ADDRESS, KEY, MAKE, TRANSACTION, liar, reserved
from strategies import unsigned_transactions

from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import Address
from agent.errors import KeyProblem
from agent.signers._check import fields, signed
from agent.signers._key import Key, key_of, secret_of
from agent.wire.keccak import keccak256

AGENT = Path(__file__).parents[2] / "agent"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1, https://www.secg.org/sec2-v2.pdf."""

honest = liar(lambda transaction: transaction)


def as_transaction(kind: int, **gas: Any) -> Callable[[UnsignedTx], str]:
    """The same deed in a transaction of another type."""

    def change(transaction: dict[str, Any]) -> dict[str, Any]:
        kept = {key: transaction[key] for key in ("nonce", "to", "value", "data", "gas")}
        typed = {"type": kind, "chainId": 1} if kind else {}
        return {**kept, **typed, **gas}

    return liar(change)


def rlp(item: Any) -> bytes:
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _sized(item, 0x80)
    return _sized(b"".join(rlp(one) for one in item), 0xC0)


def _sized(body: bytes, base: int) -> bytes:
    if len(body) < 56:
        return bytes([base + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([base + 55 + len(size)]) + size + body


def signature(raw: str) -> tuple[int, int, int]:
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    decoded = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return decoded["v"], decoded["r"], decoded["s"]


def encoded(unsigned: UnsignedTx, v: int, r: int, s: int, nonce: bytes | None = None) -> str:
    def word(number: int) -> bytes:
        return number.to_bytes((number.bit_length() + 7) // 8)

    names = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value")
    values = fields(unsigned)
    body = [value if isinstance(value := values[name], bytes) else word(value) for name in names]
    if nonce is not None:
        body[1] = nonce
    return "0x02" + rlp([*body, values["data"], [], word(v), word(r), word(s)]).hex()


def refusal(sign: Callable[[UnsignedTx], str]) -> KeyProblem:
    with pytest.raises(KeyProblem) as caught:
        signed(TRANSACTION, sign)
    return caught.value


def test_honest_signature_is_let_through_with_its_hash() -> None:
    raw = honest(TRANSACTION)
    wanted = SignedTx(raw, "0x" + keccak256(bytes.fromhex(raw[2:])).hex())
    assert wanted == signed(TRANSACTION, honest)
    assert wanted == signed(TRANSACTION, lambda _: raw.removeprefix("0x").upper())


def test_bytes_written_by_hand_with_the_same_signature_are_the_same() -> None:
    raw = honest(TRANSACTION)
    assert raw == encoded(TRANSACTION, *signature(raw))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chainId", 10),
        ("nonce", 8),
        ("maxPriorityFeePerGas", 10**9 + 1),
        ("maxFeePerGas", 30 * 10**9 + 1),
        ("gas", 120_001),
        ("to", bytes(20)),
        ("value", 10**18 - 1),
        ("data", b""),
        ("data", bytes.fromhex(TRANSACTION.data[2:]) + b"\x00"),
    ],
)
def test_changed_field_is_found_by_name_and_thrown_away(name: str, value: object) -> None:
    error = refusal(liar(lambda transaction: {**transaction, name: value}))
    assert f"{name} is not the reserved one; it was thrown away" in error.message
    assert not error.nothing_signed
    assert "K100" == error.code


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_other_transaction_is_thrown_away(data: st.DataObject) -> None:
    other = data.draw(unsigned_transactions(ADDRESS))
    if other != TRANSACTION:
        assert "is not the reserved one" in refusal(lambda _: honest(other)).message


@pytest.mark.parametrize(
    ("sign", "what"),
    [
        (liar(lambda t: {**t, "accessList": [{"address": "0x" + "11" * 20, "storageKeys": []}]}), "it has an access list"),
        (liar(lambda t: t, key="22" * 32), f"signed it, not {ADDRESS}"),
        (as_transaction(0, gasPrice=10**9), "it is of another type than 2"),
        (as_transaction(0, gasPrice=10**9, chainId=1), "it is of another type than 2"),
        (as_transaction(1, gasPrice=10**9), "it is of another type than 2"),
        (lambda _: "", "it is of another type than 2"),
        (lambda _: "0x", "it is of another type than 2"),
        (lambda _: "0x04" + honest(TRANSACTION)[4:], "it is of another type than 2"),
        (lambda _: "0x02", "it cannot be decoded"),
        (lambda _: "0x02c0", "it cannot be decoded"),
        (lambda _: "nonsense", "it cannot be decoded"),
        (lambda _: None, "it cannot be decoded"),
        (lambda _: honest(TRANSACTION) + "00", "it cannot be decoded"),
        (lambda _: honest(TRANSACTION)[:-2], "it cannot be decoded"),
    ],
)  # fmt: skip
def test_other_bytes_are_thrown_away(sign: Callable[[UnsignedTx], str], what: str) -> None:
    assert what in refusal(sign).message


def test_delegation_of_the_account_is_thrown_away() -> None:
    from eth_account import Account

    authorization = Account.sign_authorization(
        {"chainId": 0, "address": "0x" + "11" * 20, "nonce": 8}, bytes.fromhex(KEY)
    )
    error = refusal(
        liar(lambda t: {**t, "type": 4, "accessList": [], "authorizationList": [authorization]})
    )
    assert "it is of another type than 2" in error.message


def test_second_valid_signature_of_the_same_transaction_is_thrown_away() -> None:
    v, r, s = signature(honest(TRANSACTION))
    mirrored = encoded(TRANSACTION, 1 - v, r, ORDER - s)
    assert (
        "its signature is the one of two that does not count" in refusal(lambda _: mirrored).message
    )


def test_number_with_a_leading_zero_is_thrown_away() -> None:
    raw = honest(TRANSACTION)
    padded = encoded(TRANSACTION, *signature(raw), nonce=b"\x00\x07")
    assert "it cannot be decoded" in refusal(lambda _: padded).message


@pytest.mark.parametrize("name", ["keystore", "env_key"])
def test_signer_whose_key_lies_hands_out_nothing(name: str, tmp_path: Path) -> None:
    signer: Any = MAKE[name](tmp_path)
    signer._key = Key(ADDRESS, liar(lambda transaction: {**transaction, "to": bytes(20)}))
    with pytest.raises(KeyProblem, match="to is not the reserved one"):
        signer.sign(reserved())


def test_error_about_thrown_away_bytes_does_not_carry_them() -> None:
    raw = liar(lambda transaction: {**transaction, "nonce": 8})(TRANSACTION)
    error = refusal(lambda _: raw)
    frame = error.__traceback__
    while frame is not None:
        if "/agent/" in frame.tb_frame.f_code.co_filename:
            assert raw not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next
    assert raw[4:40] not in error.message


def test_failure_of_the_key_library_is_no_signature() -> None:
    secret = secret_of(KEY)
    assert secret is not None
    key = key_of(secret)
    assert key is not None
    with pytest.raises(KeyProblem):
        key.sign(replace(TRANSACTION, value=-1))


@pytest.mark.parametrize(
    "secret", [b"", b"\x00" * 32, b"\xff" * 32, ORDER.to_bytes(32), b"\x01" * 31]
)
def test_bytes_that_are_no_key_make_none(secret: bytes) -> None:
    assert key_of(secret) is None


@pytest.mark.parametrize("text", [KEY, "0x" + KEY, f" {KEY}\n", KEY.upper()])
def test_key_is_read_from_its_usual_spellings(text: str) -> None:
    assert bytes.fromhex(KEY) == secret_of(text)


@pytest.mark.parametrize(
    "text", ["", "0x", KEY[:-2], KEY + "00", KEY[:-1] + "g", "é" * 64, "12 " * 32, "0x0x" + KEY[2:]]
)
def test_other_text_is_no_key(text: str) -> None:
    assert secret_of(text) is None


def test_key_is_that_of_its_address() -> None:
    secret = secret_of(KEY)
    assert secret is not None
    key = key_of(secret)
    assert key is not None
    assert Address(ADDRESS) == key.address
    assert f"<key of {ADDRESS}>" == repr(key)


def test_no_code_reaches_for_another_way_to_sign() -> None:
    forbidden = {
        "sign_authorization",
        "unsafe_sign_hash",
        "signHash",
        "sign_message",
        "sign_typed_data",
        "sign_msg",
        "sign_msg_hash",
        "personal_sign",
        "eth_sign",
        "eth_signTypedData",
    }
    reached = [
        f"{path.relative_to(AGENT)}"
        for path in sorted(AGENT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in forbidden)
        or (isinstance(node, ast.Name) and node.id in forbidden)
        or (isinstance(node, ast.alias) and node.name in forbidden)
        or (isinstance(node, ast.Constant) and node.value in forbidden)
    ]
    # The one way to sign an order: all of its fields, never a hash that somebody gave.
    assert ["signers/_key.py"] == reached
