"""The journal on disk where the system refuses: a full disk, a busy file, another version, a fork."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from journal_rigs import ACCOUNT, step
from stores.sqlite_rig import LENGTH, hand, reader

from agent.core.fact import Signed, TookOver
from agent.core.intent import SignedTx
from agent.errors import Broken, DiskFull, Fenced, JournalCorrupt, Locked
from agent.stores.sqlite import SqliteJournal

ROOT = Path(__file__).parents[2]


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
