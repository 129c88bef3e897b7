"""Forks of Uniswap V2, each a venue of its own name: the best path over its pairs, by its router.

SwapRouter02 derives Uniswap's pairs only, so that a fork's are swapped in through the fork's own
UniswapV2Router02, whose functions are those of @uniswap/v2-periphery 1.1.0-beta.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agent.core.amm.path import Hop
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import NoRoute
from agent.ports import AdapterIo
from agent.venues._book import Fees, pairs_among
from agent.venues._discovery import Pair, V2Factory, v2_place
from agent.venues._ladder import Ladder, amounts_up_to, describe, is_on, rates_in
from agent.venues._paths import Search
from agent.venues._pools import V2Place, read_pools
from agent.venues._split import Filler, Filling
from agent.wire.abi import encode
from agent.wire.calldata import by_selector
from agent.wire.keccak import selector

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "pancakeswap_v2": "PancakeSwap V2 pools, by our own maths",
        "quickswap_v2": "QuickSwap V2 pools, by our own maths",
        "sushiswap_v2": "SushiSwap V2 pools, by our own maths",
        "traderjoe_v1": "Trader Joe V1 pools, by our own maths",
    }
)
"""Forks by the names that venues and their tables in chains.toml have."""

SWAP = Layout(
    signature="swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
    amount_in=(0,),
    min_out=(1,),
    hops=(2,),
    recipient=(3,),
    deadline=(4,),
)

LAYOUTS = by_selector(SWAP)

FIRST_GAS, HOP_GAS = 52_000, 48_000
"""Gas of a swap before its first pair, and of each pair. Measured with SushiSwap's router on the
local chain: 93 000 to 101 000 for one pair, 138 000 to 146 000 for two, 189 000 to 195 000 for
three; 56 000 more where a pair's counters are zero, as on no real chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """A fork's contracts on one chain; `hubs` are tokens that paths may lead through.

    `init_code_hash` is what the creation code of its pairs hashes to (hex with prefix), `kept` the
    share of the input that counts, as a fraction. `code_hash` is what the router's code must hash
    to, '' where it is not pinned.
    """

    factory: Address
    init_code_hash: str
    kept: tuple[int, int]
    router: Address
    wrapped: Address
    hubs: tuple[Address, ...]
    code_hash: str = ""

    def places(self, tokens: Iterable[Address]) -> dict[Pair, V2Place]:
        """Where the pairs among *tokens* are, if they are there, by their tokens in order."""
        factory = V2Factory(
            address=self.factory,
            init_code_hash=bytes.fromhex(self.init_code_hash.removeprefix("0x")),
            kept_numerator=self.kept[0],
            kept_denominator=self.kept[1],
        )
        return {key: v2_place(factory, key) for key in pairs_among(tokens)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One fork's contracts by chain, and how firm its quotes are: as `router.Options`."""

    name: str
    chains: Mapping[ChainId, ChainOptions]
    max_slippage_bps: Bps
    deadline_seconds: int = 150


