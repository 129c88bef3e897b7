"""A private key in memory: it signs, and shows nothing of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, SupportsIndex

from agent.core.intent import SignedMessage, SignedTx, UnsignedTx
from agent.core.money import Address
from agent.signers._check import fields, signed
from agent.signers._order import signed_order, typed
from agent.wire.order import Order

# Nothing in this file raises while a key is in one of its variables: a traceback that
# shows local variables would show the key. What fails is returned as None.


class Key:
    """The only place of a key; Python cannot wipe memory, so there is no second one."""

    __slots__ = ("_sign", "_sign_order", "address")

    def __init__(
        self,
        address: Address,
        sign: Callable[[UnsignedTx], str],
        sign_order: Callable[[Order], str] = lambda _order: "",
    ) -> None:
        self.address = address
        self._sign = sign
        self._sign_order = sign_order

    def sign(self, unsigned: UnsignedTx | Order) -> SignedTx | SignedMessage:
        """Sign what was checked; raises KeyProblem when the result is something else."""
        if isinstance(unsigned, Order):
            return signed_order(unsigned, self.address, self._sign_order)
        return signed(unsigned, self._sign)

    def __repr__(self) -> str:
        return f"<key of {self.address}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key does not leave its process")


def key_of(secret: bytes) -> Key | None:
    """The key made of 32 bytes, None when they are none."""
    from eth_account import Account

    try:
        address = Address(str(Account.from_key(secret).address).lower())
    except Exception:  # noqa: BLE001  its frames hold the key: nothing of it may go on
        return None

    def sign(unsigned: UnsignedTx) -> str:
        try:
            made: Any = Account.sign_transaction(fields(unsigned), secret)
            return "0x" + bytes(made.raw_transaction).hex()
        except Exception:  # noqa: BLE001  its frames hold the key: nothing of it may go on
            return ""

    def sign_order(order: Order) -> str:
        try:
            made: Any = Account.sign_typed_data(secret, *typed(order))
            return "0x" + bytes(made.signature).hex()
        except Exception:  # noqa: BLE001  its frames hold the key: nothing of it may go on
            return ""

    return Key(address, sign, sign_order)


def secret_of(text: str) -> bytes | None:
    """The 32 bytes of a key written as 64 hex digits, None for anything else."""
    digits = text.strip().removeprefix("0x")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        return None
    return secret if len(digits) == 64 and len(secret) == 32 else None
