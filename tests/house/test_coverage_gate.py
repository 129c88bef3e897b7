"""The coverage gate is exact, and says which file is short."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from house.tree import ROOT

_GATE = ROOT / "scripts/coverage_gate.py"
_gate = runpy.run_path(str(_GATE))["gate"]


def _file(lines: tuple[int, int], branches: tuple[int, int]) -> dict[str, Any]:
    return {
        "summary": {
            "covered_lines": lines[0],
            "num_statements": lines[1],
            "covered_branches": branches[0],
            "num_branches": branches[1],
        }
    }


_FULL = {
    "agent/core/money.py": _file((10, 10), (4, 4)),
    "agent/engine/loop.py": _file((20, 20), (6, 6)),
    "agent/wire/rpc.py": _file((90, 100), (9, 10)),
}


def test_gate_passes_what_keeps_every_promise() -> None:
    expected = [
        "coverage: agent/core keeps 100 %: lines 10/10 (100.00 %), branches 4/4 (100.00 %)",
        "coverage: agent/engine keeps 100 %: lines 20/20 (100.00 %), branches 6/6 (100.00 %)",
        "coverage: the rest keeps 90 %: lines 90/100 (90.00 %), branches 9/10 (90.00 %)",
    ]
    assert (expected, True) == _gate({"files": _FULL})


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("agent/core/fees.py", _file((9999, 10000), (0, 0)), "agent/core is below 100 %"),
        ("agent/engine/perform.py", _file((5, 5), (1, 2)), "agent/engine is below 100 %"),
        ("agent/cli/main.py", _file((100, 100), (0, 10)), "the rest is below 90 %"),
        ("agent/cli/main.py", _file((0, 100), (1000, 1000)), "the rest is below 90 %"),
    ],
)
def test_gate_names_the_file_that_is_short(name: str, file: dict[str, Any], said: str) -> None:
    lines, is_kept = _gate({"files": {**_FULL, name: file}})
    assert not is_kept
    assert [] != [line for line in lines if said in line]
    assert [] != [line for line in lines if line.startswith(f"  {name}: lines ")]


@pytest.mark.parametrize(("covered", "code"), [(10, 0), (9, 1)])
def test_gate_exits_by_its_verdict(covered: int, code: int, tmp_path: Path) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"files": {"agent/core/money.py": _file((covered, 10), (0, 0))}}))
    done = subprocess.run([sys.executable, _GATE, report], check=False, capture_output=True)
    assert code == done.returncode
