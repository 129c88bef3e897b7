"""Time-weighted average prices of Uniswap v3 pools, as ratios of two assets.

Sources: Uniswap v3-core, UniswapV3Pool.sol and Oracle.sol (`observe`); v3-periphery,
OracleLibrary.sol (mean tick, harmonic mean liquidity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, NotRequired, TypedDict

from agent.core.agree import MISSING
from agent.core.amm.sqrt_price import amount0_down, amount1_down
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.price import Ratio, Unpriced
from agent.core.wording import figure, span
from agent.errors import Unavailable
from agent.oracles._io import Io
from agent.ports import Oracle, Read
from agent.wire.abi import AbiError, functions

NAME: Final = "pool"
"""The source that stands in prices: pools of all fee tiers are one class of source."""

WINDOW_SECONDS: Final = 1_800
"""Time over which prices are averaged: moving the average of half an hour by the spread that the
policy allows takes holding a price against all traders for minutes, not for one block."""

DEPTH_TICKS: Final = 100
"""Depth is what moves the price by this much: 100 ticks are 1.005 %."""

_GET_POOL = functions("uniswap_v3_factory")["getPool(address,address,uint24)"]
_OBSERVE = functions("uniswap_v3_pool")["observe(uint32[])"]
_NO_POOL = "0x" + "00" * 20


class PairOptions(TypedDict):
    """Two tokens of one chain, and the fee tiers (millionths) whose pools may speak."""

    chain: int
    tokens: tuple[str, str]
    fees: Sequence[int]


class Options(TypedDict):
    """Pairs, factories by chain id, and the depth that gives a pool a voice.

    `min_depth` is whole tokens by asset (decimal text): so much of it must be needed to move a
    pool's price by one percent. A pair of which neither asset is named there has no voice.
    `window` is seconds.
    """

    pairs: Sequence[PairOptions]
    factories: Mapping[int, str]
    min_depth: Mapping[str, str]
    window: NotRequired[int]


def make(options: Options, io: Io) -> Oracle:
    """An oracle over the pools of *options*; nothing is read yet."""
    pairs = tuple(
        _Pair(ChainId(pair["chain"]), _ordered(*pair["tokens"]), tuple(sorted(pair["fees"])))
        for pair in options["pairs"]
    )
    factories = {ChainId(chain): Address(at) for chain, at in options["factories"].items()}
    depth = {asset: Decimal(text) for asset, text in options["min_depth"].items()}
    return PoolTwap(pairs, factories, depth, options.get("window", WINDOW_SECONDS), io)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Token0 and token1 by address, which is how pools order them."""

    chain: ChainId
    tokens: tuple[Address, Address]
    fees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Market:
    """A pair with the assets that its tokens are forms of."""

    pair: _Pair
    token0: Token
    token1: Token
    assets: tuple[str, str]

    @property
    def name(self) -> str:
        return f"{self.assets[0]}/{self.assets[1]}"


@dataclass(frozen=True, slots=True)
class Average:
    """What a pool was over the window: its mean tick, and the harmonic mean of its liquidity.

    `tick` is exact: cumulative ticks over seconds.
    """

    tick: Fraction
    liquidity: int

    def price(self) -> Fraction:
        """Base units of token1 for one base unit of token0, the geometric mean over time.

        1.0001 to the whole part of the tick is the pool's own figure; the rest is a fraction of
        one ten-thousandth, for which the straight line is off by less than 2 in 10⁹.
        """
        floor = self.tick.numerator // self.tick.denominator
        at_floor = Fraction(sqrt_ratio_at_tick(floor) ** 2, 2**192)
        return at_floor * (1 + (self.tick - floor) / 10_000)

    def depth(self) -> tuple[int, int]:
        """Base units of token0 and of token1 that move the price by `DEPTH_TICKS`, rounded down."""
        floor = self.tick.numerator // self.tick.denominator
        middle = sqrt_ratio_at_tick(floor)
        below = sqrt_ratio_at_tick(max(MIN_TICK, floor - DEPTH_TICKS))
        above = sqrt_ratio_at_tick(min(MAX_TICK, floor + DEPTH_TICKS))
        return (
            amount0_down(below, middle, self.liquidity),
            amount1_down(middle, above, self.liquidity),
        )


