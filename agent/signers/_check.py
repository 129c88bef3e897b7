"""What a signer checks: before, that it may sign; after, that it signed that and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.core.fact import Reserved
from agent.core.fees import TxKind
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import Address
from agent.core.quote import Call
from agent.errors import KeyMismatch, KeyNotAllowed, KeyProblem
from agent.signers._order import HALF_ORDER, order_of
from agent.wire.keccak import keccak256
from agent.wire.order import Order

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_BYTES = re.compile(r"0x([0-9a-fA-F]{2})*", re.ASCII)

_END_WORD: Final = 2**256
"""Words of the EVM end here."""

_END_NONCE: Final = 2**64 - 1
"""EIP-2681: an account whose nonce is this one can send nothing more."""


_TYPES: Final[Mapping[TxKind, int]] = {"eip1559": 2, "legacy": 0}
"""EIP-2718 types; legacy transactions are called type 0."""

_FIRST_V: Final = 35
"""In a legacy signature v is this and twice the chain id, or one more (EIP-155)."""


def intended(reserved: Reserved, address: Address) -> UnsignedTx | Order:
    """The transaction or order that *reserved* lets *address* sign.

    Raises KeyMismatch when it is another account's, KeyNotAllowed when it is no transaction of
    EIP-1559 or EIP-155 on a named chain that does its intent, on the intent's nonce, and no more;
    nor an order of the one kind that is known, which pays the account itself.
    """
    unsigned, intent = reserved.unsigned, reserved.intent
    if unsigned is None:
        return _intended_order(reserved, address)
    if not unsigned.sender == intent.account == address:
        raise KeyMismatch(
            f"{intent.id} belongs to {intent.account} and is to be sent by {unsigned.sender}, "
            f"this key signs for {address}",
            fix="give the key of that account",
        )
    wrong = _malformed(unsigned) or _not_the_intent(reserved, unsigned)
    if wrong:
        raise _refused(f"what was reserved for {intent.id}: {wrong}", "report this as a bug")
    return unsigned


def _intended_order(reserved: Reserved, address: Address) -> Order:
    account = reserved.intent.account
    if account != address:
        raise KeyMismatch(
            f"{reserved.intent.id} belongs to {account}, this key signs for {address}",
            fix="give the key of that account",
        )
    order = order_of(reserved)
    if isinstance(order, str):
        raise _refused(
            f"what was reserved for {reserved.intent.id}: {order}", "report this as a bug"
        )
    return order


def local_rule(address: Address, *, local: bool, generated: frozenset[Address]) -> None:
    """Keep real keys off local chains and *generated* ones off all others; raises KeyNotAllowed.

    Local chains carry mainnet ids: what a real key signs there is valid on mainnet.
    """
    if local and address not in generated:
        raise KeyNotAllowed(
            f"{address} was not generated for local chains, and what it signs there would be "
            "valid on mainnet",
            fix="use an account that this program generates for local chains",
        )
    if address in generated and not local:
        raise KeyNotAllowed(
            f"{address} was generated for local chains only",
            fix="use an account that was made to hold money",
        )


def signed(unsigned: UnsignedTx, sign: Callable[[UnsignedTx], str]) -> SignedTx:
    """The bytes that *sign* makes (hex with prefix), read back and compared field by field.

    Raises KeyProblem when they say anything else or another key signed them; whoever made
    them, they are thrown away then.
    """
    transaction, wrong = _read_back(unsigned, sign(unsigned))
    if transaction is None:
        raise KeyProblem(
            f"another transaction was signed than the reserved one: {wrong}; it was thrown away",
            fix="do not use this signer again before you know why",
            nothing_signed=False,
        )
    return transaction


def _refused(what: str, fix: str) -> KeyNotAllowed:
    return KeyNotAllowed(f"this signer does not sign {what}", fix=fix)


def _malformed(unsigned: UnsignedTx) -> str:
    """What keeps *unsigned* from being a transaction of its kind, empty for nothing."""
    bounds = {
        "chain": (1, _END_WORD),
        "nonce": (0, _END_NONCE),
        "value": (0, _END_WORD),
        "gas_limit": (1, 2**64),
        "max_fee_per_gas": (0, _END_WORD),
        "max_priority_fee_per_gas": (0, _END_WORD),
    }
    for name, (low, end) in bounds.items():
        number = getattr(unsigned, name)
        if type(number) is not int or not (low <= number < end):
            return f"{name} cannot be {number!r}"
    if not (unsigned.max_priority_fee_per_gas <= unsigned.max_fee_per_gas):
        return "max_priority_fee_per_gas is above max_fee_per_gas"
    if unsigned.kind not in _TYPES:
        return f"there is no kind {unsigned.kind!r}"
    prices = {unsigned.max_priority_fee_per_gas, unsigned.max_fee_per_gas}
    if unsigned.kind == "legacy" and len(prices) > 1:
        return "a legacy transaction has one price"
    if not _ADDRESS.fullmatch(unsigned.to):
        return "to is no address"
    return "" if _BYTES.fullmatch(unsigned.data) else "data is no hex with prefix"


def _not_the_intent(reserved: Reserved, unsigned: UnsignedTx) -> str:
    """What *unsigned* does beside its intent, empty for nothing."""
    draft, call = reserved.intent.draft, reserved.intent.draft.payload
    if not isinstance(call, Call):
        return "the intent is a message"
    if not unsigned.chain == draft.chain == call.chain:
        return f"it is on chain {unsigned.chain}, the intent on {draft.chain}"
    if unsigned.nonce != reserved.intent.nonce:
        return f"its nonce is {unsigned.nonce}, the intent's {reserved.intent.nonce}"
    does = (unsigned.to, unsigned.value, unsigned.data)
    if reserved.kind == "cancel":
        empty = (unsigned.sender, 0, "0x")
        return "" if does == empty else "it cancels and does more than that"
    return "" if does == (call.to, call.value, call.data) else "its call is not the intent's"


def _read_back(unsigned: UnsignedTx, raw: str) -> tuple[SignedTx | None, str]:
    """The transaction in *raw*, or None and what is wrong with it."""
    from eth_account import Account

    try:
        encoded = bytes.fromhex(raw.removeprefix("0x"))
        if _type(encoded) != _TYPES[unsigned.kind]:
            return None, f"it is of another type than {_TYPES[unsigned.kind]}"
        decoded = _legacy(encoded) if unsigned.kind == "legacy" else _typed(encoded)
        sender = str(Account.recover_transaction(encoded)).lower()
    except Exception as error:  # noqa: BLE001  whatever a strange signer sends is a refusal
        return None, f"it cannot be decoded ({type(error).__name__})"
    for name, wanted in fields(unsigned).items():
        if decoded[name] != wanted:
            return None, f"{name} is not the reserved one"
    if decoded["accessList"] != ():
        return None, "it has an access list"
    if not (decoded["s"] <= HALF_ORDER):
        return None, "its signature is the one of two that does not count"
    if sender != unsigned.sender:
        return None, f"{sender} signed it, not {unsigned.sender}"
    return SignedTx("0x" + encoded.hex(), "0x" + keccak256(encoded).hex()), ""


def _type(encoded: bytes) -> int | None:
    """The EIP-2718 type; a legacy transaction begins as the RLP list that it is."""
    first = encoded[0] if encoded else None
    return 0 if first is not None and first >= 0xC0 else first


def _typed(encoded: bytes) -> dict[str, Any]:
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    return dict(TypedTransaction.from_bytes(HexBytes(encoded)).as_dict())


def _legacy(encoded: bytes) -> dict[str, Any]:
    """The fields of a legacy transaction; its chain id stands in v (EIP-155), or nowhere."""
    import rlp  # type: ignore[import-untyped]

    names = ("nonce", "gasPrice", "gas", "to", "value", "data", "v", "r", "s")
    texts: dict[str, bytes] = dict(zip(names, rlp.decode(encoded), strict=True))
    if any(text[:1] == b"\0" for name, text in texts.items() if name not in {"to", "data"}):
        raise ValueError("a number with leading zeros")
    numbers = {name: int.from_bytes(text, "big") for name, text in texts.items()}
    chain = (numbers["v"] - _FIRST_V) // 2 if numbers["v"] >= _FIRST_V else None
    whole = {"to": texts["to"], "data": texts["data"], "chainId": chain, "accessList": ()}
    return {**numbers, **whole}


def fields(unsigned: UnsignedTx) -> dict[str, int | bytes]:
    """The fields of a transaction by their JSON-RPC names.

    Sources: https://eips.ethereum.org/EIPS/eip-1559, without access list and signature, and
    https://eips.ethereum.org/EIPS/eip-155; a legacy one always names its chain.
    """
    if unsigned.kind == "legacy":
        return {
            "chainId": unsigned.chain,
            "nonce": unsigned.nonce,
            "gasPrice": unsigned.max_fee_per_gas,
            "gas": unsigned.gas_limit,
            "to": bytes.fromhex(unsigned.to[2:]),
            "value": unsigned.value,
            "data": bytes.fromhex(unsigned.data[2:]),
        }
    return {
        "type": 2,
        "chainId": unsigned.chain,
        "nonce": unsigned.nonce,
        "maxPriorityFeePerGas": unsigned.max_priority_fee_per_gas,
        "maxFeePerGas": unsigned.max_fee_per_gas,
        "gas": unsigned.gas_limit,
        "to": bytes.fromhex(unsigned.to[2:]),
        "value": unsigned.value,
        "data": bytes.fromhex(unsigned.data[2:]),
    }
