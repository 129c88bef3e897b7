"""What prices prove: a lower bound of what flows cost, by weak duality, worked out in plain Python.

Each row says something that is true of every flow which reaches all ranges and loses no more than
is supposed; the rows are those of `agent.planning.coupling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum, inf

from agent.planning.network import Arc, Flow, Network, Range

_NEED = 2e-10
"""Less than this part of the whole is no need: a leg is not asked for because of rounding."""


_ABSURD = 1e100
"""No price is as large as this, and its square can still be worked with."""


def brought(arc: Arc, sold: float) -> float:
    """What an arc brings by its exact ladder; its ends hold beyond them."""
    if sold <= arc.ladder[0][0]:
        return arc.ladder[0][1]
    for (x0, f0), (x1, f1) in pairwise(arc.ladder):
        if sold <= x1:
            return f0 + (f1 - f0) * ((sold - x0) / (x1 - x0))
    return arc.ladder[-1][1]


def _gain(arc: Arc, dust: float) -> float:
    """The most that an arc brings beyond what is sold."""
    most = max(got - sold for sold, got in arc.ladder)
    return most if most > dust else 0.0


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


def proven(network: Network, flow: Flow, cost: float) -> float:
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
        self._gains = [_gain(arc, _NEED * self._whole) for arc in network.arcs]
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
        enter, leave = [0.0] * len(network.ranges), [0.0] * len(network.ranges)
        for place, wanted in enumerate(network.ranges):
            least = wanted.low * (self._whole - self._most_lost)
            within = [{arc.tail, arc.head} <= wanted.nodes for arc in network.arcs]
            # What a range gains inside makes it large enough without any arc that enters it,
            gained = fsum(gain for gain, inner in zip(self._gains, within, strict=True) if inner)
            if least - wanted.tolerance - self._inside[place] - gained > dust:
                enter[place] = prices.must_enter[place]
            excess = self._inside[place] - wanted.high * self._whole - wanted.tolerance
            # and what it loses there small enough: no more than all may lose, and others gain.
            others = fsum(self._gains) - gained
            lost = min(self._most_lost + others, self._losses(wanted))
            excess -= (1.0 - wanted.high) * max(0.0, lost) + wanted.high * others
            if excess > dust:
                leave[place] = prices.must_leave[place]
        return replace(prices, must_enter=enter, must_leave=leave)

    def _losses(self, wanted: Range) -> float:
        """The most that is lost inside a range, fees included."""
        arcs = self._network.arcs
        inner = (arc for arc in arcs if {arc.tail, arc.head} <= wanted.nodes)
        most = (max(0.0, *(sold - got for sold, got in arc.ladder)) for arc in inner)
        return fsum((*most, *(arc.fixed for arc in arcs if arc.payer in wanted.nodes)))

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
        for place, (arc, gain) in enumerate(zip(network.arcs, self._gains, strict=True)):
            yield self._least(arc, [*by_arc.get(place, []), self._within(arc, gains=gain > 0)])

    def _within(self, arc: Arc, *, gains: bool) -> tuple[float, ...]:
        """What an arc's loss inside ranges makes room for, and its gain: per sold and brought."""
        per_sold = per_brought = 0.0
        for place, wanted in enumerate(self._network.ranges):
            if {arc.tail, arc.head} <= wanted.nodes:
                lost = self._prices.over_in[place]
                per_sold += lost
                per_brought += self._prices.over_out[place] if gains else -lost
        return per_sold, per_brought, 0.0

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
        """Whether room is for what is brought, how much there is, and the price beyond it.

        Every range that an arc crosses counts what is beyond its own room, so that it is no matter
        in whose row the solver counted it.
        """
        prices, gains = self._prices, fsum(self._gains)
        yield False, max(0.0, self._network.free[arc.tail]), prices.over_held[arc.tail]
        for place, wanted in enumerate(self._network.ranges):
            inside = self._inside[place]
            leaves, enters = arc.tail in wanted.nodes, arc.head in wanted.nodes
            if enters and not leaves:
                take = wanted.high * (self._whole + gains) + wanted.tolerance - inside
                yield True, max(0.0, take), prices.over_in[place]
            if leaves and not enters:
                least = wanted.low * (self._whole - self._most_lost)
                yield False, max(0.0, inside - least + wanted.tolerance), prices.over_out[place]
