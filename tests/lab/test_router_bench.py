"""The router's benchmark, on a few questions; the whole of it is scripts/bench/router.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import order_router
from scripts.bench.order_router import NotRunError, installed

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "router.py"


def test_router_bench_finds_no_quote_that_differs_and_no_bound_that_is_beaten() -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--json", "--quotes", "40", "--sets", "4", "--v4-sets", "2"],
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
    assert {"skipped": "ask for it with --order-router"} == said["smart_order_router"]
    assert 0 == said["splits_where_pools_of_v4_are_among_them"]["sets_above_asked_gap"]
    losses = said["splits"]["loss_bp_against_the_bound_after_gas"]
    assert losses["ours"]["mean"] <= losses["single_path"]["mean"]


def test_order_router_runs_only_as_it_was_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scripts" / "order-router"
    folder.mkdir(parents=True)
    lock = folder / "package-lock.json"
    router = {"version": "4.31.10", "integrity": "sha512-A"}
    lock.write_text(json.dumps({"packages": {"": {}, "node_modules/router": router}}))
    with pytest.raises(NotRunError, match="npm installed other packages than are pinned"):
        installed(tmp_path)
    monkeypatch.setattr(order_router, "INSTALLED", order_router._fingerprint(lock))
    assert folder / "node_modules" == installed(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NotRunError, match="npm is not on the path"):
        installed(tmp_path / "elsewhere")
