"""Prices and amounts of one stretch of constant liquidity.

Prices are square roots of token1 per token0 as Q64.96, `low` never above `high`; amounts are
base units. Formulas, and the direction of each rounding: Uniswap v3-core, SqrtPriceMath.sol.
With prices within the ticks and liquidity below 2¹²⁸ every result fits the contract's integers.
"""

from __future__ import annotations

from agent.core.rounding import mul_div_down, mul_div_up

_WORD = 1 << 256


def amount0_down(low: int, high: int, liquidity: int) -> int:
    """Return the token0 between two prices: for what the pool pays."""
    return mul_div_down(liquidity << 96, high - low, high) // low


def amount0_up(low: int, high: int, liquidity: int) -> int:
    """Return the token0 between two prices: for what the pool takes."""
    return -(-mul_div_up(liquidity << 96, high - low, high) // low)


def amount1_down(low: int, high: int, liquidity: int) -> int:
    """Return the token1 between two prices: for what the pool pays."""
    return liquidity * (high - low) >> 96


def amount1_up(low: int, high: int, liquidity: int) -> int:
    """Return the token1 between two prices: for what the pool takes."""
    return -(-liquidity * (high - low) >> 96)


def price_after_amount0_in(sqrt_price: int, liquidity: int, amount: int) -> int:
    """Return the lower price once *amount* of token0 came in, rounded up.

    A product that overflows 256 bits makes the contract take a coarser formula.
    """
    numerator = liquidity << 96
    product = amount * sqrt_price
    if numerator + product < _WORD:
        return mul_div_up(numerator, sqrt_price, numerator + product)
    return -(-numerator // (numerator // sqrt_price + amount))


def price_after_amount1_in(sqrt_price: int, liquidity: int, amount: int) -> int:
    """Return the higher price once *amount* of token1 came in, rounded down."""
    return sqrt_price + (amount << 96) // liquidity


def price_after_amount0_out(sqrt_price: int, liquidity: int, amount: int) -> int:
    """Return the higher price once *amount* of token0 went out, rounded up.

    The amount must be less than the liquidity holds up to the end of the stretch.
    """
    numerator = liquidity << 96
    return mul_div_up(numerator, sqrt_price, numerator - amount * sqrt_price)


def price_after_amount1_out(sqrt_price: int, liquidity: int, amount: int) -> int:
    """Return the lower price once *amount* of token1 went out, rounded down.

    The amount must be less than the liquidity holds down to the end of the stretch.
    """
    return sqrt_price + (-amount << 96) // liquidity
