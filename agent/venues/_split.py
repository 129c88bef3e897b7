"""The best way to fill a swap over the pools of one block: on one path, or on several."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.amm.path import Hop
from agent.core.amm.split import Share, Split, quote_split
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.core.rounding import mul_div_down
from agent.planning.split import Choice, GasCost, Order, Splitter
from agent.venues._paths import (
    BASE_GAS,
    RATE_UNIT,
    TICK_GAS,
    V2_HOP_GAS,
    V3_HOP_GAS,
    Route,
    Search,
)


@dataclass(frozen=True, slots=True)
class Filling:
    """A split, quoted exactly, and the gas of all of it in one transaction.

    `net_bound` is what no split over any of the pools that were searched brings after gas; None
    where nothing was proven.
    """

    split: Split
    gas: int
    net_bound: int | None = None

    def net(self, gas_rate: int) -> tuple[int, int]:
        """What is left after gas at *gas_rate*, and then the less gas the better."""
        return self.split.amount_out - mul_div_down(self.gas, gas_rate, RATE_UNIT), -self.gas


class Filler:
    """Fills swaps over the pools of one block; `unknown` collects as that of `Search` does.

    What was found out about a pool is kept for the next amount.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._splitter = Splitter(search.pools, search.hubs, search.unknown)

    @property
    def unknown(self) -> dict[Address, int]:
        """Pools (address, bitmap word) whose known ticks ran out."""
        return self._search.unknown

    def best(self, sell: Address, buy: Address, amount: int, gas_rate: int = 0) -> Filling | None:
        """The split that brings most after gas, which costs *gas_rate* of *buy* per RATE_UNIT.

        Never less than the best single path; more than one path also where none alone takes all.
        """
        if sell == buy or amount <= 0:
            return None
        route = self._search.best(sell, buy, amount, gas_rate)
        hops = () if route is None else route.hops
        order = Order(sell=sell, buy=buy, amount=amount, gas=_cost(gas_rate))
        choice = self._splitter.best(order, hops)
        found = None if choice is None else _filling(choice, gas_rate)
        if route is None or (found is not None and found.net(gas_rate) > route.net(gas_rate)):
            return found
        most = None if choice is None else _net_bound(choice, gas_rate)
        return Filling(self._alone(route, amount), route.gas, most)

    def _alone(self, route: Route, amount: int) -> Split:
        """The path by itself, with what it could bring at most."""
        ticks = route.gas - BASE_GAS - sum(map(_hop_gas, route.hops))
        share = Share(
            hops=route.hops,
            amount_in=amount,
            amount_out=route.amount_out,
            ticks_crossed=ticks // TICK_GAS,
        )
        return Split(shares=(share,), bound=_whole(self._splitter.bound(route.hops, amount)))


def split_gas(split: Split) -> int:
    """Gas of a split in one transaction."""
    gas = BASE_GAS
    for share in split.shares:
        gas += sum(_hop_gas(hop) for hop in share.hops) + share.ticks_crossed * TICK_GAS
    return gas


def _hop_gas(hop: Hop) -> int:
    return V3_HOP_GAS if isinstance(hop.pool, V3Pool) else V2_HOP_GAS


def _cost(gas_rate: int) -> GasCost:
    unit = gas_rate / RATE_UNIT
    return GasCost(v2_hop=V2_HOP_GAS * unit, v3_hop=V3_HOP_GAS * unit, tick=TICK_GAS * unit)


def _filling(choice: Choice, gas_rate: int) -> Filling | None:
    """The choice as the chain would perform it; None where rounding makes a pool refuse."""
    split = quote_split(choice.paths)
    if not isinstance(split, Split):
        return None
    split = replace(split, bound=_whole(choice.bound))
    return Filling(split, split_gas(split), _net_bound(choice, gas_rate))


def _net_bound(choice: Choice, gas_rate: int) -> int:
    return int(choice.net_bound) + 1 - mul_div_down(BASE_GAS, gas_rate, RATE_UNIT)


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound) + 1
