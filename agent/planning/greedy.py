"""The planner without a solver: several ways to repair, the cheapest one that reaches its goal.

It is the fallback, and the yardstick that a better planner is measured against.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from hashlib import sha256

from agent.core.codec import encode
from agent.core.decide import Rebalance, Rest
from agent.core.money import WHOLE_BPS
from agent.core.plan import Plan, PlanError, Standing, build
from agent.core.policy import RebalanceTo
from agent.core.verdict import Refusal
from agent.core.wording import listed, money
from agent.planning import story
from agent.planning.atlas import Atlas, atlas
from agent.planning.board import Board, board, without_bridges
from agent.planning.first_use import FirstUses, first_uses
from agent.planning.fuel import NO_GAS, Starved
from agent.planning.goals import Aim, goals
from agent.planning.legs import caps, holdings, legs, reserves
from agent.planning.outlook import Outlook, untouched
from agent.planning.problem import NoPlan, Problem
from agent.planning.pull import Aims
from agent.planning.reach import Reach
from agent.planning.search import Found, Strategy, search

PLAN_SECONDS = 600
"""How long a plan stands before it must be made again: prices of a plan that a person reads for
longer than ten minutes are old, and a run checks it again anyway."""

_MICRO = Decimal("0.000001")
_MOST_NOTES = 5

TO_TARGET = tuple(Strategy(aim="target", by_size=by_size) for by_size in (False, True))
TO_EDGE = tuple(
    Strategy(aim="edge", stop_at_target=stop, by_size=by_size, larger=larger)
    for stop in (True, False)
    for larger in (False, True)
    for by_size in (False, True)
)
PAIRING = Strategy(aim="edge", by_size=True)
"""The rule of most rebalancers, for comparison: largest against largest, whatever it costs."""


def plan(problem: Problem) -> Plan | NoPlan:
    """Plan *problem*, or say why there is no plan.

    The result depends on nothing but the problem, and not on the order of its parts: the same
    problem gives the same plan byte for byte. Its last check is `agent.core.plan.build`, whose
    PlanError would mean a fault of this planner.
    """
    decision = problem.decision
    if isinstance(decision, Rest):
        return NoPlan((decision.why,), decision.refusals)
    if problem.valuation.value is None:
        refusals = problem.valuation.refusals
        return NoPlan(tuple(refusal.why for refusal in refusals), refusals)
    place = board(problem)
    if isinstance(place, NoPlan):
        return place
    tries = _Tries(place)
    found = _best(tries, place)
    if isinstance(found, NoPlan):
        return found
    return _plan(tries, place, found, decision)


class _Tries:
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
        starts = (None, self.best("cheapest"))
        return tuple(self.search(each, start) for each in TO_TARGET for start in starts)

    def best(self, wish: RebalanceTo) -> Found:
        """The one that misses least of the bands, then of the aim.

        Of those it is the cheapest, or to the edge the one that moves least, and then the one
        with the fewest trades.
        """

        def rank(found: Found) -> tuple[Decimal, Decimal, Decimal, int]:
            seen = found.outlook
            price = seen.turnover if wish == "edge" else seen.cost
            return self.bands.shortfall(seen), found.shortfall, price, len(seen.trades)

        found = min(self.to_target if wish == "target" else self.to_edge, key=rank)
        nothing = untouched(self._place)
        if self.bands.shortfall(found.outlook) <= self.bands.shortfall(nothing):
            return found
        return replace(found, outlook=nothing, left=self.bands.missed(nothing))

    @cached_property
    def without_bridges(self) -> Found:
        """The best that can be done on every chain by itself."""
        wish = self._place.problem.policy.trigger.rebalance_to
        return _Tries(without_bridges(self._place)).best(wish)

    def search(self, strategy: Strategy, start: Found | None = None) -> Found:
        """What one strategy finds."""
        own = replace(strategy, frugal=self._frugal)
        return search(self._place, self._map, self._reach, own, start)


def _best(tries: _Tries, place: Board) -> Found | NoPlan:
    """The best way to what the policy wants, inside its cost limit."""
    policy = place.problem.policy
    wish = policy.trigger.rebalance_to
    found = tries.best(wish)
    if not found.moves:
        starved = [note for note in found.notes if isinstance(note, Starved)]
        refusals = tuple(Refusal(NO_GAS, note) for note in starved)
        return NoPlan(_reasons(place, found), refusals)
    if _affordable(place, found.outlook):
        return found
    # Without the trades that are too dear for their size the rest may still be worth doing.
    frugal = _Tries(place, frugal=True).best(wish)
    if frugal.moves and _affordable(place, frugal.outlook):
        return frugal
    cost, traded = money(found.outlook.cost), money(found.outlook.turnover)
    limit = policy.limits.max_cost_bps
    return NoPlan(
        (
            f"the plan would cost {cost} to move {traded}, more than max_cost_bps {limit} allows",
            *_reasons(place, frugal),
        )
    )


def _affordable(place: Board, seen: Outlook) -> bool:
    limit = place.problem.policy.limits.max_cost_bps
    return seen.cost * WHOLE_BPS <= seen.turnover * limit


def _reasons(place: Board, found: Found) -> tuple[str, ...]:
    """Why there is nothing to be done, though something should be."""
    notes = _notes(found) or ("no edge sells what is too much for what is missing",)
    return (*story.unreached(place, found.outlook, found.left), *notes, *story.idle(place))


def _notes(found: Found) -> tuple[str, ...]:
    """Some of what held the search up; a chain without gas first, for a person can help that."""
    return tuple(sorted(found.notes, key=lambda note: not isinstance(note, Starved))[:_MOST_NOTES])


def _plan(tries: _Tries, place: Board, found: Found, decision: Rebalance) -> Plan | NoPlan:
    problem, seen = place.problem, found.outlook
    policy, total = problem.policy, problem.valuation.value
    first = first_uses(legs(seen), problem)
    made = first.legs
    cost = sum((leg.cost for leg in made), Decimal(0))
    draft = Plan(
        id="",
        legs=made,
        standings=_standings(place, seen),
        value=_micro(total or Decimal(0)),
        cost=cost,
        worst_case=cost + _micro(seen.worst_case - seen.cost),
        gas_if_reverted=sum((leg.gas_cost for leg in made), Decimal(0)),
        turnover=_micro(seen.turnover),
        bound=None,
        missed=_micro(tries.bands.shortfall(seen)),
        prices=tuple(
            (name, price.value, price.sources)
            for name, price in sorted(problem.prices.by_asset.items())
            if price.value.is_finite()
        ),
        blocks=tuple(
            (chain, snapshot.block.number, snapshot.block.hash)
            for chain, snapshot in sorted(problem.snapshot.chains.items())
        ),
        policy_hash=policy.hash,
        made=problem.now,
        expires=problem.now + PLAN_SECONDS,
        why=_why(tries, place, found, decision, first),
        alternatives=_alternatives(tries, place, found),
    )
    return _built(replace(draft, id=fingerprint(draft)), place, seen, first)


def _built(named: Plan, place: Board, seen: Outlook, first: FirstUses) -> Plan | NoPlan:
    """The plan once it is checked, or why its first uses cannot be paid for."""
    fees = caps(seen)
    fees = {**fees, **{part: fees[whole] for part, whole in first.parts.items()}}
    limit = place.problem.policy.limits.max_cost_bps
    if first.parts and named.cost * WHOLE_BPS > named.turnover * limit:
        cost, traded = money(named.cost), money(named.turnover)
        why = f"with {listed(list(first.why))} the plan would cost {cost} to move {traded}"
        return NoPlan((f"{why}, more than max_cost_bps {limit} allows",))
    try:
        return build(named, holdings(place), reserves(place), fees)
    except PlanError as error:
        if not first.parts:
            raise
        why = f"{listed(list(first.why))}, which cannot be paid for: {error}"
        return NoPlan((why,), (Refusal(NO_GAS, why),))


def fingerprint(plan_: Plan) -> str:
    """The first 16 hex digits of the SHA-256 of the plan's content, its id left out."""
    content = encode(replace(plan_, id=""))
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
    return sha256(text.encode()).hexdigest()[:16]


