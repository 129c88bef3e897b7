"""Whether a flow is what it says: carried out again, and its proof worked out again, by itself.

Neither the solver nor numpy has a part in this. What is confirmed, and by whom:

- that the flow keeps all limits, what it costs and what it misses: here, from the network alone;
- `floor`, what no flow that reaches all ranges can cost less than: here, from the flow's prices.
  For any prices of the right sign the rows' worth and, for each arc by itself, the least of using
  it at any size or not at all, are together a lower bound (weak duality), so that wrong prices
  can only make the floor low, never wrong;
- `bound`, where it is above the floor: by the solver alone, which tried the choices that are left
  (branch and bound leaves nothing that could be checked quickly).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum, inf

from agent.planning.network import Arc, Flow, Network, Range

CLOSE = 1e-6
"""The relative difference by which figures may be off because floats are not exact."""

DUST = 2e-8
"""The part of the whole that counts as nothing."""

_NEED = 2e-10
"""Less than this part of the whole is no need: a leg is not asked for because of rounding."""


_ABSURD = 1e100
"""No price is as large as this, and its square can still be worked with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was found out about a flow; it is good when there are no `faults`.

    `cost`, `missed` and `floor` are worked out here; `bound` is the flow's own, of which all
    above the floor rests on the solver. `floor` is -inf for a flow without prices.
    """

    cost: float
    missed: float
    floor: float
    bound: float
    faults: tuple[str, ...]

    @property
    def confirmed_gap(self) -> float:
        """The part of the cost that a better flow could save at most, confirmed here."""
        return max(0.0, (self.cost - self.floor) / self.cost) if self.cost > 0 else 0.0


def certify(network: Network, flow: Flow) -> Certificate:
    """Work a flow's claims out again."""
    if len(flow.sold) != len(network.arcs):
        text = f"{len(flow.sold)} sizes for {len(network.arcs)} arcs"
        return Certificate(cost=inf, missed=inf, floor=-inf, bound=flow.bound, faults=(text,))
    done = _Done(network, flow)
    floor = _floor(network, flow, done.cost) if flow.prices else -inf
    faults = [*done.faults()]
    dust = DUST * fsum(network.start)
    for name, said, found in (
        ("cost", flow.cost, done.cost),
        ("charge", flow.charge, done.charge),
        ("missed value", flow.missed, done.missed),
    ):
        if not abs(said - found) <= CLOSE * abs(found) + dust:
            faults.append(f"its {name} is {found:.6f}, not {said:.6f}")
    if flow.floor > floor and not flow.floor <= floor + CLOSE * abs(floor) + dust:
        faults.append(f"its prices prove {floor:.6f}, not {flow.floor:.6f}")
    for name, value in (("floor", flow.floor), ("bound", flow.bound)):
        if not value <= done.cost + CLOSE * abs(done.cost) + dust:
            faults.append(f"its {name} of {value:.6f} is above its cost of {done.cost:.6f}")
    return Certificate(
        cost=done.cost, missed=done.missed, floor=floor, bound=flow.bound, faults=tuple(faults)
    )


def brought(arc: Arc, sold: float) -> float:
    """What an arc brings by its exact ladder; its ends hold beyond them."""
    if sold <= arc.ladder[0][0]:
        return arc.ladder[0][1]
    for (x0, f0), (x1, f1) in pairwise(arc.ladder):
        if sold <= x1:
            return f0 + (f1 - f0) * ((sold - x0) / (x1 - x0))
    return arc.ladder[-1][1]


