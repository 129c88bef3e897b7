"""What a solver finds on a board, beside what is found without one, and what it proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property
from math import isfinite

from agent.planning.board import Board
from agent.planning.goals import Aim, goals
from agent.planning.greedy import TO_EDGE, TO_TARGET, Tries, little
from agent.planning.loom import CENT, Loom, Woven, missed, woven
from agent.planning.outlook import Outlook
from agent.planning.pull import Aims
from agent.planning.question import Proof, Solver, Tolerances
from agent.planning.search import Found
from agent.planning.trade import Trade

_TO_EDGE, _TO_TARGET = Decimal(0), Decimal("0.9")
"""The part of what goals tolerate that is used: a band is reached, a target is met as nearly as
pays, with room for whole base units."""

WITHOUT = "this plan was made without the solver"
PERHAPS = "a cheaper plan may be there to be found"

_AGAIN = 2
"""How often the solver is asked what it would cost to miss goals by no more than the best does: it
may find what misses less in all, and more of one of them."""

_EXACT = Decimal("1e-9")
"""Rounding of floats, as a part of what is missed."""

_MICRO = Decimal("0.000001")


class Solved:
    """A board, asked of a solver: to the goals, and where that is not possible as far as it is."""

    def __init__(self, place: Board, tries: Tries, solver: Solver) -> None:
        self._place = place
        self._tries = tries
        self._solver = solver
        self._more: list[Woven] = []
        self.wish = place.problem.policy.trigger.rebalance_to
        self._aim: Aim = "target" if self.wish == "target" else "edge"
        wanted = goals(place.problem.policy, self._aim, stop_at_target=True)
        self.aims = tries.bands if self._aim == "edge" else Aims(wanted, surely=False)

    @cached_property
    def _strict(self) -> Woven:
        """To the bands without what they tolerate, to exact targets with most of it."""
        part = _TO_EDGE if self._aim == "edge" else _TO_TARGET
        tolerated = tuple(goal.tolerance * part for goal in self.aims.wanted)
        bands = tuple(band.tolerance for band in self._tries.bands.wanted)
        return self._woven(self._greedy.outlook, tolerated, bands)

    @property
    def _asked(self) -> Iterator[Woven]:
        yield self._strict
        yield from self._more

    @property
    def _proofs(self) -> Iterator[Proof]:
        return (each.proof for each in self._asked if each.proof is not None)

    @cached_property
    def candidates(self) -> list[Found]:
        """All that is worth comparing: what other strategies find, and the solver's moves."""
        own = [self._found(seen) for seen in self._strict.seen]
        return [self._greedy, *self._repaired(own), *own]

    @cached_property
    def _greedy(self) -> Found:
        return self._tries.best(self.wish)

    def _woven(
        self, known: Outlook, tolerated: Tolerances, surely: Tolerances, slack: Decimal = Decimal(0)
    ) -> Woven:
        loom = Loom(
            board=self._place,
            aim=self._aim,
            aims=self.aims,
            tolerated=tolerated,
            slack=slack,
            surely=(self._tries.bands, surely) if self._aim == "target" else None,
            known=known,
        )
        return woven(loom, self._solver)

    def _found(self, seen: Outlook) -> Found:
        # What holds moves up holds up all of them; a solver cannot say it.
        return Found(outlook=seen, left=self.aims.missed(seen), notes=self._greedy.notes)

    def _repaired(self, own: list[Found]) -> list[Found]:
        """The solver's best moves, and more where they miss what it thought could be reached."""
        proof = self._strict.proof
        if proof is None or not own:
            return []
        best = self._tries.best_of(own, self.wish)
        if missed(self.aims, best.outlook, proof.tolerated) <= Decimal(proof.flow.missed) + CENT:
            return []
        strategies = TO_TARGET if self._aim == "target" else TO_EDGE[:2]
        return [self._tries.search(each, best) for each in strategies]

    def as_far_as(self, found: Found, may: Callable[[Outlook], bool] = lambda _: True) -> Found:
        """The best that is found when no goal is to be missed by more than *found* misses it.

        It is proven then how little that could cost. Only what *may* be done is taken.
        """
        proof = self._strict.proof
        if proof is None or (not proof.flow.missed and self.bound(found.outlook) is not None):
            return found
        for _ in range(_AGAIN):
            pulls = self.aims.pulls(found.outlook, aims=False)
            tolerated = tuple(max(pull.surplus, pull.deficit) for pull in pulls)
            bands = self._tries.bands
            surely = tuple(
                max(band.tolerance, pull.surplus, pull.deficit)
                for band, pull in zip(
                    bands.wanted, bands.pulls(found.outlook, aims=False), strict=True
                )
            )
            again = self._woven(found.outlook, tolerated, surely, _slack(found.outlook))
            self._more.append(again)
            before = found
            own = [self._found(seen) for seen in again.seen if may(seen)]
            found = self._tries.best_of([found, *own], self.wish)
            if found is before:
                break
        return found

    def bound(self, seen: Outlook) -> Decimal | None:
        """What no plan can cost less than that does as much as *seen*, rounded down.

        None where that is not proven.
        """
        bounds = (self._proven(seen, proof) for proof in self._proofs)
        return max((bound for bound in bounds if bound is not None), default=None)

    def _proven(self, seen: Outlook, proof: Proof) -> Decimal | None:
        most = Decimal(proof.flow.missed) * (1 + _EXACT) + _MICRO
        if missed(self.aims, seen, proof.tolerated) > most or not isfinite(proof.flow.bound):
            return None
        bound = Decimal(proof.flow.bound).quantize(_MICRO, rounding=ROUND_FLOOR)
        return bound if bound <= seen.total else None

    @property
    def note(self) -> str:
        """What is to be said about the solver, nothing if it did its work."""
        failed = next((each.failure for each in self._asked if each.failure), "")
        if self._strict.proof is None:
            return f"{WITHOUT}: it {failed}"
        if failed:
            return f"{PERHAPS}: the solver {failed} when it was asked again"
        if any(proof.flow.braked for proof in self._proofs):
            return f"{PERHAPS}: the solver ran out of time"
        return ""


def _slack(seen: Outlook) -> Decimal:
    """By how much each goal may be missed more: what is not asked of a solver costs something too.

    What brings gas for fees is not asked for, nor which of several ways of one venue is taken.
    """
    fuel = (*seen.fuel.first, *seen.fuel.last)
    costs = (step.cost if isinstance(step, Trade) else step.gas_cost for step in fuel)
    return little(seen) + sum(costs, Decimal(0))
