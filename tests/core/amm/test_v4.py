"""Pools of v4 without hooks: v3's walk with the protocol's fee on top, by direction."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from amm_pools import POOL, TOKEN_A, TOKEN_B, amounts, unhurried, v3_pool, v3_pools
from hypothesis import assume, event, given
from hypothesis import strategies as st

from agent.core.amm import v3
from agent.core.amm.outcome import OutOfLiquidity, Reverts, Swapped
from agent.core.amm.path import Hop, PathRefusal, quote_path
from agent.core.amm.tick_price import sqrt_ratio_at_tick
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import (
    GAS_COIN,
    MOST_PROTOCOL_FEE,
    V4Key,
    V4Pool,
    after,
    composed,
    quote_exact_in,
)
from agent.core.money import Address

WIDE = [(-887_220, 887_220, 10**24)]
HOOKS = Address("0x" + "40" * 20)
protocol_fees = st.integers(0, MOST_PROTOCOL_FEE)


def v4_pool(curve: V3Pool, *, down: int = 0, up: int = 0) -> V4Pool:
    """The same pool in v4, with the protocol's fee for a falling and for a rising price."""
    key = V4Key(
        currency0=curve.token0,
        currency1=curve.token1,
        fee=curve.fee,
        tick_spacing=curve.tick_map.spacing,
    )
    return V4Pool(key=key, curve=curve, protocol_fee=up << 12 | down)


@st.composite
def v4_pools(draw: st.DrawFn, *, is_liquid: bool = False) -> V4Pool:
    curve = draw(v3_pools(is_liquid=is_liquid))
    assume(curve.fee < 990_000)
    return v4_pool(curve, down=draw(protocol_fees), up=draw(protocol_fees))


def out(pool: V4Pool, amount: int, *, is_down: bool) -> int:
    swapped = quote_exact_in(pool, amount, zero_for_one=is_down)
    event(type(swapped).__name__)
    assume(isinstance(swapped, Swapped))
    assert isinstance(swapped, Swapped)
    return swapped.amount_out


def test_swap_with_both_fees_is_that_of_the_contract() -> None:
    """By hand: 3 997 of a million are taken from what comes in before anything else."""
    pool = v4_pool(v3_pool(WIDE), down=1000)
    swapped = quote_exact_in(pool, 10**18, zero_for_one=True)
    assert isinstance(swapped, Swapped)
    counted = 10**18 * (1_000_000 - 3997) // 1_000_000
    assert 10**24 * counted // (10**24 + counted) == swapped.amount_out


@given(protocol_fees, st.integers(0, 1_000_000))
def test_protocol_takes_its_part_first_and_the_rest_is_rounded_up(part: int, fee: int) -> None:
    assert part + ceil(Fraction(fee * (1_000_000 - part), 1_000_000)) == composed(part, fee)


@unhurried
@given(v3_pools(), amounts(), st.booleans())
def test_pool_without_protocol_fee_swaps_as_v3_does(
    curve: V3Pool, amount: int, is_down: bool
) -> None:
    expected = v3.quote_exact_in(curve, amount, zero_for_one=is_down)
    if isinstance(expected, Swapped):
        assume(max(expected.amount_in, expected.amount_out) < 1 << 127)
    assume(amount < 1 << 127)
    assert expected == quote_exact_in(v4_pool(curve), amount, zero_for_one=is_down)


@unhurried
@given(v4_pools(), amounts(), st.booleans(), protocol_fees)
def test_fee_of_the_other_direction_changes_nothing(
    pool: V4Pool, amount: int, is_down: bool, other: int
) -> None:
    down, up = pool.protocol_fee & 0xFFF, pool.protocol_fee >> 12
    changed = v4_pool(pool.curve, down=down, up=other) if is_down else None
    changed = changed or v4_pool(pool.curve, down=other, up=up)
    assert quote_exact_in(pool, amount, zero_for_one=is_down) == quote_exact_in(
        changed, amount, zero_for_one=is_down
    )


@unhurried
@given(v4_pools(is_liquid=True), amounts(90), st.booleans())
def test_protocol_fee_never_brings_the_trader_more(
    pool: V4Pool, amount: int, is_down: bool
) -> None:
    free = replace(pool, protocol_fee=0)
    assert out(pool, amount, is_down=is_down) <= out(free, amount, is_down=is_down)


@unhurried
@given(v4_pools(is_liquid=True), amounts(90), amounts(90), st.booleans())
def test_more_in_is_never_less_out(pool: V4Pool, amount: int, more: int, is_down: bool) -> None:
    assert out(pool, amount, is_down=is_down) <= out(pool, amount + more, is_down=is_down)


