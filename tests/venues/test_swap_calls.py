"""Calldata of swaps: as long as the plan says before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest
from amm_pools import v2_pool, v3_pool

from agent.core.amm.path import MAX_HOPS, Hop
from agent.core.amm.split import Share
from agent.core.money import Address
from agent.venues._swap_calls import call_bytes, swap_call

KINDS = [
    "".join(kind) for length in range(1, MAX_HOPS + 1) for kind in product("23", repeat=length)
]


SPLITS = [
    ("3", "2"),
    ("2", "22", "222"),
    ("3", "33", "333"),
    ("23", "32", "323", "232"),
    ("3", "3", "3", "3", "3"),
]
WALLET = Address("0x" + "a1" * 20)


def path(kinds: str, tokens: Sequence[int]) -> tuple[Hop, ...]:
    """Hops through pools of these versions, between tokens of these numbers."""
    hops = []
    for kind, (sell, buy) in zip(kinds, pairwise(map(token, tokens)), strict=True):
        pool = v2_pool(10**12, 10**12) if kind == "2" else v3_pool([(-60, 60, 10**20)])
        hops.append(Hop(pool=replace(pool, token0=sell, token1=buy), token_in=sell, token_out=buy))
    return tuple(hops)


def token(number: int) -> Address:
    return Address(f"0x{number:040x}")


def shares(*paths: tuple[Hop, ...]) -> tuple[Share, ...]:
    return tuple(Share(hops=hops, amount_in=7, amount_out=1) for hops in paths)


def encoded(parts: Sequence[Share]) -> str:
    return swap_call(parts, min_out=2, to=WALLET, deadline=3)


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), *SPLITS], ids=" and ".join)
def test_length_of_a_call_is_known_before_it_is_encoded(kinds: tuple[str, ...]) -> None:
    paths = [path(kind, [1, *range(3, len(kind) + 2), 2]) for kind in kinds]
    assert len(encoded(shares(*paths))) // 2 - 1 == call_bytes(paths)


def test_shares_of_nothing_or_of_two_swaps_are_no_call() -> None:
    for parts in (
        (),
        shares(path("3", [1, 2]), path("3", [1, 3])),
        shares(path("3", [1, 2]), path("3", [3, 2])),
        (*shares(path("3", [1, 2])), Share(hops=path("2", [1, 2]), amount_in=0, amount_out=0)),
    ):
        with pytest.raises(ValueError, match="shares of one swap sell something of one token"):
            encoded(parts)


@pytest.mark.parametrize("tokens", [[1, 2, 3, 2], [1, 3, 2, 2], [1, 1, 3, 2], [1, 3, 1, 2]])
def test_share_that_would_sell_the_router_s_other_money_is_no_call(tokens: list[int]) -> None:
    """A kind of pool that changes at the token sold or bought: amount 0 there is all there is."""
    handed_on = [path("232", tokens)]
    with pytest.raises(ValueError, match="a share would sell what the router holds of another"):
        encoded(shares(path("3", [1, 2]), *handed_on))
