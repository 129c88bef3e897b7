"""Which pairs and sizes a survey is asked for."""

from __future__ import annotations

from decimal import Decimal

from portfolios import (
    ARB,
    BASE,
    CHAIN,
    DEMO,
    ETH,
    NOW,
    ONE,
    OTHER,
    PLACES,
    STETH,
    THIRD,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    bridges_between,
    holdings,
    limits,
    place,
    policy,
    price,
    prices,
    problem,
    snapshot,
    spread,
    spread_policy,
    spread_problem,
    swaps_on,
    token,
    trigger,
    whole,
)
from portfolios import (
    greedy_plan as plan,
)

from agent.core.decide import History, Rest, decide
from agent.core.money import Bps, ChainId
from agent.core.policy import Range, Target
from agent.core.price import Prices
from agent.core.value import value
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


def test_pairs_of_one_chain_change_the_asset_and_pairs_of_two_keep_it():
    own = assets(("ETH", (ETH, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC, USDC_BASE)))
    held = {**DEMO, USDC_BASE: whole(USDC_BASE, "90000")}
    needs = needed(held, assets=own, chains=(CHAIN, OTHER))
    asset_of = prices().asset_of
    for sell, buy in needs.pairs:
        assert (sell.chain == buy.chain) == (asset_of[sell] != asset_of[buy])
    assert (USDC_BASE, USDC) in needs.pairs


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


# ---- several chains -------------------------------------------------------------------------


def needed_on_three(held, *, idle=(), own=None):
    asked = spread_problem(held, policy=own or spread_policy())
    return pairs_needed(
        asked.valuation,
        asked.decision,
        asked.policy,
        prices=asked.prices,
        wrapped=asked.wrapped,
        idle=idle,
    )


MUCH_ETH = spread((ONE, {"weth": "16", "wbtc": "0.2", "usdc": "20000"}))


def test_gas_coin_is_sold_to_bridges_in_both_forms_and_arrives_as_itself():
    pairs = needed_on_three(MUCH_ETH).pairs
    far = {(sell, buy) for sell, buy in pairs if sell.chain != buy.chain}
    assert {(ONE.eth, BASE.eth), (ONE.weth, BASE.eth)} <= far
    assert not any(buy.symbol == "WETH" for _, buy in far)
    assert all(not t.is_native for pair in set(pairs) - far for t in pair)


def test_asset_that_can_be_bought_with_what_is_bridged_is_looked_for_elsewhere():
    pairs = needed_on_three(MUCH_ETH).pairs
    assert {(ONE.weth, ONE.usdc), (ONE.usdc, BASE.usdc), (BASE.usdc, BASE.wbtc)} <= set(pairs)
    assert (BASE.weth, BASE.wbtc) in pairs


def test_nothing_is_looked_for_on_an_idle_chain():
    pairs = needed_on_three(MUCH_ETH, idle=(OTHER,)).pairs
    assert {CHAIN, THIRD} == {token.chain for pair in pairs for token in pair}


def test_what_is_not_too_much_may_still_have_to_leave_a_chain():
    own = spread_policy(by_chain={CHAIN: Range(Bps(0), Bps(6_000))})
    held = spread((ONE, {"weth": "13", "wbtc": "0.2667", "usdc": "24000"}))
    needs = needed_on_three(held, own=own)
    assert (ONE.usdc, BASE.usdc) in needs.pairs
    # All lies on one chain, and four tenths of it have to go.
    assert 30_000 < needs.sizes[ONE.usdc] / 10**6


def test_gas_that_is_short_is_looked_for_where_it_is_short():
    held = spread((ONE, {"weth": "16"}), (BASE, {"eth": "0", "wbtc": "0.1", "usdc": "20000"}))
    assert (BASE.wbtc, BASE.weth) in needed_on_three(held).pairs
    assert (BASE.wbtc, BASE.weth) not in needed_on_three({**held, BASE.eth: 10**17}).pairs


def test_pairs_of_many_chains_stay_few():
    places = [place(ChainId(chain)) for chain in range(1, 9)]
    names = ("weth", "usdc", "wbtc", "dai")
    more = {where: [token(f"T{i}", 18, where.chain) for i in range(2)] for where in places}
    own = assets(
        ("ETH", tuple(t for w in places for t in (w.eth, w.weth))),
        *((name.upper(), tuple(getattr(w, name) for w in places)) for name in names[1:]),
        *((f"T{i}", tuple(more[w][i] for w in places)) for i in range(2)),
    )
    asset_of = {i.token: asset.name for asset in own for i in asset.instances}
    worth = {name: price(name, "10") for name in set(asset_of.values())}
    held = {t: 1_000 * t.unit for t in asset_of} | {w.usdc: 9_000 * 10**6 for w in places}
    share = {name: Target(Bps(1_600), Bps(100)) for name in worth} | {
        "USDC": Target(Bps(2_000), Bps(100))
    }
    wishes = policy(assets=own, targets=share, chains=tuple(w.chain for w in places))
    asked = problem(
        held,
        policy=wishes,
        prices=Prices(worth, {}, asset_of),
        edges=(),
        wrapped={w.chain: w.weth for w in places},
    )
    found = pairs_needed(
        asked.valuation, asked.decision, wishes, prices=asked.prices, wrapped=asked.wrapped
    )
    assert 300 < len(found.pairs) < 800


def test_edges_for_the_needs_are_enough_for_a_plan_over_chains():
    whole_market = swaps_on(ONE, fee_bps=90) + swaps_on(BASE, ARB) + bridges_between(*PLACES)
    pairs = set(needed_on_three(MUCH_ETH).pairs)
    some = tuple(e for e in whole_market if (e.sell, e.buy) in pairs)
    assert len(some) < len(whole_market)
    every, needed_ones = (plan(spread_problem(MUCH_ETH, edges=e)) for e in (whole_market, some))
    assert every.legs == needed_ones.legs
    assert "bridge" in {leg.kind for leg in every.legs}


def test_unknown_value_with_a_wish_needs_nothing():
    own = policy(chains=(CHAIN, OTHER))
    valuation = value(snapshot(DEMO), prices(), own)
    assert isinstance(decide(valuation, own, History(), NOW), Rest)
    wish = decide(value(snapshot(DEMO), prices(), policy()), policy(), History(), NOW)
    assert () == pairs_needed(valuation, wish, own, prices=prices(), wrapped={}).pairs
