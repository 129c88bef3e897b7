"""One step of a swap: from a price towards the next at which the pool pauses.

Each function takes the square root of the price and of the target price (Q64.96), the liquidity
between them, what remains to be swapped (base units) and the fee (hundredths of a basis point),
and returns (price reached, taken without fee, paid out, fee taken). The step rounds each of them
against the trader on its own, so that two short steps are not one long step.
Source: Uniswap v3-core, SwapMath.sol, `computeSwapStep`.
"""

from __future__ import annotations

from agent.core.amm import sqrt_price as curve
from agent.core.rounding import mul_div_down, mul_div_up

FEE_UNIT = 1_000_000
"""A fee of everything, in hundredths of a basis point."""

Step = tuple[int, int, int, int]
"""Price reached, amount in without the fee, amount out, fee."""


def exact_in_down(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Sell token0 for token1, up to *remaining* of token0 with the fee."""
    offered = mul_div_down(remaining, FEE_UNIT - fee, FEE_UNIT)
    taken = curve.amount0_up(target, price, liquidity)
    if offered >= taken:
        reached, charged = target, mul_div_up(taken, fee, FEE_UNIT - fee)
    else:
        reached = curve.price_after_amount0_in(price, liquidity, offered)
        taken = curve.amount0_up(reached, price, liquidity)
        charged = remaining - taken
    return reached, taken, curve.amount1_down(reached, price, liquidity), charged


def exact_in_up(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Sell token1 for token0, up to *remaining* of token1 with the fee."""
    offered = mul_div_down(remaining, FEE_UNIT - fee, FEE_UNIT)
    taken = curve.amount1_up(price, target, liquidity)
    if offered >= taken:
        reached, charged = target, mul_div_up(taken, fee, FEE_UNIT - fee)
    else:
        reached = curve.price_after_amount1_in(price, liquidity, offered)
        taken = curve.amount1_up(price, reached, liquidity)
        charged = remaining - taken
    return reached, taken, curve.amount0_down(price, reached, liquidity), charged


def exact_out_down(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Buy token1 with token0, up to *remaining* of token1."""
    paid = curve.amount1_down(target, price, liquidity)
    if remaining >= paid:
        reached = target
    else:
        reached = curve.price_after_amount1_out(price, liquidity, remaining)
        paid = remaining  # what the price moved by is never less than what it was moved for
    taken = curve.amount0_up(reached, price, liquidity)
    return reached, taken, paid, mul_div_up(taken, fee, FEE_UNIT - fee)


def exact_out_up(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Buy token0 with token1, up to *remaining* of token0."""
    paid = curve.amount0_down(price, target, liquidity)
    if remaining >= paid:
        reached = target
    else:
        reached = curve.price_after_amount0_out(price, liquidity, remaining)
        paid = remaining  # what the price moved by is never less than what it was moved for
    taken = curve.amount1_up(price, reached, liquidity)
    return reached, taken, paid, mul_div_up(taken, fee, FEE_UNIT - fee)
