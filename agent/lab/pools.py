"""The pools of each chain: which, how deep, and how their liquidity is spread."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from types import MappingProxyType
from typing import Final

from agent.lab.places import ARBITRUM, BASE, ETHEREUM, MARKETS, LabToken, Place

# Decimal and not float: the same pools on every machine. 60 digits leave 40 correct ones.
_EXACT: Final = Context(prec=60)

_TICK_BASE: Final = Decimal("1.0001")
"""Price ratio of one tick, Uniswap v3 whitepaper, section 6.1."""

SPACING: Final = {100: 1, 500: 10, 3000: 60, 10_000: 200}
"""Ticks between positions by fee in millionths, UniswapV3Factory.feeAmountTickSpacing."""

_LAYERED: Final = (
    (-2, 2, 20),
    (-6, 6, 20),
    (-20, 20, 25),
    (-100, 100, 20),
    (-600, 600, 15),
    (3, 40, 15),
    (-40, -3, 10),
)
"""Positions of a lively v3 pool: from, to (tick spacings around the price), percent of the depth.

The first five hold the price and make up the whole depth; the last two stand beside it. Trades of
some ten thousand USD leave the narrow ones, so that swaps cross ticks."""

_PLAIN: Final = ((-6, 6, 40), (-40, 40, 35), (-600, 600, 25))
"""Positions of a quiet pool. Few, because the local node hashes all storage with every block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A range of liquidity and the most that it takes of each token, in base units."""

    lower: int
    upper: int
    amount0: int
    amount1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSeed:
    """One pool before it exists.

    ``fee`` is in millionths, 0 for Uniswap v2. ``depth`` is the USD value of one side of a
    full-range pool that trades equally well at the price. ``offset_bps`` is how far the pool's
    first price is from the feeds: markets never agree exactly. ``shape`` is how the
    liquidity of a v3 pool is spread, in the form of `_LAYERED`.
    """

    place: Place
    pair: tuple[str, str]
    fee: int
    depth: int
    offset_bps: Decimal
    shape: tuple[tuple[int, int, int], ...]

    @property
    def symbols(self) -> tuple[str, str]:
        """Token0 and token1: pools order tokens by address."""
        one, other = sorted(self.pair, key=lambda symbol: self.place.tokens[symbol].address)
        return one, other

    @property
    def tokens(self) -> tuple[LabToken, LabToken]:
        """Token0 and token1."""
        one, other = self.symbols
        return self.place.tokens[one], self.place.tokens[other]

    @property
    def price(self) -> Decimal:
        """Base units of token1 for one base unit of token0."""
        token0, token1 = self.tokens
        with localcontext(_EXACT):
            ratio = MARKETS[token0.asset].price / MARKETS[token1.asset].price
            shift = Decimal(10) ** (token1.decimals - token0.decimals)
            return ratio * shift * (1 + self.offset_bps / 10_000)

    @property
    def sqrt_price_x96(self) -> int:
        """The v3 form of the price: its square root times 2^96."""
        with localcontext(_EXACT):
            return int(self.price.sqrt() * 2**96)

    def reserves(self) -> tuple[int, int]:
        """Base units of token0 and token1 of a v2 pair of this depth."""
        reserve0 = self.tokens[0].raw(Decimal(self.depth))
        with localcontext(_EXACT):
            return reserve0, int(reserve0 * self.price)

    def positions(self) -> tuple[Position, ...]:
        """The positions of a v3 pool."""
        with localcontext(_EXACT):
            # In a full-range pool the reserve of token1 is liquidity times the root of the price.
            liquidity = self.tokens[1].raw(Decimal(self.depth)) / self.price.sqrt()
            tick = int((self.price.ln() / _TICK_BASE.ln()).to_integral_value(ROUND_FLOOR))
            spacing = SPACING[self.fee]
            centre = tick // spacing * spacing
            return tuple(
                self._position(
                    liquidity * percent / 100, centre + start * spacing, centre + end * spacing
                )
                for start, end, percent in self.shape
            )

    def _position(self, liquidity: Decimal, lower: int, upper: int) -> Position:
        """Amounts by the whitepaper's equations 6.29 and 6.30."""
        low, high = _root(lower), _root(upper)
        here = min(max(self.price.sqrt(), low), high)
        return Position(
            lower=lower,
            upper=upper,
            amount0=_up(liquidity * (1 / here - 1 / high)),
            amount1=_up(liquidity * (here - low)),
        )


def _root(tick: int) -> Decimal:
    """Square root of the price at *tick*."""
    return Decimal(_TICK_BASE ** (Decimal(tick) / 2))


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


