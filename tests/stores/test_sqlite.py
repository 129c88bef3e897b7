"""The journal on disk: every edit is found, a full disk loses nothing, files stay private."""

# ruff: noqa: S608  the statements are made of names that stand in this file
from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_rigs import ACCOUNT, OTHER, step

from agent.core.fact import Signed, TookOver
from agent.core.intent import SignedTx
from agent.errors import AgentError, Broken, DiskFull, Fenced, JournalCorrupt, Locked
from agent.stores import _lock
from agent.stores.sqlite import Options, SqliteJournal, make

ROOT = Path(__file__).parents[2]
LENGTH = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "journal.sqlite3"


@pytest.fixture
def journal(folder: Path) -> Iterator[SqliteJournal]:
    with contextlib.closing(SqliteJournal(folder, busy_seconds=0.05)) as journal:
        yield journal


@pytest.fixture
def filled(journal: SqliteJournal) -> SqliteJournal:
    for seq in range(LENGTH):
        journal.append(ACCOUNT, seq, step(seq))
    return journal


@contextlib.contextmanager
def hand(file: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of somebody else."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def reader(folder: Path) -> contextlib.closing[SqliteJournal]:
    return contextlib.closing(SqliteJournal(folder, read_only=True))


def refused(folder: Path) -> JournalCorrupt:
    """What one who opens the journal now is told."""
    with reader(folder) as fresh, pytest.raises(JournalCorrupt) as caught:
        fresh.load(ACCOUNT)
    error = caught.value
    assert "H101" == error.code
    assert error.nothing_signed
    assert ACCOUNT in error.message
    assert str(folder / "journal.sqlite3") in error.fix
    return error


def test_make_opens_the_journal_of_a_state_folder(folder: Path) -> None:
    with contextlib.closing(make(Options(folder=folder), None)) as journal:
        journal.append(ACCOUNT, 0, step(0))
    with contextlib.closing(make(Options(folder=folder, read_only=True), None)) as journal:
        assert (step(0),) == journal.load(ACCOUNT)


def test_commits_are_synchronous_in_a_write_ahead_log(journal: SqliteJournal) -> None:
    connection = journal._connection
    assert connection is not None
    assert ("wal",) == connection.execute("PRAGMA journal_mode").fetchone()
    assert (2,) == connection.execute("PRAGMA synchronous").fetchone()
    assert (1,) == connection.execute("PRAGMA fullfsync").fetchone()
    assert (1,) == connection.execute("PRAGMA user_version").fetchone()


@pytest.mark.parametrize("seq", range(LENGTH))
@pytest.mark.parametrize("column", ["line", "hash", "prev", "account"])
def test_any_changed_byte_of_a_row_is_found_with_its_position(
    filled: SqliteJournal, folder: Path, file: Path, column: str, seq: int
) -> None:
    with hand(file) as connection:
        where = "account = ? AND seq = ?", (ACCOUNT, seq)
        (text,) = connection.execute(
            f"SELECT {column} FROM facts WHERE {where[0]}", where[1]
        ).fetchone()
        for at in range(len(text)):
            changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
            connection.execute("BEGIN")
            connection.execute(
                f"UPDATE facts SET {column} = ? WHERE {where[0]}", (changed, *where[1])
            )
            connection.execute("COMMIT")
            assert f"position {seq}" in refused(folder).message
            back = changed if column == "account" else ACCOUNT
            connection.execute(
                f"UPDATE facts SET {column} = ? WHERE account = ? AND seq = ?", (text, back, seq)
            )
    assert LENGTH == len(filled.load(ACCOUNT))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE facts SET seq = 9 WHERE seq = 3", "position 3 is missing, position 9 stands there"),
        ("UPDATE facts SET seq = -1 WHERE seq = 0", "position 0 is missing, position -1 stands there"),
        ("UPDATE facts SET seq = 'x' WHERE seq = 3", "position 3 is missing, position 'x' stands there"),
        ("UPDATE facts SET seq = 2.5 WHERE seq = 2", "position 2 is missing, position 2.5 stands there"),
        ("DELETE FROM facts WHERE seq = 0", "position 0 is missing, position 1 stands there"),
        ("DELETE FROM facts WHERE seq = 1", "position 1 is missing, position 2 stands there"),
        ("DELETE FROM facts WHERE seq = 3", "position 3 to 3 are missing at the end"),
        ("DELETE FROM facts WHERE seq > 0", "position 1 to 3 are missing at the end"),
        ("DELETE FROM facts", "position 0 to 3 are missing at the end"),
        ("DELETE FROM heads", "position 0 is there, but not in the second copy of the head"),
        ("UPDATE heads SET seq = 2", "position 3 is there, but not in the second copy of the head"),
        ("UPDATE heads SET seq = 4", "position 4 to 4 are missing at the end"),
        ("UPDATE heads SET seq = -1", "the second copy of the head says -1, which is no position"),
        ("UPDATE heads SET seq = 'x'", "the second copy of the head says 'x', which is no position"),
        ("UPDATE heads SET hash = prev FROM facts WHERE facts.seq = 3", "position 3 has another hash in"),
        ("UPDATE facts SET line = replace(line, '\"at\":2', '\"at\":3')", "position 2: its line and its hash"),
        ("UPDATE facts SET line = x'ff' WHERE seq = 1", "position 1: its line and its hash"),
        ("UPDATE facts SET line = cast(x'ff' AS TEXT) WHERE seq = 1", "position 1: its line and its hash"),
        ("UPDATE facts SET line = line || x'00' WHERE seq = 1", "position 1: its line and its hash"),
        ("UPDATE facts SET line = 5 WHERE seq = 1", "position 1: its line and its hash"),
        ("UPDATE facts SET prev = x'00' WHERE seq = 1", "position 1 does not follow the fact before it"),
        ("UPDATE facts SET hash = 'zz' WHERE seq = 3", "position 3: its line and its hash"),
        ("UPDATE facts SET hash = upper(hash) WHERE seq = 2", "position 2: its line and its hash"),
    ],
)  # fmt: skip
def test_edit_is_found_and_named(
    filled: SqliteJournal, folder: Path, file: Path, change: str, what: str
) -> None:
    with hand(file) as connection:
        connection.execute(change)
    assert what in refused(folder).message
    with pytest.raises(JournalCorrupt):
        filled.load(ACCOUNT)


