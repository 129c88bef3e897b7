"""Made-up pools for tests: states that a pool contract could be in."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from agent.core.amm.tick_map import TickMap, first_word, last_word
from agent.core.amm.tick_price import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    sqrt_ratio_at_tick,
    tick_at_sqrt_ratio,
)
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address

POOL = Address("0x" + "11" * 20)
TOKEN_A = Address("0x" + "aa" * 20)
TOKEN_B = Address("0x" + "bb" * 20)
unhurried = settings(deadline=None)
"""A test may take as long as the machine makes it."""

FEE_AND_SPACING = ((100, 1), (500, 10), (3000, 60), (10_000, 200))


def v2_pool(reserve0: int, reserve1: int, address: str = POOL) -> V2Pool:
    return V2Pool(
        address=Address(address),
        token0=TOKEN_A,
        token1=TOKEN_B,
        reserve0=reserve0,
        reserve1=reserve1,
    )


def v3_pool(
    positions: list[tuple[int, int, int]],
    *,
    fee: int = 3000,
    spacing: int = 60,
    sqrt_price_x96: int = 1 << 96,
    is_below_tick: bool = False,
    words: tuple[int, int] | None = None,
) -> V3Pool:
    """A pool with (lower tick, upper tick, liquidity) positions, whose map is known as a whole."""
    tick = tick_at_sqrt_ratio(sqrt_price_x96) - is_below_tick
    net: dict[int, int] = {}
    for lower, upper, liquidity in positions:
        net[lower] = net.get(lower, 0) + liquidity
        net[upper] = net.get(upper, 0) - liquidity
    lowest, highest = words or (first_word(spacing), last_word(spacing))
    known = sorted(
        (index, change)
        for index, change in net.items()
        if lowest <= index // spacing // 256 <= highest
    )
    return V3Pool(
        address=POOL,
        token0=TOKEN_A,
        token1=TOKEN_B,
        fee=fee,
        sqrt_price_x96=sqrt_price_x96,
        tick=tick,
        liquidity=sum(size for lower, upper, size in positions if lower <= tick < upper),
        tick_map=TickMap(
            spacing=spacing, lowest_word=lowest, highest_word=highest, ticks=tuple(known)
        ),
    )


@st.composite
def v3_pools(draw: st.DrawFn, *, is_liquid: bool = False) -> V3Pool:
    """Positions near and far, wide and narrow, over any price, sometimes exactly on a tick.

    A liquid pool has one position over the whole scale besides.
    """
    fee, spacing = draw(st.sampled_from((*FEE_AND_SPACING, (999_999, 1), (0, 16_000))))
    highest = MAX_TICK // spacing
    lowest = -highest
    near, far = min(300, highest - 1), highest - 1
    middle = draw(st.one_of(st.integers(-near, near), st.integers(-far, far)))
    reach = st.one_of(st.integers(1, 20), st.integers(1, 3_000))
    positions = []
    for _ in range(draw(st.integers(0, 6))):
        start = max(lowest, min(highest - 1, middle + draw(st.sampled_from((-1, 1))) * draw(reach)))
        end = min(highest, start + draw(reach))
        liquidity = draw(st.integers(0, 124).flatmap(lambda bits: st.integers(1, 1 << bits)))
        positions.append((start * spacing, end * spacing, liquidity))
    if is_liquid:
        positions.append(
            (lowest * spacing, highest * spacing, draw(st.integers(1 << 50, 1 << 120)))
        )
    sqrt_price = sqrt_ratio_at_tick(middle * spacing)
    is_below_tick = draw(st.booleans())
    if not is_below_tick:
        span = sqrt_ratio_at_tick((middle + 1) * spacing) - sqrt_price
        sqrt_price += draw(st.integers(0, span - 1))
    sqrt_price = max(MIN_SQRT_RATIO, min(sqrt_price, MAX_SQRT_RATIO - 1))
    return v3_pool(
        positions,
        fee=fee,
        spacing=spacing,
        sqrt_price_x96=sqrt_price,
        is_below_tick=is_below_tick,
    )


def amounts(most_bits: int = 130) -> st.SearchStrategy[int]:
    """Amounts whose logarithm is spread evenly, from one base unit."""
    return st.integers(0, most_bits).flatmap(lambda bits: st.integers(1, 1 << bits))
