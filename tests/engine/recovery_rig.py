"""Amounts of a deposit that nobody remembers, and whether every base unit of its runs is explained."""

from __future__ import annotations

from paper_world import (
    World,
)

from agent.core.closing import explained
from agent.engine.loop import Session

RAW, BEST = 1000 * 10**6, 999_500_000


def balanced(held: Session, world: World) -> None:
    """Before and the facts of each run are what is there now."""
    for run in held.state.runs.values():
        before = {holding.token: holding.raw for holding in run.started.before}
        told = explained(run)
        inflows = {each.amount.token: each.amount.raw for each in run.inflows}
        assert run.closed is not None
        for held_after in run.closed.after:
            token = held_after.token
            assert held_after.raw == before[token] + told.get(token, 0) + inflows.get(token, 0)
