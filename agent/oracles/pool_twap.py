"""Time-weighted average prices of Uniswap v3 pools, as ratios of two assets.

Sources: Uniswap v3-core, UniswapV3Pool.sol and Oracle.sol (`observe`); v3-periphery,
OracleLibrary.sol (mean tick, harmonic mean liquidity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import Final

from agent.core.agree import MISSING
from agent.core.amm.sqrt_price import amount0_down, amount1_down
from agent.core.amm.tick_price import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.price import Ratio, Unpriced
from agent.core.wording import figure, span
from agent.errors import Unavailable
from agent.ports import AdapterIo, Read
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """One chain's factory, the fee tiers (millionths) whose pools may speak, and how deep.

    `min_depth` is whole tokens by asset: so much of it must be needed to move a pool's price by
    one percent. A pair of which neither asset is named there has no voice.
    """

    factory: Address
    fee_tiers: tuple[int, ...]
    min_depth: Mapping[str, Decimal]
    window_seconds: int = WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Options:
    """What is known of each chain's pools."""

    chains: Mapping[ChainId, ChainOptions]


def make(options: Options, io: AdapterIo) -> PoolTwap:
    """An oracle over the pools of *options*; nothing is read yet."""
    return PoolTwap(options, io)


@dataclass(frozen=True, slots=True)
class _Market:
    """Two tokens in the order of pools, by address, with the assets that they are forms of."""

    tokens: tuple[Token, Token]
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

    @property
    def price(self) -> Fraction:
        """Base units of token1 for one base unit of token0, the geometric mean over time.

        1.0001 to the whole part of the tick is the pool's own figure; the rest is a fraction of
        one ten-thousandth, for which the straight line is off by less than 2 in 10⁹.
        """
        floor = self.tick.numerator // self.tick.denominator
        at_floor = Fraction(sqrt_ratio_at_tick(floor) ** 2, 2**192)
        return at_floor * (1 + (self.tick - floor) / 10_000)

    @property
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

    The first finds the pools of all pairs of tokens, the second asks them. Of each pair the
    deepest pool speaks, and only if it is deep enough: a thin pool has no voice.
    """

    name = "pool_twap"

    def __init__(self, options: Options, io: AdapterIo) -> None:
        self._chains = options.chains
        self._nodes = io.nodes

    def opinions(
        self, assets: Mapping[str, Sequence[Token]], now: int
    ) -> tuple[Ratio | Unpriced, ...]:
        """One ratio per pair, and the reasons for each asset without any. Raises nothing."""
        ratios: list[Ratio] = []
        silent: dict[str, list[Unpriced]] = {asset: [] for asset in sorted(assets)}
        for chain, options in sorted(self._chains.items()):
            markets = _markets(chain, assets)
            for market, said in zip(markets, self._read(chain, options, markets, now), strict=True):
                if isinstance(said, Ratio):
                    ratios.append(said)
                else:
                    for asset in market.assets:
                        silent[asset].append(Unpriced(asset, said.code, said.why))
        for ratio in ratios:
            silent.pop(ratio.base, None)
            silent.pop(ratio.quote, None)
        return (
            *ratios,
            *(
                reason
                for asset, reasons in silent.items()
                for reason in reasons or [Unpriced(asset, MISSING, f"no {NAME} knows {asset}")]
            ),
        )

    def _read(
        self, chain: ChainId, options: ChainOptions, markets: Sequence[_Market], now: int
    ) -> tuple[Ratio | Unpriced, ...]:
        """What the pools of one chain say, in the order of *markets*."""
        if not markets:
            return ()
        node = self._nodes[chain]
        find = [
            Read(options.factory, _GET_POOL.encode(*(t.address for t in market.tokens), fee))
            for market in markets
            for fee in options.fee_tiers
        ]
        ask = _OBSERVE.encode([options.window_seconds, 0])
        try:
            places = [_pool(answer) for answer in node.read(find)]
            found = [Read(place, ask) for place in places if place is not None]
            heard = iter(node.read(found) if found else ())
        except Unavailable as fault:
            why = f"{NAME} was not read: {fault.message}"
            return tuple(Unpriced(market.assets[0], fault.code, why) for market in markets)
        said = []
        for index, market in enumerate(markets):
            own = places[index * len(options.fee_tiers) : (index + 1) * len(options.fee_tiers)]
            answers = [next(heard) for place in own if place is not None]
            said.append(_speak(options, market, answers, now))
        return tuple(said)


def _markets(chain: ChainId, assets: Mapping[str, Sequence[Token]]) -> list[_Market]:
    """All pairs of ERC-20s of one chain that are forms of different assets."""
    forms = sorted(
        ((token, asset) for asset, own in assets.items() for token in own if token.chain == chain),
        key=lambda form: form[0].key,
    )
    return [
        _Market((token0, token1), (asset0, asset1))
        for (token0, asset0), (token1, asset1) in combinations(forms, 2)
        if asset0 != asset1 and not (token0.is_native or token1.is_native)
    ]


def _speak(
    options: ChainOptions, market: _Market, answers: Sequence[bytes | None], now: int
) -> Ratio | Unpriced:
    """The ratio of the deepest of a market's pools, or why there is none."""
    window = options.window_seconds
    averages = [average for answer in answers if (average := read_average(answer, window))]
    asset0, asset1 = market.assets
    if not answers:
        return Unpriced(asset0, MISSING, f"there is no {NAME} {market.name}")
    if not averages:
        why = f"{NAME} {market.name} does not remember the last {span(window)}"
        return Unpriced(asset0, MISSING, why)
    deepest = max(averages, key=lambda average: average.liquidity)
    thin = _thin(options, market, deepest)
    if thin:
        return Unpriced(asset0, MISSING, thin)
    token0, token1 = market.tokens
    whole = deepest.price * Fraction(token0.unit, token1.unit)
    value = Decimal(whole.numerator) / Decimal(whole.denominator)
    return Ratio(NAME, asset0, asset1, value, now)


def _thin(options: ChainOptions, market: _Market, average: Average) -> str:
    """Why a pool is too thin to speak; empty when it is not."""
    if not any(asset in options.min_depth for asset in market.assets):
        return f"{NAME} {market.name} has no voice: min_depth names neither asset"
    for asset, token, raw in zip(market.assets, market.tokens, average.depth, strict=True):
        depth, least = Amount(token, raw).whole, options.min_depth.get(asset)
        if least is not None and not depth >= least:
            return (
                f"{NAME} {market.name} is too thin: {figure(depth)} {asset} move it by 1 %, "
                f"{figure(least)} are asked for"
            )
    return ""


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
