"""A swap in several shares, as the chain performs them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import TOKEN_A, TOKEN_B, amounts, unhurried, v2_pool, v3_pool
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm.outcome import OutOfLiquidity
from agent.core.amm.path import Hop, PathQuote, PathRefusal, Pool, quote_path
from agent.core.amm.split import Share, Split, quote_split
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


def moved(path: tuple[Hop, ...], after: PathQuote) -> tuple[Hop, ...]:
    """The path over the pools as another path left them."""
    pools = {quote.pool.address: quote.pool for quote in after.hops}
    return tuple(replace(each, pool=pools.get(each.pool.address, each.pool)) for each in path)


@unhurried
@given(amounts(70), amounts(70))
def test_later_share_meets_pools_as_earlier_ones_left_them(one: int, other: int) -> None:
    one, other = one + 10, other + 10
    split = quote_split([((FIRST, LAST), one), ((OTHER, LAST), other)])
    alone = quote_path((FIRST, LAST), one)
    assert isinstance(alone, PathQuote)
    then = quote_path(moved((OTHER, LAST), alone), other)
    assert isinstance(split, Split)
    assert isinstance(then, PathQuote)
    assert [alone.amount_out, then.amount_out] == [share.amount_out for share in split.shares]
    assert (one + other, alone.amount_out + then.amount_out) == (split.amount_in, split.amount_out)


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
        [((OTHER,), 10**18), ((OTHER, LAST), 1 << 111), ((FIRST, LAST), 1 << 111)]
    )
    assert isinstance(refusal, PathRefusal)
    assert isinstance(refusal.why, OutOfLiquidity)
    assert (0, DEEP.address) == (refusal.hop, refusal.why.pool)


def test_shares_between_different_tokens_are_an_error() -> None:
    with pytest.raises(ValueError, match="from one token to one other"):
        quote_split([((FIRST,), 10**18), ((FIRST, LAST), 10**18)])


def test_split_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="from one token to one other"):
        quote_split([])


def test_share_without_ticks_says_so() -> None:
    assert 0 == Share(hops=(OTHER,), amount_in=1, amount_out=1).ticks_crossed
