"""The first use of a venue or bridge: a little goes first, and the rest waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from agent.core.frozen import empty
from agent.core.money import Amount
from agent.core.plan import Leg, Sell, in_order
from agent.core.rounding import mul_div_down
from agent.core.wording import money
from agent.planning.ladder import bought
from agent.planning.problem import Problem

PLANNED_PART = Decimal("0.9")
"""What a first use is planned with, of the canary: prices move until it is signed, and an asset
that rises by a tenth meanwhile still passes."""

_MICRO = Decimal("0.000001")
_MOVING = frozenset({"swap", "bridge"})


@dataclass(frozen=True, slots=True)
class FirstUses:
    """Legs whose first uses are small, what a person is told of it, and what each is a part of."""

    legs: tuple[Leg, ...]
    why: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=empty)


def first_uses(legs: tuple[Leg, ...], problem: Problem) -> FirstUses:
    """The same legs, but a new place is first used for less than the canary.

    A leg that sells what is held or wrapped is split in two, and all other legs of the place
    wait for the small part. Where all legs sell what others deliver nothing is changed: what is
    delivered is planned again when it is there.
    """
    found = FirstUses(legs)
    if problem.canary is None:
        return found
    moving = [leg.via for leg in in_order(legs) if leg.kind in _MOVING]
    last = ""
    for via in dict.fromkeys(moving):
        if via in problem.known:
            continue
        first = _first(found.legs, via, problem)
        if first is None:
            continue
        small = _small(first, problem)
        if small is not None or moving.count(via) > 1:
            # An offer for any swap may come from any venue: two lanes would share one canary.
            after = _beside(found.legs, via, last) if first.kind == "swap" else ()
            found = _divided(found, first, small, after, problem)
            last = (small or first).id if first.kind == "swap" else last
    return found


def _first(legs: tuple[Leg, ...], via: str, problem: Problem) -> Leg | None:
    """The first leg of *via* that has something to begin with and waits for no other leg of it.

    What is wrapped is sure: of that it sells a fixed amount.
    """
    earlier = _earlier(legs)
    own = {leg.id for leg in legs if leg.via == via}
    wraps = {leg.id for leg in legs if leg.kind in {"wrap", "unwrap"}}
    for leg in in_order(legs):
        if leg.id not in own or own & earlier[leg.id]:
            continue
        if wraps.issuperset(leg.sell.arrivals):
            return replace(leg, sell=Sell(leg.sell.token, leg.planned_sell.raw))
        if (problem.prices.worth(Amount(leg.sell.token, leg.sell.fixed_raw)) or 0) > _most(problem):
            return leg
    return None


def _most(problem: Problem) -> Decimal:
    """The value that a first use is planned with."""
    return (problem.canary or Decimal(0)) * PLANNED_PART


def _earlier(legs: tuple[Leg, ...]) -> Mapping[str, frozenset[str]]:
    """What each leg waits for, directly or not."""
    found: dict[str, frozenset[str]] = {}
    for leg in in_order(legs):
        found[leg.id] = frozenset(leg.after).union(*(found[name] for name in leg.after))
    return found


def _beside(legs: tuple[Leg, ...], via: str, last: str) -> tuple[str, ...]:
    """The first use before this one, where it does not wait for *via* itself."""
    own = {leg.id for leg in legs if leg.via == via}
    return (last,) if last and not own & _earlier(legs)[last] else ()


def _small(leg: Leg, problem: Problem) -> Leg | None:
    """The part of *leg* that goes first; None where it is small enough or cannot be divided."""
    most = _most(problem)
    worth = problem.prices.worth(leg.planned_sell)
    if worth is None or worth <= most:
        return None
    planned = leg.planned_sell.raw
    raw = int(Fraction(planned) * Fraction(most) / Fraction(worth))
    share = mul_div_down(leg.expected_out, raw, planned)
    least = mul_div_down(leg.min_buy, raw, planned)
    if not least:
        return None
    expected = min(share, _surveyed(leg, raw, problem) or share)
    dearer = problem.prices.worth(Amount(leg.buy, share - expected)) or Decimal(0)
    own = (leg.cost - leg.gas_cost) * raw / planned + dearer
    return replace(
        leg,
        id=f"{leg.id}c",
        sell=Sell(leg.sell.token, raw),
        expected_out=expected,
        min_buy=mul_div_down(least, expected, share),
        cost=leg.gas_cost + own.quantize(_MICRO),
    )


def _surveyed(leg: Leg, raw: int, problem: Problem) -> int | None:
    """What a bridge was said to deliver for *raw*: a part of its fee is the same for any size."""
    for edge in problem.edges:
        if (edge.via, edge.sell, edge.buy) == (leg.via, leg.sell.token, leg.buy):
            return bought(edge, raw) if leg.kind == "bridge" else None
    return None


def _divided(
    found: FirstUses, first: Leg, small: Leg | None, after: tuple[str, ...], problem: Problem
) -> FirstUses:
    """The legs with *small* before the rest of *first*, or with *first* itself before others."""
    ahead = _later(small or first, after)
    rest = first if small is None else _rest(first, small)
    legs = [] if small is None else [ahead]
    for leg in found.legs:
        if leg.id == ahead.id:
            legs.append(ahead)
        elif leg.via == first.via and leg.kind in _MOVING:
            own = rest if leg.id == first.id else leg
            legs.append(_fed(_later(own, (ahead.id,)), first.id, ahead.id))
        else:
            legs.append(_fed(leg, first.id, ahead.id))
    value = problem.prices.worth(ahead.planned_sell) or Decimal(0)
    why = f"first use of {first.via} moves {money(value)} first"
    parts = {} if small is None else {small.id: first.id}
    return FirstUses(in_order(tuple(legs)), (*found.why, why), {**found.parts, **parts})


def _rest(leg: Leg, small: Leg) -> Leg:
    """What is left of *leg* without *small*; it costs one more transaction's gas."""
    raw, planned, sell = small.sell.fixed_raw, leg.planned_sell.raw, leg.sell
    most = planned - raw if sell.arrivals else 0
    share = ((leg.cost - leg.gas_cost) * raw / planned).quantize(_MICRO)
    return replace(
        leg,
        sell=Sell(sell.token, sell.fixed_raw - raw, sell.arrivals, most),
        expected_out=leg.expected_out - mul_div_down(leg.expected_out, raw, planned),
        min_buy=leg.min_buy - mul_div_down(leg.min_buy, raw, planned),
        cost=leg.cost - share,
    )


def _later(leg: Leg, after: tuple[str, ...]) -> Leg:
    return replace(leg, after=tuple(dict.fromkeys((*leg.after, *after))))


def _fed(leg: Leg, source: str, part: str) -> Leg:
    """Whoever spends what *source* delivers spends what its *part* delivers too."""
    if source == part or source not in leg.sell.arrivals:
        return leg
    fed = replace(leg, sell=replace(leg.sell, arrivals=(*leg.sell.arrivals, part)))
    return _later(fed, (part,))
