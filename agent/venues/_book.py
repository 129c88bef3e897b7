"""The pools of one chain, found once a day and read once per block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from agent.core.amm.path import Pool
from agent.core.amm.v2 import V2Pool
from agent.core.fees import FeeQuote
from agent.core.money import Address
from agent.core.snapshot import Block
from agent.ports import Node
from agent.venues._discovery import Factories, Pair, pair, places
from agent.venues._pools import Place, V2Place, extended, read_pools

SPAN_TICKS = 2_000
"""Ticks that are read to each side of a price, about a fifth of it: a path that moves a pool
further pays on average a tenth too little, which no policy allows."""

FEES_SECONDS = 60
"""What gas costs is asked again after a minute: it is only to tell which pools are worth theirs."""

FOUND_SECONDS = 86_400
"""Pools are looked for again after a day; new ones are thin at first and can wait."""


@dataclass(frozen=True, slots=True)
class Page:
    """All pools between some tokens at one block, by tokens in their order; what gas costs then."""

    fees: FeeQuote
    block: Block
    pools: Mapping[Pair, tuple[Pool, ...]]


class Fees:
    """What gas costs on a chain, asked once a minute."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asked: tuple[int, FeeQuote] | None = None

    def at(self, now: int) -> FeeQuote:
        """The fees at *now*, unix seconds by whatever clock it is asked with each time."""
        asked = self._asked
        if asked is None or not (asked[0] <= now < asked[0] + FEES_SECONDS):
            asked = self._asked = now, self._node.fees()
        return asked[1]


def pairs_among(tokens: Iterable[Address]) -> list[Pair]:
    """All pairs of *tokens*, each in its order."""
    return [pair(one, other) for one, other in combinations(sorted(set(tokens)), 2)]


class Book:
    """Reads pools through a node; asks for nothing that it knows already at that block."""

    def __init__(self, node: Node, factories: Factories) -> None:
        self._node = node
        self._factories = factories
        self._places: dict[Pair, tuple[int, tuple[Place, ...]]] = {}
        self._read: tuple[str, Mapping[Address, Pool | None]] = ("", {})
        self._before: Mapping[Address, Pool] = {}
        self._fees = Fees(node)

    def page(self, tokens: Iterable[Address]) -> Page:
        """The pools between *tokens* at the newest block.

        One request for the block, and for what gas costs one a minute; none more at a block that
        is known, one at the next, and one or two more where a price moved far or liquidity came
        to new ticks; three for pools that were never read before.
        """
        block = self._node.block()
        pairs = pairs_among(tokens)
        oldest = block.timestamp - FOUND_SECONDS
        due = [key for key in pairs if key not in self._places or self._places[key][0] < oldest]
        known = {key: self._places[key][1] for key in pairs if key not in due}
        wanted = known | {key: places(self._factories, key) for key in due}
        states = self._states([place for found in wanted.values() for place in found], block)
        for key in due:
            there = tuple(place for place in wanted[key] if place.address in states)
            self._places[key] = (block.timestamp, there)
        pools = {
            key: tuple(pool for place in found if (pool := states.get(place.address)) is not None)
            for key, found in wanted.items()
        }
        return Page(self._fees.at(block.timestamp), block, pools)

    def further(self, page: Page, unknown: Mapping[Address, int]) -> Page:
        """The same pools, with those of *unknown* read on from the bitmap words it names."""
        read, at = self._node.read, page.block.number
        found = {
            place.address: place
            for _, places in self._places.values()
            for place in places
            if not isinstance(place, V2Place)
        }

        def grown(pool: Pool) -> Pool:
            if pool.address not in unknown or isinstance(pool, V2Pool):
                return pool
            return extended(read, found[pool.address], pool, unknown[pool.address], at)

        return replace(page, pools={key: tuple(map(grown, had)) for key, had in page.pools.items()})

    def _states(self, wanted: Iterable[Place], block: Block) -> Mapping[Address, Pool | None]:
        """Pools by address, None for one that answers nonsense; told apart by the block's hash."""
        read_at, known = self._read
        states = dict(known) if read_at == block.hash else {}
        fresh = [place for place in wanted if place.address not in states]
        if fresh:
            read, before = self._node.read, self._before
            answer = read_pools(read, fresh, block.number, span_ticks=SPAN_TICKS, before=before)
            states |= dict.fromkeys(answer.missing.keys() - answer.nowhere) | answer.found
            # Assigned as a whole: threads see the old or the new.
            self._read, self._before = (block.hash, states), {**before, **answer.found}
        return states
