"""The solver's question leaves no plan out, and its answer becomes moves again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from portfolios import (
    ARB,
    BASE,
    CHAIN,
    ONE,
    USDC,
    WBTC,
    WETH,
    edge,
    edges,
    holdings,
    limits,
    policy,
    problem,
    spread,
    spread_policy,
    spread_prices,
    spread_problem,
)
from random_problems import problems

from agent.core.money import Bps
from agent.core.policy import Range
from agent.planning.board import Board, board
from agent.planning.curve import Curve
from agent.planning.goals import goals
from agent.planning.greedy import Tries
from agent.planning.legs import legs
from agent.planning.loom import _moves as moves_of
from agent.planning.loom import missed
from agent.planning.network import Flow
from agent.planning.outlook import outlook
from agent.planning.pull import Aims
from agent.planning.question import followed as followed_by
from agent.planning.stretch import along, offered, shortened
from agent.planning.unravel import unravelled
from agent.planning.weave import Tension, weave

CENT = Decimal("0.01")


def question(place, tolerated=Decimal(0)):
    """What the solver is asked about a board, with the goals behind it."""
    aim = "target" if place.problem.policy.trigger.rebalance_to == "target" else "edge"
    aims = Aims(goals(place.problem.policy, aim, stop_at_target=True), surely=aim == "edge")
    return weave(place, aim, (tolerated,) * len(aims.wanted)), aims


def ways_asked_of(asked):
    return [way for strand in asked.strands for way, _ in strand]


def followed(asked, seen):
    """What an outlook's trades sell on each arc."""
    arc_of = {way.index: arc for arc, strand in enumerate(asked.strands) for way, _ in strand}
    sold = [0.0] * len(asked.strands)
    for done in seen.trades:
        sold[arc_of[done.way.index]] += float(done.sold_value)
    return sold


def after(network, sold):
    """Values by node: all that is expected, and what lower limits count."""
    expected, sure = list(network.start), list(network.start)
    for arc, value in zip(network.arcs, sold, strict=True):
        if value:
            brought = along(arc.ladder, value)
            for values, part in ((expected, 1.0), (sure, arc.sure)):
                values[arc.tail] -= value
                values[arc.head] += brought * part
                if arc.payer >= 0:
                    values[arc.payer] -= arc.fixed
    return expected, sure


def misses(network, sold):
    expected, sure = after(network, sold)
    whole = sum(expected)
    return sum(
        max(
            0.0,
            each.low * whole - each.tolerance - sum(sure[node] for node in each.nodes),
            sum(expected[node] for node in each.nodes) - each.high * whole - each.tolerance,
        )
        for each in network.ranges
    )


def is_coarse(done):
    """Whether a base unit is so much of what a trade brings that limits of price do not show."""
    return done.expected < 10**5


@settings(max_examples=20, deadline=None)
@given(problems)
def test_every_plan_is_an_answer_to_what_the_solver_is_asked_and_costs_no_more_there(asked):
    place = board(asked)
    if not isinstance(place, Board):
        return
    woven, aims = question(place)
    network, tries = woven.network, Tries(place)
    for found in (*tries.to_edge, *tries.to_target):
        seen = found.outlook
        event(f"trades: {min(4, len(seen.trades))}")
        if any(is_coarse(done) for done in seen.trades):
            continue
        sold = followed(woven, seen)
        used = [(arc, value) for arc, value in zip(network.arcs, sold, strict=True) if value]
        assert all(arc.least * 0.9999 <= value <= arc.most * 1.0001 for arc, value in used)
        assert sum(value for _, value in used) <= network.max_turnover + 1e-6
        assert sum(value for arc, value in used if arc.via) <= network.max_in_flight + 1e-6
        cost = sum(value - along(arc.ladder, value) + arc.fixed for arc, value in used)
        assert cost <= float(seen.cost) + 1e-3
        # To lose more on purpose makes what is too much less: no trade has to pay for that.
        lost = (float(seen.cost) - cost) * len(aims.wanted)
        truly = float(missed(aims, seen, (Decimal(0),) * len(aims.wanted)))
        assert misses(network, sold) <= (truly + lost) * (1 + 1e-9) + 1e-3


