"""Money in flight, from the journal: it has left and nobody has seen it arrive."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.fact import Quoted
from agent.core.money import Amount
from agent.core.progress import act
from agent.core.snapshot import InFlight
from agent.core.state import IntentState, LegState, RunState, State

LATE_AFTER = 4
"""A transfer is called late once it has taken so many times its usual duration."""

LEAST_LATE_SECONDS = 60
"""Bridges that usually take seconds are not late before this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A transfer that is on its way at `via`, which holds `sold` since `left`.

    At least `least` is to arrive, usually at `typical`; it is late from `late` on. `deposit` is
    the transaction's hash, `id` the bridge's own number for it and `due` when the money comes
    back instead; these two only the bridge can tell. Times are unix seconds.
    """

    run: str
    leg: str
    via: str
    sold: Amount
    least: Amount
    deposit: str
    left: int
    typical: int
    late: int
    id: str = ""
    due: int | None = None


def in_flight(state: State) -> tuple[InFlight, ...]:
    """Transfers that have left and not arrived, counted at what their quotes guarantee."""
    return tuple(InFlight(each.leg, each.least, each.least.token) for each in awaited(state))


def awaited(state: State) -> tuple[Awaited, ...]:
    """The same with all that a person wants to know of them, as far as the journal says."""
    return tuple(
        _awaited(run, leg, done, leg.quoted)
        for run in state.runs.values()
        for leg in run.legs.values()
        if leg.quoted is not None
        and (done := act(run, leg)) is not None
        and leg.leg.kind == "bridge"
        and done.succeeded
        and not leg.landed
    )


def _awaited(run: RunState, leg: LegState, done: IntentState, quoted: Quoted) -> Awaited:
    mined, usual = done.mined, leg.leg.seconds
    left = quoted.at if mined is None else mined.at
    return Awaited(
        run=run.id,
        leg=leg.leg.id,
        via=leg.leg.via,
        sold=quoted.quote.sell,
        least=Amount(leg.leg.buy, quoted.quote.min_amount_out),
        deposit="" if mined is None else mined.receipt.hash,
        left=left,
        typical=left + usual,
        late=left + max(LEAST_LATE_SECONDS, LATE_AFTER * usual),
    )
