"""Small files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agent.errors import DiskFull

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: Path, text: str) -> None:
    """Put *text* at *path* with mode 0600, in one step and durably; raises DiskFull.

    Folders that are missing are made with mode 0700. Who reads it sees the old or the new text.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, _MAKE, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise DiskFull(
            f"{path} could not be written: {error.strerror}",
            fix=f"make room or give write permission in {path.parent}",
        ) from None
