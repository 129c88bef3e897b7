"""Ways that share pools: each is met as earlier ones left it, and no bound counts a pool twice."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from amm_pools import v2_pool
from hypothesis import event, given, settings
from hypothesis import strategies as st
from portfolios import USDC, WBTC, WETH, edge, problem
from shared_pools import pool_problem, real_outs, sampled, settled, units

from agent.core.amm.path import Hop, PathQuote, Pool, follow
from agent.core.money import Address, Token
from agent.core.plan import Plan
from agent.planning import question as question_of_boards
from agent.planning.board import Board, board
from agent.planning.certify import _Done
from agent.planning.goals import goals
from agent.planning.joint import Cut, basins, cuts, is_waste, together
from agent.planning.ladder import bought
from agent.planning.milp import solve
from agent.planning.network import Arc, Flow, Network, Range
from agent.planning.outlook import outlook
from agent.planning.planner import plan
from agent.planning.pool_curve import pool_curve
from agent.planning.pull import Aims
from agent.planning.route import Move, Route
from agent.planning.stretch import along
from agent.planning.trade import Trade, exactly, trade
from agent.planning.wake import _paid, _round, wake
from agent.planning.way import Way
from agent.planning.weave import weave

seeds = st.integers(0, 10**6)
IMPACT = 0.01


def a_board(seed: int) -> Board:
    place = board(pool_problem(seed))
    assert isinstance(place, Board)
    return place


def some_legs(place: Board, rng: random.Random):
    """Ways in any order, some of them twice, and what they sell."""
    ways = rng.choices(place.ways, k=rng.randint(1, 5))
    return [(way, int(way.edge.ladder[-1][0] * 10 ** rng.uniform(-2.5, -0.4))) for way in ways]


def question(place: Board):
    tolerated = tuple(
        goal.tolerance for goal in goals(place.problem.policy, "target", stop_at_target=True)
    )
    return weave(place, "target", tolerated)


def known_cuts(place: Board):
    """What is found to be counted twice until nothing is, and the question with all of it."""
    asked, known = question(place), []
    network, strands = asked.network, asked.strands
    for _ in range(6):
        flow = solve(network)
        more = list(cuts(place, strands, network, flow))
        if not more:
            break
        known += more
        network = together(asked.network, asked.strands, known, IMPACT)
        strands = (*asked.strands, *((),) * (len(network.arcs) - len(asked.strands)))
    return known, network, strands


@settings(max_examples=30, deadline=None)
@given(seeds, seeds)
def test_no_legs_bring_more_together_than_any_cut_says(seed: int, other: int) -> None:
    """Real pools, whole base units, any order and direction, any prices."""
    place, rng = a_board(seed), random.Random(other)
    legs = some_legs(place, rng)
    net = dict.fromkeys((WETH, WBTC, USDC), 0.0)
    (basin,) = basins(place)
    for (way, raw), out in zip(legs, real_outs(legs), strict=True):
        net[way.edge.sell] -= raw * basin.units[way.edge.sell]
        net[way.edge.buy] += out * basin.units[way.edge.buy]
    aims = [net, {token: value + rng.uniform(-2000, 2000) for token, value in net.items()}]
    for aim in aims:
        cut = basin.cut(aim)
        brought = sum(cut.prices[token] * value for token, value in net.items())
        assert brought <= cut.worth + 1e-6 * sum(map(abs, net.values()))


@settings(max_examples=20, deadline=None)
@given(seeds, seeds)
def test_a_leg_after_others_is_thought_to_bring_no_more_than_it_does(seed: int, other: int) -> None:
    place = a_board(seed)
    done: list[Trade] = []
    moved: dict[Address, Pool] = {}
    for way, raw in some_legs(place, random.Random(other)):
        found = trade(place, way, exactly(raw), done)
        if isinstance(found, str):
            event("refused")
            return
        before = wake(way, (each.draws for each in done))
        tried = [*sampled(way, raw), *([_round(place, way, before, raw)] if before else [])]
        truly, moved = max((settled(moved, paths) for paths in tried), key=lambda each: each[0])
        # Each hop loses a part of a base unit: of WBTC that is 0.0006.
        assert found.expected_value <= way.bought_value(truly) + Decimal("0.003")
        assert found.expected <= (bought(way.edge, raw) or 0)
        event("met" if before else "alone")
        done.append(found)


@settings(max_examples=25, deadline=None)
@given(seeds, seeds)
def test_whatever_legs_do_is_a_flow_of_the_question_and_costs_no_more_there(
    seed: int, other: int
) -> None:
    place = a_board(seed)
    known, network, strands = known_cuts(place)
    event(f"cuts: {len(known)}")
    legs = {way.index: (way, raw) for way, raw in some_legs(place, random.Random(other))}
    arc_of = {way.index: arc for arc, strand in enumerate(strands) for way, _ in strand}
    if len({arc_of[index] for index in legs}) < len(legs):
        return  # several ways of one strand at once are not thought of
    sold, cost = [0.0] * len(network.arcs), 0.0
    less: dict[int, float] = {}
    for (way, raw), out in zip(legs.values(), real_outs(list(legs.values())), strict=True):
        arc = network.arcs[arc_of[way.index]]
        value, brought = float(way.sold_value(raw)), float(way.bought_value(out))
        if not arc.least <= value <= arc.most or brought < (1 - IMPACT) * value:
            return  # no plan does that
        sold[arc_of[way.index]] = value
        cost += value - brought + float(way.gas_cost)
        less[arc.head] = less.get(arc.head, 0.0) + max(0.0, along(arc.ladder, value) - brought)
    for number, arc in enumerate(network.arcs):
        if is_waste(arc):
            assert arc.ladder[-1] == (arc.most, 0.0)  # nothing counts with its minimum here
            sold[number] = less.get(arc.tail, 0.0)
    done = _Done(network, Flow(sold=tuple(sold), cost=0.0, bound=0.0, missed=0.0))
    unfit = [fault for fault in done.faults() if "together" in fault or "waste" in fault]
    assert [] == unfit
    assert done.cost <= cost + 1e-6


@settings(max_examples=12, deadline=None)
@given(seeds, seeds)
def test_no_moves_that_reach_as_much_cost_less_than_the_bound(seed: int, other: int) -> None:
    """Each paid by the pools' own integers: all pairs of direct ways, and those over USDC too."""
    asked = pool_problem(seed)
    made, rng = plan(asked), random.Random(other)
    place = board(asked)
    assert isinstance(place, Board)
    if not isinstance(made, Plan) or made.bound is None:
        event("nothing is proven")
        return
    event(f"gap: {float(1 - made.bound / made.cost):.3f}")
    aims = Aims(goals(asked.policy, "target", stop_at_target=True), surely=False)
    for first in ways_of(place, WETH, WBTC):
        for then in ways_of(place, WETH, USDC):
            for last in ways_of(place, USDC, WBTC):
                direct = rng.choice((0.0, rng.uniform(0, 1), 1.0))
                wanted = [
                    (Route((first,)), 4000 * direct),
                    (Route((then,)), 4000.0),
                    (Route((then, last)), 4000 * (1 - direct)),
                ]
                more = rng.uniform(1.0, 1.003)
                moves = [
                    Move(route, int(value * more / units(WETH))) for route, value in wanted if value
                ]
                seen = outlook(place, moves)
                if isinstance(seen, str) or aims.shortfall(seen):
                    event("other goals")
                    continue
                legs = [(done.way, done.raw) for done in seen.trades]
                truly = [
                    way.bought_value(out)
                    for (way, _), out in zip(legs, real_outs(legs), strict=True)
                ]
                lost = sum(done.sold_value for done in seen.trades) - sum(truly)
                assert made.bound <= lost + seen.gas + Decimal("0.01")
                event("compared")


