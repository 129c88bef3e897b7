"""What happens inside a range counts in it, and no proof forgets it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from networks import Truth, arc

from agent.planning.budget import Budget
from agent.planning.milp import solve
from agent.planning.network import Arc, Network, Range
from agent.planning.proof import proven

EXACT = Budget(gap=1e-7)


def inside(start: float, band: tuple[float, float], *arcs: Arc) -> Network:
    """A range of the nodes 0 and 1, and two nodes outside."""
    wanted = Range(nodes=frozenset({0, 1}), low=band[0], high=band[1])
    values = (start, 0.0, 1000.0 - start, 0.0)
    return Network(start=values, free=values, arcs=arcs, ranges=(wanted,))


@pytest.mark.parametrize(
    ("of", "cost"),
    [
        # What is lost makes it small enough, fees too, and so does what others gain;
        (inside(600, (0, 0.599), arc(0, 1, 0.97), arc(0, 2, 1.0, fixed=4.0)), 1 / 0.401),
        (
            inside(600, (0, 0.599), arc(0, 1, 1.0, fixed=3.0, payer=0), arc(0, 2, 1.0, fixed=9.0)),
            3.0,
        ),
        (inside(600, (0, 0.599), arc(2, 3, 1.05), arc(0, 2, 1.0, fixed=4.0)), -5.0),
        # what is gained large enough;
        (inside(400, (0.4005, 1), arc(0, 1, 1.01), arc(2, 0, 1.0, fixed=4.0)), -1.0),
        # what is lost makes room for what enters,
        (
            inside(
                500,
                (0.54, 0.55),
                arc(0, 1, 0.9, step=400.0),
                arc(2, 0, 1.0, least=60.0),
                arc(2, 0, 1.0, fixed=40.0),
            ),
            10 / 0.45,
        ),
        # and so does what others gain;
        (
            inside(
                499,
                (0.5, 0.5),
                arc(2, 3, 1.05),
                arc(2, 0, 1.0, least=3.0),
                arc(2, 0, 1.0, fixed=40.0),
            ),
            -5.0,
        ),
        # what is gained can leave.
        (
            inside(
                500,
                (0.45, 0.47),
                arc(0, 1, 1.0625, step=400.0),
                arc(0, 2, 1.0, least=60.0),
                arc(0, 2, 1.0, fixed=40.0),
            ),
            -25.0,
        ),
    ],
)
def test_what_is_lost_and_gained_inside_a_range_counts_in_it(of: Network, cost: float) -> None:
    flow = solve(of, budget=EXACT)
    assert [pytest.approx(cost, abs=1e-5)] * 2 == [Truth(of).cost(1e-9), flow.cost]
    assert flow.floor <= flow.bound <= cost + 1e-5
    # Whatever prices are given prove no more than that.
    count = 5 + 2 * len(of.start) + 6
    for row in range(count):
        for price in (-100.0, 100.0):
            prices = tuple(price * (row == each) for each in range(count))
            assert proven(of, replace(flow, prices=prices), cost + 0.05) <= cost + 1e-5
