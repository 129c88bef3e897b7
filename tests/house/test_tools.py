"""The tools of `make check` are set up to refuse what style forbids."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

_RUFF = [sys.executable, "-m", "ruff"]
_MYPY = [sys.executable, "-m", "mypy"]

_PLANTED = '''"""Planted."""
import os
import web3

def swallow(strict: bool) -> None:
    print(strict)
    try:
        assert strict
    except Exception:
        pass

def Untold(cls=[]):
    return datetime.utcnow()
'''


def _refused(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert 1 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout of our configuration and one planted module."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/planted.py").write_text(_PLANTED)
    return tmp_path


@pytest.mark.parametrize(
    "rule", ["F401", "F821", "T201", "S101", "BLE001", "S110", "N802", "B006", "FBT001", "D103"]
)
def test_ruff_refuses_the_planted_module(rule: str, folder: Path) -> None:
    command = [*_RUFF, "check", "--no-cache", "--output-format=concise", "agent"]
    assert f" {rule} " in _refused(command, folder)


def test_ruff_refuses_another_format(folder: Path) -> None:
    assert "agent/planted.py" in _refused(
        [*_RUFF, "format", "--no-cache", "--check", "agent"], folder
    )


def test_mypy_is_strict(folder: Path) -> None:
    (folder / "agent/planted.py").write_text('"""Planted."""\n\n\ndef f(x):\n    return x\n')
    report = _refused([*_MYPY, "agent/planted.py"], folder)
    assert "Function is missing a type annotation" in report
