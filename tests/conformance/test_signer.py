"""What every signer promises: it signs what the journal reserved, or nothing; it shows no key."""

from __future__ import annotations

import copy
import dataclasses
import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signer_rigs import (
    ADDRESS,
    KEY,
    MAKE,
    PASSWORD,
    STRANGER,
    TARGET,
    TRANSACTION,
    WITH_KEY,
    cancelling,
    reserved,
    signer_names,
)
from strategies import unsigned_transactions

from agent.core.fact import Reserved
from agent.core.intent import SignedTx, UnsignedTx
from agent.core.money import ChainId
from agent.errors import KeyMismatch, KeyMissing, KeyNotAllowed, KeyProblem
from agent.ports import Signer
from agent.wire.keccak import keccak256

ROOT = Path(__file__).parents[2]
slow = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
every_signer = pytest.mark.parametrize("name", sorted(MAKE))
every_signer_with_key = pytest.mark.parametrize("name", WITH_KEY)
every_signer_that_answers = pytest.mark.parametrize("name", [*WITH_KEY, "impersonate"])


def with_fields(**changes: Any) -> Reserved:
    """What nobody should reserve: another transaction than its intent's."""
    fact = reserved()
    return dataclasses.replace(fact, unsigned=dataclasses.replace(TRANSACTION, **changes))


def rlp_items(encoded: bytes) -> list[Any]:
    """A list in RLP, read here once more and independently."""

    def read(at: int) -> tuple[Any, int]:
        first = encoded[at]
        if first < 0x80:
            return encoded[at : at + 1], at + 1
        is_list, base = first >= 0xC0, 0xC0 if first >= 0xC0 else 0x80
        size, start = first - base, at + 1
        if size > 55:
            start = at + 1 + size - 55
            size = int.from_bytes(encoded[at + 1 : start])
        if not is_list:
            return encoded[start : start + size], start + size
        items, end = [], start + size
        while start < end:
            item, start = read(start)
            items.append(item)
        return items, end

    items, end = read(0)
    assert len(encoded) == end
    return list(items)


def says(transaction: SignedTx) -> tuple[list[Any], str]:
    """The fields of a signed transaction before its signature, and who signed it."""
    from eth_account import Account

    encoded = bytes.fromhex(transaction.raw.removeprefix("0x"))
    assert 2 == encoded[0]
    assert "0x" + keccak256(encoded).hex() == transaction.hash
    return rlp_items(encoded[1:])[:-3], Account.recover_transaction(encoded).lower()


def big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def test_every_signer_is_in_this_suite() -> None:
    assert signer_names() == sorted(MAKE)


@every_signer
def test_signer_says_its_kind_and_its_account_without_a_key(name: str, tmp_path: Path) -> None:
    signer = MAKE[name](tmp_path)
    assert name == signer.kind
    assert ADDRESS == signer.address


@every_signer
def test_signer_can_do_nothing_but_sign_what_is_reserved(name: str, tmp_path: Path) -> None:
    can = {name for name in dir(MAKE[name](tmp_path)) if not name.startswith("_")}
    assert can - {"permit"} == {"address", "kind", "sign", "unlock"}


@every_signer_with_key
@slow
@given(unsigned=unsigned_transactions(ADDRESS))
def test_signed_bytes_say_what_was_reserved(
    name: str, tmp_path: Path, unsigned: UnsignedTx
) -> None:
    signed = MAKE[name](tmp_path).sign(reserved(unsigned))
    assert isinstance(signed, SignedTx)
    assert (
        [
            big_endian(unsigned.chain),
            big_endian(unsigned.nonce),
            big_endian(unsigned.max_priority_fee_per_gas),
            big_endian(unsigned.max_fee_per_gas),
            big_endian(unsigned.gas_limit),
            bytes.fromhex(unsigned.to[2:]),
            big_endian(unsigned.value),
            bytes.fromhex(unsigned.data[2:]),
            [],
        ],
        ADDRESS,
    ) == says(signed)


