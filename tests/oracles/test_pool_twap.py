"""Ratios of two assets by the averages of pools, and which pools have no voice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.scripted_node import ScriptedNode, io
from portfolios import CHAIN, ETH, OTHER, USDC, USDC_BASE, WBTC, WETH

from agent.core.price import Ratio, Unpriced
from agent.oracles.pool_twap import Average, ChainOptions, Options, make, read_average
from agent.wire.abi import encode, functions

NOW = 1_800_000_000
WINDOW = 1_800
FACTORY = "0x" + "fa" * 20
GET_POOL = functions("uniswap_v3_factory")["getPool(address,address,uint24)"]
OBSERVE = functions("uniswap_v3_pool")["observe(uint32[])"]
ON_CHAIN = ChainOptions(
    factory=FACTORY,
    fee_tiers=(500, 3_000),
    min_depth={"ETH": Decimal(30), "USDC": Decimal(100_000)},
)
ASSETS = {"ETH": (ETH, WETH), "USDC": (USDC,)}
# USDC is token0 here (its address is lower): base units of WETH for one of USDC.
TOKEN0, TOKEN1 = sorted((WETH, USDC), key=lambda token: token.address)
TICK_3000 = 196_256
"""1.0001^196256 is about 10^12 / 3000."""
DEEP = 10**20


def cumulated(tick, liquidity, *, window=WINDOW, before=(0, 0)):
    """What `observe` answers for a constant tick and liquidity."""
    ticks = before[0], before[0] + tick * window
    spread = before[1], before[1] + (window << 128) // liquidity
    return [list(ticks), list(spread)]


def address(number):
    return f"0x{number:040x}"


def with_pool(node, number, tick=TICK_3000, liquidity=DEEP, *, fee=500, pair=(TOKEN0, TOKEN1)):
    """Add a pool of a constant past."""
    node.answers(FACTORY, GET_POOL, (address(number),), *(t.address for t in pair), fee)
    node.answers(address(number), OBSERVE, cumulated(tick, liquidity), [WINDOW, 0])
    return node


def asked(node, assets=None, **changed):
    oracle = make(Options({CHAIN: replace(ON_CHAIN, **changed)}), io(node))
    return oracle.opinions(ASSETS if assets is None else assets, NOW)


def reasons(said):
    assert all(isinstance(one, Unpriced) for one in said)
    assert ["ETH", "USDC"] == [one.asset for one in said]
    assert 1 == len({(one.code, one.why) for one in said})
    return said[0].code, said[0].why


def test_tokens_of_the_test_are_in_the_order_of_pools():
    assert (USDC, WETH) == (TOKEN0, TOKEN1)


def test_pool_speaks_of_the_ratio_of_its_assets():
    (ratio,) = asked(with_pool(ScriptedNode(), 1))
    assert ("pool", "USDC", "ETH", NOW) == (ratio.source, ratio.base, ratio.quote, ratio.at)
    assert abs(1 / ratio.value - 3_000) < 1


def test_all_pools_of_a_chain_take_two_requests():
    node = with_pool(with_pool(ScriptedNode(), 1), 2, fee=3_000)
    asked(node)
    assert 2 == node.requests


def test_deepest_pool_of_a_pair_speaks():
    node = with_pool(with_pool(ScriptedNode(), 1, TICK_3000 - 500, DEEP // 2), 2, fee=3_000)
    (ratio,) = asked(node)
    assert abs(1 / ratio.value - 3_000) < 1


def test_pool_without_memory_is_passed_over_for_one_that_has_it():
    node = with_pool(with_pool(ScriptedNode(), 1), 2, fee=3_000)
    node.says(address(1), OBSERVE, None, [WINDOW, 0])
    assert isinstance(asked(node)[0], Ratio)


def test_decimals_of_both_tokens_count():
    pair = sorted((WBTC, WETH), key=lambda token: token.address)
    assert [WBTC, WETH] == pair
    # 20 WETH for one WBTC is 20 × 10^10 base units for one.
    node = with_pool(ScriptedNode(), 1, 260_229, 10**17, pair=pair)
    (ratio,) = asked(node, {"ETH": (WETH,), "WBTC": (WBTC,)})
    assert abs(ratio.value - 20) < Decimal("0.01")


# ---- silence is said ------------------------------------------------------------------------


def test_pair_without_pools_says_so():
    node = ScriptedNode()
    assert ("G202", "there is no pool USDC/ETH") == reasons(asked(node))
    assert 1 == node.requests


def test_factory_that_knows_no_pool_answers_with_nothing():
    node = ScriptedNode()
    for fee in (500, 3_000):
        node.answers(FACTORY, GET_POOL, (address(0),), TOKEN0.address, TOKEN1.address, fee)
    assert ("G202", "there is no pool USDC/ETH") == reasons(asked(node))


def test_factory_that_answers_nonsense_knows_no_pool():
    node = ScriptedNode()
    node.says(FACTORY, GET_POOL, b"\xff" * 32, TOKEN0.address, TOKEN1.address, 500)
    assert ("G202", "there is no pool USDC/ETH") == reasons(asked(node))


@pytest.mark.parametrize("raw", [None, b"", b"\x01" * 64, b"\xff" * 320])
def test_pool_with_too_short_a_memory_has_no_voice(raw):
    node = with_pool(ScriptedNode(), 1)
    node.says(address(1), OBSERVE, raw, [WINDOW, 0])
    assert ("G202", "pool USDC/ETH does not remember the last 30 min") == reasons(asked(node))


def test_thin_pool_has_no_voice():
    code, why = reasons(asked(with_pool(ScriptedNode(), 1, liquidity=DEEP // 10**4)))
    assert "G202" == code
    assert why.startswith("pool USDC/ETH is too thin: ")
    assert why.endswith(" move it by 1 %, 100,000.00 are asked for")


def test_depth_is_measured_on_both_sides():
    node = with_pool(ScriptedNode(), 1)
    average = Average(Fraction(TICK_3000), DEEP)
    depth = {
        "USDC": Decimal(average.depth[0]).scaleb(-6),
        "ETH": Decimal(average.depth[1]).scaleb(-18),
    }
    for asset, amount in depth.items():
        assert isinstance(asked(node, min_depth={asset: amount})[0], Ratio)
        assert "too thin" in reasons(asked(node, min_depth={asset: amount + 1}))[1]


def test_depth_is_what_moves_the_price_by_one_percent():
    usdc, weth = Average(Fraction(TICK_3000), DEEP).depth
    # In a pool of constant product half a percent of a side moves the price by one.
    side = DEEP * 10_001 ** (TICK_3000 // 2) // 10_000 ** (TICK_3000 // 2)
    assert 4_990 < Fraction(weth, side) * 10**6 < 5_030
    assert abs(Fraction(weth * 3_000, usdc * 10**12) - 1) < Fraction(1, 100)


def test_pair_of_which_no_depth_is_known_has_no_voice():
    assert ("G202", "pool USDC/ETH has no voice: min_depth names neither asset") == reasons(
        asked(with_pool(ScriptedNode(), 1), min_depth={"DAI": Decimal(1)})
    )


def test_silent_node_is_told_apart_from_a_missing_price():
    node = ScriptedNode()
    node.silent = True
    assert ("N101", "pool was not read: 127.0.0.1 does not answer") == reasons(asked(node))


def test_asset_without_tokens_on_any_chain_with_pools_is_said():
    node = ScriptedNode()
    assert (Unpriced("USDC", "G202", "no pool knows USDC"),) == asked(node, {"USDC": (USDC_BASE,)})
    assert 0 == node.requests


def test_tokens_of_one_asset_are_no_pair():
    node = ScriptedNode()
    asked(node, {"ETH": (ETH, WETH, WBTC)})
    assert 0 == node.requests


def test_asset_that_one_pool_speaks_of_is_not_silent():
    node = with_pool(ScriptedNode(), 1)
    said = asked(node, {**ASSETS, "WBTC": (WBTC,)})
    assert [Ratio, Unpriced, Unpriced] == [type(one) for one in said]
    assert {"WBTC"} == {one.asset for one in said[1:]}


def test_each_chain_speaks_for_itself():
    one, other = with_pool(ScriptedNode(1), 1), ScriptedNode(OTHER)
    other.silent = True
    oracle = make(Options({CHAIN: ON_CHAIN, OTHER: ON_CHAIN}), io(one, other))
    weth_base = replace(WETH, chain=OTHER)
    said = oracle.opinions({"ETH": (WETH, weth_base), "USDC": (USDC, USDC_BASE)}, NOW)
    assert [Ratio] == [type(word) for word in said]


# ---- exact figures --------------------------------------------------------------------------


def test_cumulative_figures_that_wrap_round_are_understood():
    before = 2**55 - 1_000, 2**160 - 5
    ticks, spread = cumulated(7, DEEP, before=before)
    ticks[1] -= 2**56
    spread[1] %= 2**160
    raw = encode(OBSERVE.outputs, [ticks, spread])
    assert Average(Fraction(7), (WINDOW << 128) // ((WINDOW << 128) // DEEP)) == read_average(
        raw, WINDOW
    )


def test_mean_tick_keeps_its_fraction():
    raw = encode(OBSERVE.outputs, [[0, -901], [0, 1 << 128]])
    assert Fraction(-901, 1_800) == read_average(raw, 1_800).tick


@pytest.mark.parametrize(
    "answer",
    [
        [[0, 900_000 * 10], [0, 1 << 128]],
        [[0, -900_000 * 10], [0, 1 << 128]],
        [[0, 10], [5, 5]],
        [[0], [0]],
        [[0, 1, 2], [0, 1, 2]],
    ],
)
def test_answer_that_cannot_be_is_no_average(answer):
    raw = encode(OBSERVE.outputs, answer)
    assert read_average(raw, 10) is None


@given(st.integers(-400_000, 400_000), st.integers(1, 1_799))
def test_price_between_two_ticks_lies_between_their_prices(tick, part):
    low, high = (Average(Fraction(t), 1).price for t in (tick, tick + 1))
    between = Average(tick + Fraction(part, 1_800), 1).price
    assert low < between < high
    assert 1 + Fraction(part, 18_000_000) == between / low


@given(st.integers(-2_000, 2_000))
def test_price_is_the_power_of_the_tick(tick):
    price = Average(Fraction(tick), 1).price
    assert abs(price / Fraction(10_001, 10_000) ** tick - 1) < Fraction(1, 10**9)


@given(st.integers(-200_000, 200_000))
def test_opposite_ticks_have_inverse_prices(tick):
    there, back = Average(Fraction(tick), 1).price, Average(Fraction(-tick), 1).price
    assert abs(there * back - 1) < Fraction(1, 10**9)


@given(st.binary(max_size=400))
def test_any_bytes_are_an_average_or_none(raw):
    average = read_average(raw, WINDOW)
    assert average is None or average.liquidity >= 0
