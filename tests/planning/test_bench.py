"""The planner's benchmark at its smallest; the whole of it is scripts/bench/planner.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "planner.py"


def bench(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--sizes", "3x5", "--instances", "3", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_planner_is_never_dearer_than_rules_without_a_solver() -> None:
    result = json.loads(bench("--json"))
    size = result["sizes"]["3x5"]
    assert (True, []) == (result["passed"], size["faults"])
    assert size["max_ratio_to_pairing"] <= 1.0
    for end in size["ours"].values():
        assert 3 == end["arrived"]
        assert end["gap"]["max"] <= 1e-4
        assert end["gap"]["max"] <= end["gap_confirmed_without_solver"]["max"] + 1e-9
    assert {"pairing by size", "cheapest first", "sell all, then buy", "to-target MILP"} == set(
        size["against"]
    )


def test_the_table_says_the_same_for_people() -> None:
    lines = bench().splitlines()
    assert lines[0].startswith("3x5: ")
    assert ["ours", "ours", "by", "by", "by", "by"] == [line.split()[0] for line in lines[1:]]
