"""Takes paths off a flow: what each arc of a network takes becomes swaps in an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from agent.core.amm.path import Hop
from agent.core.amm.split import Stretches, stretches
from agent.core.amm.v2 import V2Pool
from agent.core.money import Address
from agent.planning.pool_curve import AT_THE_END
from agent.planning.split_prices import Arc

Paths = tuple[tuple[tuple[Hop, ...], int], ...]
"""Paths in the order in which they are swapped, and the base units into each."""

Place = tuple[Address, Address]
"""The address of a pool, and the token that goes in."""

_NOTHING = 1e-6
"""The part of an arc's amount that is not worth a path of its own: what is not divided just as the
prices say is lost by the square of it."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Paths, what they bring together before gas, and what each arc takes for them.

    `swaps` are their pools as often as they are swapped in: those in which neighbours end, once.
    """

    paths: Paths
    amount_out: float
    used: dict[Arc, float]
    swaps: tuple[Hop, ...]


@dataclass(slots=True, eq=False)
class _Flow:
    """What an arc is to take and to pay, and what it took and paid."""

    arc: Arc
    whole: float
    out: float
    used: float = 0.0
    paid: float = 0.0

    @property
    def is_pair(self) -> bool:
        """Whether it pays less when it is met twice: a v2 pair keeps the fee of the first swap."""
        return isinstance(self.arc.hop.pool, V2Pool)

    def swap(self, x: float) -> float:
        """What comes out for *x* after what was swapped already."""
        if self._bent is None:
            curve = self.arc.curve
            y = curve.at(self.used + x)[0] - curve.at(self.used)[0]
        else:
            m, n = self._bent
            y = m * x / (1.0 + n * x)
        self.used += x
        self.paid += y
        return y

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


@dataclass(slots=True, eq=False)
class _Sink:
    """Where several flows bring what is swapped on at once: a pool, and pools before it.

    `room` is what is still to be brought.
    """

    flow: _Flow
    room: float
    before: list[_Sink] = field(default_factory=list)
    sources: list[tuple[_Flow, float]] = field(default_factory=list)

    def ways(self, behind: tuple[Hop, ...]) -> Iterator[_Way]:
        """The ways through it, those that meet pools before it first."""
        hops = (self.flow.arc.hop, *behind)
        for sink in self.before:
            yield from sink.ways(hops)
        for flow, part in self.sources:
            yield flow, part, (flow.arc.hop, *hops)


_Way = tuple[_Flow, float, tuple[Hop, ...]]
"""The flow with which a path begins, what it is to bring to its next pool, and the path."""


def draw(
    taken: Mapping[Arc, tuple[float, float]], ends: tuple[Address, Address], amount: int
) -> Drawn | None:
    """The flow as paths, whole amounts that sum to *amount*; None where it leads nowhere.

    All that comes to the last pool of paths goes through it at once, and so it is with a pool
    between hubs, for each last pool once. What comes to a hub is divided before it: so a pool that
    leads there is met once for each pool behind, a pair where it can be for one only, since a pair
    that is met twice pays less. What rounding leaves goes along the greatest path.
    """
    sell, buy = ends
    flows = [_Flow(arc, x, y) for arc, (x, y) in taken.items() if x > 0.0]
    ways: list[_Way] = [
        (flow, inf, (flow.arc.hop,))
        for flow in flows
        if flow.arc.hop.token_in == sell and flow.arc.hop.token_out == buy
    ]
    for last in _sinks(flows, sell, buy):
        ways += last.ways(())
    paths = _whole(ways, amount)
    return swapped(paths, taken) if paths else None


def swapped(paths: Paths, arcs: Iterable[Arc]) -> Drawn | None:
    """What *paths* over *arcs* bring; None where one of those does not take so much."""
    flows = {place(arc.hop): _Flow(arc, 0.0, 0.0) for arc in arcs}
    turns = stretches([hops for hops, _ in paths])
    out = _brought([amount for _, amount in paths], turns, flows)
    if not all(flow.arc.curve.takes(flow.used * (1.0 - AT_THE_END / 2)) for flow in flows.values()):
        return None
    used = {flow.arc: flow.used for flow in flows.values() if flow.used > 0}
    return Drawn(paths, out, used, tuple(hop for turn in turns for some in turn for hop in some))


def place(hop: Hop) -> Place:
    """The pool and the direction, which are quicker to compare than all that is known of a pool."""
    return hop.pool.address, hop.token_in


def _sinks(flows: Sequence[_Flow], sell: Address, buy: Address) -> list[_Sink]:
    """The last pools, with all that leads to them."""
    onward = [flow for flow in flows if flow.arc.hop.token_in != sell]
    lasts = [_Sink(flow, flow.whole) for flow in onward if flow.arc.hop.token_out == buy]
    between: list[_Sink] = []
    for flow in _in_order([flow for flow in onward if flow.arc.hop.token_out != buy]):
        parts = _placed(flow, lasts)
        brought = 0.0
        for last in lasts:
            if last in parts:
                before = flow.arc.curve.needed(brought)
                brought += parts[last]
                sink = _Sink(flow, flow.arc.curve.needed(brought) - before)
                last.before.append(sink)
                between.append(sink)
    first = [flow for flow in flows if flow.arc.hop.token_in == sell]
    for flow in _in_order([flow for flow in first if flow.arc.hop.token_out != buy]):
        for sink, part in _placed(flow, [*lasts, *between]).items():
            sink.sources.append((flow, part))
    return lasts


def _in_order(flows: Sequence[_Flow]) -> list[_Flow]:
    """Pairs first, then what brings most: what comes last fills what is left."""
    return sorted(flows, key=lambda flow: (not flow.is_pair, -flow.out))


def _placed(flow: _Flow, sinks: Sequence[_Sink]) -> dict[_Sink, float]:
    """What the flow brings to each of the sinks behind it, to as few of them as can be."""
    open_ = [sink for sink in sinks if sink.flow.arc.hop.token_in == flow.arc.hop.token_out]
    found: dict[_Sink, float] = {}
    left = flow.out
    while left > 0.0 and open_:
        wide = [sink for sink in open_ if sink.room >= left - _NOTHING * flow.out]
        sink = min(wide or open_, key=lambda sink: sink.room if wide else -sink.room)
        part = left if wide or len(open_) == 1 else sink.room
        if part > _NOTHING * flow.out:
            found[sink] = part
        sink.room -= part
        left -= part
        open_.remove(sink)
    return found


def _whole(ways: Sequence[_Way], amount: int) -> Paths:
    """The ways with whole amounts that sum to *amount*, without those that take nothing."""
    last = {flow: number for number, (flow, _, _) in enumerate(ways)}
    found, left = [], amount
    for number, (flow, part, hops) in enumerate(ways):
        x = max(flow.whole - flow.used, 0.0)
        if last[flow] != number:
            x = min(flow.needs(part), x)
        flow.swap(x)
        whole = min(int(x), left)
        left -= whole
        if whole > 0:
            found.append((hops, whole))
    if found:
        most = max(range(len(found)), key=lambda each: found[each][1])
        found[most] = found[most][0], found[most][1] + left
    return tuple(found)


def _brought(
    amounts: Sequence[int], turns: Sequence[Stretches], flows: Mapping[Place, _Flow]
) -> float:
    """What the turns of paths bring together, which is kept in mind in the flows."""
    come: dict[Address, float] = {}
    for amount, turn in zip(amounts, turns, strict=True):
        x = float(amount)
        for number, stretch in enumerate(turn):
            if number > 0:
                x += come.pop(stretch[0].token_in)
            for hop in stretch:
                x = flows[place(hop)].swap(x)
        there = turn[-1][-1].token_out
        come[there] = come.get(there, 0.0) + x
    return sum(come.values())
