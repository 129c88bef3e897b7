"""What pools pay, as smooth curves: the real-number form of their integer arithmetic.

A curve is made of pieces on each of which y = m·t / (1 + n·t), t being what goes in beyond the
piece's start: the form of x·y = k, with the fee in it, and of every stretch of a v3 pool between
two ticks. Floats; what is decided with them is carried out again in integers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import sqrt
from typing import NamedTuple

from agent.core.amm.swap_step import FEE_UNIT
from agent.core.amm.tick_map import WORD_BITS, TickMap
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Pool

_Q96 = float(1 << 96)
AT_THE_END = 1e-9
"""The part of a v3 pool's whole depth that is left alone."""

_V2_MOST = (1 << 112) - 1  # a reserve is a uint112


class Piece(NamedTuple):
    """A stretch of a curve: where it starts, its form, its length in, and ticks before it.

    `spare` is what a pool could take beyond its last piece: it is left alone, so that rounding
    never asks a pool for more than it has.
    """

    x: float
    y: float
    m: float
    n: float
    t: float
    ticks: int = 0
    spare: float = 0.0


class Curve:
    """Pieces in order, made when they are first needed; output is concave in input, from 0 on.

    `unread` is the bitmap word beyond which the curve of a v3 pool is not known, None where it
    ends because the pool does.
    """

    __slots__ = ("_falls", "_pieces", "_rest", "_starts", "unread")

    def __init__(self, pieces: Iterator[Piece], unread: int | None = None) -> None:
        self._rest = pieces
        self._pieces: list[Piece] = []
        self._starts: list[float] = []
        self._falls: list[float] = []  # minus the marginal prices at the starts
        self.unread = unread

    @property
    def spot(self) -> float:
        """Marginal price of the first unit; 0 where nothing is paid."""
        return self._pieces[0].m if self._pieces or self._grow() else 0.0

    def at(self, x: float) -> tuple[float, float]:
        """What *x* brings and what one more would; the last of them where the curve ends."""
        piece = self._piece_at(x)
        if piece is None:
            return 0.0, 0.0
        t = min(x - piece.x, piece.t)
        bent = 1.0 + piece.n * t
        return piece.y + piece.m * t / bent, piece.m / (bent * bent)

    def ticks(self, x: float) -> int:
        """Initialised ticks that *x* crosses."""
        piece = self._piece_at(x)
        return 0 if piece is None else piece.ticks

    def beyond_tick(self, x: float) -> float:
        """How much of *x* goes in behind the last tick that it crosses; 0 where it crosses none."""
        piece = self._piece_at(x)
        return 0.0 if piece is None or piece.ticks == 0 else x - piece.x

    def takes(self, x: float) -> bool:
        """Whether the curve is long enough for *x*."""
        piece = self._piece_at(x)
        return piece is not None and x <= piece.x + piece.t

    def meet(self, price: float) -> tuple[float, float, float, float]:
        """What goes in and out until one more brings only *price*, or to the end before that.

        Then how much more goes in when the price falls, per part of it; and what the spare of the
        last piece would bring beyond what it costs at *price*.
        """
        falls = self._falls
        while (not falls or -falls[-1] > price) and self._grow():
            pass
        place = bisect_left(falls, -price) - 1
        if place < 0:
            return 0.0, 0.0, 0.0, 0.0
        piece = self._pieces[place]
        root = sqrt(piece.m / price)
        t = (root - 1.0) / piece.n
        if t < piece.t:
            return piece.x + t, piece.y + piece.m * t / root, 0.5 * root / piece.n, 0.0
        t = piece.t
        bent = 1.0 + piece.n * t
        beyond = piece.spare * max(0.0, piece.m / (bent * bent) - price)
        return piece.x + t, piece.y + piece.m * t / bent, 0.0, beyond

    def needed(self, y: float) -> float:
        """How much has to go in for *y* to come out; all that goes in where it never does."""
        while (not self._pieces or self._pieces[-1].y < y) and self._grow():
            pass
        place = bisect_left(self._pieces, y, key=lambda piece: piece.y) - 1
        if place < 0:
            return 0.0
        piece = self._pieces[place]
        missing = y - piece.y
        left = piece.m - piece.n * missing
        return piece.x + (min(missing / left, piece.t) if left > 0 else piece.t)

    def _piece_at(self, x: float) -> Piece | None:
        while (not self._starts or self._starts[-1] < x) and self._grow():
            pass
        place = bisect_right(self._starts, x) - 1
        return self._pieces[place] if place >= 0 else None

    def _grow(self) -> bool:
        piece = next(self._rest, None)
        if piece is None:
            return False
        self._pieces.append(piece)
        self._starts.append(piece.x)
        self._falls.append(-piece.m)
        return True


