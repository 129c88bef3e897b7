"""Conversion between ticks and square roots of prices."""

from __future__ import annotations

from functools import lru_cache

MIN_TICK = -887_272
"""Lowest tick, a price of about 2⁻¹²⁸. Source: Uniswap v3-core, TickMath.sol."""

MAX_TICK = 887_272
"""Highest tick, a price of about 2¹²⁸. Source: Uniswap v3-core, TickMath.sol."""

MIN_SQRT_RATIO = 4_295_128_739
"""Q64.96 square root of the price at MIN_TICK. Source: Uniswap v3-core, TickMath.sol."""

MAX_SQRT_RATIO = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342
"""Q64.96 square root of the price at MAX_TICK. Source: Uniswap v3-core, TickMath.sol."""

# 1.0001 to the power of -2^i / 2, as Q128.128, for each bit i of the tick's magnitude.
# Source: Uniswap v3-core, TickMath.sol.
_POWERS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)

# 2^64 / log2(sqrt(1.0001)), and the bounds of the error of a logarithm with 14 binary digits,
# all as Q128.128. Source: Uniswap v3-core, TickMath.sol.
_LOG_SCALE = 255_738_958_999_603_826_347_141
_ERROR_BELOW = 3_402_992_956_809_132_418_596_140_100_660_247_210
_ERROR_ABOVE = 291_339_464_771_989_622_907_027_621_153_398_088_495


@lru_cache(maxsize=32_768)  # every word boundary of the finest spacing, and ticks besides
def sqrt_ratio_at_tick(tick: int) -> int:
    """Return √(1.0001^tick) as Q64.96, the same to the last bit as the contracts.

    Raises ValueError beyond MIN_TICK or MAX_TICK. Source: Uniswap v3-core, TickMath.sol,
    `getSqrtRatioAtTick`.

    >>> sqrt_ratio_at_tick(0) == 2**96
    True
    """
    if not (MIN_TICK <= tick <= MAX_TICK):
        raise ValueError(f"tick {tick} is outside {MIN_TICK}..{MAX_TICK}")
    ratio = 1 << 128
    for power_of_bit in range(abs(tick).bit_length()):
        if abs(tick) >> power_of_bit & 1:
            ratio = ratio * _POWERS[power_of_bit] >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return (ratio + 0xFFFFFFFF) >> 32  # up, so that the tick of this price is the tick again


def tick_at_sqrt_ratio(sqrt_ratio_x96: int) -> int:
    """Return the greatest tick whose price is at most the given one.

    The binary logarithm is taken to 14 digits after the point, which leaves at most two
    candidates. Raises ValueError outside [MIN_SQRT_RATIO, MAX_SQRT_RATIO). Source: Uniswap
    v3-core, TickMath.sol, `getTickAtSqrtRatio`.

    >>> tick_at_sqrt_ratio(sqrt_ratio_at_tick(-12_345))
    -12345
    """
    if not (MIN_SQRT_RATIO <= sqrt_ratio_x96 < MAX_SQRT_RATIO):
        raise ValueError(f"square root of price {sqrt_ratio_x96} is outside the ticks")
    magnitude = sqrt_ratio_x96.bit_length() + 31  # of the ratio as Q128.128
    mantissa = sqrt_ratio_x96 << 32 << 128 >> magnitude + 1  # in [2^127, 2^128)
    log = magnitude - 128
    for _ in range(14):
        square = mantissa * mantissa >> 127
        digit = square >> 128
        log = log << 1 | digit
        mantissa = square >> digit
    scaled = (log << 50) * _LOG_SCALE
    low = scaled - _ERROR_BELOW >> 128
    high = scaled + _ERROR_ABOVE >> 128
    return high if low != high and sqrt_ratio_at_tick(high) <= sqrt_ratio_x96 else low