def ways_of(place: Board, sell: Token, buy: Token) -> list[Way]:
    return [way for way in place.ways if (way.edge.sell, way.edge.buy) == (sell, buy)]


def test_without_cuts_a_pool_counts_once_for_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds_, bounds = (4, 13, 9), []
    for _ in range(2):
        made = [plan(pool_problem(seed)) for seed in seeds_]
        plans = [each for each in made if isinstance(each, Plan)]
        bounds.append([float(each.bound or 0) for each in plans])
        assert all(each.bound is not None and each.bound <= each.cost for each in plans)
        monkeypatch.setattr(question_of_boards, "cuts", lambda *_: ())
    assert all(less < 0.9 * more for more, less in zip(*bounds, strict=True)), bounds


def test_where_pools_are_shared_the_best_may_be_proven() -> None:
    made = plan(pool_problem(7))
    assert isinstance(made, Plan)
    assert made.bound is not None
    assert made.cost - made.bound < made.cost / 10_000


def test_ways_whose_paths_nobody_knows_use_up_each_others_ladders() -> None:
    both = edge(WETH, WBTC, pools=("a",)), edge(WETH, USDC, pools=("a", "b"))
    place = board(problem(edges=both))
    assert isinstance(place, Board)
    assert () == basins(place)
    first, then = ways_of(place, WETH, WBTC) + ways_of(place, WETH, USDC)
    alone = trade(place, then, exactly(10**18))
    done = trade(place, first, exactly(10**18))
    assert not isinstance(alone, str)
    assert not isinstance(done, str)
    after = trade(place, then, exactly(10**18), [done])
    assert not isinstance(after, str)
    assert after.expected == bought(then.edge, 2 * 10**18) - bought(then.edge, 10**18)
    assert after.expected < alone.expected


