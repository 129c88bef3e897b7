"""Money in flight, from the journal: it has left and nobody has seen it arrive."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.money import Amount
from agent.core.movement import act, away, deposit_of
from agent.core.snapshot import InFlight
from agent.core.state import LegState, RunState, State

LATE_AFTER = 4
"""A transfer is called late once it has taken so many times its usual duration."""

LEAST_LATE_SECONDS = 60
"""Bridges that usually take seconds are not late before this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A transfer that is on its way at `via`, which holds `sold` since `left`.

    At least `least` is to arrive, usually at `typical`; it is late from `late` on. `deposit` is
    the transaction's hash, `id` the bridge's own number for it and `due` when the money comes
    back instead; these two only the bridge can tell. Of what left before the run began `left`
    is when that was. Times are unix seconds.
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
        _awaited(run, leg)
        for run in state.runs.values()
        for leg in run.legs.values()
        if away(run, leg) and leg.heir is None
    )


def _awaited(run: RunState, leg: LegState) -> Awaited:
    done, quoted, told = act(run, leg), leg.quoted, leg.deferred
    sold, least, left = leg.leg.planned_sell, leg.leg.min_buy, run.started.at
    if quoted is not None:
        sold, least, left = quoted.quote.sell, quoted.quote.min_amount_out, quoted.at
    if done is not None and done.mined is not None:
        left = done.mined.at
    usual = leg.leg.seconds
    typical = max(left + usual, 0 if told is None else told.until)
    return Awaited(
        run=run.id,
        leg=leg.leg.id,
        via=leg.leg.via,
        sold=sold,
        least=Amount(leg.leg.buy, least),
        deposit=deposit_of(run, leg),
        left=left,
        typical=typical,
        late=max(typical, left + max(LEAST_LATE_SECONDS, LATE_AFTER * usual)),
        id="" if told is None else told.id,
        due=None if told is None else told.due,
    )