@every_signer_that_answers
def test_same_reservation_gives_the_same_bytes_again(name: str, tmp_path: Path) -> None:
    first, second = MAKE[name](tmp_path), MAKE[name](tmp_path)
    assert first.sign(reserved()) == first.sign(reserved()) == second.sign(reserved())
    assert first.sign(reserved()) != first.sign(cancelling(TRANSACTION))


@every_signer_that_answers
def test_replacement_and_cancel_are_signed_on_the_same_nonce(name: str, tmp_path: Path) -> None:
    signer = MAKE[name](tmp_path)
    dearer = dataclasses.replace(TRANSACTION, max_fee_per_gas=40 * 10**9)
    fact = dataclasses.replace(reserved(), attempt=1, kind="reprice", unsigned=dearer)
    raws = {signer.sign(one).raw for one in (reserved(), fact, cancelling(TRANSACTION))}  # type: ignore[union-attr]
    assert 3 == len(raws)


@every_signer
@pytest.mark.parametrize(
    "fact",
    [
        reserved(None),
        dataclasses.replace(reserved(None), unsigned=TRANSACTION),
        with_fields(sender=STRANGER),
        reserved(dataclasses.replace(TRANSACTION, sender=STRANGER)),
        with_fields(nonce=8),
        with_fields(chain=ChainId(10)),
        with_fields(to=STRANGER),
        with_fields(value=0),
        with_fields(data="0x"),
        dataclasses.replace(reserved(), kind="cancel"),
        dataclasses.replace(cancelling(TRANSACTION), kind="reprice"),
        dataclasses.replace(
            cancelling(TRANSACTION),
            unsigned=dataclasses.replace(TRANSACTION, to=ADDRESS, value=0, data="0x00"),
        ),
        reserved(dataclasses.replace(TRANSACTION, chain=ChainId(0))),
        reserved(dataclasses.replace(TRANSACTION, chain=None)),  # type: ignore[arg-type]
        reserved(dataclasses.replace(TRANSACTION, chain=True)),  # type: ignore[arg-type]
        reserved(dataclasses.replace(TRANSACTION, nonce=-1)),
        reserved(dataclasses.replace(TRANSACTION, nonce=2**64 - 1)),
        reserved(dataclasses.replace(TRANSACTION, value=-1)),
        reserved(dataclasses.replace(TRANSACTION, value=2**256)),
        reserved(dataclasses.replace(TRANSACTION, value=1.0)),  # type: ignore[arg-type]
        reserved(dataclasses.replace(TRANSACTION, value=float("nan"))),  # type: ignore[arg-type]
        reserved(dataclasses.replace(TRANSACTION, gas_limit=0)),
        reserved(dataclasses.replace(TRANSACTION, max_fee_per_gas=2**256)),
        reserved(dataclasses.replace(TRANSACTION, max_priority_fee_per_gas=31 * 10**9)),
        reserved(dataclasses.replace(TRANSACTION, to="")),
        reserved(dataclasses.replace(TRANSACTION, to="native")),
        reserved(dataclasses.replace(TRANSACTION, to=TARGET.upper())),
        reserved(dataclasses.replace(TRANSACTION, data="")),
        reserved(dataclasses.replace(TRANSACTION, data="0x1")),
        reserved(dataclasses.replace(TRANSACTION, data="0xzz")),
        reserved(dataclasses.replace(TRANSACTION, data="0x00\n")),
    ],
)
def test_anything_else_is_refused_before_a_key_is_touched(
    name: str, tmp_path: Path, fact: Reserved
) -> None:
    signer = MAKE[name](tmp_path)
    with pytest.raises(KeyProblem) as caught:
        signer.sign(fact)
    assert caught.value.nothing_signed
    assert caught.value.code in {"K101", "K104", "K105"}
    assert getattr(signer, "_key", None) is None


