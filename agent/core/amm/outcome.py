"""What a swap in one pool would do, or why the pool would not do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.money import Address

RevertReason = Literal[
    "the amount is zero or less",
    "the amount does not fit the contract's integers",
    "the price limit is on the wrong side of the price",
    "the output rounds to zero",
    "the liquidity behind a tick is out of range",
]
"""Every way in which a pool contract refuses a swap as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """A swap in a concentrated-liquidity pool, as the contract would settle it.

    `amount_in` includes the fee and is what the pool takes, which is less than offered when a
    price limit stops the swap. Amounts are base units; `sqrt_price_after_x96` is the square
    root of token1 per token0 as Q64.96. `ticks_crossed` counts initialised ticks, each of
    which costs extra gas.
    """

    amount_in: int
    amount_out: int
    sqrt_price_after_x96: int
    tick_after: int
    liquidity_after: int
    ticks_crossed: int


@dataclass(frozen=True, slots=True)
class OutOfLiquidity:
    """The pool at *pool* cannot take the whole input or pay the whole output.

    `filled` is the part it would do before its price runs against the end of the scale; None
    where the pool does all or nothing.
    """

    pool: Address
    filled: Swapped | None = None


@dataclass(frozen=True, slots=True)
class OutOfKnownLiquidity:
    """The swap leaves the part of the tick map that was read: the answer is unknown, not zero.

    `word` is the first word of the tick bitmap that would have to be read.
    """

    pool: Address
    word: int


@dataclass(frozen=True, slots=True)
class Reverts:
    """The contract of the pool at *pool* would revert."""

    pool: Address
    why: RevertReason


Refusal = OutOfLiquidity | OutOfKnownLiquidity | Reverts
"""Why there is no quote."""