class PoolTwap:
    """The port `Oracle` over Uniswap v3 pools, in two requests per chain.

    The first finds the pools, the second asks them. Of each pair the deepest pool speaks, and
    only if it is deep enough: a thin pool has no voice.
    """

    def __init__(
        self,
        pairs: Sequence[_Pair],
        factories: Mapping[ChainId, Address],
        min_depth: Mapping[str, Decimal],
        window_seconds: int,
        io: Io,
    ) -> None:
        self.name = "pool_twap"
        self._pairs = pairs
        self._factories = factories
        self._min_depth = min_depth
        self._window = window_seconds
        self._io = io

    def opinions(
        self, assets: Mapping[str, Sequence[Token]], now: int
    ) -> tuple[Ratio | Unpriced, ...]:
        """One ratio per pair, and per asset without any the reasons. Raises nothing."""
        ratios: list[Ratio] = []
        silent: dict[str, list[Unpriced]] = {asset: [] for asset in assets}
        markets = self._markets(assets)
        for chain in sorted({market.pair.chain for market in markets}):
            here = [market for market in markets if market.pair.chain == chain]
            for market, said in zip(here, self._read(chain, here, now), strict=True):
                if isinstance(said, Ratio):
                    ratios.append(said)
                    continue
                for asset in market.assets:
                    silent[asset].append(Unpriced(asset, said.code, said.why))
        spoken = {asset for ratio in ratios for asset in (ratio.base, ratio.quote)}
        for asset in sorted(set(assets) - spoken):
            if not silent[asset]:
                silent[asset].append(Unpriced(asset, MISSING, f"no {NAME} of {asset} is known"))
        return (*ratios, *(why for asset in sorted(set(assets) - spoken) for why in silent[asset]))

    def _markets(self, assets: Mapping[str, Sequence[Token]]) -> list[_Market]:
        """The pairs whose tokens are forms of two different *assets*."""
        forms = {token.key: (token, asset) for asset, own in assets.items() for token in own}
        markets = []
        for pair in self._pairs:
            ends = [forms.get((pair.chain, address)) for address in pair.tokens]
            if ends[0] is None or ends[1] is None or ends[0][1] == ends[1][1]:
                continue
            (token0, asset0), (token1, asset1) = ends[0], ends[1]
            markets.append(_Market(pair, token0, token1, (asset0, asset1)))
        return markets

    def _read(
        self, chain: ChainId, markets: Sequence[_Market], now: int
    ) -> tuple[Ratio | Unpriced, ...]:
        """What the pools of one chain say, in the order of *markets*."""
        try:
            pools = self._find(chain, markets)
            found = [pool for own in pools for pool in own]
            ask = _OBSERVE.encode([self._window, 0])
            node = self._io.nodes[chain]
            answers = iter(node.read([Read(pool, ask) for pool in found]) if found else ())
        except Unavailable as fault:
            why = f"{NAME} was not read: {fault.message}"
            return tuple(Unpriced(market.assets[0], fault.code, why) for market in markets)
        return tuple(
            self._speak(market, [next(answers) for _ in own], now)
            for market, own in zip(markets, pools, strict=True)
        )

    def _find(self, chain: ChainId, markets: Sequence[_Market]) -> list[list[Address]]:
        """The pools of each market that exist."""
        factory = self._factories[chain]
        calls = [
            Read(factory, _GET_POOL.encode(*market.pair.tokens, fee))
            for market in markets
            for fee in market.pair.fees
        ]
        answers = iter(self._io.nodes[chain].read(calls))
        return [
            [pool for _ in market.pair.fees if (pool := _pool(next(answers)))] for market in markets
        ]

    def _speak(
        self, market: _Market, answers: Sequence[bytes | None], now: int
    ) -> Ratio | Unpriced:
        """The ratio of the deepest of a market's pools, or why there is none."""
        averages = [
            average for answer in answers if (average := read_average(answer, self._window))
        ]
        asset = market.assets[0]
        if not averages:
            why = (
                f"{NAME} {market.name} remembers less than {span(self._window)}"
                if answers
                else f"there is no {NAME} {market.name}"
            )
            return Unpriced(asset, MISSING, why)
        deepest = max(averages, key=lambda average: average.liquidity)
        thin = self._thin(market, deepest)
        if thin:
            return Unpriced(asset, MISSING, thin)
        whole = deepest.price() * Fraction(market.token0.unit, market.token1.unit)
        value = Decimal(whole.numerator) / Decimal(whole.denominator)
        return Ratio(NAME, market.assets[0], market.assets[1], value, now)

    def _thin(self, market: _Market, average: Average) -> str:
        """Why a pool is too thin to speak; empty when it is not."""
        wanted = [asset for asset in market.assets if asset in self._min_depth]
        if not wanted:
            return f"{NAME} {market.name} has no voice: min_depth names neither asset"
        ends = (market.token0, market.token1)
        for asset, token, raw in zip(market.assets, ends, average.depth(), strict=True):
            depth, least = Amount(token, raw).whole, self._min_depth.get(asset)
            if least is not None and not depth >= least:
                return (
                    f"{NAME} {market.name} is too thin: {figure(depth)} {asset} move it by 1 %, "
                    f"{figure(least)} are asked for"
                )
        return ""


def _ordered(one: str, other: str) -> tuple[Address, Address]:
    low, high = sorted((one, other))
    return Address(low), Address(high)


def _pool(answer: bytes | None) -> Address | None:
    if answer is None:
        return None
    try:
        (found,) = _GET_POOL.decode(answer)
    except AbiError:
        return None
    return None if found == _NO_POOL else Address(found)


def read_average(answer: bytes | None, window_seconds: int) -> Average | None:
    """What `observe` says about the last *window_seconds*, None when it does not.

    It reverts when the pool's memory (its observation cardinality) is too short. Cumulative
    figures wrap round at the width of the contract's integers, so that only differences count.
    """
    if answer is None:
        return None
    try:
        ticks, per_liquidity = _OBSERVE.decode(answer)
    except AbiError:
        return None
    if not len(ticks) == len(per_liquidity) == 2:
        return None
    moved = (ticks[1] - ticks[0] + 2**55) % 2**56 - 2**55
    spread = (per_liquidity[1] - per_liquidity[0]) % 2**160
    tick = Fraction(moved, window_seconds)
    if not (spread > 0 and MIN_TICK <= tick < MAX_TICK):
        return None
    return Average(tick, (window_seconds << 128) // spread)
