"""Plans for wishes: what they may sell, how much, and what is there afterwards."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from planning.test_chains_properties import by_chance, carried_out
from portfolios import (
    BASE,
    CHAIN,
    ONE,
    QUOTED,
    USDC,
    WETH,
    edges,
    holdings,
    limits,
    policy,
    problem,
    spread,
    spread_policy,
    spread_problem,
)
from random_problems import a_problem
from wishes import PEGS, invest, moment_of, raised, served

from agent.core.money import NATIVE, Amount, Token
from agent.core.plan import Plan
from agent.core.policy import Range
from agent.core.raising import reached
from agent.core.task import asset_of
from agent.core.wanted import wanted
from agent.core.wish import BUY_ONLY, REBALANCE, Wish
from agent.planning.draft import fingerprint
from agent.planning.needs import Needs, pairs_needed
from agent.planning.planner import plan
from agent.planning.problem import NoPlan
from agent.planning.serving import permitted

DEPOSITED = holdings(ETH="10", WETH="3.333333333333333333", WBTC="0.26666666", USDC="29000")
"""At its targets, and 5 000 USDC that came; 85 000 in value."""


def test_a_plan_without_a_wish_is_the_planners_own() -> None:
    whole = problem()
    assert plan(whole) == served(REBALANCE, whole)


def test_only_buying_sells_nothing_that_has_grown() -> None:
    held = holdings(ETH="12", WETH="5", WBTC="0.05", USDC="30000")
    made = served(BUY_ONLY, problem(held))
    assert [("USDC", "WBTC")] == [(leg.sell.token.symbol, leg.buy.symbol) for leg in made.legs]
    assert made.why[0].endswith("; nothing but USDC is sold")
    assert (BUY_ONLY, Decimal(0)) == (made.wish, made.reached)
    sold = plan(problem(held)).legs
    assert "WETH" in {leg.sell.token.symbol for leg in sold}, "the weights alone would sell it"


def test_only_buying_still_carries_over_bridges_what_is_too_much_on_a_chain() -> None:
    held = spread((ONE, {"weth": "10", "usdc": "100", "wbtc": "0.2"}), (BASE, {"weth": "3"}))
    own = spread_policy(by_chain={CHAIN: Range(high=7000)})
    made = served(BUY_ONLY, spread_problem(held, policy=own))
    assert {"bridge"} == {leg.kind for leg in made.legs} - {"wrap", "unwrap"}
    assert "ETH" in {own.asset_of[leg.sell.token] for leg in made.legs}


def test_money_that_came_goes_to_what_is_short_also_inside_the_bands() -> None:
    whole = problem(DEPOSITED)
    assert "nothing to do" in whole.decision.why
    made = served(invest("5000"), whole)
    after = {row.asset: float(row.after) for row in made.standings}
    assert {"ETH": 5000, "USDC": 3000, "WBTC": 2000} == pytest.approx(after, abs=2)
    assert ({"USDC"}, {"WETH", "WBTC"}) == (
        {leg.sell.token.symbol for leg in made.legs},
        {leg.buy.symbol for leg in made.legs},
    )
    assert Decimal("3495") < made.reached <= 3500
    assert (
        "asked to invest 5,000.00 USDC; USDC is 4.1 % (3,500.00) off its target; no run yet; "
        "nothing but USDC is sold"
    ) == made.why[0]
    rest = Decimal(5000) - made.reached
    said = f"{rest:,.2f} of 5,000.00 USDC stay USDC: its own target of 30.0 %"
    assert made.why[-1].startswith(said)


def test_less_money_goes_where_most_is_missing() -> None:
    held = holdings(ETH="11", WBTC="0.2", USDC="35000")
    made = served(invest("1000"), problem(held))
    assert [(1000_000_000, "WETH")] == [(leg.planned_sell.raw, leg.buy.symbol) for leg in made.legs]
    assert Decimal(1000) == made.reached


def test_what_limits_leave_undone_of_an_investment_is_told() -> None:
    own = policy(limits=limits(max_run_value=Decimal(1000)))
    made = served(invest("5000"), problem(DEPOSITED, policy=own))
    assert made.why[-1].startswith("4,000.00 of 5,000.00 USDC stay USDC: its own target of 30.0 %")


def test_an_investment_that_nothing_can_serve_is_told_with_its_reason() -> None:
    found = served(invest("5000"), problem(DEPOSITED, edges=edges(WETH, USDC)[:1]))
    assert isinstance(found, NoPlan)
    assert found.why[0].startswith("asked to invest 5,000.00 USDC; ")
    assert "no edge sells what is too much for what is missing" == found.why[-1]


def test_an_investment_does_not_push_a_chain_beyond_its_limit() -> None:
    held = spread(
        (ONE, {"weth": "6", "wbtc": "0.1", "usdc": "30000"}), (BASE, {"weth": "6", "wbtc": "0.1"})
    )
    free = served(invest("8000"), spread_problem(held))
    own = spread_policy(by_asset_on_chain={("ETH", CHAIN): Range(high=2400)})
    made = served(invest("8000"), spread_problem(held, policy=own))

    def grown(which: Plan) -> int:
        return sum(leg.expected_out for leg in which.legs if leg.buy == ONE.weth)

    total = Decimal(78900)
    assert grown(free) > grown(made)
    assert (18000 + 300 + grown(made) * Decimal(3000) / 10**18) / total <= Decimal("0.24")


def test_an_investment_goes_on_where_a_chain_is_full_already() -> None:
    for high in (10_000, 9_000, 8_000):
        own = policy(by_chain={CHAIN: Range(high=high)})
        made = served(invest("5000"), problem(DEPOSITED, policy=own))
        assert Decimal("3480") < made.reached <= 3500


def test_an_investment_moves_nothing_but_the_money_where_a_chain_holds_too_much() -> None:
    held = spread((ONE, {"weth": "16", "wbtc": "0.1", "usdc": "60000"}), (BASE, {"weth": "6"}))
    own = spread_policy(by_chain={CHAIN: Range(high=5000)})
    made = served(invest("8000"), spread_problem(held, policy=own))
    assert {"USDC"} == {leg.sell.token.symbol for leg in made.legs}
    assert sum(leg.planned_sell.raw for leg in made.legs if leg.sell.token == ONE.usdc) <= 8 * 10**9


def test_money_is_raised_beside_the_weights() -> None:
    made = served(raised("3000"))
    assert (Decimal(3000), raised("3000")) == (made.reached, made.wish)
    assert "asked to raise 3,000.00 USDC beyond what the weights say" == made.why[0]
    assert made.why[-1].startswith("3,000.00 USDC or more stay in the wallet for you to take out")
    for row in made.standings:
        assert row.low_bps <= row.after <= row.high_bps
    assert 10_000 == round(sum(row.after for row in made.standings)), "the money is not in them"
    assert {"ETH": 5000, "USDC": 3000, "WBTC": 2000} == {
        row.asset: row.target_bps for row in made.standings
    }


def test_what_cannot_be_raised_is_told() -> None:
    own = policy(limits=limits(max_run_value=Decimal(4000)))
    made = served(raised("20000"), problem(policy=own))
    missing = Decimal(20000) - made.reached
    assert 0 < made.reached < 20000
    assert f"{missing:,.2f} USDC are missing of 20,000.00 USDC at the least prices" == made.why[-2]
    assert made.why[-1].startswith(f"{made.reached:,.2f} USDC or more stay in the wallet")
    assert "the money counts in shares that are told as bands here" == made.why[1]


def test_nearly_all_can_be_raised() -> None:
    made = served(raised("79900"))
    assert Decimal(79_000) < made.reached < Decimal(79_900)
    sold = {leg.sell.token.symbol for leg in made.legs}
    assert {"USDC"} == {leg.buy.symbol for leg in made.legs} - sold, "the rest is sold again"


def test_plans_have_the_name_of_what_is_in_them() -> None:
    for wish in (BUY_ONLY, invest("5000"), raised("9000")):
        made = served(wish, problem(holdings(ETH="12", WBTC="0.05", USDC="40000")))
        assert isinstance(made, Plan)
        assert fingerprint(made) == made.id


def test_only_what_may_be_sold_is_surveyed() -> None:
    whole = problem(DEPOSITED)
    moment = moment_of(whole)
    task, decision = wanted(invest("5000"), moment)
    needs = pairs_needed(
        task.valuation, decision, task.policy, prices=whole.prices, wrapped=whole.wrapped
    )
    both = Needs((*needs.pairs, (WETH, USDC)), needs.sizes)
    found = permitted(task, both, whole.wrapped)
    assert {USDC} == {sell for sell, _ in found.pairs}


# ---- whatever the wallet, the policy and the pools -----------------------------------------------

wishes = st.one_of(
    st.just(("buy-only", "", 0)),
    st.tuples(
        st.sampled_from(["invest", "raise"]), st.sampled_from(["USDC", "ETH"]), st.integers(1, 105)
    ),
)
"""What for, of which asset, and how many percent of all that may be sold of it."""


def wish_of(asked, kind, asset, percent) -> Wish:
    amount = moment_of(asked).there(asset) * percent / 100
    return Wish(kind, asset, amount.quantize(Decimal("0.000001")))


def own(asked, token: Token) -> str | None:
    return asset_of(token, asked.policy, asked.wrapped)


def coin(leg) -> Token:
    return Token(leg.sell.token.chain, NATIVE, 18, "")


def swaps_sell(asked, made, held_by) -> dict[str | None, Decimal]:
    """Whole tokens that swaps sell, by asset, when every leg brings what *held_by* says."""
    came, sold = {}, {}
    for leg in made.legs:
        spent = leg.sell.sized(came)
        planned = leg.planned_sell.raw
        least = leg.min_buy * spent // planned
        out = leg.expected_out * spent // planned
        came[leg.id] = (
            spent if leg.kind in {"wrap", "unwrap"} else least + int((out - least) * held_by(leg))
        )
        if leg.kind == "swap":
            name = own(asked, leg.sell.token)
            sold[name] = sold.get(name, Decimal(0)) + Amount(leg.sell.token, spent).whole
    return sold


def only_cash_is_sold(asked, made, wish, random) -> None:
    assert set(swaps_sell(asked, made, lambda _: 1)) <= set(PEGS)


def no_more_is_sold_than_asked(asked, made, wish, random) -> None:
    for share in (lambda _: 1, lambda _: 0, by_chance(random, made)):
        sold = swaps_sell(asked, made, share)
        assert set(sold) <= {wish.asset}
        assert sold.get(wish.asset, 0) <= wish.amount
    assert made.reached <= wish.amount


def the_money_is_there(asked, made, wish, random) -> None:
    """Whatever legs bring, from their minimum on; gas aside, which the reserve is there for."""
    assert 0 <= made.reached <= wish.amount
    for share in (lambda _: 0, lambda _: 1, by_chance(random, made)):
        after = carried_out(made, asked.snapshot.balances, share, random.choice)
        moment = moment_of(asked)
        there = Decimal(0)
        for position in asked.valuation.positions:
            if position.asset == wish.asset:
                left = moment.spendable(replace(position, raw=after[position.token]))
                there += Amount(position.token, left).whole
        paid = (leg.gas_cost for leg in made.legs if own(asked, coin(leg)) == wish.asset)
        gas = sum(paid, Decimal(0)) / Decimal(QUOTED[wish.asset])
        assert max(0, there - gas) >= made.reached - Decimal("0.00001")
    row = next(row for row in made.standings if row.asset == wish.asset)
    # What others bring beyond their minimum makes the whole larger, and the asset's share less.
    left = made.value - made.reached * Decimal(QUOTED[wish.asset])
    assert not made.reached or row.after >= row.low_bps - 1 - made.worst_case * 10_000 / left


PROMISES = {
    "buy-only": only_cash_is_sold,
    "invest": no_more_is_sold_than_asked,
    "raise": the_money_is_there,
}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), wishes, st.randoms(use_true_random=False))
def test_every_plan_for_a_wish_keeps_its_promise(seed, wanted_, random) -> None:
    asked = a_problem(seed)
    wish = wish_of(asked, *wanted_)
    made = served(wish, asked)
    event(f"{wish.kind}: {type(made).__name__}")
    assert made.why
    if wish.kind == "raise" and "take them out" in made.why[0]:
        assert wish.amount == reached(wish, moment_of(asked), (), asked.wrapped)
    if isinstance(made, Plan):
        assert wish == made.wish
        assert made.legs
        PROMISES[wish.kind](asked, made, wish, random)
        carried_out(made, asked.snapshot.balances, by_chance(random, made), random.choice)
