"""Pools of Uniswap v4 on the local chain, and our quotes against those of its quoter."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isqrt
from pathlib import Path
from typing import Any

from contract_quotes import contract_quotes
from router_rig import TIERS

from agent.chain.multicall import aggregating
from agent.core.amm.outcome import OutOfKnownLiquidity
from agent.core.amm.path import HopQuote, quote_pool
from agent.core.amm.tick_price import MAX_TICK, sqrt_ratio_at_tick
from agent.core.amm.v4 import GAS_COIN, V4Key, V4Pool
from agent.core.money import Address
from agent.lab import mainnet
from agent.lab.abi import call_bytes
from agent.lab.mainnet import TOKENS
from agent.lab.puppet import Puppet, tx
from agent.lab.saved import TREASURY
from agent.lab.uniswap_v4 import PERMIT2, UNISWAP_V4, PoolKey, UniswapV4, put_uniswap_v4
from agent.lab.world import World
from agent.ports import Read
from agent.venues import router
from agent.venues._discovery import v4_place
from agent.venues._pools import V4Place, extended, read_pools
from agent.wire.abi import decode

QUOTE = "quoteExactInputSingle(((address,address,uint24,int24,address),bool,uint128,bytes))"
WRAPPED = 5 * 10**26
"""Wei; half of what a puppet has."""

# Currencies, fee, tick spacing, tick of the first price, the protocol's fee by direction: around
# zero, where the words of the bitmap change sign, far from it, near the ends of the scale.
RANDOM_POOLS = (
    ("ETH", "USDC", 500, 10, -196_000, 0, 0),
    ("ETH", "DAI", 3000, 60, 80_000, 1000, 250),
    ("ETH", "WBTC", 100, 1, -7, 0, 1000),
    ("WETH", "USDC", 500, 10, 196_000, 125, 125),
    ("WETH", "DAI", 10_000, 200, -80_000, 0, 0),
    ("WBTC", "USDC", 0, 16, 2560, 1, 999),
    ("WBTC", "DAI", 123_456, 7, 300_000, 1000, 1000),
    ("DAI", "USDC", 100, 1, -276_324, 0, 0),
    ("DAI", "WETH", 1, 32_767, 0, 777, 0),
    ("WBTC", "WETH", 3000, 60, 870_000, 500, 0),
    ("WBTC", "WETH", 500, 10, -870_000, 0, 500),
)


THERE = UNISWAP_V4[mainnet.CHAIN_ID]
ROUTER = Address(THERE.universal_router)
MARKET_POOLS = [
    # currencies, fee, tick spacing, depth in USD of one side; the protocol takes a bit of some
    ("ETH", "USDC", 500, 10, 90_000_000, 125),
    ("WETH", "USDC", 3000, 60, 60_000_000, 0),
    ("DAI", "USDC", 100, 1, 200_000_000, 0),
    ("WBTC", "ETH", 500, 10, 80_000_000, 1000),
    ("WBTC", "USDC", 3000, 60, 9_000_000, 0),
]


def v4_options() -> router.V4Options:
    return router.V4Options(
        state_view=Address(THERE.state_view),
        universal_router=ROUTER,
        permit2=Address(PERMIT2),
        fee_tiers=TIERS,
        code_hashes={},
    )


def _raw(symbol: str, usd: int) -> int:
    return TOKENS["WETH" if symbol == "ETH" else symbol].raw(Decimal(usd))


def _open_pool(v4: UniswapV4, row: tuple[str, str, int, int, int, int]) -> None:
    one, other, fee, spacing, depth, protocol = row
    (currency0, first), (currency1, second) = sorted((address(one), one) for one in (one, other))
    reserve0, reserve1 = _raw(first, depth), _raw(second, depth)
    key = PoolKey(currency0=currency0, currency1=currency1, fee=fee, tick_spacing=spacing)
    end = 887_272 // spacing * spacing
    price, liquidity = isqrt((reserve1 << 192) // reserve0), isqrt(reserve0 * reserve1)
    v4.open_pool(key, price, [(-end, end, liquidity)])
    v4.set_protocol_fee(key, zero_for_one=protocol, one_for_zero=protocol // 2)


def with_pools(world: World, cache: Path) -> None:
    """Put V4 on the chain, and pools at the world's first prices."""
    v4 = put_v4(world, cache)
    for row in MARKET_POOLS:
        _open_pool(v4, row)


def address(symbol: str) -> Address:
    return GAS_COIN if symbol == "ETH" else Address(TOKENS[symbol].address)


def put_v4(world: World, cache: Path) -> UniswapV4:
    """The chain's Uniswap v4, and its treasury with enough of every token."""
    world.fund(TREASURY, dict.fromkeys(("USDC", "DAI", "WBTC"), 2**120))
    treasury = Puppet(world.rpc, TREASURY)
    treasury.send(tx(mainnet.WETH, "deposit()", value=WRAPPED))
    return put_uniswap_v4(treasury, world.place, cache)