def test_two_facts_that_change_places_are_found(
    filled: SqliteJournal, folder: Path, file: Path
) -> None:
    with hand(file) as connection:
        for change in ("seq = -9 WHERE seq = 1", "seq = 1 WHERE seq = 2", "seq = 2 WHERE seq = -9"):
            connection.execute(f"UPDATE facts SET {change}")
    assert "position 1 does not follow the fact before it" in refused(folder).message


def test_facts_of_another_account_are_no_facts_of_this_one(
    filled: SqliteJournal, folder: Path, file: Path
) -> None:
    with hand(file) as connection:
        for table in ("facts", "heads"):
            connection.execute(f"UPDATE {table} SET account = ?", (OTHER,))
    with reader(folder) as fresh, pytest.raises(JournalCorrupt, match="position 0 does not follow"):
        fresh.load(OTHER)
    with pytest.raises(JournalCorrupt, match="it ended at position 3 and ends at -1 now"):
        filled.load(ACCOUNT)


def test_line_of_an_unknown_fact_is_refused_even_with_right_hashes(
    filled: SqliteJournal, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "agent.stores.sqlite.to_json", lambda _: '{"fact":{"type":"Guessed"},"v":4}'
    )
    filled.append(ACCOUNT, LENGTH, step(LENGTH))
    assert "position 4: $.fact: no fact that this program knows" in refused(folder).message
    monkeypatch.setattr("agent.stores.sqlite.to_json", lambda _: '{"fact":{},"v":1}')
    filled.append(OTHER, 0, step(0))
    with pytest.raises(JournalCorrupt, match=r"position 0: .*version 1, this program reads 4"):
        filled.load(OTHER)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE facts SET line = '{}' WHERE seq = 3", "position 3: its line and its hash"),
        ("UPDATE facts SET hash = prev WHERE seq = 3", "position 3: its line and its hash"),
        ("UPDATE facts SET seq = 'x' WHERE seq = 3", "position 'x' cannot be"),
        (
            "UPDATE facts SET prev = 1 WHERE seq = 3",
            "position 3 does not follow the fact before it",
        ),
        ("DELETE FROM facts WHERE seq = 3", "position 3 to 3 are missing at the end"),
        ("DELETE FROM facts", "position 0 to 3 are missing at the end"),
        ("DELETE FROM heads", "position 0 is there, but not in the second copy"),
        ("UPDATE heads SET hash = 'x'", "position 3 has another hash in the second copy"),
    ],
)
def test_append_refuses_an_edited_end(
    filled: SqliteJournal, folder: Path, file: Path, change: str, what: str
) -> None:
    with hand(file) as connection:
        connection.execute(change)
    with contextlib.closing(SqliteJournal(folder)) as fresh:
        for journal in (filled, fresh):
            with pytest.raises(JournalCorrupt) as caught:
                journal.append(ACCOUNT, LENGTH, step(LENGTH))
            assert what in caught.value.message
            with pytest.raises(JournalCorrupt):
                journal.head(ACCOUNT)


