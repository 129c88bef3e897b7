"""The built-in router: the best paths over on-chain Uniswap pools, priced by our own maths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.core.amm.path import Pool
from agent.core.amm.v4 import V4Pool
from agent.core.fees import FeeQuote
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Permit, Quote
from agent.errors import NoRoute
from agent.ports import AdapterIo
from agent.venues._book import Book
from agent.venues._discovery import Factories, Pair, V4View
from agent.venues._ladder import (
    LADDER_STEPS,
    Ladder,
    Rates,
    amounts_up_to,
    describe,
    is_on,
    rates_in,
)
from agent.venues._paths import Search
from agent.venues._split import Filler, Filling
from agent.venues._swap_calls import LAYOUTS, swap_call
from agent.venues._universal_calls import universal_call, universal_layouts

SPLIT_STEPS = 3
"""Points of a ladder, the last ones, that are filled by several paths where that brings more: a
split costs milliseconds, and below a quarter of the size it seldom pays for its gas."""

_EXTENSIONS = 4
"""How often a quote may read further into tick maps before it says that there is no route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class V4Options:
    """V4 on one chain: who tells of its pools, which router swaps there, who lends it the money.

    `fee_tiers` are what pools are looked for by; `code_hashes` what the code of the two others must
    hash to, by address, where it is pinned.
    """

    state_view: Address
    universal_router: Address
    permit2: Address
    fee_tiers: tuple[tuple[int, int], ...]
    code_hashes: Mapping[Address, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """Uniswap's contracts on one chain; `hubs` are tokens that paths may lead through.

    `fee_tiers` are (fee in hundredths of a bip, tick spacing); `code_hash` is what the
    router's code must hash to, '' where it is not pinned. Without `v4` no pools of V4 are used.
    """

    v2_factory: Address
    v3_factory: Address
    swap_router: Address
    wrapped: Address
    hubs: tuple[Address, ...]
    fee_tiers: tuple[tuple[int, int], ...]
    code_hash: str = ""
    v4: V4Options | None = None


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
        """The functions of SwapRouter02 and of the UniversalRouter that it uses."""
        wrapped = {
            (chain, options.v4.universal_router): options.wrapped
            for chain, options in self._options.chains.items()
            if options.v4 is not None
        }
        return {**LAYOUTS, **universal_layouts(wrapped)} if wrapped else LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """SwapRouter02, both called and spending; for V4 the UniversalRouter, and Permit2."""
        options = self._options.chains.get(chain)
        if options is None:
            return {}
        found = {options.swap_router: options.code_hash}
        if options.v4 is not None:
            for each in (options.v4.universal_router, options.v4.permit2):
                found[each] = options.v4.code_hashes.get(each, "")
        return found

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of all *pairs* up to their *sizes*, from one reading of all pools."""
        wanted = [(sell, buy) for sell, buy in pairs if is_on(chain, sell, buy)]
        if chain not in self._options.chains or not wanted:
            return ()
        hubs = self._options.chains[chain].hubs
        tokens = {token.address for both in wanted for token in both}
        page = self._book(chain).page({*hubs, *tokens})
        desk = Desk(page.pools, hubs)
        rates = {buy: self._rates(desk.search, page.fees, buy) for _, buy in wanted}
        return tuple(
            edge
            for sell, buy in wanted
            for edge in _edges(desk, sell, buy, sizes[sell], rates[buy])
        )

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote at the newest block; raises NoRoute.

        When all paths together bring less than *min_out* the quote says so in `amount_out`, and
        its minimum stays at *min_out*: refusing it is the guard's business.
        """
        sell, buy = leg.sell.token, leg.buy
        options = self._options.chains.get(sell.chain)
        if options is None or not is_on(sell.chain, sell, buy):
            raise _no_route(sell, buy)
        filling = self._filling(sell, buy, sell_raw)
        split = filling.split
        slippage = self._options.max_slippage_bps
        minimum = max(min_out, split.amount_out * (10_000 - slippage) // 10_000)
        deadline = now + self._options.deadline_seconds
        sold = Amount(sell, sell_raw)
        target = spender = options.swap_router
        permit: Permit | None = None
        encode = swap_call
        if filling.is_universal and options.v4 is not None:
            target, spender, encode = (
                options.v4.universal_router,
                options.v4.permit2,
                universal_call,
            )
            permit = Permit(spender, target, sold, deadline)
        payload = encode(split.shares, min_out=minimum, to=account, deadline=deadline)
        return Quote(
            via=self.name,
            sell=sold,
            buy=buy,
            amount_out=split.amount_out,
            min_amount_out=minimum,
            allowances=(Allowance(spender, sold),),
            payload=Call(sell.chain, target, 0, payload),
            expires=deadline,
            gas=filling.gas,
            route=describe(split),
            permit=permit,
        )

    def _filling(self, sell: Token, buy: Token, sell_raw: int) -> Filling:
        """The best paths at the newest block; raises NoRoute.

        Only when no pools take so much within what was read of them, more of them is read: then
        the quote says honestly how bad it is.
        """
        book = self._book(sell.chain)
        hubs = self._options.chains[sell.chain].hubs
        page, extensions = book.page({sell.address, buy.address, *hubs}), 0
        while True:
            desk = Desk(page.pools, hubs)
            rates = self._rates(desk.search, page.fees, buy)
            filling = desk.best(sell, buy, sell_raw, rates)
            if filling is not None:
                return filling
            if not desk.search.unknown or extensions == _EXTENSIONS:
                raise _no_route(sell, buy)
            page, extensions = book.further(page, desk.search.unknown), extensions + 1

    def _rates(self, search: Search, fees: FeeQuote, buy: Token) -> Rates | None:
        return rates_in(buy.address, self._options.chains[buy.chain].wrapped, search, fees)

    def _book(self, chain: ChainId) -> Book:
        if chain not in self._books:
            options = self._options.chains[chain]
            v4 = options.v4
            view = None if v4 is None else V4View(v4.state_view, v4.fee_tiers, options.wrapped)
            tiers = options.fee_tiers
            factories = Factories(options.v2_factory, options.v3_factory, tiers, view)
            self._books[chain] = Book(self._io.nodes[chain], factories)
        return self._books[chain]


def _edges(desk: Desk, sell: Token, buy: Token, size: int, rates: Rates | None) -> Iterator[Edge]:
    """The best single paths, and beside them the best of all where several paths bring more.

    Those cost more gas, which an edge has once for all of its sizes; so do pools of V4.
    """
    filler, amounts = desk.plain, amounts_up_to(size)
    ladder = Ladder(Router.name, sell, buy, amounts)
    ways = sell.address, buy.address
    alone = [filler.alone(*ways, amount, *(rates or ())[:1]) for amount in amounts]
    yield from ladder.edge(alone)
    best = list(alone)
    for place in range(LADDER_STEPS - 1, LADDER_STEPS - 1 - SPLIT_STEPS, -1):
        if rates is None and alone[place] is not None:
            break
        found = filler.best(*ways, amounts[place], *(rates or ()))
        if found is None or len(found.split.shares) == 1:
            break
        best[place] = found
    if best != alone:
        yield from ladder.edge(best)
    universal = list(best)
    for place in range(LADDER_STEPS - 1, -1, -1):
        found = desk.best(sell, buy, amounts[place], rates) if desk.has_v4 else None
        if found is None or not found.is_universal:
            break
        universal[place] = found
    if universal != best:
        yield from ladder.edge(universal)


class Desk:
    """Finds the best filling over the pools of one page: with those of V4, or `plain`, without any.

    One pool of V4 makes the whole swap another router's, which costs a permit more.
    """

    def __init__(self, pools: Mapping[Pair, tuple[Pool, ...]], hubs: Sequence[Address]) -> None:
        self.search = Search(pools, hubs)
        others = {
            pair: tuple(pool for pool in found if not isinstance(pool, V4Pool))
            for pair, found in pools.items()
        }
        self.plain = Filler(self.search if others == pools else Search(others, hubs))
        self._all = self.plain if others == pools else Filler(self.search)

    @property
    def has_v4(self) -> bool:
        """Whether there are pools of V4 at all."""
        return self._all is not self.plain

    def best(self, sell: Token, buy: Token, amount: int, rates: Rates | None) -> Filling | None:
        """The best filling after gas; a single path where nobody knows what gas is worth."""
        found = _best(self._all, sell, buy, amount, rates)
        if not self.has_v4:
            return found
        # Also where no pool of V4 is used: that there could be one leaves less room for the rest.
        other = _best(self.plain, sell, buy, amount, rates)
        if found is None or other is None:
            return found or other
        if found.net(*(rates or (0, 0))) > other.net(*(rates or (0, 0))):
            return found
        return replace(other, net_bound=found.net_bound)


def _best(
    filler: Filler, sell: Token, buy: Token, amount: int, rates: Rates | None
) -> Filling | None:
    if rates is None:
        found = filler.alone(sell.address, buy.address, amount)
        return found or filler.best(sell.address, buy.address, amount)
    return filler.best(sell.address, buy.address, amount, *rates)


def _no_route(sell: Token, buy: Token) -> NoRoute:
    return NoRoute(
        f"no Uniswap pools take this much {sell.symbol} for {buy.symbol} on chain {sell.chain}",
        fix="sell less at once, or leave this asset as it is",
    )


def make(options: Options, io: AdapterIo) -> Router:
    """The router as a venue."""
    return Router(options, io)
