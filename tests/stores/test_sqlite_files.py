"""The journal's files stay private, and its lock is nobody else's."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import stat
from pathlib import Path

import pytest
from journal_rigs import ACCOUNT, OTHER, step
from stores.sqlite_rig import hand

from agent.errors import Broken, DiskFull, Locked
from agent.stores import _lock
from agent.stores.sqlite import SqliteJournal


def test_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with contextlib.closing(SqliteJournal(tmp_path / "state")) as journal:
            journal.append(ACCOUNT, 0, step(0))
            with journal.hold(ACCOUNT):
                modes = {
                    str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
                    for path in sorted(tmp_path.rglob("*"))
                }
    finally:
        os.umask(before)
    assert {
        "state": 0o700,
        "state/journal.sqlite3": 0o600,
        "state/journal.sqlite3-shm": 0o600,
        "state/journal.sqlite3-wal": 0o600,
        "state/locks": 0o700,
        f"state/locks/{ACCOUNT}.lock": 0o600,
    } == modes


@pytest.mark.parametrize("name", ["journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o610, 0o666])
def test_file_that_others_may_touch_is_refused(
    filled: SqliteJournal, folder: Path, name: str, mode: int
) -> None:
    (folder / name).chmod(mode)
    for read_only in (True, False):
        with (
            pytest.raises(Broken) as caught,
            contextlib.closing(SqliteJournal(folder, read_only=read_only)) as journal,
        ):
            journal.load(ACCOUNT)
        assert f"{folder / name} is open to others (mode {mode:04o})" == caught.value.message
        assert f"chmod 600 {folder / name}" == caught.value.fix


def test_folder_that_others_may_enter_is_refused(filled: SqliteJournal, folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(Broken, match="open to others") as caught:
        SqliteJournal(folder)
    assert f"chmod 700 {folder}" == caught.value.fix


def test_link_in_place_of_the_file_is_refused(folder: Path, file: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o700)
    (tmp_path / "elsewhere").touch(mode=0o600)
    file.symlink_to(tmp_path / "elsewhere")
    for read_only in (True, False):
        with (
            pytest.raises(Broken, match="is a link or no file"),
            contextlib.closing(SqliteJournal(folder, read_only=read_only)) as journal,
        ):
            journal.load(ACCOUNT)


def test_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(tmp_path / "real")
    with pytest.raises(Broken, match="is a link"):
        SqliteJournal(tmp_path / "state")


def test_link_in_place_of_a_lock_is_refused(journal: SqliteJournal, folder: Path) -> None:
    (folder / "locks").mkdir(mode=0o700)
    victim = folder / "victim"
    victim.write_text("precious")
    (folder / "locks" / f"{ACCOUNT}.lock").symlink_to(victim)
    with pytest.raises(Broken, match="is a link or no file"):
        journal.hold(ACCOUNT).__enter__()
    assert "precious" == victim.read_text()


def test_files_of_another_user_are_refused(
    filled: SqliteJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    for read_only in (True, False):
        with (
            pytest.raises(Broken) as caught,
            contextlib.closing(SqliteJournal(folder, read_only=read_only)) as journal,
        ):
            journal.load(ACCOUNT)
        assert f"belongs to user {owner}, this is user {owner + 1}" in caught.value.message


def test_state_folder_that_cannot_be_made_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFull, match="cannot be made: Not a directory"):
        SqliteJournal(tmp_path / "file" / "state")
    with pytest.raises(Broken, match="is no folder"):
        SqliteJournal(tmp_path / "file")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (tmp_path / "state").mkdir(mode=0o700)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(DiskFull, match="cannot be made: Too many open files"):
            SqliteJournal(tmp_path / "state")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("said", ["", "-1", "1 2", "root", "\xff", "\xb9"])
def test_lock_holds_whatever_is_written_in_its_file(
    journal: SqliteJournal, folder: Path, said: str
) -> None:
    with journal.hold(ACCOUNT):
        (folder / "locks" / f"{ACCOUNT}.lock").write_text(said, "latin-1")
        with pytest.raises(Locked) as caught, journal.hold(ACCOUNT):
            pass
    assert f"{ACCOUNT} is held by another process since 20" in caught.value.message


def test_lock_is_empty_when_nobody_holds_it(journal: SqliteJournal, folder: Path) -> None:
    with journal.hold(ACCOUNT):
        assert str(os.getpid()) == (folder / "locks" / f"{ACCOUNT}.lock").read_text()
    assert "" == (folder / "locks" / f"{ACCOUNT}.lock").read_text()


def test_lock_on_a_file_system_without_locks_is_refused(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(Broken, match="cannot be taken: No locks available") as caught:
        journal.hold(ACCOUNT).__enter__()
    assert "put the state folder on a local disk" == caught.value.fix


def test_child_that_leaves_its_parents_lock_does_not_give_it_back(
    journal: SqliteJournal, folder: Path
) -> None:
    with journal.hold(ACCOUNT):
        parent = os.getpid()
        child = 0
        try:
            with contextlib.suppress(SystemExit), journal.hold(OTHER):
                child = os.fork()
                if child == 0:
                    raise SystemExit
        finally:
            if os.getpid() != parent:
                os._exit(0)
        assert 0 == os.waitpid(child, 0)[1]
        with pytest.raises(Locked), journal.hold(ACCOUNT):
            pass


def test_lock_file_that_was_let_go_in_a_child_is_not_touched_again(
    journal: SqliteJournal, folder: Path
) -> None:
    with journal.hold(ACCOUNT):
        _lock._let_go_in_child()
        said = (folder / "locks" / f"{ACCOUNT}.lock").read_text()
    assert said == (folder / "locks" / f"{ACCOUNT}.lock").read_text()
    with journal.hold(ACCOUNT):
        pass


def test_file_that_cannot_be_opened_is_said(
    filled: SqliteJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("no reason known")

    monkeypatch.setattr("sqlite3.connect", failing)
    with pytest.raises(Broken, match="cannot be used: no reason known"):
        SqliteJournal(folder)


def test_new_file_that_stays_busy_is_locked(folder: Path, file: Path) -> None:
    folder.mkdir(mode=0o700)
    file.touch(mode=0o600)
    with hand(file) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked, match="is busy"):
            SqliteJournal(folder, busy_seconds=0.03)
        connection.execute("ROLLBACK")
    SqliteJournal(folder, busy_seconds=0.03).close()


def test_file_that_is_busy_for_a_moment_is_opened_after_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, tries = SqliteJournal._opened, []

    def busy_twice(self: SqliteJournal) -> sqlite3.Connection | None:
        tries.append(1)
        if len(tries) < 3:
            raise Locked("busy", fix="wait")
        return opened(self)

    monkeypatch.setattr(SqliteJournal, "_opened", busy_twice)
    with contextlib.closing(SqliteJournal(folder)) as journal:
        journal.append(ACCOUNT, 0, step(0))
    assert 3 == len(tries)
