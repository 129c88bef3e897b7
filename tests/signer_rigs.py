"""How to make each kind of signer in a test; a new signer joins the conformance suite here."""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import agent.signers
from agent.core.fact import Reserved
from agent.core.intent import Charges, Draft, Intent, UnsignedTx
from agent.core.money import Address, ChainId
from agent.core.quote import Call, TypedMessage
from agent.ports import Signer
from agent.signers import env_key, impersonate, keystore, watch

KEY = "c0ffee" + "17" * 29
"""A canary: made for these tests, and looked for wherever it must not appear."""

PASSWORD = "correct horse canary stäple"
ADDRESS = Address("0xa259fcf0065a159fefe58bba989d5988da740a6d")
STRANGER = Address("0x" + "5e" * 20)
TARGET = Address("0x" + "7a" * 20)


class Made(Protocol):
    def __call__(
        self, place: Path, *, local: bool = False, generated: frozenset[Address] = frozenset()
    ) -> Signer: ...


def folders(place: Path) -> keystore.Folders:
    return keystore.Folders(own=place / "keystore", home=place / "home")


def _keystore(
    place: Path, *, local: bool = False, generated: frozenset[Address] = frozenset()
) -> Signer:
    if not (place / "keystore/main.json").exists():
        keystore.import_key("main", KEY, PASSWORD, folders=folders(place), scrypt_n=2)
    return keystore.make(
        keystore.Options(
            address=ADDRESS,
            key="main",
            folders=folders(place),
            ask=lambda: PASSWORD,
            local=local,
            generated=generated,
        ),
        None,
    )


def _env_key(
    place: Path, *, local: bool = False, generated: frozenset[Address] = frozenset()
) -> Signer:
    return env_key.make(
        env_key.Options(
            address=ADDRESS,
            reveal=lambda: KEY,
            accepted=True,
            max_value=Decimal(10**9),
            local=local,
            generated=generated,
        ),
        None,
    )


def _watch(
    place: Path, *, local: bool = False, generated: frozenset[Address] = frozenset()
) -> Signer:
    return watch.make(watch.Options(address=ADDRESS), None)


def _impersonate(
    place: Path, *, local: bool = False, generated: frozenset[Address] = frozenset()
) -> Signer:
    return impersonate.make(impersonate.Options(address=ADDRESS), None)


MAKE: dict[str, Made] = {
    "keystore": _keystore,
    "env_key": _env_key,
    "watch": _watch,
    "impersonate": _impersonate,
}
"""A signer for `ADDRESS`, by the name of its module."""

WITH_KEY = ("env_key", "keystore")
"""Those whose signatures are valid on a chain."""


def signer_names() -> list[str]:
    """All signers of the program; a shared part begins with an underscore."""
    found = pkgutil.iter_modules(agent.signers.__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


TRANSACTION = UnsignedTx(
    chain=ChainId(1),
    sender=ADDRESS,
    nonce=7,
    to=TARGET,
    value=10**18,
    data="0x095ea7b3" + "00" * 31 + "01",
    gas_limit=120_000,
    max_fee_per_gas=30 * 10**9,
    max_priority_fee_per_gas=10**9,
)


def reserved(unsigned: UnsignedTx | None = TRANSACTION, **changes: Any) -> Reserved:
    """What the journal says before *unsigned* is signed; None is for a typed message."""
    if unsigned is None:
        payload: Call | TypedMessage = TypedMessage("cow_order", ChainId(1), "{}", 1)
        chain, nonce, account = ChainId(1), None, ADDRESS
    else:
        payload = Call(unsigned.chain, unsigned.to, unsigned.value, unsigned.data)
        chain, nonce, account = unsigned.chain, unsigned.nonce, unsigned.sender
    charges = Charges(Decimal("12.50"), Decimal("0.40"))
    intent = Intent(
        id="run-1/a/0",
        run="run-1",
        leg="a",
        round=0,
        index=0,
        draft=Draft(purpose="swap", chain=chain, payload=payload, gas_limit=120_000),
        account=account,
        nonce=nonce,
        charges=charges,
        native_price=Decimal(3000),
    )
    fact = Reserved(
        intent=intent, attempt=0, kind="first", unsigned=unsigned, charges=charges, at=1
    )
    return dataclasses.replace(fact, **changes)


def cancelling(unsigned: UnsignedTx) -> Reserved:
    """The reservation of a cancel: an empty transaction to oneself on the intent's nonce."""
    empty = dataclasses.replace(unsigned, to=unsigned.sender, value=0, data="0x")
    return dataclasses.replace(reserved(unsigned), attempt=1, kind="cancel", unsigned=empty)


def liar(
    change: Callable[[dict[str, Any]], dict[str, Any]], key: str = KEY
) -> Callable[[UnsignedTx], str]:
    """A signer that signs what *change* makes of the transaction."""
    from eth_account import Account

    from agent.signers._check import fields

    def sign(unsigned: UnsignedTx) -> str:
        made: Any = Account.sign_transaction(change(dict(fields(unsigned))), bytes.fromhex(key))
        return "0x" + bytes(made.raw_transaction).hex()

    return sign
