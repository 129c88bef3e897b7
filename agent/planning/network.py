"""The planner's problem in numbers: nodes, arcs with ladders and fixed costs, and ranges to reach.

All money is floats in the unit of account: nothing that is decided rests on them alone. What is
found here is carried out again in integers (`agent.planning.outlook`) before it is a plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A way to move value from node to node.

    `ladder` are growing points (value sold, value brought), exact ones; between them the straight
    line holds. It begins at (0, 0) unless its first point says otherwise: less than that cannot
    be sold. `fixed` is paid once when the arc is used, by the node `payer` (-1: by nobody whose
    value counts); less than `least` is not sold. Of what it brings the part `sure` counts for the
    lower limits of ranges. `via` names the bridge where it leads to another chain, else ''.
    `pools` are numbers of pools: arcs that share one use up each other's ladders. What is not a
    `trade` (a wrap) counts neither as turnover nor as a leg.
    """

    tail: int
    head: int
    ladder: tuple[tuple[float, float], ...]
    fixed: float
    payer: int = -1
    least: float = 0.0
    sure: float = 1.0
    via: str = ""
    pools: frozenset[int] = frozenset()
    trade: bool = True

    @property
    def most(self) -> float:
        """The most that can be sold."""
        return self.ladder[-1][0]

    def needed(self, wanted: float) -> float:
        """How much must be sold to bring so much."""
        for (x0, f0), (x1, f1) in pairwise(self.ladder):
            if f0 <= wanted <= f1 and f1 > f0:
                return x0 + (x1 - x0) * ((wanted - f0) / (f1 - f0))
        return self.ladder[-1][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Nodes whose value together should be `low` to `high` of the whole after the plan.

    It is left alone while it is outside by no more than `tolerance` (unit of account). What it
    ends at beside its `target` (a share) is charged: `rate` · d² / W of a distance d (in value)
    where W is the value of all nodes before the plan.
    """

    nodes: frozenset[int]
    low: float
    high: float
    tolerance: float = 0.0
    target: float = 0.0
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What arcs may do together: for each (arc, per sold, per brought, per use) that many times
    what it sells and brings, and so much if it is used, added up, is at most `most` (value)."""

    terms: tuple[tuple[int, float, float, float], ...]
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Values by node that count (`start`), of which `free` may be sold, and what may be done.

    `max_turnover` limits all that trades sell, `max_in_flight` what is sold to other chains,
    `max_legs` the number of trades, and each of `joints` what some arcs do together.
    """

    start: tuple[float, ...]
    free: tuple[float, ...]
    arcs: tuple[Arc, ...]
    ranges: tuple[Range, ...]
    max_turnover: float = inf
    max_in_flight: float = inf
    max_legs: int | None = None
    joints: tuple[Joint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is sold on each arc (0: unused), what it costs, and how little it could cost.

    `cost` is value lost by the ladders, fixed costs, and the `charge` on distances from targets;
    `bound` a proven lower bound of what any flow costs that misses the ranges by no more than
    `missed` (value, beyond what they tolerate). `rounds` is how often the solver was asked;
    `braked` says that its time ran out. `floor` is the part of the bound that the `prices` of
    what the arcs share prove by themselves, without the solver (`agent.planning.certify`); both
    are empty where ranges cannot be reached.
    """

    sold: tuple[float, ...]
    cost: float
    bound: float
    missed: float
    rounds: int = 0
    braked: bool = False
    floor: float = -inf
    prices: tuple[float, ...] = ()
    charge: float = 0.0

    @property
    def gap(self) -> float:
        """The part of the cost that a better flow could save at most."""
        return max(0.0, (self.cost - self.bound) / self.cost) if self.cost > 0 else 0.0
