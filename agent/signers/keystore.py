"""The signer over an encrypted key file: our own, Foundry's or geth's, where it lies."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, SupportsIndex

from agent.core.fact import Reserved
from agent.core.intent import SignedMessage, SignedTx
from agent.core.money import Address
from agent.errors import KeyFileUnsafe, KeyMismatch, KeyMissing, KeyProblem, WrongPassword
from agent.signers._check import intended, local_rule
from agent.signers._files import read_private
from agent.signers._folders import (
    Folders,
    KeyFile,
    find,
    generated,
    keep,
    learn,
    list_keys,
    refuse_name,
)
from agent.signers._key import Key
from agent.signers._v3 import SCRYPT_N, Sealed, make_sealed, open_sealed, parse

__all__ = [
    "Folders",
    "KeyFile",
    "KeystoreSigner",
    "Options",
    "find",
    "generated",
    "import_key",
    "list_keys",
    "make",
    "new",
    "show_address",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`address` is the wallet's, `key` a name, an address or a path for `find`.

    `ask` gives the password when the first signature needs it. `local` says whether the
    chains are local ones, `generated` which keys were generated for those.
    """

    address: Address
    key: str
    folders: Folders
    ask: Callable[[], str] = field(repr=False)
    local: bool
    generated: frozenset[Address]

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a password does not leave its process")


def make(options: Options, _io: object) -> KeystoreSigner:
    """The signer; nothing is read and nobody asked before it must sign."""
    return KeystoreSigner(options)


class KeystoreSigner:
    """Asks for the password once, late, and holds the key in one object."""

    kind = "keystore"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._key: Key | None = None

    @property
    def address(self) -> Address:
        """The account that it signs for."""
        return self._options.address

    def unlock(self) -> None:
        """Make sure that it can sign; raises KeyProblem as `sign` would.

        KeyNotAllowed by the rule of local chains, KeyMissing, KeyFileUnsafe, WrongPassword,
        KeyMismatch when the key is another account's.
        """
        self._usable()

    def sign(self, reserved: Reserved) -> SignedTx | SignedMessage:
        """Sign what stands in the journal; raises KeyProblem."""
        unsigned = intended(reserved, self.address)
        return self._usable().sign(unsigned)

    def _usable(self) -> Key:
        options = self._options
        # The marks in our own folder count whatever the caller knows of.
        marked = options.generated | generated(options.folders)
        local_rule(options.address, local=options.local, generated=marked)
        if self._key is None:
            self._key = _unlocked(options.key, options.folders, options.ask, options.address)
        return self._key

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key does not leave its process")


def new(
    name: str,
    password: str,
    *,
    folders: Folders,
    local_only: bool = False,
    scrypt_n: int = SCRYPT_N,
) -> KeyFile:
    """Generate a key and write its file; raises KeyProblem when it cannot be made.

    A `local_only` key signs on local chains and nowhere else.
    """
    wrong = refuse_name(name, folders) or _refuse_password(password)
    made = None if wrong else make_sealed(secrets.token_hex(32), password, scrypt_n)
    # What raises from here on must not have it among its variables.
    del password
    return _kept(name, folders, wrong=wrong, made=made, local_only=local_only)


def import_key(
    name: str, key_text: str, password: str, *, folders: Folders, scrypt_n: int = SCRYPT_N
) -> KeyFile:
    """Write the file of an existing key, 64 hex digits; raises KeyProblem when it cannot be."""
    wrong = refuse_name(name, folders) or _refuse_password(password)
    made = None if wrong else make_sealed(key_text, password, scrypt_n)
    # What raises from here on must not have them among its variables.
    del key_text, password
    return _kept(name, folders, wrong=wrong, made=made, local_only=False)


def show_address(name_or_path: str, ask: Callable[[], str], *, folders: Folders) -> Address:
    """The address of a key file, opened with its password; raises KeyProblem."""
    return _unlocked(name_or_path, folders, ask, None).address


def _refuse_password(password: str) -> str:
    return "" if password else "an empty password protects nothing"


def _kept(
    name: str,
    folders: Folders,
    *,
    wrong: str,
    made: tuple[Address, bytes] | None,
    local_only: bool,
) -> KeyFile:
    if wrong:
        raise KeyProblem(wrong, fix="choose another name or password")
    if made is None:
        raise KeyMissing("that is no private key", fix="give a key of 64 hex digits")
    address, content = made
    return keep(name, folders, address=address, content=content, local_only=local_only)


def _unlocked(
    name_or_path: str, folders: Folders, ask: Callable[[], str], wanted: Address | None
) -> Key:
    """The key in a file, that of *wanted* where an address is wanted; raises KeyProblem."""
    file = find(name_or_path, folders)
    content = read_private(file.path)
    sealed = parse(file.path, content)
    if wanted is not None and sealed.address not in {None, wanted}:
        raise _mismatch(file, sealed.address, wanted)
    key = _opened(file, sealed, ask)
    if wanted is not None and key.address != wanted:
        raise _mismatch(file, key.address, wanted)
    if sealed.address is None:
        learn(folders, content, key.address)
    return key


def _opened(file: KeyFile, sealed: Sealed, ask: Callable[[], str]) -> Key:
    # The password is never a variable here: what raises below would show it.
    key = open_sealed(sealed, ask())
    if key == "password":
        raise WrongPassword(
            f"the password does not open {file.path}", fix="give the right password"
        )
    if key == "damage":
        raise KeyFileUnsafe(f"{file.path} holds no key", fix="put back a good copy of it")
    return key


def _mismatch(file: KeyFile, found: Address | None, wanted: Address) -> KeyMismatch:
    return KeyMismatch(
        f"{file.path} is the key of {found}, the wallet is {wanted}",
        fix="name the wallet's own key, or correct the wallet's address",
    )
