"""What the solver is asked about a board, again and again as more is known of pools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf, isfinite
from typing import Protocol

from agent.core.money import WHOLE_BPS
from agent.planning.board import Board
from agent.planning.certify import certify
from agent.planning.goals import Aim
from agent.planning.joint import Cut, cuts, is_waste, together
from agent.planning.network import Flow, Network
from agent.planning.outlook import Outlook
from agent.planning.stretch import along
from agent.planning.weave import LOOSE, Tension, Weave, weave

CUTS, ARCS = 12, 200
"""How often the solver is asked again at most because ways share pools, of so many arcs; of more
less often, since each answer takes longer. What is not cut is a bound too, only a lower one."""

Tolerances = tuple[Decimal, ...]
"""By goal what it may be missed by."""


class Solver(Protocol):
    """Finds a cheap flow, and proves how little any flow costs."""

    def __call__(self, network: Network, *, start: Flow | None = None) -> Flow:
        """Solve *network*; if *start* is possible the answer is no worse."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven of all plans that miss each goal by no more than what is tolerated."""

    tolerated: tuple[Decimal, ...]
    flow: Flow


class Question:
    """What the solver is asked, with what is known of pools that ways share.

    That is true whatever is asked of a board, and kept with it. The search begins with what is
    `known` already.
    """

    def __init__(
        self, board: Board, aim: Aim, proven: Tolerances, solver: Solver, known: Outlook
    ) -> None:
        self._board, self._aim, self._solver, self._start = board, aim, solver, known
        self._tension = LOOSE
        self._known: list[Cut] = board.memo.setdefault(("cuts",), [])
        self._cuts: tuple[Cut, ...] = ()
        self._asked = 0
        self.weave = self._plain = weave(board, aim, proven)

    def tighter(self, tolerated: Tolerances, tension: Tension) -> Flow | str:
        """The answer to what is drawn tighter than the truth."""
        self._tension = tension
        self._plain = weave(self._board, self._aim, tolerated, tension)
        return self.asked()

    def asked(self) -> Flow | str:
        """The answer with what is known by now."""
        plain = self._plain
        impact = self._board.problem.policy.limits.max_price_impact_bps / WHOLE_BPS
        network = together(plain.network, plain.strands, self._cuts, impact)
        wastes = len(network.arcs) - len(plain.strands)
        strands = (*plain.strands, *(() for _ in range(wastes)))
        self.weave = Weave(network=network, strands=strands)
        start = followed(self.weave, self._start)
        return answered(self._solver, network, start, proves=self._tension is LOOSE)

    def parted(self, flow: Flow, proof: Proof) -> tuple[Flow, Proof]:
        """The *flow*, or another one in which pools that ways share are used only once.

        What may be wasted is no way to reach what cannot be reached.
        """
        most = max(2, min(CUTS, CUTS * ARCS // max(1, len(self.weave.network.arcs))))
        while not flow.missed and self._asked < most:
            more = tuple(cuts(self._board, self.weave.strands, self.weave.network, flow))
            if not more:
                break
            before = self._cuts, self.weave
            self._known += more
            self._cuts = tuple(self._known)
            self._asked += 1
            again = self.asked()
            if isinstance(again, str) or again.missed:
                self._cuts, self.weave = before
                break
            flow = again
            if self._tension is LOOSE and flow.bound > proof.flow.bound:
                proof = Proof(proof.tolerated, flow)
        return flow, proof


def followed(asked: Weave, seen: Outlook) -> Flow | None:
    """The trades of an outlook as a flow, with what is wrapped for them and wasted; None if some
    way of theirs is not asked for."""
    arcs = asked.network.arcs
    arc_of = {way.index: place for place, strand in enumerate(asked.strands) for way, _ in strand}
    sold, less = [0.0] * len(arcs), [0.0] * len(asked.network.start)
    left = list(asked.network.free)
    for done in seen.trades:
        place = arc_of.get(done.way.index)
        if place is None:
            return None
        sold[place] += float(done.sold_value)
        left[arcs[place].tail] -= float(done.sold_value)
        left[arcs[place].head] += float(done.expected_value)
        less[arcs[place].head] -= float(done.expected_value)
    for place, arc in enumerate(arcs):
        if arc.trade and sold[place] > 0:
            less[arc.head] += along(arc.ladder, sold[place])
    for place, arc in enumerate(arcs):
        if is_waste(arc):
            (_, (most, kept)) = arc.ladder
            sold[place] = min(most, max(0.0, less[arc.tail]) / (1.0 - kept / most))
        elif not arc.trade:
            sold[place] = short = max(0.0, -left[arc.head])
            left[arc.tail] -= short
    return Flow(sold=tuple(sold), cost=0.0, bound=0.0, missed=0.0)


def answered(
    solver: Solver, network: Network, start: Flow | None = None, *, proves: bool = True
) -> Flow | str:
    """The solver's answer, or what it did instead: nothing that happens in it may stop a plan."""
    try:
        flow = solver(network, start=start)
    except Exception as error:  # noqa: BLE001 a plan without it is told apart, and says this
        return f"failed with {type(error).__name__}: {error}"
    if not (isfinite(flow.missed) and flow.missed >= 0 and flow.bound < inf):
        said = f"it misses {flow.missed:.2f}, and nothing costs less than {flow.bound:.2f}"
        return f"gave a wrong answer: {said}"
    # Working out again what prices prove takes its time, and of a tighter question nobody asks it.
    checked = flow if proves else replace(flow, prices=(), floor=-inf)
    faults = certify(network, checked).faults
    if faults:
        return f"gave a wrong answer: {faults[0]}"
    return flow
