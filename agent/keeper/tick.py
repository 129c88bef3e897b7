"""One tick: go on with the open run, or look, decide, rehearse and begin one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.engine.loop import Finished, Session, Wait, session
from agent.engine.recover import due
from agent.errors import AgentError, Broken, Busy, Fenced
from agent.keeper.begin import follow_strays, new_run, planned, signs_next
from agent.keeper.memory import Memory, failed, held_back, lifted, passed, stamp
from agent.keeper.notices import Audience, Delivery, forgotten, news, noted
from agent.keeper.ticked import Ticked, refusal_of
from agent.planning.problem import NoPlan

if TYPE_CHECKING:
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot
    from agent.core.state import State
    from agent.engine.io import Io
    from agent.engine.recover import Stray
    from agent.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the keeper keeps what it learns of a wallet, and who hears of it.

    `recall` and `remember` keep the memory between ticks; they raise Broken.
    """

    recall: Callable[[], Memory]
    remember: Callable[[Memory], None]
    clock: Clock
    audience: Audience = field(default_factory=Audience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What the keeper asks of one wallet beyond its ports; all of it raises AgentError.

    `check` compares configured facts with the chains before anything is planned, `rehearse`
    runs a plan on forks, and `permit` tells whether a plan may be signed with nobody there.
    `search` looks for transfers that the journal does not know, where that is worth its cost.
    """

    io: Io
    check: Callable[[], None]
    rehearse: Callable[[Plan, Snapshot], None]
    permit: Callable[[Plan], None]
    desk: Desk
    search: Callable[[State], Sequence[Stray]] = lambda _state: ()


def advance(wallet: Wallet, *, worker: str, budget_seconds: float) -> Ticked:
    """Do everything that can be done for the wallet now; safe to call again at any time.

    Raises nothing that an operator must know: that is the tick's error.
    """
    try:
        with session(worker, wallet.io) as held:
            return _held(wallet, held, budget_seconds)
    except Fenced:
        return Ticked(outcome="waiting", why="another process goes on with this wallet")
    except Busy as error:
        return Ticked(outcome=None, why=error.message, error=error)
    except AgentError as error:
        return stumbled(wallet.desk, error)


def stumbled(desk: Desk, error: AgentError) -> Ticked:
    """The tick of a wallet that could not even be opened: a person must hear of that too."""
    return _after(desk, _recalled(desk), Ticked(outcome=None, why=error.message, error=error))


def _held(wallet: Wallet, held: Session, budget_seconds: float) -> Ticked:
    """A tick under the wallet's lock: what it learns is remembered for the next one."""
    memory = _recalled(wallet.desk)
    if isinstance(memory, Memory):
        memory = lifted(memory, _mark(held, wallet.io))
    try:
        ticked = _tick(wallet, held, memory, budget_seconds)
    except AgentError as error:
        ticked = Ticked(outcome=None, why=error.message, error=error)
    return _after(wallet.desk, memory, ticked, held.state, _mark(held, wallet.io))


def _recalled(desk: Desk) -> Memory | Broken:
    try:
        return desk.recall()
    except Broken as error:
        return error


def _after(
    desk: Desk, memory: Memory | Broken, ticked: Ticked, state: State | None = None, mark: str = ""
) -> Ticked:
    """Remember what a tick has taught, and tell whom it concerns; money's work is done by then."""
    if isinstance(memory, Broken):
        return replace(ticked, amiss=(memory.message,))
    delivery, now = Delivery(desk.audience), desk.clock.now()
    memory = forgotten(_learned(memory, ticked, now, mark), ticked)
    memory = noted(memory, list(news(ticked, state, memory, now)), desk.audience, now)
    try:
        # Before they are sent: a notice that is sent twice is better than one that is never.
        desk.remember(memory)
        left = delivery.send(memory.unsent)
        if left != memory.unsent:
            desk.remember(replace(memory, unsent=left))
    except AgentError as error:
        return replace(ticked, amiss=(error.message, *delivery.failed.values()))
    if ticked.good:
        delivery.alive()
    return replace(ticked, amiss=tuple(delivery.failed.values()))


def _mark(held: Session, io: Io) -> str:
    return stamp(io.policy.hash, held.state)


def _tick(wallet: Wallet, held: Session, memory: Memory | Broken, budget_seconds: float) -> Ticked:
    io = wallet.io
    # Also without an open run: a block of the last one may have gone away.
    gone_on = _go_on(io, held, budget_seconds) if held.state.runs else None
    if gone_on is not None:
        return gone_on
    state = held.state
    if state.unreconciled is not None:
        run = state.runs[state.unreconciled]
        why = run.closed.why if run.closed is not None else "money that nobody explained"
        return Ticked(outcome="needs_human", why=why, run=run)
    # Also while it is paused: this takes risk away, and no trigger is asked for it.
    recovered = _recover(wallet, held, budget_seconds)
    if recovered is not None:
        return recovered
    paused = io.paused()
    if paused is not None:
        return Ticked(outcome="nothing", why=f"paused: {paused}")
    if isinstance(memory, Broken):
        raise memory
    waits = held_back(memory, io.clock.now(), _mark(held, io))
    if waits is not None:
        return Ticked(outcome=None, why=waits.message, error=waits, held=True)
    return _begin(wallet, held, budget_seconds)


def _go_on(io: Io, held: Session, budget_seconds: float) -> Ticked | None:
    """Go on with what is open; None when nothing was."""
    was_open = held.state.open_run
    if was_open is not None and signs_next(io, held.state):
        io.signer.unlock()
    ended = held.advance(budget_seconds if was_open is not None else 0.0)
    # Without one before, a reorganisation has reopened a run.
    about = held.state.open_run or was_open
    return None if about is None else _ended(held, about.id, ended)


def _recover(wallet: Wallet, held: Session, budget_seconds: float) -> Ticked | None:
    """Follow transfers that ended runs left under way, once something can be done for them.

    And what a search has found, as when a person asks for it.
    """
    io = wallet.io
    searched = [each for each in wallet.search(held.state) if each.followed(io.clock.now())]
    strays = (*due(held.state, io), *searched)
    if not strays:
        return None
    run = follow_strays(held, io, strays)
    return replace(_ended(held, run, held.advance(budget_seconds)), began=True)


def _begin(wallet: Wallet, held: Session, budget_seconds: float) -> Ticked:
    io = wallet.io
    wallet.check()
    seen, found = planned(io, held.state, asked=False)
    if isinstance(found, NoPlan):
        return Ticked(outcome="nothing", why="; ".join(found.why))
    wallet.permit(found)
    wallet.rehearse(found, seen.snapshot)
    # A password that is wrong must not leave a run behind.
    io.signer.unlock()
    run = new_run()
    held.start(run, found, seen.snapshot)
    return replace(_ended(held, run, held.advance(budget_seconds)), began=True)


def _ended(held: Session, run: str, ended: Finished | Wait) -> Ticked:
    known = held.state.runs[run]
    if isinstance(ended, Wait):
        return Ticked(outcome="waiting", why=ended.why, run=known, until=ended.until)
    # What ended may be told of another run, one that waits for a person: this one has its own end.
    closed = known.closed
    if closed is None:
        return Ticked(outcome=ended.outcome, why=ended.why, run=known)
    return Ticked(outcome=closed.outcome, why=closed.why, run=known)


def _learned(memory: Memory, ticked: Ticked, now: int, mark: str) -> Memory:
    if ticked.held:
        return memory
    if ticked.error is not None:
        return failed(memory, ticked.error, now, mark)
    if ticked.outcome == "aborted" and ticked.run is not None:
        return failed(memory, refusal_of(ticked.run), now, mark)
    return passed(memory, run_done=ticked.outcome == "done")