@dataclass(slots=True)
class Score:
    """What came of the questions, and what differs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)
    crossed: int = 0
    extensions: int = 0


class V4Duel:
    """Random questions to both sides, about one block of one chain."""

    def __init__(self, world: World, cache: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.score = Score()
        self._world = world
        self._aggregated = aggregating(Address(mainnet.MULTICALL3))
        self.v4 = put_v4(world, cache)
        self.places = {place.address: place for place in map(self._opened, RANDOM_POOLS)}
        self._at = world.head()[0]
        state = read_pools(self.read, list(self.places.values()), self._at, span_ticks=1500)
        assert ({}, set()) == (state.missing, state.nowhere)
        self.pools = {at: pool for at, pool in state.found.items() if isinstance(pool, V4Pool)}

    def read(self, calls: Sequence[Read], at: Any) -> list[bytes | None]:
        return self._aggregated(self._world.rpc, calls, hex(at))

    def run(self, count: int) -> Score:
        """Ask *count* random questions and compare."""
        self.score = Score()
        cases = [self._case() for _ in range(count)]
        questions = [self._question(*case) for case in cases]
        answers = contract_quotes(self._world, questions, self._at)
        for case, said in zip(cases, answers, strict=True):
            where, amount, is_down = case
            ours = self._ours(where, amount, is_down=is_down)
            expected = None if said is None else decode(("uint256", "uint256"), said)[0]
            found = ours.amount_out if isinstance(ours, HopQuote) else None
            self.score.outcomes["refused" if found is None else "quoted"] += 1
            if isinstance(ours, HopQuote):
                self.score.crossed += ours.ticks_crossed > 0
            if found != expected:
                self.score.mismatches.append(f"{case}: {ours} but {expected}")
        return self.score

    def _case(self) -> tuple[Address, int, bool]:
        where = self.rng.choice(list(self.pools))
        return where, int(2 ** (self.rng.random() * 100)), self.rng.random() < 0.5

    def _ours(self, where: Address, amount: int, *, is_down: bool) -> Any:
        while True:
            answer = quote_pool(self.pools[where], amount, zero_for_one=is_down)
            if not isinstance(answer, OutOfKnownLiquidity):
                return answer
            self.score.extensions += 1
            self.pools[where] = extended(
                self.read, self.places[where], self.pools[where], answer.word, self._at
            )

    def _question(self, where: Address, amount: int, is_down: bool) -> Read:
        key = self.places[where].key
        fields = (key.currency0, key.currency1, key.fee, key.tick_spacing, key.hooks)
        asked = (fields, is_down, amount, b"")
        return Read(Address(self.v4.places.quoter), call_bytes(QUOTE, asked))

    def _opened(self, row: tuple[str, str, int, int, int, int, int]) -> V4Place:
        one, other, fee, spacing, tick, down, up = row
        currency0, currency1 = sorted((address(one), address(other)))
        span = sqrt_ratio_at_tick(tick + 1) - sqrt_ratio_at_tick(tick)
        price = sqrt_ratio_at_tick(tick) + self.rng.randrange(span)
        key = PoolKey(currency0=currency0, currency1=currency1, fee=fee, tick_spacing=spacing)
        positions = [self._position(spacing, tick, price) for _ in range(14)]
        self.v4.open_pool(key, price, positions)
        self.v4.set_protocol_fee(key, zero_for_one=down, one_for_zero=up)
        ours = V4Key(currency0=currency0, currency1=currency1, fee=fee, tick_spacing=spacing)
        place = v4_place(Address(self.v4.places.state_view), ours, Address(mainnet.WETH))
        assert key.id == place.id
        return place

    def _position(self, spacing: int, tick: int, price: int) -> tuple[int, int, int]:
        end = MAX_TICK // spacing
        while True:
            reach = self.rng.choice((5, 50, 400, 3000))
            lower = tick // spacing + self.rng.randint(-reach, reach)
            upper = lower + self.rng.randint(1, reach)
            if self.rng.random() < 0.1:
                lower, upper = -end, end
            lower, upper = max(lower, -end), min(upper, end)
            liquidity = int(2 ** self.rng.uniform(20, 70))
            if lower < upper and self._needs(lower * spacing, upper * spacing, price, liquidity):
                return lower * spacing, upper * spacing, liquidity

    @staticmethod
    def _needs(lower: int, upper: int, price: int, liquidity: int) -> bool:
        """Whether the treasury has what a position takes."""
        low, high = sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper)
        here = min(max(price, low), high)
        amount0 = (liquidity << 96) * (high - here) // (high * here)
        return max(amount0, liquidity * (here - low) >> 96) < 2**76
