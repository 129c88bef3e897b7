"""The first use of a venue or bridge: a little goes first, and the rest waits for it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning.test_chains_properties import problems as problems_of_chains
from planning.test_greedy_properties import (
    loses_exactly_its_cost,
    never_sells_what_is_counted_kept_reserved_or_outside,
    passes_the_check_of_plans_on_the_whole_wallet,
    problems,
)
from portfolios import (
    BASE,
    CHAIN,
    ETH,
    ONE,
    STETH,
    USDC,
    WBTC,
    WETH,
    bridge,
    edge,
    holdings,
    limits,
    policy,
    problem,
    spread_problem,
    trigger,
)
from portfolios import (
    greedy_plan as plan,
)

from agent.core.money import Amount, Bps
from agent.core.plan import Leg, Plan, Sell, in_order
from agent.planning.first_use import first_uses
from agent.planning.problem import NoPlan

CANARY = Decimal(50)
SMALL = Decimal(45)


def leg(id_: str, kind: str, via: str, sell: Sell, buy, out: int, **more) -> Leg:
    usual = {"min_buy": out * 99 // 100, "gas_cost": Decimal(1), "cost": Decimal(3)}
    return Leg(
        id=id_, kind=kind, via=via, sell=sell, buy=buy, expected_out=out, **{**usual, **more}
    )


SWAP = leg("1", "swap", "router", Sell(WETH, 10**18), USDC, 3_000 * 10**6)
WRAP = leg("2", "wrap", "wrap", Sell(ETH, 10**18), WETH, 10**18, min_buy=10**18)


def split(*legs: Leg, **more):
    return first_uses(legs, problem(**{"canary": CANARY, **more}))


def test_a_new_venue_gets_a_little_first_and_the_rest_waits_for_it():
    found = split(SWAP)
    small, rest = found.legs
    assert ("1c", 15 * 10**15, 45 * 10**6) == (small.id, small.sell.fixed_raw, small.expected_out)
    assert (44_550_000, (), Decimal("1.03")) == (small.min_buy, small.after, small.cost)
    assert ("1", 985 * 10**15, 2_955 * 10**6) == (rest.id, rest.sell.fixed_raw, rest.expected_out)
    assert (2_925_450_000, ("1c",), Decimal("2.97")) == (rest.min_buy, rest.after, rest.cost)
    assert (("first use of router moves 45.00 first",), {"1c": "1"}) == (found.why, found.parts)


@pytest.mark.parametrize(
    "more",
    [{"canary": None}, {"known": frozenset({"router"})}, {"canary": Decimal(0)}],
    ids=["no canary", "a known venue", "nothing at all"],
)
def test_nothing_is_divided_where_nothing_has_to_be_or_can_be(more):
    found = split(SWAP, WRAP, **more)
    assert ((SWAP, WRAP), (), {}) == (found.legs, found.why, found.parts)


def test_what_is_small_goes_first_as_it_is():
    little = leg("1", "swap", "router", Sell(WETH, 15 * 10**15), USDC, 45 * 10**6)
    large = leg("2", "swap", "router", Sell(USDC, 10**9), WBTC, 10**6)
    assert (little,) == split(little).legs
    found = split(little, large)
    assert (little, replace(large, after=("1",))) == found.legs
    assert (("first use of router moves 45.00 first",), {}) == (found.why, found.parts)


def test_what_others_deliver_waits_and_is_fed_by_both_parts():
    follows = leg(
        "2", "swap", "router", Sell(USDC, 0, ("1",), 3_000 * 10**6), WBTC, 10**6, after=("1",)
    )
    _, _, after = split(SWAP, follows).legs
    assert (("1", "1c"), ("1", "1c")) == (after.sell.arrivals, after.after)
    other = replace(follows, via="other")
    found = split(SWAP, other)
    assert replace(after, via="other") == found.legs[2]
    assert ("first use of router moves 45.00 first",) == found.why


def test_what_is_wrapped_for_it_is_divided_too():
    wraps = replace(WRAP, id="1")
    sells = leg("2", "swap", "router", Sell(WETH, 0, ("1",), 10**18), USDC, 3 * 10**9, after=("1",))
    _, small, rest = split(wraps, sells).legs
    assert (15 * 10**15, 985 * 10**15) == (small.sell.fixed_raw, rest.sell.fixed_raw)
    assert (("1",), ("1", "2c"), (), ()) == (
        small.after,
        rest.after,
        small.sell.arrivals,
        rest.sell.arrivals,
    )


@pytest.mark.parametrize("held", [15 * 10**15, 10**18])
def test_what_is_held_goes_first_where_more_is_delivered(held):
    brings = leg("1", "swap", "other", Sell(USDC, 3 * 10**9), WETH, 10**18)
    sell = Sell(WETH, held, ("1",), held + 10**18)
    sells = leg("2", "swap", "router", sell, WBTC, 10**7, after=("1",))
    found = split(brings, sells, known=frozenset({"other"}))
    if held < 10**18:
        assert (brings, sells) == found.legs
        return
    _, small, rest = found.legs
    raw = small.sell.fixed_raw
    assert (15 * 10**15, ()) == (raw, small.sell.arrivals)
    for arrived in (10**18 - 5, 10**18 + 5):
        assert sell.sized({"1": arrived}) == raw + rest.sell.sized({"1": arrived})


def test_a_leg_that_waits_for_its_own_venue_is_not_the_first():
    comes = leg("1", "swap", "other", Sell(ETH, 10**18), WETH, 10**18)
    fills = leg("2", "swap", "router", Sell(WETH, 0, ("1",), 10**18), USDC, 10**9, after=("1",))
    waits = leg("3", "swap", "router", Sell(USDC, 10**9), WBTC, 10**6, after=("2",))
    known = frozenset({"other"})
    assert (comes, fills, waits) == split(comes, fills, waits, known=known).legs
    held = leg("4", "swap", "router", Sell(WBTC, 10**8), USDC, 10**10)
    assert ["4c", "1", "2", "4", "3"] == [
        each.id for each in split(comes, fills, waits, held, known=known).legs
    ]


def test_first_swaps_go_one_after_another_since_any_venue_may_win_them():
    other = leg("2", "swap", "other", Sell(USDC, 10**9), WBTC, 10**6)
    found = split(SWAP, other)
    assert {"1c": (), "1": ("1c",), "2c": ("1c",), "2": ("2c",)} == {
        each.id: each.after for each in found.legs
    }
    # What the first one waits for goes before it, whatever else would be wished.
    comes = leg("9", "swap", "third", Sell(ETH, 10**18), WETH, 10**18)
    before = leg("1", "swap", "other", Sell(WETH, 0, ("9",), 10**18), USDC, 10**9, after=("9",))
    behind = leg("2", "swap", "router", Sell(USDC, 10**9), WBTC, 10**6, after=("1",))
    beside = leg("3", "swap", "other", Sell(WBTC, 10**8), USDC, 10**10)
    legs = split(comes, before, behind, beside, known=frozenset({"third"})).legs
    assert {
        "9": (),
        "3c": (),
        "1": ("9", "3c"),
        "2c": ("1", "3c"),
        "2": ("1", "2c"),
        "3": ("3c",),
    } == {each.id: each.after for each in legs}


def test_a_first_transfer_expects_what_its_bridge_pays_for_so_little():
    sells, buys = ONE.usdc, BASE.usdc
    sent = leg("1", "bridge", "across", Sell(sells, 10**9), buys, 998_700_000)
    asked = replace(spread_problem(), canary=CANARY, edges=(bridge(sells, buys, least="20"),))
    small, rest = first_uses((sent,), asked).legs
    assert 45 * 10**6 == small.sell.fixed_raw
    assert 44_400_000 < small.expected_out < 44_500_000
    assert small.min_buy == small.expected_out * 44_492_085 // 44_941_500
    assert small.cost + rest.cost - sent.cost - 1 == Decimal("44.9415") - (
        Amount(buys, small.expected_out).whole
    )


def test_a_first_transfer_below_what_was_asked_about_pays_no_more_than_that_would():
    sells, buys = ONE.usdc, BASE.usdc
    sent = leg("1", "bridge", "across", Sell(sells, 10**9), buys, 998_700_000)
    known = bridge(sells, buys, least="100")
    edges = (replace(known, ladder=()), known)
    small, _ = first_uses((sent,), replace(spread_problem(), canary=CANARY, edges=edges)).legs
    assert 45 * 10**6 - 580_000 == small.expected_out


def test_a_first_transfer_of_which_nobody_spoke_expects_its_share():
    sent = leg("1", "bridge", "across", Sell(ONE.usdc, 10**9), BASE.usdc, 998_700_000)
    asked = replace(spread_problem(), canary=CANARY, edges=())
    assert 44_941_500 == first_uses((sent,), asked).legs[0].expected_out


# ---- in plans -------------------------------------------------------------------------------


TO_TARGET = trigger(rebalance_to="target")


def test_a_plan_says_what_goes_first_and_costs_one_more_transaction():
    own = policy(trigger=TO_TARGET)
    whole = plan(problem(policy=own))
    careful = plan(problem(policy=own, canary=CANARY))
    assert isinstance(whole, Plan)
    assert isinstance(careful, Plan)
    (small,) = [each for each in careful.legs if each.id.endswith("c")]
    assert "first use of router moves 45.00 first" in careful.why
    assert whole.turnover == careful.turnover
    assert small.gas_cost == careful.cost - whole.cost == careful.worst_case - whole.worst_case
    assert small.gas_cost == careful.gas_if_reverted - whole.gas_if_reverted
    assert whole == plan(problem(policy=own, canary=CANARY, known=frozenset({"router"})))


def test_a_first_use_that_costs_more_than_the_policy_allows_is_no_plan():
    whole = plan(problem())
    assert isinstance(whole, Plan)
    dear = Bps(int(whole.cost * 10_000 / whole.turnover) + 1)
    own = policy(limits=limits(max_cost_bps=dear))
    assert isinstance(plan(problem(policy=own)), Plan)
    found = plan(problem(policy=own, canary=CANARY))
    assert isinstance(found, NoPlan)
    (why,) = found.why
    assert why.startswith("with first use of router moves 45.00 first the plan would cost")


def test_a_first_use_whose_gas_is_not_there_is_no_plan_and_a_refusal():
    own = policy(gas_reserve={CHAIN: 0})
    for thousandth in range(1, 100):
        coins = str(Decimal(thousandth) / 20_000)
        held = holdings(ETH=coins, WETH="16", WBTC="0.2", USDC="20000")
        if isinstance(plan(problem(held, policy=own, edges=(edge(WETH, WBTC),))), Plan):
            break
    found = plan(problem(held, policy=own, edges=(edge(WETH, WBTC),), canary=CANARY))
    assert isinstance(found, NoPlan)
    assert ["G403"] == [no.code for no in found.refusals]
    assert "first use of router moves 45.00 first, which cannot be paid for: leg" in found.why[0]


@pytest.mark.no_cover
@settings(max_examples=25, deadline=None)
@given(
    st.one_of(problems(), problems_of_chains),
    st.sampled_from([Decimal(1), CANARY, Decimal(2_000)]),
    st.sampled_from([frozenset(), frozenset({"router"}), frozenset({"across"})]),
)
def test_first_uses_conserve_what_is_sold_and_are_never_more_than_the_canary(asked, most, known):
    whole, careful = plan(asked), plan(replace(asked, canary=most, known=known))
    if not isinstance(whole, Plan) or not isinstance(careful, Plan):
        assert not isinstance(careful, Plan) or isinstance(whole, Plan)
        return
    # What these look at is held in problems of one chain of their own making.
    if STETH in asked.snapshot.balances:
        for promise in (
            never_sells_what_is_counted_kept_reserved_or_outside,
            loses_exactly_its_cost,
            passes_the_check_of_plans_on_the_whole_wallet,
        ):
            promise(asked, careful)
    parts: dict[str, list[Leg]] = {}
    for each in careful.legs:
        parts.setdefault(each.id.removesuffix("c"), []).append(each)
    for one in whole.legs:
        own = parts[one.id]
        assert one.planned_sell.raw == sum(each.planned_sell.raw for each in own)
        assert one.expected_out >= sum(each.expected_out for each in own)
        assert one.min_buy >= sum(each.min_buy for each in own)
        assert one.detail == own[0].detail
    done: set[str] = set()
    wraps = {each.id for each in whole.legs if each.kind in {"wrap", "unwrap"}}
    for each in in_order(careful.legs):
        if each.kind not in {"swap", "bridge"}:
            continue
        if each.via not in done | known and not (set(each.sell.arrivals) - wraps):
            first = [leg_ for leg_ in careful.legs if leg_.via == each.via]
            starved = bool(set(first[0].sell.arrivals) - wraps)
            worth = asked.prices.worth(each.planned_sell)
            assert worth <= most * Decimal("0.9") or starved
            assert starved or all(each.id in leg_.after for leg_ in first if leg_ is not each)
        done.add(each.via)
