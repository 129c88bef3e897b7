"""Which pairs and sizes a survey is asked for."""

from __future__ import annotations

from decimal import Decimal

from portfolios import (
    CHAIN,
    DEMO,
    ETH,
    NOW,
    OTHER,
    STETH,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    holdings,
    limits,
    policy,
    prices,
    snapshot,
    trigger,
    whole,
)

from agent.core.decide import History, Rest, decide
from agent.core.policy import Range
from agent.core.price import Prices
from agent.core.value import value
from agent.planning.greedy import plan
from agent.planning.needs import pairs_needed


def needed(held=DEMO, *, quoted=None, wrapped=None, **wishes):
    own, quoted = policy(**wishes), quoted or prices()
    valuation = value(snapshot(held), quoted, own)
    decision = decide(valuation, own, History(), NOW, asked=True)
    wraps = {CHAIN: WETH} if wrapped is None else wrapped
    return pairs_needed(valuation, decision, own, prices=quoted, wrapped=wraps)


def names(needs):
    return {(sell.symbol, buy.symbol) for sell, buy in needs.pairs}


def test_exact_targets_need_pairs_from_what_is_above_to_what_is_below():
    needs = needed(trigger=trigger(rebalance_to="target"))
    assert {("WETH", "USDC"), ("WETH", "WBTC")} == names(needs)
    assert {WETH: 8_000 * 10**18 // 3_000 + 1} == needs.sizes


def test_bands_let_everything_give_and_take_that_is_not_at_its_edge():
    assert {("WETH", "USDC"), ("WETH", "WBTC")} == names(needed())
    assert names(needed()) == names(needed(by_chain={CHAIN: Range()}))
    held = holdings(ETH="16", WBTC="0.2", USDC="21000")
    assert ("USDC", "WBTC") in names(needed(held))


def test_native_and_wrapped_need_one_pair():
    needs = needed(holdings(ETH="16", WBTC="0.2", USDC="20000"))
    assert {("WETH", "USDC"), ("WETH", "WBTC")} == names(needs)
    assert len(needs.pairs) == len(set(needs.pairs))


def test_native_without_a_wrapped_form_needs_nothing():
    own = assets(("ETH", (ETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
    held = holdings(ETH="16", WBTC="0.2", USDC="20000")
    assert () == needed(held, wrapped={}, assets=own).pairs


def test_counted_holdings_are_neither_sold_nor_bought():
    own = assets(("ETH", (STETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,))
    held = {STETH: whole(STETH, "1"), WBTC: 10**8, USDC: 10**10}
    assert all("STETH" not in pair for pair in names(needed(held, assets=own)))


def test_what_is_not_held_is_not_sold():
    needs = needed(holdings(ETH="10", WBTC="0", USDC="50000"))
    assert "WBTC" not in {sell for sell, _ in names(needs)}


def test_pairs_stay_on_their_chain():
    own = assets(("ETH", (ETH, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC, USDC_BASE)))
    held = {**DEMO, USDC_BASE: whole(USDC_BASE, "90000")}
    needs = needed(held, assets=own, chains=(CHAIN, OTHER))
    assert all(sell.chain == buy.chain for sell, buy in needs.pairs)


def test_sizes_stop_at_what_one_run_may_move():
    needs = needed(limits=limits(max_run_value=Decimal(300)))
    assert {WETH: 10**17} == needs.sizes


def test_rest_and_unknown_values_need_nothing():
    inside = holdings(ETH="13.33", WBTC="0.26", USDC="24000")
    assert () == needed(inside).pairs
    quoted = prices()
    unpriced = Prices({"USDC": quoted.by_asset["USDC"]}, {}, quoted.asset_of)
    assert () == needed(quoted=unpriced).pairs


def test_edges_for_the_needs_are_enough_for_a_plan():
    from portfolios import edge, problem

    needs = needed()
    found = tuple(edge(sell, buy) for sell, buy in needs.pairs)
    assert plan(problem()).legs == plan(problem(edges=found)).legs


def test_unknown_value_with_a_wish_needs_nothing():
    own = policy(chains=(CHAIN, OTHER))
    valuation = value(snapshot(DEMO), prices(), own)
    assert isinstance(decide(valuation, own, History(), NOW), Rest)
    wish = decide(value(snapshot(DEMO), prices(), policy()), policy(), History(), NOW)
    assert () == pairs_needed(valuation, wish, own, prices=prices(), wrapped={}).pairs
