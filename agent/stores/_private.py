"""Files and folders that only their owner may see."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.errors import Broken, DiskFull

_OTHERS = 0o077
"""Mode bits that let anybody but the owner in."""


def private_folder(path: Path) -> None:
    """Make the folder with mode 0700 where it is missing; refuse one that is not private.

    Raises Broken for a link, another owner or a looser mode, DiskFull when it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except FileExistsError:
        raise Broken(f"{path} is no folder", fix=f"move {path} out of the way") from None
    except OSError as error:
        raise _unwritable(path, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise Broken(f"{path} is a link", fix=f"put a real folder in place of {path}")
    _refuse_others(path, status, 0o700)


def private_file(path: Path) -> None:
    """Make an empty file with mode 0600 where it is missing; refuse one that is not private.

    Raises Broken for a link, another owner or a looser mode, DiskFull when it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(path, flags, 0o600))
        sync_folder(path.parent)
    except FileExistsError:
        check_private_file(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def check_private_file(path: Path) -> None:
    """Refuse a file that others may read or write, or that is none; missing is fine."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise Broken(f"{path} is a link or no file", fix=f"put the real file in place of {path}")
    _refuse_others(path, status, 0o600)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_others(path: Path, status: os.stat_result, mode: int) -> None:
    if status.st_uid != os.geteuid():
        raise Broken(
            f"{path} belongs to user {status.st_uid}, this is user {os.geteuid()}",
            fix="run as its owner, or name another state folder by REBALANCER_HOME",
        )
    if status.st_mode & _OTHERS:
        raise Broken(
            f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            fix=f"chmod {mode:o} {path}",
        )


def _unwritable(path: Path, error: OSError) -> DiskFull:
    return DiskFull(
        f"{path} cannot be made: {error.strerror}",
        fix=f"make room or give write permission where {path} shall be",
    )
