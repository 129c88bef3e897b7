"""Where pools of token pairs are, or would be: derived as Uniswap's routers do, so never asked for.

SwapRouter02 calls no pool but one at the address that it derives itself, so that a pool anywhere
else could not be swapped in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.money import Address
from agent.venues._pools import Place, V2Place, V3Place
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


@dataclass(frozen=True, slots=True)
class Factories:
    """The factories of a chain and the fee tiers that V3's has: (fee, tick spacing)."""

    v2: Address
    v3: Address
    tiers: Sequence[tuple[int, int]]


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
    packed = _bytes(token0) + _bytes(token1)
    ours = V2Place(
        address=_created(factories.v2, packed, V2_INIT_CODE_HASH), token0=token0, token1=token1
    )
    words = _bytes(token0).rjust(32, b"\0") + _bytes(token1).rjust(32, b"\0")
    return ours, *(
        V3Place(
            address=_created(factories.v3, words + fee.to_bytes(32, "big"), V3_INIT_CODE_HASH),
            token0=token0,
            token1=token1,
            fee=fee,
            tick_spacing=spacing,
        )
        for fee, spacing in factories.tiers
    )


def _created(creator: Address, salted: bytes, init_code_hash: bytes) -> Address:
    """What CREATE2 makes of a creator, the hash of *salted*, and a creation code (EIP-1014)."""
    content = b"\xff" + _bytes(creator) + keccak256(salted) + init_code_hash
    return Address("0x" + keccak256(content)[12:].hex())


def _bytes(address: Address) -> bytes:
    return bytes.fromhex(address[2:])
