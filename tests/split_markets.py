"""Seeded random pools between five tokens with one swap over them, and exact arithmetic to judge it.

What pools pay is computed here with sixty digits from prices and ranges, not with the curves that
the solver uses, so that a mistake in those cannot prove itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from itertools import pairwise, permutations, product
from math import isqrt

from amm_pools import FEE_AND_SPACING, v2_pool, v3_pool

from agent.core.amm.path import Hop, Pool
from agent.core.amm.split import stretches, swaps
from agent.core.amm.tick_price import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Key, V4Pool
from agent.core.money import Address
from agent.planning.split import GasCost
from agent.venues._paths import RATE_UNIT, TICK_GAS, V2_HOP_GAS, V3_HOP_GAS, V4_HOP_GAS

TOKENS = [Address(f"0x{number:040x}") for number in (11, 12, 13, 14, 15)]
SELL, BUY, *HUBS = TOKENS
DIGITS = 60

LAW = """Five tokens: one sold, one bought, three hubs. A base unit of each is worth 10^U(-3, 3) of the first one's.
Each of the ten pairs has each of five pools (v3 of 0.01, 0.05, 0.3 and 1 %, v2) with probability 0.55; fewer than
eight pools, or none that leads on, are drawn again. A pool's depth (for v3: of a position over all prices) is worth 10^U(19, 24.5),
its price is off by up to 0.7 of its fee. V3 liquidity is spread over one of three sets of three to seven
positions, all of them ending somewhere. The amount is worth 10^U(17, 22.5), a hop's gas 10^U(-8, -3.5) of it."""

_SHAPES = (  # of positions: lower and upper end in tick spacings, percent of the depth
    (
        (-2, 2, 20),
        (-6, 6, 20),
        (-20, 20, 25),
        (-100, 100, 20),
        (-600, 600, 15),
        (3, 40, 15),
        (-40, -3, 10),
    ),
    ((-6, 6, 40), (-40, 40, 35), (-300, 300, 25)),
    ((-1, 1, 10), (-10, 10, 50), (-1000, 1000, 40)),
)


@dataclass(frozen=True, slots=True)
class Market:
    """Pools by tokens in their order, base units to sell, and what RATE_UNIT of gas costs."""

    pools: dict[tuple[Address, Address], list[Pool]]
    amount: int
    gas_rate: int

    @property
    def count(self) -> int:
        return sum(map(len, self.pools.values()))


def market(seed: int) -> Market:
    """One draw from LAW."""
    rng = random.Random(seed)
    while True:
        worth = [1.0, *(10 ** rng.uniform(-3, 3) for _ in TOKENS[1:])]
        pools = _pools(rng, worth)
        amount = 10 ** rng.uniform(17, 22.5)
        hop_cost = amount * 10 ** rng.uniform(-8, -3.5) / worth[1]
        found = Market(pools, int(amount), int(hop_cost * RATE_UNIT / V3_HOP_GAS))
        if found.count >= 8 and next(paths(found), None):
            return found


def with_v4(drawn: Market, seed: int) -> Market:
    """The same market, each v3 pool with probability 0.4 one of V4."""
    rng = random.Random(seed)

    def changed(pool: Pool) -> Pool:
        if not isinstance(pool, V3Pool) or rng.random() > 0.4:
            return pool
        key = V4Key(
            currency0=pool.token0,
            currency1=pool.token1,
            fee=pool.fee,
            tick_spacing=pool.tick_map.spacing,
        )
        return V4Pool(key=key, curve=pool)

    pools = {ends: [changed(pool) for pool in some] for ends, some in drawn.pools.items()}
    return replace(drawn, pools=pools)


