"""A swap through up to three pools in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.core.amm import v2, v3, v4
from agent.core.amm.outcome import Refusal, Swapped
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Pool
from agent.core.money import Address

MAX_HOPS = 3
"""Longest path; what longer ones save is rarely worth their gas. Same limit as Uniswap's
smart-order-router (`maxSwapsPerPath`)."""

Pool = V2Pool | V3Pool | V4Pool
"""A pool of any kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One pool of a path and the direction through it; ValueError where the tokens differ."""

    pool: Pool
    token_in: Address
    token_out: Address

    def __post_init__(self) -> None:
        if not ({self.token_in, self.token_out} == {self.pool.token0, self.pool.token1}):
            raise ValueError(
                f"{self.pool.address} does not swap {self.token_in} to {self.token_out}"
            )

    @property
    def zero_for_one(self) -> bool:
        """Whether token0 goes in."""
        return self.token_in == self.pool.token0


@dataclass(frozen=True, slots=True, kw_only=True)
class HopQuote:
    """What one hop does: base units in (fee included) and out, and the pool as it leaves it.

    `ticks_crossed` and the kind of the pool are what the gas of the hop depends on.
    """

    amount_in: int
    amount_out: int
    pool: Pool
    ticks_crossed: int


@dataclass(frozen=True, slots=True)
class PathQuote:
    """What a path does, hop by hop; each hop takes all that the one before it paid."""

    hops: tuple[HopQuote, ...]

    @property
    def amount_in(self) -> int:
        """Base units that the first pool takes, fee included."""
        return self.hops[0].amount_in

    @property
    def amount_out(self) -> int:
        """Base units that the last pool pays."""
        return self.hops[-1].amount_out


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRefusal:
    """Why there is no quote, and at which hop, counted from 0."""

    hop: int
    why: Refusal


def quote_path(hops: Sequence[Hop], amount_in: int) -> PathQuote | PathRefusal:
    """Return what comes out of *hops* for *amount_in* base units of the first hop's input.

    The hops run one after the other, as a router performs them: a pool that occurs twice is met
    as its first swap left it. A hop that would take only a part of its input refuses the path,
    since a router would be left with the rest. Raises ValueError for an empty or too long path
    or one whose tokens do not join.
    """
    return follow(hops, amount_in, {})


def follow(
    hops: Sequence[Hop], amount_in: int, moved: dict[Address, Pool]
) -> PathQuote | PathRefusal:
    """Quote as `quote_path` does, after the swaps that left pools as *moved* has them.

    *moved* is brought up to date hop by hop, also where a later hop refuses.
    """
    must_join(hops)
    quotes: list[HopQuote] = []
    for position, hop in enumerate(hops):
        pool = moved.get(hop.pool.address, hop.pool)
        quote = quote_pool(pool, amount_in, zero_for_one=hop.zero_for_one)
        if not isinstance(quote, HopQuote):
            return PathRefusal(hop=position, why=quote)
        moved[pool.address] = quote.pool
        quotes.append(quote)
        amount_in = quote.amount_out
    return PathQuote(tuple(quotes))


def must_join(hops: Sequence[Hop]) -> None:
    """Raise ValueError where *hops* are none, too many, or no way from one end to the other."""
    if not (1 <= len(hops) <= MAX_HOPS):
        raise ValueError(f"a path has 1 to {MAX_HOPS} hops, not {len(hops)}")
    for before, then in pairwise(hops):
        if not (before.token_out == then.token_in):
            raise ValueError(f"{then.token_in} does not follow {before.token_out}")


def quote_pool(pool: Pool, amount_in: int, *, zero_for_one: bool) -> HopQuote | Refusal:
    """Return what one pool does with all of *amount_in* base units, whichever kind it is."""
    if isinstance(pool, V2Pool):
        paid = v2.amount_out(pool, amount_in, zero_for_one=zero_for_one)
        if not isinstance(paid, int):
            return paid
        moved = v2.after(pool, amount_in=amount_in, amount_out=paid, zero_for_one=zero_for_one)
        return HopQuote(amount_in=amount_in, amount_out=paid, pool=moved, ticks_crossed=0)
    if isinstance(pool, V3Pool):
        swapped = v3.quote_exact_in(pool, amount_in, zero_for_one=zero_for_one)
    else:
        swapped = v4.quote_exact_in(pool, amount_in, zero_for_one=zero_for_one)
    if not isinstance(swapped, Swapped):
        return swapped
    return HopQuote(
        amount_in=amount_in,
        amount_out=swapped.amount_out,
        pool=v3.after(pool, swapped) if isinstance(pool, V3Pool) else v4.after(pool, swapped),
        ticks_crossed=swapped.ticks_crossed,
    )
