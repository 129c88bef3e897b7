"""How good the built-in router's quotes and splits are, and how fast.

    python scripts/bench/router.py [--json] [--quotes N] [--sets N] [--seed N]

Quotes of single paths are compared with those of the contracts on a local chain, as
scripts/bench/quotes.py does. Then swaps over seeded random pools (the law is in the result) are
divided by the router and held against what prices prove to be the most, recomputed with sixty
digits: before gas, where all amounts are free, and after it, where each pool is a yes or a no.
Side by side: the best single path, and parts of 5 % over at most seven paths that share no pool,
which is how Uniswap's order router searches by default (here with our quotes and our gas). With
--order-router that router itself answers too, on the local chain's own pools; what it answers is
quoted and its gas counted as ours is. Ends with 1 if a quote differs or a bound is beaten.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs

from agent.chain.multicall import aggregating
from agent.core.amm.path import Hop
from agent.core.amm.split import Split, quote_split
from agent.core.money import Address
from agent.lab import mainnet
from agent.lab.world import open_world
from agent.planning.split import Choice, Order, Splitter
from agent.venues._paths import BASE_GAS, RATE_UNIT, SHARING_GAS, Search
from agent.venues._pools import read_pools
from agent.venues._split import Filler, dearest_gas, split_gas
from scripts.bench.order_router import NotRunError, installed
from scripts.bench.order_router import compared as compared_with_order_router
from scripts.bench.router_report import Row, document, print_table, with_pools_of_v4

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from quoter_duel import Duel, world_places
from split_markets import (
    BUY,
    HUBS,
    LAW,
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

SPEED_SAMPLE = 400
PARTS = 20
MOST_PATHS = 7
CANDIDATES = 25
"""Paths that the grid looks at, by what they bring for one part and for all parts."""

ENDLESS_GAS = 10**12
"""More than any split takes."""

Path_ = tuple[Hop, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quotes", type=int, default=5000, help="single paths to quote")
    parser.add_argument("--sets", type=int, default=500, help="sets of pools that take a swap")
    parser.add_argument(
        "--order-router",
        action="store_true",
        help="install Uniswap's smart-order-router (400 packages of npm) and run it beside ours",
    )
    parser.add_argument("--v4-sets", type=int, default=50, help="sets with pools of V4 in them")
    parser.add_argument("--seed", type=int, default=1, help="which quotes, and the first set")
    chosen = parser.parse_args()
    quotes = quoted(chosen.quotes, chosen.seed)
    rows: list[Row] = []
    skipped = 0
    while len(rows) < chosen.sets:
        row = split_row(chosen.seed + len(rows) + skipped)
        rows += [row] if row else []
        skipped += row is None
    first = chosen.seed
    mixed = [split_row(seed, has_v4=True) for seed in range(first, first + chosen.v4_sets)]
    result = document(quotes, rows, law=LAW, skipped=skipped, seed=chosen.seed)
    result["splits_where_pools_of_v4_are_among_them"] = with_pools_of_v4([r for r in mixed if r])
    result["smart_order_router"] = (
        beside_order_router()
        if chosen.order_router
        else {"skipped": "ask for it with --order-router"}
    )
    if chosen.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result)
    return 0 if result["passed"] else 1


def quoted(count: int, seed: int) -> dict[str, Any]:
    """Single paths against QuoterV2 and Router02 on a local chain."""
    with open_world(platformdirs.user_cache_path("rebalancer")) as world:
        duel = Duel(world, seed)
        score = duel.run(count)
        speed = duel.speed(SPEED_SAMPLE)
    return {
        "count": score.kinds.total(),
        "kinds": dict(score.kinds.most_common()),
        "outcomes": dict(score.outcomes.most_common()),
        "mismatches": len(score.mismatches),
        "mismatch_examples": score.mismatches[:10],
        "median_us": asdict(speed),
    }


def beside_order_router() -> dict[str, Any]:
    """Swaps on the local chain by Uniswap's own router, or why there are none."""
    cache = platformdirs.user_cache_path("rebalancer")
    try:
        packages = installed(cache)
        with open_world(cache) as world:
            read = aggregating(Address(mainnet.MULTICALL3))
            at = world.head()[0]
            state = read_pools(
                lambda calls, block: read(world.rpc, calls, hex(block)), world_places(world), at
            )
            return compared_with_order_router(world, state.found, packages)
    except NotRunError as why:
        return {"skipped": str(why)}