class _Done:
    """A flow carried out."""

    def __init__(self, network: Network, flow: Flow) -> None:
        self._network = network
        self._dust = DUST * fsum(network.start)
        self._used = [
            (place, arc, sold, brought(arc, sold))
            for place, (arc, sold) in enumerate(zip(network.arcs, flow.sold, strict=True))
            if sold != 0
        ]
        lost = (sold - got + arc.fixed for _, arc, sold, got in self._used)
        after = self._values(network.start, fees=True)
        sure = self._values(network.start, fees=True, sure=True)
        whole = fsum(after)
        self.missed = fsum(self._misses(after, sure, whole))
        self.charge = fsum(self._charges(after, whole))
        self.cost = fsum((*lost, self.charge))

    def _values(
        self, start: Sequence[float], *, fees: bool = False, sure: bool = False
    ) -> list[float]:
        values = list(start)
        for _, arc, sold, got in self._used:
            values[arc.tail] -= sold
            values[arc.head] += got * (arc.sure if sure else 1.0)
            if fees and arc.payer >= 0:
                values[arc.payer] -= arc.fixed
        return values

    def _misses(
        self, after: Sequence[float], sure: Sequence[float], whole: float
    ) -> Iterator[float]:
        for wanted in self._network.ranges:
            low = wanted.low * whole - fsum(sure[node] for node in wanted.nodes)
            high = fsum(after[node] for node in wanted.nodes) - wanted.high * whole
            over = max(low, high) - wanted.tolerance
            yield over if over > self._dust / 2 else 0.0

    def _charges(self, after: Sequence[float], whole: float) -> Iterator[float]:
        before = fsum(self._network.start)
        for wanted in self._network.ranges:
            if wanted.rate > 0 and before > 0:
                off = fsum(after[node] for node in wanted.nodes) - wanted.target * whole
                yield wanted.rate * off * off / before

    def faults(self) -> Iterator[str]:
        """Limits that are not kept."""
        dust = self._dust
        for place, arc, sold, _ in self._used:
            least = max(arc.least, arc.ladder[0][0])
            if not least - dust <= sold <= arc.most + dust:
                yield f"arc {place} sells {sold:.6f}, which is not {least:.6f} to {arc.most:.6f}"
        for node, left in enumerate(self._values(self._network.free)):
            if not left >= -dust:
                yield f"node {node} sells {-left:.6f} more than it has"
        trades = [(arc, sold) for _, arc, sold, _ in self._used if arc.trade]
        away = fsum(sold for _, arc, sold, _ in self._used if arc.via)
        network = self._network
        if not fsum(sold for _, sold in trades) <= network.max_turnover + dust:
            yield f"more is traded than {network.max_turnover:.6f}"
        if not away <= network.max_in_flight + dust:
            yield f"more is sent to other chains than {network.max_in_flight:.6f}"
        if network.max_legs is not None and not len(trades) <= network.max_legs:
            yield f"{len(trades)} trades are more than {network.max_legs}"
        done = {place: (sold, got) for place, _, sold, got in self._used}
        for number, joint in enumerate(network.joints):
            moved = fsum(
                per_sold * done[arc][0] + per_brought * done[arc][1] + per_use
                for arc, per_sold, per_brought, per_use in joint.terms
                if arc in done
            )
            if not moved <= joint.most + dust:
                yield f"its arcs do {moved:.6f} together, more than {joint.most:.6f} ({number})"
        if self._leads_round():
            yield "its arcs lead round, so that none could be the first"

    def _leads_round(self) -> bool:
        left = [arc for _, arc, _, _ in self._used]
        while left:
            heads = {arc.head for arc in left}
            kept = [arc for arc in left if arc.tail in heads]
            if len(kept) == len(left):
                return True
            left = kept
        return False


@dataclass(frozen=True, slots=True)
class _Prices:
    """Prices of what arcs share: by node, by range, and of the limits.

    `balance` is of what a node may sell; `low` and `high` of a range's edges; `over_*` of what
    arcs move beyond the room that there is without others; `joint` of what arcs may do together;
    `off` of how far a range is from its target, where that is charged; `must_*` of the legs that a
    range needs.
    """

    balance: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    over_in: Sequence[float]
    over_out: Sequence[float]
    over_held: Sequence[float]
    joint: Sequence[float]
    off: Sequence[float]
    turnover: float
    in_flight: float
    legs: float
    must_enter: Sequence[float]
    must_leave: Sequence[float]


