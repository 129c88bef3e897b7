"""Money in flight, from the journal: it has left and nobody has seen it arrive."""

from __future__ import annotations

from agent.core.money import Amount
from agent.core.snapshot import InFlight
from agent.core.state import LegState, State


def in_flight(state: State) -> tuple[InFlight, ...]:
    """Transfers that have left and not arrived, counted at what their quotes guarantee."""
    return tuple(
        InFlight(leg.leg.id, Amount(leg.leg.buy, leg.quoted.quote.min_amount_out), leg.leg.buy)
        for run in state.runs.values()
        for leg in run.legs.values()
        if leg.quoted is not None and _flying(leg)
    )


def _flying(leg: LegState) -> bool:
    if leg.leg.kind != "bridge" or leg.settled is None:
        return False
    return leg.arrived is None and leg.refunded is None and leg.lost is None
