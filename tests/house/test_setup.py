"""Set-up does what is missing and nothing else, and says in a sentence why it cannot go on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

from scripts import setup


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that set-up decides by."""
    for name in ("dev", "lab", "node"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / f"requirements/{name}.txt").write_text(f"# {name}\n")
    (tmp_path / "agent/lab").mkdir(parents=True)
    (tmp_path / "agent/lab/packages.toml").write_text("")
    (tmp_path / "world").write_text("")
    (tmp_path / "agent/__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


@pytest.fixture
def commands(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What set-up would have run, instead of running it."""
    ran: list[str] = []

    def run(self: setup.Checkout, arguments: list[str], *, failure: str) -> str:
        if "venv" in arguments:
            self.venv.mkdir(exist_ok=True)
            (self.venv / "pyvenv.cfg").touch()
        ran.append(" ".join(arguments[1:]))
        return f"said before\n{checkout / 'world'}\n"

    monkeypatch.setattr(setup, "ROOT", checkout)
    monkeypatch.setattr(setup.Checkout, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return ran


def _call(
    checkout: Path, level: str, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Run set-up as scripts/setup.sh does: by the environment's own Python once there is one."""
    commands.clear()
    venv = checkout / ".venv"
    monkeypatch.setattr(sys, "prefix", str(venv) if venv.exists() else "/usr")
    assert 0 == setup.main([level, str(venv)])
    return [_short(command) for command in commands]


def _short(command: str) -> str:
    names = ("-m venv", "dev.txt", "lab.txt", "node.txt", "--editable", "--tests", "prepare_lab")
    return next(name for name in names if name in command)


def test_setup_does_every_step_once(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = ["-m venv", "lab.txt", "--editable", "prepare_lab"]
    assert everything == _call(checkout, "lab", commands, monkeypatch)
    assert [] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_for_tests_adds_their_packages_and_covers_the_demo(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    assert ["dev.txt", "--tests"] == _call(checkout, "dev", commands, monkeypatch)
    assert [] == _call(checkout, "dev", commands, monkeypatch)
    assert [] == _call(checkout, "lab", commands, monkeypatch)


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ("requirements/lab.txt", "lab.txt"),
        ("pyproject.toml", "--editable"),
        ("agent/lab/packages.toml", "prepare_lab"),
    ],
)
def test_setup_repeats_only_the_step_whose_file_changed(
    changed: str, step: str, checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    (checkout / changed).write_text("# changed\n")
    assert [step] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_starts_over_in_a_checkout_that_was_moved(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    stamp = checkout / ".venv" / setup.STAMP
    stamp.write_text(stamp.read_text().replace(str(checkout), "/elsewhere"))
    everything = ["-m venv", "lab.txt", "--editable", "prepare_lab"]
    assert everything == _call(checkout, "lab", commands, monkeypatch)


def test_setup_prepares_the_lab_again_for_another_user(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    monkeypatch.setenv("HOME", "/home/other")
    assert ["prepare_lab"] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_prepares_the_lab_again_when_its_cache_was_emptied(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    (checkout / "world").unlink()
    assert ["prepare_lab"] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_survives_an_unreadable_stamp(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(checkout, "lab", commands, monkeypatch)
    (checkout / ".venv" / setup.STAMP).write_text("{")
    assert ["lab.txt", "--editable", "prepare_lab"] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_brings_npm_where_there_is_none(
    checkout: Path, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    everything = ["-m venv", "lab.txt", "--editable", "node.txt", "prepare_lab"]
    assert everything == _call(checkout, "lab", commands, monkeypatch)
    assert [] == _call(checkout, "lab", commands, monkeypatch)


def test_setup_leaves_a_folder_alone_that_is_no_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    assert 1 == setup.main(["lab", str(tmp_path)])
    expected = (
        f"set-up stopped: {tmp_path} holds something else than a virtual environment; "
        "move it, or say VENV=…\n"
    )
    assert expected == capsys.readouterr().err
    assert "precious" == (tmp_path / "thesis.txt").read_text()


def test_setup_shows_the_last_words_of_what_failed(tmp_path: Path) -> None:
    script = "print('\\n'.join(f'line {i}' for i in range(100))); raise SystemExit(3)"
    checkout = setup.Checkout(ROOT, tmp_path)
    with pytest.raises(setup.SetupError) as failed:
        checkout.run([sys.executable, "-c", script], failure="it did not work")
    lines = str(failed.value).splitlines()
    assert ["it did not work", "    line 88", "    line 99"] == [lines[0], lines[1], lines[-1]]


def test_setup_keeps_settings_that_would_misplace_packages_away_from_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*setup.MISPLACING, *setup.FOREIGN, "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "here")
    script = (
        "import os; print([n for n in os.environ.items() if n[1] == 'here']); raise SystemExit(1)"
    )
    with pytest.raises(setup.SetupError) as failed:
        setup.Checkout(ROOT, tmp_path).run([sys.executable, "-c", script], failure="names")
    assert "names\n    [('PIP_INDEX_URL', 'here')]" == str(failed.value)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 3", "no Python 3.11, 3.12 or 3.13 that runs was found; install one, or name it"),
        (
            'case "$*" in *version_info*) exit 0;; esac; exit 1',
            "python3 has no venv or ensurepip module; install it",
        ),
    ],
)
def test_setup_says_what_python_it_lacks(python: str, said: str, tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text(f"#!/bin/sh\n{python}\n")
    shim.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts/setup.sh", "lab", tmp_path / "venv"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == done.returncode
    assert done.stderr.startswith(f"set-up stopped: {said}")


def test_setup_takes_the_first_python_that_runs(tmp_path: Path) -> None:
    (tmp_path / "python3.13").write_text(
        "#!/bin/sh\necho 'python3.13: command not found' >&2; exit 127\n"
    )
    (tmp_path / "python3.13").chmod(0o755)
    (tmp_path / "python3").symlink_to(os.path.realpath(sys.executable))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").touch()
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts/setup.sh", "lab", tmp_path / "folder"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "holds something else than a virtual environment" in done.stderr
