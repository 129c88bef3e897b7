"""The known part of a tick map: where a swap pauses, and where knowledge ends."""

from __future__ import annotations

import pytest
from amm_pools import unhurried
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm.tick_map import TickMap, first_word, last_word, word_of
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK


def tick_map(*indices, spacing=1, lowest_word=-4, highest_word=4):
    return TickMap(
        spacing=spacing,
        lowest_word=lowest_word,
        highest_word=highest_word,
        ticks=tuple((index, 1) for index in indices),
    )


# The ticks and the expectations of the table in Uniswap v3-core, TickBitmap.spec.ts.
PUBLISHED = tick_map(-200, -55, -4, 70, 78, 84, 139, 240, 535)


@pytest.mark.parametrize(
    ("tick", "pause", "is_initialised"),
    [
        (78, 84, True),
        (-55, -4, True),
        (77, 78, True),
        (-56, -55, True),
        (255, 511, False),
        (-257, -200, True),
        (328, 511, False),
        (508, 511, False),
        (383, 511, False),
    ],
)
def test_rising_price_pauses_where_the_published_table_says(tick, pause, is_initialised):
    expected = pause, 1 if is_initialised else None
    assert expected == PUBLISHED.ahead(tick, falling=False)


@pytest.mark.parametrize(
    ("tick", "pause", "is_initialised"),
    [
        (78, 78, True),
        (79, 78, True),
        (258, 256, False),
        (256, 256, False),
        (72, 70, True),
        (-257, -512, False),
        (1023, 768, False),
        (900, 768, False),
    ],
)
def test_falling_price_pauses_where_the_published_table_says(tick, pause, is_initialised):
    expected = pause, 1 if is_initialised else None
    assert expected == PUBLISHED.ahead(tick, falling=True)


@pytest.mark.parametrize(
    ("tick", "spacing", "word"), [(0, 60, 0), (-1, 60, -1), (-15_360, 60, -1), (-15_361, 60, -2)]
)
def test_word_of_a_negative_tick_rounds_towards_minus_infinity(tick, spacing, word):
    assert word == word_of(tick, spacing)


@unhurried
@given(
    st.sets(st.integers(-1200, 1200), max_size=8),
    st.sampled_from((1, 10, 60)),
    st.integers(-1000, 1000),
    st.integers(0, 59),
)
def test_pause_is_the_one_of_the_bitmap_walk(indices, spacing, compressed, offset):
    known = tick_map(
        *sorted(index * spacing for index in indices),
        spacing=spacing,
        lowest_word=-6,
        highest_word=6,
    )
    below = compressed
    while below % 256 != 0 and below not in indices:
        below -= 1
    above = compressed + 1
    while above % 256 != 255 and above not in indices:
        above += 1
    tick = compressed * spacing + offset % spacing
    assert [
        (below * spacing, 1 if below in indices else None),
        (above * spacing, 1 if above in indices else None),
    ] == [known.ahead(tick, falling=True), known.ahead(tick, falling=False)]


@pytest.mark.parametrize(
    ("tick", "falling", "pause"), [(300, True, (84, 1)), (86, False, (535, 1))]
)
def test_in_a_gap_the_pause_is_the_next_initialised_tick(tick, falling, pause):
    known = tick_map(-200, 84, 535)
    assert pause == known.ahead(tick, falling=falling, is_gap=True)


def test_in_a_gap_without_ticks_the_pause_is_the_end_of_what_is_known():
    ends = [tick_map().ahead(0, falling=falling, is_gap=True) for falling in (True, False)]
    assert [(-4 * 256, None), (5 * 256 - 1, None)] == ends


@pytest.mark.parametrize(("tick", "falling"), [(-1025, True), (1279, False), (5000, True)])
def test_word_that_was_not_read_is_unknown(tick, falling):
    assert PUBLISHED.ahead(tick, falling=falling) is None


@pytest.mark.parametrize("spacing", [1, 10, 60, 200, 16_000])
def test_whole_map_ends_at_the_ends_of_the_scale(spacing):
    whole = tick_map(
        spacing=spacing, lowest_word=first_word(spacing), highest_word=last_word(spacing)
    )
    assert [(MIN_TICK, None), (MAX_TICK, None)] == [
        whole.ahead(MIN_TICK, falling=True),
        whole.ahead(MAX_TICK - 1, falling=False),
    ]


def test_adjoining_words_join_from_either_side():
    left = tick_map(-300, lowest_word=-2, highest_word=-1)
    right = tick_map(5, 300, lowest_word=0, highest_word=1)
    whole = tick_map(-300, 5, 300, lowest_word=-2, highest_word=1)
    assert [whole, whole] == [left.with_words(right), right.with_words(left)]


@pytest.mark.parametrize(("lowest_word", "spacing"), [(0, 1), (2, 1), (1, 10)])
def test_words_that_do_not_adjoin_raise(lowest_word, spacing):
    other = tick_map(spacing=spacing, lowest_word=lowest_word, highest_word=3)
    with pytest.raises(ValueError, match="do not adjoin"):
        tick_map(lowest_word=-1, highest_word=0).with_words(other)


@pytest.mark.parametrize(
    ("ticks", "spacing", "complaint"),
    [
        ((5, 5), 1, "tick 5 is out of place"),
        ((6, 5), 1, "tick 5 is out of place"),
        ((5,), 10, "tick 5 is out of place"),
        ((-1025,), 1, "tick -1025 is out of place"),
        ((1280,), 1, "tick 1280 is above word 4"),
        ((887_280,), 10, "tick 887280 is out of place"),
        ((), 0, "no tick map: spacing 0"),
    ],
)
def test_contradictory_map_raises(ticks, spacing, complaint):
    with pytest.raises(ValueError, match=complaint):
        tick_map(*ticks, spacing=spacing)


def test_map_of_no_words_raises():
    with pytest.raises(ValueError, match=r"words 1\.\.0"):
        tick_map(lowest_word=1, highest_word=0)
