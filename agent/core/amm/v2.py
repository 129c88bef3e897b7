"""Pools of two reserves whose product never falls: what a swap pays and takes.

Source: Uniswap v2-periphery, UniswapV2Library.sol (`getAmountOut`, `getAmountIn`), and v2-core,
UniswapV2Pair.sol (`swap`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.amm.outcome import OutOfLiquidity, Refusal, Reverts
from agent.core.money import Address
from agent.core.rounding import mul_div_down

_RESERVE_END = 1 << 112  # a reserve is a uint112


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Pool:
    """The state of one pair at one block; reserves are base units.

    Of what comes in, `kept_numerator` ÷ `kept_denominator` counts and the rest is the fee: 997
    of 1000 at Uniswap, other shares at its forks. Raises ValueError where a number is out of
    the contract's range.
    """

    address: Address
    token0: Address
    token1: Address
    reserve0: int
    reserve1: int
    kept_numerator: int = 997
    kept_denominator: int = 1000

    def __post_init__(self) -> None:
        if not (0 <= self.reserve0 < _RESERVE_END and 0 <= self.reserve1 < _RESERVE_END):
            raise ValueError(f"reserves {self.reserve0}, {self.reserve1} are not uint112")
        if not (0 < self.kept_numerator <= self.kept_denominator):
            raise ValueError(f"{self.kept_numerator} of {self.kept_denominator} is no share")


def amount_out(pool: V2Pool, amount_in: int, *, zero_for_one: bool) -> int | Refusal:
    """Return what the pair pays for *amount_in* base units, fee included.

    With `zero_for_one` token0 goes in. Balances beyond the reserves, which a router would find
    and add to the input, are not counted.
    """
    reserve_in, reserve_out = _reserves(pool, zero_for_one=zero_for_one)
    if not (amount_in > 0):
        return Reverts(pool.address, "the amount is zero or less")
    if not (reserve_in > 0 and reserve_out > 0):
        return OutOfLiquidity(pool.address)
    if not (reserve_in + amount_in < _RESERVE_END):
        return Reverts(pool.address, "the amount does not fit the contract's integers")
    counted = amount_in * pool.kept_numerator
    paid = mul_div_down(counted, reserve_out, reserve_in * pool.kept_denominator + counted)
    if paid == 0:
        return Reverts(pool.address, "the output rounds to zero")
    return paid


def amount_in(pool: V2Pool, amount_out: int, *, zero_for_one: bool) -> int | Refusal:
    """Return what the pair takes, fee included, to pay *amount_out* base units.

    With `zero_for_one` token1 comes out. The contract adds one base unit also where the
    division is exact.
    """
    reserve_in, reserve_out = _reserves(pool, zero_for_one=zero_for_one)
    if not (amount_out > 0):
        return Reverts(pool.address, "the amount is zero or less")
    if not (reserve_in > 0 and amount_out < reserve_out):
        return OutOfLiquidity(pool.address)
    left = (reserve_out - amount_out) * pool.kept_numerator
    taken = mul_div_down(reserve_in * amount_out, pool.kept_denominator, left) + 1
    if not (reserve_in + taken < _RESERVE_END):
        return Reverts(pool.address, "the amount does not fit the contract's integers")
    return taken


def after(pool: V2Pool, *, amount_in: int, amount_out: int, zero_for_one: bool) -> V2Pool:
    """Return the pair as the swap leaves it, so that a second swap sees the first."""
    if zero_for_one:
        return replace(
            pool, reserve0=pool.reserve0 + amount_in, reserve1=pool.reserve1 - amount_out
        )
    return replace(pool, reserve0=pool.reserve0 - amount_out, reserve1=pool.reserve1 + amount_in)


def _reserves(pool: V2Pool, *, zero_for_one: bool) -> tuple[int, int]:
    if zero_for_one:
        return pool.reserve0, pool.reserve1
    return pool.reserve1, pool.reserve0
