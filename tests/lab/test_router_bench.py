"""The router's benchmark, on a few questions; the whole of it is scripts/bench/router.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "router.py"


def test_router_bench_finds_no_quote_that_differs_and_no_bound_that_is_beaten() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--json", "--quotes", "40", "--sets", "4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr
    said = json.loads(ran.stdout)
    assert (40, 0, []) == (
        said["quotes"]["count"],
        said["quotes"]["mismatches"],
        said["bounds_beaten"],
    )
    assert 4 == said["splits"]["sets"]
    assert said["met"]["every gap where no v2 pair is met twice"]
    losses = said["splits"]["loss_bp_against_the_bound_after_gas"]
    assert losses["ours"]["mean"] <= losses["single_path"]["mean"]
