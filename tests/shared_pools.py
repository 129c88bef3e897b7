"""Problems on one chain whose ways lead through the same pools, real ones of V2 and V3."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isqrt

from amm_pools import FEE_AND_SPACING, v2_pool, v3_pool
from portfolios import DAI, USDC, WBTC, WETH, policy, prices, problem, trigger

from agent.core.amm.path import Hop, PathQuote, Pool, follow
from agent.core.amm.tick_price import tick_at_sqrt_ratio
from agent.core.market import Edge
from agent.core.money import Address, Token
from agent.planning.ladder import bought
from agent.planning.problem import Problem
from agent.planning.way import Way
from agent.venues._discovery import Pair
from agent.venues.router import Desk, _edges

TRADED = (WETH, WBTC, USDC)
GAS_RATES = {WETH: 10**9, WBTC: 5, USDC: 3}
"""What a unit of gas costs in each, in base units by RATE_UNIT: about a gwei."""


def units(token: Token) -> float:
    """The value of a base unit."""
    found = prices().of(token)
    assert found is not None
    return float(found.value) / token.unit


def pools(rng: random.Random, tokens: Sequence[Token]) -> dict[Pair, tuple[Pool, ...]]:
    """One to three pools of each pair, some deep and some not, near the independent prices."""
    found: dict[Pair, tuple[Pool, ...]] = {}
    number = 100
    for one, other in ((a, b) for a in tokens for b in tokens if a.address < b.address):
        made: list[Pool] = []
        for fee, spacing in rng.sample([*FEE_AND_SPACING[:3], (0, 0)], rng.choice((1, 2, 3))):
            number += 1
            depth = 10 ** rng.uniform(5.7, 7.5)
            price = units(one) / units(other) * (1 + rng.uniform(-0.3, 0.3) * (fee or 3000) / 1e6)
            reserve0 = depth / units(one)
            reserve1 = reserve0 * price
            if fee:
                root = isqrt(int(price * 2**192))
                middle = tick_at_sqrt_ratio(root) // spacing
                size = int((reserve0 * reserve1) ** 0.5)
                wide = [(40, 30), (400, 70), (4000 // spacing * 10, 100)]
                positions = [
                    ((middle - far) * spacing, (middle + far) * spacing, size * part // 50)
                    for far, part in wide
                ]
                pool: Pool = v3_pool(positions, fee=fee, spacing=spacing, sqrt_price_x96=root)
            else:
                pool = v2_pool(int(reserve0), int(reserve1))
            address = Address(f"0x{number:040x}")
            made.append(replace(pool, address=address, token0=one.address, token1=other.address))
        found[one.address, other.address] = tuple(made)
    return found


def pool_edges(rng: random.Random, tokens: Sequence[Token]) -> Iterator[Edge]:
    """What the built-in router offers over such pools; what is not traded is a hub."""
    desk = Desk(pools(rng, tokens), [token.address for token in tokens])
    for sell in TRADED:
        for buy in TRADED:
            if sell != buy:
                size = int(40_000 / units(sell))
                yield from _edges(desk, sell, buy, size, (GAS_RATES[buy], 0))


def pool_problem(seed: int, wish: str = "target") -> Problem:
    """Holdings of 80 000 to be brought to their targets by ways that share pools.

    Every third lead through a hub that is in no target.
    """
    tokens = TRADED if seed % 3 else (*TRADED, DAI)
    edges = tuple(pool_edges(random.Random(seed), tokens))
    return problem(policy=policy(trigger=trigger(rebalance_to=wish)), edges=edges)


Paths = list[tuple[tuple[Hop, ...], float]]


def sampled(way: Way, raw: int) -> list[Paths]:
    """The paths of the sampled sizes next to one, the larger one first, with their parts of it."""
    place = next(n for n, (size, _) in enumerate(way.edge.ladder) if size >= raw)
    return [
        [(share.hops, raw * (share.amount_in / split.amount_in)) for share in split.shares]
        for split in reversed(way.edge.splits[max(0, place - 1) : place + 1])
    ]


def settled(moved: Mapping[Address, Pool], paths: Paths) -> tuple[int, dict[Address, Pool]]:
    """What comes out of paths by the pools' own integers, and the pools as they leave them."""
    pools, out = dict(moved), 0
    for hops, amount in paths:
        quote = follow(hops, int(amount), pools) if int(amount) else None
        out += quote.amount_out if isinstance(quote, PathQuote) else 0
    return out, pools


def real_outs(legs: Sequence[tuple[Way, int]]) -> list[int]:
    """What legs bring one after the other by the pools' own integers, never above their offers."""
    moved: dict[Address, Pool] = {}
    outs = []
    for way, raw in legs:
        offered = bought(way.edge, raw)
        assert offered is not None
        out, moved = settled(moved, sampled(way, raw)[0])
        outs.append(min(offered, out))
    return outs
