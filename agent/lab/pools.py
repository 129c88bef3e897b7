"""The pools of the local world: which, how deep, and how their liquidity is spread."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from typing import Final

from agent.lab.mainnet import FEEDS, TOKENS, LabToken

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
    first price is from the feeds: markets never agree exactly. ``layered`` pools have seven
    positions instead of three.
    """

    pair: tuple[str, str]
    fee: int
    depth: int
    offset_bps: Decimal
    layered: bool

    @property
    def symbols(self) -> tuple[str, str]:
        """Token0 and token1: pools order tokens by address."""
        one, other = sorted(self.pair, key=lambda symbol: TOKENS[symbol].address)
        return one, other

    @property
    def tokens(self) -> tuple[LabToken, LabToken]:
        """Token0 and token1."""
        one, other = self.symbols
        return TOKENS[one], TOKENS[other]

    @property
    def price(self) -> Decimal:
        """Base units of token1 for one base unit of token0."""
        token0, token1 = self.tokens
        with localcontext(_EXACT):
            ratio = FEEDS[token0.asset].price / FEEDS[token1.asset].price
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
                for start, end, percent in (_LAYERED if self.layered else _PLAIN)
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


def _seed(
    one: str, other: str, fee: int, depth: int, offset_bps: str, *, layered: bool = False
) -> PoolSeed:
    return PoolSeed(
        pair=(one, other), fee=fee, depth=depth, offset_bps=Decimal(offset_bps), layered=layered
    )


SEEDS: Final = (
    _seed("WETH", "USDC", 100, 2_000_000, "0.4"),
    _seed("WETH", "USDC", 500, 40_000_000, "1", layered=True),
    _seed("WETH", "USDC", 3000, 60_000_000, "-6", layered=True),
    _seed("WETH", "USDC", 10_000, 3_000_000, "25"),
    _seed("WETH", "USDT", 500, 25_000_000, "-2", layered=True),
    _seed("WETH", "USDT", 3000, 30_000_000, "8"),
    _seed("WBTC", "WETH", 500, 25_000_000, "2", layered=True),
    _seed("WBTC", "WETH", 3000, 45_000_000, "-5"),
    _seed("WBTC", "USDC", 3000, 12_000_000, "7", layered=True),
    _seed("WBTC", "USDT", 10_000, 100_000, "-30"),
    _seed("USDC", "USDT", 100, 300_000_000, "0.5", layered=True),
    _seed("USDC", "USDT", 500, 60_000_000, "-2"),
    _seed("DAI", "USDC", 100, 250_000_000, "-0.3", layered=True),
    _seed("DAI", "USDC", 500, 40_000_000, "1.5"),
    _seed("DAI", "WETH", 3000, 10_000_000, "-9"),
    _seed("WETH", "USDC", 0, 10_000_000, "4"),
    _seed("WETH", "USDT", 0, 6_000_000, "-7"),
    _seed("DAI", "WETH", 0, 4_000_000, "6"),
    _seed("WBTC", "WETH", 0, 5_000_000, "-3"),
    _seed("USDC", "USDT", 0, 1_000_000, "1"),
    _seed("DAI", "USDC", 0, 600_000, "-2"),
    _seed("WBTC", "USDC", 0, 150_000, "11"),
)
"""All pools. 20,000 USD between any two assets cost 2 to 30 bps on the best path; some pools are
too thin for it."""