def test_what_is_drawn_tighter_is_narrower_shorter_dearer_and_fewer():
    place = board(problem())
    usual, _ = question(place)
    tight = Tension(
        inside={0: (3000.0, 2000.0), 1: (9000.0, 9000.0)},
        used={0: 1000.0},
        without=frozenset({1}),
        dearer={CHAIN: 7.0},
        kept={CHAIN: 100.0},
    )
    drawn = weave(place, "edge", (Decimal(0),) * 3, tight)
    before, now = usual.network, drawn.network
    assert [1] == sorted(
        {way.index for way in ways_asked_of(usual)} - {way.index for way in ways_asked_of(drawn)}
    )
    assert (0.45, 0.55) == (before.ranges[0].low, before.ranges[0].high)
    assert (0.4875, 0.525) == (now.ranges[0].low, now.ranges[0].high)
    # More than there is room for leaves the middle.
    assert now.ranges[1].low == now.ranges[1].high == pytest.approx(0.3)
    assert before.arcs[0].most - 1000 == pytest.approx(now.arcs[0].most)
    assert before.arcs[0].fixed + 7 == pytest.approx(now.arcs[0].fixed)
    assert 100 == pytest.approx(sum(before.free) - sum(now.free))


def test_trades_on_ways_that_are_not_asked_for_are_no_start():
    place = board(problem())
    seen = Tries(place).best("cheapest").outlook
    asked, aims = question(place)
    assert sum(followed_by(asked, seen).sold) >= float(seen.turnover)
    without = Tension(without=frozenset({seen.trades[0].way.index}))
    fewer = weave(place, "edge", (Decimal(0),) * len(aims.wanted), without)
    assert followed_by(fewer, seen) is None


def test_a_wrap_is_no_trade_and_costs_its_gas():
    woven, _ = question(board(problem()))
    arcs = list(zip(woven.network.arcs, woven.strands, strict=True))
    (turn,) = (arc for arc, strand in arcs if not strand)
    assert (False, 0.138) == (turn.trade, turn.fixed)
    assert all(arc.trade for arc, strand in arcs if strand)


def test_ways_of_one_venue_over_shared_pools_are_one_arc_and_the_best_of_them_is_taken():
    alone = edge(WETH, USDC, depth="1000000", pools=("a",))
    several = edge(WETH, USDC, depth="3000000", gas=900_000, pools=("a", "b"))
    apart = edge(WETH, USDC, depth="2000000", pools=("c",))
    asked, _ = question(board(problem(edges=(alone, several, apart))))
    together, other = sorted((s for s in asked.strands if s), key=len, reverse=True)
    assert (2, 1) == (len(together), len(other))
    place = asked.strands.index(together)
    found = [asked.way(place, size) for size in (500.0, 20_000.0)]
    assert [alone, several] == [way.edge for way, _ in found]
    arc = asked.network.arcs[place]
    for size in (100.0, 500.0, 5_000.0, 20_000.0, 27_000.0):
        left = along(arc.ladder, size) - arc.fixed
        fitting = [own for _, own in together if size <= own.most]
        assert all(left >= along(own.ladder, size) - own.fixed - 1e-9 for own in fitting)
    assert asked.way(place, arc.most * 2) is None


def test_of_what_stands_alone_and_others_between_the_same_tokens_one_is_used():
    surveyed = [edge(WETH, USDC, depth=depth, pools=(depth,)) for depth in ("1000000", "2000000")]
    asked = [
        replace(edge(sell, buy, depth="3000000", via=via), alone=True)
        for sell, buy, via in ((WETH, USDC, "one"), (WETH, WBTC, "one"), (WETH, WBTC, "two"))
    ]
    far = replace(edge(WBTC, USDC), alone=True)
    found, _ = question(board(problem(edges=(*asked, *surveyed, far))))
    names = {
        place: (strand[0][0].edge.via, strand[0][0].edge.buy.symbol)
        for place, strand in enumerate(found.strands)
        if strand
    }
    rows = [sorted(names[place] for place, *_ in joint.terms) for joint in found.network.joints]
    with_router = [("one", "USDC"), ("router", "USDC")]
    assert [with_router, with_router, [("one", "WBTC"), ("two", "WBTC")]] == sorted(rows)


