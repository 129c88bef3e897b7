"""What the planner is asked for each wish, and when there is nothing to do for it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import stories
from hypothesis import given
from hypothesis import strategies as st
from portfolios import (
    BASE,
    CHAIN,
    ETH,
    NOW,
    ONE,
    STETH,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    holdings,
    limits,
    policy,
    problem,
    spread,
    spread_policy,
    spread_problem,
    trigger,
)
from wishes import PEGS, invest, moment_of, raised

from agent.core.decide import History, Rebalance, Rest
from agent.core.money import Amount, Token
from agent.core.policy import Range
from agent.core.task import asset_of, plainly
from agent.core.verdict import Refusal
from agent.core.wanted import again, cash, wanted
from agent.core.wish import BUY_ONLY, REBALANCE, TOO_MUCH, Wish, standing

AT_TARGETS = {"ETH": "10", "WETH": "3.333333333333333333", "WBTC": "0.26666666", "USDC": "24000"}
GREW = holdings(ETH="12", WETH="5", WBTC="0.05", USDC="30000")
ALL = (BUY_ONLY, invest("1000"), raised("1000"))


def asked(wish: Wish, held=None, *, history: History | None = None, **own):
    """The task and the decision for *wish* in a wallet that holds this."""
    return wanted(wish, moment_of(problem(held, policy=policy(**own)), history))


def came(usdc: str):
    """A wallet at its targets before so much USDC came."""
    return holdings(**{**AT_TARGETS, "USDC": str(24000 + int(usdc))})


def test_without_a_wish_the_question_is_the_policys_own() -> None:
    moment = moment_of(problem())
    assert (plainly(moment), moment.decision) == wanted(REBALANCE, moment)
    assert (None, moment.policy) == (plainly(moment).sells, plainly(moment).policy)


@pytest.mark.parametrize("wish", ALL)
def test_no_wish_changes_that_a_person_must_look_first(wish: Wish) -> None:
    _, decision = asked(wish, history=History(NOW - 60, "needs_human"))
    assert "nothing to do: a person must look at the last run first" == decision.why


@pytest.mark.parametrize("wish", ALL)
def test_no_wish_is_served_where_a_price_is_missing(wish: Wish) -> None:
    whole = problem(prices=replace(problem().prices, by_asset={}))
    _, decision = wanted(wish, moment_of(whole))
    assert isinstance(decision, Rest)
    assert {"G202"} == {refusal.code for refusal in decision.refusals}


@pytest.mark.parametrize("wish", ALL)
def test_no_wish_is_served_in_an_empty_wallet(wish: Wish) -> None:
    _, decision = asked(wish, holdings())
    assert isinstance(decision, Rest)
    assert ["G404"] == [refusal.code for refusal in decision.refusals]


def test_what_plans_serve_that_nobody_asks_for_otherwise() -> None:
    assert REBALANCE == standing(policy())
    assert BUY_ONLY == standing(policy(deposits="buy-only"))


def test_cash_is_what_is_pegged_and_has_a_target() -> None:
    assert ("USDC",) == cash(policy(pegs=PEGS))
    assert () == cash(policy())


# ---- only buying ----------------------------------------------------------------------------


def test_only_buying_lets_swaps_sell_cash_alone() -> None:
    task, decision = asked(BUY_ONLY, GREW)
    wrapped = {CHAIN: WETH}
    assert task.permits(USDC, WBTC, wrapped)
    assert not task.permits(WETH, WBTC, wrapped)
    assert task.permits(USDC, USDC_BASE, wrapped), "a bridge sells nothing"
    assert isinstance(decision, Rebalance)
    assert decision.why.endswith("no run yet; nothing but USDC is sold")


def test_any_task_without_such_a_wish_lets_swaps_sell_all() -> None:
    assert plainly(moment_of(problem())).permits(WETH, WBTC, {})


def test_only_buying_rests_when_the_weights_do() -> None:
    _, decision = asked(BUY_ONLY, came("3000"))
    assert decision.why.startswith("nothing to do: largest drift 2.5 % (USDC) is inside its")


def test_only_buying_rests_while_cash_is_short_itself() -> None:
    _, decision = asked(BUY_ONLY, holdings(ETH="12", WETH="5", WBTC="0.25", USDC="10000"))
    assert isinstance(decision, Rest)
    assert decision.why.startswith("nothing to do: ETH is 67.1 %, ")
    assert decision.why.endswith(
        "; nothing but USDC would be sold; USDC is 13.2 % itself, of a target of 30.0 %"
    )


def test_only_buying_spends_cash_down_to_the_policys_goal() -> None:
    # 28 % is inside the band of 25 to 35, and below the target.
    held = holdings(ETH="16", WBTC="0.03", USDC="19366")
    _, to_band = asked(BUY_ONLY, held)
    _, to_target = asked(BUY_ONLY, held, trigger=trigger(rebalance_to="target"))
    assert (Rebalance, Rest) == (type(to_band), type(to_target))


def test_without_any_cash_nothing_is_bought() -> None:
    moment = moment_of(problem(GREW))
    bare = replace(moment, policy=replace(moment.policy, pegs={}))
    _, decision = wanted(BUY_ONLY, bare)
    assert isinstance(decision, Rest)
    assert decision.why.endswith("; nothing but cash would be sold")


def test_only_buying_goes_on_without_cash_where_a_chain_holds_too_much() -> None:
    held = spread((ONE, {"weth": "10", "usdc": "100", "wbtc": "0.2"}), (BASE, {"weth": "3"}))
    for limit, kind in ((7_000, Rebalance), (10_000, Rest)):
        own = spread_policy(by_chain={CHAIN: Range(high=limit)})
        _, decision = wanted(BUY_ONLY, moment_of(spread_problem(held, policy=own)))
        assert kind is type(decision)


def test_money_that_is_to_go_may_come_from_anything() -> None:
    task, decision = asked(raised("8000"), came("0"))
    assert (None, Rebalance) == (task.sells, type(decision))


# ---- investing ------------------------------------------------------------------------------


def test_an_investment_is_a_way_to_the_targets_on_which_only_the_money_moves() -> None:
    task, decision = asked(invest("5000"), came("5000"))
    assert isinstance(decision, Rebalance)
    assert (
        "asked to invest 5,000.00 USDC; USDC is 4.1 % (3,500.00) off its target; no run yet; "
        "nothing but USDC is sold"
    ) == decision.why
    assert ("target", frozenset({"USDC"})) == (task.policy.trigger.rebalance_to, task.sells)
    assert (task.moment.policy.targets, task.moment.valuation.by_asset) == (
        task.policy.targets,
        task.valuation.by_asset,
    )
    free = {
        p.token: replace(task.moment, valuation=task.valuation).spendable(p)
        for p in task.valuation.positions
    }
    assert {ETH: 0, WETH: 0, WBTC: 0, USDC: 5_000_000_000} == free


def test_money_comes_out_of_the_largest_holdings_first() -> None:
    held = spread((ONE, {"usdc": "9000", "weth": "1"}), (BASE, {"usdc": "12000", "weth": "1"}))
    task, _ = wanted(invest("15000"), moment_of(spread_problem(held)))
    free = {
        p.token: p.raw - p.kept
        for p in task.valuation.positions
        if p.asset == "USDC" and p.raw > p.kept
    }
    assert {BASE.usdc: 12_000_000_000, ONE.usdc: 3_000_000_000} == free


HELD_BACK = [
    ({"keep": {"USDC": Decimal(25000)}}, {}, "USDC", "4,000.00"),
    ({}, {}, "ETH", "13.2333"),
    ({}, {"idle": frozenset({CHAIN})}, "USDC", "0.0000"),
]


@pytest.mark.parametrize(("own", "changed", "asset", "there"), HELD_BACK)
def test_no_more_can_be_invested_than_may_be_sold(own, changed, asset, there) -> None:
    whole = problem(came("5000"), policy=policy(**own))
    wish = invest("29001", asset)
    _, decision = wanted(wish, moment_of(whole, **changed))
    why = (
        f"{wish.sum} are to be invested and {there} can be: what flows.keep and gas reserves "
        "hold, what only counts and what is still on its way cannot"
    )
    assert isinstance(decision, Rest)
    assert (why, (Refusal(TOO_MUCH, why),)) == (decision.why, decision.refusals)


def test_what_only_counts_cannot_be_invested() -> None:
    listed = assets(
        ("ETH", (ETH, WETH, STETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,)
    )
    moment = moment_of(
        problem(holdings(ETH="1", STETH="9", USDC="10"), policy=policy(assets=listed))
    )
    assert Decimal("0.9") == moment.there("ETH")
    assert Decimal(3000) == moment.price("ETH"), "the price of what may be sold"


NOTHING = [
    ("0", "3000", "no trade of 50.00 or more brings anything nearer to its target"),
    ("5000", "49.99", "49.9900 USDC are worth less than a trade may be (50.00)"),
]


@pytest.mark.parametrize(("more", "amount", "why"), NOTHING)
def test_an_investment_that_would_bring_nothing_is_none(more: str, amount: str, why: str) -> None:
    _, decision = asked(invest(amount), came(more))
    assert (f"nothing to do: {why}", Rest) == (decision.why, type(decision))


def test_money_stays_what_it_is_while_its_own_asset_is_short() -> None:
    _, decision = asked(invest("3000"), holdings(ETH="20", WBTC="0.2", USDC="26000"))
    assert isinstance(decision, Rest)
    assert (
        "nothing to do: the 3,000.00 USDC stay USDC, where they are wanted: it is 24.2 % of the "
        "rest without them and 26.5 % of all with them, of a target of 30.0 %"
    ) == decision.why


def test_a_chain_out_of_its_range_stays_as_it_is_when_money_is_invested() -> None:
    held = spread((ONE, {"weth": "6", "usdc": "30000"}), (BASE, {"weth": "6", "wbtc": "0.1"}))
    ranges = {CHAIN: Range(high=5000), BASE.chain: Range(low=4000)}
    own = spread_policy(by_chain=ranges, by_asset_on_chain={("ETH", CHAIN): Range(high=9000)})
    task, _ = wanted(invest("8000"), moment_of(spread_problem(held, policy=own)))
    total = task.valuation.value
    shares = {c: int(v * 10_000 / total) for c, v in task.valuation.by_chain.items()}
    lost = 150  # max_slippage_bps and max_price_impact_bps
    assert {
        CHAIN: Range(high=shares[CHAIN] + lost),
        BASE.chain: Range(low=shares[BASE.chain] - lost),
    } == task.policy.by_chain
    assert own.by_asset_on_chain == task.policy.by_asset_on_chain


def test_a_range_that_nothing_can_leave_is_none() -> None:
    task, _ = asked(invest("5000"), came("5000"), by_chain={CHAIN: Range(high=9900)})
    assert {} == task.policy.by_chain


@given(st.decimals(min_value=1, max_value=40_000, places=8), st.sampled_from(["USDC", "ETH"]))
def test_never_more_is_free_than_is_named(amount: Decimal, asset: str) -> None:
    held = spread(
        (ONE, {"weth": "3", "eth": "2", "usdc": "9000.000001"}), (BASE, {"usdc": "12000.5"})
    )
    moment = moment_of(spread_problem(held))
    task, decision = wanted(Wish("invest", asset, amount), moment)
    free = sum(Amount(p.token, moment.spendable(p)).whole for p in task.valuation.positions)
    if task.sells is None:
        assert isinstance(decision, Rest)
        assert decision.refusals
        assert amount > moment.there(asset)
    else:
        assert amount - Decimal("0.000001") <= free <= amount
    assert all(p.kept <= p.raw for p in task.valuation.positions)


# ---- again ----------------------------------------------------------------------------------


def test_an_investment_is_planned_again_only_while_nothing_is_signed() -> None:
    for wish in (REBALANCE, *ALL):
        begun = replace(stories.started(), plan=stories.plan(stories.leg(), wish=wish))
        assert wish == again(stories.told(begun).runs["r1"])
        reservation = stories.reserved()
        acts = stories.quoted(), reservation, stories.signed(reservation)
        signed = stories.told(begun, *acts)
        assert (None if wish.kind == "invest" else wish) == again(signed.runs["r1"])


def test_a_wrapped_coin_that_is_in_no_asset_is_the_coins() -> None:
    bare = policy(assets=assets(("ETH", (ETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,))))
    stranger = Token(CHAIN, STETH.address, 18, "STETH")
    assert ("ETH", None, None, "USDC") == (
        asset_of(WETH, bare, {CHAIN: WETH}),
        asset_of(WETH, bare, {}),
        asset_of(stranger, bare, {CHAIN: WETH}),
        asset_of(USDC, bare, {CHAIN: WETH}),
    )


def test_the_least_trade_is_what_the_policy_calls_worth_it() -> None:
    own = {"limits": limits(min_trade=Decimal(1)), "dust": Decimal(80)}
    _, decision = asked(invest("70"), came("5000"), **own)
    assert "nothing to do: 70.0000 USDC are worth less than a trade may be (80.00)" == decision.why
