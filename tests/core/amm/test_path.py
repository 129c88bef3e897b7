"""Paths through several pools."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import POOL, TOKEN_A, TOKEN_B, amounts, unhurried, v2_pool, v3_pool
from hypothesis import given

from agent.core.amm import v2, v3
from agent.core.amm.outcome import OutOfKnownLiquidity, OutOfLiquidity, Reverts
from agent.core.amm.path import Hop, PathQuote, PathRefusal, quote_path
from agent.core.money import Address

TOKEN_C = Address("0x" + "cc" * 20)
PAIR = Address("0x" + "22" * 20)
LIQUID = v3_pool([(-60_000, 60_000, 10**24)])
PAIR_B_C = replace(v2_pool(10**24, 3 * 10**24, PAIR), token0=TOKEN_B, token1=TOKEN_C)


def hop(pool, token_in, token_out):
    return Hop(pool=pool, token_in=token_in, token_out=token_out)


A_TO_C = (hop(LIQUID, TOKEN_A, TOKEN_B), hop(PAIR_B_C, TOKEN_B, TOKEN_C))


@unhurried
@given(amounts(70).map(lambda amount: amount + 10))
def test_path_is_its_single_swaps_one_after_the_other(amount):
    first = v3.quote_exact_in(LIQUID, amount, zero_for_one=True)
    second = v2.amount_out(PAIR_B_C, first.amount_out, zero_for_one=True)
    quote = quote_path(A_TO_C, amount)
    assert isinstance(quote, PathQuote)
    assert [(amount, first.amount_out), (first.amount_out, second)] == [
        (part.amount_in, part.amount_out) for part in quote.hops
    ]
    assert (amount, second) == (quote.amount_in, quote.amount_out)


def test_path_leaves_its_pools_moved():
    quote = quote_path(A_TO_C, 10**20)
    moved = [part.pool for part in quote.hops]
    assert [POOL, PAIR] == [pool.address for pool in moved]
    assert moved[0].sqrt_price_x96 < LIQUID.sqrt_price_x96
    assert PAIR_B_C.reserve0 + quote.hops[1].amount_in == moved[1].reserve0


def test_second_path_over_moved_pools_pays_less():
    first = quote_path(A_TO_C, 10**20)
    again = [replace(step, pool=part.pool) for step, part in zip(A_TO_C, first.hops, strict=True)]
    assert quote_path(again, 10**20).amount_out < first.amount_out


def test_pool_met_twice_is_met_as_the_first_swap_left_it():
    there_and_back = [hop(LIQUID, TOKEN_A, TOKEN_B), hop(LIQUID, TOKEN_B, TOKEN_A)]
    quote = quote_path(there_and_back, 10**20)
    alone = quote_path([hop(LIQUID, TOKEN_B, TOKEN_A)], quote.hops[0].amount_out)
    assert alone.amount_out < quote.amount_out < 10**20


def test_ticks_crossed_are_counted_per_hop():
    stepped = v3_pool([(-60, 60, 10**21), (-60_000, 60_000, 10**21)])
    path = [hop(stepped, TOKEN_A, TOKEN_B), hop(PAIR_B_C, TOKEN_B, TOKEN_C)]
    assert [1, 0] == [part.ticks_crossed for part in quote_path(path, 2 * 10**19).hops]


def test_hop_that_would_take_only_a_part_refuses_the_path():
    refusal = quote_path(A_TO_C, 10**30)
    assert isinstance(refusal.why, OutOfLiquidity)
    assert [0, POOL] == [refusal.hop, refusal.why.pool]


def test_hop_with_unknown_liquidity_refuses_the_path():
    unread = v3_pool([(-60_000, 60_000, 10**18)], words=(-1, 1))
    refusal = quote_path([hop(unread, TOKEN_A, TOKEN_B)], 10**20)
    assert PathRefusal(hop=0, why=OutOfKnownLiquidity(POOL, -2)) == refusal


def test_second_hop_that_reverts_refuses_the_path():
    refusal = quote_path((hop(PAIR_B_C, TOKEN_C, TOKEN_B), hop(LIQUID, TOKEN_B, TOKEN_A)), 1)
    assert PathRefusal(hop=0, why=Reverts(PAIR, "the output rounds to zero")) == refusal


def test_output_of_zero_refuses_at_the_next_hop():
    refusal = quote_path(A_TO_C, 1)
    assert PathRefusal(hop=1, why=Reverts(PAIR, "the amount is zero or less")) == refusal


@pytest.mark.parametrize("count", [0, 4])
def test_path_of_a_wrong_length_raises(count):
    there, back = hop(LIQUID, TOKEN_A, TOKEN_B), hop(LIQUID, TOKEN_B, TOKEN_A)
    with pytest.raises(ValueError, match=f"a path has 1 to 3 hops, not {count}"):
        quote_path([there, back, there, back][:count], 1000)


def test_path_whose_tokens_do_not_join_raises():
    with pytest.raises(ValueError, match=f"{TOKEN_A} does not follow {TOKEN_B}"):
        quote_path([A_TO_C[0], A_TO_C[0]], 1000)


@pytest.mark.parametrize(
    ("token_in", "token_out"), [(TOKEN_A, TOKEN_A), (TOKEN_A, TOKEN_C), (TOKEN_C, TOKEN_B)]
)
def test_hop_through_a_pool_of_other_tokens_raises(token_in, token_out):
    with pytest.raises(ValueError, match=f"{POOL} does not swap {token_in} to {token_out}"):
        hop(LIQUID, token_in, token_out)
