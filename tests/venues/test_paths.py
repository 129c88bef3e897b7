"""The best path, against all paths there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

from amm_pools import unhurried, v2_pool, v3_pool
from hypothesis import given
from hypothesis import strategies as st

from agent.core.amm.path import Hop, PathQuote, Pool, quote_path
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.venues._paths import (
    BASE_GAS,
    RATE_UNIT,
    TICK_GAS,
    V2_HOP_GAS,
    V3_HOP_GAS,
    Route,
    Search,
)

NAMES = [Address(f"0x{number:040x}") for number in (11, 12, 13, 14, 15)]
SELL, BUY, *HUBS = NAMES


def placed(pool: Pool, number: int, one: Address, other: Address) -> Pool:
    token0, token1 = sorted((one, other))
    return replace(pool, address=Address(f"0x{number:040x}"), token0=token0, token1=token1)


@st.composite
def markets(draw: st.DrawFn) -> dict[tuple[Address, Address], list[Pool]]:
    """Up to two pools between any two tokens, deep and shallow."""
    found: dict[tuple[Address, Address], list[Pool]] = {}
    number = 100
    for one, other in permutations(NAMES, 2):
        if one > other:
            continue
        for _ in range(draw(st.integers(0, 2))):
            number += 1
            if draw(st.booleans()):
                reserves = (draw(st.integers(10**3, 10**7)) for _ in range(2))
                pool: Pool = v2_pool(*reserves)
            else:
                depth = draw(st.integers(10**3, 10**9))
                pool = v3_pool([(-6000, 6000, depth), (-60, 60, depth)], words=(-1, 0))
            found.setdefault((one, other), []).append(placed(pool, number, one, other))
    return found


def all_paths(pools: dict[tuple[Address, Address], list[Pool]]) -> Iterator[Sequence[Hop]]:
    for length in (0, 1, 2):
        for between in permutations(HUBS, length):
            tokens = [SELL, *between, BUY]
            paths: list[tuple[Hop, ...]] = [()]
            for one, other in pairwise(tokens):
                here = pools.get((min(one, other), max(one, other)), [])
                paths = [
                    (*path, Hop(pool=pool, token_in=one, token_out=other))
                    for path in paths
                    for pool in here
                ]
            yield from paths


@unhurried
@given(markets(), st.integers(1, 10**6))
def test_best_path_is_the_best_of_all_paths(
    pools: dict[tuple[Address, Address], list[Pool]], amount: int
) -> None:
    offers = [quote_path(path, amount) for path in all_paths(pools)]
    amounts = [offer.amount_out for offer in offers if isinstance(offer, PathQuote)]
    best = Search(pools, HUBS).best(SELL, BUY, amount)
    assert max((out for out in amounts if out > 0), default=None) == (best and best.amount_out)


@unhurried
@given(markets(), st.integers(1, 10**6), st.integers(0, 10**15))
def test_path_pays_what_its_pools_pay_and_its_gas_is_counted(
    pools: dict[tuple[Address, Address], list[Pool]], amount: int, gas_rate: int
) -> None:
    best = Search(pools, HUBS).best(SELL, BUY, amount, gas_rate)
    if best is None:
        return
    offer = quote_path(best.hops, amount)
    assert isinstance(offer, PathQuote)
    assert offer.amount_out == best.amount_out
    gas = BASE_GAS
    for hop in offer.hops:
        gas += V3_HOP_GAS if isinstance(hop.pool, V3Pool) else V2_HOP_GAS
        gas += TICK_GAS * hop.ticks_crossed
    assert gas == best.gas
    assert 1 <= len(best.hops) <= 3
    assert [SELL, *(hop.token_out for hop in best.hops)][-1] == BUY


@unhurried
@given(markets(), st.integers(1, 10**6))
def test_more_in_is_never_less_out_where_it_is_taken(
    pools: dict[tuple[Address, Address], list[Pool]], amount: int
) -> None:
    search = Search(pools, HUBS)
    less, more = search.best(SELL, BUY, amount), search.best(SELL, BUY, amount + 1)
    if less is not None and isinstance(quote_path(less.hops, amount + 1), PathQuote):
        assert more is not None
        assert less.amount_out <= more.amount_out


def test_pool_that_cannot_take_the_most_is_met_with_less() -> None:
    """The deep pool brings more to the hub than the last pool takes, the shallow one does not."""
    hub, narrow = HUBS[0], v3_pool([(-60, 60, 10**5)], words=(-1, 0))
    shallow, deep = (placed(v2_pool(r, r), 1 + r, SELL, hub) for r in (400, 10**6))
    last = placed(narrow, 1, hub, BUY)
    best = Search({(SELL, hub): [shallow, deep], (BUY, hub): [last]}, HUBS).best(SELL, BUY, 1000)
    assert [shallow.address, last.address] == [hop.pool.address for hop in best.hops]


def direct_and_detour() -> dict[tuple[Address, Address], list[Pool]]:
    """A direct pool at 99 %, and a way over a hub at a little more."""
    hub = HUBS[0]
    deep = 10**15
    return {
        (SELL, BUY): [placed(v2_pool(deep, deep * 990 // 1000), 1, SELL, BUY)],
        (SELL, hub): [placed(v2_pool(deep, deep), 2, SELL, hub)],
        (BUY, hub): [placed(v2_pool(deep, deep), 3, BUY, hub)],
    }


def test_detour_is_taken_only_where_it_pays_for_its_gas() -> None:
    search = Search(direct_and_detour(), HUBS)
    assert 2 == len(search.best(SELL, BUY, 10**6).hops)
    dear = RATE_UNIT  # one base unit of what is bought for each unit of gas
    assert 1 == len(search.best(SELL, BUY, 10**6, dear).hops)
    assert 2 == len(search.best(SELL, BUY, 10**9, dear).hops)


def test_same_offer_for_less_gas_is_the_better_one() -> None:
    cheap, dear = Route((), 100, 50_000), Route((), 100, 60_000)
    assert cheap.net(0) > dear.net(0)
    assert Route((), 101, 60_000).net(0) > cheap.net(0)


def test_pool_that_ran_out_of_known_ticks_is_remembered_as_unknown() -> None:
    shallow = placed(v3_pool([(-6000, 6000, 10**6)], words=(-1, 0)), 7, SELL, BUY)
    search = Search({(SELL, BUY): [shallow]}, HUBS)
    assert search.best(SELL, BUY, 10**12) is None
    assert {shallow.address: -2} == search.unknown
    assert search.best(SELL, BUY, 10) is not None


def test_token_that_is_its_own_target_has_no_path() -> None:
    assert Search(direct_and_detour(), HUBS).best(SELL, SELL, 10**6) is None