def forge(file: Path, scratch: Path, length: int) -> None:
    """Put a journal with right hashes but other facts in place of the rows."""
    with contextlib.closing(SqliteJournal(scratch)) as forged:
        for seq in range(length):
            forged.append(ACCOUNT, seq, step(seq, "somebody else"))
    with hand(file) as connection:
        connection.execute("ATTACH ? AS forged", (str(scratch / "journal.sqlite3"),))
        for table in ("facts", "heads"):
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM forged.{table}")


@pytest.mark.parametrize(
    ("length", "what"),
    [
        (LENGTH - 1, "it ended at position 3 and ends at 2 now"),
        (LENGTH, "position 3 is not the fact any more that stood there"),
        (LENGTH + 2, "position 3 is not the fact any more that stood there"),
    ],
)
def test_forgery_with_right_hashes_is_found_by_who_knew_the_journal(
    filled: SqliteJournal, folder: Path, file: Path, length: int, what: str
) -> None:
    with contextlib.closing(SqliteJournal(folder)) as knows_from_reading:
        knows_from_reading.load(ACCOUNT)
        forge(file, folder.with_name("scratch"), length)
        for journal in (filled, knows_from_reading):
            for act in (
                lambda journal=journal: journal.append(ACCOUNT, length, step(0)),
                lambda journal=journal: journal.load(ACCOUNT),
                lambda journal=journal: journal.head(ACCOUNT),
            ):
                with pytest.raises(JournalCorrupt) as caught:
                    act()
                assert what in caught.value.message


def test_damaged_bytes_of_the_file_are_refused_or_do_not_matter(
    filled: SqliteJournal, folder: Path, file: Path, tmp_path: Path
) -> None:
    filled.close()
    clean, chance = file.read_bytes(), random.Random(1)
    assert not file.with_name("journal.sqlite3-wal").exists()
    used = [at for at, byte in enumerate(clean) if byte]
    outcomes = set()
    for number in range(400):
        damaged = bytearray(clean)
        at = used[number] if number < 100 else chance.choice(used)
        damaged[at] ^= 1 << chance.randrange(8)
        place = tmp_path / f"copy{number}"
        place.mkdir(mode=0o700)
        (place / file.name).write_bytes(damaged)
        (place / file.name).chmod(0o600)
        try:
            with contextlib.closing(SqliteJournal(place, busy_seconds=0)) as journal:
                assert [step(seq) for seq in range(LENGTH)] == list(journal.load(ACCOUNT))
                outcomes.add("harmless")
        except AgentError as error:
            outcomes.add(error.code)
        shutil.rmtree(place)
    assert {"H101", "harmless"} <= outcomes


