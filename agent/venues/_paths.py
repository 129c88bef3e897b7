"""The best single path from one token to another, net of gas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import count, islice

from agent.core.amm import v2, v3, v4
from agent.core.amm.outcome import OutOfKnownLiquidity, Swapped
from agent.core.amm.path import MAX_HOPS, Hop, Pool
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v4 import V4Pool
from agent.core.fees import ENVELOPE_BYTES
from agent.core.money import Address
from agent.core.rounding import mul_div_down
from agent.venues._discovery import Pair, pair

BASE_GAS = 50_000
"""Gas of a swap before its first hop: the transaction, the router, the token transfers; a token
that the wallet does not hold yet costs 17 100 more, one that it sells to the last unit less."""

V3_HOP_GAS, V2_HOP_GAS, V4_HOP_GAS, TICK_GAS = 72_000, 72_000, 80_000, 30_000
"""Gas of a hop and of each initialised tick that it crosses. Measured with SwapRouter02 on the
three local chains (docs/fees.md): V3 110 000 to 139 000 for one hop, 185 000 to 211 000 for two,
253 000 to 270 000 for three; V2 98 000 to 107 000 for one, 150 000 where its counters are zero as
on no real chain; likewise 47 000 to 73 000 for a tick, and 30 000 where it was crossed before."""

SHARING_GAS = 12_000
"""Gas of several paths in one transaction beyond that of their hops: what they bring goes through
the router, which pays it out at the end. Measured likewise: V3 with V3, or with V2, 2 000 to 16 000
more than their hops by the figures above; three of one hop 5 000 to 14 000."""

UNIVERSAL_GAS, TAKING_GAS = 37_000, 30_000
"""Gas of a swap through the UniversalRouter beyond that of its hops, and of fetching each share's
money. Measured on the local chain with pools of V4: 210 000 to 216 000 for one hop, 391 000 for
three, 606 000 for four shares, 1.6 million for eight; where many hops are V4's, up to a quarter
less than this says."""

PERMIT_GAS, PERMIT_BYTES = 50_000, ENVELOPE_BYTES + 132
"""What a permit costs that the UniversalRouter needs beside the allowance: a transaction that
writes one slot of Permit2 (47 602 measured); a selector and four words."""

RATE_UNIT = 10**18
"""Gas is worth little: rates are base units for so many units of gas."""


def hop_gas(pool: Pool) -> int:
    """Gas of a hop through a pool of this kind before it crosses ticks."""
    if isinstance(pool, V2Pool):
        return V2_HOP_GAS
    return V4_HOP_GAS if isinstance(pool, V4Pool) else V3_HOP_GAS


@dataclass(frozen=True, slots=True)
class Route:
    """Hops, what comes out of them for the size they were found for, and the gas they take."""

    hops: tuple[Hop, ...]
    amount_out: int
    gas: int

    def net(self, gas_rate: int) -> tuple[int, int]:
        """What is left after gas at *gas_rate*, and then the less gas the better."""
        return self.amount_out - mul_div_down(self.gas, gas_rate, RATE_UNIT), -self.gas


class _Ways:
    """Ways to one token, from the most to the least: found when they are asked for, and kept."""

    def __init__(self, found: Iterator[Route]) -> None:
        self._found = found
        self._kept: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        for place in count():
            if place == len(self._kept):
                self._kept += islice(self._found, 1)
            if place == len(self._kept):
                return
            yield self._kept[place]


def _merged(ways: Iterable[Iterator[Route]]) -> Iterator[Route]:
    return merge(*ways, key=lambda route: route.net(0), reverse=True)


@dataclass(slots=True)
class Search:
    """Finds best paths among pools of one block; `pools` is keyed by tokens in their order.

    `unknown` collects pools (address, bitmap word) whose known ticks ran out in the search:
    their answer is missing, not zero.
    """

    pools: Mapping[Pair, Sequence[Pool]]
    hubs: Sequence[Address]
    unknown: dict[Address, int] = field(default_factory=dict)
    _paid: dict[tuple[Address, Address, int], tuple[int, int] | None] = field(default_factory=dict)

    def best(self, sell: Address, buy: Address, amount: int, gas_rate: int = 0) -> Route | None:
        """The path that brings most after gas, which costs *gas_rate* of *buy* per RATE_UNIT.

        More in is never less out, so each pool is met by that way to it which brings most of what
        the pool still takes: every other would bring less of everything after it. No token comes
        twice, so no pool is met as an earlier hop left it.
        """
        ways = {sell: _Ways(iter((Route((), amount, BASE_GAS),)))}
        winners: list[Route] = []
        between = [hub for hub in self.hubs if hub not in {sell, buy}]
        for left in range(MAX_HOPS - 1, -1, -1):
            winners += [route for taken in self._step(ways, buy) for route in islice(taken, 1)]
            ways = {hub: _Ways(_merged(self._step(ways, hub))) for hub in between if left}
        return max(winners, key=lambda route: route.net(gas_rate), default=None)

    def _step(self, ways: Mapping[Address, _Ways], target: Address) -> list[Iterator[Route]]:
        """By pool that leads to *target*: the ways through it, which bring less and less."""
        return [
            self._taken(way, pool, token, target)
            for token, way in ways.items()
            if token != target
            for pool in self.pools.get(pair(token, target), ())
        ]

    def _taken(
        self, ways: Iterable[Route], pool: Pool, token: Address, target: Address
    ) -> Iterator[Route]:
        for way in ways:
            if any(hop.token_in == target for hop in way.hops):
                continue
            route = self._through(way, pool, token, target)
            if route is not None:
                yield route

    def _through(self, way: Route, pool: Pool, token: Address, target: Address) -> Route | None:
        key = (pool.address, token, way.amount_out)
        if key not in self._paid:
            self._paid[key] = self._pays(pool, way.amount_out, zero_for_one=token == pool.token0)
        paid = self._paid[key]
        if paid is None:
            return None
        hop = Hop(pool=pool, token_in=token, token_out=target)
        return Route((*way.hops, hop), paid[0], way.gas + paid[1])

    def _pays(self, pool: Pool, amount: int, *, zero_for_one: bool) -> tuple[int, int] | None:
        """What a pool pays for *amount*, and its gas; None for nothing, or a part of the swap."""
        if isinstance(pool, V2Pool):
            paid = v2.amount_out(pool, amount, zero_for_one=zero_for_one)
            return (paid, hop_gas(pool)) if isinstance(paid, int) else None
        if isinstance(pool, V4Pool):
            swapped = v4.quote_exact_in(pool, amount, zero_for_one=zero_for_one)
        else:
            swapped = v3.quote_exact_in(pool, amount, zero_for_one=zero_for_one)
        if isinstance(swapped, Swapped) and swapped.amount_out > 0:
            return swapped.amount_out, hop_gas(pool) + swapped.ticks_crossed * TICK_GAS
        if isinstance(swapped, OutOfKnownLiquidity):
            self.unknown[pool.address] = swapped.word
        return None
