"""Plans over several chains by example: what is bridged, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from portfolios import (
    ARB,
    BASE,
    CHAIN,
    FEES,
    ONE,
    OTHER,
    PLACES,
    SPREAD,
    SPREAD_OF,
    TARGETS,
    assets,
    bridge,
    bridges_between,
    edge,
    limits,
    spread,
    spread_policy,
    spread_prices,
    spread_problem,
    swaps_on,
)
from portfolios import (
    greedy_plan as plan,
)

from agent.core.money import Amount, Bps
from agent.core.plan import Plan
from agent.core.policy import Asset, Instance, Range, Target
from agent.core.snapshot import InFlight
from agent.planning.board import board
from agent.planning.outlook import outlook
from agent.planning.problem import NoPlan
from agent.planning.route import Move, Route

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


def test_asset_is_swapped_for_one_that_a_bridge_takes_and_that_for_another_there():
    dai = (ONE.dai, BASE.dai)
    own = (*SPREAD[:2], *assets(("DAI", dai)), SPREAD[2])
    quoted = replace(spread_prices(), asset_of={**SPREAD_OF, **dict.fromkeys(dai, "DAI")})
    wishes = spread_policy(assets=own, targets={**TARGETS, "USDC": Target(Bps(2_800), Bps(500)),
                                                "DAI": Target(Bps(200), Bps(200))})  # fmt: skip
    # DAI lies on one chain only, WBTC is sold on the other only, and a bridge takes USDC only.
    found = (
        edge(ONE.dai, ONE.usdc, quoted=quoted),
        bridge(ONE.usdc, BASE.usdc),
        edge(BASE.usdc, BASE.wbtc, quoted=quoted),
    )
    held = spread(
        (ONE, {"weth": "14", "wbtc": "0.2", "dai": "5000"}),
        (BASE, {"dai": "0"}),
        (ARB, {"usdc": "22000"}),
    )
    made = planned(held, policy=wishes, prices=quoted, edges=found)
    assert [
        ("swap", "DAI", CHAIN, "USDC", CHAIN),
        ("bridge", "USDC", CHAIN, "USDC", OTHER),
        ("swap", "USDC", OTHER, "WBTC", OTHER),
    ] == moves(made)
    assert [(), ("1",), ("2",)] == [leg.after for leg in made.legs]
    # Each transfer follows what arrives, and counts on its minimum only.
    first, second, third = made.legs
    assert 0 == second.sell.fixed_raw
    assert 0 < second.sell.max_raw <= first.expected_out
    assert third.sell.max_raw == second.expected_out
    (line,) = (line for line in made.why if line.startswith("DAI on"))
    assert "WBTC on eip155:8453, bridged as USDC by across" in line


def test_two_routes_share_one_transfer_and_are_sized_by_what_arrives_at_least():
    found = swaps_on(BASE) + bridges_between(ONE, BASE)
    held = spread((ONE, {"weth": "20", "wbtc": "0.1", "usdc": "13000"}))
    made = planned(held, edges=found)
    transfer, wrap, *swaps = made.legs
    assert ["bridge", "wrap", "swap", "swap"] == [leg.kind for leg in made.legs]
    assert {"WBTC", "USDC"} == {leg.buy.symbol for leg in swaps}
    assert {(("2",), ())} == {(leg.after, leg.sell.arrivals) for leg in swaps}
    sold = sum(leg.sell.fixed_raw for leg in swaps)
    # What is wrapped beyond the arrival lay there already.
    assert sold <= wrap.min_buy == transfer.min_buy + wrap.sell.fixed_raw
    assert transfer.min_buy < transfer.expected_out


def test_falling_asset_is_not_even_passed_through():
    quoted = spread_prices()
    found = (
        edge(ONE.weth, ONE.usdc, quoted=quoted),
        bridge(ONE.usdc, BASE.usdc),
        edge(BASE.usdc, BASE.wbtc, quoted=quoted),
    )
    held = spread((ONE, {"weth": "15.3", "wbtc": "0.2", "usdc": "24000"}))
    assert ["swap", "bridge", "swap"] == [leg.kind for leg in planned(held, edges=found).legs]
    made = planned(held, edges=found, falling={"USDC": "USDC falls"})
    assert [("bridge", "USDC"), ("swap", "USDC")] == [move[:2] for move in moves(made)]


def test_transfer_is_no_smaller_than_its_bridge_takes():
    own = spread_policy(by_asset_on_chain={("USDC", CHAIN): Range(Bps(0), Bps(2_800))})
    held = spread((ONE, BALANCED))
    small, large = (
        planned(held, policy=own, edges=bridges_between(ONE, BASE, least=least)).legs[0]
        for least in ("20", "3000")
    )
    assert 700 < small.planned_sell.whole < 3_000
    assert 3_000 <= large.planned_sell.whole < 3_010


def test_transfer_is_no_larger_than_its_bridges_take_together():
    own = spread_policy(by_chain={CHAIN: HERE})
    found = bridges_between(ONE, BASE, most="4000") + bridges_between(
        ONE, BASE, most="6000", via="other", fee_bps=9
    )
    made = planned(spread((ONE, BALANCED)), policy=own, edges=found)
    assert {"across", "other"} == {leg.via for leg in made.legs}
    assert all(leg.planned_sell.whole * 3_000 <= 6_000 or leg.sell.token.symbol == "USDC"
               for leg in made.legs)  # fmt: skip
    assert not any("stays" in line for line in made.why)


def test_what_is_on_its_way_takes_room_from_what_may_be_in_flight():
    own = spread_policy(
        by_chain={CHAIN: Range(Bps(0), Bps(5_000))}, limits=limits(max_in_flight=Decimal(9_000))
    )
    flying = InFlight("1", Amount(ONE.usdc, 5_000 * 10**6), BASE.usdc)
    made = planned(spread((ONE, BALANCED)), policy=own, in_flight=(flying,))
    assert 3_900 < made.turnover <= 4_000
    assert "max_in_flight of 9,000.00 is used up" in made.why
    assert any(line.startswith("eip155:1 stays") for line in made.why)


# ---- gas ------------------------------------------------------------------------------------

NO_COIN = {"eth": "0"}
USDC_THERE = {"usdc": "40000"}


def test_chain_without_gas_gets_it_from_where_most_is_to_spare_and_its_legs_wait():
    held = spread((ONE, {"weth": "9", "wbtc": "0.2"}), (BASE, {**NO_COIN, **USDC_THERE}))
    held[ARB.eth] = 2 * 10**18
    made = planned(held)
    gas, *others = made.legs
    assert ("bridge", "gas for eip155:8453", ()) == (gas.kind, gas.detail, gas.after)
    assert (ONE.weth, BASE.eth) == (gas.sell.token, gas.buy)
    there = [leg for leg in others if leg.sell.token.chain == OTHER]
    assert there
    assert all("1" in leg.after for leg in there)
    assert gas.min_buy >= 10**16
    (line,) = (line for line in made.why if line.startswith("gas for"))
    assert line.startswith("gas for eip155:8453: 0.0")
    assert line.endswith("bridged from eip155:1 by across, to pay its fees and fill its reserve")


def test_gas_rides_along_on_a_transfer_that_is_made_anyhow():
    held = spread((ONE, {"weth": "20", "wbtc": "0.1", "usdc": "13000"}), (BASE, NO_COIN))
    made = planned(held, edges=swaps_on(BASE) + bridges_between(ONE, BASE))
    transfer, wrap, *swaps = made.legs
    assert ("bridge", "gas for eip155:8453") == (transfer.kind, transfer.detail)
    assert ["wrap", "swap", "swap"] == [leg.kind for leg in made.legs[1:]]
    assert ("1",) == wrap.after
    assert all("1" in leg.after for leg in swaps)
    # What is not wrapped is the reserve and more: the fees of all that is done there.
    assert transfer.min_buy - wrap.sell.fixed_raw >= 10**16 + 2 * 10**8 * 400_000
    (line,) = (line for line in made.why if line.startswith("gas for"))
    assert "bridged from eip155:1 by across with the rest, to pay its fees" in line


def test_gas_is_unwrapped_first_where_fees_cannot_be_paid_without():
    held = spread(
        (ONE, {"weth": "9", "wbtc": "0.2"}), (BASE, {"eth": "0.00002", "weth": "1", **USDC_THERE})
    )
    made = planned(held)
    gas, *others = made.legs
    assert ("unwrap", BASE.weth, "gas for eip155:8453") == (gas.kind, gas.sell.token, gas.detail)
    assert all("1" in leg.after for leg in others if leg.sell.token.chain == OTHER)
    assert "unwrapped there, to pay its fees and fill its reserve" in "; ".join(made.why)


def test_gas_is_unwrapped_last_where_fees_can_be_paid_without():
    held = spread(
        (ONE, {"weth": "9", "wbtc": "0.2"}), (BASE, {"eth": "0.005", "weth": "1", **USDC_THERE})
    )
    made = planned(held)
    gas = made.legs[-1]
    assert ("unwrap", (), 5 * 10**15) == (gas.kind, gas.after, gas.min_buy)


def test_gas_is_bought_where_nothing_else_brings_it():
    held = spread((BASE, {"eth": "0.0005", "wbtc": "0.3", "usdc": "60000"}), (ONE, {"weth": "9"}))
    made = planned(held, edges=swaps_on(BASE))
    sale, unwrap, *others = made.legs
    assert ("swap", BASE.weth, "5 bps, gas for eip155:8453") == (sale.kind, sale.buy, sale.detail)
    assert ("unwrap", ("1",), ("1",)) == (unwrap.kind, unwrap.after, unwrap.sell.arrivals)
    # It is smaller than any other trade may be.
    assert unwrap.min_buy < 12 * 10**15
    assert others
    assert "sold there, to pay its fees and fill its reserve" in "; ".join(made.why)


def test_chain_that_cannot_get_gas_is_left_out_and_the_others_do_what_they_can():
    held = spread((ONE, {"weth": "10", "wbtc": "0.35"}), (BASE, {**NO_COIN, "usdc": "30000"}))
    made = planned(held, edges=swaps_on(ONE, BASE))
    assert {CHAIN} == {leg.sell.token.chain for leg in made.legs}
    assert any(line.startswith("eip155:8453 has 0.0000 ETH for gas, up to") for line in made.why)


def test_nothing_but_gas_that_is_missing_is_said_with_its_code():
    held = spread((BASE, {**NO_COIN, "wbtc": "0.3", "usdc": "60000"}), (ONE, {"weth": "9"}))
    answer = plan(spread_problem(held, edges=swaps_on(BASE)))
    assert isinstance(answer, NoPlan)
    assert {"G403"} == {refusal.code for refusal in answer.refusals}
    assert all(why.startswith("eip155:8453 has 0.0000 ETH for gas") for why in
               (refusal.why for refusal in answer.refusals))  # fmt: skip


def test_fee_that_is_fixed_makes_the_gas_that_is_bridged_more():
    held = spread((ONE, {"weth": "9", "wbtc": "0.2"}), (BASE, {**NO_COIN, **USDC_THERE}))
    made = planned(held, edges=swaps_on(ONE, BASE) + bridges_between(ONE, BASE, fixed="2"))
    gas = made.legs[0]
    # 2 and 8 bps are a hundredth of 217.
    assert 217 < gas.planned_sell.whole * 3_000 < 219


def test_reserve_that_nothing_fills_takes_its_part_of_what_arrives():
    held = spread((ONE, {"weth": "16", "wbtc": "0.1", "usdc": "22000"}), (BASE, {"eth": "0.008"}))
    found = tuple(e for e in bridges_between(ONE, BASE, least="900")) + swaps_on(BASE)
    own = spread_policy(limits=limits(max_price_impact_bps=Bps(10)))
    made = planned(held, edges=found, policy=own)
    assert {"bridge", "wrap", "swap"} <= {leg.kind for leg in made.legs}


def test_data_that_a_rollup_charges_for_is_part_of_the_price():
    held = spread((ONE, BALANCED))
    own = spread_policy(by_chain={CHAIN: HERE})
    lean, full = (
        planned(held, policy=own, edges=bridges_between(ONE, BASE), fees=fees).cost
        for fees in (FEES, {**FEES, CHAIN: replace(FEES[CHAIN], data_fee_per_byte=10**12)})
    )
    # 400 bytes at 10^12 wei, a coin at 3 000.
    assert abs(full - lean - Decimal("1.2")) < Decimal("0.01")


def test_message_fee_and_claims_on_the_far_chain_are_part_of_the_price():
    held = spread((ONE, BALANCED))
    own = spread_policy(by_chain={CHAIN: HERE})
    plain = bridges_between(ONE, BASE)
    dear = tuple(replace(edge, fee=10**15, far_gas=2 * 10**6) for edge in plain)
    lean, full = (planned(held, policy=own, edges=found).cost for found in (plain, dear))
    # 10^15 wei, and two million gas at 10^8 wei, a coin at 3 000.
    assert abs(full - lean - Decimal("3.6")) < Decimal("0.05")


def test_message_fee_is_paid_from_coins_that_are_there():
    own = spread_policy(by_chain={CHAIN: HERE})
    dear = tuple(replace(edge, fee=4 * 10**16) for edge in bridges_between(ONE, BASE))
    enough, short = (spread((ONE, {**BALANCED, "eth": eth})) for eth in ("0.041", "0.03"))
    assert ["bridge"] == [leg.kind for leg in planned(enough, policy=own, edges=dear).legs]
    assert refused(short, policy=own, edges=dear)


# ---- chains on which nothing is done ----------------------------------------------------------


def test_idle_chain_counts_and_is_left_alone():
    held = spread((ONE, {"weth": "16", "wbtc": "0.2"}), (BASE, USDC_THERE))
    busy, idle = planned(held), planned(held, idle={OTHER: "its node does not answer"})
    assert OTHER in {leg.sell.token.chain for leg in busy.legs}
    assert busy.value == idle.value
    touched = {chain for leg in idle.legs for chain in (leg.sell.token.chain, leg.buy.chain)}
    assert OTHER not in touched
    assert "nothing is done on eip155:8453: its node does not answer" in idle.why


def test_chain_whose_gas_has_no_price_is_left_alone():
    held = spread((ONE, {"weth": "16", "wbtc": "0.2", "usdc": "20000"}))
    made = planned(held, fees={CHAIN: FEES[CHAIN]})
    assert {CHAIN} == {leg.sell.token.chain for leg in made.legs}
    assert any("gas on eip155:8453 has no price" in line for line in made.why)


def test_no_plan_says_which_chains_are_idle():
    held = spread((BASE, {"weth": "16", "wbtc": "0.2", "usdc": "20000"}))
    idle = {OTHER: "its node does not answer"}
    why = refused(held, edges=swaps_on(BASE), idle=idle)
    assert "nothing is done on eip155:8453: its node does not answer" == why[-1]


# ---- gas coins ------------------------------------------------------------------------------


def test_gas_coin_that_is_the_only_form_is_bridged_as_it_is_and_unwrapped_when_bought():
    own = spread_policy(
        assets=(Asset("ETH", tuple(Instance(p.eth, "spend") for p in PLACES)), *SPREAD[1:])
    )
    held = spread((ONE, {"eth": "6", "wbtc": "0.2"}), (BASE, {"usdc": "50000"}))
    made = planned({t: raw for t, raw in held.items() if t.symbol != "WETH"}, policy=own)
    bought = [leg for leg in made.legs if leg.buy == BASE.weth]
    (unwrap,) = (leg for leg in made.legs if leg.kind == "unwrap")
    assert tuple(leg.id for leg in bought) == unwrap.sell.arrivals
    assert BASE.eth == unwrap.buy


def test_coin_is_sold_to_a_bridge_without_a_wrap():
    own = spread_policy(by_chain={CHAIN: HERE})
    held = spread((ONE, {"eth": "13", "wbtc": "0.26", "usdc": "24000"}))
    found = tuple(e for e in bridges_between(ONE, BASE) if e.sell.is_native)
    made = planned(held, policy=own, edges=found)
    assert [("bridge", "ETH", CHAIN, "ETH", OTHER)] == moves(made)
    assert made.legs[0].planned_sell.raw < 13 * 10**18 - 10**16


def test_transfer_that_never_arrives_is_refunded_and_that_is_said():
    own = spread_policy(by_chain={CHAIN: HERE})
    made = planned(spread((ONE, BALANCED)), policy=own)
    assert any("never arrives is refunded" in line for line in made.why)
    assert not any(
        "refunded" in line
        for line in planned(
            spread((ONE, {"weth": "16", "wbtc": "0.2", "usdc": "22000"})), edges=swaps_on(ONE)
        ).why
    )


def test_plan_says_what_would_stay_off_without_bridges():
    own = spread_policy(by_chain={CHAIN: HERE})
    made = planned(spread((ONE, BALANCED)), policy=own)
    assert any(
        line.startswith("without bridges 1") and line.endswith("would stay outside the bands")
        for line in made.why
    )
    assert "without bridges" not in dict(made.alternatives)


def test_moves_that_go_round_in_a_circle_lead_nowhere():
    asked = board(spread_problem(spread((ONE, BALANCED))))
    by_ends = {(way.edge.sell, way.edge.buy): way for way in asked.ways}
    there, back = by_ends[ONE.usdc, BASE.usdc], by_ends[BASE.usdc, ONE.usdc]
    moved = outlook(asked, (Move(Route((there,)), 10**9), Move(Route((back,)), 10**8)))
    assert "these trades would go round in a circle" == moved


def test_money_of_the_plan_is_the_sum_of_its_legs_on_all_chains():
    found = swaps_on(ONE, fee_bps=90) + swaps_on(BASE, ARB) + bridges_between(*PLACES)
    held = spread((ONE, {"weth": "15.3", "wbtc": "0.2", "usdc": "24000"}))
    made = planned(held, edges=found)
    assert sum(leg.cost for leg in made.legs) == made.cost
    assert sum(leg.gas_cost for leg in made.legs) == made.gas_if_reverted
    assert made.cost < made.worst_case
    assert Decimal(0) == sum(s.after - s.before for s in made.standings).quantize(Decimal("0.1"))
