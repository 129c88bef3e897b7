"""All pools that one swap could use as a network of tokens, and the best flow along some of them.

Tokens are nodes, and all that arrives at one goes on to wherever it brings most. Paths have at most
three hops, so that what came to a hub over another hub can only go to what is bought: where a hub
gives more to other hubs than came to it from what is sold, it is two nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.core.amm.path import Hop
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.planning.split_paths import Drawn, draw
from agent.planning.split_prices import Arc, Bound, Link, Node, gain, least_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class GasCost:
    """What gas costs in base units of what is bought: of a hop of each kind, and of a tick."""

    v2_hop: float
    v3_hop: float
    v4_hop: float
    tick: float

    def of(self, hop: Hop) -> float:
        """What this hop costs before it crosses ticks."""
        if isinstance(hop.pool, V2Pool):
            return self.v2_hop
        return self.v3_hop if isinstance(hop.pool, V3Pool) else self.v4_hop

    def all_of(self, drawn: Drawn) -> float:
        """What the hops and ticks of paths cost."""
        ticks = sum(arc.curve.ticks(x) for arc, x in drawn.used.items())
        return sum(map(self.of, drawn.swaps)) + self.tick * ticks

    def net(self, drawn: Drawn) -> float:
        """What paths bring after the gas of their hops and ticks."""
        return drawn.amount_out - self.all_of(drawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much the hops and ticks of a swap may take at most: units of gas, and those of each."""

    most: float
    gas: GasCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be divided: base units of one token for as much as possible of another."""

    sell: Address
    buy: Address
    amount: int
    gas: GasCost
    room: Room | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The best flow along some arcs as paths, what they bring after gas, and its proof."""

    drawn: Drawn
    net: float
    bound: Bound
    links: tuple[Link, ...]
    apart: frozenset[Address]