@pytest.mark.parametrize(
    ("fact", "kind", "what"),
    [
        (reserved(None), KeyNotAllowed, "no order of ours: the order has a field that cannot"),
        (with_fields(sender=STRANGER), KeyMismatch, f"this key signs for {ADDRESS}"),
        (with_fields(nonce=8), KeyNotAllowed, "its nonce is 8, the intent's 7"),
        (with_fields(chain=ChainId(10)), KeyNotAllowed, "it is on chain 10, the intent on 1"),
        (with_fields(value=0), KeyNotAllowed, "its call is not the intent's"),
        (with_fields(gas_limit=0), KeyNotAllowed, "gas_limit cannot be 0"),
        (with_fields(max_fee_per_gas=1), KeyNotAllowed, "is above max_fee_per_gas"),
        (with_fields(to="x"), KeyNotAllowed, "to is no address"),
        (with_fields(data="x"), KeyNotAllowed, "data is no hex with prefix"),
        (
            dataclasses.replace(reserved(), kind="cancel"),
            KeyNotAllowed,
            "it cancels and does more than that",
        ),
        (
            dataclasses.replace(reserved(None), unsigned=TRANSACTION, intent=dataclasses.replace(reserved(None).intent, nonce=7)),
            KeyNotAllowed,
            "the intent is a message",
        ),
    ],
)  # fmt: skip
def test_refusal_says_what_is_wrong(
    tmp_path: Path, fact: Reserved, kind: type[KeyProblem], what: str
) -> None:
    with pytest.raises(kind) as caught:
        MAKE["impersonate"](tmp_path).sign(fact)
    assert what in caught.value.message


@every_signer_with_key
def test_key_of_the_owner_does_not_sign_on_local_chains(name: str, tmp_path: Path) -> None:
    signer = MAKE[name](tmp_path, local=True, generated=frozenset({STRANGER}))
    for act in (lambda: signer.sign(reserved()), signer.unlock):  # type: ignore[attr-defined]
        with pytest.raises(KeyNotAllowed, match="would be valid on mainnet") as caught:
            act()
        assert "K105" == caught.value.code
    assert signer._key is None  # type: ignore[attr-defined]


@every_signer_with_key
def test_generated_key_signs_on_local_chains_and_nowhere_else(name: str, tmp_path: Path) -> None:
    own = frozenset({ADDRESS})
    assert MAKE[name](tmp_path, local=True, generated=own).sign(reserved())
    with pytest.raises(KeyNotAllowed, match="generated for local chains only"):
        MAKE[name](tmp_path, local=False, generated=own).sign(reserved())


def test_watcher_signs_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    signer = MAKE["watch"](tmp_path)
    for act in (lambda: signer.sign(reserved()), signer.unlock):  # type: ignore[attr-defined]
        with pytest.raises(KeyMissing, match="is only watched") as caught:
            act()
        assert "keystore:main" in caught.value.fix


def test_impersonation_says_what_to_run_and_is_no_transaction(tmp_path: Path) -> None:
    signer = MAKE["impersonate"](tmp_path)
    signer.unlock()  # type: ignore[attr-defined]
    signed = signer.sign(reserved())
    assert isinstance(signed, SignedTx)
    assert (
        "impersonate:"
        f'{{"from":"{ADDRESS}","to":"{TARGET}","value":"0xde0b6b3a7640000",'
        f'"data":"{TRANSACTION.data}","gas":"0x1d4c0","maxFeePerGas":"0x6fc23ac00",'
        '"maxPriorityFeePerGas":"0x3b9aca00","nonce":"0x7"}'
    ) == signed.raw


def test_impersonation_hash_covers_every_byte(tmp_path: Path) -> None:
    from hashlib import sha256

    signed = MAKE["impersonate"](tmp_path).sign(reserved())
    assert isinstance(signed, SignedTx)
    assert "0x" + sha256(signed.raw.encode()).hexdigest() == signed.hash