_Row = tuple[str, str, int, int, str, tuple[tuple[int, int, int], ...]]


def _seeds(place: Place, *rows: _Row) -> tuple[PoolSeed, ...]:
    return tuple(
        PoolSeed(
            place=place,
            pair=(one, other),
            fee=fee,
            depth=depth,
            offset_bps=Decimal(offset),
            shape=shape,
        )
        for one, other, fee, depth, offset, shape in rows
    )


_ETHEREUM: Final = _seeds(
    ETHEREUM,
    ("WETH", "USDC", 100, 2_000_000, "0.4", _PLAIN),
    ("WETH", "USDC", 500, 40_000_000, "1", _LAYERED),
    ("WETH", "USDC", 3000, 60_000_000, "-6", _LAYERED),
    ("WETH", "USDC", 10_000, 3_000_000, "25", _PLAIN),
    ("WETH", "USDT", 500, 25_000_000, "-2", _LAYERED),
    ("WETH", "USDT", 3000, 30_000_000, "8", _PLAIN),
    ("WBTC", "WETH", 500, 25_000_000, "2", _LAYERED),
    ("WBTC", "WETH", 3000, 45_000_000, "-5", _PLAIN),
    ("WBTC", "USDC", 3000, 12_000_000, "7", _LAYERED),
    ("WBTC", "USDT", 10_000, 100_000, "-30", _PLAIN),
    ("USDC", "USDT", 100, 300_000_000, "0.5", _LAYERED),
    ("USDC", "USDT", 500, 60_000_000, "-2", _PLAIN),
    ("DAI", "USDC", 100, 250_000_000, "-0.3", _LAYERED),
    ("DAI", "USDC", 500, 40_000_000, "1.5", _PLAIN),
    ("DAI", "WETH", 3000, 10_000_000, "-9", _PLAIN),
    ("WETH", "USDC", 0, 10_000_000, "4", ()),
    ("WETH", "USDT", 0, 6_000_000, "-7", ()),
    ("DAI", "WETH", 0, 4_000_000, "6", ()),
    ("WBTC", "WETH", 0, 5_000_000, "-3", ()),
    ("USDC", "USDT", 0, 1_000_000, "1", ()),
    ("DAI", "USDC", 0, 600_000, "-2", ()),
    ("WBTC", "USDC", 0, 150_000, "11", ()),
)
"""20,000 USD between any two assets cost 2 to 30 bps on the best path; some pools are too thin
for it."""

_BASE: Final = _seeds(
    BASE,
    ("WETH", "USDC", 500, 35_000_000, "-1", _LAYERED),
    ("WETH", "USDC", 3000, 15_000_000, "5", _PLAIN),
    ("WETH", "USDT", 3000, 2_000_000, "-12", _PLAIN),
    ("WBTC", "USDC", 3000, 11_000_000, "9", _PLAIN),
    ("WBTC", "WETH", 500, 400_000, "-4", _PLAIN),
    ("USDC", "USDT", 100, 12_000_000, "-1", _PLAIN),
    ("DAI", "USDC", 100, 11_000_000, "1", _PLAIN),
    ("WETH", "USDC", 0, 3_000_000, "-5", ()),
    ("DAI", "USDC", 0, 200_000, "4", ()),
)
"""Ether is as cheap to trade as on Ethereum, bitcoin is not: its cheap pool is thin, its deep pool
takes 30 bps."""

_ARBITRUM: Final = _seeds(
    ARBITRUM,
    ("WETH", "USDC", 500, 18_000_000, "2", _LAYERED),
    ("WETH", "USDC", 3000, 8_000_000, "-8", _PLAIN),
    ("WETH", "USDT", 500, 11_000_000, "3", _PLAIN),
    ("WBTC", "USDC", 500, 14_000_000, "-2", _LAYERED),
    ("WBTC", "WETH", 3000, 4_000_000, "6", _PLAIN),
    ("USDC", "USDT", 100, 20_000_000, "1", _PLAIN),
    ("DAI", "USDC", 100, 11_000_000, "-1", _PLAIN),
    ("WETH", "USDC", 0, 1_500_000, "7", ()),
    ("USDC", "USDT", 0, 300_000, "-3", ()),
)
"""Bitcoin is fair against USDC and thin against ether; ether is thinner than elsewhere."""

SEEDS: Final[Mapping[int, tuple[PoolSeed, ...]]] = MappingProxyType(
    {1: _ETHEREUM, 8453: _BASE, 42161: _ARBITRUM}
)
"""All pools by chain. Depth is uneven, so that the best place to trade differs by asset; of each
asset at least one pool per chain is deep enough to have a voice about its price."""
