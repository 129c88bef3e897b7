"""What the arcs of one range must cost together raises the bound, and never above the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from networks import arc, network, networks

from agent.planning.budget import Budget
from agent.planning.coupling import coupling
from agent.planning.majorant import hull
from agent.planning.master import Master
from agent.planning.milp import solve
from agent.planning.network import Arc, Network, Range
from agent.planning.shares import shares
from agent.planning.sizes import sizes, widened
from agent.planning.table import table


def raised(of: Network, *, near: float = 1e9, most_lost: float = 0.2) -> tuple[float, float]:
    """The relaxation's bound, and what the ranges' own arcs add to it."""
    arrays = table(of)
    lost = most_lost * arrays.whole
    shared = coupling(arrays, lost, elastic=False)
    found = sizes(hull(arrays), shared)
    relaxed = Master(shared, found, arrays.fixed).solve(rounds=200, slopes=0)
    if relaxed is None or relaxed.missed > 0:
        return -np.inf, 0.0
    parts = shares(arrays, shared, found)
    gains, _ = parts.gains(relaxed, near=near * arrays.scale, most_lost=lost, nodes=100)
    return relaxed.bound / arrays.scale, float(gains.sum()) / arrays.scale


def level(tail: int, fixed: float) -> Arc:
    """An arc to node 3 that only costs to be used."""
    return Arc(tail=tail, head=3, ladder=((0, 0), (500, 500)), fixed=fixed)


HELD_IN_PARTS = replace(
    network(
        (100, 100, 100, 500, 200),
        [level(0, 5.0), level(1, 5.0), level(2, 5.0), arc(3, 4, 0.99), arc(4, 3, 0.99)],
        [],
    ),
    ranges=tuple(
        Range(nodes=frozenset(nodes), low=0.0, high=high)
        for nodes, high in (((0, 1, 2), 0.15), ((3,), 1.0), ((4,), 1.0))
    ),
)
"""To sell 150 of what lies in three places two legs are needed, not one and a half."""


def test_a_range_that_needs_two_legs_pays_for_two() -> None:
    bound, gain = raised(HELD_IN_PARTS, most_lost=0.01)
    assert pytest.approx(7.5, abs=0.1) == bound
    assert pytest.approx(10.0, abs=0.1) == bound + gain
    assert pytest.approx(10.0) == solve(HELD_IN_PARTS).cost


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_no_part_owns_how_far_its_range_is_off(rate: float) -> None:
    """Else the target would have to be met exactly, and what that costs would seem proven."""
    off = replace(HELD_IN_PARTS.ranges[0], target=0.05, rate=rate)
    of = replace(HELD_IN_PARTS, ranges=(off, *HELD_IN_PARTS.ranges[1:]))
    bound, gain = raised(of, most_lost=0.02)
    exact = solve(of, budget=Budget(gap=1e-7))
    assert gain > 0
    assert bound + gain <= exact.cost + 1e-6
    assert exact.cost < 15.0  # the fees of three legs, which would meet it


def test_no_range_gains_more_than_was_looked_at() -> None:
    assert pytest.approx(1.0) == raised(HELD_IN_PARTS, near=1.0)[1]


def test_many_arcs_are_proven_by_shares() -> None:
    flow = solve(HELD_IN_PARTS, budget=Budget(most_arcs=0))
    assert (pytest.approx(10.0), True) == (flow.cost, flow.bound > flow.floor + 0.1)


@settings(max_examples=60)
@given(networks())
def test_what_shares_add_is_never_more_than_what_is_missing(of: Network) -> None:
    exact = solve(of, budget=Budget(gap=1e-7))
    bound, gain = raised(of)
    event("raised" if gain > 0 else "as it was")
    if exact.missed == 0 and exact.cost <= 0.2 * sum(of.start):
        assert bound + gain <= exact.cost + 1e-6 * sum(of.start)


def test_a_size_between_two_is_near_when_one_of_them_is() -> None:
    near = np.array([[False, False, True, False, False], [True, False, False, False, False]])
    wide = [[False, True, True, True, False], [True, True, False, False, False]]
    assert wide == widened(near).tolist()