def _pools(rng: random.Random, worth: Sequence[float]) -> dict[tuple[Address, Address], list[Pool]]:
    found: dict[tuple[Address, Address], list[Pool]] = {}
    number = 100
    for (one, worth_one), (other, worth_other) in product(
        zip(TOKENS, worth, strict=True), repeat=2
    ):
        for fee, spacing in (*FEE_AND_SPACING, (0, 0)) if one < other else ():
            if rng.random() < 0.45:
                continue
            number += 1
            depth = 10 ** rng.uniform(19, 24.5)
            price = worth_one / worth_other * (1 + rng.uniform(-0.7, 0.7) * (fee or 3000) / 1e6)
            reserve0 = depth / worth_one
            reserve1 = reserve0 * price
            if fee:
                root = isqrt(int(price * 2**192))
                middle = tick_at_sqrt_ratio(root) // spacing
                liquidity = int((reserve0 * reserve1) ** 0.5)
                positions = [
                    ((middle + low) * spacing, (middle + high) * spacing, liquidity * part // 100)
                    for low, high, part in rng.choice(_SHAPES)
                    if abs(middle + low) * spacing < 800_000 > abs(middle + high) * spacing
                ]
                pool: Pool = v3_pool(positions, fee=fee, spacing=spacing, sqrt_price_x96=root)
            else:
                pool = v2_pool(int(reserve0), int(reserve1))
            pool = replace(pool, address=Address(f"0x{number:040x}"), token0=one, token1=other)
            found.setdefault((one, other), []).append(pool)
    return found


def gas_of(rate: float) -> GasCost:
    unit = rate / RATE_UNIT
    hops = {"v2_hop": V2_HOP_GAS, "v3_hop": V3_HOP_GAS, "v4_hop": V4_HOP_GAS}
    return GasCost(**{kind: gas * unit for kind, gas in hops.items()}, tick=TICK_GAS * unit)


def paths(market: Market) -> Iterator[tuple[Hop, ...]]:
    """Every path of up to three hops."""
    for length in range(3):
        for between in permutations(HUBS, length):
            steps = list(pairwise([SELL, *between, BUY]))
            for pools in product(*(market.pools.get((min(step), max(step)), ()) for step in steps)):
                yield tuple(
                    Hop(pool=pool, token_in=one, token_out=other)
                    for pool, (one, other) in zip(pools, steps, strict=True)
                )


def exact_bound(
    hops: Iterable[Hop], prices: Mapping[tuple[Address, bool], float], amount: int
) -> Decimal:
    """What no amounts along *hops* bring, proven by any *prices*, those of the bought token 1.

    A token that came over a hub may have a price of its own, which is not above the other.
    """
    with localcontext() as context:
        context.prec = DIGITS
        known = {token: Decimal(price) for (token, late), price in prices.items() if not late}
        late = known | {token: Decimal(price) for (token, late), price in prices.items() if late}
        known = late | known
        assert all(late[token] <= known[token] for token in known)
        assert known[BUY] == 1
        total = amount * known[SELL]
        for hop in {(hop.pool.address, hop.token_in): hop for hop in hops}.values():
            price_in = late[hop.token_in] if hop.token_out == BUY else known[hop.token_in]
            price_out = known[hop.token_out] if hop.token_in == SELL else late[hop.token_out]
            total += _surplus(hop, price_in, price_out)
        return total


def _surplus(hop: Hop, price_in: Decimal, price_out: Decimal) -> Decimal:
    """The most that is gained by swapping any amount at these prices."""
    pool = _facing(hop)
    if isinstance(pool, V2Pool):
        here, there, kept = _v2(hop)
        best = ((here * there * kept * price_out / price_in).sqrt() - here) / kept
        if best <= 0:
            return Decimal(0)
        return price_out * (there * kept * best / (here + kept * best)) - price_in * best
    gained = Decimal(0)
    kept = 1 - Decimal(pool.fee) / 10**6
    target = (price_in / (price_out * kept)).sqrt()  # one more of what is paid per one put in
    target = target if hop.zero_for_one else 1 / target
    for liquidity, start, end in _ranges(pool, hop.zero_for_one):
        stop = max(end, target) if hop.zero_for_one else min(end, target)
        if (stop >= start) if hop.zero_for_one else (stop <= start):
            break
        amounts = abs(liquidity / stop - liquidity / start), abs(liquidity * (stop - start))
        x, y = amounts if hop.zero_for_one else amounts[::-1]
        gained += price_out * y - price_in * x / kept
    return gained


def real_output(shares: Iterable[tuple[Sequence[Hop], int]]) -> Decimal:
    """What paths would bring in this order if nothing were ever rounded."""
    with localcontext() as context:
        context.prec = DIGITS
        moved: dict[Address, tuple[Decimal, Decimal]] = {}
        come: dict[Address, Decimal] = {}
        parts = list(shares)
        turns = stretches([hops for hops, _ in parts])
        for (_, amount), turn in zip(parts, turns, strict=True):
            x = Decimal(amount)
            for number, stretch in enumerate(turn):
                x += come.pop(stretch[0].token_in) if number else 0
                for hop in stretch:
                    x = _swap(hop, x, moved)
            there = turn[-1][-1].token_out
            come[there] = come.get(there, Decimal(0)) + x
        return sum(come.values(), Decimal(0))


def meets_pairs_again(shares: Iterable[tuple[Sequence[Hop], int]]) -> int:
    """How often paths meet a v2 pair that an earlier one has swapped in."""
    met = swaps([hops for hops, _ in shares])
    pairs = [hop.pool.address for hop in met if isinstance(hop.pool, V2Pool)]
    return len(pairs) - len(set(pairs))


def _swap(hop: Hop, x: Decimal, moved: dict[Address, tuple[Decimal, Decimal]]) -> Decimal:
    """What *x* brings after the amounts in and out that moved pools before."""
    pool = hop.pool
    before_in, before_out = moved.get(pool.address, (Decimal(0), Decimal(0)))
    if isinstance(pool, V2Pool):
        here, there, kept = _v2(hop)
        here, there = here + before_in, there - before_out
        y = there * kept * x / (here + kept * x)
    else:
        y = _v3_out(hop, before_in + x) - before_out
    moved[pool.address] = before_in + x, before_out + y
    return y


def _facing(hop: Hop) -> V2Pool | V3Pool:
    """The pool; one of V4 as that of V3 which it is in this direction."""
    pool = hop.pool
    return pool.facing(zero_for_one=hop.zero_for_one) if isinstance(pool, V4Pool) else pool


def _v3_out(hop: Hop, x: Decimal) -> Decimal:
    pool = _facing(hop)
    assert isinstance(pool, V3Pool)
    left, paid = x * (1 - Decimal(pool.fee) / 10**6), Decimal(0)
    for liquidity, start, end in _ranges(pool, hop.zero_for_one):
        if hop.zero_for_one:
            most = liquidity / end - liquidity / start
            stop = end if left >= most else 1 / (1 / start + left / liquidity)
        else:
            most = liquidity * (end - start)
            stop = end if left >= most else start + left / liquidity
        paid += (
            abs(liquidity * (stop - start))
            if hop.zero_for_one
            else liquidity / start - liquidity / stop
        )
        left -= min(left, most)
        if left == 0:
            return paid
    raise AssertionError("the pool does not take so much")


def _v2(hop: Hop) -> tuple[Decimal, Decimal, Decimal]:
    pool = hop.pool
    assert isinstance(pool, V2Pool)
    here, there = Decimal(pool.reserve0), Decimal(pool.reserve1)
    kept = Decimal(pool.kept_numerator) / pool.kept_denominator
    return (here, there, kept) if hop.zero_for_one else (there, here, kept)


def _ranges(pool: V3Pool, falling: bool) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Liquidity and the roots of the prices between which it is active, on the way of a swap."""
    q96 = Decimal(2**96)
    start, liquidity = Decimal(pool.sqrt_price_x96) / q96, Decimal(pool.liquidity)
    ticks = [pair for pair in pool.tick_map.ticks if (pair[0] <= pool.tick) == falling]
    for tick, net in reversed(ticks) if falling else ticks:
        end = Decimal(sqrt_ratio_at_tick(tick)) / q96
        if liquidity and start != end:
            yield liquidity, start, end
        start = end
        liquidity += -net if falling else net