def test_floats_that_add_up_to_a_little_more_than_is_held_wrap_nothing():
    place = board(problem(holdings(ETH="10", WETH="6", WBTC="0.1", USDC="9000")))
    asked, _ = question(place)
    arcs, strands = asked.network.arcs, asked.strands
    sales = [at for at, each in enumerate(strands) if each and each[0][0].edge.sell == WETH]
    held = asked.network.free[arcs[sales[0]].tail]
    sold = [0.0] * len(arcs)
    for at, part in zip(sales, (1 / 3, 2 / 3), strict=True):
        sold[at] = held * part * (1 + 1e-14)
    flow = Flow(sold=tuple(sold), cost=0.0, bound=0.0, missed=0.0)
    seen = outlook(place, moves_of(place, asked, flow))
    assert ["swap", "swap"] == [leg.kind for leg in legs(seen)]


def test_a_chain_that_nothing_can_pay_on_is_left_out():
    held = spread((ONE, {"usdc": "50000"}), (ARB, {"weth": "9"})) | {BASE.eth: 0}
    sales = (edge(each.usdc, each.weth, quoted=spread_prices()) for each in (ONE, BASE))
    asked = spread_problem(held, edges=tuple(sales))
    woven, _ = question(board(asked))
    assert [ONE.usdc] == [way.edge.sell for way in ways_asked_of(woven)]


def test_where_gas_may_have_to_be_brought_it_may_be_less_than_a_trade():
    few = {"limits": limits(min_trade=Decimal(50))}
    full, short = (
        board(problem(holdings(ETH=eth, WBTC="2", USDC="9000"), policy=policy(**few)))
        for eth in ("10", "0.05")
    )
    least = [
        {
            arc.least
            for arc, strand in zip(woven.network.arcs, woven.strands, strict=True)
            for way, _ in strand
            if way.edge.buy == WETH
        }
        for woven, _ in map(question, (full, short))
    ]
    assert [{50.0}, {0.0}] == least
    firm = weave(short, "edge", (Decimal(0),) * 3, Tension(firm=True))
    assert {50.0} == {arc.least for arc in firm.network.arcs if arc.trade}


def test_what_is_never_passed_on_counts_with_its_minimum():
    """WBTC is bought and never sold; a minimum is half a percent below what is expected."""
    place = board(problem(edges=(edge(WETH, WBTC, most="40000"), edge(WETH, USDC, most="40000"))))
    own = replace_limits(place, max_price_impact_bps=Bps(300))
    woven, _ = question(own)
    assert {0.995} == {round(arc.sure, 6) for arc in woven.network.arcs if arc.trade}
    both = board(problem(edges=edges(WETH, WBTC, USDC, most="40000")))
    woven, _ = question(both)
    assert {1.0} == {arc.sure for arc in woven.network.arcs if arc.trade}


def replace_limits(place, **changed):
    asked = place.problem
    return board(
        problem(
            dict(asked.snapshot.balances),
            policy=policy(limits=limits(**changed)),
            edges=asked.edges,
        )
    )


def test_limits_of_parts_on_chains_are_asked_for():
    own = {"by_chain": {BASE.chain: Range(Bps(1000), Bps(4000))}}
    asked = spread_problem(spread((ONE, {"usdc": "900"})), policy=spread_policy(**own))
    woven, _ = question(board(asked))
    last = woven.network.ranges[-1]
    assert (0.1, 0.4) == (last.low, last.high)
    assert sum(woven.network.start[node] for node in last.nodes) == pytest.approx(300)


# ---- ladders ------------------------------------------------------------------------------------


def line(*points, is_bridge=False):
    sold, brought = zip(*points, strict=True)
    return Curve(sold=sold, brought=brought, gas=0.0, is_bridge=is_bridge)


def test_a_ladder_is_used_where_it_loses_no_more_than_may_be():
    found = offered(line((100.0, 99.0), (200.0, 190.0)), 0.03, 1e9)
    assert ((0.0, 0.0), (100.0, 99.0)) == found[:2]
    assert (97 / 100) == pytest.approx(found[2][1] / found[2][0])
    assert 3 == len(found)


