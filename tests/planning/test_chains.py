"""Plans over several chains by example: what is bridged, and what is said about it."""

from __future__ import annotations

from decimal import Decimal

from portfolios import (
    ARB,
    BASE,
    CHAIN,
    ONE,
    OTHER,
    PLACES,
    bridges_between,
    spread,
    spread_policy,
    spread_problem,
    swaps_on,
)

from agent.core.money import Bps
from agent.core.plan import Plan
from agent.core.policy import Range
from agent.planning.greedy import plan
from agent.planning.problem import NoPlan

HERE = Range(Bps(0), Bps(8_000))
BALANCED = {"weth": "13", "wbtc": "0.26", "usdc": "24000"}


def planned(held=None, **changed):
    made = plan(spread_problem(held, **changed))
    assert isinstance(made, Plan), made
    return made


def refused(held=None, **changed):
    made = plan(spread_problem(held, **changed))
    assert isinstance(made, NoPlan), made
    return made.why


def moves(made):
    return [
        (leg.kind, leg.sell.token.symbol, leg.sell.token.chain, leg.buy.symbol, leg.buy.chain)
        for leg in made.legs
    ]


# ---- limits of chains -----------------------------------------------------------------------


def test_chain_that_holds_too_much_sends_some_of_it_to_another():
    own = spread_policy(by_chain={CHAIN: HERE})
    made = planned(spread((ONE, BALANCED)), policy=own)
    ((kind, sold, source, bought, goal),) = moves(made)
    assert ("bridge", sold, CHAIN) == (kind, bought, source)
    assert goal != CHAIN
    (leg,) = made.legs
    assert leg.expected_out < leg.planned_sell.raw
    assert not any("stays" in line for line in made.why)


def test_without_a_bridge_a_chain_stays_too_large_and_that_is_said():
    own = spread_policy(by_chain={CHAIN: HERE})
    why = refused(spread((ONE, BALANCED)), policy=own, edges=swaps_on(*PLACES))
    assert "no way to another chain is known" in why[0]


def test_asset_on_a_chain_that_is_too_large_goes_to_another():
    own = spread_policy(by_asset_on_chain={("USDC", CHAIN): Range(Bps(0), Bps(2_000))})
    made = planned(spread((ONE, BALANCED)), policy=own, edges=bridges_between(*PLACES))
    assert [("bridge", "USDC", CHAIN)] == [move[:3] for move in moves(made)]
    assert any("of USDC goes from eip155:1 to " in line for line in made.why)


# ---- routes ---------------------------------------------------------------------------------


def test_asset_that_is_cheap_elsewhere_only_is_bought_there():
    found = swaps_on(ONE, fee_bps=90) + swaps_on(BASE) + bridges_between(ONE, BASE)
    held = spread((ONE, {"weth": "15.3", "wbtc": "0.2", "usdc": "24000"}))
    made = planned(held, edges=found)
    assert [
        ("bridge", "WETH", CHAIN, "ETH", OTHER),
        ("wrap", "ETH", OTHER, "WETH", OTHER),
        ("swap", "WETH", OTHER, "WBTC", OTHER),
    ] == moves(made)
    bridge, wrap, swap = made.legs
    assert (bridge.id,) == wrap.sell.arrivals == wrap.after
    assert (wrap.id,) == swap.sell.arrivals == swap.after
    dear = dict(made.alternatives)["without bridges"]
    assert dear > made.cost
    (line,) = (line for line in made.why if line.startswith("ETH on eip155:1"))
    assert line.endswith("of WBTC on eip155:8453, bridged by across")


def test_money_of_the_plan_is_the_sum_of_its_legs_on_all_chains():
    found = swaps_on(ONE, fee_bps=90) + swaps_on(BASE, ARB) + bridges_between(*PLACES)
    held = spread((ONE, {"weth": "15.3", "wbtc": "0.2", "usdc": "24000"}))
    made = planned(held, edges=found)
    assert sum(leg.cost for leg in made.legs) == made.cost
    assert sum(leg.gas_cost for leg in made.legs) == made.gas_if_reverted
    assert made.cost < made.worst_case
    assert Decimal(0) == sum(s.after - s.before for s in made.standings).quantize(Decimal("0.1"))
