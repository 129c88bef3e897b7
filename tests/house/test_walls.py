"""Each wall, broken on purpose in a copy of the tree, names the culprit."""

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from house.tree import ROOT
from house.walls import WALLS


@dataclass(frozen=True)
class Plant:
    """One violation: which wall must see it, where it is put, and what must be said."""

    wall: str
    file: str
    text: str
    culprit: str


def _function(name: str, lines: int) -> str:
    return f"def {name}():\n" + "    pass\n" * (lines - 1)


_OK = '"""Planted."""\n\n'

PLANTS = [
    # Rooms
    Plant("pure_rooms", "agent/core/planted.py", "import os\n", "os is not on the allow-list"),
    Plant("pure_rooms", "agent/core/planted.py", "from urllib import request\n", "urllib is not"),
    Plant("pure_rooms", "agent/core/planted.py", "def f():\n    import time\n", "time is not"),
    Plant("pure_rooms", "agent/core/planted.py", "from agent import wire\n", "agent.wire is not"),
    Plant("pure_rooms", "agent/core/planted.py", "from .. import ports\n", "agent.ports is not"),
    Plant("pure_rooms", "agent/core/planted.py", "import requests\n", "requests is not"),
    Plant("pure_rooms", "agent/ports/__init__.py", "import sqlite3\n", "sqlite3 is not"),
    Plant("pure_rooms", "agent/planning/planted.py", "import random\n", "random is not"),
    Plant("pure_rooms", "agent/weights/planted.py", "import pandas\n", "pandas is not"),
    Plant("pure_rooms", "agent/core/planted.py", "import skfolio\n", "skfolio is not"),
    Plant(
        "independent_adapters",
        "agent/venues/planted.py",
        "from agent.venues import neighbour\n",
        "venues.planted imports its neighbour venues.neighbour",
    ),
    Plant(
        "independent_adapters",
        "agent/signers/_shared.py",
        "from .planted import sign\n",
        "signers._shared imports its neighbour signers.planted",
    ),
    Plant(
        "independent_adapters",
        "agent/oracles/planted/feed.py",
        "import agent.oracles.neighbour.feed\n",
        "oracles.planted imports its neighbour oracles.neighbour",
    ),
    Plant(
        "only_compose_knows_adapters",
        "agent/cli/planted.py",
        "def f():\n    from agent.venues import router\n",
        "only compose may import agent.venues",
    ),
    Plant("visible_packages", "agent/planted/inside.py", _OK, "has modules but no __init__.py"),
    Plant(
        "static_imports",
        "agent/engine/planted.py",
        "from importlib import import_module as load\nload('agent.stores')\n",
        "importlib.import_module imports by a computed name",
    ),
    Plant("static_imports", "agent/engine/planted.py", "__import__('os')\n", "__import__ imports"),
    # Money
    Plant("exact_core", "agent/core/planted.py", "fee = 0.003\n", "float literal 0.003"),
    Plant("exact_core", "agent/core/planted.py", "fee = float('3')\n", "conversion to float"),
    Plant(
        "exact_core", "agent/core/planted.py", "import math as m\nm.sqrt(2)\n", "math.sqrt works"
    ),
    Plant("exact_core", "agent/core/planted.py", "from math import log\n", "math.log works"),
    Plant("silent_core", "agent/core/planted.py", "open('x')\n", "open() in a pure room"),
    Plant("one_clock", "agent/engine/planted.py", "import time\n", "time is imported outside"),
    Plant("one_clock", "agent/wire/planted.py", "import time\ntime.time()\n", "time.time reads"),
    Plant("one_clock", "agent/lab/planted.py", "from time import time\n", "time.time reads"),
    Plant(
        "one_clock",
        "agent/core/planted.py",
        "from datetime import datetime as dt\ndt.now()\n",
        "datetime.datetime.now reads the time of day",
    ),
    Plant(
        "one_environment", "agent/lab/planted.py", "import os\nos.environ['X']\n", "os.environ is"
    ),
    Plant("one_environment", "agent/cli/planted.py", "from os import getenv\n", "os.getenv is"),
    Plant("one_environment", "agent/cli/planted.py", "import dotenv\n", "dotenv is the settings'"),
    Plant(
        "no_blank_cheques",
        "agent/signers/planted.py",
        "def f(account):\n    return account.sign_authorization({})\n",
        "sign_authorization signs more than an intent",
    ),
    Plant(
        "no_blank_cheques",
        "agent/signers/planted.py",
        "def f(account):\n    return getattr(account, 'unsafe_sign_hash')(b'')\n",
        "unsafe_sign_hash signs more than an intent",
    ),
    Plant(
        "no_blank_cheques",
        "agent/signers/planted.py",
        "from eth_account.messages import encode_defunct\n",
        "encode_defunct signs more than an intent",
    ),
    Plant(
        "no_blank_cheques",
        "agent/engine/planted.py",
        "def f(account):\n    return account.sign_transaction({})\n",
        "sign_transaction outside the signers",
    ),
    Plant(
        "caught_errors", "agent/wire/planted.py", "try:\n    f()\nexcept:\n    g()\n", "bare except"
    ),
    Plant(
        "caught_errors",
        "agent/wire/planted.py",
        "try:\n    f()\nexcept (OSError, Exception):\n    pass\n",
        "every error is caught and forgotten",
    ),
    # Shape
    Plant("short_files", "agent/core/planted.py", "x = 1\n" * 401, "401 lines, at most 400"),
    Plant(
        "short_functions",
        "agent/core/planted.py",
        _function("long", 61),
        "long has 61 lines, at most",
    ),
    Plant(
        "mostly_short_functions",
        "agent/core/planted.py",
        "\n".join(_function(f"f{i}", 30) for i in range(2000)),
        "the 90th percentile of function lengths is 30, under 30",
    ),
    Plant("telling_names", "agent/core/utils.py", _OK, "the name utils says nothing"),
    Plant("telling_names", "agent/core/price_helpers.py", _OK, "price_helpers says nothing"),
    Plant(
        "telling_names", "agent/core/planted.py", "class PriceManager: ...\n", "PriceManager says"
    ),
    Plant(
        "telling_names", "agent/core/planted.py", "def process_fact(): ...\n", "process_fact says"
    ),
    Plant("telling_names", "agent/core/planted.py", "def _do_it(): ...\n", "_do_it says nothing"),
    Plant("one_sentence_docstrings", "agent/core/planted.py", "x = 1\n", "has no docstring"),
    Plant(
        "one_sentence_docstrings",
        "agent/core/planted.py",
        '"""One idea. And another one."""\n',
        "opens with more than one sentence",
    ),
    Plant("one_sentence_docstrings", "agent/core/planted.py", '"""Stuff"""\n', "is not a sentence"),
    # What is committed
    Plant(
        "no_hosts_or_machine_paths",
        "docs/planted.md",
        "see https://py" + "pi.org/simple\n",
        "docs/planted.md:1: names py" + "pi.org",
    ),
    Plant(
        "no_hosts_or_machine_paths",
        "agent/core/planted.py",
        "# /wo" + "rk/main\n",
        "agent/core/planted.py:1: names /wo" + "rk/main",
    ),
    Plant(
        "locks_have_hashes",
        "requirements/run.txt",
        "web3==8.0.0\n",
        "requirements/run.txt:1: neither a pin nor a comment: web3==8.0.0",
    ),
    Plant(
        "locks_have_hashes",
        "requirements/lab.txt",
        "web3==8.0.0 \\\nother==1 \\\n",
        "requirements/lab.txt:2: a requirement without a hash",
    ),
    Plant(
        "locks_have_hashes",
        "requirements/dev.txt",
        "--extra-index-url https://example.com\n",
        "requirements/dev.txt:1: neither a pin nor a comment",
    ),
    Plant(
        "locks_agree",
        "requirements/run.txt",
        "web3==7.0.0 \\\n    --hash=sha256:00\n",
        "requirements/run.txt: web3==7.0.0, but",
    ),
    Plant("locks_are_current", "requirements/lab.txt", "", "requirements/lab.txt: lacks web3"),
    Plant(
        "dependencies_have_reasons",
        "pyproject.toml",
        'dependencies = [\n    "left-pad>=1",\n]\n',
        "pyproject.toml:2: a dependency without a reason",
    ),
    Plant(
        "unique_error_codes",
        "agent/errors.py",
        "class A(Exception):\n    code = 'A1'\nclass B(A):\n    code = 'B1'\nclass C(A):\n    code = 'B1'\n",
        "agent/errors.py:5: C has the code B1 of B",
    ),
    Plant(
        "unique_error_codes",
        "agent/errors.py",
        "class A(Exception):\n    code = 'A1'\nclass B(A):\n    code = 'B1'\nclass C(B):\n    code = 'C1'\n",
        "agent/errors.py:5: C has C1, its class B",
    ),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the walls look at."""
    copy = tmp_path_factory.mktemp("house") / "copy"
    for folder in ("agent", "requirements"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@cache
def _before(wall: str, root: Path) -> set[str]:
    return _breaches(wall, root)


def _breaches(wall: str, root: Path) -> set[str]:
    return {str(breach) for breach in WALLS[wall](root)}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda p: f"{p.wall}: {p.culprit[:40]}")
def test_wall_names_what_breaks_it(plant: Plant, tree: Path) -> None:
    file = tree / plant.file
    before = _before(plant.wall, tree)
    original = file.read_bytes() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(plant.text)
    try:
        planted = _breaches(plant.wall, tree) - before
    finally:
        if original is None:
            file.unlink()
        else:
            file.write_bytes(original)
    assert [] != [breach for breach in planted if plant.culprit in breach], planted


def test_plants_break_every_wall() -> None:
    assert set(WALLS) == {plant.wall for plant in PLANTS}


def test_one_planted_breach_is_reported_once(tree: Path) -> None:
    file = tree / "agent/core/planted.py"
    file.write_text('"""Planted."""\nimport os\nfee = 0.003\n')
    try:
        found = {str(breach) for wall in WALLS.values() for breach in wall(tree)}
    finally:
        file.unlink()
    expected = [
        "agent/core/planted.py:2: os is not on the allow-list of this room",
        "agent/core/planted.py:3: float literal 0.003 in the core",
    ]
    assert expected == sorted(line for line in found if "planted" in line)
