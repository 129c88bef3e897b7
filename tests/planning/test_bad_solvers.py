"""A planner without a solver, and with solvers that fail, lie or do nothing."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf, nan

import pytest
from portfolios import FAR, USDC, WETH, greedy_plan, holdings, problem, spread_problem

from agent.planning.board import board
from agent.planning.certify import certify
from agent.planning.greedy import Tries
from agent.planning.milp import solve
from agent.planning.network import Flow
from agent.planning.outlook import outlook
from agent.planning.planner import plan, planned_by
from agent.planning.route import Move, Route
from agent.planning.solved import Solved


def without(made):
    """What is the same in plans whose reasons differ."""
    return made.legs, made.cost, made.missed, made.alternatives


def test_without_a_solver_the_plan_stands_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "agent.planning.milp", None)
    made, greedy = plan(spread_problem(FAR)), greedy_plan(spread_problem(FAR))
    assert (without(greedy), None) == (without(made), made.bound)
    assert (
        "this plan was made without the solver: import of agent.planning.milp halted; None in "
        "sys.modules"
    ) == made.why[-2]


def fails(network, start=None):
    raise ZeroDivisionError("by nothing")


def says(**changed):
    """A solver whose answer is changed."""

    def answer(network, start=None):
        flow = solve(network, start=start)
        return replace(flow, **{name: change(flow) for name, change in changed.items()})

    return answer


@pytest.mark.parametrize(
    ("solver", "why"),
    [
        (fails, "failed with ZeroDivisionError: by nothing"),
        (says(sold=lambda flow: flow.sold[1:]), "gave a wrong answer: 38 sizes for 39 arcs"),
        (says(cost=lambda _: 1.0), "gave a wrong answer: its cost is 25.866651, not 1.000000"),
        (says(cost=lambda _: nan), "gave a wrong answer: its cost is 25.866651, not nan"),
        (
            says(bound=lambda _: nan),
            "gave a wrong answer: it misses 0.00, and nothing costs less than nan",
        ),
        (
            says(missed=lambda _: inf),
            "gave a wrong answer: it misses inf, and nothing costs less than 25.87",
        ),
    ],
)
def test_a_solver_that_fails_is_told_and_the_plan_stands(solver, why):
    made, greedy = planned_by(solver, spread_problem(FAR)), greedy_plan(spread_problem(FAR))
    assert (without(greedy), None) == (without(made), made.bound)
    assert f"this plan was made without the solver: it {why}" == made.why[-2]


def test_a_solver_that_fails_when_it_is_asked_again_is_told():
    asked = []

    def once(network, start=None):
        asked.append(network)
        return fails(network) if len(asked) > 1 else solve(network)

    made = planned_by(once, spread_problem(FAR))
    assert (2, True) == (len(asked), made.bound is not None)
    assert (
        "a cheaper plan may be there to be found: the solver failed with ZeroDivisionError: by "
        "nothing when it was asked again"
    ) == made.why[-2]


def test_a_search_begins_with_what_is_found_without_a_solver():
    """Wraps and ways over several chains: it is a flow that keeps all limits."""
    asked = []

    def begun(network, start=None):
        asked.append((network, start))
        return solve(network, start=start)

    for of in (spread_problem(FAR), problem(holdings(ETH="16", WBTC="0.2", USDC="20000"))):
        asked.clear()
        made = planned_by(begun, of)
        network, start = asked[0]
        cost = certify(network, replace(start, cost=inf)).cost
        faults = certify(network, start).faults
        assert [] == [each for each in faults if "its cost is" not in each]
        assert float(made.cost) <= cost + 0.01
    assert any(not arc.trade and sold for arc, sold in zip(network.arcs, start.sold, strict=True))


def test_a_solver_that_proves_nothing_still_finds_plans():
    made = planned_by(says(bound=lambda _: -inf, floor=lambda _: -inf), spread_problem(FAR))
    assert (None, True) == (made.bound, made.cost < greedy_plan(spread_problem(FAR)).cost)


def test_nothing_is_proven_of_trades_that_leave_more_undone_however_dear_they_are():
    place = board(problem())
    solved = Solved(place, Tries(place), solve)
    proven = solved.bound(solved.candidates[0].outlook)
    (way,) = (w for w in place.ways if (w.edge.sell, w.edge.buy) == (USDC, WETH))
    worse = outlook(place, [Move(Route((way,)), 19_000 * 10**6)])
    assert worse.cost > proven > 0
    assert solved.bound(worse) is None


def test_a_solver_that_does_nothing_does_no_harm():
    def idle(network, start=None):
        flow = Flow(sold=(0.0,) * len(network.arcs), cost=0.0, bound=0.0, missed=0.0)
        return replace(flow, missed=certify(network, flow).missed)

    made, greedy = planned_by(idle, problem()), greedy_plan(problem())
    assert (greedy.legs, greedy.cost, 0) == (made.legs, made.cost, made.bound)


def test_a_solver_whose_time_ran_out_is_told():
    made = planned_by(says(braked=lambda _: True), problem())
    assert "a cheaper plan may be there to be found: the solver ran out of time" == made.why[-2]
