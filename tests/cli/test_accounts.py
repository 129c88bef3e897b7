"""`accounts`: key files come and go by name; passwords and keys never stand on the command line."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.commands import Command
from signer_rigs import ADDRESS, KEY

from agent.wire.address import checksum


@contextmanager
def pipe(text: str) -> Iterator[str]:
    """An open descriptor from which *text* can be read."""
    out, into = os.pipe()
    os.write(into, text.encode())
    os.close(into)
    try:
        yield str(out)
    finally:
        os.close(out)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key files that open at once: guessing is not what is tested here."""
    from agent.signers import keystore

    for name in ("new", "import_key"):
        honest = getattr(keystore, name)
        monkeypatch.setitem(honest.__kwdefaults__, "scrypt_n", 2)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at the terminal who answers hidden questions from a list."""
    answers: list[str] = []

    def ask(_prompt: str, stream: object = None) -> str:
        assert stream is sys.stderr
        return answers.pop(0)

    monkeypatch.setattr(getpass, "getpass", ask)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    return answers


@pytest.mark.usefixtures("cheap")
def test_a_new_key_is_made_by_descriptor_and_listed(bare: Command, tmp_path: Path) -> None:
    with pipe("long password\n") as fd:
        made = bare("accounts", "new", "main", "--password-fd", fd, "--json").document
    path = tmp_path / "bare/keystore/main.json"
    assert ("account", "main", "own", False, None) == tuple(
        made[key] for key in ("kind", "name", "place", "local_only", "problem")
    )
    assert (str(path), 0o600) == (made["path"], path.stat().st_mode & 0o777)
    listed = bare("accounts", "list", "--json").document["accounts"]
    assert [{k: v for k, v in made.items() if k not in ("schema", "kind")}] == listed
    assert f"main  {made['address']}  own\n" == bare("accounts", "list").stdout


@pytest.mark.usefixtures("cheap")
def test_a_local_only_key_says_so(bare: Command) -> None:
    with pipe("pw") as fd:
        told = bare("accounts", "new", "lab", "--local-only", "--password-fd", fd)
    assert told.stdout.endswith("own  LOCAL chains only\n")
    assert 'use it with: signer = "keystore:lab" in portfolio.toml' in told.stderr


@pytest.mark.usefixtures("cheap")
def test_a_person_types_a_new_password_twice(bare: Command, terminal: list[str]) -> None:
    terminal += ["one", "two"]
    differ = bare("accounts", "new", "main")
    assert (4, "") == (differ.code, differ.stdout)
    assert "error[K100] the two passwords differ\n" in differ.stderr
    terminal += ["one", "one"]
    assert 0 == bare("accounts", "new", "main").code


@pytest.mark.usefixtures("cheap")
def test_a_key_is_imported_by_descriptors(bare: Command) -> None:
    with pipe(KEY + "\n") as key, pipe("pw\n") as password:
        told = bare(
            "accounts", "import", "mine", "--key-fd", key, "--password-fd", password, "--json"
        )
    assert (0, checksum(ADDRESS)) == (told.code, told.document["address"])
    assert KEY not in told.stdout + told.stderr


@pytest.mark.usefixtures("cheap")
def test_a_key_is_imported_by_prompts(bare: Command, terminal: list[str]) -> None:
    terminal += [KEY, "pw", "pw"]
    told = bare("accounts", "import", "mine")
    assert f"mine  {checksum(ADDRESS)}  own\n" == told.stdout


@pytest.mark.usefixtures("cheap")
def test_what_is_no_key_is_not_imported(bare: Command) -> None:
    with pipe("canary-no-key") as key, pipe("pw") as password:
        told = bare("accounts", "import", "x", "--key-fd", key, "--password-fd", password)
    assert 4 == told.code
    assert "error[K101] that is no private key\n" in told.stderr
    assert "canary" not in told.stderr


@pytest.mark.usefixtures("cheap")
def test_show_tells_whose_key_a_file_holds(bare: Command) -> None:
    with pipe(KEY) as key, pipe("pw") as password:
        bare("accounts", "import", "mine", "--key-fd", key, "--password-fd", password)
    assert f"mine  {checksum(ADDRESS)}  own\n" == bare("accounts", "show", "mine").stdout
    with pipe("pw") as password:
        opened = bare("accounts", "show", "mine", "--unlock", "--password-fd", password)
    assert (0, f"mine  {checksum(ADDRESS)}  own\n") == (opened.code, opened.stdout)
    with pipe("wrong") as password:
        shut = bare("accounts", "show", "mine", "--unlock", "--password-fd", password)
    assert 4 == shut.code
    assert "error[K102] the password does not open" in shut.stderr


def test_nobody_to_ask_is_an_error_of_its_own(bare: Command) -> None:
    for words in (("new", "x"), ("import", "x")):
        told = bare("accounts", *words, "--no-input", "--json")
        assert (4, "K101") == (told.code, told.document["code"])


def test_a_key_on_the_command_line_is_not_understood_and_not_repeated(bare: Command) -> None:
    told = bare("accounts", "import", "x", KEY)
    assert (2, True) == (told.code, "unexpected extra argument" in told.stderr)
    assert KEY not in told.stdout + told.stderr


def test_list_says_when_there_are_none_and_why_one_cannot_be_used(
    bare: Command, tmp_path: Path
) -> None:
    assert (
        "no key files; make one: rebalancer accounts new NAME\n" == bare("accounts", "list").stdout
    )
    folder = tmp_path / "bare/keystore"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "open.json").write_text("{}")
    (folder / "open.json").chmod(0o644)
    told = bare("accounts", "list").stdout
    assert "open  address unknown until opened  own  " in told
    assert "is open to others (mode 0644)" in told
