"""Legacy transactions: signed for one chain only, and read back field by field."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from signer_rigs import ADDRESS, KEY, MAKE, TRANSACTION, liar, reserved
from strategies import unsigned_transactions

from agent.chain.fork import IMPERSONATED
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import ChainId
from agent.errors import KeyNotAllowed, KeyProblem
from agent.signers._check import signed
from agent.signers._key import key_of
from agent.wire.keccak import keccak256

PRICE = 5 * 10**9
LEGACY = replace(
    TRANSACTION,
    chain=ChainId(56),
    kind="legacy",
    max_fee_per_gas=PRICE,
    max_priority_fee_per_gas=PRICE,
)

honest = liar(lambda transaction: transaction)


def recovered(raw: str) -> str:
    from eth_account import Account

    return str(Account.recover_transaction(raw)).lower()


def refusal(sign: Callable[[UnsignedTx], str]) -> str:
    with pytest.raises(KeyProblem) as caught:
        signed(LEGACY, sign)
    return caught.value.message


def texts(raw: str) -> list[bytes]:
    import rlp  # type: ignore[import-untyped]

    return list(rlp.decode(bytes.fromhex(raw[2:])))


def again(raw: str, place: int, text: bytes) -> str:
    """The same bytes with another text in one place."""
    import rlp

    changed = texts(raw)
    changed[place] = text
    return "0x" + bytes(rlp.encode(changed)).hex()


@pytest.mark.parametrize("name", ["keystore", "env_key"])
def test_every_signer_with_a_key_signs_type_0_for_its_chain(name: str, tmp_path: Any) -> None:
    made = MAKE[name](tmp_path).sign(reserved(LEGACY))
    assert isinstance(made, SignedTx)
    nonce, price, gas, to, value, data, v, _, _ = texts(made.raw)
    assert (LEGACY.nonce, PRICE, LEGACY.gas_limit, LEGACY.value) == tuple(
        int.from_bytes(text, "big") for text in (nonce, price, gas, value)
    )
    assert (LEGACY.to, LEGACY.data) == ("0x" + to.hex(), "0x" + data.hex())
    assert int.from_bytes(v, "big") in {35 + 2 * 56, 36 + 2 * 56}
    assert (ADDRESS, "0x" + keccak256(bytes.fromhex(made.raw[2:])).hex()) == (
        recovered(made.raw),
        made.hash,
    )


@settings(max_examples=25, deadline=None)
@given(unsigned=unsigned_transactions(ADDRESS, "legacy"))
def test_any_legacy_transaction_is_signed_and_read_back(unsigned: UnsignedTx) -> None:
    key = key_of(bytes.fromhex(KEY))
    assert key is not None
    made = key.sign(unsigned)
    assert made == signed(unsigned, lambda _: made.raw)


@settings(max_examples=25, deadline=None)
@given(other=unsigned_transactions(ADDRESS, "legacy"))
def test_any_other_legacy_transaction_is_thrown_away(other: UnsignedTx) -> None:
    if other != LEGACY:
        assert "is not the reserved one" in refusal(lambda _: honest(other))


def without_chain(transaction: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in transaction.items() if name != "chainId"}


@pytest.mark.parametrize(
    ("sign", "what"),
    [
        (liar(without_chain), "chainId is not the reserved one"),
        (liar(lambda t: {**t, "chainId": 1}), "chainId is not the reserved one"),
        (liar(lambda t: {**t, "gasPrice": PRICE + 1}), "gasPrice is not the reserved one"),
        (liar(lambda t: {**t, "nonce": 8}), "nonce is not the reserved one"),
        (liar(lambda t: {**t, "to": bytes(20)}), "to is not the reserved one"),
        (liar(lambda t: {**t, "data": b""}), "data is not the reserved one"),
        (lambda _: honest(TRANSACTION), "it is of another type than 0"),
        (liar(lambda t: t, key="22" * 32), f"signed it, not {ADDRESS}"),
        (lambda u: honest(u) + "00", "it cannot be decoded"),
        (lambda u: honest(u)[:-2], "it cannot be decoded"),
        (lambda u: again(honest(u), 0, b"\0" + texts(honest(u))[0]), "it cannot be decoded"),
        (lambda _: "0x", "it is of another type than 0"),
        (lambda _: "0xc0", "it cannot be decoded"),
    ],
)  # fmt: skip
def test_other_bytes_are_thrown_away(sign: Callable[[UnsignedTx], str], what: str) -> None:
    assert what in refusal(sign)


def test_legacy_bytes_are_no_answer_to_a_typed_transaction() -> None:
    with pytest.raises(KeyProblem, match="another type than 2"):
        signed(TRANSACTION, lambda _: honest(LEGACY))


def test_signature_of_the_two_that_does_not_count_is_thrown_away() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    raw = honest(LEGACY)
    v, s = (int.from_bytes(texts(raw)[place], "big") for place in (6, 8))
    other = again(raw, 8, (order - s).to_bytes(32, "big"))
    flipped = again(other, 6, bytes([2 * (35 + 2 * 56) + 1 - v]))
    assert "the one of two that does not count" in refusal(lambda _: flipped)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"max_priority_fee_per_gas": PRICE - 1}, "a legacy transaction has one price"),
        ({"kind": "blob"}, "there is no kind 'blob'"),
        ({"chain": ChainId(0)}, "chain cannot be 0"),
    ],
)
@pytest.mark.parametrize("name", ["keystore", "env_key", "impersonate"])
def test_malformed_legacy_transaction_is_not_signed(
    name: str, changes: dict[str, Any], what: str, tmp_path: Any
) -> None:
    with pytest.raises(KeyNotAllowed, match=what):
        MAKE[name](tmp_path).sign(reserved(replace(LEGACY, **changes)))


def test_fork_is_told_the_gas_price_and_no_other(tmp_path: Any) -> None:
    made = MAKE["impersonate"](tmp_path).sign(reserved(LEGACY))
    assert isinstance(made, SignedTx)
    call = json.loads(made.raw.removeprefix(IMPERSONATED))
    assert (hex(PRICE), set()) == (call["gasPrice"], set(call) & {"maxFeePerGas", "type"})