def _prices(network: Network, given: Sequence[float]) -> _Prices:
    """Prices in the order of the rows that they are of, made to have the right signs."""
    nodes, ranges = len(network.start), len(network.ranges)
    following = iter(given)

    def at_least(count: int) -> list[float]:
        return [max(0.0, next(following)) for _ in range(count)]

    def at_most(count: int) -> list[float]:
        return [min(0.0, next(following)) for _ in range(count)]

    next(following)  # of value lost, which follows from the others
    balance, low, high = at_least(nodes), at_least(ranges), at_most(ranges)
    over_in, over_out, over_held = at_most(ranges), at_most(ranges), at_most(nodes)
    joint = at_most(len(network.joints))
    off = [next(following) if each.rate > 0 else 0.0 for each in network.ranges]
    turnover, in_flight, legs, _ = at_most(4)
    return _Prices(
        balance=balance,
        low=low,
        high=high,
        over_in=over_in,
        over_out=over_out,
        over_held=over_held,
        joint=joint,
        off=off,
        turnover=turnover,
        in_flight=in_flight,
        legs=legs,
        must_enter=at_least(ranges),
        must_leave=at_least(ranges),
    )


def _floor(network: Network, flow: Flow, cost: float) -> float:
    """What the prices prove; -inf if they are of another network, or no prices at all.

    Flows that cost more than this one need no proof: so no more than *cost* is supposed lost.
    """
    nodes, ranges, joints = len(network.start), len(network.ranges), len(network.joints)
    charged = sum(each.rate > 0 for each in network.ranges)
    count = 5 + 2 * nodes + 6 * ranges + joints + charged
    if len(flow.prices) != count or flow.missed > 0:
        return -inf
    if not all(abs(price) < _ABSURD for price in flow.prices):
        return -inf
    proof = _Proof(network, _prices(network, flow.prices), cost)
    return min(cost, fsum(proof.parts()))