def test_full_disk_stops_before_the_fact_and_goes_on_when_there_is_room(
    journal: SqliteJournal, folder: Path
) -> None:
    connection = journal._connection
    assert connection is not None
    acknowledged: list[int] = []

    def fill() -> None:
        while True:
            seq = len(acknowledged)
            journal.append(ACCOUNT, seq, TookOver("w" * (50 + 997 * (seq % 7)), seq))
            acknowledged.append(seq)

    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    for limit in range(pages, pages + 30):
        connection.execute(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(DiskFull) as caught:
            fill()
        assert "X101" == caught.value.code
        assert caught.value.nothing_signed
        assert str(folder) in caught.value.message
        assert acknowledged == [fact.at for fact in journal.load(ACCOUNT)]  # type: ignore[union-attr]
    seq = len(acknowledged)
    assert seq > 15
    connection.execute("PRAGMA max_page_count = 100000")
    journal.append(ACCOUNT, seq, step(seq))
    with reader(folder) as fresh:
        assert seq + 1 == len(fresh.load(ACCOUNT))


def test_write_that_the_system_refuses_is_a_full_disk_and_loses_nothing(folder: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from journal_rigs import ACCOUNT, step\n"
        "from agent.errors import DiskFull\n"
        "from agent.stores.sqlite import SqliteJournal\n"
        "journal = SqliteJournal(Path(sys.argv[1])); seq = 0\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))\n"
        "try:\n"
        "    while True: journal.append(ACCOUNT, seq, step(seq)); seq += 1\n"
        "except DiskFull as error: print(seq, error.code)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
        "journal.append(ACCOUNT, seq, step(seq))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr
    seq, error_code = done.stdout.split()
    assert "X101" == error_code
    assert int(seq) > 5
    with reader(folder) as fresh:
        assert [step(number) for number in range(int(seq) + 1)] == list(fresh.load(ACCOUNT))


def test_file_that_stays_busy_is_locked_and_later_is_not(filled: SqliteJournal, file: Path) -> None:
    with hand(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked) as caught:
            filled.append(ACCOUNT, LENGTH, step(LENGTH))
        assert "is busy" in caught.value.message
        assert LENGTH == len(filled.load(ACCOUNT))
        connection.execute("ROLLBACK")
    filled.append(ACCOUNT, LENGTH, step(LENGTH))


def test_error_after_a_signature_does_not_claim_that_nothing_was_signed(
    filled: SqliteJournal, file: Path
) -> None:
    connection = filled._connection
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DiskFull) as caught:
        filled.append(ACCOUNT, LENGTH, Signed("i", 0, SignedTx("0x" + "00" * 9000, "0x"), 1))
    assert not caught.value.nothing_signed
    with hand(file) as edited:
        edited.execute("DELETE FROM heads")
    with pytest.raises(JournalCorrupt) as corrupt:
        filled.load(ACCOUNT)
    assert not corrupt.value.nothing_signed


def test_interrupted_statement_is_a_broken_machine_and_leaves_no_trace(
    filled: SqliteJournal,
) -> None:
    connection = filled._connection
    assert connection is not None
    connection.set_progress_handler(lambda: 1, 1)
    with pytest.raises(Broken, match="cannot be used") as caught:
        filled.append(ACCOUNT, LENGTH, step(LENGTH))
    assert "X100" == caught.value.code
    connection.set_progress_handler(None, 1)
    assert LENGTH == len(filled.load(ACCOUNT))
    filled.append(ACCOUNT, LENGTH, step(LENGTH))


@pytest.mark.parametrize("change", ["DROP TABLE heads", "ALTER TABLE facts RENAME hash TO digest"])
def test_tables_that_are_gone_are_damage(filled: SqliteJournal, file: Path, change: str) -> None:
    with hand(file) as connection:
        connection.execute(change)
    for act in (
        lambda: filled.load(ACCOUNT),
        lambda: filled.append(ACCOUNT, LENGTH, step(LENGTH)),
    ):
        with pytest.raises(JournalCorrupt, match="is damaged"):
            act()


def test_file_of_a_newer_version_is_left_alone(
    filled: SqliteJournal, folder: Path, file: Path
) -> None:
    filled.close()
    with hand(file) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = file.read_bytes()
    for read_only in (True, False):
        with (
            pytest.raises(JournalCorrupt) as caught,
            contextlib.closing(SqliteJournal(folder, read_only=read_only)) as journal,
        ):
            journal.load(ACCOUNT)
        assert (
            "made by a newer version of this program (tables 2, this one knows 1)"
            in caught.value.message
        )
        assert "update the program" == caught.value.fix
    assert before == file.read_bytes()


def test_database_of_something_else_is_left_alone(folder: Path, file: Path) -> None:
    folder.mkdir(mode=0o700)
    with hand(file) as connection:
        connection.execute("CREATE TABLE cookies (name)")
    file.chmod(0o600)
    before = file.read_bytes()
    with pytest.raises(JournalCorrupt, match="is no journal"):
        SqliteJournal(folder)
    assert before == file.read_bytes()


def test_file_that_is_no_database_is_left_alone(folder: Path, file: Path) -> None:
    folder.mkdir(mode=0o700)
    file.write_bytes(b"no database" * 100)
    file.chmod(0o600)
    with pytest.raises(JournalCorrupt, match="is damaged"):
        SqliteJournal(folder)
    assert b"no database" * 100 == file.read_bytes()


def test_reader_of_nothing_sees_nothing_and_makes_nothing(tmp_path: Path, folder: Path) -> None:
    with reader(folder) as journal:
        assert () == journal.load(ACCOUNT)
        assert () == journal.accounts()
        assert 64 == len(journal.head(ACCOUNT))
        with pytest.raises(DiskFull, match="opened for reading only"):
            journal.append(ACCOUNT, 0, step(0))
        assert [] == list(tmp_path.iterdir())


def test_reader_follows_a_writer_of_another_connection(folder: Path) -> None:
    with reader(folder) as journal:
        assert () == journal.load(ACCOUNT)
        with contextlib.closing(SqliteJournal(folder)) as writer:
            for seq in range(3):
                writer.append(ACCOUNT, seq, step(seq))
                assert step(seq) == journal.load(ACCOUNT)[-1]
            assert writer.head(ACCOUNT) == journal.head(ACCOUNT)
            assert (ACCOUNT,) == journal.accounts()
            with pytest.raises(DiskFull, match="opened for reading only"):
                journal.append(ACCOUNT, 3, step(3))


def test_reader_sees_a_file_without_tables_as_empty_until_they_are_there(
    folder: Path, file: Path
) -> None:
    folder.mkdir(mode=0o700)
    file.touch(mode=0o600)
    with reader(folder) as journal:
        assert () == journal.load(ACCOUNT)
        with contextlib.closing(SqliteJournal(folder)) as writer:
            writer.append(ACCOUNT, 0, step(0))
        assert (step(0),) == journal.load(ACCOUNT)


def test_many_that_open_a_new_journal_at_once_all_get_it(folder: Path) -> None:
    for number in range(10):
        place, barrier = folder.with_name(f"state{number}"), threading.Barrier(6, timeout=60)
        results: list[object] = []

        def go(
            worker: int,
            place: Path = place,
            barrier: threading.Barrier = barrier,
            results: list[object] = results,
        ) -> None:
            barrier.wait()
            try:
                with (
                    contextlib.closing(SqliteJournal(place)) as journal,
                    contextlib.suppress(Fenced),
                ):
                    journal.append(ACCOUNT, 0, step(0, str(worker)))
                results.append("open")
            except BaseException as error:  # noqa: BLE001  shown by the assertion
                results.append(error)

        threads = [threading.Thread(target=go, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ["open"] * 6 == results
        with reader(place) as journal:
            assert 1 == len(journal.load(ACCOUNT))


@pytest.mark.parametrize("deed", ["deleted", "replaced"])
def test_file_that_is_taken_away_while_in_use_is_refused(
    filled: SqliteJournal, folder: Path, file: Path, deed: str
) -> None:
    copy = file.read_bytes()
    file.unlink()
    if deed == "replaced":
        other = folder / "restored"
        other.write_bytes(copy)
        other.chmod(0o600)
        other.rename(file)
    for act in (
        lambda: filled.append(ACCOUNT, LENGTH, step(LENGTH)),
        lambda: filled.load(ACCOUNT),
    ):
        with pytest.raises(JournalCorrupt, match="moved, deleted or replaced while it was in use"):
            act()


def test_journal_is_not_used_across_a_fork(filled: SqliteJournal) -> None:
    filled._process -= 1
    with pytest.raises(ValueError, match="opened by the process that uses it"):
        filled.load(ACCOUNT)
    filled._process += 1
    assert LENGTH == len(filled.load(ACCOUNT))


def test_closed_journal_is_not_used(filled: SqliteJournal) -> None:
    filled.close()
    with pytest.raises(ValueError, match="closed"):
        filled.append(ACCOUNT, LENGTH, step(LENGTH))


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
