"""Takes paths off a flow: what each arc of a network takes becomes swaps in an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from agent.core.amm.path import Hop
from agent.core.amm.v2 import V2Pool
from agent.core.money import Address
from agent.planning.pool_curve import AT_THE_END
from agent.planning.split_prices import Arc

Paths = tuple[tuple[tuple[Hop, ...], int], ...]
"""Paths in the order in which they are swapped, and the base units into each."""

_NOTHING = 1e-9
"""The part of an arc's amount that is not worth a path of its own."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Paths, what they bring together before gas, and what each arc takes for them."""

    paths: Paths
    amount_out: float
    used: dict[Arc, float]


@dataclass(slots=True, eq=False)
class _Flow:
    """What an arc is to take and what it took; `worth` is of one unit in, to compare arcs by."""

    arc: Arc
    whole: float
    worth: float
    used: float = 0.0
    paid: float = 0.0

    @property
    def left(self) -> float:
        return self.whole - self.used

    def pays(self, x: float) -> float:
        """What comes out for *x* after what was swapped already."""
        if self._bent is None:
            curve = self.arc.curve
            return curve.at(self.used + x)[0] - curve.at(self.used)[0]
        m, n = self._bent
        return m * x / (1.0 + n * x)

    def needs(self, y: float) -> float:
        """What has to go in for *y* to come out."""
        if self._bent is None:
            curve = self.arc.curve
            return max(curve.needed(curve.at(self.used)[0] + y) - self.used, 0.0)
        m, n = self._bent
        return y / (m - n * y) if n * y < m else inf

    @property
    def _bent(self) -> tuple[float, float] | None:
        """The form of a v2 pair that was used: the fees that it took lie in its reserves."""
        pool = self.arc.hop.pool
        if self.used == 0.0 or not isinstance(pool, V2Pool):
            return None
        kept = pool.kept_numerator / pool.kept_denominator
        here, there = float(pool.reserve0), float(pool.reserve1)
        if not self.arc.hop.zero_for_one:
            here, there = there, here
        n = kept / (here + self.used)
        return n * (there - self.paid), n


def draw(
    taken: Mapping[Arc, tuple[float, float]],
    prices: Mapping[Address, float],
    ends: tuple[Address, Address],
    amount: int,
) -> Drawn | None:
    """The flow as paths, whole amounts that sum to *amount*; None where it leads nowhere.

    Each path uses up the least of what is left to do, and for the rest of its way those pools of
    which most is left, v3 before v2: a v2 pair that is met twice pays less than one met once. Arcs
    between hubs come first, so that no path is longer than three hops. What rounding leaves goes
    along the greatest path.
    """
    open_ = [_Flow(arc, x, prices[arc.hop.token_in]) for arc, (x, _) in taken.items() if x > 0.0]
    every = tuple(open_)
    found: list[tuple[list[_Flow], int]] = []
    left, out = amount, 0.0
    while open_:
        chain = _chain(open_, ends)
        if chain is None:
            continue
        whole = min(int(_most(chain)), left)
        if whole > 0:
            found.append((chain, whole))
            left -= whole
            out += _send(chain, float(whole))
        least = min(chain, key=lambda flow: flow.left / flow.whole)
        open_ = [flow for flow in open_ if flow is not least and flow.left > _NOTHING * flow.whole]
    if not found:
        return None
    place = max(range(len(found)), key=lambda number: found[number][1])
    chain, whole = found[place]
    found[place] = chain, whole + left
    out += _send(chain, float(left))
    if not all(flow.arc.curve.takes(flow.used * (1.0 - AT_THE_END / 2)) for flow in every):
        return None
    paths = tuple((tuple(flow.arc.hop for flow in chain), x) for chain, x in found)
    return Drawn(paths, out, {flow.arc: flow.used for flow in every if flow.used > 0})


def _chain(open_: list[_Flow], ends: tuple[Address, Address]) -> list[_Flow] | None:
    """The next path through *open_*; None after removing a flow that leads nowhere."""
    sell, buy = ends
    first = min(
        open_,
        key=lambda flow: (
            flow.arc.hop.token_in == sell or flow.arc.hop.token_out == buy,
            not isinstance(flow.arc.hop.pool, V2Pool),
            flow.left * flow.worth,
        ),
    )
    hop, chain = first.arc.hop, [first]
    if hop.token_in != sell:
        before = [
            flow
            for flow in open_
            if flow.arc.hop.token_in == sell and flow.arc.hop.token_out == hop.token_in
        ]
        chain = [*_fittest(before, first), *chain]
    if hop.token_out != buy:
        after = [
            flow
            for flow in open_
            if flow.arc.hop.token_in == hop.token_out and flow.arc.hop.token_out == buy
        ]
        chain = [*chain, *_fittest(after, first)]
    if len(chain) == 1 + (hop.token_in != sell) + (hop.token_out != buy):
        return chain
    open_.remove(first)
    return None


def _fittest(flows: Sequence[_Flow], first: _Flow) -> Sequence[_Flow]:
    """The flow that best takes all of *first*, if there is any."""
    enough = first.left * first.worth

    def fitness(flow: _Flow) -> tuple[float, bool, float]:
        worth = flow.left * flow.worth
        return min(worth, enough), not isinstance(flow.arc.hop.pool, V2Pool), worth

    return [max(flows, key=fitness)] if flows else []


def _most(chain: Sequence[_Flow]) -> float:
    """What goes into the first pool until one of them has all that it is to take."""
    most = inf
    for flow in reversed(chain):
        most = min(flow.needs(most) if most < inf else inf, flow.left)
    return most


def _send(chain: Sequence[_Flow], x: float) -> float:
    """Swap *x* along the chain; what comes out."""
    for flow in chain:
        y = flow.pays(x)
        flow.used += x
        flow.paid += y
        x = y
    return x
