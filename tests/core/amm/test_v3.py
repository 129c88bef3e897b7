"""Swaps in pools of concentrated liquidity: their laws, and what refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import POOL, amounts, unhurried, v3_pool, v3_pools
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.core.amm.outcome import OutOfKnownLiquidity, OutOfLiquidity, Reverts, Swapped
from agent.core.amm.swap_step import exact_in_down
from agent.core.amm.tick_map import TickMap
from agent.core.amm.tick_price import MAX_SQRT_RATIO, MIN_SQRT_RATIO, sqrt_ratio_at_tick
from agent.core.amm.v3 import after, quote_exact_in, quote_exact_out

ONE = 1 << 96
WIDE = [(-60_000, 60_000, 10**21)]
LATE_PAUSES = [(-600, 600, 10**21), (-120_000, -60_000, 10**24), (60_000, 120_000, 10**24)]


liquid_pools = v3_pools(is_liquid=True)


def whole(outcome) -> Swapped:
    """The swap, where there is one."""
    assume(isinstance(outcome, Swapped))
    return outcome


def test_small_swap_takes_the_input_and_pays_less_the_fee():
    expected = Swapped(
        amount_in=1_000_000,
        amount_out=996_999,
        sqrt_price_after_x96=-(-(10**21 << 96) // (10**21 + 997_000)),
        tick_after=-1,
        liquidity_after=10**21,
        ticks_crossed=0,
    )
    assert expected == quote_exact_in(v3_pool(WIDE), 1_000_000, zero_for_one=True)


def test_swap_over_two_positions_counts_the_ticks_it_crosses():
    pool = v3_pool([(-60, 60, 10**21), (60, 120, 10**21)])
    swapped = quote_exact_in(pool, 4 * 10**18, zero_for_one=False)
    assert [60, 1] == [swapped.tick_after // 60 * 60, swapped.ticks_crossed]


def test_crossing_to_nothing_leaves_no_liquidity():
    swapped = quote_exact_in(
        v3_pool([(-60, 60, 10**21)]),
        10**20,
        zero_for_one=False,
        sqrt_price_limit_x96=sqrt_ratio_at_tick(90),
    )
    assert [0, 90, 1] == [swapped.liquidity_after, swapped.tick_after, swapped.ticks_crossed]


def test_pause_at_the_end_of_a_word_splits_the_swap_and_its_rounding():
    far = v3_pool([(-887_220, 887_220, 100_000)])
    pauses = [sqrt_ratio_at_tick(tick) for tick in (-15_360, -30_720, -46_080)]
    whole = quote_exact_in(far, 10**6, zero_for_one=True)
    pool, taken, paid = far, 0, 0
    for limit in (*pauses, None):
        part = quote_exact_in(pool, 10**6 - taken, zero_for_one=True, sqrt_price_limit_x96=limit)
        pool, taken, paid = after(pool, part), taken + part.amount_in, paid + part.amount_out
    in_one_step = exact_in_down(far.sqrt_price_x96, MIN_SQRT_RATIO, 100_000, 10**6, 3000)
    assert (whole.amount_in, whole.amount_out) == (taken, paid)
    assert whole.sqrt_price_after_x96 == pool.sqrt_price_x96 != in_one_step[0]


@unhurried
@given(liquid_pools, amounts(100), amounts(100), st.booleans())
def test_more_input_never_pays_less(pool, less, extra, is_down):
    small = whole(quote_exact_in(pool, less, zero_for_one=is_down))
    large = whole(quote_exact_in(pool, less + extra, zero_for_one=is_down))
    assert small.amount_out <= large.amount_out


@unhurried
@given(liquid_pools, amounts(100), amounts(100), st.booleans())
def test_one_piece_never_pays_less_than_two(pool, first, second, is_down):
    at_once = whole(quote_exact_in(pool, first + second, zero_for_one=is_down))
    one = whole(quote_exact_in(pool, first, zero_for_one=is_down))
    two = whole(quote_exact_in(after(pool, one), second, zero_for_one=is_down))
    assert one.amount_out + two.amount_out <= at_once.amount_out


@unhurried
@given(liquid_pools, amounts(100), st.booleans())
def test_price_moves_with_the_swap_and_amounts_are_never_negative(pool, amount, is_down):
    swapped = whole(quote_exact_in(pool, amount, zero_for_one=is_down))
    assert amount == swapped.amount_in
    assert swapped.amount_out >= 0
    if is_down:
        assert MIN_SQRT_RATIO < swapped.sqrt_price_after_x96 <= pool.sqrt_price_x96
    else:
        assert pool.sqrt_price_x96 <= swapped.sqrt_price_after_x96 < MAX_SQRT_RATIO


@unhurried
@given(liquid_pools, amounts(100), st.booleans())
def test_buying_back_the_output_never_needs_more_than_was_paid(pool, amount, is_down):
    forward = whole(quote_exact_in(pool, amount, zero_for_one=is_down))
    assume(forward.amount_out > 0)
    reverse = quote_exact_out(pool, forward.amount_out, zero_for_one=is_down)
    assert forward.amount_out == reverse.amount_out
    # An output that empties a stretch to the last whole unit is charged the whole stretch.
    end = sqrt_ratio_at_tick(reverse.tick_after + is_down)
    assert reverse.amount_in <= amount or end == reverse.sqrt_price_after_x96


@unhurried
@given(liquid_pools, amounts(100), st.booleans())
def test_input_named_for_an_output_buys_at_least_that(pool, wanted, is_down):
    named = whole(quote_exact_out(pool, wanted, zero_for_one=is_down))
    bought = quote_exact_in(pool, named.amount_in, zero_for_one=is_down)
    assert wanted == named.amount_out <= bought.amount_out


@unhurried
@given(liquid_pools, amounts(100), st.booleans())
def test_swapping_there_and_back_never_gains(pool, amount, is_down):
    there = whole(quote_exact_in(pool, amount, zero_for_one=is_down))
    assume(there.amount_out > 0)
    back = quote_exact_in(after(pool, there), there.amount_out, zero_for_one=not is_down)
    assert isinstance(back, Swapped)
    assert back.amount_out <= amount


@unhurried
@given(liquid_pools, amounts(100), st.booleans())
def test_pool_pays_no_more_than_all_its_positions_hold(pool, amount, is_down):
    everything = quote_exact_in(pool, 2**200, zero_for_one=is_down)
    assert isinstance(everything, OutOfLiquidity)
    most = everything.filled.amount_out if everything.filled else 0
    swapped = whole(quote_exact_in(pool, amount, zero_for_one=is_down))
    assert swapped.amount_out <= most


@unhurried
@given(liquid_pools, amounts(100), st.booleans(), st.integers(0, 3), st.integers(0, 3))
def test_unknown_words_never_change_an_answer_but_withhold_it(pool, amount, is_down, below, above):
    at = pool.tick // pool.tick_map.spacing // 256
    known = replace(
        pool.tick_map,
        lowest_word=at - below,
        highest_word=at + above,
        ticks=tuple(
            (tick, net)
            for tick, net in pool.tick_map.ticks
            if at - below <= tick // pool.tick_map.spacing // 256 <= at + above
        ),
    )
    answer = quote_exact_in(replace(pool, tick_map=known), amount, zero_for_one=is_down)
    if isinstance(answer, OutOfKnownLiquidity):
        assert answer.word == (at - below - 1 if is_down else at + above + 1)
    else:
        assert answer == quote_exact_in(pool, amount, zero_for_one=is_down)


@pytest.mark.parametrize(
    ("is_down", "positions", "word"),
    [(True, WIDE, -2), (False, WIDE, 2), (True, LATE_PAUSES, -2), (False, LATE_PAUSES, 2)],
)
def test_swap_that_leaves_the_known_words_names_the_missing_one(is_down, positions, word):
    pool = v3_pool(positions, words=(-1, 1))
    assert OutOfKnownLiquidity(POOL, word) == quote_exact_in(pool, 10**24, zero_for_one=is_down)


@pytest.mark.parametrize("quote", [quote_exact_in, quote_exact_out])
@pytest.mark.parametrize("is_down", [True, False])
def test_swap_beyond_all_liquidity_tells_what_would_be_filled(quote, is_down):
    refusal = quote(v3_pool(WIDE), 10**30, zero_for_one=is_down)
    assert isinstance(refusal, OutOfLiquidity)
    assert 0 < refusal.filled.amount_out < 10**30
    assert refusal.filled.liquidity_after == 0


def test_pool_without_liquidity_fills_nothing():
    refusal = quote_exact_in(v3_pool([]), 10**18, zero_for_one=True)
    assert isinstance(refusal, OutOfLiquidity)
    assert [0, 0] == [refusal.filled.amount_in, refusal.filled.amount_out]


@pytest.mark.parametrize(("tick", "tick_after"), [(-1000, -1000), (-15_360, -15_361)])
def test_gap_down_to_the_limit_is_out_of_liquidity(tick, tick_after):
    limit = sqrt_ratio_at_tick(tick)
    refusal = quote_exact_in(v3_pool([]), 1, zero_for_one=True, sqrt_price_limit_x96=limit)
    assert isinstance(refusal, OutOfLiquidity)
    assert tick_after == refusal.filled.tick_after  # one lower where a bitmap word ends


@pytest.mark.parametrize(
    ("sqrt_price", "is_down"),
    [(MIN_SQRT_RATIO, True), (MIN_SQRT_RATIO + 1, True), (MAX_SQRT_RATIO - 1, False)],
)
def test_price_at_the_end_of_the_scale_is_out_of_liquidity(sqrt_price, is_down):
    pool = v3_pool([], sqrt_price_x96=sqrt_price)
    assert OutOfLiquidity(POOL) == quote_exact_in(pool, 1, zero_for_one=is_down)


@pytest.mark.parametrize("quote", [quote_exact_in, quote_exact_out])
@pytest.mark.parametrize("amount", [0, -1])
def test_amount_of_nothing_reverts(quote, amount):
    expected = Reverts(POOL, "the amount is zero or less")
    assert expected == quote(v3_pool(WIDE), amount, zero_for_one=True)


@pytest.mark.parametrize("quote", [quote_exact_in, quote_exact_out])
def test_amount_beyond_the_contract_integers_reverts(quote):
    expected = Reverts(POOL, "the amount does not fit the contract's integers")
    assert expected == quote(v3_pool(WIDE), 2**255, zero_for_one=True)


@pytest.mark.parametrize(
    ("limit", "is_down"),
    [
        (ONE, True),
        (ONE + 1, True),
        (MIN_SQRT_RATIO, True),
        (0, True),
        (ONE, False),
        (ONE - 1, False),
        (MAX_SQRT_RATIO, False),
    ],
)
def test_price_limit_on_the_wrong_side_reverts(limit, is_down):
    outcome = quote_exact_in(v3_pool(WIDE), 1000, zero_for_one=is_down, sqrt_price_limit_x96=limit)
    assert Reverts(POOL, "the price limit is on the wrong side of the price") == outcome


@pytest.mark.parametrize(("is_down", "net"), [(True, 10**30), (False, -(10**30)), (False, 2**128)])
def test_map_that_contradicts_the_liquidity_reverts(is_down, net):
    pool = v3_pool(WIDE)
    tick = -60 if is_down else 60
    wrong = TickMap(spacing=60, lowest_word=-2, highest_word=2, ticks=((tick, net),))
    expected = Reverts(POOL, "the liquidity behind a tick is out of range")
    assert expected == quote_exact_in(replace(pool, tick_map=wrong), 10**24, zero_for_one=is_down)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"fee": 1_000_000}, "fee 1000000 is outside"),
        ({"fee": -1}, "fee -1 is outside"),
        ({"liquidity": -1}, "liquidity -1 is not a uint128"),
        ({"liquidity": 1 << 128}, "is not a uint128"),
        ({"tick": 887_272}, "tick 887272 is outside"),
        ({"tick": -887_273}, "tick -887273 is outside"),
        ({"tick": 1}, f"tick 1 is not that of price {ONE}"),
        ({"tick": -2}, f"tick -2 is not that of price {ONE}"),
        ({"sqrt_price_x96": 0}, "tick 0 is not that of price 0"),
        ({"sqrt_price_x96": MAX_SQRT_RATIO, "tick": 887_271}, "tick 887271 is not that of price"),
        ({"sqrt_price_x96": ONE + 1, "tick": -1}, "tick -1 is not that of price"),
    ],
)
def test_contradictory_pool_raises(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(v3_pool(WIDE), **change)


def test_price_that_fell_exactly_on_a_tick_has_left_it():
    swapped = quote_exact_in(
        v3_pool(WIDE), 10**30, zero_for_one=True, sqrt_price_limit_x96=sqrt_ratio_at_tick(-15_360)
    )
    assert -15_361 == after(v3_pool(WIDE), swapped).tick
