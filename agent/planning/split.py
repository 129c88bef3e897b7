"""The best way to divide one swap between paths over pools, net of gas.

Each hop costs gas, so that which pools are used is an integer choice; for the pools that are chosen
the amounts are optimal, and prices prove it. At these prices the surplus of a pool is, by weak
duality, the most that adding it can bring and the least that leaving it out can cost: what cannot
pay is not tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import inf

from agent.core.amm.path import Hop, Pool
from agent.core.money import Address
from agent.planning.pool_curve import AT_THE_END, pool_curve
from agent.planning.split_network import Found, GasCost, Network, Order, Room, joined
from agent.planning.split_paths import Paths
from agent.planning.split_prices import Arc, Link, Node, gain
from agent.planning.split_trim import trimmed

__all__ = ["Choice", "GasCost", "Order", "Room", "Splitter"]

_TIGHT = 2e-8
"""What is within this part of its bound is not looked for anywhere else."""

_AT_ONCE = 4
"""Of pools that are not worth their gas, a part like this is left out at a time."""

_FEW = 3
"""Up to so many paths gas counts most, and the search also begins with the single path."""

_TRIES = 8
"""How many single changes are tried before the search ends, the most promising first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Paths with whole amounts in order, and what they bring after the gas of hops and ticks.

    `bound` is what no amounts along the same pools bring before gas, by these `prices` of tokens;
    `net_bound` what no paths over any of the pools bring after it.
    """

    paths: Paths
    net: float
    bound: float
    net_bound: float
    prices: Mapping[Node, float]


@dataclass(slots=True)
class Splitter:
    """Divides swaps over the pools of one page, keyed by tokens in their order.

    Curves are kept between calls. `unread` collects pools (address, bitmap word) that would be used
    further than their ticks are known.
    """

    pools: Mapping[tuple[Address, Address], Sequence[Pool]]
    hubs: Sequence[Address]
    unread: dict[Address, int] = field(default_factory=dict)
    _arcs: dict[tuple[Address, Address], Arc] = field(default_factory=dict)

    def best(self, order: Order, single: Sequence[Hop]) -> Choice | None:
        """The best division found, starting from the path *single* if there is one.

        None where all pools together do not take so much, or not with so little gas.
        """
        path = [self._arc(hop) for hop in single]
        network = Network(self._all_arcs(order), order)
        prices = network.first_prices(path)
        if (order.sell, False) not in prices:
            return None
        network = Network(
            [arc for arc in network.arcs if (arc.hop.token_out, False) in prices], order
        )
        found = Network(path, order).best(prices) if path else None
        rough = network.bound(network.links(pay_gas=True), prices)
        most = rough.value
        if found is None or most - found.net > _TIGHT * most:
            network = network.within(inf if found is None else most - found.net, rough.prices)
            whole = network.best(rough.prices)
            if whole is not None:
                best = _searched(network, whole, found)
                most = max(min(most, network.net_bound(whole)), best.net)
                found = _within_room(network, best, whole) or found
        if found is None:
            self._note_unread((arc, inf) for arc in network.arcs)
            return None
        found = trimmed(found, order.gas)
        self._note_unread(found.drawn.used.items())
        return Choice(found.drawn.paths, found.net, found.bound.value, most, found.bound.prices)

    def at_first_prices(self, order: Order) -> float:
        """What all of it would bring at the price of the first unit: no division brings more."""
        prices = Network(self._all_arcs(order), order).first_prices(())
        return order.amount * prices.get((order.sell, False), 0.0)

    def bound(self, hops: Sequence[Hop], amount: int) -> float | None:
        """What the path can bring at most by its curves; None where they do not take so much."""
        order = Order(
            sell=hops[0].token_in,
            buy=hops[-1].token_out,
            amount=amount,
            gas=GasCost(v2_hop=0.0, v3_hop=0.0, v4_hop=0.0, tick=0.0),
        )
        path = [self._arc(hop) for hop in hops]
        network = Network(path, order)
        found = network.best(network.first_prices(path))
        return None if found is None else found.bound.value

    def _arc(self, hop: Hop) -> Arc:
        return self._arc_of(hop.pool, hop.token_in, hop.token_out)

    def _arc_of(self, pool: Pool, token_in: Address, token_out: Address) -> Arc:
        key = (pool.address, token_in)
        if key not in self._arcs:
            hop = Hop(pool=pool, token_in=token_in, token_out=token_out)
            curve = pool_curve(pool, zero_for_one=hop.zero_for_one)
            self._arcs[key] = Arc(hop, curve, curve.spot)
        return self._arcs[key]

    def _all_arcs(self, order: Order) -> list[Arc]:
        """Every pool in every direction that a path could use."""
        hubs = [hub for hub in self.hubs if hub not in {order.sell, order.buy}]
        arcs = [
            self._arc_of(pool, one, other)
            for one in (order.sell, *hubs)
            for other in (*hubs, order.buy)
            if one != other
            for pool in self.pools.get(
                (one, other) if int(one, 16) < int(other, 16) else (other, one), ()
            )
        ]
        return [arc for arc in arcs if arc.spot > 0.0]

    def _note_unread(self, taken: Iterable[tuple[Arc, float]]) -> None:
        """Remember which pools would be used beyond what is known of them."""
        for arc, x in taken:
            word = arc.curve.unread
            if word is not None and not arc.curve.takes(x * (1.0 + AT_THE_END)):
                self.unread[arc.hop.pool.address] = word


def _within_room(network: Network, found: Found, whole: Found) -> Found | None:
    """What is left when pools are left out until the rest has room.

    Those go first that bring least, or those that bring least for their gas: what leaves more.
    """
    if network.has_room(found):
        return found
    left = [_thinned(network, found, for_gas=for_gas) for for_gas in (False, True)]
    climbed = [_climbed(network, each, whole) for each in left if each is not None]
    return max(climbed, key=lambda each: each.net, default=None)


def _thinned(network: Network, found: Found, *, for_gas: bool) -> Found | None:
    here: Found | None = found
    while here is not None and not network.has_room(here):
        ranked, taken, near = network.ranked(here), here.bound.taken, here.bound.prices
        if for_gas and network.order.room is not None:
            gas = network.order.room.gas
            by_arc = {
                arc: gas.of(arc.hop) + gas.tick * arc.curve.ticks(x)
                for arc, (x, _) in taken.items()
            }
            ranked.sort(key=lambda each: each[0] / sum(by_arc[arc] for arc in each[1]))
        fewer = (_along(network, set(taken) - arcs, near) for _, arcs in ranked)
        here = next((after for after in fewer if after is not None), None)
    return here


def _searched(network: Network, whole: Found, alone: Found | None) -> Found:
    """The best that single changes lead to: of ever fewer pools, and of the single path.

    The second only where the first used few paths: then gas counts most.
    """
    best = _climbed(network, _pruned(network, whole), whole)
    if alone is not None and (len(best.drawn.paths) <= _FEW or alone.net > best.net):
        best = max(best, _climbed(network, alone, whole), key=lambda found: found.net)
    return best


def _climbed(network: Network, found: Found, whole: Found) -> Found:
    """Where single changes lead to as long as each brings more."""
    while (better := _changed(network, found, whole)) is not None:
        found = better
    return found


def _pruned(network: Network, found: Found) -> Found:
    """The best while what is not worth its gas is taken away, the weakest first."""
    best, here = found, found
    while weak := network.weak(here):
        dropped = frozenset().union(*(arcs for _, arcs in weak[: 1 + len(weak) // _AT_ONCE]))
        after = _along(network, set(here.bound.taken) - dropped, here.bound.prices)
        if after is None:
            break
        here = after
        if here.net > best.net:
            best = here
    return best


def _changed(network: Network, best: Found, whole: Found) -> Found | None:
    """A pool or a hub more, or a pool less, that brings more; None if none was found."""
    used, prices = set(best.bound.taken), whole.bound.prices | best.bound.prices
    has_room = network.has_room(best)
    more = _promising(network, whole.links, used, prices)
    tries = [used - dropped for _, dropped in network.weak(best)[:_TRIES]]
    tries += [used | added for _, added in sorted(more, key=lambda each: -each[0])[:_TRIES]]
    for arcs in tries:
        found = _along(network, arcs, prices)
        found = found and _pruned(network, found)
        if found is not None and found.net > best.net and network.has_room(found) >= has_room:
            return found
    return None


def _promising(
    network: Network, links: Sequence[Link], used: Set[Arc], prices: Mapping[Node, float]
) -> list[tuple[float, set[Arc]]]:
    """Pools beyond those used that could bring more than their gas, and how much more.

    Of hubs that are not used yet, the best ways over one or two of them.
    """
    gas = network.order.gas
    promise = {
        link: gain(link, prices) - gas.of(link.arc.hop) for link in links if link.arc not in used
    }
    met = {token for arc in used for token in (arc.hop.token_in, arc.hop.token_out)}
    into: dict[Address, Link] = {}
    out_of: dict[Address, Link] = {}
    ways: list[tuple[Link | None, ...]] = []
    for link in sorted(promise, key=lambda link: promise[link]):
        one, other = link.arc.hop.token_in, link.arc.hop.token_out
        if one in met and other in met:
            ways.append((link,))
        elif one in met:
            into[other] = link
        elif other in met:
            out_of[one] = link
    ways += [(link, out_of.get(hub)) for hub, link in into.items()]
    ways += [
        (into.get(link.arc.hop.token_in), link, out_of.get(link.arc.hop.token_out))
        for link in promise
        if link.arc.hop.token_in not in met and link.arc.hop.token_out not in met
    ]
    sums = [
        (sum(promise[link] for link in way), {link.arc for link in way})
        for way in ([link for link in way if link] for way in ways if None not in way)
    ]
    return [(total, arcs) for total, arcs in sums if total > 0.0]


def _along(network: Network, arcs: Set[Arc], near: Mapping[Node, float]) -> Found | None:
    """The best flow along *arcs* only, found from prices that are *near*; each set once."""
    order = network.order
    kept = joined([arc for arc in network.arcs if arc in arcs], order.sell, order.buy)
    key = frozenset(kept)
    if key not in network.known:
        network.known[key] = Network(kept, order).best(near) if kept else None
    return network.known[key]