def split_row(seed: int, *, has_v4: bool = False) -> Row | None:
    """One swap; None where all pools together do not take it."""
    drawn = with_v4(market(seed), seed) if has_v4 else market(seed)
    search = Search(drawn.pools, HUBS)
    started, busy = time.perf_counter(), time.process_time()
    fitting = Filler(search).best(SELL, BUY, drawn.amount, drawn.gas_rate)
    milliseconds = (time.process_time() - busy) * 1000
    wall_milliseconds = (time.perf_counter() - started) * 1000
    filling = Filler(search, ENDLESS_GAS).best(SELL, BUY, drawn.amount, drawn.gas_rate)
    route = search.best(SELL, BUY, drawn.amount, drawn.gas_rate)
    order = Order(sell=SELL, buy=BUY, amount=drawn.amount, gas=gas_of(drawn.gas_rate))
    choice = Splitter(drawn.pools, HUBS).best(order, () if route is None else route.hops)
    free_order = Order(sell=SELL, buy=BUY, amount=drawn.amount, gas=gas_of(0))
    free = Splitter(drawn.pools, HUBS).best(free_order, ())
    if filling is None or choice is None or free is None:
        return None
    proven = exact_bound(_hops(free.paths), free.prices, drawn.amount)
    real = real_output(free.paths)
    split = quote_split(free.paths)
    assert isinstance(split, Split)
    assert real <= proven
    out, count = split.amount_out, len(free.paths)
    bound = filling.net_bound
    if bound is None:  # nothing was divided, so nothing was proven
        bound = int(choice.net_bound) + 1 - BASE_GAS * drawn.gas_rate // RATE_UNIT

    def loss(net: int | None) -> float | None:
        return None if net is None else (bound - net) / filling.split.amount_out * 10_000

    ours = loss(filling.net(drawn.gas_rate)[0])
    assert ours is not None
    return Row(
        seed=seed,
        pools=drawn.count,
        paths=len(filling.split.shares),
        swaps=len(filling.split.swaps),
        free_paths=count,
        pairs_met_twice=meets_pairs_again(free.paths),
        milliseconds=milliseconds,
        wall_milliseconds=wall_milliseconds,
        gap_bp=float((proven - real) / proven * 10_000),
        whole_gap_bp=(free.net_bound - float(real)) / free.net_bound * 10_000,
        units_per_path=float(proven - out) / count,
        rounding_units_per_path=float(real - out) / count,
        rounding_coarse_units_per_path=float(real - out)
        / sum(_coarsest(free, hops) for hops, _ in free.paths),
        net_loss_single_bp=loss(None if route is None else route.net(drawn.gas_rate)[0]),
        net_loss_grid_bp=loss(grid_net(drawn)),
        net_loss_bp=ours,
        gas=dearest_gas(filling.split),
        net_loss_within_gas_bp=loss(None if fitting is None else fitting.net(drawn.gas_rate)[0]),
    )


def grid_net(drawn: Market) -> int | None:
    """The most after gas by parts of 5 % along paths that share no pool; None if there is none.

    Largest part first; each next path is the best for its part that shares no pool with those
    before it; the first may also be the second best.
    """
    quotes = _grid_quotes(drawn)
    sharing = SHARING_GAS * drawn.gas_rate // RATE_UNIT
    found = [
        _completed(quotes, PARTS - part, part, [first], sharing)
        for part in quotes
        for first in quotes[part][:2]
    ]
    base = BASE_GAS * drawn.gas_rate // RATE_UNIT
    return max((net - base for net in found if net is not None), default=None)


def _completed(
    quotes: dict[int, list[tuple[int, Path_]]],
    left: int,
    most: int,
    chosen: list[tuple[int, Path_]],
    sharing: int,
) -> int | None:
    if left == 0:
        return sum(net for net, _ in chosen) - (sharing if len(chosen) > 1 else 0)
    if len(chosen) == MOST_PATHS:
        return None
    met = {hop.pool.address for _, hops in chosen for hop in hops}
    best = None
    for part in range(min(left, most), 0, -1):
        for net, hops in quotes.get(part, ()):
            if all(hop.pool.address not in met for hop in hops):
                found = _completed(quotes, left - part, part, [*chosen, (net, hops)], sharing)
                best = found if best is None or (found is not None and found > best) else best
                break
    return best


def _grid_quotes(drawn: Market) -> dict[int, list[tuple[int, Path_]]]:
    """By parts, what candidates bring after the gas of their hops, the best first."""
    every = list(paths(drawn))
    candidates: dict[Path_, None] = {}
    for part in (1, PARTS):
        ranked = sorted(_nets(drawn, every, part), key=lambda pair: -pair[0])
        candidates |= dict.fromkeys(hops for _, hops in ranked[:CANDIDATES])
    quotes = {part: list(_nets(drawn, candidates, part)) for part in range(1, PARTS + 1)}
    return {part: sorted(some, key=lambda pair: -pair[0]) for part, some in quotes.items() if some}


def _nets(
    drawn: Market, some: Sequence[Path_] | dict[Path_, None], part: int
) -> Iterator[tuple[int, Path_]]:
    amount = drawn.amount * part // PARTS if part < PARTS else drawn.amount
    for hops in some:
        split = quote_split([(hops, amount)])
        if isinstance(split, Split):
            gas = split_gas(split) - BASE_GAS
            yield split.amount_out - gas * drawn.gas_rate // RATE_UNIT, hops


def _hops(some: Sequence[tuple[Path_, int]]) -> list[Hop]:
    return [hop for hops, _ in some for hop in hops]


def _coarsest(choice: Choice, hops: Path_) -> float:
    """What the dearest unit of a token on the path is worth in units of what is bought."""
    worth = {token: price for (token, _), price in choice.prices.items()}
    return max([1.0, *(worth[hop.token_in] for hop in hops)])


if __name__ == "__main__":
    sys.exit(main())