@unhurried
@given(v4_pools(is_liquid=True), amounts(90), st.booleans())
def test_what_goes_there_and_back_never_grows(pool: V4Pool, amount: int, is_down: bool) -> None:
    there = quote_exact_in(pool, amount, zero_for_one=is_down)
    assume(isinstance(there, Swapped) and there.amount_out > 0)
    assert isinstance(there, Swapped)
    assert amount >= out(after(pool, there), there.amount_out, is_down=not is_down)


def test_pool_after_a_swap_keeps_its_key_and_fees() -> None:
    pool = v4_pool(v3_pool(WIDE), down=7, up=900)
    swapped = quote_exact_in(pool, 10**20, zero_for_one=False)
    assert isinstance(swapped, Swapped)
    left = after(pool, swapped)
    assert (pool.key, pool.protocol_fee, pool.curve.fee) == (
        left.key,
        left.protocol_fee,
        left.curve.fee,
    )
    assert swapped.sqrt_price_after_x96 == left.curve.sqrt_price_x96 > pool.curve.sqrt_price_x96


@pytest.mark.parametrize("is_down", [True, False])
def test_amount_beyond_the_contract_integers_reverts(is_down: bool) -> None:
    pool = v4_pool(v3_pool(WIDE))
    expected = Reverts(POOL, "the amount does not fit the contract's integers")
    assert expected == quote_exact_in(pool, 1 << 127, zero_for_one=is_down)
    most = quote_exact_in(pool, (1 << 127) - 1, zero_for_one=is_down)
    assert isinstance(most, Swapped | OutOfLiquidity)


def test_output_beyond_the_contract_integers_reverts() -> None:
    """At the top of the scale one unit of token0 is worth more token1 than fits."""
    dear = sqrt_ratio_at_tick(887_000)
    pool = v4_pool(v3_pool([(-887_220, 887_220, 1 << 120)], fee=0, sqrt_price_x96=dear))
    expected = Reverts(POOL, "the amount does not fit the contract's integers")
    assert expected == quote_exact_in(pool, 1, zero_for_one=True)
    assert isinstance(v3.quote_exact_in(pool.curve, 1, zero_for_one=True), Swapped)


def test_pool_is_named_as_its_curve_is() -> None:
    curve = v3_pool(WIDE)
    pool = v4_pool(curve)
    assert (POOL, TOKEN_A, TOKEN_B) == (pool.address, pool.token0, pool.token1)
    assert curve == pool.facing(zero_for_one=True) == pool.facing(zero_for_one=False)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hooks": HOOKS}, f"the hooks at {HOOKS} may do anything"),
        ({"fee": 0x800000}, "a fee that changes with every swap"),
        ({"tick_spacing": 0}, r"tick spacing 0 is outside 1\.\.32767"),
        ({"tick_spacing": 32_768}, "tick spacing 32768 is outside"),
        ({"currency0": TOKEN_B}, f"{TOKEN_B} does not come before {TOKEN_B}"),
        ({"currency1": GAS_COIN}, f"does not come before {GAS_COIN}"),
    ],
)
def test_key_of_a_pool_that_nobody_can_foresee_raises(
    change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(v4_pool(v3_pool(WIDE)).key, **change)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"protocol_fee": -1}, "protocol fee -1 is not a uint24"),
        ({"protocol_fee": 1 << 24}, "protocol fee 16777216 is not a uint24"),
        ({"protocol_fee": 1001}, "protocol fee 1001 is outside"),
        ({"protocol_fee": 1001 << 12}, "protocol fee 1001 is outside"),
        ({"curve": v3_pool(WIDE, fee=500)}, r"fee 500 and its ticks .* key \(3000, 60\)"),
        ({"curve": v3_pool(WIDE, spacing=10)}, r"fee 3000 and its ticks .* key \(3000, 60\)"),
    ],
)
def test_contradictory_pool_raises(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(v4_pool(v3_pool(WIDE)), **change)


def test_fees_that_leave_nothing_raise() -> None:
    with pytest.raises(ValueError, match="fees 1000 and 999999 leave nothing to swap"):
        v4_pool(v3_pool(WIDE, fee=999_999), down=1000)


@unhurried
@given(v4_pools(), amounts(), st.booleans())
def test_pool_in_a_path_is_quoted_and_left_like_the_pool_alone(
    pool: V4Pool, amount: int, is_down: bool
) -> None:
    sell, buy = (TOKEN_A, TOKEN_B) if is_down else (TOKEN_B, TOKEN_A)
    quote = quote_path([Hop(pool=pool, token_in=sell, token_out=buy)], amount)
    alone = quote_exact_in(pool, amount, zero_for_one=is_down)
    if isinstance(quote, PathRefusal):
        assert PathRefusal(hop=0, why=alone) == quote
        return
    assert isinstance(alone, Swapped)
    (hop,) = quote.hops
    assert (alone.amount_out, after(pool, alone)) == (quote.amount_out, hop.pool)
    assert alone.ticks_crossed == hop.ticks_crossed
