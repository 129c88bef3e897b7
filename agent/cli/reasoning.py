"""The whole reasoning behind a plan, in sections that need no knowledge of the program."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from agent.core.money import WHOLE_BPS, Amount
from agent.core.plan import Leg, Plan
from agent.core.wording import chain_name, figure, listed, money, percent, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTHING = "doing nothing"
"""How the sentence begins that says what it means not to do a plan."""


@dataclass(frozen=True, slots=True)
class Section:
    """A question that somebody may have, and the answer line by line."""

    title: str
    lines: tuple[str, ...]


def sections(which: Plan, drifts: tuple[str, ...] = ()) -> tuple[Section, ...]:
    """All there is to say about a plan; questions without an answer are left out.

    *drifts* are sentences about all that is off now, where that was looked at just now.
    """
    now = which.why[:1]
    more = tuple(drift for drift in drifts if not any(drift in why for why in now))
    rest = tuple(why for why in which.why[1:] if not why.startswith(_NOTHING))
    found = (
        Section("WHY NOW", (*now, *more)),
        Section("WHAT IS DONE", tuple(_leg(leg) for leg in which.legs)),
        Section("WHY THESE LEGS", rest),
        Section("WHAT IT COSTS", tuple(_costs(which))),
        Section("COULD IT BE CHEAPER", (proof(which),)),
        Section("WHAT ELSE COULD BE DONE", tuple(_others(which))),
        Section("WHO ELSE WAS ASKED", tuple(_asked(which))),
        Section("IF IT GOES BADLY", tuple(_bad(which))),
        Section("BEFORE AND AFTER", tuple(_standings(which))),
        Section("PRICES", tuple(_prices(which))),
    )
    return tuple(each for each in found if each.lines)


def lines(which: Plan, drifts: tuple[str, ...] = ()) -> list[str]:
    """The sections as a person reads them."""
    found = [""]
    for section in sections(which, drifts):
        found += [section.title, *(f"  {line}" for line in section.lines)]
    return found


def gap(which: Plan) -> tuple[Decimal, Decimal] | None:
    """What a better plan could save at most, and that as a part of the cost; None if unknown.

    What is saved may be charged for distance from the targets: that counts as a cost here.
    """
    if which.bound is None:
        return None
    counted = which.cost + which.tracking
    saved = counted - which.bound
    return saved, saved / counted if counted > 0 else Decimal(0)


def proof(which: Plan) -> str:
    """How little any plan could cost."""
    known = gap(which)
    if known is None or which.bound is None:
        return "how little a plan could cost is not proven"
    both = " with its distance from the targets" if which.tracking else ""
    return (
        f"no plan that does as much can cost less than {money(which.bound)}{both}: a solver has "
        "proven it for these prices and offers, and this plan was computed again in whole base "
        f"units; {money(known[0])} could be saved at most, {percent(known[1])} of its cost{both}"
    )


def bounded(which: Plan) -> str:
    """The same in few words, nothing when nothing is proven."""
    known = gap(which)
    if known is None or which.bound is None:
        return ""
    least = money(which.bound)
    told = f"cost {money(which.cost)} · no plan can cost less than {least} "
    if which.tracking:
        off = f"{money(which.tracking)} for distance from the targets"
        told = f"cost {money(which.cost)} and {off} · no plan counts less than {least} in all "
    return f"{told}(solver bound; the cost is rechecked in integers) · gap {percent(known[1])}"


def cheapest_other(which: Plan) -> tuple[str, Decimal] | None:
    """The cheapest other way that was found, and its cost."""
    return min(which.alternatives, key=lambda each: (each[1], each[0]), default=None)


def _leg(leg: Leg) -> str:
    here, there = chain_name(leg.sell.token.chain), chain_name(leg.buy.chain)
    where = f"on {here}" if here == there else f"from {here} to {there}"
    how = f"{leg.via}, {leg.detail}" if leg.detail else leg.via
    waits = f", once {listed(list(leg.after))} is done" if leg.after else ""
    return (
        f"{leg.id}: {leg.kind} {where} by {how}{waits}: {whole(leg.planned_sell)} for about "
        f"{whole(Amount(leg.buy, leg.expected_out))}, at least "
        f"{whole(Amount(leg.buy, leg.min_buy))}; it costs {money(leg.cost)}, of which "
        f"{money(leg.gas_cost)} are fees of the network"
    )


def _costs(which: Plan) -> Iterator[str]:
    if which.value > 0 and which.turnover > 0:
        yield (
            f"{money(which.turnover)} of {money(which.value)} is traded, which costs "
            f"{money(which.cost)}: {_bps(which.cost, which.turnover)} of what is traded, "
            f"{_bps(which.cost, which.value)} of the whole"
        )
    else:
        yield f"it costs {money(which.cost)}"
    yield (
        f"fees of the network take {money(which.gas_if_reverted)}; what prices move against the "
        f"trades and what venues and bridges keep is {money(which.cost - which.gas_if_reverted)}"
    )
    if which.tracking:
        yield (
            f"beside that {money(which.tracking)} counts for its distance from the targets: what "
            "that is expected to lose until the next rebalancing, paid to nobody"
        )


def _bps(part: Decimal, of: Decimal) -> str:
    return f"{part * WHOLE_BPS / of:.1f} bps"


def _others(which: Plan) -> Iterator[str]:
    nearest = cheapest_other(which)
    for other in sorted(which.alternatives, key=lambda each: (each[1], each[0])):
        name, cost = other
        off = cost - which.cost - which.tracking
        first = ", the cheapest other way" if other == nearest else ""
        yield f"{name}{first}: {money(cost)}, {money(abs(off))} {'less' if off < 0 else 'more'}"
    if nearest is None:
        yield "no other way was found that does as much"
    yield from (why for why in which.why[1:] if why.startswith(_NOTHING))


def _asked(which: Plan) -> Iterator[str]:
    for each in which.asked:
        known = "nobody surveys it"
        if each.known is not None:
            known = f"{each.known.via} brings {whole(Amount(each.buy, each.known.out))}"
        yield f"{each.what}, round {each.round}: {known}"
        yield from (f"  {told}" for told in each.each())


def _bad(which: Plan) -> Iterator[str]:
    yield (
        f"{money(which.worst_case)} is lost when every leg brings only its least: what brings less "
        "is not done at all"
    )
    yield f"{money(which.gas_if_reverted)} is lost when every leg fails: fees are paid all the same"
    if which.missed > 0:
        yield f"{money(which.missed)} stays, or may stay, outside the bands afterwards"


def _standings(which: Plan) -> Iterator[str]:
    for row in which.standings:
        yield (
            f"{row.asset}  {percent(row.before / WHOLE_BPS)} → {percent(row.after / WHOLE_BPS)}   "
            f"target {row.target_bps / 100:g} %, "
            f"band {row.low_bps / 100:g}–{row.high_bps / 100:g} %"
        )


def _prices(which: Plan) -> Iterator[str]:
    for asset, value, sources in which.prices:
        yield f"{asset}  {figure(value)}  by {', '.join(sources)}"
