"""Signed orders: what a signer lets through before, and reads back after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from agent.core.fact import Reserved
from agent.core.intent import SignedMessage
from agent.core.quote import TypedMessage
from agent.errors import KeyProblem
from agent.wire.order import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    FIELDS,
    Order,
    order_digest,
    order_fields,
    read_order,
)

HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1; by EIP-2 only the one of two signatures with the lower s counts."""

_SIGNATURE_BYTES = 65
"""r, s and v, as the settlement takes them (GPv2Signing.recoverEcdsaSigner)."""


def order_of(reserved: Reserved) -> Order | str:
    """The order that was reserved, or why it must not be signed."""
    intent = reserved.intent
    message = intent.draft.payload
    if not isinstance(message, TypedMessage) or message.kind != "cow_order":
        return "it is neither a transaction nor an order"
    if reserved.kind != "first" or intent.nonce is not None:
        return "an order has no nonce and is never replaced"
    try:
        order = read_order(message)
    except ValueError as error:
        return f"no order of ours: {error}"
    if not intent.draft.chain == order.chain >= 1:
        return f"it is for chain {order.chain}, the intent for {intent.draft.chain}"
    if order.receiver != intent.account:
        return f"it pays {order.receiver} and not its own account"
    return order


def typed(order: Order) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Domain, types and message as EIP-712 libraries take them."""
    domain = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": order.chain,
        "verifyingContract": order.settlement,
    }
    said = order_fields(order)
    numbers = {name: int(str(said[name])) for name, kind in FIELDS if kind == "uint256"}
    types = {"Order": [{"name": name, "type": kind} for name, kind in FIELDS]}
    return domain, types, {**said, **numbers}


def signed_order(order: Order, account: str, sign: Callable[[Order], str]) -> SignedMessage:
    """The signature that *sign* makes (hex with prefix), recovered over our own hash of *order*.

    Two programs have computed the hash then. Raises KeyProblem when they differ, or when another
    key than that of *account* signed; the signature is thrown away then.
    """
    digest = order_digest(order)
    signature, wrong = _read_back(digest, account, sign(order))
    if wrong:
        raise KeyProblem(
            f"something else was signed than the reserved order: {wrong}; it was thrown away",
            fix="do not use this signer again before you know why",
            nothing_signed=False,
        )
    return SignedMessage("cow_order", digest, signature, order.valid_to)


def _read_back(digest: str, account: str, text: str) -> tuple[str, str]:
    """The signature in *text*, and what is wrong with it, empty for nothing."""
    from eth_account import Account

    try:
        signature = bytes.fromhex(text.removeprefix("0x"))
        # The public methods take a message and hash it themselves: here the hash is what counts.
        signer = str(Account._recover_hash(digest, signature=signature)).lower()
    except Exception as error:  # noqa: BLE001  whatever a strange signer sends is a refusal
        return "", f"it cannot be read ({type(error).__name__})"
    if len(signature) != _SIGNATURE_BYTES or signature[64] not in {27, 28}:
        return "", "it has another form than the settlement takes"
    if not (int.from_bytes(signature[32:64]) <= HALF_ORDER):
        return "", "it is the one of two signatures that does not count"
    if signer != account:
        return "", f"{signer} signed it, not {account}"
    return "0x" + signature.hex(), ""
