"""A new adapter begins as one file and a list of what it lacks; those that are there lack nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from agent.compose.providers import provider_names
from agent.core.money import ChainId
from agent.ports import AdapterIo
from agent.provider import About, ProviderOptions
from agent.sim.clock import PaperClock
from scripts.new_adapter import METHODS, ROOT, missing, written

THERE = [(room, name) for room in METHODS for name in provider_names(room)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("room", "name"), THERE)
def test_adapters_that_are_there_lack_nothing(room: str, name: str) -> None:
    assert [] == missing(name, room)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the list looks at, and nothing of any provider's."""
    for room in METHODS:
        (tmp_path / "agent" / room).mkdir(parents=True)
    (tmp_path / "agent" / "lab" / "providers").mkdir(parents=True)
    (tmp_path / "tests" / "conformance").mkdir(parents=True)
    shutil.copy(ROOT / "chains.toml", tmp_path)
    return tmp_path


def begun(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "new_adapter.py"), *arguments, "--root", str(tree)],
        capture_output=True,
        text=True,
        check=False,
    )


VENUE_LACKS = """\
agent/venues/newdex.py is written; nothing else has to be touched to load it
it lacks:
  agent/venues/newdex.py: LAYOUTS is empty, so the guard understands none of its calls
  agent/venues/newdex.py: targets is not written
  agent/venues/newdex.py: survey is not written
  agent/venues/newdex.py: quote is not written
  chains.toml: no chain has a table [chains."eip155:N".providers.newdex]
  agent/lab/providers/newdex.py: nothing stands in for it on local chains
  tests: no file of its own, such as tests/venues/test_newdex.py
  tests/conformance: no rig brings it into the suite of the venues port
  docs/providers.md: no row of it; scripts/providers_doc.py writes the document
"""


def test_new_venue_is_one_file_and_a_list_of_what_it_lacks(tree: Path) -> None:
    done = begun(tree, "newdex")
    assert (1, VENUE_LACKS, "") == (done.returncode, done.stdout, done.stderr)
    assert ["newdex.py"] == [file.name for file in (tree / "agent" / "venues").iterdir()]


def test_new_bridge_lacks_its_tracking_too(tree: Path) -> None:
    begun(tree, "new_bridge", "--bridge")
    lacks = missing("new_bridge", "bridges", tree)
    for method in ("track", "find", "rehearse"):
        assert f"agent/bridges/new_bridge.py: {method} is not written" in lacks


@pytest.mark.parametrize("room", METHODS)
def test_file_that_is_begun_can_be_made_and_serves_nothing_yet(room: str, tmp_path: Path) -> None:
    file = tmp_path / "begun.py"
    file.write_text(written("begun", room))
    spec = util.spec_from_file_location("begun", file)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.make(ProviderOptions(), AdapterIo({}, PaperClock(0)))
    assert ("begun", {}) == (made.name, dict(made.layouts))
    assert isinstance(module.ABOUT, About)
    with pytest.raises(NotImplementedError):
        made.targets(ChainId(1))


def test_file_that_is_there_is_not_overwritten(tree: Path) -> None:
    begun(tree, "newdex")
    again = begun(tree, "newdex")
    assert 2 == again.returncode
    assert "is there already" in again.stderr


@pytest.mark.parametrize("name", ["Foo", "a", "../x", "with space", "1st"])
def test_name_that_is_no_module_s_is_refused(tree: Path, name: str) -> None:
    done = begun(tree, name)
    assert 2 == done.returncode
    assert [] == list((tree / "agent" / "venues").iterdir())


def test_what_a_venue_lacks_is_told_again(tree: Path) -> None:
    begun(tree, "newdex")
    done = begun(tree, "newdex", "--missing")
    assert (1, VENUE_LACKS.partition("\n")[2]) == (done.returncode, done.stdout)


def test_adapter_that_is_not_there_lacks_itself(tree: Path) -> None:
    assert ["agent/venues/newdex.py is not there"] == missing("newdex", "venues", tree)
