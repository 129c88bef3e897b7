"""The built-in router: best single path over on-chain Uniswap pools, priced by our own maths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.core.amm.path import Pool
from agent.core.amm.v3 import V3Pool
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import NoRoute
from agent.ports import AdapterIo, Node
from agent.venues._discovery import Factories, Pair, discover, pair
from agent.venues._paths import Route, Search
from agent.venues._pools import Place, extended, read_pools
from agent.venues._swap_calls import LAYOUTS, swap_call

LADDER_STEPS = 8
"""Points of an indicative ladder, each twice the one before: fine enough where price impact
is small, and the last one is the size that was asked for."""

APPROVAL_GAS = 55_000
"""Gas of the exact approval that precedes a swap (USDC's, the dearest of the usual tokens)."""

SWAP_SECONDS = 24
"""Two blocks of mainnet: the approval's and the swap's."""

_EXTENSIONS = 4
"""How often a quote may read further into tick maps before it says that there is no route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """Uniswap's contracts on one chain; `hubs` are tokens that paths may lead through.

    `fee_tiers` are (fee in hundredths of a bip, tick spacing); `code_hash` is what the
    router's code must hash to, '' where it is not pinned.
    """

    v2_factory: Address
    v3_factory: Address
    swap_router: Address
    wrapped: Address
    hubs: tuple[Address, ...]
    fee_tiers: tuple[tuple[int, int], ...]
    code_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The router's contracts by chain, and how firm its quotes are.

    A quote's minimum is at most `max_slippage_bps` below its output; its transaction reverts
    `deadline_seconds` after the block it was priced at.
    """

    chains: Mapping[ChainId, ChainOptions]
    max_slippage_bps: Bps
    deadline_seconds: int = 150


class Router:
    """Implements the Venue port without any key or server: reads pools, prices them, encodes."""

    name = "router"

    def __init__(self, options: Options, io: AdapterIo) -> None:
        self._options = options
        self._io = io
        self._places: dict[tuple[ChainId, Pair], list[Place]] = {}

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The functions of SwapRouter02 that it uses."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """SwapRouter02, both called and spending."""
        options = self._options.chains.get(chain)
        return {} if options is None else {options.swap_router: options.code_hash}

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of all *pairs* up to their *sizes*, from one reading of all pools."""
        wanted = [(sell, buy) for sell, buy in pairs if not (sell.is_native or buy.is_native)]
        if chain not in self._options.chains or not wanted:
            return ()
        tokens = [token.address for both in wanted for token in both]
        search, _ = self._search(chain, tokens)
        edges = [self._edge(search, sell, buy, sizes[sell]) for sell, buy in wanted]
        return tuple(edge for edge in edges if edge is not None)

    def _edge(self, search: Search, sell: Token, buy: Token, size: int) -> Edge | None:
        ladder: list[tuple[int, int]] = []
        route: Route | None = None
        for step in range(LADDER_STEPS - 1, -1, -1):
            amount = size >> step
            found = search.best(sell.address, buy.address, amount) if amount else None
            if found is not None and (not ladder or found.amount_out > ladder[-1][1]):
                ladder.append((amount, found.amount_out))
                route = found
        if route is None:
            return None
        return Edge(
            via=self.name,
            sell=sell,
            buy=buy,
            ladder=tuple(ladder),
            gas=route.gas + APPROVAL_GAS,
            seconds=SWAP_SECONDS,
            pools=frozenset(hop.pool.address for hop in route.hops),
            detail=describe(route),
        )

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote at the newest block; raises NoRoute.

        When the best path brings less than *min_out* the quote says so in `amount_out`, and
        its minimum stays at *min_out*: refusing it is the guard's business.
        """
        sell, buy = leg.sell.token, leg.buy
        options = self._options.chains.get(sell.chain)
        if options is None or sell.is_native or buy.is_native or buy.chain != sell.chain:
            raise _no_route(sell, buy)
        route = self._route(sell, buy, sell_raw)
        slippage = self._options.max_slippage_bps
        minimum = max(min_out, route.amount_out * (10_000 - slippage) // 10_000)
        deadline = now + self._options.deadline_seconds
        payload = swap_call(
            route.hops, amount_in=sell_raw, min_out=minimum, to=account, deadline=deadline
        )
        sold = Amount(sell, sell_raw)
        return Quote(
            via=self.name,
            sell=sold,
            buy=buy,
            amount_out=route.amount_out,
            min_amount_out=minimum,
            allowances=(Allowance(options.swap_router, sold),),
            payload=Call(sell.chain, options.swap_router, 0, payload),
            expires=deadline,
            gas=route.gas,
            route=describe(route),
        )

    def _route(self, sell: Token, buy: Token, sell_raw: int) -> Route:
        node = self._io.nodes[sell.chain]
        search, block = self._search(sell.chain, [sell.address, buy.address])
        for _ in range(_EXTENSIONS):
            rate = self._gas_rate(search, node, sell.chain, buy)
            route = search.best(sell.address, buy.address, sell_raw, rate)
            if not search.unknown:
                break
            search = self._read_further(search, node, block)
        if route is None:
            raise _no_route(sell, buy)
        return route

    def _gas_rate(self, search: Search, node: Node, chain: ChainId, buy: Token) -> int:
        """What a unit of gas is worth in *buy* × 10^18, by the pools themselves; 0 if unknown."""
        wrapped = self._options.chains[chain].wrapped
        price = node.fees().base_fee_per_gas
        if buy.address == wrapped:
            return price * 10**18
        probe = Search(search.pools, search.hubs).best(wrapped, buy.address, 10**16)
        return 0 if probe is None else probe.amount_out * price * 10**2

    def _search(self, chain: ChainId, tokens: Iterable[Address]) -> tuple[Search, int]:
        options = self._options.chains[chain]
        node = self._io.nodes[chain]
        nodes = sorted({*tokens, *options.hubs})
        pairs = [pair(a, b) for i, a in enumerate(nodes) for b in nodes[i + 1 :]]
        fresh = [item for item in pairs if (chain, item) not in self._places]
        factories = Factories(options.v2_factory, options.v3_factory, options.fee_tiers)
        for item, places in discover(node, factories, fresh).items():
            self._places[chain, item] = places
        block = node.block().number
        places = [place for item in pairs for place in self._places[chain, item]]
        pools = read_pools(node.read, places, block).found
        by_pair: dict[Pair, list[Pool]] = {}
        for pool in pools.values():
            by_pair.setdefault((pool.token0, pool.token1), []).append(pool)
        return Search(by_pair, options.hubs), block

    def _read_further(self, search: Search, node: Node, block: int) -> Search:
        """The same pools with the ticks that the last search ran out of."""
        pools = {
            item: [
                extended(node.read, pool, search.unknown[pool.address], block)
                if isinstance(pool, V3Pool) and pool.address in search.unknown
                else pool
                for pool in found
            ]
            for item, found in search.pools.items()
        }
        return Search(pools, search.hubs)


def describe(route: Route) -> str:
    """The hops for people: the kind and fee of each pool.

    A fee of 3000 is 0.3 %.
    """
    return " > ".join(
        f"V3 {hop.pool.fee / 10_000:g} %" if isinstance(hop.pool, V3Pool) else "V2"
        for hop in route.hops
    )


def _no_route(sell: Token, buy: Token) -> NoRoute:
    return NoRoute(
        f"no Uniswap pools lead from {sell.symbol} to {buy.symbol} on chain {sell.chain}",
        fix="allow another venue, or leave this asset as it is",
    )


def make(options: Options, io: AdapterIo) -> Router:
    """The router as a venue."""
    return Router(options, io)