def _standings(place: Board, seen: Outlook) -> tuple[Standing, ...]:
    before = place.problem.valuation.by_asset
    whole_before = sum(before.values(), Decimal(0))
    whole_after = sum(seen.expected.values(), Decimal(0))
    after = {
        name: sum((v for cell, v in seen.expected.items() if cell[0] == name), Decimal(0))
        for name in before
    }
    return tuple(
        Standing(
            name,
            _share(before[name], whole_before),
            _share(after[name], whole_after),
            target.weight,
            target.low,
            target.high,
        )
        for name, target in sorted(place.problem.policy.targets.items())
    )


def _share(value: Decimal, total: Decimal) -> Decimal:
    return (value * WHOLE_BPS / total).quantize(Decimal("0.01"))


def _micro(value: Decimal) -> Decimal:
    return value.quantize(_MICRO)


def _why(
    tries: _Tries, place: Board, found: Found, decision: Rebalance, first: FirstUses
) -> tuple[str, ...]:
    problem, seen = place.problem, found.outlook
    left = tries.bands.missed(seen)
    held = _notes(found) if left else ()
    return (
        decision.why,
        *story.funding(seen),
        *story.refuels(seen),
        *first.why,
        *_left_without_bridges(tries, found),
        *story.unreached(place, seen, left),
        *held,
        *story.idle(place),
        *story.single_sources(place, seen),
        *problem.valuation.notes,
        *story.worst(seen),
        story.doing_nothing(decision.drifts),
    )


def _alternatives(tries: _Tries, place: Board, found: Found) -> tuple[tuple[str, Decimal], ...]:
    """What other ways would have cost that repair as much, where they exist and differ."""
    if place.problem.policy.trigger.rebalance_to == "target":
        others = [("pairing by size", tries.search(replace(PAIRING, aim="target")))]
    else:
        others = [
            ("to the exact targets", tries.best("target")),
            ("pairing by size", tries.search(PAIRING)),
        ]
    if found.outlook.bridged:
        others.append(("without bridges", tries.without_bridges))
    stays = tries.bands.shortfall(found.outlook)
    return tuple(
        (name, _micro(other.outlook.cost))
        for name, other in others
        if other.moves
        and other.moves != found.moves
        and tries.bands.shortfall(other.outlook) <= stays
    )


def _left_without_bridges(tries: _Tries, found: Found) -> tuple[str, ...]:
    """What would stay outside the bands without bridges, where that is more."""
    if not found.outlook.bridged:
        return ()
    stays = tries.bands.shortfall(tries.without_bridges.outlook)
    if stays <= tries.bands.shortfall(found.outlook):
        return ()
    return (f"without bridges {money(stays)} would stay outside the bands",)