class _Proof:
    """The worth of prices."""

    def __init__(self, network: Network, prices: _Prices, most_lost: float) -> None:
        self._network = network
        self._whole = fsum(network.start)
        self._inside = [fsum(network.start[n] for n in each.nodes) for each in network.ranges]
        self._most_lost = most_lost
        self._prices = prices = self._needed(prices)
        self._lost = 1.0 - fsum(
            each.low * low + each.high * high + each.target * off
            for each, low, high, off in zip(
                network.ranges, prices.low, prices.high, prices.off, strict=True
            )
        )

    def _needed(self, prices: _Prices) -> _Prices:
        """The prices, with none for legs that a range can do without."""
        network, dust = self._network, _NEED * self._whole
        paying = {arc.payer for arc in network.arcs if arc.payer >= 0 and arc.fixed > 0}
        enter, leave = [0.0] * len(network.ranges), [0.0] * len(network.ranges)
        for place, wanted in enumerate(network.ranges):
            least = wanted.low * (self._whole - self._most_lost)
            if least - wanted.tolerance - self._inside[place] > dust:
                enter[place] = prices.must_enter[place]
            excess = self._inside[place] - wanted.high * self._whole - wanted.tolerance
            # Fees that a range pays can make it small enough without any arc that leaves it.
            if excess > dust and not paying & wanted.nodes:
                leave[place] = prices.must_leave[place]
        return replace(prices, must_enter=enter, must_leave=leave)

    def parts(self) -> Iterator[float]:
        """The worth of all rows, then the least that each arc adds to it."""
        network, prices = self._network, self._prices
        for price, free in zip(prices.balance, network.free, strict=True):
            yield -price * free
        for place, wanted in enumerate(network.ranges):
            inside = self._inside[place]
            yield prices.low[place] * (wanted.low * self._whole - wanted.tolerance - inside)
            yield prices.high[place] * (wanted.high * self._whole + wanted.tolerance - inside)
            yield prices.must_enter[place] + prices.must_leave[place]
            if prices.off[place]:
                # A distance d costs rate · d² / W + price · d: at the least −price² · W / 4 rate.
                yield prices.off[place] * (wanted.target * self._whole - inside)
                yield -(prices.off[place] ** 2) * self._whole / (4.0 * wanted.rate)
        for price, limit in (
            (prices.turnover, network.max_turnover),
            (prices.in_flight, network.max_in_flight),
            (prices.legs, inf if network.max_legs is None else network.max_legs),
        ):
            yield price * limit if price else 0.0
        by_arc: dict[int, list[tuple[float, ...]]] = {}
        for price, joint in zip(prices.joint, network.joints, strict=True):
            yield price * joint.most
            for number, *per in joint.terms:
                by_arc.setdefault(number, []).append(tuple(-price * each for each in per))
        for place in network.wastes:  # it stays in its ranges, and makes room there
            by_range = zip(prices.over_in, network.ranges, strict=True)
            tail = network.arcs[place].tail
            room = fsum(price for price, each in by_range if tail in each.nodes)
            by_arc.setdefault(place, []).append((room, -room, 0.0))
        for place, arc in enumerate(network.arcs):
            yield self._least(arc, by_arc.get(place, []))

    def _least(self, arc: Arc, joint: Sequence[tuple[float, ...]]) -> float:
        """The least that an arc adds: 0 for not using it."""
        low = max(arc.least, arc.ladder[0][0])
        high = min(arc.most, self._network.max_turnover if arc.trade else inf)
        high = min(high, self._network.max_in_flight if arc.via else inf)
        if not (high > 0 and high >= low):
            return 0.0
        own = zip(self._of(arc), *joint, strict=True)
        per_sold, per_brought, flat = (fsum(each) for each in own)
        rooms = list(self._rooms(arc))
        ends = [x for x, _ in arc.ladder] + [low, high]
        for of_brought, room, _ in rooms:
            ends += [arc.needed(room)] if of_brought else [room]
        worst = 0.0
        for sold in ends:
            if low <= sold <= high:
                got = brought(arc, sold)
                beyond = fsum(
                    -price * max(0.0, (got if of_brought else sold) - room)
                    for of_brought, room, price in rooms
                )
                worst = min(worst, per_sold * sold + per_brought * got + flat + beyond)
        return worst

    def _of(self, arc: Arc) -> tuple[float, float, float]:
        """What a unit sold, a unit brought, and the use of an arc cost after what they earn."""
        prices, lost = self._prices, self._lost
        per_sold = lost + prices.balance[arc.tail]
        per_brought = -lost - prices.balance[arc.head] + prices.over_held[arc.head]
        paid = 1.0 if arc.payer < 0 else lost
        flat = -prices.legs if arc.trade else 0.0
        per_sold -= prices.turnover if arc.trade else 0.0
        per_sold -= prices.in_flight if arc.via else 0.0
        for place, wanted in enumerate(self._network.ranges):
            leaves, enters = arc.tail in wanted.nodes, arc.head in wanted.nodes
            low, high, off = prices.low[place], prices.high[place], prices.off[place]
            if leaves:
                per_sold += low + high + off
            if enters:
                per_brought -= arc.sure * low + high + off
            if arc.payer in wanted.nodes:
                paid += low + high + off + prices.over_in[place]
            if leaves and not enters:
                per_sold += prices.over_in[place]
                flat -= prices.must_leave[place]
            if enters and not leaves:
                per_brought += prices.over_out[place]
                flat -= prices.must_enter[place]
        return per_sold, per_brought, paid * arc.fixed + flat

    def _rooms(self, arc: Arc) -> Iterator[tuple[bool, float, float]]:
        """Whether room is for what is brought, how much there is, and the price beyond it."""
        yield False, max(0.0, self._network.free[arc.tail]), self._prices.over_held[arc.tail]
        into = self._tightest(arc.head, arc.tail, self._take)
        if into is not None:
            yield True, into[0], self._prices.over_in[into[1]]
        out = self._tightest(arc.tail, arc.head, self._give)
        if out is not None:
            yield False, out[0], self._prices.over_out[out[1]]

    def _take(self, place: int, wanted: Range) -> float:
        return wanted.high * self._whole + wanted.tolerance - self._inside[place]

    def _give(self, place: int, wanted: Range) -> float:
        least = wanted.low * (self._whole - self._most_lost)
        return self._inside[place] - least + wanted.tolerance

    def _tightest(
        self, inside: int, outside: int, most: Callable[[int, Range], float]
    ) -> tuple[float, int] | None:
        rooms = [
            (max(0.0, most(place, wanted)), place)
            for place, wanted in enumerate(self._network.ranges)
            if inside in wanted.nodes and outside not in wanted.nodes
        ]
        return min(rooms, default=None)
