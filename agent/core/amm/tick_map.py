"""The part of a pool's map of initialised ticks that was read."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from agent.core.amm.tick_price import MAX_TICK, MIN_TICK

WORD_BITS = 256
"""Ticks in one word of a pool's bitmap. Source: Uniswap v3-core, TickBitmap.sol."""

_ABOVE_ANY_NET = 1 << 128  # a tick's net liquidity is an int128


def word_of(tick: int, spacing: int) -> int:
    """Return the bitmap word that holds *tick*, rounding towards minus infinity.

    >>> word_of(-1, 60), word_of(0, 60)
    (-1, 0)
    """
    return tick // spacing // WORD_BITS


def first_word(spacing: int) -> int:
    """Return the lowest bitmap word that a swap can ask for."""
    return word_of(MIN_TICK, spacing)


def last_word(spacing: int) -> int:
    """Return the highest bitmap word that a swap can ask for."""
    return word_of(MAX_TICK + spacing, spacing)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickMap:
    """Every initialised tick in the bitmap words `lowest_word` to `highest_word`.

    `ticks` are ascending pairs (tick, net liquidity added when the price rises through it).
    Ticks whose net is zero belong to it: they end a step of the swap, and steps round. Raises
    ValueError where the pairs contradict the spacing, their order or the words.
    """

    spacing: int
    lowest_word: int
    highest_word: int
    ticks: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not (self.spacing > 0 and self.lowest_word <= self.highest_word):
            raise ValueError(
                f"no tick map: spacing {self.spacing}, words {self.lowest_word}"
                f"..{self.highest_word}"
            )
        before = max(self.lowest_word * WORD_BITS * self.spacing, MIN_TICK) - 1
        for tick, _ in self.ticks:
            if not (before < tick <= MAX_TICK and tick % self.spacing == 0):
                raise ValueError(f"tick {tick} is out of place")
            before = tick
        if not (word_of(before, self.spacing) <= self.highest_word):
            raise ValueError(f"tick {before} is above word {self.highest_word}")

    def with_words(self, other: TickMap) -> TickMap:
        """Return this map together with *other*, whose words must adjoin on either side.

        Raises ValueError where words are missing between them or known to both.
        """
        low, high = sorted((self, other), key=lambda part: part.lowest_word)
        if not (low.spacing == high.spacing and low.highest_word + 1 == high.lowest_word):
            raise ValueError(
                f"words {low.lowest_word}..{low.highest_word} and {high.lowest_word}"
                f"..{high.highest_word} do not adjoin"
            )
        return replace(low, highest_word=high.highest_word, ticks=low.ticks + high.ticks)

    def word_ahead(self, tick: int, *, falling: bool) -> int:
        """Return the word in which a swap from *tick* looks for the next tick.

        A falling price looks at *tick* itself and below, a rising one above.
        """
        return word_of(tick if falling else tick + self.spacing, self.spacing)

    def ahead(
        self, tick: int, *, falling: bool, is_gap: bool = False
    ) -> tuple[int, int | None] | None:
        """Return the next tick at which a swap from *tick* pauses, and its net liquidity.

        The search ends at the first initialised tick, or else at the end of one bitmap word,
        with None for the net; in a gap, where pauses change nothing, at the end of the words
        that were read. Returns None if the word was not read. Source: Uniswap v3-core,
        TickBitmap.sol, `nextInitializedTickWithinOneWord`.
        """
        word = self.word_ahead(tick, falling=falling)
        if not (self.lowest_word <= word <= self.highest_word):
            return None
        position = bisect_right(self.ticks, (tick, _ABOVE_ANY_NET))
        if falling:
            end = (self.lowest_word if is_gap else word) * WORD_BITS * self.spacing
            if position > 0 and self.ticks[position - 1][0] >= end:
                return self.ticks[position - 1]
            return max(end, MIN_TICK), None
        end = ((self.highest_word if is_gap else word) * WORD_BITS + WORD_BITS - 1) * self.spacing
        if position < len(self.ticks) and self.ticks[position][0] <= end:
            return self.ticks[position]
        return min(end, MAX_TICK), None
