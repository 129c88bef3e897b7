"""Flows are carried out again, and their proofs worked out again, without the solver."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Truth, apart, arc, network, networks, sharing

from agent.planning import certify as certify_module
from agent.planning import proof
from agent.planning.budget import Budget
from agent.planning.certify import certify
from agent.planning.milp import solve
from agent.planning.network import Arc, Flow, Joint, Network, Range

SOLD = network(
    (700, 300, 0),
    [arc(0, 1, 0.99, 0.98, fixed=1.0), arc(0, 2, 0.99, 0.9, fixed=0.5, payer=1, least=5.0)],
    [(0.0, 0.6), (0.0, 0.5), (0.03, 0.05)],
)

TOGETHER = Joint(terms=((0, 0.0, 1.0, 0.0), (1, 0.0, 1.0, 0.0)), most=50.0)
APART = Joint(terms=((0, 0.0, 0.0, 1e3), (1, 0.0, 0.0, 1e3)), most=1e3)


@settings(max_examples=60)
@given(networks() | sharing() | apart())
def test_what_is_found_is_confirmed(of: Network) -> None:
    flow = solve(of)
    found = certify(of, flow)
    assert () == found.faults
    if flow.missed == 0:
        assert found.floor <= flow.bound + 1e-6 * sum(of.start)


@settings(max_examples=60)
@given(networks() | sharing() | apart(), st.data())
def test_no_prices_prove_more_than_the_truth(of: Network, given_: st.DataObject) -> None:
    """Whoever made them up: wrong prices make a floor low, never wrong."""
    every = Truth(of)
    dust = 1e-6 * sum(of.start)
    if every.missed > dust:
        return
    flow = solve(of, budget=Budget(gap=1e-7))
    price = st.floats(-2, 2)
    count = 5 + 2 * len(of.start) + 6 * len(of.ranges) + len(of.joints)
    prices = tuple(given_.draw(price) for _ in range(count))
    if flow.prices:
        weight = given_.draw(st.floats(0, 0.2))
        prices = tuple(good + weight * bad for good, bad in zip(flow.prices, prices, strict=True))
    assert certify(of, replace(flow, prices=prices)).floor <= every.cost(dust) + 9 * dust


def test_the_parts_that_are_confirmed_here_and_by_the_solver_are_told_apart() -> None:
    flow = solve(SOLD)
    found = certify(SOLD, flow)
    assert ((), flow.bound) == (found.faults, found.bound)
    assert pytest.approx(found.floor) == flow.floor
    assert found.floor <= found.bound <= found.cost
    assert pytest.approx(1 - found.floor / found.cost) == found.confirmed_gap


def test_nothing_costs_nothing() -> None:
    found = certify(SOLD, Flow(sold=(0.0, 0.0), cost=0.0, bound=0.0, missed=130.0))
    assert ((), 0.0) == (found.faults, found.confirmed_gap)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sold": (1.0,)}, "1 sizes for 2 arcs"),
        ({"cost": 1.0}, "its cost is"),
        ({"missed": 1.0}, "its missed value is"),
        ({"floor": 7.0}, "its prices prove"),
        ({"bound": 7.0}, "its bound of 7.000000 is above its cost"),
        ({"prices": ()}, "its prices prove -inf"),
        ({"prices": (0.0,)}, "its prices prove -inf"),
        ({"prices": tuple([0.0] * 29)}, "its prices prove"),
        ({"sold": (50.0, 300.0)}, "arc 1 sells 300.000000, which is not 5.000000 to 200.000000"),
        ({"sold": (50.0, 1.0)}, "arc 1 sells 1.000000, which is not 5.000000"),
        ({"sold": (-50.0, 50.0)}, "arc 0 sells -50.000000"),
        ({"sold": (float("nan"), 50.0)}, "arc 0 sells nan"),
    ],
)
def test_a_false_claim_is_refused(change: dict[str, object], fault: str) -> None:
    found = certify(SOLD, replace(solve(SOLD), **change))  # type: ignore[arg-type]
    assert any(fault in each for each in found.faults), found.faults


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"max_turnover": 10.0}, "more is traded than 10.000000"),
        ({"max_in_flight": 10.0}, "more is sent to other chains than 10.000000"),
        ({"max_legs": 1}, "2 trades are more than 1"),
        ({"free": (1.0, 1.0, 1.0)}, "node 0 sells"),
        ({"joints": (TOGETHER,)}, "its arcs do"),
        ({"joints": (APART,)}, "its arcs do"),
    ],
)
def test_a_limit_that_is_not_kept_is_named(change: dict[str, object], fault: str) -> None:
    bridged = replace(SOLD, arcs=tuple(replace(each, via="a bridge") for each in SOLD.arcs))
    flow = solve(bridged)
    assert 2 == sum(sold > 0 for sold in flow.sold)
    found = certify(replace(bridged, **change), flow)  # type: ignore[arg-type]
    assert any(fault in each for each in found.faults), found.faults


def test_arcs_that_lead_round_are_refused() -> None:
    arcs = [Arc(tail=a, head=b, ladder=((0, 0), (50, 50)), fixed=0) for a, b in ((0, 1), (1, 0))]
    round_ = network((500, 500), arcs, [(0, 1), (0, 1)])
    found = certify(round_, Flow(sold=(50.0, 50.0), cost=0.0, bound=0.0, missed=0.0))
    assert ("its arcs lead round, so that none could be the first",) == found.faults


def test_neither_the_solver_nor_its_arrays_have_a_part_in_it() -> None:
    names = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for module in (certify_module, proof)
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    own = {each for each in names if each and "agent" in each}
    assert {"agent.planning.network", "agent.planning.proof"} == own
    assert not names & {"numpy", "highspy"}


def test_the_price_of_a_limit_is_part_of_the_floor() -> None:
    arcs = [arc(0, 1, 0.999, via="a bridge"), arc(0, 1, 0.9)]
    for limit in ({"max_in_flight": 50.0}, {"max_turnover": 100.5}):
        of = network((600, 400), arcs, [(0, 0.505), (0, 1)], **limit)
        flow = solve(of)
        found = certify(of, flow)
        assert ((), 0.0) == (found.faults, flow.missed)
        assert found.floor == pytest.approx(found.cost, rel=1e-6)


def test_prices_of_when_more_could_be_lost_are_confirmed() -> None:
    """With less to lose another range leaves the first arc least room, and its row has no price."""
    of = Network(
        start=(429.0, 410.0, 439.0, 79.0, 0.0),
        free=(429.0, 410.0, 439.0, 39.5, 0.0),
        arcs=(
            arc(3, 0, 0.9, step=400.0, least=15.0),
            Arc(tail=0, head=2, ladder=((40, 39.8), (60, 57.8)), fixed=0.0, trade=False),
            arc(0, 4, 0.0, step=60.0, trade=False),
        ),
        ranges=(
            Range(nodes=frozenset({2, 3}), low=0.385, high=0.385, tolerance=3.0),
            Range(nodes=frozenset({3}), low=0.053, high=0.073),
        ),
    )
    assert () == certify(of, solve(of, budget=Budget(gap=1e-7))).faults


def test_prices_of_when_less_could_be_lost_prove_nothing_of_a_dearer_flow() -> None:
    """What costs more than a part of the whole is looked for anew, and its proof with it."""
    of = Network(
        start=(534.0, 4.0, 116.0, 209.0, 0.0, 0.0),
        free=(534.0, 2.0, 58.0, 104.5, 0.0, 0.0),
        arcs=(
            arc(0, 1, 0.999, 0.995, 0.5, step=75.0, trade=False),
            arc(2, 1, 0.999, 0.995, 0.99, step=75.0),
            Arc(tail=1, head=0, ladder=((75.0, 74.625), (150.0, 148.875)), fixed=0.0),
            arc(1, 4, 0.5, step=60.0, trade=False),
            arc(3, 5, 0.5, step=60.0, trade=False),
        ),
        ranges=(Range(nodes=frozenset({0}), low=0.65, high=0.65),),
    )
    flow = solve(of, budget=Budget(gap=1e-7))
    assert flow.cost > 0.02 * sum(of.start)
    assert () == certify(of, flow).faults


def test_a_loss_inside_a_range_is_as_large_as_the_exact_ladder_says() -> None:
    """By its majorant the first arc would lose less at half its size than it does."""
    of = Network(
        start=(485.0, 108.0, 304.0, 447.0, 0.0),
        free=(242.5, 108.0, 304.0, 223.5, 0.0),
        arcs=(
            arc(2, 1, 0.5, 0.97, step=20.0, sure=0.98, trade=False),
            arc(0, 3, 0.995, 0.99, 0.5, step=75.0, fixed=4.0),
            arc(3, 4, 0.0, step=60.0, trade=False),
        ),
        ranges=(Range(nodes=frozenset({0, 1, 2}), low=0.67, high=0.69),),
    )
    assert () == certify(of, solve(of, budget=Budget(gap=1e-7))).faults