def test_a_bridge_begins_at_its_least_and_where_its_fee_is_small_enough():
    points = ((10.0, 8.0), (100.0, 98.0), (1000.0, 995.0))
    found = offered(line(*points, is_bridge=True), 0.05, 1e9)
    assert pytest.approx(0.95) == found[0][1] / found[0][0]
    assert points[1:] == found[1:]
    assert points == offered(line(*points, is_bridge=True), 0.3, 1e9)


def test_a_ladder_that_loses_too_much_everywhere_is_none():
    assert () == offered(line((100.0, 90.0), (200.0, 170.0)), 0.01, 1e9)


def test_a_ladder_ends_where_a_limit_ends_it():
    points = ((100.0, 99.0), (200.0, 197.0))
    assert ((0.0, 0.0), (100.0, 99.0), (150.0, 148.0)) == offered(line(*points), 0.1, 150.0)
    assert ((0.0, 0.0), (100.0, 99.0)) == offered(line(*points), 0.1, 100.0)
    assert () == offered(line(*points, is_bridge=True), 0.1, 50.0)
    assert () == offered(line(*points, is_bridge=True), 0.1, 100.0)


def test_what_others_have_used_of_a_ladder_is_gone():
    points = ((0.0, 0.0), (100.0, 99.0), (200.0, 190.0))
    assert ((0.0, 0.0), (50.0, 49.5), (150.0, 140.5)) == shortened(points, 50.0)
    assert () == shortened(points, 200.0)
    assert points[1:] == shortened(points[1:], 50.0)
    assert points == shortened(points, 0.0)


def test_a_ladder_of_one_point_brings_that():
    assert 9.0 == along(((10.0, 9.0),), 10.0)


# ---- a flow becomes moves -----------------------------------------------------------------------


def ways(place, *pairs):
    by_ends = {(way.edge.sell, way.edge.buy): way for way in place.ways}
    return [by_ends[pair] for pair in pairs]


def test_a_flow_that_goes_on_becomes_one_move_and_the_rest_another():
    place = board(problem())
    first, then = ways(place, (WETH, USDC), (USDC, WBTC))
    moves = unravelled(place, {first: 5000.0, then: 6000.0}, {first: 4990.0, then: 5980.0})
    told = {move.route.ways: round(move.route.ways[0].sold_value(move.raw), 2) for move in moves}
    assert {(first, then): 5000, (then,): 1010} == told


def test_what_goes_round_is_left_out():
    place = board(problem())
    there, back = ways(place, (WETH, USDC), (USDC, WETH))
    moves = unravelled(place, {there: 5000.0, back: 2000.0}, {there: 4990.0, back: 1990.0})
    assert [(there,), 3000] == [
        moves[0].route.ways,
        round(moves[0].route.ways[0].sold_value(moves[0].raw)),
    ]
    assert 1 == len(moves)


def test_several_ways_that_share_an_arrival_take_its_parts_in_their_order():
    place = board(problem())
    first, one, two = ways(place, (WETH, USDC), (USDC, WBTC), (USDC, WETH))
    moves = unravelled(place, {first: 100.0, one: 60.0}, {first: 100.0, one: 59.0})
    assert [(first, one), (first,)] == sorted((m.route.ways for m in moves), key=len, reverse=True)
    assert two not in {way for move in moves for way in move.route.ways}


@settings(max_examples=15, deadline=None)
@given(problems)
def test_the_trades_of_any_plan_unravel_to_moves_that_sell_the_same(asked):
    place = board(asked)
    if not isinstance(place, Board):
        return
    found = Tries(place).best("cheapest")
    seen = found.outlook
    sold = {done.way: float(done.sold_value) for done in seen.sold.values()}
    brought = {done.way: float(done.expected_value) for done in seen.sold.values()}
    again = outlook(place, unravelled(place, sold, brought))
    event(f"moves: {len(seen.moves)}")
    if isinstance(again, str):  # a least size or a limit may be crossed by rounding
        return
    for done in again.sold.values():
        assert float(done.sold_value) <= sold[done.way] * 1.001 + 0.01
