"""Ask a bridge where the money is, and write down what it says."""

from __future__ import annotations

from typing import assert_never

from agent.core.fact import Arrived, Due, Fact, Lost, Refunded
from agent.core.progress import DUE_ROUND, Track, act
from agent.core.state import LegState, RunState, State, intent_id
from agent.engine.io import Io, Later
from agent.ports import Act, Delivered, Gone, Returned, Waiting


def track(step: Track, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """One look at a transfer: what it needs of us, that it arrived, or when to look again."""
    run = state.runs[step.run]
    leg = run.legs[step.leg]
    now = io.clock.now()
    deposit = act(run, leg)
    if deposit is None or deposit.mined is None or leg.quoted is None:
        raise ValueError(f"leg {step.leg} has no mined deposit to track")
    if _unfinished(run, leg):
        return Later(now + _poll(leg, io), "our own transaction for it is on its way")
    bridge = io.bridges[leg.leg.via]
    claims = sum(1 for due in leg.dues if due.draft.purpose != "revoke")
    found = bridge.track(leg.leg, deposit.mined.receipt, leg.quoted.sell_raw, claims, now)
    match found:
        case Waiting():
            return Later(max(now + _poll(leg, io), found.until), found.why)
        case Act():
            return (Due(step.run, step.leg, found.draft, found.why, now),)
        case Delivered():
            return (Arrived(step.run, step.leg, found.amount, now),)
        case Returned():
            return (Refunded(step.run, step.leg, found.amount, now),)
        case Gone():
            return (Lost(step.run, step.leg, found.why, now),)
        case _:
            assert_never(found)


def _unfinished(run: RunState, leg: LegState) -> bool:
    """Whether a due transaction of this leg is not mined yet."""
    for index in range(len(leg.dues)):
        tries = (
            run.intents.get(intent_id(run.id, leg.leg.id, DUE_ROUND - again, index))
            for again in range(len(run.intents) + 1)
        )
        if not any(known is not None and known.quiet and not known.voided for known in tries):
            return True
    return False


def _poll(leg: LegState, io: Io) -> float:
    return io.chains[leg.leg.buy.chain].poll_seconds
