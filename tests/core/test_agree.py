"""When independent sources make a price, and what is said when they do not."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portfolios import DAI, ETH, USDC, WBTC, WETH

from agent.core.agree import agree, falling
from agent.core.price import Opinion, Price, Prices, Ratio, Unpriced

NOW = 1_800_000_000
HOUR = 3_600
TOKENS = {"ETH": (ETH, WETH), "USDC": (USDC,), "WBTC": (WBTC,), "DAI": (DAI,)}


def feed(asset, value, age=0, source="chainlink", heartbeat=HOUR):
    at = NOW - age
    return Opinion(source, asset, Decimal(value), at, at + heartbeat)


def pool(base, quote, value, source="pool", at=NOW):
    return Ratio(source, base, quote, Decimal(value), at)


def agreed(*said, assets=("ETH", "USDC"), spread=75):
    return agree(
        said, assets={name: TOKENS[name] for name in assets}, now=NOW, max_spread_bps=spread
    )


def why(prices, asset):
    return prices.refused[asset].code, prices.refused[asset].why


# ---- agreement ------------------------------------------------------------------------------


def test_feed_and_pool_that_agree_make_the_lower_of_both():
    prices = agreed(feed("ETH", 3000, age=10), feed("USDC", 1), pool("ETH", "USDC", 2994))
    assert {} == prices.refused
    eth, usdc = prices.by_asset["ETH"], prices.by_asset["USDC"]
    assert (Decimal(2994), Decimal(2994), Decimal(3000)) == (eth.value, eth.low, eth.high)
    assert (("chainlink", "pool"), NOW - 10, True) == (eth.sources, eth.at, eth.independent)
    # The pool's word about USDC comes through the feed of ETH, not through USDC's own.
    assert Decimal(1) == usdc.value
    assert Decimal(3000) / 2994 == usdc.high


def test_ratio_may_be_given_either_way_round():
    one = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", 2994))
    other = agreed(feed("ETH", 3000), feed("USDC", 1), pool("USDC", "ETH", 1 / Decimal(2994)))
    assert abs(one.by_asset["ETH"].value - other.by_asset["ETH"].value) < Decimal("1e-20")


def test_every_form_of_an_asset_has_its_price():
    prices = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", 3000))
    assert prices.of(ETH) is prices.of(WETH) is prices.by_asset["ETH"]


def test_three_sources_make_their_median():
    prices = agreed(
        feed("ETH", 3000), feed("ETH", 3010, source="llama"), feed("ETH", 2995, source="gecko"),
        assets=("ETH",),
    )  # fmt: skip
    assert Decimal(3000) == prices.by_asset["ETH"].value
    assert ("chainlink", "llama", "gecko") == prices.by_asset["ETH"].sources


def test_four_sources_make_the_lower_of_the_two_middles():
    said = [
        feed("ETH", v, source=s) for v, s in ((3000, "a"), (3003, "b"), (3006, "c"), (3009, "d"))
    ]
    assert Decimal(3003) == agreed(*said, assets=("ETH",)).by_asset["ETH"].value


def test_one_liar_of_three_is_outvoted():
    prices = agreed(
        feed("ETH", 3000), feed("ETH", 3001, source="llama"), feed("ETH", 9000, source="gecko"),
        assets=("ETH",),
    )  # fmt: skip
    assert Decimal(3001) == prices.by_asset["ETH"].value
    assert {} == prices.refused


def test_three_sources_of_which_no_two_agree_make_no_price():
    said = [feed("ETH", v, source=s) for v, s in ((3000, "a"), (3300, "b"), (3600, "c"))]
    prices = agreed(*said, assets=("ETH",))
    assert {} == prices.by_asset
    assert (
        "G203",
        "price sources disagree on ETH by 2000 bps (limit 75): "
        "a 3,000.00 (0 s old), b 3,300.00 (0 s old), c 3,600.00 (0 s old)",
    ) == why(prices, "ETH")


def test_pool_settles_what_two_feeds_disagree_on():
    prices = agreed(
        feed("ETH", 3000), feed("ETH", 4000, source="llama"), feed("USDC", 1),
        pool("ETH", "USDC", 3003),
    )  # fmt: skip
    assert Decimal(3003) == prices.by_asset["ETH"].value
    # Which of the feeds of ETH is right is not known, so the pool says nothing about USDC.
    assert ("chainlink",) == prices.by_asset["USDC"].sources


def test_spread_at_the_limit_is_agreement():
    said = feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", Decimal("3022.5"))
    assert {} == agreed(*said).refused


# ---- disagreement ---------------------------------------------------------------------------


def test_disagreement_is_told_as_the_contract_of_the_command_line_shows():
    prices = agreed(
        feed("ETH", 3000), feed("WBTC", 60000), feed("USDC", "0.9821", age=41),
        pool("ETH", "USDC", Decimal(3000) / Decimal("0.9998")), pool("WBTC", "ETH", 20),
        assets=("ETH", "USDC", "WBTC"),
    )  # fmt: skip
    assert (
        "G203",
        "price sources disagree on USDC by 180 bps (limit 75): "
        "chainlink 0.9821 (41 s old), pool 0.9998",
    ) == why(prices, "USDC")
    assert {"ETH", "WBTC"} == set(prices.by_asset)


def test_spread_just_above_the_limit_is_told_finely():
    prices = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", "3022.53"))
    assert "disagree on ETH by 75.10 bps (limit 75)" in why(prices, "ETH")[1]


def test_pair_that_disagrees_alone_refuses_both():
    prices = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", 3300))
    assert {} == prices.by_asset
    assert {"ETH": "G203", "USDC": "G203"} == {n: u.code for n, u in prices.refused.items()}


def test_other_pairs_tell_which_asset_is_guilty():
    prices = agreed(
        feed("ETH", 3000), feed("WBTC", 60000), feed("USDC", 1), feed("DAI", 1),
        pool("ETH", "USDC", 3300), pool("WBTC", "USDC", 66000), pool("WBTC", "ETH", 20),
        pool("DAI", "USDC", Decimal("1.1")),
        assets=("ETH", "USDC", "WBTC", "DAI"),
    )  # fmt: skip
    assert "G203" == prices.refused["USDC"].code
    assert {"ETH", "WBTC", "DAI"} == set(prices.by_asset)
    assert prices.by_asset["ETH"].independent
    # Nobody but the guilty one speaks of DAI: one source is left, and that is for reports.
    assert "G206" == prices.refused["DAI"].code


def test_two_camps_that_each_agree_inside_are_both_refused():
    prices = agreed(
        feed("ETH", 3000), feed("WBTC", 60000), feed("USDC", 1), feed("DAI", 1),
        pool("ETH", "USDC", 3300), pool("WBTC", "ETH", 20), pool("DAI", "USDC", 1),
        assets=("ETH", "USDC", "WBTC", "DAI"),
    )  # fmt: skip
    assert {"ETH": "G203", "USDC": "G203", "WBTC": "G206", "DAI": "G206"} == {
        name: refusal.code for name, refusal in prices.refused.items()
    }


def test_two_feeds_that_agree_outvote_a_pool():
    prices = agreed(
        feed("ETH", 3000), feed("ETH", 3001, source="llama"), feed("USDC", 1),
        pool("ETH", "USDC", 3300),
    )  # fmt: skip
    assert ("chainlink", "llama") == prices.by_asset["ETH"].sources
    assert "G203" == prices.refused["USDC"].code


def test_pool_against_feeds_of_two_sources_on_both_sides_is_left_out():
    prices = agreed(
        feed("ETH", 3000), feed("ETH", 3001, source="llama"),
        feed("USDC", 1), feed("USDC", 1, source="llama"), pool("ETH", "USDC", 3300),
    )  # fmt: skip
    assert {} == prices.refused
    assert ("chainlink", "llama") == prices.by_asset["USDC"].sources


def test_middle_pool_of_three_speaks_for_the_pair():
    prices = agreed(
        feed("ETH", 3000), feed("USDC", 1),
        pool("ETH", "USDC", 3001), pool("ETH", "USDC", 3002), pool("USDC", "ETH", "0.0001"),
    )  # fmt: skip
    assert Decimal(3002) == prices.by_asset["ETH"].high
    assert {} == prices.refused


@pytest.mark.parametrize("odd", [2700, 3300])
def test_of_two_pools_the_one_further_from_the_feeds_speaks(odd):
    prices = agreed(
        feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", 3000), pool("ETH", "USDC", odd)
    )
    assert {"ETH", "USDC"} == set(prices.refused)


# ---- one source, none, old ------------------------------------------------------------------


def test_single_source_is_a_price_for_reports_only():
    prices = agreed(feed("ETH", 3000, age=41), assets=("ETH",))
    assert not prices.by_asset["ETH"].independent
    assert (
        "G206",
        "only one source prices ETH, two must agree: chainlink 3,000.00 (41 s old)",
    ) == why(prices, "ETH")


def test_single_source_tells_what_the_others_met():
    prices = agreed(
        feed("ETH", 3000), Unpriced("ETH", "G202", "pool ETH/USDC is too thin"), assets=("ETH",)
    )
    assert why(prices, "ETH")[1].endswith("(0 s old); pool ETH/USDC is too thin")


def test_feeds_of_one_source_are_one_source():
    prices = agreed(feed("ETH", 3000), feed("ETH", 3001), assets=("ETH",))
    assert ("chainlink",) == prices.by_asset["ETH"].sources
    assert "G206" == prices.refused["ETH"].code


def test_pool_alone_is_one_source():
    prices = agreed(feed("USDC", 1), pool("ETH", "USDC", 3000))
    assert ("pool",) == prices.by_asset["ETH"].sources
    assert ("chainlink",) == prices.by_asset["USDC"].sources


def test_stale_feed_is_refused_and_says_its_age():
    prices = agreed(feed("ETH", 3000, age=5_000), assets=("ETH",))
    assert {} == prices.by_asset
    assert (
        "G201",
        "price of ETH is stale: chainlink 3,000.00 is 83 min old (limit 1 h)",
    ) == why(prices, "ETH")


def test_feed_is_fresh_to_the_last_second():
    assert "ETH" in agreed(feed("ETH", 3000, age=HOUR), assets=("ETH",)).by_asset
    assert "ETH" not in agreed(feed("ETH", 3000, age=HOUR + 1), assets=("ETH",)).by_asset


def test_stale_feed_beside_a_pool_is_for_reports_and_says_stale():
    prices = agreed(feed("ETH", 3000, age=5_000), feed("USDC", 1), pool("ETH", "USDC", 2000))
    assert ("pool",) == prices.by_asset["ETH"].sources
    assert "G201" == prices.refused["ETH"].code


def test_each_feed_has_its_own_heartbeat():
    said = feed("USDC", 1, age=20 * HOUR, heartbeat=24 * HOUR), feed("ETH", 3000, age=20 * HOUR)
    prices = agreed(*said)
    assert ["USDC"] == list(prices.by_asset)
    assert "G201" == prices.refused["ETH"].code


def test_asset_that_nobody_prices_is_missing():
    assert ("G202", "no price of ETH: no source knows it") == why(agreed(assets=("ETH",)), "ETH")


def test_missing_price_tells_what_each_source_met():
    prices = agreed(
        Unpriced("ETH", "G202", "chainlink has no feed of ETH"),
        Unpriced("ETH", "N101", "pool was not read: 127.0.0.1 is silent"),
        assets=("ETH",),
    )
    assert (
        "N101",
        "no price of ETH: chainlink has no feed of ETH; pool was not read: 127.0.0.1 is silent",
    ) == why(prices, "ETH")


def test_what_is_said_of_other_assets_is_not_heard():
    prices = agreed(
        feed("WBTC", 60000), pool("ETH", "WBTC", 20), pool("ETH", "ETH", 2), Unpriced("WBTC", "G202", "x"),
        feed("ETH", 3000), assets=("ETH",),
    )  # fmt: skip
    assert ["ETH"] == list(prices.by_asset)
    assert ["ETH"] == list(prices.refused)
    assert ("chainlink",) == prices.by_asset["ETH"].sources


# ---- nonsense never passes ------------------------------------------------------------------

NONSENSE = ("NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "0", "-0", "-1")


@pytest.mark.parametrize("text", NONSENSE)
def test_feed_that_says_no_number_above_nothing_makes_no_price(text):
    prices = agreed(feed("ETH", text), assets=("ETH",))
    assert {} == prices.by_asset
    code, sentence = why(prices, "ETH")
    assert "G202" == code
    assert f"chainlink says {Decimal(text)}, which is no price" in sentence


@pytest.mark.parametrize("text", NONSENSE)
def test_pool_that_says_no_number_above_nothing_is_no_source(text):
    prices = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", text))
    assert [("chainlink",)] * 2 == [price.sources for price in prices.by_asset.values()]


def test_price_from_the_future_is_none():
    prices = agreed(feed("ETH", 3000, age=-3_000), assets=("ETH",))
    assert (
        "G202",
        "no price of ETH: chainlink is dated 50 min from now, which is no price",
    ) == why(prices, "ETH")


def test_clocks_may_differ_by_a_minute():
    assert "ETH" in agreed(feed("ETH", 3000, age=-60), assets=("ETH",)).by_asset


def test_pool_from_the_future_is_no_source():
    prices = agreed(feed("ETH", 3000), feed("USDC", 1), pool("ETH", "USDC", 3000, at=NOW + 61))
    assert {"G206"} == {refusal.code for refusal in prices.refused.values()}


# ---- pegs -----------------------------------------------------------------------------------


def test_asset_that_left_its_peg_must_not_be_bought():
    prices = agreed(
        feed("ETH", 3000),
        feed("USDC", "0.93"),
        pool("ETH", "USDC", Decimal(3000) / Decimal("0.93")),
    )
    assert (
        "USDC is at 0.9300, 7.0 % below its peg of 1.0000: it is not bought while it falls"
    ) == falling(prices, {"USDC": Decimal(1)})["USDC"]


@pytest.mark.parametrize(("low", "falls"), [("0.98", False), ("0.9799", True), ("1.5", False)])
def test_peg_has_two_percent_of_room(low, falls):
    price = Price("USDC", Decimal(low), Decimal(low), Decimal("1.6"), NOW, ("a", "b"))
    assert falls == ("USDC" in falling(Prices({"USDC": price}), {"USDC": Decimal(1)}))


def test_peg_of_an_asset_without_a_price_says_nothing():
    assert {} == falling(Prices({}), {"USDC": Decimal(1)})


# ---- properties -----------------------------------------------------------------------------

values = st.decimals("0.0001", "100000", places=4)
said_of_pairs = st.lists(
    st.one_of(
        st.builds(feed, st.sampled_from(list(TOKENS)), values, st.integers(-100, 2 * HOUR),
                  st.sampled_from(["chainlink", "llama", "gecko"])),
        st.builds(pool, st.sampled_from(list(TOKENS)), st.sampled_from(list(TOKENS)), values),
        st.builds(feed, st.sampled_from(list(TOKENS)), st.sampled_from(NONSENSE)),
    ),
    max_size=14,
)  # fmt: skip


@given(said_of_pairs)
def test_every_asset_has_a_price_or_a_reason(said):
    prices = agreed(*said, assets=tuple(TOKENS))
    for asset in TOKENS:
        price = prices.by_asset.get(asset)
        movable = price is not None and price.independent
        assert movable != (asset in prices.refused)
        if price is not None:
            assert 0 < price.low <= price.value <= price.high
            assert price.value.is_finite()


@given(said_of_pairs, st.randoms(use_true_random=False))
def test_order_of_opinions_changes_no_value(said, random):
    shuffled = list(said)
    random.shuffle(shuffled)
    one, other = (agreed(*heard, assets=tuple(TOKENS)) for heard in (said, shuffled))
    assert {n: p.value for n, p in one.by_asset.items()} == {
        n: p.value for n, p in other.by_asset.items()
    }
    assert {n: r.code for n, r in one.refused.items()} == {
        n: r.code for n, r in other.refused.items()
    }


@given(st.lists(values, min_size=3, max_size=3), st.integers(0, 2))
def test_price_of_two_agreeing_sources_and_a_liar_is_near_the_two(lies, place):
    honest = ["3000", "3001"]
    said = [*honest[:place], lies[0], *honest[place:]]
    prices = agreed(
        *(feed("ETH", v, source=s) for v, s in zip(said, "abc", strict=True)), assets=("ETH",)
    )
    price = prices.by_asset["ETH"]
    assert Decimal(3000) <= price.value <= Decimal(3001) or any(
        abs(Decimal(lies[0]) / Decimal(h) - 1) <= Decimal("0.0076") for h in honest
    )


@given(values, values)
def test_two_sources_make_the_lower_or_disagree(one, other):
    prices = agreed(feed("ETH", one, source="a"), feed("ETH", other, source="b"), assets=("ETH",))
    near = max(one, other) * 10_000 <= min(one, other) * 10_075
    assert near == ("ETH" in prices.by_asset)
    if near:
        assert min(one, other) == prices.by_asset["ETH"].value


def test_every_subset_of_pools_leaves_no_price_on_a_single_feed_movable():
    pools = [pool("ETH", "USDC", 3000), pool("WBTC", "ETH", 20), pool("WBTC", "USDC", 60000)]
    for count in range(4):
        for chosen in itertools.combinations(pools, count):
            prices = agreed(feed("ETH", 3000), *chosen, assets=("ETH", "USDC", "WBTC"))
            assert not any(price.independent for price in prices.by_asset.values())
