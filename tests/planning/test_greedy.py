"""Plans by example: what is traded, how it is protected, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from portfolios import (
    CHAIN,
    DEMO,
    ETH,
    NATIVE_PRICES,
    NOW,
    OTHER,
    STETH,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    edge,
    edges,
    holdings,
    limits,
    policy,
    price,
    prices,
    problem,
    token,
    trigger,
    whole,
)
from portfolios import (
    greedy_plan as plan,
)

from agent.core.codec import encode
from agent.core.decide import Rest
from agent.core.money import Bps
from agent.core.plan import Plan
from agent.core.policy import Range, Target
from agent.core.price import Prices
from agent.core.verdict import Refusal
from agent.planning.draft import PLAN_SECONDS, fingerprint
from agent.planning.ladder import bought
from agent.planning.problem import NoPlan

TO_TARGET = trigger(rebalance_to="target")
TO_EDGE = trigger(rebalance_to="edge")
NATIVE_ONLY = assets(("ETH", (ETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
ON_TWO = assets(("ETH", (ETH, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC, USDC_BASE)))


def planned(held=None, **changed):
    made = plan(problem(held, **changed))
    assert isinstance(made, Plan), made
    return made


def refused(held=None, **changed):
    made = plan(problem(held, **changed))
    assert isinstance(made, NoPlan), made
    return made.why


def moves(made):
    return [
        (leg.kind, leg.sell.token.symbol, leg.buy.symbol, leg.planned_sell.whole)
        for leg in made.legs
    ]


def after(made):
    return {standing.asset: standing.after / 100 for standing in made.standings}


# ---- what is traded -------------------------------------------------------------------------


def test_cheapest_plan_repairs_all_with_the_fewest_trades():
    made = planned()
    assert [("swap", "WETH", "WBTC", Decimal("1.36"))] == moves(made)
    assert {
        "ETH": Decimal("54.9014"),
        "USDC": Decimal("25.0009"),
        "WBTC": Decimal("20.0977"),
    } == after(made)


def test_plan_to_targets_ends_at_the_targets():
    made = planned(policy=policy(trigger=TO_TARGET))
    assert {("WETH", "USDC"), ("WETH", "WBTC")} == {move[1:3] for move in moves(made)}
    for asset, share in after(made).items():
        assert abs(share - {"ETH": 50, "WBTC": 20, "USDC": 30}[asset]) < Decimal("0.01")


def test_plan_to_the_edge_moves_no_more_than_needed():
    made = planned(
        holdings(ETH="9", WETH="9", WBTC="0.2667", USDC="25000"), policy=policy(trigger=TO_EDGE)
    )
    assert 1_749 < made.turnover < 1_900
    assert Decimal("54.8") < after(made)["ETH"] < 55


def test_cheapest_edge_is_taken():
    dear, cheap = edges(fee_bps=30, via="dear"), edges(fee_bps=5, via="cheap")
    assert {"cheap"} == {leg.via for leg in planned(edges=dear + cheap).legs}


def test_gas_is_part_of_the_price():
    own = policy(trigger=TO_EDGE)
    lean = edges(fee_bps=8, via="lean", gas=100_000)
    hungry = edges(fee_bps=5, via="hungry", gas=2_000_000)
    assert {"lean"} == {leg.via for leg in planned(edges=lean + hungry, policy=own).legs}


def test_large_need_is_split_over_edges_when_one_is_not_deep_enough():
    both = edges(via="one", depth="200000") + edges(via="two", depth="200000")
    made = planned(edges=both, policy=policy(trigger=TO_TARGET))
    assert {"one", "two"} == {leg.via for leg in made.legs}


def test_what_stands_alone_is_not_used_beside_another_between_the_same_tokens():
    surveyed = edges(via="one", depth="200000")
    asked = tuple(replace(each, alone=True) for each in edges(via="two", depth="200000"))
    for both in (surveyed + asked, asked + edges(via="three", depth="200000")):
        made = planned(edges=both, policy=policy(trigger=TO_TARGET))
        ends = [(leg.sell.token, leg.buy) for leg in made.legs]
        assert len(ends) == len(set(ends)) > 0


def test_edges_that_share_a_pool_use_it_up_together():
    own = policy(trigger=TO_TARGET)
    found = edges(depth="900000", pools=("0xp",))
    first, second = planned(edges=found, policy=own).legs
    ladders = {(e.sell, e.buy): e for e in found}
    alone = [
        bought(ladders[leg.sell.token, leg.buy], leg.planned_sell.raw) for leg in (first, second)
    ]
    assert first.expected_out == alone[0]
    # The second sells as if what the first sold had gone the same way before.
    way = ladders[second.sell.token, second.buy]
    before = first.planned_sell.raw
    assert second.expected_out < alone[1]
    together = bought(way, before + second.planned_sell.raw)
    assert together - bought(way, before) == second.expected_out


def test_trade_is_never_smaller_than_the_policy_allows():
    held = holdings(ETH="14.69", WBTC="0.2667", USDC="20000")
    own = policy(limits=limits(min_trade=Decimal(500)))
    made = planned(held, policy=own)
    assert all(leg.planned_sell.whole * 3000 >= 500 for leg in made.legs)


def test_plan_is_refused_where_the_least_trade_is_too_large():
    own = policy(
        limits=limits(min_trade=Decimal(50_000)),
    )
    assert "less than the least of 50,000.00" in refused(policy=own)[-1]


# ---- wraps ----------------------------------------------------------------------------------


def test_wrap_is_sized_exactly_to_what_is_short():
    made = planned(holdings(ETH="15", WETH="1", WBTC="0.2", USDC="20000"))
    wrap, swap = made.legs
    assert ("1", "wrap", "wrap", ETH, WETH) == (
        wrap.id, wrap.kind, wrap.via, wrap.sell.token, wrap.buy,
    )  # fmt: skip
    assert swap.planned_sell.raw - 10**18 == wrap.sell.fixed_raw == wrap.min_buy
    assert (10**18, ("1",), ("1",)) == (swap.sell.fixed_raw, swap.sell.arrivals, swap.after)


def test_two_swaps_share_one_wrap_and_the_first_does_not_wait_for_it():
    made = planned(
        holdings(ETH="14", WETH="2", WBTC="0.2", USDC="20000"), policy=policy(trigger=TO_TARGET)
    )
    assert ["wrap", "swap", "swap"] == [leg.kind for leg in made.legs]
    assert [(), (), ("1",)] == [leg.after for leg in made.legs]
    sold = sum(leg.planned_sell.raw for leg in made.legs[1:])
    assert sold - 2 * 10**18 == made.legs[0].sell.fixed_raw


def test_what_is_wrapped_already_needs_no_wrap():
    assert {"swap"} == {leg.kind for leg in planned().legs}


def test_gas_reserve_is_never_wrapped():
    own = policy(trigger=TO_TARGET, gas_reserve={CHAIN: whole(ETH, "14.5")})
    made = planned(holdings(ETH="16", WBTC="0.2", USDC="20000"), policy=own)
    wrap = made.legs[0]
    fees = 2 * (180_000 + 46_000) * 10**9
    assert wrap.sell.fixed_raw <= whole(ETH, "1.5") - fees
    assert after(made)["ETH"] > 54


def test_wallet_below_its_gas_reserve_gets_it_back_by_an_unwrap():
    made = planned(holdings(ETH="0.03", WETH="15.97", WBTC="0.2", USDC="20000"))
    assert ("unwrap", "WETH", "ETH", Decimal("0.07")) == moves(made)[-1]
    assert made.legs[-1].min_buy == 7 * 10**16


def test_asset_that_is_only_the_gas_coin_is_wrapped_to_be_sold():
    made = planned(holdings(ETH="16", WBTC="0.2", USDC="20000"), policy=policy(assets=NATIVE_ONLY))
    assert ["wrap", "swap"] == [leg.kind for leg in made.legs]
    assert 0 == made.legs[1].sell.fixed_raw


def test_asset_that_is_only_the_gas_coin_is_unwrapped_after_it_is_bought():
    made = planned(holdings(ETH="6", WBTC="0.5", USDC="30000"), policy=policy(assets=NATIVE_ONLY))
    *swaps, last = made.legs
    assert {WETH} == {leg.buy for leg in swaps}
    assert ("unwrap", ETH, 0) == (last.kind, last.buy, last.sell.fixed_raw)
    assert tuple(leg.id for leg in swaps) == last.sell.arrivals == last.after
    assert sum(leg.min_buy for leg in swaps) == last.min_buy


def test_wrapped_holdings_that_nobody_listed_are_not_touched():
    held = holdings(ETH="16", WETH="50", WBTC="0.2", USDC="20000")
    made = planned(held, policy=policy(assets=NATIVE_ONLY))
    assert made.legs[0].sell.fixed_raw == made.legs[1].planned_sell.raw


def test_gas_coin_of_another_asset_is_not_wrapped_for_this_one():
    own = assets(("ETH", (WETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
    made = planned(
        holdings(ETH="9", WETH="16", WBTC="0.2", USDC="20000"), policy=policy(assets=own)
    )
    assert {"swap"} == {leg.kind for leg in made.legs}
    none = holdings(ETH="0.05", WETH="16", WBTC="0.2", USDC="20000")
    assert {"swap"} == {leg.kind for leg in planned(none, policy=policy(assets=own)).legs}


def test_gas_coin_that_is_an_asset_of_its_own_is_not_wrapped_for_another():
    own = assets(("COIN", (ETH,)), ("ETH", (WETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
    targets = {"COIN": Target(Bps(1_000), Bps(1_000)), "ETH": Target(Bps(2_000), Bps(500)),
               "WBTC": Target(Bps(2_000), Bps(500)), "USDC": Target(Bps(5_000), Bps(500))}  # fmt: skip
    held = holdings(ETH="3", WETH="16", WBTC="0.2", USDC="20000")
    made = planned(held, policy=policy(assets=own, targets=targets))
    assert {"swap"} == {leg.kind for leg in made.legs}


def test_chain_whose_wrapped_coin_is_not_known_still_swaps():
    made = planned(wrapped={})
    assert [("swap", "WETH", "WBTC", Decimal("1.36"))] == moves(made)


def test_gas_coin_without_a_wrapped_form_is_not_sold():
    held = holdings(ETH="16", WBTC="0.2", USDC="20000")
    why = refused(held, wrapped={}, policy=policy(assets=NATIVE_ONLY))
    assert "no edge sells what is too much for what is missing" == why[-1]


# ---- protection -----------------------------------------------------------------------------


def test_minimum_is_the_stricter_of_independent_prices_and_the_quote():
    loose = planned(policy=policy(limits=limits(max_slippage_bps=Bps(9_000))))
    (leg,) = loose.legs
    fair = prices().fair(leg.planned_sell, leg.buy)
    assert -(-fair * 9_900 // 10_000) == leg.min_buy
    (leg,) = planned().legs
    assert -(-leg.expected_out * 9_950 // 10_000) == leg.min_buy


def test_size_is_enough_even_when_every_trade_brings_its_minimum():
    own = policy(
        trigger=TO_EDGE, limits=limits(max_slippage_bps=Bps(300), max_price_impact_bps=Bps(300))
    )
    held = holdings(ETH="13.3", WBTC="0.0667", USDC="36000")
    made = planned(held, policy=own)
    assert not any(line.startswith("WBTC") and "minimum outcome" in line for line in made.why)
    least = held[WBTC] + sum(leg.min_buy for leg in made.legs if leg.buy == WBTC)
    assert Decimal(least) * 60_000 / 10**8 > made.value * 16 / 100


def test_thin_pool_is_refused_by_independent_prices():
    why = refused(edges=edges(depth="73000", most="100000"), policy=policy(trigger=TO_EDGE,
        limits=limits(min_trade=Decimal(2_000))))  # fmt: skip
    assert any("WETH to USDC by router pays" in line and "(limit 1.0 %)" in line for line in why)


def test_thin_pool_is_used_as_far_as_it_is_good():
    made = planned(edges=edges(depth="73000", most="100000"))
    assert all(leg.expected_out >= leg.min_buy for leg in made.legs)
    assert made.turnover < 3_000
    assert any("pays" in line and "less than independent prices" in line for line in made.why)
    assert any(line.startswith("ETH stays") for line in made.why)


def test_edge_that_pays_nothing_is_refused():
    nothing = replace(edge(WETH, WBTC), ladder=((10**21, 0),))
    assert "WETH to WBTC by router pays 100.0 % less than independent prices (limit 1.0 %)" in (
        refused(edges=(nothing,))
    )


def test_counted_holdings_are_never_sold_and_that_is_said():
    own = assets(("ETH", (ETH, WETH, STETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,))
    held = holdings(ETH="0.2", WETH="1", STETH="14.8", WBTC="0.2", USDC="20000")
    made = planned(held, policy=policy(assets=own), edges=edges(WETH, STETH, WBTC, USDC))
    assert STETH not in {leg.sell.token for leg in made.legs} | {leg.buy for leg in made.legs}
    (line,) = (why for why in made.why if why.startswith("ETH stays"))
    assert line.endswith(
        "above its band of 45.0 % to 55.0 %: 44,400.00 of it is counted and never sold"
    )


def test_what_is_kept_is_never_sold():
    held = holdings(ETH="10", WBTC="0", USDC="60000")
    own = policy(keep={"USDC": Decimal(40_000)}, trigger=TO_TARGET)
    made = planned(held, policy=own)
    sold = sum(leg.planned_sell.raw for leg in made.legs if leg.sell.token == USDC)
    assert sold <= 20_000 * 10**6


def test_tokens_of_no_asset_are_never_traded():
    shib = token("SHIB", 18)
    found = (*edges(), *(replace(e, sell=shib) for e in edges(WETH, USDC)))
    assert shib not in {leg.sell.token for leg in planned({**DEMO, shib: 10**30}, edges=found).legs}


def test_falling_asset_is_not_bought_and_that_is_said():
    why = "USDC is at 0.9300, 7.0 % below its peg of 1.0000: it is not bought while it falls"
    made = planned(policy=policy(trigger=TO_TARGET), falling={"USDC": why})
    assert {"WBTC"} == {leg.buy.symbol for leg in made.legs}
    assert why in refused(edges=edges(WETH, USDC), falling={"USDC": why})


def test_price_of_one_source_makes_a_plan_for_reading_only():
    quoted = prices()
    alone = {**quoted.by_asset, "WBTC": price("WBTC", "60000", "chainlink")}
    made = planned(prices=Prices(alone, {}, quoted.asset_of))
    assert "WBTC has one price source only, so this plan is for reading only" in made.why


@pytest.mark.parametrize("text", ["NaN", "0", "-1", "Infinity"])
def test_gas_coin_without_a_price_makes_no_plan(text):
    odd = {**NATIVE_PRICES, CHAIN: Decimal(text)}
    assert ("gas on eip155:1 has no price, so no cost is known",) == refused(native_prices=odd)


def test_gas_without_a_price_makes_no_plan():
    assert ("gas on eip155:1 has no price, so no cost is known",) == refused(fees={})


def test_price_that_is_no_number_trades_nothing():
    quoted = prices()
    made = problem()
    odd = {**quoted.by_asset, "WBTC": price("WBTC", "NaN")}
    answer = plan(replace(made, prices=Prices(odd, {}, quoted.asset_of)))
    assert isinstance(answer, Plan)
    assert {"USDC"} == {leg.buy.symbol for leg in answer.legs}


def test_broken_ladder_is_no_edge():
    broken = tuple(replace(e, ladder=((10, 9), (10, 9))) for e in edges())
    assert "no edge sells what is too much for what is missing" == refused(edges=broken)[-1]


# ---- limits ---------------------------------------------------------------------------------


def test_plan_moves_no_more_than_one_run_may_and_says_so():
    made = planned(policy=policy(limits=limits(max_run_value=Decimal(1_000))))
    assert Decimal(999) < made.turnover <= 1_000
    assert "max_run_value of 1,000.00 is used up" in made.why


def test_plan_that_costs_too_much_is_refused_with_its_cost():
    why = refused(policy=policy(limits=limits(max_cost_bps=Bps(1))))
    assert why[0] == "the plan would cost 2.97 to move 4,080.00, more than max_cost_bps 1 allows"


def test_dear_trade_is_left_out_when_the_rest_is_worth_it():
    found = (edge(WETH, USDC), edge(WETH, WBTC, fee_bps=95))
    own = policy(limits=limits(max_cost_bps=Bps(20)))
    made = planned(edges=found, policy=own)
    assert {"USDC"} == {leg.buy.symbol for leg in made.legs}
    assert any(
        "WETH to WBTC by router costs" in line and "(limit 20 bps)" in line for line in made.why
    )
    assert any(line.startswith("WBTC stays 799") for line in made.why)


def test_plan_of_which_nothing_is_worth_its_price_is_refused():
    found = edges(fee_bps=95)
    why = refused(edges=found, policy=policy(limits=limits(max_cost_bps=Bps(20))))
    assert "more than max_cost_bps 20 allows" in why[0]


def test_chain_without_gas_makes_no_plan():
    answer = plan(problem(holdings(ETH="0", WETH="16", WBTC="0.2", USDC="20000")))
    assert isinstance(answer, NoPlan)
    said = next(line for line in answer.why if line.startswith("eip155:1 has 0.0000 ETH for gas"))
    assert (Refusal("G403", said),) == answer.refusals


def test_chain_without_gas_is_named_once_however_much_its_ways_need():
    some, more = edges(WETH, WBTC), edges(WETH, USDC, gas=190_000)
    answer = plan(problem(holdings(ETH="0", WETH="16"), edges=some + more))
    assert isinstance(answer, NoPlan)
    assert 1 == len(answer.refusals)


def test_order_beyond_the_end_of_the_ladder_is_refused():
    own = policy(limits=limits(min_trade=Decimal(3_000)))
    why = refused(edges=edges(most="2500"), policy=own)
    assert any("is not offered for as much as" in line for line in why)


# ---- parts on chains ------------------------------------------------------------------------


def test_asset_on_a_chain_that_is_too_large_is_sold_there():
    own = policy(by_asset_on_chain={("USDC", CHAIN): Range(Bps(0), Bps(2_600))})
    held = holdings(ETH="13.34", WBTC="0.26", USDC="24000")
    made = planned(held, policy=own)
    assert {"USDC"} == {leg.sell.token.symbol for leg in made.legs}
    assert after(made)["USDC"] < 26


def test_bought_asset_respects_its_limit_on_the_chain():
    own = policy(by_asset_on_chain={("WBTC", CHAIN): Range(Bps(0), Bps(1_700))})
    made = planned(policy=own)
    assert after(made)["WBTC"] <= 17
    assert after(made)["ETH"] <= 55


def test_chain_that_holds_too_much_cannot_be_helped_without_a_bridge():
    own = policy(chains=(CHAIN, OTHER), assets=ON_TWO, by_chain={CHAIN: Range(Bps(0), Bps(6_000))})
    held = {**holdings(ETH="13.34", WBTC="0.26", USDC="24000"), USDC_BASE: 10**6}
    assert "no way to another chain is known" in refused(held, policy=own)[0]


def test_edges_between_chains_are_not_swaps():
    own = policy(chains=(CHAIN, OTHER), assets=ON_TWO)
    held = {**DEMO, USDC_BASE: 10**6}
    odd = replace(edge(WETH, USDC), buy=USDC_BASE)
    assert "no edge sells" in refused(held, edges=(odd,), policy=own)[-1]


# ---- when bands cannot be promised ----------------------------------------------------------


def test_band_narrower_than_the_minima_can_promise_is_said():
    exact = {name: Target(weight, Bps(0)) for name, weight in
             (("ETH", Bps(5_000)), ("WBTC", Bps(2_000)), ("USDC", Bps(3_000)))}  # fmt: skip
    made = planned(policy=policy(targets=exact))
    assert 3 == sum(" its band of " in line and "stays" in line for line in made.why)


def test_band_that_only_the_minimum_outcome_leaves_is_told_so():
    narrow = {"ETH": Target(Bps(5_000), Bps(500)), "WBTC": Target(Bps(2_000), Bps(1)),
              "USDC": Target(Bps(3_000), Bps(500))}  # fmt: skip
    made = planned(policy=policy(targets=narrow))
    (line,) = (line for line in made.why if line.startswith("WBTC"))
    assert (
        "WBTC is expected inside its band of 20.0 % to 20.0 %, but its minimum outcome is" in line
    )


# ---- what is said and how it is bound -------------------------------------------------------


def test_plan_says_why_now_what_funds_what_and_what_nothing_means():
    made = planned()
    assert (
        "ETH is 60.0 %, 4,000.00 above its band of 45.0 % to 55.0 %; "
        "WBTC is 15.0 %, 800.00 below its band of 16.0 % to 24.0 %; no run yet",
        "ETH funds 4,080.00 of WBTC",
        "doing nothing costs nothing now and leaves ETH 4,000.00 above and WBTC 800.00 below "
        "the band",
    ) == made.why


def test_plan_to_targets_inside_the_bands_says_so():
    inside = holdings(ETH="13.896", WBTC="0.26", USDC="22712")
    made = planned(inside, policy=policy(trigger=TO_TARGET))
    assert "doing nothing costs nothing now: every part is inside its band" == made.why[-1]


def test_plan_tells_what_other_ways_would_have_cost():
    assert ["to the exact targets", "pairing by size"] == [
        name for name, _ in planned().alternatives
    ]
    assert all(cost > planned().cost for _, cost in planned().alternatives)


def test_notes_of_the_valuation_are_passed_on():
    own = policy(keep={"WBTC": Decimal(5)})
    assert any("5.0000 WBTC are to be kept" in line for line in planned(policy=own).why)


def test_plan_is_bound_to_blocks_policy_prices_and_time():
    made = planned()
    assert ((CHAIN, 101, f"0x{1:064x}"),) == made.blocks
    assert ("f00d", NOW, NOW + PLAN_SECONDS) == (made.policy_hash, made.made, made.expires)
    assert ("WBTC", Decimal(60_000), ("chainlink", "pool")) in made.prices
    assert made.bound is None


def test_money_of_the_plan_is_the_sum_of_its_legs():
    made = planned(holdings(ETH="15", WETH="1", WBTC="0.2", USDC="20000"))
    assert sum(leg.cost for leg in made.legs) == made.cost
    assert sum(leg.gas_cost for leg in made.legs) == made.gas_if_reverted
    assert made.cost < made.worst_case < made.turnover / 100 + made.gas_if_reverted
    # 46 000 and 180 000 units of gas at one gwei, a coin at 3 000.
    assert [Decimal("0.138"), Decimal("0.54")] == [leg.gas_cost for leg in made.legs]


def test_id_is_the_hash_of_the_content():
    made = planned()
    assert fingerprint(made) == made.id == fingerprint(replace(made, id="else"))
    assert 16 == len(made.id)
    assert made.id != fingerprint(replace(made, made=NOW + 1))


def test_plan_can_be_written_down():
    assert json.dumps(encode(planned()))


def test_rest_makes_no_plan():
    assert ("nothing to do",) == refused(decision=Rest("nothing to do"))


def test_unknown_value_makes_no_plan():
    known = problem()
    unknown = problem(policy=policy(chains=(CHAIN, OTHER), assets=ON_TWO))
    answer = plan(replace(known, valuation=unknown.valuation))
    why = "eip155:8453 was not read, so the whole is not known"
    assert NoPlan((why,), (Refusal("N104", why),)) == answer
    assert why == str(answer)


def test_no_plan_says_what_stays_off():
    assert (
        "ETH stays 4,000.00 above its band of 45.0 % to 55.0 %",
        "WBTC stays 800.00 below its band of 16.0 % to 24.0 %",
        "no edge sells what is too much for what is missing",
    ) == refused(edges=())
