"""The best way to fill a swap over the pools of one block: on one path, or on several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.core.amm.path import Hop, Pool
from agent.core.amm.split import Share, Split, quote_split
from agent.core.amm.v4 import V4Pool
from agent.core.money import Address
from agent.core.rounding import mul_div_down
from agent.planning.split import Choice, GasCost, Order, Room, Splitter
from agent.venues._discovery import Pair
from agent.venues._paths import (
    BASE_GAS,
    PERMIT_BYTES,
    PERMIT_GAS,
    RATE_UNIT,
    SHARING_GAS,
    TAKING_GAS,
    TICK_GAS,
    UNIVERSAL_GAS,
    V2_HOP_GAS,
    V3_HOP_GAS,
    V4_HOP_GAS,
    Route,
    Search,
    hop_gas,
)
from agent.venues._swap_calls import call_bytes
from agent.venues._universal_calls import universal_bytes

HOP_BYTES = 128
"""The least that a hop adds to the bytes of a call: a third of a share of three V3 hops."""


MOST_GAS = 6_000_000
"""Most gas that a split may take with its hops and ticks as dear as below: some forty swaps. The
engine first simulates such a call with at least a quarter more, and signs no more than half more.
All swaps of a split are worth their gas: of 189 sets of pools (scripts/bench/router.py) three would
bring more with more, at most 0.1 bp."""

DEARER_HOP_GAS, DEARER_TICK_GAS = 13_000, 30_000
"""What a hop and a tick are taken to need beyond the figures of `_paths`, which are for choosing.
Nine splits of five to thirteen swaps and up to twenty ticks took 900 000 to 1 493 000 on the local
chain, none more than with these, and one of them 1.36 times what the figures say."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A split, quoted exactly, and the gas of all of it in one transaction.

    `net_bound` is what no split over any of the pools that were searched brings after gas; None
    where nothing was proven.
    """

    split: Split
    gas: int
    net_bound: int | None = None

    @property
    def is_universal(self) -> bool:
        """Whether it needs the router that knows V4, and a permit for it."""
        return uses_v4(self.split)

    @property
    def call_bytes(self) -> int:
        """How long the call is."""
        hops = [share.hops for share in self.split.shares]
        return universal_bytes(hops) if self.is_universal else call_bytes(hops)

    def net(self, gas_rate: int, byte_rate: int = 0) -> tuple[int, int]:
        """What is left after gas and the bytes of the call, and then the less gas the better.

        The permit that a pool of V4 needs is counted too; the allowance that all need is not.
        """
        gas, size = self.gas, self.call_bytes
        if self.is_universal:
            gas, size = gas + PERMIT_GAS, size + PERMIT_BYTES
        return self.split.amount_out - (gas * gas_rate + size * byte_rate) // RATE_UNIT, -gas


def uses_v4(split: Split) -> bool:
    """Whether a pool of V4 is among those of the split."""
    return any(isinstance(hop.pool, V4Pool) for share in split.shares for hop in share.hops)


class Filler:
    """Fills swaps over the pools of one block; `unknown` collects as that of `Search` does.

    No split takes more than *most_gas*: what does not fit is had along fewer paths, or not at all;
    a single path may take more where nothing else is found.
    What was found out about a pool is kept for the next amount.
    """

    def __init__(self, search: Search, most_gas: int = MOST_GAS) -> None:
        self._search = search
        self._splitter = Splitter(search.pools, search.hubs, search.unknown)
        self._room = _room(search.pools, most_gas)
        self._most_gas = most_gas

    @property
    def unknown(self) -> dict[Address, int]:
        """Pools (address, bitmap word) whose known ticks ran out."""
        return self._search.unknown

    def best(
        self, sell: Address, buy: Address, amount: int, gas_rate: int = 0, byte_rate: int = 0
    ) -> Filling | None:
        """The split that brings most after gas and bytes, which cost these rates per RATE_UNIT.

        The rates are base units of *buy*. Never less than the best single path that has
        room; more than one path also where none alone takes all.
        """
        if sell == buy or amount <= 0:
            return None
        route = self._search.best(sell, buy, amount, gas_rate)
        cost = _cost(gas_rate, byte_rate)
        order = Order(sell=sell, buy=buy, amount=amount, gas=cost, room=self._room)
        if route is not None and self._promises_too_little(route, order, gas_rate):
            return self._bounded(_alone(route, amount))
        hops = () if route is None else route.hops
        choice = self._splitter.best(order, hops)
        most = None if choice is None else _net_bound(choice, gas_rate)
        found = None if choice is None else _filling(choice, most)
        found = None if found is None or dearest_gas(found.split) > self._most_gas else found
        if route is None:
            return found
        alone = _alone(route, amount, most)
        if found is None:
            return self._bounded(alone)
        pays = found.net(gas_rate, byte_rate) > alone.net(gas_rate, byte_rate)
        if pays or dearest_gas(alone.split) > self._most_gas:
            return found
        return self._bounded(alone)

    def _promises_too_little(self, route: Route, order: Order, gas_rate: int) -> bool:
        """Whether all at the price of its first unit would not pay for one hop more."""
        most = int(self._splitter.at_first_prices(order)) + 1
        hop = (SHARING_GAS + min(V2_HOP_GAS, V3_HOP_GAS)) * gas_rate // RATE_UNIT
        return most - route.amount_out < hop

    def alone(self, sell: Address, buy: Address, amount: int, gas_rate: int = 0) -> Filling | None:
        """The single path that brings most after gas."""
        if sell == buy or amount <= 0:
            return None
        route = self._search.best(sell, buy, amount, gas_rate)
        return None if route is None else self._bounded(_alone(route, amount))

    def _bounded(self, filling: Filling) -> Filling:
        """The single path with what it could bring at most."""
        (share,) = filling.split.shares
        bound = self._splitter.bound(share.hops, share.amount_in)
        return replace(filling, split=replace(filling.split, bound=_whole(bound)))


def _alone(route: Route, amount: int, net_bound: int | None = None) -> Filling:
    ticks = route.gas - BASE_GAS - sum(map(_hop_gas, route.hops))
    share = Share(
        hops=route.hops,
        amount_in=amount,
        amount_out=route.amount_out,
        ticks_crossed=ticks // TICK_GAS,
    )
    split = Split(shares=(share,))
    return Filling(split, split_gas(split), net_bound)


def split_gas(split: Split) -> int:
    """Gas of a split in one transaction."""
    gas = BASE_GAS + (SHARING_GAS if len(split.shares) > 1 else 0)
    if uses_v4(split):
        gas = BASE_GAS + UNIVERSAL_GAS + TAKING_GAS * len(split.shares)
    gas += sum(map(_hop_gas, split.swaps))
    return gas + sum(share.ticks_crossed for share in split.shares) * TICK_GAS


def dearest_gas(split: Split) -> int:
    """Gas of a split where hops and ticks are dear."""
    ticks = sum(share.ticks_crossed for share in split.shares)
    return split_gas(split) + len(split.swaps) * DEARER_HOP_GAS + ticks * DEARER_TICK_GAS


def _hop_gas(hop: Hop) -> int:
    return hop_gas(hop.pool)


def _room(pools: Mapping[Pair, Sequence[Pool]], most_gas: int) -> Room:
    """Room for hops and ticks; where there are pools of V4, as if each hop began a share."""
    has_v4 = any(isinstance(pool, V4Pool) for some in pools.values() for pool in some)
    once, each = (UNIVERSAL_GAS, TAKING_GAS) if has_v4 else (SHARING_GAS, 0)
    each += DEARER_HOP_GAS
    gas = GasCost(
        v2_hop=V2_HOP_GAS + each,
        v3_hop=V3_HOP_GAS + each,
        v4_hop=V4_HOP_GAS + each,
        tick=TICK_GAS + DEARER_TICK_GAS,
    )
    return Room(most=most_gas - BASE_GAS - once, gas=gas)


def _cost(gas_rate: int, byte_rate: int) -> GasCost:
    unit, call = gas_rate / RATE_UNIT, HOP_BYTES * byte_rate / RATE_UNIT
    return GasCost(
        v2_hop=V2_HOP_GAS * unit + call,
        v3_hop=V3_HOP_GAS * unit + call,
        v4_hop=V4_HOP_GAS * unit + call,
        tick=TICK_GAS * unit,
    )


def _filling(choice: Choice, net_bound: int | None) -> Filling | None:
    """The choice as the chain would perform it; None where rounding makes a pool refuse."""
    split = quote_split(choice.paths)
    if not isinstance(split, Split):
        return None
    return Filling(replace(split, bound=_whole(choice.bound)), split_gas(split), net_bound)


def _net_bound(choice: Choice, gas_rate: int) -> int:
    return int(choice.net_bound) + 1 - mul_div_down(BASE_GAS, gas_rate, RATE_UNIT)


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound) + 1
