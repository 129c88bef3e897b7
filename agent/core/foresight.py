"""What a plan says that balances will be, against what they are after it was carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.core.closing import native_of
from agent.core.money import Token
from agent.core.movement import delivered
from agent.core.plan import Plan, in_order
from agent.core.rounding import mul_div_down
from agent.core.state import LegState, RunState

FEES = "network fees"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a difference that has a name, in base units."""

    what: str
    raw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One token: base units before, as the plan foresees and as they turned out.

    `parts` name what makes the difference; `matches` when they make all of it.
    """

    token: Token
    before: int
    expected: int
    simulated: int
    parts: tuple[Part, ...] = ()

    @property
    def difference(self) -> int:
        """What there is more than foreseen."""
        return self.simulated - self.expected

    @property
    def matches(self) -> bool:
        """Whether nothing is left without a name."""
        return self.difference == sum(part.raw for part in self.parts)


@dataclass(frozen=True, slots=True)
class Flow:
    """What a leg sells and what it brings, in base units."""

    sold: int
    brought: int


def compare(
    plan: Plan, run: RunState, before: Mapping[Token, int], after: Mapping[Token, int]
) -> tuple[Comparison, ...]:
    """One row for each token of which anything is there, was there, or is foreseen.

    *before* and *after* are base units; *run* is what became of the plan.
    """
    return compare_flows(plan, _outcomes(run), _fees(run), before=before, after=after)


def compare_flows(
    plan: Plan,
    outcomes: Mapping[str, Flow],
    fees: Iterable[tuple[Token, Part]] = (),
    *,
    before: Mapping[Token, int],
    after: Mapping[Token, int],
) -> tuple[Comparison, ...]:
    """The same where legs that were done sold and brought what *outcomes* say."""
    flows = _flows(plan)
    expected = dict(before)
    for leg in plan.legs:
        flow = flows[leg.id]
        expected[leg.sell.token] = expected.get(leg.sell.token, 0) - flow.sold
        expected[leg.buy] = expected.get(leg.buy, 0) + flow.brought
    parts: dict[Token, list[Part]] = {}
    for token, part in (*_deviations(plan, outcomes, flows), *fees):
        if part.raw:
            parts.setdefault(token, []).append(part)
    return tuple(
        Comparison(
            token=token,
            before=before.get(token, 0),
            expected=foreseen,
            simulated=after.get(token, 0),
            parts=tuple(parts.get(token, ())),
        )
        for token, foreseen in expected.items()
        if foreseen or before.get(token) or after.get(token)
    )


def _flows(plan: Plan) -> Mapping[str, Flow]:
    """What each leg sells and brings when every one of them brings what is expected."""
    found: dict[str, Flow] = {}
    for leg in in_order(plan.legs):
        planned = leg.planned_sell.raw
        sold = leg.sell.sized({name: found[name].brought for name in leg.sell.arrivals})
        brought = leg.expected_out
        if sold != planned:
            brought = mul_div_down(brought, sold, planned)
        found[leg.id] = Flow(sold, brought)
    return found


def _deviations(
    plan: Plan, outcomes: Mapping[str, Flow], flows: Mapping[str, Flow]
) -> Iterator[tuple[Token, Part]]:
    """What legs that were done sold and brought otherwise than foreseen."""
    for leg in plan.legs:
        done, foreseen = outcomes.get(leg.id), flows[leg.id]
        if done is not None:
            cause = "fee" if leg.kind == "bridge" else "price"
            yield leg.sell.token, Part(f"size of leg {leg.id}", foreseen.sold - done.sold)
            yield leg.buy, Part(f"{cause} of leg {leg.id}", done.brought - foreseen.brought)


def _outcomes(run: RunState) -> Mapping[str, Flow]:
    """What the legs of a run that were done have sold and brought."""
    found = {}
    for name, leg in run.legs.items():
        brought = delivered(run, leg)
        if leg.settled is not None and brought is not None:
            found[name] = Flow(_sold(leg), brought)
    return found


def _sold(leg: LegState) -> int:
    deltas = () if leg.settled is None else leg.settled.deltas
    return -sum(delta.raw for delta in deltas if delta.token == leg.leg.sell.token)


def _fees(run: RunState) -> Iterator[tuple[Token, Part]]:
    total: dict[Token, int] = {}
    for known in run.intents.values():
        if known.mined is not None:
            coin = native_of(run, known.intent.chain)
            total[coin] = total.get(coin, 0) - known.mined.receipt.fee
    for coin, raw in total.items():
        yield coin, Part(FEES, raw)