@dataclass(frozen=True, slots=True)
class Network:
    """The arcs that lie on a way of three hops from one end of an order to the other.

    `known` are the best flows along some of them that were found before.
    """

    arcs: Sequence[Arc]
    order: Order
    known: dict[frozenset[Arc], Found | None] = field(default_factory=dict)

    def first_prices(self, path: Sequence[Arc]) -> dict[Node, float]:
        """Prices to begin with: what the first unit brings, or one more where *path* takes all."""
        prices: dict[Node, float] = {(self.order.buy, False): 1.0}
        for _ in range(3):
            for arc in self.arcs:
                one = arc.hop.token_in, False
                price = arc.spot * prices.get((arc.hop.token_out, False), 0.0)
                if arc.hop.token_in != self.order.buy and price > prices.get(one, 0.0):
                    prices[one] = price
        x, slopes = float(self.order.amount), []
        for arc in path:
            x, slope = arc.curve.at(x)
            slopes.append(slope)
        price = 1.0
        for arc, slope in zip(reversed(path), reversed(slopes), strict=True):
            price *= slope
            if price > 0.0:
                prices[arc.hop.token_in, False] = price
        return prices

    def links(self, *, pay_gas: bool, apart: frozenset[Address] = frozenset()) -> tuple[Link, ...]:
        """The arcs between nodes; hubs that are *apart* are two nodes each."""
        sell, buy, gas = self.order.sell, self.order.buy, self.order.gas
        return tuple(
            Link(
                arc,
                (arc.hop.token_in, arc.hop.token_out == buy and arc.hop.token_in in apart),
                (arc.hop.token_out, arc.hop.token_in != sell and arc.hop.token_out in apart),
                gas.of(arc.hop) if pay_gas else 0.0,
            )
            for arc in self.arcs
        )

    def within(self, room: float, prices: Mapping[Node, float]) -> Network:
        """Without the arcs that miss their gas by more than *room* at these prices.

        Where *room* is from what is found already to the bound, what uses such an arc is not
        better.
        """
        links = self.links(pay_gas=True)
        some = [each.arc for each in links if gain(each, prices) + room > each.cost]
        return Network(joined(some, self.order.sell, self.order.buy), self.order)

    def bound(self, links: tuple[Link, ...], prices: Mapping[Node, float]) -> Bound:
        """The least bound downhill from *prices*."""
        start, end = (self.order.sell, False), (self.order.buy, False)
        nodes = dict.fromkeys([start, *(node for each in links for node in (each.one, each.other))])
        first = {node: prices.get(node) or prices[node[0], not node[1]] for node in nodes}
        return least_bound(links, {start: float(self.order.amount)}, first, end)

    def best(self, prices: Mapping[Node, float]) -> Found | None:
        """The best flow, gas aside, as paths; None where the pools do not take so much."""
        apart: frozenset[Address] = frozenset()
        parted: frozenset[Address] = frozenset()
        while True:
            links = self.links(pay_gas=False, apart=apart)
            bound = self.bound(links, prices)
            at = bound.prices
            joined = _inverted(at, apart)
            parting = set(_overdrawn(bound, self.order)) - parted
            if not joined and not parting:
                break
            apart = (apart | parting) - joined
            parted |= parting
        drawn = draw(bound.taken, (self.order.sell, self.order.buy), self.order.amount)
        if drawn is None:
            return None
        return Found(drawn, self.order.gas.net(drawn), bound, links, apart)

    def has_room(self, found: Found) -> bool:
        """Whether hops and ticks take no more gas than there is room for."""
        room = self.order.room
        return room is None or room.gas.all_of(found.drawn) <= room.most

    def net_bound(self, found: Found) -> float:
        """The least bound after gas from the prices of *found*."""
        links = self.links(pay_gas=True, apart=found.apart)
        paid = self.bound(links, found.bound.prices)
        before_gas = found.bound.value
        return before_gas if _inverted(paid.prices, found.apart) else min(paid.value, before_gas)

    def weak(self, found: Found) -> list[tuple[float, frozenset[Arc]]]:
        """Arcs that bring less than the gas that they make necessary, the weakest first."""
        return [(lost, arcs) for lost, arcs in self.ranked(found) if lost < 0]

    def ranked(self, found: Found) -> list[tuple[float, frozenset[Arc]]]:
        """What would be lost without each arc, after gas, the least first.

        Each with those that would lead nowhere without it.
        """
        prices, order = found.bound.prices, self.order
        taken = found.bound.taken
        gains = {
            each.arc: gain(each, prices) - order.gas.tick * each.arc.curve.ticks(taken[each.arc][0])
            for each in found.links
            if each.arc in taken
        }
        hubs = Counter(arc.hop.token_in for arc in gains)
        targets = Counter(arc.hop.token_out for arc in gains)
        ranked = []
        for arc in gains:
            dropped: Sequence[Arc] = (arc,)
            gone = 0
            if hubs[arc.hop.token_in] == 1 or targets[arc.hop.token_out] == 1:
                kept = joined([each for each in gains if each is not arc], order.sell, order.buy)
                if not kept:
                    continue
                here = set(kept)
                dropped = [each for each in gains if each not in here]
                gone = len(hubs) - len({each.hop.token_in for each in kept})
            # What comes to a hub is divided before it: a pool behind one is met, and one before it
            # once more; but for the last pool behind each hub nothing is divided.
            met = sum(1 + (each.hop.token_in != order.sell) for each in dropped) - gone
            lost = sum(gains[each] for each in dropped) - order.gas.of(arc.hop) * met
            ranked.append((lost, frozenset(dropped)))
        return sorted(ranked, key=lambda pair: pair[0])


def _inverted(prices: Mapping[Node, float], apart: frozenset[Address]) -> set[Address]:
    """Hubs at prices that prove nothing: what may go anywhere is worth no less than the rest."""
    return {hub for hub in apart if prices.get((hub, True), 0.0) > prices.get((hub, False), 0.0)}


def _overdrawn(bound: Bound, order: Order) -> Iterator[Address]:
    """Hubs that give more to other hubs than came to them from what is sold."""
    left: dict[Address, float] = {}
    for arc, (x, y) in bound.taken.items():
        hop = arc.hop
        if hop.token_in == order.sell:
            left[hop.token_out] = left.get(hop.token_out, 0.0) + y * (1.0 + 1e-9)
        elif hop.token_out != order.buy:
            left[hop.token_in] = left.get(hop.token_in, 0.0) - x
    return (hub for hub, amount in left.items() if amount < 0.0)


def joined(arcs: Iterable[Arc], sell: Address, buy: Address) -> list[Arc]:
    """The arcs that lie on a way from one end to the other."""
    kept = list(arcs)
    while True:
        arcs = kept
        reached = {sell} | {arc.hop.token_out for arc in arcs}
        left = {buy} | {arc.hop.token_in for arc in arcs}
        kept = [arc for arc in arcs if arc.hop.token_in in reached and arc.hop.token_out in left]
        if len(kept) == len(arcs):
            return kept
