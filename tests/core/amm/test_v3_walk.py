"""Whole swaps against a literal, slow walk over a bitmap in checked 256-bit words.

The walk here follows the published contract statement by statement (Uniswap v3-core,
UniswapV3Pool.sol, SwapMath.sol, SqrtPriceMath.sol), with a revert wherever the contract would
overflow; the product passes over gaps, shares its steps by direction and never checks a width.
"""

from __future__ import annotations

import pytest
from amm_pools import amounts, unhurried, v3_pools
from hypothesis import event, given, settings
from hypothesis import strategies as st

from agent.core.amm.outcome import OutOfLiquidity, Reverts, Swapped
from agent.core.amm.tick_price import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)
from agent.core.amm.v3 import V3Pool, quote_exact_in, quote_exact_out

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover


class RevertError(Exception):
    """The contract would revert."""


def fits(value: int, bits: int = 256) -> int:
    if not 0 <= value < 1 << bits:
        raise RevertError(bits)
    return value


def mul_div(a: int, b: int, denominator: int) -> int:
    return fits(a * b // denominator)


def mul_div_rounding_up(a: int, b: int, denominator: int) -> int:
    return fits(-(-a * b // denominator))


def amount0_delta(a: int, b: int, liquidity: int, *, is_up: bool) -> int:
    a, b = min(a, b), max(a, b)
    if is_up:
        return -(-mul_div_rounding_up(fits(liquidity << 96), b - a, b) // a)
    return mul_div(fits(liquidity << 96), b - a, b) // a


def amount1_delta(a: int, b: int, liquidity: int, *, is_up: bool) -> int:
    return (mul_div_rounding_up if is_up else mul_div)(liquidity, abs(b - a), 1 << 96)


def next_from_amount0(price: int, liquidity: int, amount: int, *, is_added: bool) -> int:
    if amount == 0:
        return price
    numerator = fits(liquidity << 96)
    product = amount * price
    if is_added:
        if product < 1 << 256 and numerator + product < 1 << 256:
            return fits(mul_div_rounding_up(numerator, price, numerator + product), 160)
        return -(-numerator // fits(numerator // price + amount))
    if not (product < 1 << 256 and numerator > product):
        raise RevertError
    return fits(mul_div_rounding_up(numerator, price, numerator - product), 160)


def next_from_amount1(price: int, liquidity: int, amount: int, *, is_added: bool) -> int:
    if is_added:
        return fits(fits(price + mul_div(amount, 1 << 96, liquidity)), 160)
    quotient = mul_div_rounding_up(amount, 1 << 96, liquidity)
    if not price > quotient:
        raise RevertError
    return price - quotient


def swap_step(price: int, target: int, liquidity: int, remaining: int, fee: int):
    is_down, is_exact_in = price >= target, remaining >= 0
    delta_in, delta_out = (
        (amount0_delta, amount1_delta) if is_down else (amount1_delta, amount0_delta)
    )
    taken = paid = 0
    if is_exact_in:
        without_fee = mul_div(remaining, 10**6 - fee, 10**6)
        taken = delta_in(price, target, liquidity, is_up=True)
        reached = target
        if without_fee < taken:
            move = next_from_amount0 if is_down else next_from_amount1
            reached = move(price, liquidity, without_fee, is_added=True)
    else:
        paid = delta_out(price, target, liquidity, is_up=False)
        reached = target
        if -remaining < paid:
            move = next_from_amount1 if is_down else next_from_amount0
            reached = move(price, liquidity, -remaining, is_added=False)
    is_whole = reached == target
    if not (is_whole and is_exact_in):
        taken = delta_in(price, reached, liquidity, is_up=True)
    if not (is_whole and not is_exact_in):
        paid = delta_out(price, reached, liquidity, is_up=False)
    if not is_exact_in:
        paid = min(paid, -remaining)
    if is_exact_in and reached != target:
        return reached, taken, paid, fits(remaining - taken)
    return reached, taken, paid, mul_div_rounding_up(taken, fee, 10**6 - fee)


def next_within_one_word(bitmap: dict[int, int], tick: int, spacing: int, *, is_down: bool):
    compressed = abs(tick) // spacing * (-1 if tick < 0 else 1)
    if tick < 0 and abs(tick) % spacing:
        compressed -= 1
    if is_down:
        word, bit = compressed >> 8, compressed & 255
        masked = bitmap.get(word, 0) & ((1 << bit) - 1 + (1 << bit))
        found = masked.bit_length() - 1 if masked else 0
        return (compressed - (bit - found)) * spacing, bool(masked)
    word, bit = (compressed + 1) >> 8, (compressed + 1) & 255
    masked = bitmap.get(word, 0) >> bit << bit
    found = (masked & -masked).bit_length() - 1 if masked else 255
    return (compressed + 1 + found - bit) * spacing, bool(masked)


def contract_swap(pool: V3Pool, specified: int, limit: int, *, is_down: bool) -> Swapped:
    spacing, net = pool.tick_map.spacing, dict(pool.tick_map.ticks)
    bitmap: dict[int, int] = {}
    for tick in net:
        index = tick // spacing
        bitmap[index >> 8] = bitmap.get(index >> 8, 0) | 1 << (index & 255)
    price, tick, liquidity = pool.sqrt_price_x96, pool.tick, pool.liquidity
    if specified == 0 or not -(2**255) < specified < 2**255:
        raise RevertError
    if not (MIN_SQRT_RATIO < limit < price if is_down else price < limit < MAX_SQRT_RATIO):
        raise RevertError
    remaining, calculated, crossed = specified, 0, 0
    while remaining != 0 and price != limit:
        start = price
        following, is_initialised = next_within_one_word(bitmap, tick, spacing, is_down=is_down)
        following = max(MIN_TICK, min(following, MAX_TICK))
        following_price = sqrt_ratio_at_tick(following)
        target = max(following_price, limit) if is_down else min(following_price, limit)
        price, taken, paid, fee = swap_step(price, target, liquidity, remaining, pool.fee)
        if specified > 0:
            remaining -= fits(taken + fee, 255)
            calculated -= paid
        else:
            remaining += paid
            calculated += fits(taken + fee, 255)
        if liquidity > 0:
            mul_div(fee, 1 << 128, liquidity)  # the fee growth must fit a word
        if price == following_price:
            if is_initialised:
                liquidity = fits(liquidity + net[following] * (-1 if is_down else 1), 128)
                crossed += 1
            tick = following - 1 if is_down else following
        elif price != start:
            tick = tick_at_sqrt_ratio(price)
    done = specified - remaining
    amount_in, amount_out = (done, -calculated) if specified > 0 else (calculated, -done)
    if not amount_in > 0:
        raise RevertError  # the callback of QuoterV2 and of the routers refuses
    return Swapped(
        amount_in=amount_in,
        amount_out=amount_out,
        sqrt_price_after_x96=price,
        tick_after=tick,
        liquidity_after=liquidity,
        ticks_crossed=crossed,
    )


def contract_or_none(pool: V3Pool, specified: int, limit: int | None, *, is_down: bool):
    if limit is None:
        limit = MIN_SQRT_RATIO + 1 if is_down else MAX_SQRT_RATIO - 1
    try:
        return contract_swap(pool, specified, limit, is_down=is_down)
    except RevertError:
        return None


def as_contract(outcome):
    """What a contract makes of a quote: the swap it would do, or None where it reverts."""
    event(type(outcome).__name__)
    match outcome:
        case OutOfLiquidity(filled=None) | Reverts():
            return None
        case OutOfLiquidity(filled=filled):
            return filled if filled.amount_in else None
    return outcome


@settings(unhurried, max_examples=200)
@given(v3_pools(), amounts(), st.booleans())
def test_exact_input_equals_the_literal_walk(pool, amount, is_down):
    expected = contract_or_none(pool, amount, None, is_down=is_down)
    assert expected == as_contract(quote_exact_in(pool, amount, zero_for_one=is_down))


@settings(unhurried, max_examples=200)
@given(v3_pools(), amounts(), st.booleans())
def test_exact_output_equals_the_literal_walk(pool, amount, is_down):
    expected = contract_or_none(pool, -amount, None, is_down=is_down)
    if expected is not None and expected.amount_out != amount:
        event("more asked for than there is")
    assert expected == as_contract(quote_exact_out(pool, amount, zero_for_one=is_down))


# On a tick of the map or one beside it: the limits at which the final tick is delicate.
distances = st.tuples(st.integers(-500, 70_000), st.integers(-1, 1))


@settings(unhurried, max_examples=200)
@given(v3_pools(), amounts(), st.booleans(), st.booleans(), distances)
def test_swap_to_a_price_limit_equals_the_literal_walk(
    pool, amount, is_down, is_exact_in, distance
):
    spacing = pool.tick_map.spacing
    near = pool.tick + (-distance[0] if is_down else distance[0])
    tick = max(MIN_TICK, min(near // spacing * spacing, MAX_TICK))
    limit = sqrt_ratio_at_tick(tick) + distance[1]
    expected = contract_or_none(pool, amount if is_exact_in else -amount, limit, is_down=is_down)
    quote = quote_exact_in if is_exact_in else quote_exact_out
    assert expected == as_contract(
        quote(pool, amount, zero_for_one=is_down, sqrt_price_limit_x96=limit)
    )


@unhurried
@given(v3_pools(), st.booleans(), st.sampled_from((0, -1, 2**255 - 1, 2**255)))
def test_amounts_at_the_edge_of_the_contract_integers_equal_the_literal_walk(pool, is_down, amount):
    expected = contract_or_none(pool, amount, None, is_down=is_down) if amount > 0 else None
    assert expected == as_contract(quote_exact_in(pool, amount, zero_for_one=is_down))
