"""The best way to divide one swap between paths over pools, net of gas.

Which pools are used is an integer choice, as each hop costs gas. From the best single path on,
pools and branches are added and taken away as long as that pays. At the marginal prices of a
division the surplus of a pool is, by weak duality, the most that adding it can bring and the least
that leaving it out can cost: so what cannot pay is not tried. For the pools that are chosen the
amounts are optimal and proven so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from agent.core.amm.path import MAX_HOPS, Hop, Pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.planning.pool_curve import AT_THE_END, Curve, in_a_row
from agent.planning.split_network import Network
from agent.planning.split_paths import Paths, paths, tree_outlets
from agent.planning.split_tree import Addition, Arc, Atlas, Branch, Flow, Node, in_row

_TRIES = 4
"""How many additions are tried one by one before the search gives up, the most promising first."""

_TIGHT = 2e-8
"""What is within this part of its bound is not looked for anywhere else."""

_PROMISING = 0.05
"""Additions that promise this part of the best one's surplus are tried together with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GasCost:
    """What gas costs in base units of what is bought: of a hop of each kind, and of a tick."""

    v2_hop: float
    v3_hop: float
    tick: float

    def of(self, hop: Hop) -> float:
        """What this hop costs before it crosses ticks."""
        return self.v3_hop if isinstance(hop.pool, V3Pool) else self.v2_hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be divided: base units of one token for as much as possible of another."""

    sell: Address
    buy: Address
    amount: int
    gas: GasCost


@dataclass(frozen=True, slots=True)
class Choice:
    """Paths with whole amounts in order, and what they bring after the gas of hops and ticks.

    `bound` is what no amounts along the same pools bring before gas, `net_bound` what no paths over
    any of the pools bring after it.
    """

    paths: Paths
    net: float
    bound: float
    net_bound: float


@dataclass(frozen=True, slots=True)
class _Found:
    """A tree with its best amounts, the paths along it and what they bring after gas."""

    paths: Paths
    net: float
    tree: Node
    flow: Flow


@dataclass(slots=True)
class Splitter:
    """Divides swaps over the pools of one page, keyed by tokens in their order.

    Curves are kept between calls. `unread` collects pools (address, bitmap word) that would be used
    further than their ticks are known.
    """

    pools: Mapping[tuple[Address, Address], Sequence[Pool]]
    hubs: Sequence[Address]
    unread: dict[Address, int] = field(default_factory=dict)
    _atlas: Atlas = field(default_factory=Atlas)
    _arcs: dict[tuple[Address, Address], list[Arc]] = field(default_factory=dict)
    _rows: dict[tuple[Arc, ...], Curve] = field(default_factory=dict)

    def best(self, order: Order, single: Sequence[Hop]) -> Choice | None:
        """The best division found, starting from the path *single* or from the best first units.

        None where all pools together do not take so much.
        """
        found = self._start(order, single)
        if found is None:
            return None
        while (better := self._better(found, order)) is not None:
            found = better
        choice = self._beside(found, order)
        self._note_unread(found.flow.taken.items())
        return choice

    def _beside(self, found: _Found, order: Order) -> Choice:
        """What was found, or what the network of all pools does where it proves to do better."""
        network = Network(self._all_arcs(order), order.sell, order.buy, float(order.amount))
        priced = network.priced(found.tree, found.flow, order.gas.of)
        best = Choice(found.paths, found.net, found.flow.bound, priced.value)
        if priced.value - found.net <= _TIGHT * priced.value:
            return best
        for flow in network.flows(priced, order.gas.of):
            drawn = paths(order.sell, network.outlets(flow), order.amount)
            out = sum(x for x in flow.paid)
            net = out - _gas(drawn, flow.taken, order.gas)
            if net > best.net:
                best = Choice(drawn, net, flow.bound, priced.value)
        return best

    def bound(self, hops: Sequence[Hop], amount: int) -> float | None:
        """What the path can bring at most by its curves; None where they do not take so much."""
        tree = Node((in_row([self._atlas.arc(hop) for hop in hops]),))
        flow = self._atlas.flow(tree, float(amount))
        return None if flow is None else flow.bound

    def _start(self, order: Order, single: Sequence[Hop]) -> _Found | None:
        """The choice of the path *single*, with as many more as it takes."""
        rows: list[tuple[Arc, ...]] = [tuple(map(self._atlas.arc, single))] if single else []
        found = self._rows_to(order.buy, (order.sell,), frozenset(), 0.0)
        rows += sorted(found, key=lambda row: -self._row(row).spot) if not single else ()
        branches: list[Branch] = []
        used: set[Address] = set()
        for row in rows:
            if used.isdisjoint(arc.hop.pool.address for arc in row):
                used |= {arc.hop.pool.address for arc in row}
                branches.append(in_row(row))
                choice = self._choice(Node(tuple(branches)), order)
                if choice is not None:
                    return choice
        if single:
            return self._start(order, ())
        self._note_unread((arc, inf) for row in rows for arc in row)
        return None

    def _choice(self, tree: Node, order: Order) -> _Found | None:
        flow = self._atlas.flow(tree, float(order.amount))
        if flow is None:
            return None
        found = paths(id(tree), tree_outlets(tree, flow.taken), order.amount)
        return _Found(found, flow.amount_out - _gas(found, flow.taken, order.gas), tree, flow)

    def _better(self, best: _Found, order: Order) -> _Found | None:
        """A change of *best* that brings more; None if none was found."""
        used = frozenset(arc.hop.pool.address for arc in best.flow.taken)
        additions = sorted(
            self._additions(best.tree, (order.sell,), best.flow, order, used),
            key=lambda addition: -addition.gain,
        )
        tries = [[addition] for addition in additions[:_TRIES]]
        if len(tries) > 1:
            tries.insert(0, _together(additions))
        for chosen in tries:
            tried = self._choice(best.tree.grown(chosen), order)
            pruned = None if tried is None else self._pruned(tried, order)
            if pruned is not None and pruned.net > best.net:
                return pruned
        pruned = self._pruned(best, order)
        return pruned if pruned.net > best.net else None

    def _pruned(self, best: _Found, order: Order) -> _Found:
        """The choice without what costs more gas than it brings."""
        while True:
            weak = sorted(_weak(best.tree, 0, best.flow, order.gas), key=lambda pair: pair[0])
            for many in sorted({(len(weak) + 1) // 2, min(len(weak), 1)} - {0}, reverse=True):
                tree = best.tree.without({arc for _, arc in weak[:many]})
                tried = None if tree is None else self._choice(tree, order)
                if tried is not None and tried.net > best.net:
                    best = tried
                    break
            else:
                return best

    def _additions(
        self, node: Node, met: tuple[Address, ...], flow: Flow, order: Order, used: frozenset[str]
    ) -> Iterator[Addition]:
        """Pools and rows that could bring more than their gas at the prices of *flow*."""
        price = flow.prices[id(node)]
        for place, branch in enumerate(node.branches):
            target = branch.bundle[0].hop.token_out
            price_out = flow.price_of(branch.node)
            for arc in self._between(met[-1], target):
                if arc.spot * price_out <= price:
                    break
                if arc.hop.pool.address not in used:
                    gain = arc.curve.surplus(price, price_out)[0]
                    gain -= order.gas.of(arc.hop) * (len(met) + _depth(branch.node))
                    if gain > 0:
                        yield Addition(gain, node, place, (arc,))
            if branch.node is not None:
                yield from self._additions(branch.node, (*met, target), flow, order, used)
        for row in self._rows_to(order.buy, met, used, price):
            gain = self._row(row).surplus(price, 1.0)[0]
            gain -= sum(order.gas.of(arc.hop) for arc in row) + (len(met) - 1) * order.gas.v3_hop
            if gain > 0:
                yield Addition(gain, node, None, row)

    def _rows_to(
        self, buy: Address, met: tuple[Address, ...], used: frozenset[str], price: float
    ) -> Iterator[tuple[Arc, ...]]:
        """Rows of unused pools from the last token *met* whose first unit brings over *price*."""
        here = met[-1]
        for arc in self._between(here, buy):
            if arc.spot <= price:
                break
            if arc.hop.pool.address not in used:
                yield (arc,)
        for hub in self.hubs if len(met) < MAX_HOPS else ():
            if hub == buy or hub in met:
                continue
            for arc in self._between(here, hub):
                if arc.hop.pool.address not in used and arc.spot > 0:
                    rows = self._rows_to(buy, (*met, hub), used, price / arc.spot)
                    yield from ((arc, *row) for row in rows)

    def _between(self, one: Address, other: Address) -> list[Arc]:
        """The pools from one token to the other, the best first unit first."""
        if (one, other) not in self._arcs:
            key = (one, other) if int(one, 16) < int(other, 16) else (other, one)
            arcs = [
                self._atlas.arc(Hop(pool=pool, token_in=one, token_out=other))
                for pool in self.pools.get(key, ())
            ]
            self._arcs[one, other] = sorted(arcs, key=lambda arc: -arc.spot)
        return self._arcs[one, other]

    def _all_arcs(self, order: Order) -> list[Arc]:
        """Every pool in every direction that a path could use."""
        hubs = [hub for hub in self.hubs if hub not in {order.sell, order.buy}]
        return [
            arc
            for one in (order.sell, *hubs)
            for other in (*hubs, order.buy)
            if one != other
            for arc in self._between(one, other)
            if arc.spot > 0
        ]

    def _row(self, row: tuple[Arc, ...]) -> Curve:
        if len(row) == 1:
            return row[0].curve
        if row not in self._rows:
            self._rows[row] = in_a_row(self._row(row[:-1]), row[-1].curve)
        return self._rows[row]

    def _note_unread(self, taken: Iterable[tuple[Arc, float]]) -> None:
        """Remember which pools would be used beyond what is known of them."""
        for arc, x in taken:
            word = arc.curve.unread
            if word is not None and not arc.curve.takes(x * (1.0 + AT_THE_END)):
                self.unread[arc.hop.pool.address] = word


def _gas(drawn: Paths, taken: Mapping[Arc, float], gas: GasCost) -> float:
    """What the gas of paths costs: of each hop, and of the ticks that pools cross."""
    cost = sum(gas.of(hop) for hops, _ in drawn for hop in hops)
    return cost + gas.tick * sum(arc.curve.ticks(x) for arc, x in taken.items())


def _together(additions: Sequence[Addition]) -> list[Addition]:
    """The most promising additions that do not share a pool."""
    chosen: list[Addition] = []
    used: set[Address] = set()
    for addition in additions:
        addresses = {arc.hop.pool.address for arc in addition.row}
        if addition.gain > additions[0].gain * _PROMISING and used.isdisjoint(addresses):
            chosen.append(addition)
            used |= addresses
    return chosen


def _weak(node: Node, depth: int, flow: Flow, gas: GasCost) -> Iterator[tuple[float, Arc]]:
    """Arcs whose surplus is less than the gas that they cost, and by how much (negative)."""
    for branch in node.branches:
        alone = len(branch.bundle) == 1
        after = 0 if branch.node is None else _depth(branch.node)
        for arc in branch.bundle:
            gain = arc.curve.surplus(flow.prices[id(node)], flow.price_of(branch.node))[0]
            if alone and branch.node is not None:
                gain += _surplus(branch.node, flow)
            cost = gas.of(arc.hop) * (depth + 1 + after)
            if gain < cost and (not alone or len(node.branches) > 1):
                yield gain - cost, arc
        if branch.node is not None:
            yield from _weak(branch.node, depth + 1, flow, gas)


def _surplus(node: Node, flow: Flow) -> float:
    """What all behind a node gain at the prices of the flow."""
    return sum(
        arc.curve.surplus(price_in, price_out)[0]
        for price_in, arc, price_out in node.priced(flow.prices)
    )


def _depth(node: Node | None) -> int:
    """Hops on the shortest way from a node to the end."""
    return 0 if node is None else 1 + min(_depth(branch.node) for branch in node.branches)
