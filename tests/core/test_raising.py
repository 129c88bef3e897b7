"""Money that is to be there beyond what the weights say: what is asked for, and what is reached."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import (
    BASE,
    CHAIN,
    ETH,
    ONE,
    STETH,
    TARGETS,
    USDC,
    WBTC,
    WETH,
    assets,
    holdings,
    limits,
    policy,
    problem,
    spread,
    spread_problem,
    whole,
)
from wishes import moment_of, raised

from agent.core.decide import Rebalance, Rest
from agent.core.money import WHOLE_BPS, Amount, Bps, ChainId
from agent.core.plan import Leg, Sell
from agent.core.policy import Target
from agent.core.raising import raising, reached, shifted
from agent.core.snapshot import InFlight
from agent.core.verdict import Refusal
from agent.core.wish import TOO_MUCH, Wish

WRAPPED = {CHAIN: WETH}
AT_TARGETS = holdings(ETH="10", WETH="3.333333333333333333", WBTC="0.26666666", USDC="24000")
"""80 000 in value."""


def moment(held=None, **own):
    return moment_of(problem(AT_TARGETS if held is None else held, policy=policy(**own)))


def leg(id_, kind, sell, buy, least, *, gas="0", after=()) -> Leg:
    """A leg with nothing to it but what it moves."""
    sold = sell if isinstance(sell, Sell) else Sell(*sell)
    return Leg(
        id=id_,
        kind=kind,
        via="router",
        sell=sold,
        buy=buy,
        expected_out=least * 11 // 10,
        min_buy=least,
        after=after,
        gas_cost=Decimal(gas),
    )


def test_the_money_counts_as_an_asset_of_its_own() -> None:
    task, decision = raising(raised("8000"), moment())
    assert ("asked to raise 8,000.00 USDC beyond what the weights say", Rebalance) == (
        decision.why,
        type(decision),
    )
    assert (None, task.moment.valuation) == (task.sells, task.valuation)
    found = task.policy.targets
    assert WHOLE_BPS == sum(target.weight for target in found.values())
    # Of 80,000 less 8,005 (the money and dust) USDC is 25 % at the least, and the money on top.
    assert Decimal("26003.75") <= found["USDC"].low * Decimal(8) <= Decimal("26027.75")
    for name, target in task.moment.policy.targets.items():
        if name != "USDC":
            assert abs(found[name].weight - target.weight * Decimal("0.8999")) <= 2


def test_what_is_there_already_can_be_taken_out() -> None:
    held = holdings(ETH="10", WETH="3.333333333333333333", WBTC="0.26666666", USDC="29000")
    _, decision = raising(raised("3000"), moment(held))
    assert isinstance(decision, Rest)
    assert (
        "nothing to do: 3,000.00 USDC lie in the wallet beyond what the weights need: take them out"
    ) == decision.why
    assert Decimal(3000) == reached(raised("3000"), moment(held), (), WRAPPED)


def test_what_no_trade_adds_to_is_told_as_it_is() -> None:
    # The last 0.1 ETH are kept for gas, and there is nothing else to sell.
    _, decision = raising(raised("13.3333", "ETH"), moment(holdings(ETH="13.3333")))
    why = "13.2333 ETH lie in the wallet beyond what the weights need: of 13.3333 ETH, and trades"
    assert isinstance(decision, Rest)
    assert f"nothing to do: {why} add no more" == decision.why


def test_more_than_all_that_counts_is_not_raised() -> None:
    _, decision = raising(raised("27", "ETH"), moment())
    why = "27.0000 ETH are to be raised, worth 81,000.00, of 80,000.00 that counts"
    assert isinstance(decision, Rest)
    assert (why, (Refusal(TOO_MUCH, why),)) == (decision.why, decision.refusals)


def test_what_only_counts_is_not_raised() -> None:
    listed = assets(("ETH", (STETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,))
    now = moment(holdings(STETH="9", USDC="9000"), assets=listed)
    _, decision = raising(raised("1", "ETH"), now)
    assert isinstance(decision, Rest)
    assert "1.0000 ETH are to be raised, and no form of ETH may be traded" == decision.why
    assert (Refusal(TOO_MUCH, decision.why),) == decision.refusals


def test_what_nobody_can_take_out_comes_on_top() -> None:
    listed = assets(
        ("ETH", (ETH, WETH, STETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,)
    )
    held = holdings(ETH="0.1", STETH="13.2333", WBTC="0.26666666", USDC="24000")
    fixed = shifted(raised("1", "ETH"), moment(held, assets=listed))
    # All ETH is staked or kept for gas: 40,000 of it stay, and 3,005 are to be there besides.
    assert fixed["ETH"].low * Decimal(8) >= 43_000
    free = shifted(raised("1", "ETH"), moment())
    assert free["ETH"].low * Decimal(8) < 39_000


def test_what_is_on_its_way_cannot_be_taken_out_either() -> None:
    flying = (InFlight("1", Amount(USDC, 24_000_000_000), USDC),)
    held = holdings(ETH="10", WETH="3.333333333333333333", WBTC="0.26666666", USDC="0")
    awaited = moment_of(problem(held, in_flight=flying))
    assert shifted(raised("3000"), awaited)["USDC"].low * Decimal(8) >= 27_000


def test_an_asset_that_is_the_whole_is_raised_from_itself() -> None:
    own = {"targets": {"USDC": Target(WHOLE_BPS, Bps(0)), "ETH": Target(Bps(0), Bps(0))}}
    found = shifted(raised("3000"), moment(holdings(ETH="1", USDC="5000"), **own))
    assert (WHOLE_BPS, 0) == (found["USDC"].weight, found["ETH"].weight)
    there = moment(holdings(USDC="5000"), **own)
    assert Decimal(3000) == reached(raised("3000"), there, (), WRAPPED)


amounts = st.decimals(min_value="0.01", max_value=26, places=6)
weights = st.integers(0, WHOLE_BPS)


@given(amounts, weights, st.integers(0, 3_000), st.sampled_from(["ETH", "USDC"]))
def test_targets_stay_a_whole_and_hold_the_money(amount, weight, band, asset) -> None:
    own = {
        "USDC": Target(Bps(weight), Bps(band)),
        "ETH": Target(Bps(WHOLE_BPS - weight), Bps(band)),
    }
    now = moment(holdings(ETH="13", USDC="40000"), targets=own)
    wish = Wish("raise", asset, amount * (3000 if asset == "USDC" else 1))
    worth, total = wish.amount * now.price(asset), now.valuation.value
    found = shifted(wish, now)
    assert list(own) == list(found)
    assert WHOLE_BPS == sum(target.weight for target in found.values())
    assert all(0 <= target.low <= target.weight <= WHOLE_BPS for target in found.values())
    if worth <= total:
        assert found[asset].low * total / WHOLE_BPS >= min(total, worth + now.policy.dust)


# ---- what is reached --------------------------------------------------------------------------


def test_what_is_reached_counts_minima_and_arrivals() -> None:
    # 0.1 WBTC brings at least 1.9 ETH where 2 are planned on, so the next leg sells less.
    legs = (
        leg("1", "swap", (WBTC, whole(WBTC, "0.1")), WETH, whole(WETH, "1.9")),
        leg(
            "2",
            "swap",
            Sell(WETH, 0, ("1",), whole(WETH, "2")),
            USDC,
            whole(USDC, "5800"),
            after=("1",),
        ),
    )
    # At the least 5,510 come; USDC needs 25 % of what is left of 79,510 when they are gone.
    found = reached(raised("30000"), moment(), legs, WRAPPED)
    own = (Decimal(24000) + 5510 - Decimal("0.25") * Decimal("79509.9994")) / Decimal("0.75")
    assert abs(own - found) < Decimal("0.01")
    assert Decimal(5000) == reached(raised("5000"), moment(), legs, WRAPPED)


def test_wraps_bring_all_of_it_and_gas_is_no_money() -> None:
    turn = leg("1", "wrap", (ETH, whole(ETH, "2")), WETH, whole(WETH, "2"), gas="30")
    before = reached(raised("9", "ETH"), moment(), (), WRAPPED)
    after = reached(raised("9", "ETH"), moment(), (turn,), WRAPPED)
    # 30 of gas are a hundredth of an ETH; the share of the rest falls with it.
    assert Decimal("0.01") <= before - after <= Decimal("0.02")


def test_what_pays_for_gas_cannot_be_taken_out() -> None:
    free = {name: Target(target.weight, target.weight) for name, target in TARGETS.items()}
    now = moment(targets=free)
    turn = leg("1", "wrap", (ETH, whole(ETH, "2")), WETH, whole(WETH, "2"), gas="30")
    found = reached(raised("14", "ETH"), now, (turn,), WRAPPED)
    assert now.there("ETH") - Decimal("0.01") == found


def test_gas_that_does_not_count_is_nobodys() -> None:
    bare = policy(assets=assets(("ETH", (WETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,))))
    held = holdings(ETH="1", WETH="13.333333333333333333", WBTC="0.26666666", USDC="24000")
    now = moment_of(problem(held, policy=bare))
    sale = leg("1", "swap", (WETH, whole(WETH, "1")), USDC, whole(USDC, "2990"), gas="30")
    free = replace(sale, gas_cost=Decimal(0))
    wish = raised("20000")
    assert reached(wish, now, (free,), WRAPPED) == reached(wish, now, (sale,), WRAPPED)


def test_a_wrapped_coin_that_is_in_no_asset_is_worth_what_the_coin_is() -> None:
    bare = policy(assets=assets(("ETH", (ETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,))))
    whole_problem = problem(holdings(ETH="14", WBTC="0.26666666", USDC="24000"), policy=bare)
    known = {t: n for t, n in whole_problem.prices.asset_of.items() if t != WETH}
    now = moment_of(replace(whole_problem, prices=replace(whole_problem.prices, asset_of=known)))
    legs = (
        leg("1", "wrap", (ETH, whole(ETH, "1")), WETH, whole(WETH, "1")),
        leg("2", "swap", Sell(WETH, 0, ("1",), whole(WETH, "1")), USDC, whole(USDC, "3000")),
    )
    none, sold = (reached(raised("20000"), now, some, WRAPPED) for some in ((), legs))
    assert Decimal(4000) == round(sold - none)


def test_nothing_is_reached_where_the_weights_need_all() -> None:
    held = holdings(ETH="20", WBTC="0.26666666", USDC="1000")
    assert Decimal(0) == reached(raised("3000"), moment(held), (), WRAPPED)


def test_gas_that_a_leg_brings_to_an_empty_chain_is_not_money() -> None:
    held = spread((ONE, {"usdc": "40000"}), (BASE, {"eth": "0", "usdc": "40000"}))
    now = moment_of(spread_problem(held))
    fuel = leg("1", "bridge", (ONE.eth, 10**16), BASE.eth, 10**16 - 10)
    before = now.there("ETH")
    found = reached(raised("1", "ETH"), now, (fuel,), {ChainId(1): ONE.weth})
    assert found <= before


@pytest.mark.parametrize("least", ["0", "2000", "2990"])
def test_never_more_is_reached_than_wished_for(least: str) -> None:
    own = {"limits": limits(max_run_value=Decimal(10))}
    sale = leg("1", "swap", (WETH, whole(WETH, "1")), USDC, whole(USDC, least))
    found = reached(raised("3000"), moment(**own), (sale,), WRAPPED)
    assert Decimal(0) <= found <= Decimal(3000)
