"""Limits over runs, days and months, charged before anything is signed."""

from __future__ import annotations

from decimal import Decimal

from agent.core.intent import Charges
from agent.core.movement import followed_by
from agent.core.policy import Limits
from agent.core.state import IntentState, RunState, State
from agent.core.verdict import Refusal, Verdict

DAY_SECONDS = 86_400
MONTH_SECONDS = 30 * DAY_SECONDS
"""A month of the limits is thirty days that slide, so that no date resets it."""


def spent_since(state: State, since: int) -> Charges:
    """What all intents reserved at or after *since* (unix seconds) take out of the limits."""
    value, fee = Decimal(0), Decimal(0)
    entries = [(entry.at, entry.charges) for entry in state.spent]
    for run in state.runs.values():
        entries += [
            (known.attempts[0].reserved.at, known.charged) for known in run.intents.values()
        ]
    for at, charges in entries:
        if at >= since:
            value += charges.value
            fee += charges.fee
    return Charges(value, fee)


def lost_since(state: State, since: int) -> Decimal:
    """Value that settled legs lost to price impact and fees of venues since *since*."""
    entries = [(entry.at, entry.lost) for entry in state.spent]
    entries += [
        (leg.settled.at, max(Decimal(0), -leg.settled.value))
        for run in state.runs.values()
        for leg in run.legs.values()
        if leg.settled is not None
    ]
    return sum((lost for at, lost in entries if at >= since), Decimal(0))


def run_value(run: RunState) -> Decimal:
    """Value that a run has moved or reserved so far."""
    return sum((known.charged.value for known in run.intents.values()), Decimal(0))


def in_flight_value(state: State) -> Decimal:
    """Value of transfers that have left and not arrived, by what was charged for them."""
    return sum(
        (
            known.charged.value
            for run in state.runs.values()
            for known in run.intents.values()
            if known.intent.draft.purpose == "deposit" and not _is_back(state, run, known)
        ),
        Decimal(0),
    )


def _is_back(state: State, run: RunState, known: IntentState) -> bool:
    """Whether a transfer's money is in the wallet again; what is lost is not."""
    last = followed_by(state, run, run.legs[known.intent.leg])
    return last is None or last[1].arrived is not None or last[1].refunded is not None


def first_use(state: State, via: str, value: Decimal, canary: Decimal | None) -> Verdict:
    """Whether *value* more may go through a venue or bridge that has not worked yet.

    All that is charged for it until then counts: two lanes do not each send a canary.
    """
    if canary is None or via in state.vias or not value:
        return Verdict()
    begun = sum(
        (
            known.charged.value
            for run in state.runs.values()
            for known in run.intents.values()
            if run.legs[known.intent.leg].leg.via == via
        ),
        Decimal(0),
    )
    if begun + value <= canary:
        return Verdict()
    why = f"first uses of {via} would come to {begun + value:,.2f} (canary {canary:,.2f})"
    return Verdict((Refusal("G501", why),))


def charge(
    state: State, run_id: str, charges: Charges, limits: Limits, now: int, *, deposit: bool = False
) -> Verdict:
    """Whether *charges* fit into what the limits leave at *now* (unix seconds)."""
    run = state.runs[run_id]
    day = spent_since(state, now - DAY_SECONDS).value
    month_start = now - MONTH_SECONDS
    month = spent_since(state, month_start).fee + lost_since(state, month_start)
    asked = [
        ("G301", "this run", run_value(run) + charges.value, limits.max_run_value, "max_run_value"),
        ("G302", "one day", day + charges.value, limits.max_day_value, "max_day_value"),
        ("G303", "a month's cost", month + charges.fee, limits.max_month_cost, "max_month_cost"),
    ]
    if deposit:
        flying = in_flight_value(state) + charges.value
        asked.append(("G305", "in flight", flying, limits.max_in_flight, "max_in_flight"))
    return Verdict(
        tuple(
            Refusal(code, f"{what} would come to {amount:,.2f} (limit {name} {limit:,.2f})")
            for code, what, amount, limit, name in asked
            if not (amount <= limit)
        )
    ) + fee_verdict(charges.fee, limits)


def fee_verdict(fee: Decimal, limits: Limits) -> Verdict:
    """Whether the largest network fee of one transaction is allowed."""
    if fee <= limits.max_fee_per_tx:
        return Verdict()
    return Verdict(
        (
            Refusal(
                "G304",
                f"the network fee could reach {fee:,.2f} "
                f"(limit max_fee_per_tx {limits.max_fee_per_tx:,.2f})",
            ),
        )
    )
