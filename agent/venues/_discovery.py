"""Finds the pools of token pairs through the factories of Uniswap V2 and V3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.core.money import Address
from agent.ports import Node, Read
from agent.venues._pools import Place, V2Place, V3Place
from agent.wire.abi import functions

_NOBODY = "0x" + "00" * 20

Pair = tuple[Address, Address]
"""Two tokens in the order of their addresses, as pools keep them."""


@dataclass(frozen=True, slots=True)
class Factories:
    """The factories of a chain and the fee tiers to ask V3's for: (fee, tick spacing)."""

    v2: Address
    v3: Address
    tiers: Sequence[tuple[int, int]]


def pair(one: Address, other: Address) -> Pair:
    """The two in the order of their addresses."""
    return (one, other) if int(one, 16) < int(other, 16) else (other, one)


def discover(node: Node, factories: Factories, pairs: Iterable[Pair]) -> dict[Pair, list[Place]]:
    """All pools of *pairs* in one request; a pair without pools has an empty list."""
    wanted = list(pairs)
    reads = [read for item in wanted for read in _reads(factories, item)]
    answers = iter(node.read(reads) if reads else ())
    found: dict[Pair, list[Place]] = {}
    for token0, token1 in wanted:
        places: list[Place] = []
        address = _address(next(answers))
        if address is not None:
            places.append(V2Place(address=address, token0=token0, token1=token1))
        for fee, spacing in factories.tiers:
            address = _address(next(answers))
            if address is not None:
                places.append(
                    V3Place(
                        address=address,
                        token0=token0,
                        token1=token1,
                        fee=fee,
                        tick_spacing=spacing,
                    )
                )
        found[token0, token1] = places
    return found


def _reads(factories: Factories, tokens: Pair) -> list[Read]:
    v2 = functions("uniswap_v2_factory")["getPair(address,address)"]
    v3 = functions("uniswap_v3_factory")["getPool(address,address,uint24)"]
    return [
        Read(factories.v2, v2.encode(*tokens)),
        *(Read(factories.v3, v3.encode(*tokens, fee)) for fee, _ in factories.tiers),
    ]


def _address(answer: bytes | None) -> Address | None:
    if answer is None or len(answer) != 32:
        return None
    found = "0x" + answer[12:].hex()
    return None if found == _NOBODY else Address(found)
