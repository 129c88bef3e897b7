"""Key files: made for their owner only, and refused when anybody else could touch them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.errors import KeyFileUnsafe, KeyMissing, KeyProblem

_LARGEST = 65_536
"""Bytes; a key file has about 500."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read_private(path: Path) -> bytes:
    """The content of a file that is its owner's alone.

    Raises KeyMissing when it is not there, KeyFileUnsafe for a link, another owner, a
    mode that lets others in, and for what cannot be a key file.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise KeyMissing(f"{path} is not there", fix="see `rebalancer accounts list`") from None
    except OSError as error:
        reason = "is a link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise KeyFileUnsafe(f"{path} {reason}", fix="put the file itself there") from None
    try:
        _refuse_others(path, os.fstat(descriptor))
        content = os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        raise KeyFileUnsafe(f"{path} is too large for a key file", fix="give a key file")
    return content


def make_private(path: Path, content: bytes) -> None:
    """Write a new file with mode 0600, durably; raises KeyProblem when it cannot be made.

    An existing file is never written to.
    """
    _private_folder(path.parent)
    try:
        with os.fdopen(os.open(path, _MAKE, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except FileExistsError:
        raise KeyProblem(f"{path} is there already", fix="choose another name") from None
    except OSError as error:
        raise _unwritable(path, error) from error


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* in place of a private file at once; raises KeyProblem when it cannot."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    make_private(fresh, content)
    try:
        fresh.replace(path)
    except OSError as error:
        fresh.unlink()
        raise _unwritable(path, error) from error


def _private_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise KeyFileUnsafe(f"{path} is a link", fix=f"put a real folder in place of {path}")
    _refuse_owner(path, status)
    if status.st_mode & 0o077:
        raise _open_to_others(path, status, f"chmod 700 {path}")


def _refuse_others(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileUnsafe(f"{path} is no file", fix="give a key file")
    _refuse_owner(path, status)
    if status.st_mode & 0o077:
        raise _open_to_others(path, status, f"chmod 600 {path}")


def _refuse_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise KeyFileUnsafe(
            f"{path} belongs to user {status.st_uid}, this is user {os.geteuid()}",
            fix="run as its owner",
        )


def _open_to_others(path: Path, status: os.stat_result, fix: str) -> KeyFileUnsafe:
    mode = stat.S_IMODE(status.st_mode)
    return KeyFileUnsafe(f"{path} is open to others (mode {mode:04o})", fix=fix)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> KeyProblem:
    return KeyProblem(
        f"{path} cannot be made: {error.strerror}", fix=f"make room or give permission at {path}"
    )
