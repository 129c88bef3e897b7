"""The built-in router: best single path over on-chain Uniswap pools, priced by our own maths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.amm.split import Share
from agent.core.amm.v3 import V3Pool
from agent.core.fees import ENVELOPE_BYTES
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.core.rounding import mul_div_down
from agent.core.snapshot import Block
from agent.errors import NoRoute
from agent.ports import AdapterIo
from agent.venues._book import Book
from agent.venues._discovery import Factories
from agent.venues._paths import RATE_UNIT, Route, Search
from agent.venues._swap_calls import LAYOUTS, call_bytes, swap_call

LADDER_STEPS = 8
"""Points of an indicative ladder, each twice the one before: fine enough where price impact
is small, and the last one is the size that was asked for."""

APPROVAL_GAS = 50_000
"""Gas of the exact approval that precedes a swap: 46 000 for plain tokens, 55 500 for USDC's proxy
(measured, docs/fees.md)."""

APPROVAL_BYTES = ENVELOPE_BYTES + 68
"""A signed approval: a selector and two words."""

SWAP_SECONDS = 24
"""Two blocks of mainnet: the approval's and the swap's."""

_EXTENSIONS = 4
"""How often a quote may read further into tick maps before it says that there is no route."""

_PROBE_WEI = 10**16
"""Gas coin that is swapped on paper to see what gas is worth: a hundredth of an ether moves no
pool that matters."""


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
        self._books: dict[ChainId, Book] = {}

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
        wanted = [(sell, buy) for sell, buy in pairs if _is_ours(chain, sell, buy)]
        if chain not in self._options.chains or not wanted:
            return ()
        hubs = self._options.chains[chain].hubs
        tokens = {token.address for both in wanted for token in both}
        page = self._book(chain).page({*hubs, *tokens})
        search = Search(page.pools, hubs)
        rates = {buy: self._gas_rate(search, page.block, buy) for _, buy in wanted}
        edges = [self._edge(search, *both, sizes[both[0]], rates[both[1]]) for both in wanted]
        return tuple(edge for edge in edges if edge is not None)

    def _edge(
        self, search: Search, sell: Token, buy: Token, size: int, gas_rate: int
    ) -> Edge | None:
        ladder: list[tuple[int, int]] = []
        routes: list[Route] = []
        for step in range(LADDER_STEPS - 1, -1, -1):
            amount = size >> step
            found = search.best(sell.address, buy.address, amount, gas_rate)
            if found is not None and (not ladder or found.amount_out > ladder[-1][1]):
                ladder.append((amount, found.amount_out))
                routes.append(found)
        if not routes:
            return None
        route = routes[-1]
        return Edge(
            via=self.name,
            sell=sell,
            buy=buy,
            ladder=tuple(ladder),
            gas=route.gas + APPROVAL_GAS,
            seconds=SWAP_SECONDS,
            pools=frozenset(hop.pool.address for each in routes for hop in each.hops),
            detail=describe(route),
            data_bytes=APPROVAL_BYTES + ENVELOPE_BYTES + call_bytes([route.hops]),
        )

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote at the newest block; raises NoRoute.

        When the best path brings less than *min_out* the quote says so in `amount_out`, and
        its minimum stays at *min_out*: refusing it is the guard's business.
        """
        sell, buy = leg.sell.token, leg.buy
        options = self._options.chains.get(sell.chain)
        if options is None or not _is_ours(sell.chain, sell, buy):
            raise _no_route(sell, buy)
        route = self._route(sell, buy, sell_raw)
        slippage = self._options.max_slippage_bps
        minimum = max(min_out, route.amount_out * (10_000 - slippage) // 10_000)
        deadline = now + self._options.deadline_seconds
        share = Share(hops=route.hops, amount_in=sell_raw, amount_out=route.amount_out)
        payload = swap_call([share], min_out=minimum, to=account, deadline=deadline)
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
        """The best path at the newest block; raises NoRoute.

        Only when no pool takes so much within what was read of it, more of them is read: then
        the quote says honestly how bad it is.
        """
        book = self._book(sell.chain)
        hubs = self._options.chains[sell.chain].hubs
        page, extensions = book.page({sell.address, buy.address, *hubs}), 0
        while True:
            search = Search(page.pools, hubs)
            rate = self._gas_rate(search, page.block, buy)
            route = search.best(sell.address, buy.address, sell_raw, rate)
            if route is not None:
                return route
            if not search.unknown or extensions == _EXTENSIONS:
                raise _no_route(sell, buy)
            page, extensions = book.further(page, search.unknown), extensions + 1

    def _gas_rate(self, search: Search, block: Block, buy: Token) -> int:
        """What RATE_UNIT of gas is worth in *buy*, by the pools themselves; 0 if unknown."""
        wrapped = self._options.chains[buy.chain].wrapped
        if buy.address == wrapped:
            return block.base_fee_per_gas * RATE_UNIT
        probe = search.best(wrapped, buy.address, _PROBE_WEI)
        if probe is None:
            return 0
        return mul_div_down(probe.amount_out * RATE_UNIT, block.base_fee_per_gas, _PROBE_WEI)

    def _book(self, chain: ChainId) -> Book:
        if chain not in self._books:
            options = self._options.chains[chain]
            factories = Factories(options.v2_factory, options.v3_factory, options.fee_tiers)
            self._books[chain] = Book(self._io.nodes[chain], factories)
        return self._books[chain]


def describe(route: Route) -> str:
    """The hops for people: the kind and fee of each pool.

    A fee of 3000 is 0.3 %.
    """
    return " > ".join(
        f"V3 {hop.pool.fee / 10_000:g} %" if isinstance(hop.pool, V3Pool) else "V2"
        for hop in route.hops
    )


def _is_ours(chain: ChainId, sell: Token, buy: Token) -> bool:
    here = sell.chain == buy.chain == chain
    return here and not (sell.is_native or buy.is_native)


def _no_route(sell: Token, buy: Token) -> NoRoute:
    return NoRoute(
        f"no Uniswap pools take this much {sell.symbol} for {buy.symbol} on chain {sell.chain}",
        fix="sell less at once, or leave this asset as it is",
    )


def make(options: Options, io: AdapterIo) -> Router:
    """The router as a venue."""
    return Router(options, io)
