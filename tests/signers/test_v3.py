"""Key files of version 3: what others wrote is opened, what asks for too much is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signer_rigs import ADDRESS, KEY, PASSWORD

from agent.errors import KeyFileUnsafe
from agent.signers._key import Key
from agent.signers._v3 import make_sealed, open_sealed, parse

PATH = Path("keys/main")

# The two examples of the format's definition, both with the password "testpassword":
# https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/
DEFINED = "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b"
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def parsed(document: object) -> Any:
    return parse(PATH, json.dumps(document).encode())


def changed(document: dict[str, Any], where: str, value: object) -> dict[str, Any]:
    """A copy with *value* at a path of names, or without the last one for None."""
    other = copy.deepcopy(document)
    *way, last = where.split(".")
    inner = other
    for name in way:
        inner = inner[name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return other


def made(password: str = PASSWORD) -> dict[str, Any]:
    sealed = make_sealed(KEY, password, 2)
    assert sealed is not None
    document: dict[str, Any] = json.loads(sealed[1])
    return document


@pytest.mark.parametrize("document", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_examples_of_the_definition_are_opened(document: dict[str, Any]) -> None:
    key = open_sealed(parsed(document), "testpassword")
    assert isinstance(key, Key)
    assert DEFINED == key.address


def test_wrong_password_is_told_from_a_file_without_a_key() -> None:
    document = changed(PBKDF2, "crypto.kdfparams.c", 1)
    assert "password" == open_sealed(parsed(document), "testpassword")
    assert "password" == open_sealed(parsed(made()), PASSWORD + " ")
    assert "password" == open_sealed(parsed(made()), "\ud800")


def test_file_that_decrypts_to_no_key_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eth_keyfile.keyfile.decode_keyfile_json", lambda *_: bytes(32))
    assert "damage" == open_sealed(parsed(made_before), PASSWORD)


def test_failure_of_the_library_does_not_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise MemoryError(PASSWORD)

    monkeypatch.setattr("eth_keyfile.keyfile.decode_keyfile_json", failing)
    assert "damage" == open_sealed(parsed(made_before), PASSWORD)
    monkeypatch.setattr("eth_keyfile.keyfile.create_keyfile_json", failing)
    assert make_sealed(KEY, PASSWORD, 2) is None


made_before = made()


@settings(max_examples=20, deadline=None)
@given(password=st.text(st.characters(codec="utf-8"), min_size=1), number=st.integers(1, 2**255))
def test_made_file_is_opened_by_its_password(password: str, number: int) -> None:
    sealed = make_sealed(f"{number:064x}", password, 2)
    assert sealed is not None
    address, content = sealed
    file = parse(PATH, content)
    key = open_sealed(file, password)
    assert isinstance(key, Key)
    assert address == key.address == file.address
    assert f"{number:064x}" not in content.decode()


def test_password_typed_at_a_terminal_without_utf8_opens_the_same_file() -> None:
    escaped = PASSWORD.encode().decode("ascii", "surrogateescape")
    assert escaped != PASSWORD
    assert isinstance(open_sealed(parsed(made()), escaped), Key)


def test_text_that_is_no_key_makes_no_file() -> None:
    assert make_sealed("main", PASSWORD, 2) is None
    assert make_sealed("00" * 32, PASSWORD, 2) is None


@pytest.mark.parametrize(
    "document",
    [
        {"Crypto": PBKDF2["crypto"], "Version": 3},
        {"crypto": {key.upper(): value for key, value in PBKDF2["crypto"].items()}, "version": 3},
        {**PBKDF2, "address": ""},
        {**PBKDF2, "address": None},
        {**PBKDF2, "x-more": {"a": [1]}},
        changed(PBKDF2, "crypto.mac", "0x" + PBKDF2["crypto"]["mac"].upper()),
    ],
)
def test_spellings_of_other_programs_are_read(document: dict[str, Any]) -> None:
    document = changed(document, "x", 1)
    sealed = parsed(document)
    assert sealed.address is None
    assert PBKDF2["crypto"]["mac"] == sealed.crypto["mac"].lower()


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS[2:], ADDRESS[2:].upper(), "0X" + ADDRESS[2:]])
def test_address_is_read_from_its_usual_spellings(address: str) -> None:
    assert ADDRESS == parsed({**PBKDF2, "address": address}).address


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "it is no JSON object where one is wanted"),
        ({}, "it is no keystore of version 3"),
        ({**PBKDF2, "version": 4}, "it is no keystore of version 3"),
        ({**PBKDF2, "version": "3"}, "it is no keystore of version 3"),
        ({**PBKDF2, "Crypto": SCRYPT["crypto"]}, "two of its names differ only in case"),
        ({**PBKDF2, "crypto": []}, "it is no JSON object where one is wanted"),
        ({**PBKDF2, "address": "main"}, "its address is none"),
        ({**PBKDF2, "address": 5}, "its address is none"),
        (changed(PBKDF2, "crypto", None), "it is no JSON object where one is wanted"),
        (changed(PBKDF2, "crypto.cipher", "aes-256-cbc"), "its cipher is not aes-128-ctr"),
        (changed(PBKDF2, "crypto.cipher", None), "its cipher is not aes-128-ctr"),
        (changed(PBKDF2, "crypto.kdf", "argon2"), "neither scrypt nor pbkdf2"),
        (changed(PBKDF2, "crypto.kdfparams", None), "it is no JSON object where one is wanted"),
        (changed(PBKDF2, "crypto.kdfparams.dklen", 16), "its derived key is not 32 bytes long"),
        (changed(PBKDF2, "crypto.kdfparams.dklen", 2**40), "its derived key is not 32 bytes long"),
        (changed(PBKDF2, "crypto.kdfparams.c", 10_000_001), "more than 10000000 rounds"),
        (changed(PBKDF2, "crypto.kdfparams.c", 0), "its c is no positive integer"),
        (changed(PBKDF2, "crypto.kdfparams.c", 1.5), "its c is no positive integer"),
        (changed(PBKDF2, "crypto.kdfparams.c", True), "its c is no positive integer"),
        (changed(PBKDF2, "crypto.kdfparams.c", float("nan")), "it is no JSON (NaN or infinity)"),
        (changed(PBKDF2, "crypto.kdfparams.C", 1), "two of its names differ only in case"),
        (changed(PBKDF2, "crypto.kdfparams.prf", "hmac-md5"), "not over hmac-sha256"),
        (changed(PBKDF2, "crypto.kdfparams.salt", "xyz"), "its salt is no hex"),
        (changed(PBKDF2, "crypto.kdfparams.salt", "00" * 129), "its salt is no hex"),
        (changed(PBKDF2, "crypto.kdfparams.salt", 5), "its salt is no hex"),
        (changed(PBKDF2, "crypto.cipherparams.iv", "00"), "its iv is not 16 bytes long"),
        (changed(PBKDF2, "crypto.ciphertext", "00" * 64), "its ciphertext is not 32 bytes long"),
        (changed(PBKDF2, "crypto.mac", "00" * 16), "its mac is not 32 bytes long"),
        (changed(SCRYPT, "crypto.kdfparams.n", 2**30), "more than 1024 MiB of work"),
        (changed(SCRYPT, "crypto.kdfparams.n", 2**21), "more than 1024 MiB of work"),
        (changed(SCRYPT, "crypto.kdfparams.p", 2**6), "more than 1024 MiB of work"),
        (changed(SCRYPT, "crypto.kdfparams.r", 2**60), "more than 1024 MiB of work"),
        (changed(SCRYPT, "crypto.kdfparams.n", 1), "its scrypt n is no power of two"),
        (changed(SCRYPT, "crypto.kdfparams.n", 1000), "its scrypt n is no power of two"),
        (changed(SCRYPT, "crypto.kdfparams.n", "2"), "its n is no positive integer"),
        (changed(SCRYPT, "crypto.kdfparams.r", -8), "its r is no positive integer"),
    ],
)
def test_file_that_must_not_be_opened_is_refused_before_any_work(
    document: object, why: str
) -> None:
    with pytest.raises(KeyFileUnsafe) as caught:
        parsed(document)
    assert (
        f"keys/main cannot be used as a key file: {caught.value.message.partition(': ')[2]}"
        == caught.value.message
    )
    assert why in caught.value.message
    assert "K103" == caught.value.code


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 60_000, b"null", b"9" * 5000])
def test_bytes_that_are_no_object_are_refused(content: bytes) -> None:
    with pytest.raises(KeyFileUnsafe, match="it is no JSON"):
        parse(PATH, content)


def test_largest_allowed_work_is_what_strong_files_of_others_ask_for() -> None:
    assert parsed(changed(SCRYPT, "crypto.kdfparams.n", 2**20)).crypto["kdfparams"]["n"] == 2**20
    assert (
        10_000_000
        == parsed(changed(PBKDF2, "crypto.kdfparams.c", 10_000_000)).crypto["kdfparams"]["c"]
    )
