"""One swap over several paths: amounts that no others beat, and a proof that stands by itself."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, product
from math import inf
from pathlib import Path

import pytest
from amm_pools import v2_pool, v3_pool
from hypothesis import example, given, settings
from hypothesis import strategies as st
from split_markets import (
    BUY,
    HUBS,
    SELL,
    Market,
    exact_bound,
    gas_of,
    market,
    meets_pairs_again,
    paths,
    real_output,
    with_v4,
)

from agent.core.amm.path import Hop, Pool, quote_path
from agent.core.amm.split import Split, quote_split
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.planning.split import Choice, GasCost, Order, Splitter
from agent.venues._paths import RATE_UNIT, Search
from agent.venues._split import Filler, split_gas

FREE = GasCost(v2_hop=0.0, v3_hop=0.0, v4_hop=0.0, tick=0.0)
X, Y, Z = HUBS
seeds = st.integers(0, 10**9)


def order(amount: int, gas: GasCost = FREE) -> Order:
    return Order(sell=SELL, buy=BUY, amount=amount, gas=gas)


def at(pool: Pool, number: int, one: Address, other: Address) -> Pool:
    """The pool between two tokens, the price in their order."""
    token0, token1 = sorted((one, other))
    return replace(pool, address=Address(f"0x{number:040x}"), token0=token0, token1=token1)


def keyed(*pools: Pool) -> dict[tuple[Address, Address], list[Pool]]:
    found: dict[tuple[Address, Address], list[Pool]] = {}
    for pool in pools:
        found.setdefault((pool.token0, pool.token1), []).append(pool)
    return found


def chosen(pools: dict[tuple[Address, Address], list[Pool]], amount: int) -> Choice:
    found = Splitter(pools, HUBS).best(order(amount), ())
    assert found is not None
    return found


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_filling_is_never_worse_than_the_best_single_path_after_gas(seed: int) -> None:
    drawn = market(seed)
    search = Search(drawn.pools, HUBS)
    route = search.best(SELL, BUY, drawn.amount, drawn.gas_rate)
    found = Filler(search).best(SELL, BUY, drawn.amount, drawn.gas_rate)
    if found is None:
        assert route is None
        return
    again = quote_split([(share.hops, share.amount_in) for share in found.split.shares])
    assert isinstance(again, Split)
    assert found.split.shares == again.shares
    assert (drawn.amount, split_gas(again)) == (found.split.amount_in, found.gas)
    assert route is None or found.net(drawn.gas_rate) >= route.net(drawn.gas_rate)
    assert found.net_bound is None or found.net(drawn.gas_rate)[0] <= found.net_bound
    assert found.split.bound is None or found.split.amount_out <= found.split.bound


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans())
@example(106, False)
def test_split_brings_what_its_prices_prove_to_be_the_most(seed: int, has_v4: bool) -> None:
    drawn = with_v4(market(seed), seed) if has_v4 else market(seed)
    choice = Splitter(drawn.pools, HUBS).best(order(drawn.amount), ())
    if choice is None:
        return
    hops = [hop for path, _ in choice.paths for hop in path]
    proven = exact_bound(hops, choice.prices, drawn.amount)
    real = real_output(choice.paths)
    assert drawn.amount == sum(amount for _, amount in choice.paths)
    assert real <= proven <= choice.bound
    # The ends of pools, which rounding could miss, are counted generously.
    assert choice.bound <= float(proven) * (1 + 1e-6)
    # A pair that is met twice keeps the fee of the first swap: no proof is close to that.
    if not meets_pairs_again(choice.paths):
        assert float((proven - real) / proven) <= 1e-7


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_bound_before_gas_is_above_every_division_on_a_grid(seed: int) -> None:
    drawn = market(seed)
    choice = Splitter(drawn.pools, HUBS).best(order(drawn.amount), ())
    if choice is None:
        return
    rng = random.Random(seed)
    every = list(paths(drawn))
    for _ in range(30):
        some = rng.sample(every, min(3, len(every)))
        parts = [rng.randint(0, 10) for _ in some]
        if sum(parts) == 0:
            continue
        amounts = [drawn.amount * part // sum(parts) for part in parts]
        split = quote_split(
            [(hops, amount) for hops, amount in zip(some, amounts, strict=True) if amount]
        )
        if isinstance(split, Split):
            assert split.amount_out <= choice.net_bound


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(10**6, 10**12), min_size=6, max_size=6), st.integers(3, 11))
def test_three_pools_are_divided_better_than_by_any_hundredths(
    depths: list[int], bits: int
) -> None:
    pools = [at(v2_pool(*depths[2 * n : 2 * n + 2]), 100 + n, SELL, BUY) for n in range(3)]
    amount = 10**bits
    choice = chosen(keyed(*pools), amount)
    found = quote_split(choice.paths)
    assert isinstance(found, Split)
    hops = [Hop(pool=pool, token_in=SELL, token_out=BUY) for pool in pools]
    best = 0
    for one, other in product(range(51), repeat=2):
        parts = [amount * one // 50, amount * other // 50]
        parts.append(amount - sum(parts))
        if parts[2] >= 0:
            outs = [quote_path([hop], x) for hop, x in zip(hops, parts, strict=True) if x]
            best = max(best, sum(getattr(out, "amount_out", 0) for out in outs))
    assert best <= choice.bound
    assert best <= found.amount_out + len(pools)


def subsets_best(drawn: Market, pools: list[Pool]) -> float:
    """The best after gas when every choice of pools is tried."""
    best = -inf
    for size in range(1, len(pools) + 1):
        for some in combinations(pools, size):
            # Without gas all of them are used; what they cost is then counted.
            found = Splitter(keyed(*some), HUBS).best(order(drawn.amount), ())
            if found is not None:
                split = quote_split(found.paths)
                if isinstance(split, Split):
                    hop_gas = (split_gas(split) - split_gas(replace(split, shares=()))) * (
                        drawn.gas_rate / RATE_UNIT
                    )
                    best = max(best, split.amount_out - hop_gas)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_choice_of_pools_is_as_good_as_that_of_all_choices(seed: int) -> None:
    drawn = market(seed)
    pools = [pool for some in drawn.pools.values() for pool in some][::5][:6]
    choice = Splitter(keyed(*pools), HUBS).best(order(drawn.amount, gas_of(drawn.gas_rate)), ())
    best = subsets_best(drawn, pools)
    assert choice is None if best == -inf else choice is not None
    if choice is not None:
        assert choice.net >= best * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 2000))
def test_a_few_base_units_are_filled_as_a_single_path_would(seed: int, amount: int) -> None:
    drawn = market(seed)
    search = Search(drawn.pools, HUBS)
    found, route = Filler(search).best(SELL, BUY, amount), search.best(SELL, BUY, amount)
    if route is None:
        assert found is None or found.split.amount_out > 0
    else:
        assert found is not None
        assert found.split.amount_out >= route.amount_out
        assert amount == found.split.amount_in


def test_nothing_is_filled_with_nothing() -> None:
    search = Search(market(1).pools, HUBS)
    filler = Filler(search)
    assert (None, None) == (filler.best(SELL, BUY, 0), filler.best(SELL, SELL, 10**18))
    assert filler.unknown is search.unknown


def test_swap_in_one_pool_is_one_path_and_its_bound_is_what_it_brings() -> None:
    pool = at(v2_pool(10**24, 2 * 10**24), 100, SELL, BUY)
    choice = chosen(keyed(pool), 10**21)
    hop = Hop(pool=pool, token_in=SELL, token_out=BUY)
    assert (((hop,), 10**21),) == choice.paths
    split = quote_split(choice.paths)
    assert isinstance(split, Split)
    assert choice.bound == pytest.approx(split.amount_out, rel=1e-11)


def test_equal_pools_take_equal_parts() -> None:
    pools = [at(v2_pool(10**24, 10**24), number, SELL, BUY) for number in (100, 101)]
    choice = chosen(keyed(*pools), 10**22)
    assert [10**22 / 2] * 2 == pytest.approx([amount for _, amount in choice.paths], rel=1e-6)


@pytest.mark.parametrize(
    "pools",
    [
        (),
        (at(v2_pool(0, 0), 100, SELL, BUY),),
        (at(v2_pool(10**20, 10**20), 100, SELL, X),),
        (at(v2_pool(10**20, 10**20), 100, X, BUY),),
        (at(v3_pool([], fee=500, spacing=10), 100, SELL, BUY),),
    ],
    ids=["nothing", "empty pair", "to nowhere", "from nowhere", "empty v3 pool"],
)
def test_pools_that_do_not_lead_there_bring_nothing(pools: tuple[Pool, ...]) -> None:
    assert Splitter(keyed(*pools), HUBS).best(order(10**18), ()) is None


def test_amount_beyond_all_pools_brings_nothing_and_names_what_was_not_read() -> None:
    known = at(v3_pool([(-600, 600, 10**20)], fee=500, spacing=10, words=(-1, 0)), 100, SELL, BUY)
    whole = at(v3_pool([(-600, 600, 10**20)], fee=500, spacing=10), 101, SELL, BUY)
    splitter = Splitter(keyed(known, whole), HUBS)
    assert splitter.best(order(10**21), ()) is None
    assert {known.address: -2} == splitter.unread


def test_amount_that_only_several_pools_take_is_divided_between_them() -> None:
    pools = [
        at(v3_pool([(-600, 600, 10**20)], fee=500, spacing=10), number, SELL, BUY)
        for number in (100, 101, 102)
    ]
    takes = 10**20 * 0.03  # a little less than one of them
    choice = chosen(keyed(*pools), int(takes * 2.9))
    assert 3 == len(choice.paths)
    assert isinstance(quote_split(choice.paths), Split)


def test_paths_that_end_in_one_pool_go_through_it_together() -> None:
    first = [at(v2_pool(10**21, 10**21), number, SELL, X) for number in (100, 101)]
    last = at(v3_pool([(-60_000, 60_000, 10**21)]), 102, X, BUY)
    choice = chosen(keyed(*first, last), 10**20)
    assert [(100, 102), (101, 102)] == sorted(
        tuple(int(hop.pool.address, 16) for hop in hops) for hops, _ in choice.paths
    )
    split = quote_split(choice.paths)
    assert isinstance(split, Split)
    assert [100, 101, 102] == sorted(int(hop.pool.address, 16) for hop in split.swaps)
    alone = [quote_path(share.hops, share.amount_in) for share in split.shares]
    assert split.amount_out < sum(getattr(quote, "amount_out", 0) for quote in alone)
    assert 0 <= choice.bound - split.amount_out <= 1e-11 * choice.bound


@pytest.mark.parametrize(
    ("depth", "after"), [(5 * 10**20, 2 * 10**21), (2 * 10**21, 5 * 10**20), (10**22, 10**22)]
)
def test_pair_is_met_once_where_a_v3_pool_can_be_met_twice(depth: int, after: int) -> None:
    first = [at(v2_pool(10**21, 10**21), 100, SELL, X), at(wide(depth), 101, SELL, X)]
    last = [at(v2_pool(3 * 10**20, 3 * 10**20), 102, X, BUY), at(wide(after), 103, X, BUY)]
    choice = chosen(keyed(*first, *last), 10**20)
    assert 3 == len(choice.paths)
    assert not meets_pairs_again(choice.paths)


def wide(depth: int = 10**22, price: float = 1) -> V3Pool:
    root = int(price**0.5 * 2**96)
    return v3_pool([(-60_000, 60_000, depth)], fee=500, spacing=10, sqrt_price_x96=root)


def test_hub_gives_other_hubs_no_more_than_came_to_it_from_what_is_sold() -> None:
    # SELL → X → Y → Z → BUY would be by far the best way, but for its length.
    pools = [
        at(wide(), 100, SELL, X),
        at(wide(), 101, X, Y),
        at(wide(), 102, Y, Z),
        at(wide(), 103, Z, BUY),
        at(wide(10**21), 104, SELL, Y),
        at(wide(price=2), 105, Y, BUY),  # the price of what is bought: Y brings half
    ]
    choice = chosen(keyed(*pools), 10**21)
    assert [[100, 101, 105], [104, 102, 103]] == [
        [int(hop.pool.address, 16) for hop in hops] for hops, _ in choice.paths
    ]
    hops = [hop for path, _ in choice.paths for hop in path]
    proven = exact_bound(hops, choice.prices, 10**21)
    assert float((proven - real_output(choice.paths)) / proven) <= 1e-7
    assert choice.prices[Y, True] < choice.prices[Y, False]


def test_gas_makes_a_small_swap_one_path() -> None:
    pools = [at(v2_pool(10**24, 10**24), number, SELL, BUY) for number in (100, 101)]
    dear = GasCost(v2_hop=1e20, v3_hop=1e20, v4_hop=1e20, tick=0.0)
    both = Splitter(keyed(*pools), HUBS).best(order(10**22), ())
    one = Splitter(keyed(*pools), HUBS).best(order(10**22, dear), ())
    assert both is not None
    assert one is not None
    assert (2, 1) == (len(both.paths), len(one.paths))
    assert one.net <= one.net_bound


def test_small_part_that_costs_a_swap_of_its_own_goes_elsewhere() -> None:
    """Two pools before a hub and two behind it fit each other but for little."""
    pools = [
        at(wide(10**22), 100, SELL, X),
        at(wide(2 * 10**22), 101, SELL, X),
        at(wide(1003 * 10**19), 102, X, BUY),
        at(wide(1997 * 10**19), 103, X, BUY),
    ]
    gas = GasCost(v2_hop=1e15, v3_hop=1e15, v4_hop=1e15, tick=0.0)
    free = chosen(keyed(*pools), 10**21)
    paid = Splitter(keyed(*pools), HUBS).best(order(10**21, gas), ())
    assert paid is not None
    assert (3, 2) == (len(free.paths), len(paid.paths))
    assert [(100, 102), (101, 103)] == sorted(
        tuple(int(hop.pool.address, 16) for hop in hops) for hops, _ in paid.paths
    )
    assert 10**21 == sum(amount for _, amount in paid.paths)
    # What was saved is a swap, and what was lost for it is less.
    assert gas.v3_hop * 0.5 < paid.net - (free.net - 5 * gas.v3_hop) < gas.v3_hop


@pytest.mark.parametrize(("tick", "crossed"), [(0.0, 1), (1e16, 0)])
def test_tick_that_brings_less_than_its_gas_is_not_crossed(tick: float, crossed: int) -> None:
    ranges = [(-60, 60, 10**22), (-60_000, 60_000, 10**22)]
    ends = v3_pool(ranges, fee=500, spacing=10)
    pools = [at(ends, 100, SELL, BUY), at(wide(2 * 10**22), 101, SELL, BUY)]
    gas = GasCost(v2_hop=0.0, v3_hop=0.0, v4_hop=0.0, tick=tick)
    choice = Splitter(keyed(*pools), HUBS).best(order(1205 * 10**17, gas), ())
    assert choice is not None
    split = quote_split(choice.paths)
    assert isinstance(split, Split)
    assert (2, crossed) == (
        len(split.shares),
        sum(share.ticks_crossed for share in split.shares),
    )
    assert split.amount_out <= choice.bound


PRINT = """
from split_markets import *
from agent.venues._split import Filler
from agent.venues._paths import Search
for seed in range(6):
    drawn = market(seed)
    found = Filler(Search(drawn.pools, HUBS)).best(SELL, BUY, drawn.amount, drawn.gas_rate)
    for share in found.split.shares if found else ():
        print([hop.pool.address for hop in share.hops], share.amount_in, share.amount_out)
"""


def test_same_pools_give_the_same_split_in_every_process() -> None:
    here = Path(__file__).resolve().parents[1]
    said = [
        subprocess.run(
            [sys.executable, "-c", PRINT],
            env={"PYTHONPATH": f"{here}:{here.parent}", "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count("\n") > 6
