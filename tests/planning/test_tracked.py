"""Distances from targets cost: bounded by tangents and by prices, charged exactly."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from networks import Truth, arc, charged_networks, network

from agent.planning.certify import certify
from agent.planning.coupling import coupling
from agent.planning.flowcost import outcome
from agent.planning.majorant import hull
from agent.planning.milp import Budget, solve
from agent.planning.network import Arc, Flow, Network
from agent.planning.proof import brought
from agent.planning.sizes import sizes
from agent.planning.swaps import Swaps
from agent.planning.table import table
from agent.planning.tracked import NOTHING, charge, tangents

EXACT = Budget(gap=1e-7)
CHEAP = network(
    (700, 300, 0),
    [arc(0, 1, 0.999, 0.998, 0.99, fixed=0.1), arc(0, 2, 0.999, 0.99, 0.98, fixed=0.05)],
    [(0.4, 0.6), (0.2, 0.4), (0.05, 0.25)],
)
TARGETS = (0.5, 0.3, 0.2)


def charged(of: Network, rate: float, targets: tuple[float, ...] = TARGETS) -> Network:
    """The network where distances from these targets cost."""
    ranges = zip(of.ranges, targets, strict=True)
    return replace(
        of, ranges=tuple(replace(each, rate=rate, target=target) for each, target in ranges)
    )


# ---- tangents ----------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_tangents_begin_at_the_target_and_reach_as_far_as_all_there_is(reach, near):
    points = tangents(reach, 1e4, near)
    assert 0 == points[0]
    assert (np.diff(points) > 0).all()
    assert points[-1] >= 1e4


@given(charged_networks(), st.data())
def test_the_dearest_steps_cost_no_more_than_the_square(of: Network, given_: st.DataObject):
    arrays = table(of)
    near = np.array([given_.draw(st.floats(-1, 1)) for _ in of.ranges]) * arrays.whole
    seen = coupling(arrays, arrays.whole, elastic=False, near=near).tracked
    if not any(each.rate > 0 for each in of.ranges):
        assert NOTHING is seen
        return
    for row, curve in zip(seen.rows.tolist(), seen.curve.tolist(), strict=True):
        for sign in (1.0, -1.0):
            mine = (seen.entries[0] == row) & (seen.entries[2] == -sign)
            cost, most = seen.cost[mine], seen.most[mine]
            assert (np.diff(cost) > 0).all()  # so that none is used before a cheaper one is full
            off = given_.draw(st.floats(0, 2)) * arrays.whole
            steps = np.clip(off - np.r_[0.0, np.cumsum(most[:-1])], 0.0, most)
            assert steps @ cost <= curve * off * off * (1 + 1e-9)


def test_tangents_are_finest_where_a_flow_is_known_to_end():
    points = tangents(100.0, 1000.0, 37.0)
    at = int(np.searchsorted(points, 37.0))
    assert 37.0 == pytest.approx(points[at])
    assert points[at + 1] - points[at] < 0.01
    assert points[-1] - points[-2] > 5


# ---- what is found ------------------------------------------------------------------------------


@settings(max_examples=60)
@given(charged_networks())
def test_no_choice_of_arcs_is_cheaper_with_its_charge(of: Network):
    found, every = solve(of, budget=EXACT), Truth(of)
    dust = 1e-6 * sum(of.start)
    if every.missed > dust:
        assert every.missed - dust <= found.missed
        return
    cost = every.cost(dust)
    slack = 100 * dust
    assert found.missed <= dust
    assert found.bound <= cost + slack
    assert found.cost <= cost + slack or found.bound < found.cost - dust
    event("proven" if found.cost <= found.bound + dust else "gap")


@settings(max_examples=40)
@given(charged_networks())
def test_what_is_found_is_confirmed(of: Network):
    flow = solve(of)
    found = certify(of, flow)
    assert () == found.faults
    if flow.missed == 0:
        assert found.floor <= flow.bound + 1e-6 * sum(of.start)


def carried_out(of: Network, sold: tuple[float, ...]) -> Flow | None:
    """A flow that keeps all limits and reaches all ranges, None for another."""
    flow = Flow(sold=sold, cost=0.0, bound=-inf, missed=0.0)
    found = certify(of, flow)
    if found.missed > 0 or any(
        "its cost" not in each and "its charge" not in each for each in found.faults
    ):
        return None
    return replace(flow, cost=found.cost)


@settings(max_examples=25)
@given(charged_networks(), st.data())
def test_the_bound_is_above_no_flow_that_is_possible(of: Network, given_: st.DataObject):
    """Every size of a grid for every arc."""
    flow = solve(of)
    if flow.missed > 0:
        return
    parts = (0.0, 0.001, 0.15, given_.draw(st.floats(0, 1)), 0.6, 1.0)
    sizes = [
        sorted({0.0, *(max(each.least, each.ladder[0][0], part * each.most) for part in parts)})
        for each in of.arcs[:3]
    ]
    rest = [flow.sold[place] for place in range(len(sizes), len(of.arcs))]
    for sold in product(*sizes):
        other = carried_out(of, (*sold, *rest))
        if other is not None:
            assert flow.bound <= other.cost + 1e-7 * sum(of.start)
            assert flow.floor <= other.cost + 1e-7 * sum(of.start)


@settings(max_examples=40)
@given(charged_networks(), st.data())
def test_no_prices_prove_more_than_the_truth(of: Network, given_: st.DataObject):
    every = Truth(of)
    dust = 1e-6 * sum(of.start)
    if every.missed > dust:
        return
    flow = solve(of, budget=EXACT)
    price = st.floats(-2, 2)
    count = 5 + 2 * len(of.start) + 6 * len(of.ranges) + sum(each.rate > 0 for each in of.ranges)
    prices = tuple(given_.draw(price) for _ in range(count))
    if flow.prices:
        weight = given_.draw(st.floats(0, 0.2))
        prices = tuple(good + weight * bad for good, bad in zip(flow.prices, prices, strict=True))
    assert certify(of, replace(flow, prices=prices)).floor <= every.cost(dust) + 9 * dust


@pytest.mark.parametrize("rate", [0.0, 1e-6, 1e-3, 0.01, 0.05, 0.5])
def test_the_bound_is_as_near_as_without_a_charge(rate):
    flow = solve(charged(CHEAP, rate))
    assert flow.cost - flow.bound <= 1e-4 * flow.cost
    values = ends(flow)
    off = [value - part * sum(values) for value, part in zip(values, TARGETS, strict=True)]
    assert pytest.approx(flow.charge) == rate * sum(each * each for each in off) / 1000


def ends(flow: Flow) -> tuple[float, ...]:
    """The values of the nodes of CHEAP, whose fees nobody in it pays."""
    got = [brought(each, sold) for each, sold in zip(CHEAP.arcs, flow.sold, strict=True)]
    return 700 - sum(flow.sold), 300 + got[0], got[1]


def test_a_larger_rate_ends_nearer_to_the_targets_at_no_lower_cost():
    flows = [solve(charged(CHEAP, rate), budget=EXACT) for rate in (0.0, 1e-3, 0.01, 0.05, 0.5)]
    trading = [flow.cost - flow.charge for flow in flows]
    squares = [
        sum((value - 1000 * t) ** 2 for value, t in zip(ends(flow), TARGETS, strict=True))
        for flow in flows
    ]
    assert sorted(trading) == pytest.approx(trading, rel=1e-6)
    assert sorted(squares, reverse=True) == pytest.approx(squares, rel=1e-3)
    assert trading[-1] > 2 * trading[0]


def test_nothing_charged_is_as_it_was():
    of = charged(CHEAP, 0.0)
    assert solve(CHEAP) == solve(of)
    assert 0 == solve(of).charge


def test_inside_all_bands_a_trade_is_made_only_where_it_is_worth_its_cost():
    near = replace(CHEAP, start=(560.0, 290.0, 150.0), free=(560.0, 290.0, 150.0))
    idle, moved = solve(charged(near, 1e-3)), solve(charged(near, 0.5))
    assert (0.0, 0.0) == idle.sold
    assert idle.cost == idle.charge > 0
    assert sum(moved.sold) > 0
    assert moved.cost < 500 * idle.cost  # what doing nothing would be charged then


def test_what_misses_its_range_is_charged_as_well():
    few = replace(charged(CHEAP, 0.1), max_turnover=20.0)
    flow = solve(few)
    assert flow.missed > 0
    assert flow.charge > 0
    assert () == certify(few, flow).faults


@pytest.mark.parametrize("wrong", [-0.01, 0.01, nan])
def test_a_wrong_charge_is_refused(wrong):
    of = charged(CHEAP, 0.05)
    flow = solve(of)
    for change in ({"charge": flow.charge + wrong}, {"cost": flow.cost + wrong}):
        assert certify(of, replace(flow, **change)).faults


@pytest.mark.parametrize("price", [inf, -inf, nan, 1e200])
def test_prices_that_are_no_numbers_prove_nothing_false(price):
    of = charged(CHEAP, 0.05)
    flow = solve(of)
    for place in range(len(flow.prices)):
        prices = (*flow.prices[:place], price, *flow.prices[place + 1 :])
        found = certify(of, replace(flow, prices=prices, floor=-inf))
        assert not found.floor > flow.cost


@pytest.mark.parametrize("price", [-0.06, -0.03, -0.01, 0.0, 0.02])
@pytest.mark.parametrize("place", range(3))
def test_a_price_of_a_distance_proves_nothing_false_of_a_dear_flow(place, price):
    of = charged(CHEAP, 0.5)
    best, dear = solve(of, budget=EXACT), carried_out(of, (80.0, 200.0))
    first = 1 + 3 + 4 * 3 + 3
    assert dear is not None
    assert dear.cost > 1.5 * best.cost
    own = certify(of, replace(dear, prices=best.prices)).floor
    assert own == pytest.approx(best.floor, abs=1e-6) == pytest.approx(best.cost, rel=5e-3)
    prices = (*best.prices[: first + place], price, *best.prices[first + place + 1 :])
    assert certify(of, replace(dear, prices=prices)).floor <= best.cost + 1e-6


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_fees_that_a_range_pays_count_in_its_distance(rate):
    pays = arc(0, 1, 0.999, 0.999, 0.999, fixed=30.0, payer=0)
    of = charged(network((800, 200), [pays], [(0.4, 0.7), (0.3, 0.6)]), rate, (0.5, 0.5))
    flow = solve(of, budget=EXACT)
    assert pytest.approx(Truth(of).cost(1e-6), abs=1e-5) == flow.cost
    assert flow.bound == pytest.approx(flow.cost, abs=1e-5)


def test_swaps_weigh_distances_too():
    level = [Arc(tail=0, head=1, ladder=((0, 0), (250, 250)), fixed=fixed) for fixed in (4.0, 1.0)]
    of = charged(network((700, 300), level, [(0.0, 0.5), (0.0, 1.0)]), 0.5, (0.4, 0.6))
    arrays = table(of)
    start = np.where(np.arange(2) == 0, 220.0, 0.0)[arrays.origin] * arrays.scale
    shared = coupling(arrays, 0.5 * arrays.whole, elastic=False, near=outcome(arrays, start).off)
    found = Swaps(arrays, shared, sizes(hull(arrays), shared), np.ones(2, dtype=np.bool_))
    sold, _ = found.improved(start > 0, 100)
    assert [1] == arrays.origin[sold > 0].tolist()
    assert pytest.approx(250, abs=6) == sold.sum() / arrays.scale


def test_many_arcs_are_proven_with_the_charge_as_well():
    of = charged(CHEAP, 0.05)
    many, exact = solve(of, budget=Budget(most_arcs=0)), solve(of, budget=EXACT)
    assert many.bound <= exact.cost + 1e-6
    assert exact.bound <= many.cost + 1e-6


@settings(max_examples=40)
@given(charged_networks())
def test_shares_and_swaps_prove_nothing_false(of: Network):
    found, exact = solve(of, budget=Budget(most_arcs=0)), solve(of, budget=EXACT)
    dust = 1e-6 * sum(of.start)
    if exact.missed == 0 == found.missed:
        assert found.bound <= exact.cost + dust
        assert exact.bound <= found.cost + dust


def test_the_charge_is_worked_out_alike_here_and_there():
    of = charged(CHEAP, 0.05)
    arrays, flow = table(of), solve(of)
    after = np.array(ends(flow)) * arrays.scale
    assert pytest.approx(flow.charge) == charge(arrays, after) / arrays.scale


@settings(max_examples=40)
@given(charged_networks(), st.sampled_from([1.5, 4.0, 30.0]))
def test_all_rates_larger_end_no_farther_and_cost_no_less(of: Network, times: float):
    """To within what is not proven; distances are counted at the first rates."""
    ranges = tuple(replace(each, rate=each.rate / times) for each in of.ranges)
    few, many = solve(replace(of, ranges=ranges), budget=EXACT), solve(of, budget=EXACT)
    if few.missed > 0 or many.missed > 0 or not any(each.rate > 0 for each in of.ranges):
        return
    # Of two optima at rates 1 and k: charge grows less than k times, trading costs no less.
    unsure = few.cost - few.bound + many.cost - many.bound + 1e-6 * sum(of.start)
    assert many.charge / times <= few.charge + unsure / (times - 1)
    assert many.cost - many.charge >= few.cost - few.charge - unsure * times / (times - 1)
