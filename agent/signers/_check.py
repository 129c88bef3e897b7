"""What a signer checks: before, that it may sign; after, that it signed that and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agent.core.fact import Reserved
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import Address
from agent.core.quote import Call
from agent.errors import KeyMismatch, KeyNotAllowed, KeyProblem
from agent.wire.keccak import keccak256

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_BYTES = re.compile(r"0x([0-9a-fA-F]{2})*", re.ASCII)

_END_WORD: Final = 2**256
"""Words of the EVM end here."""

_END_NONCE: Final = 2**64 - 1
"""EIP-2681: an account whose nonce is this one can send nothing more."""

_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1; by EIP-2 only the one of two signatures with the lower s counts."""


def intended(reserved: Reserved, address: Address) -> UnsignedTx:
    """The transaction that *reserved* lets *address* sign.

    Raises KeyMismatch when it is another account's, KeyNotAllowed when it is no EIP-1559
    transaction on a named chain that does its intent, on the intent's nonce, and no more.
    """
    unsigned, intent = reserved.unsigned, reserved.intent
    if unsigned is None:
        raise _refused("typed messages", "leave out the venue that needs them")
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
    """What keeps *unsigned* from being an EIP-1559 transaction, empty for nothing."""
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
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    try:
        encoded = bytes.fromhex(raw.removeprefix("0x"))
        if encoded[:1] != b"\x02":
            return None, "it is of another type than 2"
        decoded = TypedTransaction.from_bytes(HexBytes(encoded)).as_dict()
        sender = str(Account.recover_transaction(encoded)).lower()
    except Exception as error:  # noqa: BLE001  whatever a strange signer sends is a refusal
        return None, f"it cannot be decoded ({type(error).__name__})"
    for name, wanted in fields(unsigned).items():
        if decoded[name] != wanted:
            return None, f"{name} is not the reserved one"
    if decoded["accessList"] != ():
        return None, "it has an access list"
    if not (decoded["s"] <= _HALF_ORDER):
        return None, "its signature is the one of two that does not count"
    if sender != unsigned.sender:
        return None, f"{sender} signed it, not {unsigned.sender}"
    return SignedTx("0x" + encoded.hex(), "0x" + keccak256(encoded).hex()), ""


def fields(unsigned: UnsignedTx) -> dict[str, int | bytes]:
    """The fields of an EIP-1559 transaction by their JSON-RPC names.

    Source: https://eips.ethereum.org/EIPS/eip-1559, without access list and signature.
    """
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
