"""A week of keeper time on paper, shortened; the whole of it is scripts/bench/week.py."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from paper_week import LIMITS, BrokenRuleError, Week, live

from agent.core import fact as f
from agent.keeper import tick as keeper_tick
from agent.planning.problem import NoPlan

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

TICKS = 250
"""Some 42 hours."""


@pytest.mark.parametrize("seed", [4, 5, 7])
def test_whatever_happens_in_two_days_every_rule_holds(seed: int) -> None:
    """Raises BrokenRuleError with the seed otherwise; a week that was too quiet shows nothing."""
    week = live(seed, TICKS).report()
    assert TICKS == week["ticks"]
    assert week["runs"] >= 3
    assert week["ended"]["killed"] >= 2
    assert {"started", "done"} <= set(week["notices"])


def test_the_same_seed_is_the_same_week() -> None:
    first, second = (live(11, 60).report() for _ in range(2))
    assert first == second


def test_a_keeper_that_rests_without_a_reason_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = keeper_tick.planned

    def idle(*args, **named):
        return whole(*args, **named)[0], NoPlan(("tired",))

    monkeypatch.setattr(keeper_tick, "planned", idle)
    with pytest.raises(BrokenRuleError, match="outside its bands for no reason: nothing: tired"):
        live(7, 1_000)


@pytest.mark.parametrize("limit", ["max_run_value", "max_day_value", "max_month_cost"])
def test_a_limit_that_is_crossed_is_noticed(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, limit, Decimal("0.01"))
    week = Week(7)
    free = replace(week.policy.limits, **dict.fromkeys([limit], Decimal(10**6)))
    week.policy = replace(week.policy, limits=free)
    with pytest.raises(BrokenRuleError, match=r"moved|spent"):
        week.live(1_000)


def test_money_that_leaves_unseen_is_noticed() -> None:
    week = Week(7)
    week.live(3)
    token = next(iter(week.first))
    week.given[token] -= 1
    with pytest.raises(BrokenRuleError, match="are explained"):
        week.settle()


def test_every_event_reached_the_person_once() -> None:
    week = live(7, TICKS)
    runs = [fact for fact in week.world.journal.load("") if isinstance(fact, f.Started)]
    for event in ("started", "done"):
        told = [notice.run for notice in week.person.heard if notice.event == event]
        assert len(told) == len(set(told))
        assert set(told) <= {run.run for run in runs}
    assert () == week.memory.unsent
