"""Moves parts of a swap between its paths where that saves more gas than it costs.

At the best amounts before gas what is moved is lost only by the square of it, but a pool that is
met once less, or a tick that is not crossed, is saved whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.money import Address
from agent.planning.split_network import Found, GasCost
from agent.planning.split_paths import Paths, Place, place, swapped
from agent.planning.split_prices import Arc

_BEYOND = 1e-3
"""So much more than what lies beyond a tick is moved: what it is worth is only nearly known."""

_ROOM = 1.2
"""A move is tried where it seems to lose at most so many times what it saves."""


def trimmed(found: Found, gas: GasCost) -> Found:
    """The same flow with amounts moved as long as each move brings more after gas."""
    best = found
    while True:
        for paths in _Moves(best, gas).all():
            drawn = swapped(paths, found.bound.taken)
            net = best.net if drawn is None else gas.net(drawn)
            if drawn is not None and net > best.net:
                best = Found(drawn, net, found.bound, found.links, found.apart)
                break
        else:
            return best


@dataclass(slots=True)
class _Moves:
    """What could be moved between the paths of a flow."""

    found: Found
    gas: GasCost

    def all(self) -> Iterator[Paths]:
        """Paths of which one gives its part to another one that begins or ends in the same pool.

        Then paths of which one gives another one what crosses the last tick of one of its pools.
        """
        paths = self.found.drawn.paths
        worth, resistance = self._worth(), self._resistance()
        value = worth[paths[0][0][0].token_in]

        met = [frozenset(map(place, hops)) for hops, _ in paths]

        def pays(one: int, other: int, amount: int, saved: float) -> bool:
            resisting = sum(resistance.get(pool, 0.0) for pool in met[one] ^ met[other])
            return 0.5 * (amount * value) ** 2 * resisting < _ROOM * saved

        for one, (hops, amount) in enumerate(paths):
            saved = sum(map(self.gas.of, hops))
            for other, (ways, _) in enumerate(paths):
                meet = hops[0] is ways[0] or hops[-1] is ways[-1]
                if other != one and meet and pays(one, other, amount, saved):
                    yield _moved(paths, one, other, amount)
        for arc, x in self.found.drawn.used.items():
            beyond = arc.curve.beyond_tick(x) * worth[arc.hop.token_in] / value
            amount = int(beyond * (1.0 + _BEYOND)) + 1
            for one, other in _around(paths, arc) if beyond else ():
                if amount < paths[one][1] and pays(one, other, amount, self.gas.tick):
                    yield _moved(paths, one, other, amount)

    def _worth(self) -> dict[Address, float]:
        prices = self.found.bound.prices
        early = {token: price for (token, late), price in prices.items() if not late}
        return {token: price for (token, _), price in prices.items()} | early

    def _resistance(self) -> dict[Place, float]:
        """By how much the price of each pool falls when one more in value goes in."""
        prices = self.found.bound.prices
        found: dict[Place, float] = {}
        for link in self.found.links:
            if link.arc in self.found.bound.taken:
                price = prices[link.one]
                give = link.arc.curve.meet(price / prices[link.other])[2]
                if give > 0.0:
                    found[place(link.arc.hop)] = 1.0 / (give * price)
        return found


def _around(paths: Paths, arc: Arc) -> Iterator[tuple[int, int]]:
    """Paths through a pool, with each of those that do not lead through it."""
    through = [any(hop is arc.hop for hop in hops) for hops, _ in paths]
    for one, has in enumerate(through):
        yield from ((one, other) for other, has_too in enumerate(through) if has and not has_too)


def _moved(paths: Paths, one: int, other: int, amount: int) -> Paths:
    amounts = [x for _, x in paths]
    amounts[one] -= amount
    amounts[other] += amount
    return tuple((hops, x) for (hops, _), x in zip(paths, amounts, strict=True) if x > 0)
