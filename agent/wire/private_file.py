"""Small files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from agent.errors import DiskFull

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: Path, text: str, *, new: bool = False) -> None:
    """Put *text* at *path* with mode 0600, in one step and durably; raises DiskFull.

    Folders that are missing are made with mode 0700. Who reads it sees the old or the new text.
    With *new* an existing file stays as it is: raises FileExistsError.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, _MAKE, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _put(fresh, path, new=new)
    except OSError as error:
        if isinstance(error, FileExistsError) and new and path.exists():
            raise
        raise DiskFull(
            f"{path} could not be written: {error.strerror}",
            fix=f"make room or give write permission in {path.parent}",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _put(fresh: Path, path: Path, *, new: bool) -> None:
    if new:
        os.link(fresh, path)
    else:
        fresh.replace(path)
