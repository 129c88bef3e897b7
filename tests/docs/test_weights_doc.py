"""docs/weights.md: what it shows is what is printed, what it says of methods is what they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli_fixtures import CHECKOUT

from agent.cli.main import main
from agent.weights import METHODS
from agent.weights.cells import LEAST_PRICES, RETURNS_PER_ASSET

TEXT = (CHECKOUT / "docs" / "weights.md").read_text(encoding="utf-8")


def test_what_is_shown_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CONFIG", "OVERLAY", "CHAINS"):
        monkeypatch.delenv(f"REBALANCER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("caps.csv").write_text("asset,cap\nETH,400e9\nWBTC,15e9\nUSDC,70e9\n")
    (shown,) = re.findall(r"^\$ rebalancer (.*?)^```$", TEXT, re.M | re.S)
    line, _, printed = shown.partition("\n")
    assert 0 == main(shlex.split(line))
    assert printed == capsys.readouterr().out


def test_each_method_presumes_what_it_says() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \|.*\| ([^|]+) \|$", TEXT, re.M))
    assert {name: method.presumes for name, method in METHODS.items()} == rows


def test_least_number_of_lines_is_told() -> None:
    assert (61, 2) == (LEAST_PRICES, RETURNS_PER_ASSET)
    assert "At least 61 lines, and twice as many returns as assets." in TEXT
