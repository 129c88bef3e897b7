"""What a snapshot is worth, and when that is not known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import (
    CHAIN,
    DAI,
    DEMO,
    ETH,
    OTHER,
    SPAM,
    STETH,
    USDC,
    USDC_BASE,
    WBTC,
    WETH,
    assets,
    holdings,
    policy,
    price,
    prices,
    snapshot,
    whole,
)

from agent.core.money import Amount, Token
from agent.core.price import Prices, Unpriced
from agent.core.snapshot import InFlight, Snapshot
from agent.core.value import value
from agent.core.verdict import Refusal

WITH_STETH = assets(
    ("ETH", (ETH, WETH, STETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,)
)
ON_TWO = assets(("ETH", (ETH, WETH)), ("WBTC", (WBTC,)), ("USDC", (USDC, USDC_BASE)))


def roles(valuation):
    return {position.token.symbol: position.role for position in valuation.positions}


def test_native_and_wrapped_count_as_one_asset():
    valuation = value(snapshot(DEMO), prices(), policy())
    assert Decimal(80_000) == valuation.value
    assert {"ETH": 48_000, "WBTC": 12_000, "USDC": 20_000} == valuation.by_asset
    assert {CHAIN: 80_000} == valuation.by_chain
    assert 48_000 == valuation.by_asset_on_chain["ETH", CHAIN]
    assert () == valuation.refusals


def test_gas_reserve_counts():
    valuation = value(snapshot(holdings(ETH="0.1")), prices(), policy())
    assert Decimal(300) == valuation.value


def test_value_is_spread_over_chains():
    own = policy(chains=(CHAIN, OTHER), assets=ON_TWO)
    held = {**DEMO, USDC_BASE: whole(USDC_BASE, "5000")}
    valuation = value(snapshot(held), prices(), own)
    assert {CHAIN: 80_000, OTHER: 5_000} == valuation.by_chain
    assert 25_000 == valuation.by_asset["USDC"]
    assert 5_000 == valuation.by_asset_on_chain["USDC", OTHER]


def test_chain_that_is_not_in_use_does_not_count():
    held = {**DEMO, USDC_BASE: whole(USDC_BASE, "5000")}
    valuation = value(snapshot(held), prices(), policy(assets=ON_TWO))
    assert Decimal(80_000) == valuation.value
    assert Decimal(5_000) == valuation.outside


def test_counted_holdings_count_and_are_told_apart():
    own = policy(assets=WITH_STETH)
    valuation = value(snapshot({**DEMO, STETH: whole(STETH, "2")}), prices(), own)
    assert Decimal(54_000) == valuation.by_asset["ETH"]
    assert "count" == roles(valuation)["STETH"]


def test_token_of_no_asset_is_outside_and_valued():
    valuation = value(snapshot({**DEMO, DAI: whole(DAI, "70")}), prices(), policy())
    assert Decimal(80_000) == valuation.value
    assert Decimal(70) == valuation.outside
    assert "outside" == roles(valuation)["DAI"]


def test_asset_without_a_target_is_outside():
    own = policy(assets=(*policy().assets, *assets(("DAI", (DAI,)))))
    valuation = value(snapshot({**DEMO, DAI: whole(DAI, "70")}), prices(), own)
    assert Decimal(80_000) == valuation.value
    assert "outside" == roles(valuation)["DAI"]


def test_airdrop_without_a_price_is_shown_and_stops_nothing():
    valuation = value(snapshot({**DEMO, SPAM: 10**12}), prices(), policy())
    assert Decimal(80_000) == valuation.value
    assert (SPAM,) == valuation.unpriced
    assert "unpriced" == roles(valuation)["SPAM"]


def test_nothing_of_a_token_of_no_asset_is_not_shown():
    assert "DAI" not in roles(value(snapshot({**DEMO, DAI: 0}), prices(), policy()))


def test_nothing_of_a_token_of_an_asset_is_shown():
    assert "spend" == roles(value(snapshot(holdings()), prices(), policy()))["WBTC"]


# ---- unknown is never zero ------------------------------------------------------------------


def unknown(valuation):
    """What an unknown value looks like: no number and no share anywhere."""
    assert valuation.value is None
    assert {} == valuation.by_asset == valuation.by_chain == valuation.by_asset_on_chain
    return valuation.refusals


def test_unreadable_token_leaves_the_whole_without_a_value():
    seen = snapshot({t: raw for t, raw in DEMO.items() if t != WBTC})
    chain = replace(seen.chains[CHAIN], unreadable=(WBTC,))
    valuation = value(Snapshot(seen.account, {CHAIN: chain}), prices(), policy())
    assert (Refusal("N104", "the balance of WBTC (WBTC) on eip155:1 is not known"),) == unknown(
        valuation
    )
    assert {"ETH", "WETH", "USDC"} == set(roles(valuation))


def test_negative_balance_is_not_known():
    assert "N104" == unknown(value(snapshot({**DEMO, USDC: -1}), prices(), policy()))[0].code


def test_chain_that_was_not_read_leaves_the_whole_without_a_value():
    own = policy(chains=(CHAIN, OTHER), assets=ON_TWO)
    assert (Refusal("N104", "eip155:8453 was not read, so the whole is not known"),) == unknown(
        value(snapshot(DEMO), prices(), own)
    )


def without(asset, *refusals):
    known = prices()
    by_asset = {name: p for name, p in known.by_asset.items() if name != asset}
    return Prices(by_asset, {r.asset: r for r in refusals}, known.asset_of)


def test_unpriced_asset_leaves_the_whole_without_a_value_and_says_why():
    quoted = without("ETH", Unpriced("ETH", "G201", "price of ETH is stale"))
    valuation = value(snapshot(DEMO), quoted, policy())
    assert (Refusal("G201", "price of ETH is stale"),) == unknown(valuation)
    assert "unpriced" == roles(valuation)["WETH"]


def test_price_that_is_missing_without_a_reason_has_one():
    assert (Refusal("G202", "no price of WBTC"),) == unknown(
        value(snapshot(DEMO), without("WBTC"), policy())
    )


def test_unpriced_asset_counts_even_when_nothing_of_it_is_held():
    assert unknown(value(snapshot(holdings(USDC="100")), without("WBTC"), policy()))


def test_counted_form_of_which_nothing_is_held_needs_no_price():
    quoted = prices()
    named = {**quoted.asset_of, STETH: "STETH"}
    own = policy(assets=WITH_STETH)
    valuation = value(snapshot({**DEMO, STETH: 0}), replace(quoted, asset_of=named), own)
    assert Decimal(80_000) == valuation.value
    assert "count" == roles(valuation)["STETH"]
    held = snapshot({**DEMO, STETH: 1})
    assert (Refusal("G202", "no price of STETH"),) == unknown(
        value(held, replace(quoted, asset_of=named), own)
    )


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1", "0"])
def test_price_that_is_no_number_above_nothing_is_no_price(text):
    quoted = prices()
    odd = {**quoted.by_asset, "ETH": price("ETH", text)}
    valuation = value(snapshot(DEMO), Prices(odd, {}, quoted.asset_of), policy())
    assert (Refusal("G202", "no price of ETH"),) == unknown(valuation)


def test_single_source_price_values_for_reports():
    quoted = prices()
    alone = {**quoted.by_asset, "ETH": price("ETH", "3000", "chainlink")}
    refused = {"ETH": Unpriced("ETH", "G206", "only one source")}
    valuation = value(snapshot(DEMO), Prices(alone, refused, quoted.asset_of), policy())
    assert Decimal(80_000) == valuation.value


# ---- unlisted -------------------------------------------------------------------------------


def test_unlisted_holdings_are_refused_where_the_policy_says_so():
    own = policy(unlisted="refuse")
    held = {**DEMO, DAI: 1, SPAM: 5}
    assert (
        Refusal("G207", "DAI on eip155:1 and SPAM on eip155:1 in the wallet belong to no asset"),
    ) == unknown(value(snapshot(held), prices(), own))
    assert Decimal(80_000) == value(snapshot(DEMO), prices(), own).value


def test_gas_coin_is_never_a_stranger():
    own = policy(
        unlisted="refuse", assets=assets(("ETH", (WETH,)), ("WBTC", (WBTC,)), ("USDC", (USDC,)))
    )
    assert Decimal(50_000) == value(snapshot(DEMO), prices(), own).value


# ---- keep -----------------------------------------------------------------------------------


def test_what_is_kept_is_outside_the_weights():
    valuation = value(snapshot(DEMO), prices(), policy(keep={"USDC": Decimal(3000)}))
    assert Decimal(77_000) == valuation.value
    assert Decimal(17_000) == valuation.by_asset["USDC"]
    kept = {p.token.symbol: p.kept for p in valuation.positions if p.kept}
    assert {"USDC": 3_000_000_000} == kept


def test_what_is_kept_comes_from_the_largest_spendable_holdings_first():
    held = holdings(ETH="4", WETH="6", STETH="50", WBTC="1", USDC="1")
    own = policy(assets=WITH_STETH, keep={"ETH": Decimal("7")})
    valuation = value(snapshot(held), prices(), own)
    kept = {p.token.symbol: p.kept for p in valuation.positions if p.kept}
    assert {"WETH": 6 * 10**18, "ETH": 10**18} == kept


def test_more_is_kept_than_held_and_it_is_said():
    valuation = value(snapshot(DEMO), prices(), policy(keep={"USDC": Decimal(50_000)}))
    assert Decimal(0) == valuation.by_asset["USDC"]
    assert ("50,000.00 USDC are to be kept, 20,000.00 are held",) == valuation.notes


def test_keep_is_rounded_up_against_selling():
    valuation = value(snapshot(DEMO), prices(), policy(keep={"USDC": Decimal("0.0000001")}))
    assert [1] == [p.kept for p in valuation.positions if p.token == USDC]


# ---- in flight ------------------------------------------------------------------------------


def test_money_in_flight_counts_for_where_it_goes():
    own = policy(chains=(CHAIN, OTHER), assets=ON_TWO)
    flying = InFlight("2", Amount(USDC, whole(USDC, "4000")), USDC_BASE)
    seen = snapshot({**DEMO, USDC_BASE: 0}, in_flight=(flying,))
    valuation = value(seen, prices(), own)
    assert Decimal(84_000) == valuation.value
    assert Decimal(4_000) == valuation.by_chain[OTHER]
    assert Decimal(4_000) == valuation.by_asset_on_chain["USDC", OTHER]
    assert [("2", USDC_BASE, Decimal(4_000))] == [
        (p.leg, p.token, p.value) for p in valuation.in_flight
    ]


def test_money_in_flight_without_a_price_leaves_the_whole_without_a_value():
    flying = InFlight("2", Amount(SPAM, 5), USDC)
    assert (Refusal("G202", "no price of USDC"),) == unknown(
        value(snapshot(DEMO, in_flight=(flying,)), prices(), policy())
    )


def test_money_in_flight_to_no_asset_stays_outside():
    flying = InFlight("2", Amount(USDC, 5), SPAM)
    valuation = value(snapshot(DEMO, in_flight=(flying,)), prices(), policy())
    assert Decimal(80_000) == valuation.value


# ---- properties -----------------------------------------------------------------------------

amounts = st.integers(0, 10**24)


@given(eth=amounts, weth=amounts, usdc=amounts, wbtc=amounts)
def test_parts_sum_to_the_whole(eth, weth, usdc, wbtc):
    held = {ETH: eth, WETH: weth, USDC: usdc, WBTC: wbtc}
    valuation = value(snapshot(held), prices(), policy())
    for parts in (valuation.by_asset, valuation.by_chain, valuation.by_asset_on_chain):
        assert abs(sum(parts.values()) - valuation.value) <= valuation.value / 10**20
    known = prices()
    worth = sum(known.worth(Amount(token, raw)) for token, raw in held.items())
    assert abs(worth - valuation.value) <= valuation.value / 10**20


@given(raw=amounts, kept=st.decimals(0, 10**7, places=8))
def test_kept_and_counted_sum_to_the_holding(raw, kept):
    valuation = value(snapshot(holdings() | {WBTC: raw}), prices(), policy(keep={"WBTC": kept}))
    (position,) = (p for p in valuation.positions if p.token == WBTC)
    assert 0 <= position.kept <= raw
    assert min(raw, int(kept * 10**8)) == position.kept
    assert position.counted <= position.value


def test_two_tokens_with_one_symbol_are_two_tokens():
    fake = Token(CHAIN, SPAM.address, 6, "USDC")
    valuation = value(snapshot({**DEMO, fake: 10**15}), prices(), policy())
    assert Decimal(80_000) == valuation.value
    assert [fake] == list(valuation.unpriced)
