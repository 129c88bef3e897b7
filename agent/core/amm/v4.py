"""Pools of Uniswap v4 without hooks: v3's pools with one fee more, kept in one contract.

A swap walks over ticks as in v3; what differs is the fee, of which the protocol may take a part
that depends on the direction, and the integers that amounts must fit. Pools with hooks, or with a
fee that hooks change, do what nobody can know before: such a key does not construct.
Source: Uniswap v4-core, Pool.sol (`swap`), ProtocolFeeLibrary.sol, LPFeeLibrary.sol.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.amm import v3
from agent.core.amm.outcome import Refusal, Reverts, Swapped
from agent.core.amm.swap_step import FEE_UNIT
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address

GAS_COIN = Address("0x" + "00" * 20)
"""The gas coin as a currency, which comes before every token; as hooks it says that there are
none."""

MOST_PROTOCOL_FEE = 1000
"""Hundredths of a basis point in each direction. Source: ProtocolFeeLibrary.sol,
`MAX_PROTOCOL_FEE`."""

_DYNAMIC_FEE = 0x800000  # LPFeeLibrary.sol, `DYNAMIC_FEE_FLAG`
_MOST_SPACING = (1 << 15) - 1  # TickMath.sol, `MAX_TICK_SPACING`
_FEE_BITS = 12  # of one direction; that of token0 in is the lower half
_AMOUNT_END = 1 << 127  # what a swap moves is an int128


@dataclass(frozen=True, slots=True, kw_only=True)
class V4Key:
    """What a pool is known by: its currencies in the order of their addresses, and its fee.

    `fee` is that of the liquidity providers, in hundredths of a basis point. Raises ValueError for
    a key that no pool can have, and for one whose hooks take part in swaps or in the fee.
    """

    currency0: Address
    currency1: Address
    fee: int
    tick_spacing: int
    hooks: Address = GAS_COIN

    def __post_init__(self) -> None:
        if self.hooks != GAS_COIN:
            raise ValueError(f"the hooks at {self.hooks} may do anything")
        if self.fee == _DYNAMIC_FEE:
            raise ValueError("a fee that changes with every swap cannot be known before")
        if not (0 < self.tick_spacing <= _MOST_SPACING):
            raise ValueError(f"tick spacing {self.tick_spacing} is outside 1..{_MOST_SPACING}")
        if not (int(self.currency0, 16) < int(self.currency1, 16)):
            raise ValueError(f"{self.currency0} does not come before {self.currency1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class V4Pool:
    """The state of one pool at one block.

    `curve` is the same pool as v3 would have it, with the fee of the liquidity providers; its
    tokens are those of the key, or the wrapped coin in the place of the gas coin, and its address
    is the first half of the pool's id: what pools are told apart by. `protocol_fee` has both
    directions, as the contract packs them. Raises ValueError where these contradict each other.
    """

    key: V4Key
    curve: V3Pool
    protocol_fee: int = 0

    def __post_init__(self) -> None:
        said = (self.key.fee, self.key.tick_spacing)
        if said != (self.curve.fee, self.curve.tick_map.spacing):
            raise ValueError(f"fee {self.curve.fee} and its ticks are not those of key {said}")
        if not (0 <= self.protocol_fee < 1 << 2 * _FEE_BITS):
            raise ValueError(f"protocol fee {self.protocol_fee} is not a uint24")
        for part in (_part(self.protocol_fee, is_low=low) for low in (True, False)):
            if not (part <= MOST_PROTOCOL_FEE):
                raise ValueError(f"protocol fee {part} is outside 0..{MOST_PROTOCOL_FEE}")
            if not (composed(part, self.curve.fee) < FEE_UNIT):
                raise ValueError(f"fees {part} and {self.curve.fee} leave nothing to swap")

    @property
    def address(self) -> Address:
        """What tells the pool from all others."""
        return self.curve.address

    @property
    def token0(self) -> Address:
        """The first token; the wrapped coin where the pool has the gas coin itself."""
        return self.curve.token0

    @property
    def token1(self) -> Address:
        """The second token."""
        return self.curve.token1

    def facing(self, *, zero_for_one: bool) -> V3Pool:
        """The pool of v3 that does the same in this direction: with all that a swap pays as fee."""
        fee = composed(_part(self.protocol_fee, is_low=zero_for_one), self.curve.fee)
        return self.curve if fee == self.curve.fee else replace(self.curve, fee=fee)


def composed(protocol_fee: int, fee: int) -> int:
    """The whole fee: the protocol takes its part first, the providers theirs of what is left.

    All in hundredths of a basis point, rounded up.

    >>> composed(1000, 3000)
    3997
    """
    return protocol_fee + fee - protocol_fee * fee // FEE_UNIT


def quote_exact_in(pool: V4Pool, amount_in: int, *, zero_for_one: bool) -> Swapped | Refusal:
    """Return what the pool pays for *amount_in* base units, all fees included.

    With `zero_for_one` token0 goes in and the price falls. A swap that the pool cannot fill is
    OutOfLiquidity.
    """
    if not (amount_in < _AMOUNT_END):
        return Reverts(pool.address, "the amount does not fit the contract's integers")
    facing = pool.facing(zero_for_one=zero_for_one)
    swapped = v3.quote_exact_in(facing, amount_in, zero_for_one=zero_for_one)
    if isinstance(swapped, Swapped) and not (swapped.amount_out < _AMOUNT_END):
        return Reverts(pool.address, "the amount does not fit the contract's integers")
    return swapped


def after(pool: V4Pool, swapped: Swapped) -> V4Pool:
    """Return the pool as *swapped* leaves it, so that a second swap sees the first."""
    return replace(pool, curve=v3.after(pool.curve, swapped))


def _part(protocol_fee: int, *, is_low: bool) -> int:
    """The fee of one direction: token0 in has the low bits."""
    return protocol_fee & (1 << _FEE_BITS) - 1 if is_low else protocol_fee >> _FEE_BITS
