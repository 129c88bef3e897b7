"""Keeper time on three local chains, shortened; more of it is in scripts/bench/week.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_week import live

from agent.lab.worlds import Worlds

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

TICKS = 24


def test_whatever_happens_on_three_chains_every_rule_holds(chains: Worlds, tmp_path: Path) -> None:
    """Raises BrokenRuleError with the seed otherwise."""
    week = live(1, TICKS, chains, tmp_path).report()
    assert TICKS == week["ticks"]
    assert week["runs"] >= 1
    assert week["transfers"] >= 1
