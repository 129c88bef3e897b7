"""Where key files are: our own folder, Foundry's and geth's in place, and what we noted of them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from agent.core.money import Address
from agent.errors import KeyFileUnsafe, KeyMissing, KeyProblem
from agent.signers._files import make_private, read_private, replace_private
from agent.signers._v3 import parse
from agent.wire.strict_json import loads

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_KEY, _LOCAL = ".json", ".local"
_LEARNED = "addresses.learned"

Place = Literal["own", "foundry", "geth", "path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """`own` is this program's key folder, `home` the user's home folder."""

    own: Path
    home: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A key file that was found.

    `address` is None where the file does not say it and it was never opened here;
    `local_only` marks a key that was generated for local chains; `problem` says why the
    file cannot be used, empty when it can.
    """

    name: str
    place: Place
    path: Path
    address: Address | None = None
    local_only: bool = False
    problem: str = ""


def list_keys(folders: Folders) -> tuple[KeyFile, ...]:
    """All key files of the three folders, also those that cannot be used, by place and name."""
    learned = _learned(folders.own)
    found = [
        *((path.name.removesuffix(_KEY), "own", path) for path in _files(folders.own, f"*{_KEY}")),
        *(
            (path.name, "foundry", path)
            for path in _files(folders.home / ".foundry/keystores", "*")
        ),
        *(
            (path.name, "geth", path)
            for path in _files(folders.home / ".ethereum/keystore", "UTC--*")
        ),
    ]
    return tuple(_looked_at(name, place, path, learned) for name, place, path in found)


def find(name_or_path: str, folders: Folders) -> KeyFile:
    """The key file of a name, an address or a path (`/…`, `./…`, `~/…`).

    Raises KeyMissing when there is none, KeyProblem when several have the name,
    KeyFileUnsafe when it must not be used.
    """
    if "/" in name_or_path:
        path = Path(name_or_path)
        if name_or_path.startswith("~/"):
            path = folders.home / name_or_path[2:]
        matches = [_looked_at(path.name, "path", path, _learned(folders.own))]
    else:
        known = list_keys(folders)
        matches = [key for key in known if name_or_path in {key.name, key.path.name}]
        if _ADDRESS.fullmatch(name_or_path):
            matches = [key for key in known if key.address == name_or_path.lower()]
        if not matches:
            names = ", ".join(key.name for key in known) or "none"
            raise KeyMissing(
                f"no key file is called {name_or_path}",
                fix=f"choose one that is there ({names}) or make it: rebalancer accounts new",
            )
    if len(matches) > 1:
        raise KeyProblem(
            f"{len(matches)} key files are called {name_or_path}: "
            + ", ".join(str(key.path) for key in matches),
            fix="name the one you mean by its path",
        )
    if matches[0].problem:
        parse(matches[0].path, read_private(matches[0].path))
    return matches[0]


def generated(folders: Folders) -> frozenset[Address]:
    """The addresses that were generated for local chains; raises KeyFileUnsafe."""
    marks = _files(folders.own, f"*{_LOCAL}")
    return frozenset(_marked(path) for path in marks)


def refuse_name(name: str, folders: Folders) -> str:
    """Why a new key cannot have that name, empty when it can."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name for a key: letters, digits, dots, dashes and underscores are"
    return f"a key called {name} is there already" if _own(name, folders).exists() else ""


def keep(
    name: str, folders: Folders, *, address: Address, content: bytes, local_only: bool
) -> KeyFile:
    """Write a new key file into our own folder; raises KeyProblem when it cannot be made."""
    if local_only:
        # The mark comes first: no crash may leave a key for local chains without it.
        mark = json.dumps({"address": address, "local_only": True}).encode()
        make_private(folders.own / f"{name}{_LOCAL}", mark)
    make_private(_own(name, folders), content)
    return KeyFile(
        name=name, place="own", path=_own(name, folders), address=address, local_only=local_only
    )


def learn(folders: Folders, content: bytes, address: Address) -> None:
    """Note whose key a file holds that does not say it, for `accounts list`; never fails."""
    learned = {**_learned(folders.own), _digest(content): address}
    with suppress(OSError, KeyProblem):
        replace_private(folders.own / _LEARNED, json.dumps(learned, indent=1).encode())


def _own(name: str, folders: Folders) -> Path:
    return folders.own / f"{name}{_KEY}"


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _looked_at(name: str, place: str, path: Path, learned: dict[str, Address]) -> KeyFile:
    address, problem = None, ""
    try:
        content = read_private(path)
        address = parse(path, content).address or learned.get(_digest(content))
    except KeyProblem as error:
        problem = error.message
    local_only = place == "own" and path.with_suffix(_LOCAL).exists()
    return KeyFile(
        name=name,
        place=place,  # type: ignore[arg-type]
        path=path,
        address=address,
        local_only=local_only,
        problem=problem,
    )


def _marked(path: Path) -> Address:
    try:
        mark = loads(read_private(path))
        if isinstance(mark, dict) and _ADDRESS.fullmatch(str(mark.get("address"))):
            return Address(str(mark["address"]).lower())
    except ValueError:
        pass
    raise KeyFileUnsafe(
        f"{path} does not say which key is for local chains only",
        fix="put back the file, or remove it together with its key",
    )


def _learned(own: Path) -> dict[str, Address]:
    """What was noted, by the hash of the file; a damaged note is as good as none."""
    try:
        noted = loads(read_private(own / _LEARNED))
    except (ValueError, KeyProblem):
        return {}
    items = noted.items() if isinstance(noted, dict) else ()
    return {key: Address(str(value)) for key, value in items if _ADDRESS.fullmatch(str(value))}


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
