"""The lock of an account: held by one process and gone with it, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from agent.core.money import Address
from agent.errors import Broken, Locked
from agent.stores._chain import lane
from agent.stores._private import private_file, private_folder


class _LockFile:
    """An open lock file; closing it lets go of the lock, also when the kernel does it."""

    def __init__(self, path: Path) -> None:
        private_file(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        _open_files.add(self)

    def lock(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def say(self, text: str) -> None:
        """Write *text* in place of what was said; it is for people, so a full disk may lose it."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, text.encode(), 0)

    def holder(self) -> str:
        """Who wrote there, and since when: the file's own time; for people, it decides nothing."""
        said = os.pread(self._descriptor, 20, 0).decode("ascii", "replace")
        since = datetime.fromtimestamp(os.fstat(self._descriptor).st_mtime, UTC)
        who = f"process {said}" if said.isdecimal() else "another process"
        return f"{who} since {since:%Y-%m-%dT%H:%M:%SZ}"

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        _open_files.discard(self)


_open_files: set[_LockFile] = set()


def _let_go_in_child() -> None:
    # A lock belongs to the open file, and a forked child has that file open too: without
    # this the account would stay locked for as long as any child outlives its parent. To
    # close is not to unlock: the parent's own descriptor keeps the lock.
    for lock_file in tuple(_open_files):
        lock_file.close()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextlib.contextmanager
def hold(folder: Path, account: Address) -> Iterator[None]:
    """Hold the lock of *account* in *folder*; raises Locked with the holder's process id.

    The kernel lets go of it when the process ends, also by SIGKILL; children, forked or
    started, do not inherit it. The file stays: to delete it would open a race.
    """
    private_folder(folder)
    lock_file = _LockFile(folder / f"{lane(account)}.lock")
    try:
        _take(lock_file, account)
        try:
            yield
        finally:
            lock_file.say("")
    finally:
        lock_file.close()


def _take(lock_file: _LockFile, account: Address) -> None:
    try:
        lock_file.lock()
    except BlockingIOError:
        raise Locked(
            f"{account} is held by {lock_file.holder()}",
            fix="wait until it is done, or stop it; its lock ends with it",
        ) from None
    except OSError as error:
        raise Broken(
            f"the lock of {account} cannot be taken: {error.strerror}",
            fix="put the state folder on a local disk",
        ) from error
    lock_file.say(str(os.getpid()))