class V2Fork:
    """Implements the Venue port for one fork without any key or server."""

    def __init__(self, options: Options, io: AdapterIo) -> None:
        self.name = options.name
        self._options = options
        self._io = io
        self._fees: dict[ChainId, Fees] = {}

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function of its router that is called."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Its router, which is called and spends."""
        options = self._options.chains.get(chain)
        return {} if options is None else {options.router: options.code_hash}

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of all *pairs* up to their *sizes*: one request, and one a minute for fees."""
        wanted = [(sell, buy) for sell, buy in pairs if is_on(chain, sell, buy)]
        if chain not in self._options.chains or not wanted:
            return ()
        search = self._search(chain, {token.address for both in wanted for token in both})
        filler = Filler(search)
        edges: list[Edge] = []
        for sell, buy in wanted:
            rate = self._gas_rate(search, buy)
            ladder = Ladder(self.name, sell, buy, amounts_up_to(sizes[sell]), _call_bytes)
            edges += ladder.edge([_best(filler, sell, buy, raw, rate) for raw in ladder.amounts])
        return tuple(edges)

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote at the newest block; raises NoRoute. Its minimum is as the router's."""
        sell, buy = leg.sell.token, leg.buy
        options = self._options.chains.get(sell.chain)
        if options is None or not is_on(sell.chain, sell, buy):
            raise self._no_route(sell, buy)
        search = self._search(sell.chain, {sell.address, buy.address})
        rate = self._gas_rate(search, buy)
        filling = _best(Filler(search), sell, buy, sell_raw, rate)
        if filling is None:
            raise self._no_route(sell, buy)
        out = filling.split.amount_out
        minimum = max(min_out, out * (10_000 - self._options.max_slippage_bps) // 10_000)
        deadline = now + self._options.deadline_seconds
        sold = Amount(sell, sell_raw)
        (share,) = filling.split.shares
        payload = swap_call(share.hops, sell_raw, min_out=minimum, to=account, deadline=deadline)
        return Quote(
            via=self.name,
            sell=sold,
            buy=buy,
            amount_out=out,
            min_amount_out=minimum,
            allowances=(Allowance(options.router, sold),),
            payload=Call(sell.chain, options.router, 0, payload),
            expires=deadline,
            gas=filling.gas,
            route=describe(filling.split),
        )

    def _search(self, chain: ChainId, tokens: Iterable[Address]) -> Search:
        """The pairs among *tokens* and hubs at the newest block, by one request.

        They are read anew each time: to ask for the block first would be a request too.
        """
        options = self._options.chains[chain]
        places = options.places({*options.hubs, *tokens})
        found = read_pools(self._io.nodes[chain].read, list(places.values()), "latest").found
        pools = {
            key: (found[place.address],) for key, place in places.items() if place.address in found
        }
        return Search(pools, options.hubs)

    def _gas_rate(self, search: Search, buy: Token) -> int:
        """What RATE_UNIT of gas is worth in *buy*; nothing where the fork's pools cannot tell."""
        wrapped = self._options.chains[buy.chain].wrapped
        if buy.chain not in self._fees:
            self._fees[buy.chain] = Fees(self._io.nodes[buy.chain])
        fees = self._fees[buy.chain].at(self._io.clock.now())
        rates = rates_in(buy.address, wrapped, search, fees)
        return 0 if rates is None else rates[0]

    def _no_route(self, sell: Token, buy: Token) -> NoRoute:
        return NoRoute(
            f"no pools of {self.name} take this much {sell.symbol} for {buy.symbol} "
            f"on chain {sell.chain}",
            fix="sell less at once, or leave this asset as it is",
        )


def swap_call(
    hops: Sequence[Hop], amount_in: int, *, min_out: int, to: Address, deadline: int
) -> str:
    """Calldata that sells *amount_in* along *hops* for at least *min_out*, or reverts."""
    path = (hops[0].token_in, *(hop.token_out for hop in hops))
    values = (amount_in, min_out, path, to, deadline)
    return selector(SWAP.signature) + encode(SWAP.types, values).hex()


def _best(filler: Filler, sell: Token, buy: Token, raw: int, gas_rate: int) -> Filling | None:
    """The path that brings most after gas, with the gas that a fork's router takes for it."""
    found = filler.alone(sell.address, buy.address, raw, gas_rate)
    if found is None:
        return None
    return replace(found, gas=FIRST_GAS + HOP_GAS * len(found.split.swaps))


def _call_bytes(filling: Filling) -> int:
    """A selector, five arguments, and of the path its length and each token."""
    (share,) = filling.split.shares
    return 4 + 32 * (5 + 1 + len(share.hops) + 1)


def make(options: Options, io: AdapterIo) -> V2Fork:
    """A fork as a venue; nothing is asked yet."""
    return V2Fork(options, io)
