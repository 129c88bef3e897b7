"""Keystore version 3: what is in a file, what it may cost to open, opening and making it.

The format: https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.core.money import Address
from agent.errors import KeyFileUnsafe
from agent.signers._key import Key, key_of, secret_of
from agent.wire.strict_json import StrictJsonError, loads

SCRYPT_N = 262_144
"""What geth and eth_account write: about a second and 256 MiB for each guess at a password."""

_LARGEST_MEMORY = 2**30
"""Bytes that scrypt may take; four times what `SCRYPT_N` needs."""

_MOST_ROUNDS = 10_000_000
"""Of PBKDF2; ten times what eth_account writes."""

_SHORT_HEX = re.compile(r"(0x)?([0-9a-fA-F]{2}){1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted key whose parameters were checked; `address` is None where it says none."""

    crypto: Mapping[str, Any]
    address: Address | None


class _Bad(Exception):  # noqa: N818  never leaves this file
    """What is wrong with a key file."""


def parse(path: Path, content: bytes) -> Sealed:
    """The encrypted key in a file; raises KeyFileUnsafe when it must not be opened.

    The parameters are capped before anything is derived from them: a hostile file could
    ask for any amount of memory.
    """
    try:
        return _sealed(_lowered(_loaded(content)))
    except _Bad as bad:
        raise KeyFileUnsafe(
            f"{path} cannot be used as a key file: {bad}",
            fix="give a keystore file as this program, Foundry or geth writes it",
        ) from None


def open_sealed(sealed: Sealed, password: str) -> Key | Literal["password", "damage"]:
    """The key, or why there is none: a wrong password, or a file that holds no key.

    Nothing is raised: frames of the key library would show password and key.
    """
    from eth_keyfile.exceptions import EthKeyfileValueError
    from eth_keyfile.keyfile import decode_keyfile_json

    try:
        document = {"version": 3, "crypto": dict(sealed.crypto)}
        return key_of(decode_keyfile_json(document, _typed(password))) or "damage"
    except (EthKeyfileValueError, UnicodeEncodeError):
        return "password"
    except Exception:  # noqa: BLE001  its frames hold the password: nothing of it may go on
        return "damage"


def make_sealed(key_text: str, password: str, scrypt_n: int) -> tuple[Address, bytes] | None:
    """A new file for the key in hex, and its address; None when that is no key.

    It is opened once before it is handed out: money will be sent to that address.
    """
    from eth_keyfile.keyfile import create_keyfile_json

    secret = secret_of(key_text)
    key = None if secret is None else key_of(secret)
    if secret is None or key is None:
        return None
    try:
        made = create_keyfile_json(secret, _typed(password), kdf="scrypt", iterations=scrypt_n)
        content = json.dumps({**made, "address": key.address[2:]}).encode()
        again = open_sealed(parse(Path("new"), content), password)
    except Exception:  # noqa: BLE001  its frames hold the key: nothing of it may go on
        return None
    right = isinstance(again, Key) and again.address == key.address
    return (key.address, content) if right else None


def _sealed(document: Mapping[str, Any]) -> Sealed:
    if document.get("version") != 3:
        raise _Bad("it is no keystore of version 3")
    return Sealed(_crypto(document.get("crypto")), _address(document.get("address")))


def _typed(password: str) -> bytes:
    # What a terminal without UTF-8 sent arrives as escapes: these are the bytes again.
    return password.encode(errors="surrogateescape")


def _loaded(content: bytes) -> Any:
    try:
        return loads(content)
    except StrictJsonError as error:
        raise _Bad(f"it is no JSON ({error})") from None


def _lowered(raw: Any) -> dict[str, Any]:
    """A JSON object with keys in lower case: old files write `Crypto`, some `KDF`."""
    if not isinstance(raw, dict):
        raise _Bad("it is no JSON object where one is wanted")
    lowered = {name.lower(): value for name, value in raw.items()}
    if len(lowered) != len(raw):
        raise _Bad("two of its names differ only in case")
    return lowered


def _address(raw: Any) -> Address | None:
    if raw is None or raw == "":
        return None
    text = raw.lower().removeprefix("0x") if isinstance(raw, str) else ""
    if not re.fullmatch(r"[0-9a-f]{40}", text, re.ASCII):
        raise _Bad("its address is none")
    return Address("0x" + text)


def _crypto(raw: Any) -> Mapping[str, Any]:
    """Only what was checked goes on to the key library, in the form that was checked."""
    crypto = _lowered(raw)
    parameters = _lowered(crypto.get("kdfparams"))
    kdf = crypto.get("kdf")
    if crypto.get("cipher") != "aes-128-ctr":
        raise _Bad("its cipher is not aes-128-ctr")
    if kdf not in {"scrypt", "pbkdf2"}:
        raise _Bad("its key derivation is neither scrypt nor pbkdf2")
    if _whole(parameters, "dklen") != 32:
        raise _Bad("its derived key is not 32 bytes long")
    chosen = _scrypt(parameters) if kdf == "scrypt" else _pbkdf2(parameters)
    return {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": _hex(_lowered(crypto.get("cipherparams")), "iv", 16)},
        "ciphertext": _hex(crypto, "ciphertext", 32),
        "kdf": kdf,
        "kdfparams": {"dklen": 32, "salt": _hex(parameters, "salt", None), **chosen},
        "mac": _hex(crypto, "mac", 32),
    }


def _scrypt(parameters: Mapping[str, Any]) -> dict[str, Any]:
    # RFC 7914: 128 · n · r bytes, filled p times; the product bounds memory and time.
    n, r, p = (_whole(parameters, name) for name in "nrp")
    if not (n > 1 and n & (n - 1) == 0):
        raise _Bad("its scrypt n is no power of two")
    if not (128 * n * r * p <= _LARGEST_MEMORY):
        raise _Bad(f"its scrypt asks for more than {_LARGEST_MEMORY >> 20} MiB of work")
    return {"n": n, "r": r, "p": p}


def _pbkdf2(parameters: Mapping[str, Any]) -> dict[str, Any]:
    c = _whole(parameters, "c")
    if parameters.get("prf") != "hmac-sha256":
        raise _Bad("its pbkdf2 is not over hmac-sha256")
    if not (c <= _MOST_ROUNDS):
        raise _Bad(f"its pbkdf2 asks for more than {_MOST_ROUNDS} rounds")
    return {"c": c, "prf": "hmac-sha256"}


def _whole(parameters: Mapping[str, Any], name: str) -> int:
    number = parameters.get(name)
    if type(number) is not int or not (number >= 1):
        raise _Bad(f"its {name} is no positive integer")
    return number


def _hex(parameters: Mapping[str, Any], name: str, length: int | None) -> str:
    text = parameters.get(name)
    if not isinstance(text, str) or not _SHORT_HEX.fullmatch(text):
        raise _Bad(f"its {name} is no hex")
    digits = text.removeprefix("0x")
    if length is not None and len(digits) != 2 * length:
        raise _Bad(f"its {name} is not {length} bytes long")
    return digits
