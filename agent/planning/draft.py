"""The plan of what was found: its legs and figures, and the answer to "why"."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256

from agent.core.codec import encode
from agent.core.decide import Rebalance
from agent.core.money import WHOLE_BPS, Token
from agent.core.plan import Plan, PlanError, Standing, build
from agent.core.verdict import Refusal
from agent.core.wording import listed, money
from agent.planning import story
from agent.planning.board import Board
from agent.planning.first_use import FirstUses, first_uses
from agent.planning.fuel import NO_GAS, Starved
from agent.planning.greedy import PAIRING, Tries
from agent.planning.legs import caps, holdings, legs, reserves
from agent.planning.outlook import Outlook, untouched
from agent.planning.problem import NoPlan
from agent.planning.search import Found
from agent.planning.solved import Solved

PLAN_SECONDS = 600
"""How long a plan stands before it must be made again: prices of a plan that a person reads for
longer than ten minutes are old, and a run checks it again anyway."""

_MICRO = Decimal("0.000001")
_MOST_NOTES = 5

_MOST_OTHERS = 3
"""Venues and bridges without which a plan is looked for, so that it can be said what they save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a plan is drawn up from; the *note* is said about the solver."""

    place: Board
    tries: Tries
    solved: Solved | None
    found: Found
    decision: Rebalance
    note: str = ""


def drawn_up(draft: Draft) -> Plan | NoPlan:
    """The plan once it is checked, or why its first uses cannot be paid for."""
    place, seen = draft.place, draft.found.outlook
    problem = place.problem
    policy, total = problem.policy, problem.valuation.value
    first = first_uses(legs(seen), problem)
    made = first.legs
    cost = sum((leg.cost for leg in made), Decimal(0))
    bound = None if draft.solved is None else draft.solved.bound(seen)
    tracking = _micro(seen.charge)
    unnamed = Plan(
        id="",
        legs=made,
        standings=_standings(place, seen),
        value=_micro(total or Decimal(0)),
        cost=cost,
        worst_case=cost + _micro(seen.worst_case - seen.cost),
        gas_if_reverted=sum((leg.gas_cost for leg in made), Decimal(0)),
        turnover=_micro(seen.turnover),
        # Legs round what they cost: that must not seem to be below what is proven.
        bound=None if bound is None else min(bound, cost + tracking),
        missed=_micro(draft.tries.bands.shortfall(seen)),
        tracking=tracking,
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
        why=_why(draft, first),
        alternatives=_alternatives(draft),
    )
    return _built(replace(unnamed, id=fingerprint(unnamed)), place, seen, first)


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


def _why(draft: Draft, first: FirstUses) -> tuple[str, ...]:
    """Why now comes first, what doing nothing would mean last."""
    place, seen = draft.place, draft.found.outlook
    problem = place.problem
    left = draft.tries.bands.missed(seen)
    held = notes(draft.found) if left else ()
    return (
        draft.decision.why,
        *story.funding(seen),
        *story.refuels(seen),
        *first.why,
        *_left_without_bridges(draft),
        *story.unreached(place, seen, left),
        *held,
        *story.idle(place),
        *story.single_sources(place, seen),
        *problem.valuation.notes,
        *story.weighing(seen),
        *story.worst(seen),
        *((draft.note,) if draft.note else ()),
        story.doing_nothing(draft.decision.drifts, untouched(place).charge),
    )


def _alternatives(draft: Draft) -> tuple[tuple[str, Decimal], ...]:
    """What other ways would have cost that repair as much, where they exist and differ."""
    tries, found = draft.tries, draft.found
    if draft.place.problem.policy.trigger.rebalance_to == "target":
        others = [("pairing by size", tries.search(replace(PAIRING, aim="target")))]
    else:
        others = [
            ("to the exact targets", tries.best("target")),
            ("pairing by size", tries.search(PAIRING)),
        ]
    if found.outlook.bridged:
        others.append(("without bridges", tries.without_bridges))
    others += [(f"without {via}", tries.elsewhere(via)) for via in _replaceable(draft)]
    return tuple(
        (name, _micro(other.outlook.total))
        for name, other in others
        if other.moves and other.moves != found.moves and _does_as_much(draft, other)
    )


def _does_as_much(draft: Draft, other: Found) -> bool:
    """Whether another way leaves no more outside the bands, and is as near to exact targets."""
    tries, found = draft.tries, draft.found
    exactly = draft.place.problem.policy.trigger.rebalance_to == "target"
    if exactly and other.shortfall > found.shortfall:
        return False
    return tries.bands.shortfall(other.outlook) <= tries.bands.shortfall(found.outlook)


def _replaceable(draft: Draft) -> tuple[str, ...]:
    """Venues and bridges of the plan whose trades another one offers as well, some of them."""
    offered: dict[tuple[Token, Token], set[str]] = {}
    for way in draft.place.ways:
        offered.setdefault((way.edge.sell, way.edge.buy), set()).add(way.edge.via)
    used = {
        done.way.edge.via
        for done in draft.found.outlook.trades
        if len(offered[done.way.edge.sell, done.way.edge.buy]) > 1
    }
    return tuple(sorted(used))[:_MOST_OTHERS]


def _left_without_bridges(draft: Draft) -> tuple[str, ...]:
    """What would stay outside the bands without bridges, where that is more."""
    tries, seen = draft.tries, draft.found.outlook
    if not seen.bridged:
        return ()
    stays = tries.bands.shortfall(tries.without_bridges.outlook)
    if stays <= tries.bands.shortfall(seen):
        return ()
    return (f"without bridges {money(stays)} would stay outside the bands",)


def notes(found: Found) -> tuple[str, ...]:
    """Some of what held the search up; a chain without gas first, for a person can help that."""
    return tuple(sorted(found.notes, key=lambda note: not isinstance(note, Starved))[:_MOST_NOTES])
