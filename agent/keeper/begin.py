"""What comes before a run's first signature, the same for people and for schedulers."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from agent.core.progress import Ask, OnIntent, Reserve, next_steps
from agent.engine.recover import begin
from agent.engine.survey import look, make_plan
from agent.errors import SimulationFailed
from agent.keeper.refusals import error_of
from agent.planning.problem import NoPlan
from agent.ports import Act

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.compose import Account, Rehearsal
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot
    from agent.core.state import State
    from agent.core.wish import Wish
    from agent.engine.io import Io
    from agent.engine.loop import Session
    from agent.engine.recover import Stray
    from agent.engine.survey import Look


def worker() -> str:
    """A name for this process: a resumed run says who went on with it."""
    return f"{os.getpid()}-{uuid.uuid4().hex[:6]}"


def new_run() -> str:
    """An id for a run that begins."""
    return uuid.uuid4().hex[:8]


def planned(
    io: Io, state: State, *, asked: bool, wish: Wish | None = None
) -> tuple[Look, Plan | NoPlan]:
    """One look at the wallet and the plan that follows from it, or why there is nothing to do.

    *wish* is what the plan is wanted for, without one what the policy says.
    Raises Unavailable, and what a refusal is to the caller: a wallet of which something is
    unknown or missing is not one with nothing to do.
    """
    seen = look(io, state, asked=asked, wish=wish)
    found = make_plan(io, seen)
    if isinstance(found, NoPlan) and found.refusals:
        raise error_of(*found.refusals)
    return seen, found


def rehearsed(account: Account, plan: Plan, snapshot: Snapshot) -> Rehearsal:
    """The plan run on forks; raises SimulationFailed when it does not come out as planned."""
    from agent.compose import rehearse

    rehearsal = rehearse(account, plan, snapshot)
    if not rehearsal.ok:
        raise SimulationFailed(
            f"the rehearsal on a fork ended otherwise than planned: {rehearsal.why}",
            code="S104",
            fix="plan again in a moment: rebalancer plan",
        )
    return rehearsal


def signs_next(io: Io, state: State) -> bool:
    """Whether a signature comes next: then a wrong password is told before anything is done.

    Claims are signed also while all else is paused.
    """
    steps = next_steps(state, io.clock.now())
    if io.paused() is not None:
        return any(isinstance(each, Reserve) and each.draft.purpose == "claim" for each in steps)
    return any(
        isinstance(step, Ask | Reserve) or (isinstance(step, OnIntent) and step.what == "sign")
        for step in steps
    )


def follow_strays(held: Session, io: Io, strays: Sequence[Stray]) -> str:
    """Begin a run that follows these transfers, and tell its id.

    A password that is wrong is told before it where something is to be signed.
    """
    if any(isinstance(each.told, Act) for each in strays):
        io.signer.unlock()
    run = new_run()
    begin(held, io, run, strays)
    return run
