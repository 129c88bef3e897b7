"""Calldata of swaps: as long as the plan says before anything is encoded."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import pytest
from amm_pools import v2_pool, v3_pool

from agent.core.amm.path import MAX_HOPS, Hop
from agent.core.money import Address
from agent.venues._swap_calls import call_bytes, swap_call

KINDS = [
    "".join(kind) for length in range(1, MAX_HOPS + 1) for kind in product("23", repeat=length)
]


@pytest.mark.parametrize("kinds", KINDS)
def test_length_of_a_call_is_known_before_it_is_encoded(kinds: str) -> None:
    tokens = [Address(f"0x{number:040x}") for number in range(1, len(kinds) + 2)]
    hops = []
    for kind, (sell, buy) in zip(kinds, pairwise(tokens), strict=True):
        pool = v2_pool(10**12, 10**12) if kind == "2" else v3_pool([(-60, 60, 10**20)])
        hops.append(Hop(pool=replace(pool, token0=sell, token1=buy), token_in=sell, token_out=buy))
    encoded = swap_call(tuple(hops), amount_in=1, min_out=2, to=tokens[0], deadline=3)
    assert len(encoded) // 2 - 1 == call_bytes(tuple(hops))
