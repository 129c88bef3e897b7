"""Where pools of token pairs are, or would be: derived as Uniswap's routers do, so never asked for.

SwapRouter02 calls no pool but one at the address that it derives itself, so that a pool anywhere
else could not be swapped in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.amm.v4 import GAS_COIN, V4Key
from agent.core.money import Address
from agent.venues._pools import Place, V2Place, V3Place, V4Place
from agent.wire.abi import encode
from agent.wire.keccak import keccak256

V2_INIT_CODE_HASH = bytes.fromhex(
    "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
)
"""What a pair's creation code hashes to. Source: Uniswap swap-router-contracts 1.3.1,
libraries/UniswapV2Library.sol, `pairFor`."""

V3_INIT_CODE_HASH = bytes.fromhex(
    "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
)
"""What a pool's creation code hashes to. Source: Uniswap v3-periphery 1.4.4,
libraries/PoolAddress.sol, `POOL_INIT_CODE_HASH`."""

Pair = tuple[Address, Address]
"""Two tokens in the order of their addresses, as pools keep them."""


_KEY_TYPES = ("address", "address", "uint24", "int24", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Factory:
    """Who makes pairs, what their creation code hashes to, and what part of the input counts.

    Forks of Uniswap V2 differ in nothing else.
    """

    address: Address
    init_code_hash: bytes = V2_INIT_CODE_HASH
    kept_numerator: int = 997
    kept_denominator: int = 1000


@dataclass(frozen=True, slots=True)
class V4View:
    """Who tells of V4's pools, the fees and tick spacings that are looked for, the wrapped coin.

    Anybody may make a pool with any fee; those of no usual one are not found.
    """

    state_view: Address
    tiers: Sequence[tuple[int, int]]
    wrapped: Address


@dataclass(frozen=True, slots=True)
class Factories:
    """The factories of a chain and the fee tiers that V3's has: (fee, tick spacing).

    `v4` is None where V4 is not used.
    """

    v2: Address
    v3: Address
    tiers: Sequence[tuple[int, int]]
    v4: V4View | None = None


def pair(one: Address, other: Address) -> Pair:
    """The two in the order of their addresses."""
    return (one, other) if int(one, 16) < int(other, 16) else (other, one)


def places(factories: Factories, tokens: Pair) -> tuple[Place, ...]:
    """Where a pair and the pools of all tiers between *tokens* are, if there are any.

    >>> usdc, weth = ("0x" + code for code in (
    ...     "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"))
    >>> v2, v3 = ("0x" + code for code in (
    ...     "5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f", "1f98431c8ad98523631ae4a59f267346ea31f984"))
    >>> [place.address for place in places(Factories(v2, v3, [(500, 10)]), pair(weth, usdc))]
    ['0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc', '0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640']
    """
    token0, token1 = tokens
    words = _bytes(token0).rjust(32, b"\0") + _bytes(token1).rjust(32, b"\0")
    return (
        v2_place(V2Factory(address=factories.v2), tokens),
        *(
            V3Place(
                address=_created(factories.v3, words + fee.to_bytes(32, "big"), V3_INIT_CODE_HASH),
                token0=token0,
                token1=token1,
                fee=fee,
                tick_spacing=spacing,
            )
            for fee, spacing in factories.tiers
        ),
        *(() if factories.v4 is None else _v4_places(factories.v4, tokens)),
    )


def v2_place(factory: V2Factory, tokens: Pair) -> V2Place:
    """Where a factory's pair of *tokens* is, if there is one.

    >>> usdc, weth = ("0x" + code for code in (
    ...     "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"))
    >>> uniswap = V2Factory(address="0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f")
    >>> v2_place(uniswap, pair(weth, usdc)).address
    '0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc'
    """
    token0, token1 = tokens
    packed = _bytes(token0) + _bytes(token1)
    return V2Place(
        address=_created(factory.address, packed, factory.init_code_hash),
        token0=token0,
        token1=token1,
        kept_numerator=factory.kept_numerator,
        kept_denominator=factory.kept_denominator,
    )


def v4_place(state_view: Address, key: V4Key, wrapped: Address) -> V4Place:
    """Where a pool of V4 is, with the *wrapped* coin in the place of the gas coin.

    >>> weth, usdc = ("0x" + code for code in (
    ...     "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"))
    >>> key = V4Key(currency0=GAS_COIN, currency1=usdc, fee=500, tick_spacing=10)
    >>> v4_place("0x" + "1a" * 20, key, weth).id[:18]
    '0x21c67e77068de979'
    """
    fields = (key.currency0, key.currency1, key.fee, key.tick_spacing, key.hooks)
    return V4Place(
        state_view=state_view,
        id="0x" + keccak256(encode(_KEY_TYPES, fields)).hex(),
        key=key,
        token0=wrapped if key.currency0 == GAS_COIN else key.currency0,
        token1=key.currency1,
    )


def _v4_places(view: V4View, tokens: Pair) -> list[V4Place]:
    """The pools of all tiers between two tokens, and with the gas coin for its wrapper."""
    pairs = [tokens]
    if view.wrapped in tokens:
        (other,) = (token for token in tokens if token != view.wrapped)
        pairs.append((GAS_COIN, other))
    return [
        v4_place(
            view.state_view,
            V4Key(currency0=one, currency1=two, fee=fee, tick_spacing=spacing),
            view.wrapped,
        )
        for one, two in pairs
        for fee, spacing in view.tiers
    ]


def _created(creator: Address, salted: bytes, init_code_hash: bytes) -> Address:
    """What CREATE2 makes of a creator, the hash of *salted*, and a creation code (EIP-1014)."""
    content = b"\xff" + _bytes(creator) + keccak256(salted) + init_code_hash
    return Address("0x" + keccak256(content)[12:].hex())


def _bytes(address: Address) -> bytes:
    return bytes.fromhex(address[2:])
