"""Finding a plan without a solver: several ways to repair, the cheapest one that reaches its goal.

It is the fallback, and the yardstick that the solver is measured against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from agent.core.policy import RebalanceTo
from agent.planning.atlas import Atlas, atlas
from agent.planning.board import Board, without, without_bridges
from agent.planning.goals import Aim, goals
from agent.planning.nearer import nearer
from agent.planning.outlook import Outlook, charged_assets, untouched
from agent.planning.pull import Aims
from agent.planning.reach import Reach
from agent.planning.search import Found, Strategy, search

TO_TARGET = tuple(Strategy(aim="target", by_size=by_size) for by_size in (False, True))
TO_EDGE = tuple(
    Strategy(aim="edge", stop_at_target=stop, by_size=by_size, larger=larger)
    for stop in (True, False)
    for larger in (False, True)
    for by_size in (False, True)
)
PAIRING = Strategy(aim="edge", by_size=True)
"""The rule of most rebalancers, for comparison: largest against largest, whatever it costs."""


_LITTLE = Decimal("1e-6")
"""The part of the whole that is no difference between two ways to miss goals: a millionth."""

_LEG = Decimal("0.01")
"""The part of what a policy calls dust that a leg is worth: each is one more thing that can fail,
be late and be looked at, and cents are no reason for it."""


class Tries:
    """All strategies on one board, each tried at most once."""

    def __init__(self, place: Board, *, frugal: bool = False) -> None:
        self._place = place
        self._frugal = frugal
        self._reach = Reach(place)
        bands = goals(place.problem.policy, "edge", stop_at_target=True)
        self.bands = Aims(bands, surely=True)

    @cached_property
    def _map(self) -> Atlas:
        """Routes that are cheapest for what is most off."""
        policy = self._place.problem.policy
        aim: Aim = "target" if policy.trigger.rebalance_to == "target" else "edge"
        wanted = Aims(goals(policy, aim, stop_at_target=True), surely=False)
        pulls = wanted.pulls(untouched(self._place))
        most = max(max(pull.surplus, pull.deficit) for pull in pulls)
        limits = policy.limits
        usual = max(limits.min_trade, min(most, limits.max_run_value), Decimal(1))
        return atlas(self._place, float(usual))

    @cached_property
    def to_edge(self) -> tuple[Found, ...]:
        """Ways back into the bands."""
        return tuple(self.search(each) for each in TO_EDGE)

    @cached_property
    def to_target(self) -> tuple[Found, ...]:
        """Ways to the exact targets, some after what leaves the bands is done.

        Where not everything can be done the bands go first.
        """
        starts = (None, self.best_of(self.to_edge, "cheapest"))
        return tuple(self.search(each, start) for each in TO_TARGET for start in starts)

    def best(self, wish: RebalanceTo) -> Found:
        """The one that misses least of the bands, then of the aim.

        Of those it is the cheapest, or to the edge the one that moves least, and then the one
        with the fewest trades.
        """

        known = self.to_target if wish == "target" else self.to_edge
        if wish == "cheapest" and charged_assets(self._place):
            known = self._weighed
        return self.best_of(known, wish)

    @cached_property
    def _weighed(self) -> tuple[Found, ...]:
        """Ways into the bands, and as near to the targets as is worth its cost.

        Where no way leads into the bands doing nothing is one of them.
        """
        to_target = (replace(each, left=self.bands.missed(each.outlook)) for each in self.to_target)
        starts = [self.best_of(each, "cheapest") for each in (self.to_edge, (*to_target,))]
        # Where every trade has to pay for itself sizes stay as they were found.
        wider = () if self._frugal else (nearer(self._place, self.bands, each) for each in starts)
        return (*self.to_edge, *starts, *wider)

    def best_of(self, known: Sequence[Found], wish: RebalanceTo) -> Found:
        """The best of what is known, or nothing at all where that misses less of the bands."""
        found = min(known, key=lambda each: self.rank(each, wish))
        if wish == "target":
            near = [each for each in known if self._is_as_near(each, found)]
            found = min(near, key=lambda each: self.rank(each, wish)[2:])
        nothing = untouched(self._place)
        if self.bands.shortfall(found.outlook) <= self.bands.shortfall(nothing):
            return found
        return replace(found, outlook=nothing, left=self.bands.missed(nothing))

    def rank(self, found: Found, wish: RebalanceTo) -> tuple[Decimal, Decimal, Decimal, int]:
        """What plans are compared by: what is missed, what it costs or moves, and trades.

        A trade that is one more has a price beside its cost.
        """
        seen = found.outlook
        more = leg_price(self._place) * len(seen.trades)
        price = seen.turnover if wish == "edge" else seen.total + more
        return self.bands.shortfall(seen), found.shortfall, price, len(seen.trades)

    def _is_as_near(self, found: Found, best: Found) -> bool:
        """Whether it misses no more of the bands than *best*, and no more but for a little."""
        if self.bands.shortfall(found.outlook) > self.bands.shortfall(best.outlook):
            return False
        return found.shortfall <= best.shortfall + little(best.outlook)

    @cached_property
    def without_bridges(self) -> Found:
        """The best that can be done on every chain by itself."""
        wish = self._place.problem.policy.trigger.rebalance_to
        return Tries(without_bridges(self._place)).best(wish)

    def elsewhere(self, via: str) -> Found:
        """What the first strategy finds where one venue or bridge has no part in it."""
        wish = self._place.problem.policy.trigger.rebalance_to
        first = (TO_TARGET if wish == "target" else TO_EDGE)[0]
        return Tries(without(self._place, via)).search(first)

    def search(self, strategy: Strategy, start: Found | None = None) -> Found:
        """What one strategy finds."""
        own = replace(strategy, frugal=self._frugal)
        return search(self._place, self._map, self._reach, own, start)


def leg_price(place: Board) -> Decimal:
    """What a trade must save beside what it costs to be done at all."""
    return _LEG * place.problem.policy.dust


def little(seen: Outlook) -> Decimal:
    """Value that may be missed more if that is cheaper: nobody would pay to have it."""
    return _LITTLE * sum(seen.expected.values(), Decimal(0))
