"""Which rollups of the OP stack are known, and where their bridges stand on both chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.core.money import Address, ChainId, Token
from agent.provider import ProviderChain


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The bridge on one chain, its messenger, and how deep a block must be to count."""

    chain: ChainId
    native: Token
    bridge: Address
    messenger: Address
    confirmations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One rollup and its parent; `portal` stands on the parent, `passer` on the rollup."""

    parent: Side
    rollup: Side
    portal: Address
    passer: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One direction of a way."""

    way: Way
    near: Side
    far: Side

    @property
    def withdraws(self) -> bool:
        """Whether it leads from the rollup to its parent."""
        return self.near == self.way.rollup


def ways(chains: Mapping[ChainId, ProviderChain]) -> tuple[Way, ...]:
    """All rollups that a chain's facts name with their own facts known, in the order of *chains*.

    A parent has a table for each rollup, with its number; raises KeyError for one that lacks
    something.
    """
    found = []
    for parent in chains.values():
        for name in parent.facts:
            table = parent.table(name) if isinstance(parent.facts[name], Mapping) else {}
            rollup = chains.get(ChainId(int(str(table.get("rollup", 0)))))
            if rollup is None:
                continue
            there = {fact: Address(str(table[fact])) for fact in ("portal", "bridge", "messenger")}
            found.append(
                Way(
                    parent=_side(parent, there["bridge"], there["messenger"]),
                    rollup=_side(rollup, rollup.address("bridge"), rollup.address("messenger")),
                    portal=there["portal"],
                    passer=rollup.address("passer"),
                )
            )
    return tuple(found)


def routes(known: Iterable[Way]) -> Iterable[Route]:
    """Both directions of each way."""
    for way in known:
        yield Route(way=way, near=way.parent, far=way.rollup)
        yield Route(way=way, near=way.rollup, far=way.parent)


def route(known: Iterable[Way], sell: Token, buy: Token) -> Route | None:
    """The way of the gas coin *sell* to the gas coin *buy*; None where there is none."""
    for each in routes(known):
        if (each.near.native, each.far.native) == (sell, buy):
            return each
    return None


def _side(chain: ProviderChain, bridge: Address, messenger: Address) -> Side:
    return Side(
        chain=chain.chain,
        native=chain.native,
        bridge=bridge,
        messenger=messenger,
        confirmations=chain.confirmations,
    )