@given(st.integers(10**18, 10**24), st.integers(10**15, 10**23), st.booleans())
def test_a_v2_pool_pays_what_its_integers_say_after_what_went_in_before(
    first: int, then: int, zero_for_one: bool
) -> None:
    """Its fees stay in it: that is less than its curve would pay for both at once."""
    pool = v2_pool(3 * 10**24, 10**24)
    ends = (pool.token0, pool.token1) if zero_for_one else (pool.token1, pool.token0)
    hop = Hop(pool=pool, token_in=ends[0], token_out=ends[1])
    line = pool_curve(pool, zero_for_one=zero_for_one)
    moved: dict[Address, Pool] = {}
    follow([hop], first, moved)
    quote = follow([hop], then, moved)
    assert isinstance(quote, PathQuote)
    found = _paid(hop, line, float(first), float(then))
    assert pytest.approx(quote.amount_out, rel=1e-9) == found
    assert found <= line.at(float(first + then))[0] - line.at(float(first))[0] + 1.0


def test_what_counts_with_its_minimum_is_wasted_by_no_more_than_counted() -> None:
    """Half of what goes to waste stays, and counts for as much more as its minimum is less."""
    arc = Arc(tail=0, head=1, ladder=((0.0, 0.0), (100.0, 99.5)), fixed=1.0, sure=0.995)
    place = a_board(1)
    way = place.ways[0]
    cut = Cut(ways=frozenset({way.index}), prices=dict.fromkeys(place.tradable, 1.0), worth=0.0)
    low = Range(nodes=frozenset({1}), low=0.1, high=0.2)
    base = Network(start=(100.0, 0.0), free=(100.0, 0.0), arcs=(arc,), ranges=(low,))
    network = together(base, [[(way, arc)]], [cut], IMPACT)
    waste = network.arcs[1]
    assert (1, 2, 1.005) == (waste.tail, waste.head, waste.sure)
    assert ((0.0, 0.0), (1.0, 0.5)) == waste.ladder
    assert frozenset({1, 2}) == network.ranges[0].nodes
    lost, counted = 0.5, waste.ladder[-1][0] - waste.sure * waste.ladder[-1][1]
    assert pytest.approx(arc.sure * lost) == counted
    assert ((0, -1.0, 1.0, 0.0), (1, -1.0, 1.0, 0.0)) == network.joints[0].terms
