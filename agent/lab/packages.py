"""The needed parts of the pinned packages, extracted once into a slim cache."""

import io
import json
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.errors import SetupFailed
from agent.lab.contracts import Artifact, parse_artifact
from agent.lab.npm import fetch
from agent.lab.pins import NODE_BINARY, Pin, contract_pins, node_pin
from agent.lab.sealed import is_sealed, only_one, read_sealed, seal

MAX_MEMBER_BYTES = 268_435_456
"""Larger files are refused unread; the node's binary has 44 MB."""

PARALLEL_DOWNLOADS = 4
"""npm is a process of its own with some 70 MB of memory; more of them gain nothing."""


def fetch_packages(cache: Path, pins: Iterable[Pin]) -> None:
    """Fetch and extract those of *pins* that *cache* does not have; raises SetupFailed.

    Safe to run from several processes at once: one fetches, the others wait and find it done.
    """
    wanted = tuple(pins)
    if _missing(cache, wanted):
        with only_one(_root(cache) / ".lock"), ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            # Asked again behind the lock: whoever held it may have done the work.
            for _ in pool.map(lambda pin: _install(cache, pin), _missing(cache, wanted)):
                pass


def node_binary(cache: Path) -> Path:
    """The local node's program, fetched if needed and checked; raises SetupFailed."""
    pin = node_pin()
    fetch_packages(cache, [pin])
    folder = _folder(cache, pin)
    read_sealed(folder, NODE_BINARY, origin=pin.integrity)
    return folder / NODE_BINARY


def artifacts(cache: Path, wanted: Iterable[Pin] | None = None) -> dict[str, Artifact]:
    """The contracts of *wanted* packages by name, fetched if needed and checked.

    Without *wanted* those of the saved chains. Raises SetupFailed.
    """
    pins = contract_pins() if wanted is None else tuple(wanted)
    fetch_packages(cache, pins)
    return {
        name: parse_artifact(
            name, json.loads(read_sealed(_folder(cache, pin), name, origin=pin.integrity))
        )
        for pin in pins
        for name in pin.members
    }


def extract(pin: Pin, tarball: bytes) -> dict[str, bytes]:
    """The wanted files of a tarball: programs as they are, contracts reduced to what we use.

    Nothing is unpacked to disk, so paths and links inside the archive can do no harm.
    """
    names = {path: name for name, path in pin.members.items()}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
            for member in archive:
                # The first part is npm's own, nearly always "package".
                name = names.get(member.name.partition("/")[2])
                if name is not None and member.isreg() and member.size <= MAX_MEMBER_BYTES:
                    content = archive.extractfile(member)
                    found[name] = content.read() if content is not None else b""
                if len(found) == len(names):
                    break
    except (tarfile.TarError, OSError, EOFError) as fault:
        raise _unusable(pin, str(fault)) from None
    absent = sorted(set(pin.members) - set(found))
    if absent:
        raise _unusable(pin, f"it lacks {', '.join(absent)}")
    return {name: _slim(pin, name, content) for name, content in found.items()}


def _slim(pin: Pin, name: str, content: bytes) -> bytes:
    if not pin.members[name].endswith(".json"):
        return content
    try:
        artifact = parse_artifact(name, json.loads(content))
    except (ValueError, KeyError, TypeError):
        raise _unusable(pin, f"{name} is no compiled contract") from None
    return json.dumps(artifact.as_json(), sort_keys=True, separators=(",", ":")).encode()


def _install(cache: Path, pin: Pin) -> None:
    executable = NODE_BINARY if NODE_BINARY in pin.members else ""
    files = extract(pin, fetch(pin))
    seal(_folder(cache, pin), files, origin=pin.integrity, executable=executable)


def _missing(cache: Path, pins: tuple[Pin, ...]) -> list[Pin]:
    return [pin for pin in pins if not is_sealed(_folder(cache, pin))]


def _root(cache: Path) -> Path:
    return cache / "lab" / "npm"


def _folder(cache: Path, pin: Pin) -> Path:
    return _root(cache) / pin.folder


def _unusable(pin: Pin, why: str) -> SetupFailed:
    return SetupFailed(
        f"the package {pin.spec} cannot be used: {why}",
        fix="report it: its hash is right, so the program's list of parts is wrong",
    )
