"""Key files and folders: found where they are, made for their owner, refused when others can touch them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from signer_rigs import ADDRESS, KEY, PASSWORD, STRANGER, folders

from agent.errors import KeyFileUnsafe, KeyMissing, KeyProblem
from agent.signers._files import make_private, read_private, replace_private
from agent.signers._folders import learn
from agent.signers._v3 import make_sealed
from agent.signers.keystore import (
    KeyFile,
    find,
    generated,
    import_key,
    list_keys,
    new,
    show_address,
)

ROOT = Path(__file__).parents[2]


def sealed(*, with_address: bool = True) -> bytes:
    """A key file as geth writes it, or as Foundry does: without the address."""
    made = make_sealed(KEY, PASSWORD, 2)
    assert made is not None
    document = json.loads(made[1])
    if not with_address:
        del document["address"]
    return json.dumps(document).encode()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.fixture
def foundry(tmp_path: Path) -> Path:
    return put(tmp_path / "home/.foundry/keystores/hot", sealed(with_address=False))


@pytest.fixture
def geth(tmp_path: Path) -> Path:
    name = f"UTC--2026-11-01T10-00-00.000000000Z--{ADDRESS[2:]}"
    return put(tmp_path / "home/.ethereum/keystore" / name, sealed())


def test_no_folders_hold_no_keys(tmp_path: Path) -> None:
    assert () == list_keys(folders(tmp_path))
    assert frozenset() == generated(folders(tmp_path))
    assert [] == list(tmp_path.iterdir())


def test_keys_of_all_three_folders_are_listed(tmp_path: Path, foundry: Path, geth: Path) -> None:
    own = import_key("main", KEY, PASSWORD, folders=folders(tmp_path), scrypt_n=2)
    put(foundry.with_name(".hidden"), b"")
    put(geth.with_name("nodekey"), b"")
    assert (
        own,
        KeyFile(name="hot", place="foundry", path=foundry),
        KeyFile(name=geth.name, place="geth", path=geth, address=ADDRESS),
    ) == list_keys(folders(tmp_path))
    assert KeyFile(
        name="main", place="own", path=tmp_path / "keystore/main.json", address=ADDRESS
    ) == own  # fmt: skip


def test_list_names_what_is_wrong_with_a_file_and_goes_on(tmp_path: Path, foundry: Path) -> None:
    put(foundry.with_name("broken"), b"{}")
    put(foundry.with_name("open"), sealed()).chmod(0o644)
    (foundry.with_name("folder")).mkdir()
    problems = {key.name: key.problem for key in list_keys(folders(tmp_path))}
    assert {
        "broken": f"{foundry.with_name('broken')} cannot be used as a key file: "
        "it is no keystore of version 3",
        "folder": f"{foundry.with_name('folder')} is no file",
        "hot": "",
        "open": f"{foundry.with_name('open')} is open to others (mode 0644)",
    } == problems


def test_keys_are_listed_without_the_key_library(tmp_path: Path, foundry: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agent.signers.keystore import *\n"
        "place = Path(sys.argv[1])\n"
        "found = list_keys(Folders(own=place / 'keystore', home=place / 'home'))\n"
        "print([key.name for key in found], 'eth_account' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "['hot'] False\n" == done.stdout


def test_address_of_a_file_that_does_not_say_it_is_learned_when_it_is_opened(
    tmp_path: Path, foundry: Path
) -> None:
    where = folders(tmp_path)
    assert [None] == [key.address for key in list_keys(where)]
    assert ADDRESS == show_address("hot", lambda: PASSWORD, folders=where)
    assert [ADDRESS] == [key.address for key in list_keys(where)]
    assert "hot" == find(ADDRESS, where).name
    learned = where.own / "addresses.learned"
    assert 0o600 == stat.S_IMODE(learned.stat().st_mode)
    assert 0o700 == stat.S_IMODE(where.own.stat().st_mode)
    put(foundry, sealed(with_address=False))
    assert [None] == [key.address for key in list_keys(where)]


@pytest.mark.parametrize("noted", [b"{", b"[]", b'{"x": 5}', b"\xff"])
def test_damaged_note_of_addresses_is_as_good_as_none(
    tmp_path: Path, foundry: Path, noted: bytes
) -> None:
    where = folders(tmp_path)
    where.own.mkdir(mode=0o700)
    put(where.own / "addresses.learned", noted)
    assert [None] == [key.address for key in list_keys(where)]
    assert ADDRESS == show_address("hot", lambda: PASSWORD, folders=where)
    assert [ADDRESS] == [key.address for key in list_keys(where)]


def test_note_that_cannot_be_written_stops_nothing(tmp_path: Path, foundry: Path) -> None:
    put(tmp_path / "keystore", b"a file where the folder should be")
    learn(folders(tmp_path), b"x", ADDRESS)
    assert ADDRESS == show_address("hot", lambda: PASSWORD, folders=folders(tmp_path))


def test_note_is_left_alone_when_the_file_says_its_address(tmp_path: Path, geth: Path) -> None:
    assert ADDRESS == show_address(ADDRESS, lambda: PASSWORD, folders=folders(tmp_path))
    assert not (tmp_path / "keystore").exists()


def test_key_is_found_by_name_file_address_and_path(
    tmp_path: Path, geth: Path, foundry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = folders(tmp_path)
    own = import_key("main", "77" * 32, PASSWORD, folders=where, scrypt_n=2)
    assert own.address is not None
    monkeypatch.chdir(tmp_path)
    found = {
        "main": own.path,
        "main.json": own.path,
        own.address: own.path,
        "0x" + own.address[2:].upper(): own.path,
        "hot": foundry,
        geth.name: geth,
        ADDRESS: geth,
        str(foundry): foundry,
        "~/.foundry/keystores/hot": foundry,
        "./keystore/main.json": Path("keystore/main.json"),
    }
    assert found == {name: find(name, where).path for name in found}


def test_key_that_is_not_there_is_missing_and_the_others_are_named(
    tmp_path: Path, foundry: Path
) -> None:
    for name in ("main", STRANGER, "", "..", "~"):
        with pytest.raises(KeyMissing, match="no key file is called") as caught:
            find(name, folders(tmp_path))
        assert "(hot)" in caught.value.fix
    with pytest.raises(KeyMissing, match="is not there"):
        find("./main", folders(tmp_path))


def test_name_of_two_keys_is_refused_and_both_are_named(tmp_path: Path, foundry: Path) -> None:
    own = import_key("hot", KEY, PASSWORD, folders=folders(tmp_path), scrypt_n=2)
    with pytest.raises(KeyProblem) as caught:
        find("hot", folders(tmp_path))
    assert f"2 key files are called hot: {own.path}, {foundry}" == caught.value.message


def test_found_file_that_must_not_be_used_is_refused(tmp_path: Path, foundry: Path) -> None:
    foundry.chmod(0o644)
    for name in ("hot", str(foundry)):
        with pytest.raises(KeyFileUnsafe) as caught:
            find(name, folders(tmp_path))
        assert f"chmod 600 {foundry}" == caught.value.fix
    put(foundry, b"{}")
    with pytest.raises(KeyFileUnsafe, match="no keystore of version 3"):
        find("hot", folders(tmp_path))


def test_new_key_is_strong_private_and_of_its_own(tmp_path: Path) -> None:
    where = folders(tmp_path)
    before = os.umask(0)
    try:
        first = new("first", PASSWORD, folders=where, scrypt_n=4)
        second = new("second", PASSWORD, folders=where, scrypt_n=4)
    finally:
        os.umask(before)
    assert first.address != second.address
    assert (first, second) == list_keys(where)
    assert first.address == show_address("first", lambda: PASSWORD, folders=where)
    assert 0o600 == stat.S_IMODE(first.path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(where.own.stat().st_mode)
    assert 4 == json.loads(first.path.read_bytes())["crypto"]["kdfparams"]["n"]


def test_new_key_is_made_as_strong_as_geth_makes_it_unless_told(tmp_path: Path) -> None:
    made = new("main", PASSWORD, folders=folders(tmp_path))
    kdf = json.loads(made.path.read_bytes())["crypto"]["kdfparams"]
    assert (262_144, 8, 1, 32) == (kdf["n"], kdf["r"], kdf["p"], kdf["dklen"])


def test_key_for_local_chains_is_marked_before_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = folders(tmp_path)
    made = new("lab", PASSWORD, folders=where, local_only=True, scrypt_n=2)
    new("real", PASSWORD, folders=where, scrypt_n=2)
    assert made.address is not None
    assert [("lab", True), ("real", False)] == [
        (key.name, key.local_only) for key in list_keys(where)
    ]
    assert frozenset({made.address}) == generated(where)

    written: list[str] = []

    def stopping(path: Path, content: bytes) -> None:
        written.append(path.name)
        if path.suffix == ".json":
            raise KeyboardInterrupt
        make_private(path, content)

    monkeypatch.setattr("agent.signers._folders.make_private", stopping)
    with pytest.raises(KeyboardInterrupt):
        new("cut", PASSWORD, folders=where, local_only=True, scrypt_n=2)
    assert ["cut.local", "cut.json"] == written
    assert 2 == len(generated(where))


@pytest.mark.parametrize("mark", [b"", b"{}", b"[]", b'{"address": "main"}', b"\xff"])
def test_mark_that_says_nothing_is_refused(tmp_path: Path, mark: bytes) -> None:
    where = folders(tmp_path)
    where.own.mkdir(mode=0o700)
    put(where.own / "lab.local", mark)
    with pytest.raises(KeyFileUnsafe, match="does not say which key"):
        generated(where)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".main", "a/b", "../main", "main\n", "män", "a" * 65, "-main", "a b"]
)
def test_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyProblem, match="is no name for a key"):
        new(name, PASSWORD, folders=folders(tmp_path), scrypt_n=2)
    assert [] == list(tmp_path.iterdir())


def test_existing_key_is_never_written_over(tmp_path: Path) -> None:
    where = folders(tmp_path)
    made = new("main", PASSWORD, folders=where, scrypt_n=2)
    before = made.path.read_bytes()
    for again in (
        lambda: new("main", PASSWORD, folders=where, scrypt_n=2),
        lambda: import_key("main", KEY, PASSWORD, folders=where, scrypt_n=2),
    ):
        with pytest.raises(KeyProblem, match="a key called main is there already"):
            again()
    with pytest.raises(KeyProblem, match="is there already"):
        make_private(made.path, b"")
    assert before == made.path.read_bytes()


def test_empty_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="an empty password protects nothing"):
        new("main", "", folders=folders(tmp_path), scrypt_n=2)


def test_text_that_is_no_key_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="that is no private key") as caught:
        import_key("main", KEY[:-1], PASSWORD, folders=folders(tmp_path), scrypt_n=2)
    assert "K101" == caught.value.code
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "key", b"x")
    path.chmod(mode)
    with pytest.raises(KeyFileUnsafe) as caught:
        read_private(path)
    assert f"{path} is open to others (mode {mode:04o})" == caught.value.message
    assert f"chmod 600 {path}" == caught.value.fix
    assert "K103" == caught.value.code


def test_private_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    assert b"x" * 65_536 == read_private(put(tmp_path / "key", b"x" * 65_536))
    with pytest.raises(KeyFileUnsafe, match="too large for a key file"):
        read_private(put(tmp_path / "key", b"x" * 65_537))


def test_link_pipe_and_folder_are_no_key_files(tmp_path: Path) -> None:
    put(tmp_path / "real", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name, what in {"link": "is a link", "pipe": "is no file", "folder": "is no file"}.items():
        with pytest.raises(KeyFileUnsafe, match=what):
            read_private(tmp_path / name)
    with pytest.raises(KeyFileUnsafe, match="cannot be read: Not a directory"):
        read_private(tmp_path / "real/key")


def test_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, owner = put(tmp_path / "key", b"x"), os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(KeyFileUnsafe) as caught:
        read_private(path)
    assert f"{path} belongs to user {owner}, this is user {owner + 1}" == caught.value.message


def test_key_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    where = folders(tmp_path)
    where.own.mkdir()
    where.own.chmod(0o755)
    with pytest.raises(KeyFileUnsafe) as caught:
        new("main", PASSWORD, folders=where, scrypt_n=2)
    assert f"chmod 700 {where.own}" == caught.value.fix


def test_key_folder_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    put(tmp_path / "file", b"")
    with pytest.raises(KeyFileUnsafe, match="is a link"):
        make_private(tmp_path / "link/key", b"")
    with pytest.raises(KeyProblem, match="cannot be made: File exists"):
        make_private(tmp_path / "file/key", b"")


def test_link_in_place_of_a_new_file_is_not_followed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyProblem, match="is there already"):
        make_private(tmp_path / "key", b"secret")
    assert not (tmp_path / "elsewhere").exists()


def test_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(KeyProblem, match="cannot be made: File name too long"):
        make_private(tmp_path / ("k" * 300), b"")


def test_replacement_is_whole_or_not_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = put(tmp_path / "note", b"old")
    replace_private(path, b"new")
    assert b"new" == read_private(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(KeyProblem, match="Is a directory"):
        replace_private(path, b"newer")
    assert [path] == list(tmp_path.iterdir())
