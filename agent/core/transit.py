"""Money in flight, from the journal: it has left and nobody has seen it arrive."""

from __future__ import annotations

from agent.core.money import Amount
from agent.core.progress import act
from agent.core.snapshot import InFlight
from agent.core.state import LegState, RunState, State


def in_flight(state: State) -> tuple[InFlight, ...]:
    """Transfers that have left and not arrived, counted at what their quotes guarantee."""
    return tuple(
        InFlight(leg.leg.id, Amount(leg.leg.buy, leg.quoted.quote.min_amount_out), leg.leg.buy)
        for run in state.runs.values()
        for leg in run.legs.values()
        if leg.quoted is not None and _flying(run, leg)
    )


def _flying(run: RunState, leg: LegState) -> bool:
    done = act(run, leg)
    return leg.leg.kind == "bridge" and done is not None and done.succeeded and not leg.landed
