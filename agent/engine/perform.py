"""One step, one function: performs it and returns what happened as facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from agent.core.closing import unread
from agent.core.fact import CancelRequested, Fact, Refused, Replanned
from agent.core.progress import (
    Ask,
    Close,
    Measure,
    OnIntent,
    Replan,
    Reserve,
    Step,
    Track,
    Watch,
)
from agent.core.state import RunState, State
from agent.engine.ask import ask
from agent.engine.io import Io, Later
from agent.engine.measure import close, measure
from agent.engine.reorg import undone
from agent.engine.reserve import reserve
from agent.engine.send import follow, sign, submit, watch
from agent.engine.track import track, unlanded
from agent.planning.problem import NoPlan


def perform(step: Step, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Do *step* in the state it was chosen in; raises Unavailable when the world is silent.

    Nothing is appended here: the caller writes the facts down before anything else happens.
    """
    match step:
        case Ask():
            return _unless_undone(ask(step, state, io), state.runs[step.run], state, io)
        case Reserve():
            return _unless_undone(reserve(step, state, io), state.runs[step.run], state, io)
        case OnIntent():
            return {"sign": sign, "submit": submit, "follow": follow}[step.what](step, state, io)
        case Watch():
            return watch(step, state, io)
        case Measure():
            return measure(step, state, io)
        case Track():
            return track(step, state, io)
        case Replan():
            return _replan(step, state, io)
        case Close():
            return close(step, state, io)
        case _:
            assert_never(step)


def _unless_undone(
    found: Sequence[Fact] | Later, run: RunState, state: State, io: Io
) -> tuple[Fact, ...] | Later:
    """What was found, but for a refusal on a chain whose blocks have gone away.

    What an earlier leg brought is not there for the moment: that speaks against nothing.
    """
    if isinstance(found, Later):
        return found
    if any(isinstance(fact, Refused) for fact in found):
        return undone(state, io, frozenset()) or unlanded(run, io) or tuple(found)
    return tuple(found)


def _replan(step: Replan, state: State, io: Io) -> tuple[Fact, ...]:
    """Another plan for what is left, or the end of the run when there is none."""
    found = io.replan(state.runs[step.run])
    now = io.clock.now()
    if isinstance(found, NoPlan):
        return (CancelRequested(step.run, f"{step.why}; no other plan: {found}", now),)
    strange = unread(found, state.runs[step.run].started.before)
    if strange:
        why = f"{step.why}; another plan needs {strange[0].symbol}, which was not read at the start"
        return (CancelRequested(step.run, why, now),)
    return (Replanned(step.run, found, now),)
