"""Routes through the local Uniswap v3 pools, priced by the chain's own quoter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agent.lab.abi import answer, call_bytes
from agent.lab.branch import Branch
from agent.lab.places import LabToken, Place
from agent.lab.pools import SEEDS
from agent.wire.abi import encode

SHARES: Final = 10_000
"""Of an amount that is split between two paths; the executor's unit."""

MILLION: Final = 1_000_000

SPLITS: Final = (9_000, 7_500, 5_000)
"""Shares of the better path that are tried where an amount is split."""

EMPTIED: Final = frozenset({4295128740, 1461446703485210103287273052203988822378723970341})
"""Roots of a pool's price behind its last liquidity: TickMath's bounds, less one step."""

BASE_GAS: Final = 110_000
"""What a swap takes beside its pools: the aggregator's contract, its executor, the tokens."""

_ROUTE: Final = "(address,address,address,bool,uint256,(uint256,bytes)[])"
_NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What an aggregator knows: the fees of pools, the symbols between two pools, and its art.

    ``natives`` are its pseudo addresses of the gas coin; ``fee`` is what it keeps of what is
    bought, in millionths.
    """

    tiers: frozenset[int]
    hops: tuple[str, ...]
    splits: bool
    natives: frozenset[str]
    fee: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """A token as an aggregator is asked for it: ``address`` is its pseudo one for the gas coin."""

    symbol: str
    address: str
    token: LabToken
    native: bool

    @property
    def name(self) -> str:
        """The symbol that people know."""
        return "ETH" if self.native else self.symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Pools in a row: symbols of the tokens, and between each two the pool's fee in millionths."""

    symbols: tuple[str, ...]
    fees: tuple[int, ...]

    @property
    def pools(self) -> frozenset[tuple[frozenset[str], int]]:
        """Which pools it goes through, whatever the direction."""
        pairs = zip(self.symbols, self.symbols[1:], self.fees, strict=False)
        return frozenset((frozenset({one, other}), fee) for one, other, fee in pairs)

    def packed(self, place: Place) -> bytes:
        """The form that routers and quoters of Uniswap v3 take."""
        addresses = [bytes.fromhex(place.tokens[each].address[2:]) for each in self.symbols]
        tail = zip(self.fees, addresses[1:], strict=True)
        return addresses[0] + b"".join(fee.to_bytes(3, "big") + token for fee, token in tail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One path of a route, its share of what is sold, and what it gives."""

    share: int
    path: Path
    amount: int
    out: int
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How an amount is sold, in base units; ``parts`` is empty where the gas coin is wrapped."""

    place: Place
    sell: Coin
    buy: Coin
    amount: int
    parts: tuple[Part, ...]
    fee: int

    @property
    def before_fee(self) -> int:
        """What the pools give."""
        return sum(part.out for part in self.parts) if self.parts else self.amount

    @property
    def fee_amount(self) -> int:
        """What the aggregator keeps of it."""
        return self.before_fee * self.fee // MILLION

    @property
    def out(self) -> int:
        """What whoever sells gets."""
        return self.before_fee - self.fee_amount

    @property
    def gas(self) -> int:
        """Gas that the swap takes, about."""
        return BASE_GAS + sum(part.gas for part in self.parts)

    def packed(self, receiver: str = _NOBODY) -> bytes:
        """The executor's bytes; without a *receiver* it pays who calls it."""
        parts = [(part.share, part.path.packed(self.place)) for part in self.parts]
        told = (self.sell.token.address, self.buy.token.address, receiver, self.buy.native)
        return encode([_ROUTE], [(*told, self.fee, parts)])


def find_coin(place: Place, market: Market, address: str) -> Coin | None:
    """The token at an address in lower case, if it has pools here."""
    if address in market.natives:
        return Coin(symbol="WETH", address=address, token=place.tokens["WETH"], native=True)
    for symbol, token in place.tokens.items():
        if token.address == address:
            return Coin(symbol=symbol, address=address, token=token, native=False)
    return None


def find_route(branch: Branch, market: Market, sell: Coin, buy: Coin, amount: int) -> Route | None:
    """The best route of a market as of now, None if there is none; raises SetupFailed."""
    parts: tuple[Part, ...] = ()
    if sell.symbol != buy.symbol:
        single = _priced(branch, _paths(branch.place, market, sell.symbol, buy.symbol), amount)
        if not single:
            return None
        parts = _best_split(branch, single, amount) if market.splits else (single[0],)
    elif sell.native == buy.native:
        return None
    return Route(place=branch.place, sell=sell, buy=buy, amount=amount, parts=parts, fee=market.fee)


def usd(branch: Branch, coin: Coin, raw: int) -> Decimal:
    """What an amount is worth by the feeds, to the cent's hundredth."""
    value = branch.price(coin.token.asset) * Decimal(raw).scaleb(-coin.token.decimals)
    return value.quantize(Decimal("0.0001"))


def _paths(place: Place, market: Market, sell: str, buy: str) -> Iterator[Path]:
    for fee in _tiers(place, market, sell, buy):
        yield Path(symbols=(sell, buy), fees=(fee,))
    for hop in market.hops:
        for first in _tiers(place, market, sell, hop):
            for second in _tiers(place, market, hop, buy):
                yield Path(symbols=(sell, hop, buy), fees=(first, second))


def _tiers(place: Place, market: Market, one: str, other: str) -> list[int]:
    return [
        seed.fee
        for seed in SEEDS[place.chain_id]
        if seed.fee in market.tiers and set(seed.pair) == {one, other}
    ]


def _priced(branch: Branch, paths: Iterator[Path], amount: int) -> list[Part]:
    """Whole amounts by path, the best first."""
    asked = [(path, SHARES, amount) for path in paths]
    found = [part for part in _quote(branch, asked) if part.out]
    return sorted(found, key=lambda part: part.out, reverse=True)


def _best_split(branch: Branch, single: Sequence[Part], amount: int) -> tuple[Part, ...]:
    """The best path alone, or with the next one that shares no pool with it."""
    best = single[0]
    for other in single[1:]:
        if not best.path.pools & other.path.pools:
            break
    else:
        return (best,)
    asked = []
    for share in SPLITS:
        first = amount * share // SHARES
        asked += [(best.path, share, first), (other.path, SHARES, amount - first)]
    quoted = _quote(branch, [each for each in asked if each[2]])
    if len(quoted) < len(asked):
        return (best,)
    pairs = list(zip(quoted[::2], quoted[1::2], strict=True))
    return max([(best,), *pairs], key=lambda parts: sum(part.out for part in parts))


def _quote(branch: Branch, asked: Sequence[tuple[Path, int, int]]) -> list[Part]:
    quoter = branch.place.exchanges.quoter_v2
    calls = [
        (quoter, call_bytes("quoteExactInput(bytes,uint256)", path.packed(branch.place), amount))
        for path, _, amount in asked
    ]
    parts = []
    for (path, share, amount), raw in zip(asked, branch.told(calls), strict=True):
        out, roots, _, gas = answer("(uint256,uint160[],uint32[],uint256)", raw)
        # A pool that was emptied did not take all of the amount.
        bought = 0 if EMPTIED.intersection(roots) else int(out)
        parts.append(Part(share=share, path=path, amount=amount, out=bought, gas=int(gas)))
    return parts