def pool_curve(pool: V2Pool | V3Pool | V4Pool, *, zero_for_one: bool) -> Curve:
    """The curve of one pool in one direction, as far as its ticks are known."""
    if isinstance(pool, V2Pool):
        return Curve(_v2_pieces(pool, zero_for_one=zero_for_one))
    if isinstance(pool, V4Pool):
        pool = pool.facing(zero_for_one=zero_for_one)
    known = pool.tick_map
    word = known.lowest_word - 1 if zero_for_one else known.highest_word + 1
    end = _known_end(known, falling=zero_for_one)
    is_whole = end in {MIN_TICK, MAX_TICK}
    steps = abs(end - pool.tick) // (known.spacing * WORD_BITS) + len(known.ticks) + 2
    pieces = _blunted(_v3_pieces(pool, end, zero_for_one=zero_for_one), steps)
    return Curve(pieces, None if is_whole else word)


def _v2_pieces(pool: V2Pool, *, zero_for_one: bool) -> Iterator[Piece]:
    reserve_in, reserve_out = pool.reserve0, pool.reserve1
    if not zero_for_one:
        reserve_in, reserve_out = reserve_out, reserve_in
    if reserve_in > 0 and reserve_out > 0:
        kept = pool.kept_numerator / pool.kept_denominator
        most = float(_V2_MOST - reserve_in)
        yield Piece(0.0, 0.0, kept * (reserve_out / reserve_in), kept / reserve_in, most)


def _known_end(known: TickMap, *, falling: bool) -> int:
    """The last tick to which a price can go without asking for an unread word."""
    if falling:
        return max(known.lowest_word * WORD_BITS * known.spacing, MIN_TICK)
    return min((known.highest_word * WORD_BITS + WORD_BITS - 1) * known.spacing, MAX_TICK)


def _v3_pieces(pool: V3Pool, end: int, *, zero_for_one: bool) -> Iterator[Piece]:
    kept = (FEE_UNIT - pool.fee) / FEE_UNIT
    ticks = pool.tick_map.ticks
    place = bisect_right(ticks, pool.tick, key=lambda pair: pair[0])
    ahead = reversed(ticks[:place]) if zero_for_one else iter(ticks[place:])
    price, liquidity, crossed = pool.sqrt_price_x96, pool.liquidity, 0
    x = y = 0.0
    while True:
        tick, net = next(ahead, (end, 0))
        target = sqrt_ratio_at_tick(tick)
        low, high = (target, price) if zero_for_one else (price, target)
        if liquidity > 0 and low < high:
            # Whole numbers divided once: each is the nearest float to the exact length.
            root = price / _Q96
            amount0 = (liquidity * (high - low) << 96) / (high * low)
            amount1 = liquidity * (high - low) / _Q96
            if zero_for_one:
                piece = Piece(
                    x, y, kept * root * root, kept * root / liquidity, amount0 / kept, crossed
                )
                y += amount1
            else:
                piece = Piece(
                    x, y, kept / (root * root), kept / (root * liquidity), amount1 / kept, crossed
                )
                y += amount0
            yield piece
            x += piece.t
        if tick == end:
            return
        price, crossed = target, crossed + 1
        liquidity += -net if zero_for_one else net


def _blunted(pieces: Iterator[Piece], steps: int) -> Iterator[Piece]:
    """The same but for the very end, where each of *steps* may have rounded by two units."""
    last = next(pieces, None)
    if last is not None:
        for piece in pieces:
            yield last
            last = piece
        spare = min(last.t, (last.x + last.t) * AT_THE_END + 2.0 * steps)
        yield last._replace(t=last.t - spare, spare=spare)
