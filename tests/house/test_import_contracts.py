"""The import contracts of pyproject.toml hold, and each one, broken on purpose, names the culprit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house.tree import ROOT

_LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# Where it is planted, the import, and what must be in the report.
_PLANTS = [
    (
        "core/planted.py",
        "from agent.wire import planted",
        "agent.core.planted -> agent.wire.planted",
    ),
    ("engine/planted.py", "import agent.stores", "agent.engine.planted -> agent.stores"),
    ("venues/planted.py", "import agent.oracles", "agent.venues.planted -> agent.oracles"),
    ("bridges/planted.py", "import agent.venues", "agent.bridges.planted -> agent.venues"),
    ("wire/planted.py", "def f():\n    import agent.chain", "agent.wire.planted -> agent.chain"),
    ("settings/__init__.py", "import agent.compose", "agent.settings -> agent.compose"),
    ("keeper/planted.py", "import agent.weights", "agent.keeper.planted -> agent.weights"),
    ("compose/planted.py", "import agent.weights", "agent.compose.planted -> agent.weights"),
    ("stores/planted.py", "import web3", "agent.stores.planted -> web3"),
    ("lab/planted.py", "def f():\n    import eth_account", "agent.lab.planted -> eth_account"),
    ("lab/cycle_a.py", "def f():\n    from agent.lab import cycle_b", "- .cycle_"),
    ("lab/cycle_b.py", "def f():\n    from agent.lab import cycle_a", "agent.lab"),
    ("annex/__init__.py", "", "agent.annex"),
]
_ROOMS = (
    "bridges",
    "chain",
    "compose",
    "engine",
    "lab",
    "oracles",
    "settings",
    "signers",
    "stores",
    "venues",
    "wire",
)
_NAMES = ("One-way house", "Only chain knows web3", "Only signers see keys", "No import cycles")


def _report(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [_LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_house_keeps_its_import_contracts() -> None:
    code, report = _report(ROOT)
    assert (0, []) == (code, [name for name in _NAMES if f"{name} KEPT" not in report]), report


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is reported about a copy of the package in which every contract is broken."""
    copy = tmp_path_factory.mktemp("contracts")
    shutil.copy(ROOT / "pyproject.toml", copy)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "agent", copy / "agent", ignore=ignored)
    for room in _ROOMS:
        folder = copy / "agent" / room
        if not folder.with_suffix(".py").exists():
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
    for name, text, _ in _PLANTS:
        file = copy / "agent" / name
        module = file.parent.with_suffix(".py")
        target = module if file.name == "__init__.py" and module.exists() else file
        target.parent.mkdir(exist_ok=True)
        with target.open("a") as planted:
            planted.write(f"\n{text}\n")
    code, report = _report(copy)
    assert code == 1, report
    return report


@pytest.mark.parametrize("culprit", [culprit for _, _, culprit in _PLANTS])
def test_broken_contract_names_the_culprit(broken: str, culprit: str) -> None:
    assert culprit in broken


@pytest.mark.parametrize("name", _NAMES)
def test_every_contract_can_break(broken: str, name: str) -> None:
    assert f"{name} BROKEN" in broken
