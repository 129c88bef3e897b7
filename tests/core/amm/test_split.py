"""A swap in several shares, as the chain performs them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import TOKEN_A, TOKEN_B, amounts, unhurried, v2_pool, v3_pool
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm.outcome import OutOfLiquidity, Reverts
from agent.core.amm.path import Hop, PathQuote, PathRefusal, Pool, quote_path
from agent.core.amm.split import Share, Split, quote_split, stretches
from agent.core.money import Address

TOKEN_C = Address("0x" + "cc" * 20)
DEEP = v3_pool([(-60, 60, 10**24), (-60_000, 60_000, 10**24)])
PAIR = v2_pool(10**24, 2 * 10**24, "0x" + "22" * 20)
ON = replace(v2_pool(10**24, 3 * 10**24, "0x" + "33" * 20), token0=TOKEN_B, token1=TOKEN_C)


def hop(pool: Pool, token_in: Address, token_out: Address) -> Hop:
    return Hop(pool=pool, token_in=token_in, token_out=token_out)


FIRST, OTHER, LAST = (
    hop(DEEP, TOKEN_A, TOKEN_B),
    hop(PAIR, TOKEN_A, TOKEN_B),
    hop(ON, TOKEN_B, TOKEN_C),
)

TOKEN_D = Address("0x" + "dd" * 20)
SECOND = hop(replace(ON, address=Address("0x" + "34" * 20)), TOKEN_B, TOKEN_C)
DIRECT = hop(replace(PAIR, address=Address("0x" + "23" * 20)), TOKEN_A, TOKEN_B)
BETWEEN = LAST
END = hop(
    replace(ON, address=Address("0x" + "35" * 20), token0=TOKEN_C, token1=TOKEN_D), TOKEN_C, TOKEN_D
)
SECOND_FIRST = hop(replace(ON, address=Address("0x" + "36" * 20), token0=TOKEN_A), TOKEN_A, TOKEN_C)


def moved(path: tuple[Hop, ...], after: PathQuote) -> tuple[Hop, ...]:
    """The path over the pools as another path left them."""
    pools = {quote.pool.address: quote.pool for quote in after.hops}
    return tuple(replace(each, pool=pools.get(each.pool.address, each.pool)) for each in path)


@unhurried
@given(amounts(70), amounts(70))
def test_later_share_meets_pools_as_earlier_ones_left_them(one: int, other: int) -> None:
    one, other = one + 10, other + 10
    split = quote_split([((FIRST, LAST), one), ((FIRST, SECOND), other)])
    alone = quote_path((FIRST, LAST), one)
    assert isinstance(alone, PathQuote)
    then = quote_path(moved((FIRST, SECOND), alone), other)
    assert isinstance(split, Split)
    assert isinstance(then, PathQuote)
    assert [alone.amount_out, then.amount_out] == [share.amount_out for share in split.shares]
    assert (one + other, alone.amount_out + then.amount_out) == (split.amount_in, split.amount_out)
    assert (FIRST, LAST, FIRST, SECOND) == split.swaps


@unhurried
@given(amounts(70), amounts(70), amounts(60))
def test_shares_that_end_alike_go_through_the_end_at_once(one: int, other: int, third: int) -> None:
    one, other, third = one + 10, other + 10, third + 10
    first, last = (FIRST, LAST), (OTHER, LAST)
    split = quote_split([(first, one), ((SECOND_FIRST,), third), (first, one), (last, other)])
    assert isinstance(split, Split)
    assert (FIRST, LAST, SECOND_FIRST, FIRST, OTHER, LAST) == split.swaps
    before = quote_path(first, one)
    assert isinstance(before, PathQuote)
    again, beside = quote_path(moved((FIRST,), before), one), quote_path((OTHER,), other)
    assert isinstance(again, PathQuote)
    assert isinstance(beside, PathQuote)
    end = quote_path(moved((LAST,), before), again.amount_out + beside.amount_out)
    assert isinstance(end, PathQuote)
    brought = [share.amount_out for share in split.shares]
    assert (before.amount_out, end.amount_out) == (brought[0], sum(brought[2:]))
    # Each has the part that it brought to where they met.
    part = end.amount_out * again.amount_out // (again.amount_out + beside.amount_out)
    assert part == brought[2]


@unhurried
@given(amounts(60), amounts(60))
def test_pair_at_the_end_keeps_less_of_one_swap_than_of_two(one: int, other: int) -> None:
    one, other = one + 10**12, other + 10**12
    together = quote_split([((DIRECT, SECOND), one), ((OTHER, SECOND), other)])
    apart = quote_split([((DIRECT, SECOND), one), ((FIRST, LAST), 10), ((OTHER, SECOND), other)])
    assert isinstance(together, Split)
    assert isinstance(apart, Split)
    assert together.amount_out >= apart.amount_out - apart.shares[1].amount_out - 1


def test_ends_may_have_ends_in_common() -> None:
    """What waits before a pool between hubs goes through it first, then on to the last pool."""
    deep, near = (FIRST, BETWEEN, END), (OTHER, BETWEEN, END)
    for paths, expected in (
        (
            [deep, near, (SECOND_FIRST, END)],
            [[(FIRST,)], [(OTHER,), (BETWEEN,)], [(SECOND_FIRST,), (END,)]],
        ),
        (
            [(SECOND_FIRST, END), deep, near],
            [[(SECOND_FIRST,)], [(FIRST,)], [(OTHER,), (BETWEEN,), (END,)]],
        ),
        (
            [deep, (SECOND_FIRST, END), near],
            [[(FIRST, BETWEEN)], [(SECOND_FIRST,)], [(OTHER, BETWEEN), (END,)]],
        ),
        ([deep, deep], [[(FIRST,)], [(FIRST,), (BETWEEN, END)]]),
        ([(FIRST,), (FIRST,)], [[(FIRST,)], [(FIRST,)]]),
    ):
        assert expected == [list(turn) for turn in stretches(paths)]


@unhurried
@given(st.permutations([FIRST, OTHER]), amounts(70))
def test_shares_through_different_pools_bring_what_each_brings_alone(
    order: list[Hop], amount: int
) -> None:
    split = quote_split([((each,), amount + 10) for each in order])
    alone = [quote_path((each,), amount + 10) for each in order]
    assert isinstance(split, Split)
    assert [quote.amount_out for quote in alone if isinstance(quote, PathQuote)] == [
        share.amount_out for share in split.shares
    ]


def test_shares_keep_their_hops_as_they_were_given_and_count_ticks() -> None:
    split = quote_split([((FIRST,), 10**22), ((FIRST, LAST)[:1], 10**22)])
    assert isinstance(split, Split)
    assert [(FIRST,), (FIRST,)] == [share.hops for share in split.shares]
    assert [1, 0] == [share.ticks_crossed for share in split.shares]
    assert split.bound is None


def test_share_that_cannot_be_filled_refuses_the_whole() -> None:
    refusal = quote_split(
        [((OTHER, LAST), 10**18), ((OTHER, LAST), 1 << 111), ((FIRST, LAST), 1 << 111)]
    )
    assert isinstance(refusal, PathRefusal)
    assert isinstance(refusal.why, OutOfLiquidity)
    assert (0, DEEP.address) == (refusal.hop, refusal.why.pool)


def test_refusal_by_a_pool_in_which_shares_end_names_its_place_in_the_path() -> None:
    full = hop(replace(ON, reserve0=(1 << 112) - 10**18), TOKEN_B, TOKEN_C)
    refusal = quote_split([((OTHER, full), 10**18), ((FIRST, full), 10**18)])
    assert isinstance(refusal, PathRefusal)
    assert isinstance(refusal.why, Reverts)
    assert (1, full.pool.address) == (refusal.hop, refusal.why.pool)


def test_shares_between_different_tokens_are_an_error() -> None:
    with pytest.raises(ValueError, match="from one token to one other"):
        quote_split([((FIRST,), 10**18), ((FIRST, LAST), 10**18)])


def test_split_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="from one token to one other"):
        quote_split([])


def test_share_without_ticks_says_so() -> None:
    assert 0 == Share(hops=(OTHER,), amount_in=1, amount_out=1).ticks_crossed