def tries_to_leak(signer: Signer) -> list[Callable[[], object]]:
    return [
        lambda: repr(signer),
        lambda: str(signer),
        lambda: f"{signer!r}{signer}",
        lambda: vars(signer),
        lambda: {key: repr(value) for key, value in vars(signer).items()},
        lambda: repr(vars(signer).get("_options")),
        lambda: {name: repr(getattr(signer, name)) for name in dir(signer)},
        lambda: {name: repr(getattr(signer._key, name)) for name in dir(signer._key)},  # type: ignore[attr-defined]
        lambda: dataclasses.asdict(signer._options),  # type: ignore[attr-defined]
        lambda: dataclasses.astuple(signer._options),  # type: ignore[attr-defined]
        lambda: pickle.dumps(signer),
        lambda: pickle.dumps(signer._key),  # type: ignore[attr-defined]
        lambda: pickle.dumps(signer._options),  # type: ignore[attr-defined]
        lambda: copy.copy(signer),
        lambda: copy.deepcopy(signer._key),  # type: ignore[attr-defined]
        lambda: signer._key == "password",  # type: ignore[attr-defined]
        lambda: signer.sign(with_fields(value=0)),
        lambda: signer.sign(reserved(None)),
        lambda: signer.sign(None),  # type: ignore[arg-type]
    ]


@every_signer_with_key
@pytest.mark.parametrize("unlocked", [True, False])
def test_key_and_password_appear_nowhere(
    name: str, tmp_path: Path, unlocked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signer = MAKE[name](tmp_path)
    shown: list[str] = []
    if unlocked:
        shown.append(repr(signer.sign(reserved())))
    for leak in tries_to_leak(signer):
        try:
            shown.append(repr(leak()))
        except Exception as error:
            logging.getLogger("test").exception("a leak was tried")
            shown.append(with_locals(error))
    shown.append(caplog.text)
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets():
        assert not [text for text in shown if secret in text]


def secrets() -> list[str]:
    raw = bytes.fromhex(KEY)
    return [KEY, KEY.upper(), KEY[:12], repr(raw)[2:20], str(int(KEY, 16)), PASSWORD, "canary"]


def with_locals(error: BaseException) -> str:
    """Everything that a traceback with variables shows of the program's own frames."""
    shown = [repr(error), str(error), repr(vars(error))]
    seen: BaseException | None = error
    while seen is not None:
        found = traceback.TracebackException.from_exception(seen, capture_locals=True)
        shown += [
            f"{frame.name} {frame.locals}"
            for frame in found.stack
            if "/tests/" not in frame.filename
        ]
        seen = seen.__context__
    return "\n".join(shown)


@pytest.mark.parametrize("name", sorted(MAKE))
def test_module_is_imported_without_the_key_library(name: str) -> None:
    code = (
        f"import sys, agent.signers.{name}\n"
        "heavy = {'eth_account', 'eth_keys', 'eth_keyfile', 'eth_utils', 'rlp', 'Crypto'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[]\n" == done.stdout


def test_charges_do_not_matter_to_signers_without_a_limit(tmp_path: Path) -> None:
    fact = reserved()
    dear = dataclasses.replace(fact.charges, value=Decimal(10**30))
    assert MAKE["keystore"](tmp_path).sign(dataclasses.replace(fact, charges=dear))


@slow
@given(data=st.data())
def test_impersonation_says_each_field(tmp_path: Path, data: st.DataObject) -> None:
    import json

    unsigned = data.draw(unsigned_transactions(ADDRESS))
    signed = MAKE["impersonate"](tmp_path).sign(reserved(unsigned))
    assert isinstance(signed, SignedTx)
    call = json.loads(signed.raw.removeprefix("impersonate:"))
    assert {
        "from": unsigned.sender,
        "to": unsigned.to,
        "data": unsigned.data,
        "value": unsigned.value,
        "gas": unsigned.gas_limit,
        "maxFeePerGas": unsigned.max_fee_per_gas,
        "maxPriorityFeePerGas": unsigned.max_priority_fee_per_gas,
        "nonce": unsigned.nonce,
    } == {
        name: value if name in {"from", "to", "data"} else int(value, 16)
        for name, value in call.items()
    }
