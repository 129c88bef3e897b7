"""Folders of the cache that are written once, whole, and read only if they are unchanged."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent.errors import SetupFailed

MANIFEST = "manifest.json"


def is_sealed(folder: Path) -> bool:
    """Tell whether *folder* was written completely; its content is checked by `read_sealed`."""
    return (folder / MANIFEST).is_file()


def seal(folder: Path, files: Mapping[str, bytes], *, origin: str, executable: str = "") -> None:
    """Write *files* and their manifest as *folder*, which appears whole or not at all.

    *origin* says what the content was made from, so that a folder of other content is refused.
    *executable* names the one file that may be run. A folder that another process finished
    meanwhile is left alone. Raises SetupFailed when the disk does not take it.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json.dumps({"origin": origin, "sha256": hashes}, indent=1, sort_keys=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            for name, content in {**files, MANIFEST: manifest.encode()}.items():
                (draft / name).write_bytes(content)
            if executable:
                (draft / executable).chmod(0o700)
            if not is_sealed(folder):
                shutil.rmtree(folder, ignore_errors=True)
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as fault:
        raise _unwritable(folder, fault) from None


def read_sealed(folder: Path, name: str, *, origin: str) -> bytes:
    """Return the bytes of one file; raises SetupFailed unless the manifest vouches for them."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        content = (folder / name).read_bytes()
        recorded = (manifest["origin"], manifest["sha256"][name])
    except (OSError, ValueError, KeyError, TypeError):
        raise _refused(folder, f"{name} or its manifest is missing or unreadable") from None
    if recorded != (origin, hashlib.sha256(content).hexdigest()):
        raise _refused(folder, f"{name} is not what was put there")
    return content


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Let one process at a time into the block; the lock dies with its process.

    Raises SetupFailed when the lock file cannot be made.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _unwritable(lock.parent, fault) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _unwritable(folder: Path, fault: OSError) -> SetupFailed:
    return SetupFailed(
        f"the cache folder {folder} cannot be written: {fault.strerror}",
        fix="free disk space or fix the folder's permissions, then run the command again",
    )


def _refused(folder: Path, what: str) -> SetupFailed:
    return SetupFailed(
        f"the cache folder {folder} was changed after it was written: {what}",
        fix=f"delete {folder}; the next command fetches or builds it again",
    )
