"""What pools pay, as smooth curves: the real-number form of their integer arithmetic.

A curve is made of pieces on each of which y = m·t / (1 + n·t), t being what goes in beyond the
piece's start: the form of x·y = k, with the fee in it, and of every stretch of a v3 pool between
two ticks. Pools in a row and pools side by side (at one marginal price) have the same form again,
so that every network made of these two has it: nothing is iterated. Floats; what is decided with
them is carried out again in integers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from math import inf, sqrt
from typing import NamedTuple

from agent.core.amm.swap_step import FEE_UNIT
from agent.core.amm.tick_map import WORD_BITS, TickMap
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool

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
    """Pieces in order, made when they are first needed; output is concave in input.

    `unread` is the bitmap word beyond which the curve of a v3 pool is not known, None where it
    ends because the pool does.
    """

    __slots__ = ("_falls", "_pieces", "_rest", "_starts", "unread")

    def __init__(self, pieces: Iterator[Piece], unread: int | None = None) -> None:
        self._rest: Iterator[Piece] | None = pieces
        self._pieces: list[Piece] = []
        self._starts: list[float] = []
        self._falls: list[float] = []  # minus the marginal prices at the starts
        self.unread = unread

    def piece(self, number: int) -> Piece | None:
        """The piece of this number, None behind the end."""
        while len(self._pieces) <= number:
            if not self._grow():
                return None
        return self._pieces[number]

    @property
    def spot(self) -> float:
        """Marginal price of the first unit; 0 where nothing is paid."""
        first = self.piece(0)
        return 0.0 if first is None else first.m

    def at(self, x: float) -> tuple[float, float]:
        """What *x* brings and what one more would; the last of them where the curve ends."""
        piece = self._piece_at(x)
        if piece is None:
            return 0.0, 0.0
        t = min(x - piece.x, piece.t)
        bent = 1.0 + piece.n * t
        return piece.y + piece.m * t / bent, piece.m / (bent * bent)

    def slopes(self, x: float) -> tuple[float, float]:
        """Marginal prices just before and just behind *x*: they differ where liquidity jumps.

        Behind the end nothing is paid.
        """
        behind = x * (1.0 + AT_THE_END)
        return self.at(x * (1.0 - AT_THE_END))[1], self.at(behind)[1] if self.takes(behind) else 0.0

    def surplus(self, price_in: float, price_out: float) -> tuple[float, float]:
        """The most that is gained by swapping between two prices, and what is moved for it."""
        if price_out <= 0.0 or price_in <= 0.0:
            return 0.0, 0.0
        x = self.until(price_in / price_out)
        y, slope = self.at(x)
        piece = self._piece_at(x)
        gained, moved = price_out * y - price_in * x, price_out * y + price_in * x
        if piece is not None and piece.spare and x >= piece.x + piece.t:
            gained += max(0.0, piece.spare * (price_out * slope - price_in))
        return gained, moved

    def ticks(self, x: float) -> int:
        """Initialised ticks that *x* crosses."""
        piece = self._piece_at(x)
        return 0 if piece is None else piece.ticks

    def takes(self, x: float) -> bool:
        """Whether the curve is long enough for *x*."""
        piece = self._piece_at(x)
        return piece is not None and x <= piece.x + piece.t

    def until(self, price: float) -> float:
        """How much goes in until one more brings only *price*."""
        while self._rest is not None and (not self._falls or -self._falls[-1] > price):
            if not self._grow():
                break
        place = bisect_left(self._falls, -price) - 1
        if place < 0:
            return 0.0
        piece = self._pieces[place]
        return piece.x + min((sqrt(piece.m / price) - 1.0) / piece.n, piece.t)

    def until_and_give(self, price: float) -> tuple[float, float]:
        """`until`, and how much more goes in for a price that falls by all of itself, in short."""
        x = self.until(price)
        piece = self._piece_at(x)
        if piece is None or x >= piece.x + piece.t:
            return x, 0.0
        return x, 0.5 * sqrt(piece.m / price) / piece.n

    def needed(self, y: float) -> float:
        """How much has to go in for *y* to come out; all that goes in where it never does."""
        while self._rest is not None and (not self._pieces or self._pieces[-1].y < y):
            if not self._grow():
                break
        place = bisect_left(self._pieces, y, key=lambda piece: piece.y) - 1
        if place < 0:
            return 0.0
        piece = self._pieces[place]
        missing = y - piece.y
        left = piece.m - piece.n * missing
        return piece.x + (min(missing / left, piece.t) if left > 0 else piece.t)

    def _piece_at(self, x: float) -> Piece | None:
        while self._rest is not None and (not self._starts or self._starts[-1] < x):
            if not self._grow():
                break
        place = bisect_right(self._starts, x) - 1
        return self._pieces[place] if place >= 0 else None

    def _grow(self) -> bool:
        if self._rest is None:
            return False
        piece = next(self._rest, None)
        if piece is None:
            self._rest = None
            return False
        self._pieces.append(piece)
        self._starts.append(piece.x)
        self._falls.append(-piece.m)
        return True


def pool_curve(pool: V2Pool | V3Pool, *, zero_for_one: bool) -> Curve:
    """The curve of one pool in one direction, as far as its ticks are known."""
    if isinstance(pool, V2Pool):
        return Curve(_v2_pieces(pool, zero_for_one=zero_for_one))
    known = pool.tick_map
    word = known.lowest_word - 1 if zero_for_one else known.highest_word + 1
    end = _known_end(known, falling=zero_for_one)
    is_whole = end in {MIN_TICK, MAX_TICK}
    steps = abs(end - pool.tick) // (known.spacing * WORD_BITS) + len(known.ticks) + 2
    pieces = _blunted(_v3_pieces(pool, end, zero_for_one=zero_for_one), steps)
    return Curve(pieces, None if is_whole else word)


def in_a_row(first: Curve, second: Curve) -> Curve:
    """All that *first* pays goes into *second*."""
    return Curve(_row_pieces(first, second))


def side_by_side(curves: Sequence[Curve]) -> Curve:
    """The best that all of *curves* together do with one input."""
    return curves[0] if len(curves) == 1 else Curve(_side_pieces(curves))


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
    for piece in pieces:
        if last is not None:
            yield last
        last = piece
    if last is not None:
        spare = min(last.t, (last.x + last.t) * AT_THE_END + 2.0 * steps)
        yield last._replace(t=last.t - spare, spare=spare)


def _row_pieces(first: Curve, second: Curve) -> Iterator[Piece]:
    x = y = into_first = into_second = 0.0
    at_first = at_second = 0
    while (p := first.piece(at_first)) is not None and (q := second.piece(at_second)) is not None:
        bent, bent_after = 1.0 + p.n * into_first, 1.0 + q.n * into_second
        m, n, left = p.m / (bent * bent), p.n / bent, p.t - into_first
        m_after, n_after = q.m / (bent_after * bent_after), q.n / bent_after
        left_after = q.t - into_second
        paid = m * left / (1.0 + n * left)
        if paid <= left_after:
            t, at_first, into_first = left, at_first + 1, 0.0
            into_second += paid
        else:
            t = left_after / (m - n * left_after)
            at_second, into_second = at_second + 1, 0.0
            into_first += t
        if t > 0.0:
            piece = Piece(x, y, m * m_after, n + n_after * m, t)
            yield piece
            x += t
            y += piece.m * t / (1.0 + piece.n * t)


def _side_pieces(curves: Sequence[Curve]) -> Iterator[Piece]:
    """Merges by falling marginal price; on the way down width √m / n of open pieces adds up."""
    events = [(-curve.spot, number, 0, False) for number, curve in enumerate(curves)]
    heapify(events)
    x = y = price = 0.0
    open_widths: dict[int, float] = {}
    while events:
        minus, number, place, ends = heappop(events)
        if open_widths and -minus < price:
            width = sum(open_widths.values())
            root, root_after = sqrt(price), sqrt(max(-minus, 0.0))
            t = width * (root - root_after) / (root * root_after) if root_after > 0 else inf
            piece = Piece(x, y, price, root / width, t)
            yield piece
            x += t
            y += width * (root - root_after)
        price = min(-minus, price) if open_widths else -minus
        if ends:
            del open_widths[number]
            place += 1
        piece_after = curves[number].piece(place)
        if piece_after is None:
            continue
        if ends and piece_after.m < price:
            heappush(events, (-piece_after.m, number, place, False))
            continue
        open_widths[number] = sqrt(piece_after.m) / piece_after.n
        bent = 1.0 + piece_after.n * piece_after.t
        heappush(events, (-piece_after.m / (bent * bent), number, place, True))
