"""All pools as one network of tokens: what no split can beat, and a split that comes near.

Where a tree (`agent.planning.split_tree`) may use a pool in one place only, here every token is one
node, and all that arrives at it goes on to wherever it brings most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.core.amm.path import Hop
from agent.core.money import Address
from agent.planning.split_paths import Outlet
from agent.planning.split_prices import Bound, least_bound
from agent.planning.split_tree import Arc, Flow, Node

_PRUNINGS = 4
"""How often pools that are not worth their gas are left out before the rest is taken as it is."""


@dataclass(frozen=True, slots=True)
class NetworkFlow:
    """What each arc takes, what the last ones pay, and what no amounts along them can beat."""

    taken: dict[Arc, float]
    paid: tuple[float, ...]
    bound: float


@dataclass(frozen=True, slots=True)
class Network:
    """Every pool and direction that one swap could use."""

    arcs: Sequence[Arc]
    sell: Address
    buy: Address
    amount: float

    def priced(self, tree: Node, flow: Flow, gas: Callable[[Hop], float]) -> Bound:
        """The least bound after gas that was found from the prices of a tree."""
        prices = self._spots()
        _learn(tree, flow, self.sell, prices)
        costs = [(arc, gas(arc.hop)) for arc in self._known(prices)]
        first = least_bound(costs, self.sell, self.amount, prices, self.buy)
        free = [(arc, 0.0) for arc, _ in costs]
        smooth = least_bound(free, self.sell, self.amount, first.prices, self.buy)
        again = least_bound(costs, self.sell, self.amount, smooth.prices, self.buy)
        return min(first, again, key=lambda bound: bound.value)

    def flows(self, priced: Bound, gas: Callable[[Hop], float]) -> Iterator[NetworkFlow]:
        """Flows along the pools that are worth their gas at these prices, fewer each time."""
        arcs = _in_three_hops(priced, self.sell, self.buy)
        prices = priced.prices
        for _ in range(_PRUNINGS):
            if not arcs:
                return
            free = [(arc, 0.0) for arc in arcs]
            bound = least_bound(free, self.sell, self.amount, prices, self.buy)
            prices = bound.prices
            paid = tuple(
                arc.curve.at(x)[0]
                for arc, x in bound.taken.items()
                if arc.hop.token_out == self.buy
            )
            if _is_whole(bound, self.sell, self.buy, self.amount):
                yield NetworkFlow(bound.taken, paid, bound.value)
            worth = [
                arc
                for arc in bound.taken
                if arc.curve.surplus(prices[arc.hop.token_in], prices[arc.hop.token_out])[0]
                > gas(arc.hop)
            ]
            if len(worth) == len(arcs):
                return
            arcs = worth

    def outlets(self, flow: NetworkFlow) -> dict[object, list[Outlet]]:
        """What leads out of each token."""
        outlets: dict[object, list[Outlet]] = {}
        for arc, x in flow.taken.items():
            target = None if arc.hop.token_out == self.buy else arc.hop.token_out
            outlets.setdefault(arc.hop.token_in, []).append(Outlet(arc, target, x))
        return outlets

    def _spots(self) -> dict[Address, float]:
        """What the first unit of each token brings, over at most one other token."""
        prices = {self.buy: 1.0}
        for _ in range(3):
            for arc in self.arcs:
                price = arc.spot * prices.get(arc.hop.token_out, 0.0)
                if arc.hop.token_in != self.buy and price > prices.get(arc.hop.token_in, 0.0):
                    prices[arc.hop.token_in] = price
        return prices

    def _known(self, prices: dict[Address, float]) -> list[Arc]:
        return [
            arc for arc in self.arcs if arc.hop.token_in in prices and arc.hop.token_out in prices
        ]


def _learn(node: Node, flow: Flow, token: Address, prices: dict[Address, float]) -> None:
    """Take over the prices of a tree, the first of each token."""
    if flow.prices[id(node)] > 0:
        prices[token] = flow.prices[id(node)]
    for branch in node.branches:
        if branch.node is not None:
            _learn(branch.node, flow, branch.bundle[0].hop.token_out, prices)


def _in_three_hops(priced: Bound, sell: Address, buy: Address) -> list[Arc]:
    """The arcs that are used, without those that would make a way longer than three hops.

    Between hubs, what arrives at one from another hub may not go on to a third: of arcs that
    contradict each other the one with less value stays out.
    """
    value = {arc: x * priced.prices[arc.hop.token_in] for arc, x in priced.taken.items()}
    kept: list[Arc] = []
    givers: set[Address] = set()
    takers: set[Address] = set()
    for arc in sorted(value, key=lambda each: -value[each]):
        one, other = arc.hop.token_in, arc.hop.token_out
        if one != sell and other != buy:
            if one in takers or other in givers:
                continue
            givers.add(one)
            takers.add(other)
        kept.append(arc)
    return _joined(kept, sell, buy)


def _joined(arcs: list[Arc], sell: Address, buy: Address) -> list[Arc]:
    """The arcs that lie on a way from one end to the other."""
    while True:
        reached = {sell} | {arc.hop.token_out for arc in arcs}
        left = {buy} | {arc.hop.token_in for arc in arcs}
        kept = [arc for arc in arcs if arc.hop.token_in in reached and arc.hop.token_out in left]
        if len(kept) == len(arcs):
            return kept
        arcs = kept


def _is_whole(bound: Bound, sell: Address, buy: Address, amount: float) -> bool:
    """Whether as much leaves each token as arrives."""
    balance: dict[Address, float] = {sell: amount}
    through: dict[Address, float] = {sell: amount}
    for arc, x in bound.taken.items():
        y = arc.curve.at(x)[0]
        balance[arc.hop.token_in] = balance.get(arc.hop.token_in, 0.0) - x
        balance[arc.hop.token_out] = balance.get(arc.hop.token_out, 0.0) + y
        through[arc.hop.token_out] = through.get(arc.hop.token_out, 0.0) + y
    return all(
        abs(balance[token]) <= 1e-6 * through.get(token, 0.0) for token in balance if token != buy
    )
