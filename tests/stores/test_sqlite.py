"""The journal on disk: every edit and every damaged byte is found."""

# ruff: noqa: S608  the statements are made of names that stand in this file
from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import pytest
from journal_rigs import ACCOUNT, OTHER, step
from stores.sqlite_rig import LENGTH, hand, reader

from agent.errors import AgentError, JournalCorrupt
from agent.stores.sqlite import Options, SqliteJournal, make


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
