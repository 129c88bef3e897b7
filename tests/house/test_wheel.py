"""The wheel carries everything that the program reads, and finds it where it is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from house.tree import ROOT

_PRINT_PATHS = """
import sys
sys.path.insert(0, sys.argv[1])
from agent import resources
for name in sys.argv[2:]:
    print(resources.path(name), len(resources.text(name).encode()), sep="|")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    hatchling = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    command = [*hatchling, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("rebalancer-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel alone is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "--no-compile", "--target", folder, wheel], check=True, capture_output=True
    )
    return folder


def _resource_names() -> list[str]:
    """Everything that is not code: facts, interfaces, and what the local chains are made of."""
    abis = [file for file in (ROOT / "abis").rglob("*") if file.is_file()]
    inside = [
        f for f in (ROOT / "agent").rglob("*") if f.suffix in {".toml", ".vy", ".json", ".sql"}
    ]
    names = [f.relative_to(ROOT).as_posix() for f in abis]
    names += [f.relative_to(ROOT / "agent").as_posix() for f in inside]
    return sorted(["chains.toml", *names])


def _in_fresh_python(installed: Path, *names: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Print where the installed package finds things; what it runs is not the checkout's coverage."""
    script = [sys.executable, "-I", "-c", _PRINT_PATHS, str(installed), *names]
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(script, cwd=cwd, env=quiet, check=False, capture_output=True, text=True)


def test_wheel_contains_every_resource(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert [] == [name for name in _resource_names() if f"agent/{name}" not in inside]


def test_wheel_contains_nothing_but_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0].split("-")[0] for name in archive.namelist()}
        suffixes = {Path(name).suffix for name in archive.namelist() if name.startswith("agent/")}
    assert {"agent", "rebalancer"} == tops
    assert set() == suffixes & {".pyc", ".env", ".sqlite"}


def test_wheel_declares_the_command_and_the_license(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (n for n in archive.namelist() if n.endswith("/entry_points.txt"))
        assert "rebalancer = agent.cli.main:main" in archive.read(entry).decode()
        assert [] != [n for n in archive.namelist() if n.endswith("/licenses/LICENSE")]


def test_installed_wheel_finds_its_own_resources(installed: Path, tmp_path: Path) -> None:
    names = _resource_names()
    done = _in_fresh_python(installed, *names, cwd=tmp_path)
    sizes = {
        n: (ROOT / n if (ROOT / n).exists() else ROOT / "agent" / n).stat().st_size for n in names
    }
    expected = [f"{installed / 'agent' / name}|{sizes[name]}" for name in names]
    assert expected == done.stdout.splitlines()


def test_installed_wheel_ignores_files_beside_the_package(installed: Path, tmp_path: Path) -> None:
    stranger = installed / "stranger.toml"
    stranger.write_text("x = 1")
    done = _in_fresh_python(installed, "stranger.toml", cwd=tmp_path)
    assert "agent.errors.Broken: the installation lacks stranger.toml" in done.stderr
