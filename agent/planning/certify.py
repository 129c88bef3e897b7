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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, inf

from agent.planning.network import Flow, Network
from agent.planning.proof import brought, proven

CLOSE = 1e-6
"""The relative difference by which figures may be off because floats are not exact."""

DUST = 2e-8
"""The part of the whole that counts as nothing."""


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
    floor = proven(network, flow, done.cost) if flow.prices else -inf
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
