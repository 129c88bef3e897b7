"""The best single path from one token to another, net of gas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.core.amm.outcome import OutOfKnownLiquidity
from agent.core.amm.path import MAX_HOPS, Hop, HopQuote, Pool, quote_pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.venues._discovery import Pair, pair

BASE_GAS = 70_000
"""Gas of a swap before its first hop: the transaction, the router, the token transfers."""

V3_HOP_GAS, V2_HOP_GAS, TICK_GAS = 70_000, 60_000, 20_000
"""Gas of a hop and of each initialised tick that it crosses. A V3 swap of one hop takes
118 000 to 134 000, a V2 one 104 000 to 148 000 (SwapRouter02, measured on local chains)."""


@dataclass(frozen=True, slots=True)
class Route:
    """Hops, what comes out of them for the size they were found for, and the gas they take."""

    hops: tuple[Hop, ...]
    amount_out: int
    gas: int


@dataclass(slots=True)
class Search:
    """Finds best paths among pools of one block.

    `unknown` collects pools (address, bitmap word) whose known ticks ran out in the search:
    their answer is missing, not zero.
    """

    pools: Mapping[Pair, Sequence[Pool]]
    hubs: Sequence[Address]
    unknown: dict[Address, int] = field(default_factory=dict)

    def best(self, sell: Address, buy: Address, amount: int, gas_rate: int = 0) -> Route | None:
        """The path that brings most, after *gas_rate* (buy units × 10^18 per gas unit).

        More in is never less out, so the best way to a token in n hops goes through the best
        way to the one before it: no path needs to be tried twice.
        """
        ways: dict[Address, Route] = {sell: Route((), amount, BASE_GAS)}
        winners: list[Route] = []
        for left in range(MAX_HOPS - 1, -1, -1):
            final = self._step(ways, [buy])
            winners += final.values()
            if left:
                between = [hub for hub in self.hubs if hub not in {sell, buy}]
                ways = self._step(ways, between)
        return max(
            winners, key=lambda r: (r.amount_out - r.gas * gas_rate // 10**18, -r.gas), default=None
        )

    def _step(self, ways: Mapping[Address, Route], to: Iterable[Address]) -> dict[Address, Route]:
        found: dict[Address, Route] = {}
        for target in to:
            for token, way in ways.items():
                if token == target or any(hop.token_in == target for hop in way.hops):
                    continue
                for pool in self.pools.get(pair(token, target), ()):
                    route = self._through(way, pool, token, target)
                    if route is not None and route.amount_out > _out(found.get(target)):
                        found[target] = route
        return found

    def _through(self, way: Route, pool: Pool, token: Address, target: Address) -> Route | None:
        hop = Hop(pool=pool, token_in=token, token_out=target)
        quote = quote_pool(pool, way.amount_out, zero_for_one=hop.zero_for_one)
        if isinstance(quote, HopQuote):
            gas = way.gas + _hop_gas(pool, quote.ticks_crossed)
            return Route((*way.hops, hop), quote.amount_out, gas)
        if isinstance(quote, OutOfKnownLiquidity):
            self.unknown[pool.address] = quote.word
        return None


def _out(route: Route | None) -> int:
    return 0 if route is None else route.amount_out


def _hop_gas(pool: Pool, ticks_crossed: int) -> int:
    if isinstance(pool, V3Pool):
        return V3_HOP_GAS + ticks_crossed * TICK_GAS
    return V2_HOP_GAS
