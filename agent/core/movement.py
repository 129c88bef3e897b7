"""Where the money of a leg is by what the journal says: not moved yet, under way, brought."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.state import IntentState, LegState, RunState, State, intent_id

TRANSFERS = frozenset({"bridge", "claim"})
"""Kinds of legs that bring money from one chain to another."""


def act(run: RunState, leg: LegState) -> IntentState | None:
    """The intent of the present quote round that moves the leg's money: its last draft."""
    if leg.quoted is None:
        return None
    last = len(leg.quoted.drafts) - 1
    return run.intents.get(intent_id(run.id, leg.leg.id, leg.rounds, last))


def delivered(run: RunState, leg: LegState) -> int | None:
    """Measured base units of `buy` that a leg brought, None until they are there and confirmed."""
    if leg.leg.kind in TRANSFERS:
        if leg.arrived is None:
            return None
        return leg.arrived.amount.raw if leg.arrived.amount.token == leg.leg.buy else 0
    done = act(run, leg)
    if leg.settled is None or done is None or not (done.confirmed or done.expired):
        return None
    return sum(delta.raw for delta in leg.settled.deltas if delta.token == leg.leg.buy)


def unmeasured(run: RunState, leg: LegState) -> IntentState | None:
    """The act of a leg whose effect nobody has measured yet."""
    done = act(run, leg)
    return done if done is not None and done.succeeded and leg.settled is None else None


def away(run: RunState, leg: LegState) -> bool:
    """Whether the money of a transfer has left and not landed, whoever follows it now.

    What a claim follows had left before its run began.
    """
    if leg.landed or leg.undone or leg.leg.kind not in TRANSFERS:
        return False
    done = act(run, leg)
    return leg.leg.kind == "claim" or (done is not None and done.succeeded)


def in_transit(run: RunState, leg: LegState) -> bool:
    """Whether this leg follows money that is on its way, its departure confirmed.

    A claim whose run is cancelled before anything was signed for it is left to a later run.
    """
    if not away(run, leg) or leg.heir is not None:
        return False
    if leg.leg.kind == "claim":
        return run.cancel is None or bool(run.of_leg(leg.leg.id))
    done = act(run, leg)
    return leg.settled is not None and done is not None and done.confirmed


def deposit_of(run: RunState, leg: LegState) -> str:
    """The hash of the transaction by which a transfer left, '' while it has not."""
    if leg.leg.kind == "claim":
        return leg.leg.detail
    done = act(run, leg)
    return "" if done is None or done.mined is None else done.mined.receipt.hash


def heirs(state: State, leg: LegState) -> Iterator[tuple[RunState, LegState] | None]:
    """The runs and legs that followed a transfer one after another, the last one follows it now.

    None at the end where that run is archived: then the transfer is over.
    """
    while leg.heir is not None:
        name, heir = leg.heir
        if name not in state.runs:
            yield None
            return
        leg = state.runs[name].legs[heir]
        yield state.runs[name], leg


def followed_by(state: State, run: RunState, leg: LegState) -> tuple[RunState, LegState] | None:
    """The run and the leg that follow a transfer now: these, or the last of their heirs."""
    return [(run, leg), *heirs(state, leg)][-1]
