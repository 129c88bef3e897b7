"""Pools of concentrated liquidity: what a swap pays, takes and leaves behind.

Everything equals the contract's own arithmetic step by step, including the pauses at the ends of
bitmap words where no liquidity changes. What the contract's result depends on besides the pool's
numbers is left out: a pool that holds less than it owes, tokens that take a fee or refuse.
Source: Uniswap v3-core, UniswapV3Pool.sol, `swap`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.amm.outcome import (
    OutOfKnownLiquidity,
    OutOfLiquidity,
    Refusal,
    Reverts,
    Swapped,
)
from agent.core.amm.swap_step import (
    FEE_UNIT,
    exact_in_down,
    exact_in_up,
    exact_out_down,
    exact_out_up,
)
from agent.core.amm.tick_map import TickMap
from agent.core.amm.tick_price import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)
from agent.core.money import Address

_STEPS = {  # by whether the input is exact, and whether the price falls
    (True, True): exact_in_down,
    (True, False): exact_in_up,
    (False, True): exact_out_down,
    (False, False): exact_out_up,
}
_END = {True: MIN_SQRT_RATIO + 1, False: MAX_SQRT_RATIO - 1}  # by whether the price falls
_LIQUIDITY_END = 1 << 128  # liquidity is a uint128
_AMOUNT_END = 1 << 255  # the amount of a swap is an int256


@dataclass(frozen=True, slots=True, kw_only=True)
class V3Pool:
    """The state of one pool at one block.

    `fee` is in hundredths of a basis point; `sqrt_price_x96` is the square root of token1 per
    token0 in base units, as Q64.96; `liquidity` is what is active at that price. Raises
    ValueError where these contradict each other.
    """

    address: Address
    token0: Address
    token1: Address
    fee: int
    sqrt_price_x96: int
    tick: int
    liquidity: int
    tick_map: TickMap

    def __post_init__(self) -> None:
        if not (0 <= self.fee < FEE_UNIT):
            raise ValueError(f"fee {self.fee} is outside 0..{FEE_UNIT - 1}")
        if not (0 <= self.liquidity < _LIQUIDITY_END):
            raise ValueError(f"liquidity {self.liquidity} is not a uint128")
        if not (MIN_TICK <= self.tick < MAX_TICK):
            raise ValueError(f"tick {self.tick} is outside {MIN_TICK}..{MAX_TICK - 1}")
        # A price that fell exactly on a tick has left it already, so both ends belong to a tick.
        start, end = sqrt_ratio_at_tick(self.tick), sqrt_ratio_at_tick(self.tick + 1)
        if not (start <= self.sqrt_price_x96 <= end and self.sqrt_price_x96 < MAX_SQRT_RATIO):
            raise ValueError(f"tick {self.tick} is not that of price {self.sqrt_price_x96}")


def quote_exact_in(
    pool: V3Pool, amount_in: int, *, zero_for_one: bool, sqrt_price_limit_x96: int | None = None
) -> Swapped | Refusal:
    """Return what the pool pays for *amount_in* base units, fee included.

    With `zero_for_one` token0 goes in and the price falls. A price limit may stop the swap with
    less taken than offered; without one, a swap that the pool cannot fill is OutOfLiquidity.
    """
    return _swap(pool, amount_in, sqrt_price_limit_x96, zero_for_one=zero_for_one, is_exact_in=True)


def quote_exact_out(
    pool: V3Pool, amount_out: int, *, zero_for_one: bool, sqrt_price_limit_x96: int | None = None
) -> Swapped | Refusal:
    """Return what the pool takes, fee included, to pay *amount_out* base units.

    With `zero_for_one` token1 comes out and the price falls. A price limit may stop the swap
    with less paid than asked for; without one, that is OutOfLiquidity.
    """
    return _swap(
        pool, amount_out, sqrt_price_limit_x96, zero_for_one=zero_for_one, is_exact_in=False
    )


def after(pool: V3Pool, swapped: Swapped) -> V3Pool:
    """Return the pool as *swapped* leaves it, so that a second swap sees the first."""
    return replace(
        pool,
        sqrt_price_x96=swapped.sqrt_price_after_x96,
        tick=swapped.tick_after,
        liquidity=swapped.liquidity_after,
    )


def _swap(
    pool: V3Pool, amount: int, limit: int | None, *, zero_for_one: bool, is_exact_in: bool
) -> Swapped | Refusal:
    refusal = _refusal(pool, amount, limit, zero_for_one=zero_for_one)
    if refusal is not None:
        return refusal
    outcome = _walk(pool, amount, limit, zero_for_one=zero_for_one, is_exact_in=is_exact_in)
    if not isinstance(outcome, Swapped):
        return outcome
    filled = outcome.amount_in if is_exact_in else outcome.amount_out
    # Nothing taken means no liquidity up to the limit: no contract that pays for a swap goes on.
    if outcome.amount_in == 0 or (limit is None and filled < amount):
        return OutOfLiquidity(pool.address, outcome)
    return outcome


def _refusal(pool: V3Pool, amount: int, limit: int | None, *, zero_for_one: bool) -> Refusal | None:
    if not (amount > 0):
        return Reverts(pool.address, "the amount is zero or less")
    if not (amount < _AMOUNT_END):
        return Reverts(pool.address, "the amount does not fit the contract's integers")
    price, end = pool.sqrt_price_x96, _END[zero_for_one]
    to = end if limit is None else limit
    if end <= to < price if zero_for_one else price < to <= end:
        return None
    if limit is None:
        return OutOfLiquidity(pool.address)
    return Reverts(pool.address, "the price limit is on the wrong side of the price")


def _walk(
    pool: V3Pool, amount: int, limit: int | None, *, zero_for_one: bool, is_exact_in: bool
) -> Swapped | OutOfKnownLiquidity | Reverts:
    step, tick_map = _STEPS[is_exact_in, zero_for_one], pool.tick_map
    end = _END[zero_for_one] if limit is None else limit
    price, tick, liquidity = pool.sqrt_price_x96, pool.tick, pool.liquidity
    remaining, taken, paid, crossed = amount, 0, 0, 0
    while remaining and price != end:
        # Without liquidity a step takes and pays nothing, so pauses can be passed over; not so
        # under a limit, as the tick tells whether the last pause was reached or passed.
        is_gap = liquidity == 0 and limit is None
        pause = tick_map.ahead(tick, falling=zero_for_one, is_gap=is_gap)
        if pause is None:
            return OutOfKnownLiquidity(
                pool.address, tick_map.word_ahead(tick, falling=zero_for_one)
            )
        next_tick, net = pause
        next_price = sqrt_ratio_at_tick(next_tick)
        target = max(next_price, end) if zero_for_one else min(next_price, end)
        before = price
        price, amount_in, amount_out, fee = step(before, target, liquidity, remaining, pool.fee)
        taken += amount_in + fee
        paid += amount_out
        remaining = amount - (taken if is_exact_in else paid)
        if price == next_price:
            tick = next_tick - 1 if zero_for_one else next_tick
            if net is not None:
                crossed += 1
                liquidity += -net if zero_for_one else net
                if not (0 <= liquidity < _LIQUIDITY_END):
                    return Reverts(pool.address, "the liquidity behind a tick is out of range")
        elif price != before:
            tick = tick_at_sqrt_ratio(price)
    return Swapped(
        amount_in=taken,
        amount_out=paid,
        sqrt_price_after_x96=price,
        tick_after=tick,
        liquidity_after=liquidity,
        ticks_crossed=crossed,
    )
