"""Perform, write down, repeat: until the run ends, or until there is nothing to do for now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from agent.core.fact import (
    At,
    CancelRequested,
    Fact,
    Outcome,
    Reconciled,
    Refused,
    Reserved,
    Started,
    TookOver,
)
from agent.core.intent import PROTECTIVE
from agent.core.plan import Plan
from agent.core.progress import Step, Track, Watch, lane, next_steps
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.core.transit import Awaited, awaited
from agent.engine.io import Io, Later, Pause
from agent.engine.lanes import Lanes
from agent.engine.perform import perform
from agent.engine.reorg import undone
from agent.engine.tail import Tail
from agent.engine.threshold import check_plan, holdings, holds_all
from agent.errors import Fenced, NoSimulator, RunOpen, Unavailable, Unreconciled, WrongValue

_BACKOFF_SECONDS = 2.0
_BACKOFF_DOUBLINGS = 5
"""A node that does not answer is asked again after 2, 4, 8 … seconds, 64 at most."""


@dataclass(frozen=True, slots=True)
class Finished:
    """No run is open: the last one ended like this; `final` when no reorganisation can undo it."""

    outcome: Outcome
    why: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more can be done before `until` (unix seconds).

    `awaited` are the transfers that are on their way.
    """

    until: float
    why: str
    awaited: tuple[Awaited, ...] = ()


class Session:
    """One process's hold on one account: the lock, the tail, and the loop."""

    def __init__(self, tail: Tail, worker: str, io: Io) -> None:
        self._tail = tail
        self._worker = worker
        self._io = io
        self._silent: dict[Step, int] = {}
        self._told: set[tuple[str, ...]] = set()

    @property
    def state(self) -> State:
        """The account's state as of the last fact."""
        return self._tail.state

    def start(self, run: str, plan: Plan, snapshot: Snapshot) -> None:
        """Begin a run; raises Unreconciled when an earlier one left unexplained money.

        Raises RunOpen while another run is open, also because its blocks have gone away;
        WrongValue when the plan was made under another policy, has expired or cannot be
        executed; BadReply when a token that it touches could not be read.
        """
        io = self._io
        self._refuse_unfinished()
        now = io.clock.now()
        if plan.policy_hash != io.policy.hash or not (now <= plan.expires):
            raise WrongValue(
                f"plan {plan.id} does not belong to this policy, or is too old",
                fix="make a new one: rebalancer plan",
            )
        self._look_back(plan, snapshot)
        check_plan(plan, snapshot)
        blocks = [
            At(chain, seen.block.number, seen.block.hash) for chain, seen in snapshot.chains.items()
        ]
        self._tail.append(
            Started(
                run=run,
                account=io.account,
                plan=plan,
                before=holdings(snapshot),
                blocks=tuple(blocks),
                at=now,
                worker=self._worker,
            )
        )

    def _refuse_unfinished(self) -> None:
        state = self.state
        if state.unreconciled is not None:
            raise Unreconciled(
                f"run {state.unreconciled} ended with money that nobody has explained",
                fix=f"look at `rebalancer status {state.unreconciled}`, then "
                f"`rebalancer resume {state.unreconciled} --accept-balances`",
            )
        if state.open_run is not None:
            raise RunOpen(
                f"run {state.open_run.id} of this wallet is not finished",
                fix="go on with it first: rebalancer resume",
            )

    def _look_back(self, plan: Plan, snapshot: Snapshot) -> None:
        """Refuse to start on a view of the chains that earlier runs are not part of.

        What they did must be in the balances that this run begins with, or their blocks going
        away would look like this run's loss.
        """
        tokens = [token for leg in plan.legs for token in (leg.sell.token, leg.buy)]
        gone = undone(self.state, self._io, {token.chain for token in tokens})
        if isinstance(gone, Later):
            raise RunOpen(f"the last run is not clear yet: {gone.why}", fix="try again in a minute")
        for fact in gone:
            self._tail.append(fact)
        self._refuse_unfinished()
        if not holds_all(self.state, snapshot, self._io):
            raise WrongValue(
                "the blocks that the plan was made on have gone away, or are too old",
                fix="make a new one: rebalancer plan",
            )

    def cancel(self, why: str, run: str | None = None) -> None:
        """Ask an open run to end: nothing new is begun, what is not mined is replaced.

        The oldest open one when *run* is not given; nothing happens when it is not open.
        """
        for known in self.state.runs.values():
            if known.closed is None and run in {None, known.id}:
                if known.cancel is None:
                    self._tail.append(CancelRequested(known.id, why, self._io.clock.now()))
                return

    def reconcile(self, run: str, note: str) -> None:
        """Accept the balances of a run that needed a person; raises WrongValue for another."""
        if run not in self.state.stuck:
            raise WrongValue(f"run {run} waits for nobody", fix="rebalancer status")
        self._tail.append(Reconciled(run, note, self._io.clock.now()))

    def advance(self, budget_seconds: float) -> Finished | Wait:
        """Perform every step that can be performed within *budget_seconds*; safe to call again."""
        state = self.state
        if state.open_run is not None and state.worker != self._worker:
            self._tail.append(TookOver(self._worker, self._io.clock.now()))
        deadline = self._io.clock.now() + budget_seconds
        with Lanes(self._attempt, serial=self._io.serial) as lanes:
            return self._advance(lanes, deadline)

    def _advance(self, lanes: Lanes, deadline: float) -> Finished | Wait:
        later: dict[Step, Later] = {}
        while True:
            now = self._io.clock.now()
            steps = next_steps(self.state, now)
            urgent = [step for step in steps if not _only_finality(step)]
            if not lanes.busy and not urgent and all(step in later for step in steps):
                return self._finished()
            free = [step for step in steps if lane(step) not in lanes.busy]
            ready = [step for step in free if step not in later or later[step].until <= now]
            lanes.begin(ready, self.state)
            if lanes.busy:
                due = (later[step].until - now for step in free if step not in ready)
                self._take(lanes, min(due, default=None), now, later)
                continue
            # What only waits for finality is looked at whenever something else wakes the loop.
            soonest = min((later[step] for step in urgent), key=lambda wait: wait.until)
            if soonest.until > deadline:
                return Wait(soonest.until, soonest.why, self._awaited(later))
            self._io.clock.sleep(max(0.0, soonest.until - now))

    def _take(
        self, lanes: Lanes, patience: float | None, now: int, later: dict[Step, Later]
    ) -> None:
        """Append what has happened, in the order of arrival.

        What one step found is dropped when what another one found means that it would not be
        done now: it was told by a world that has moved on.
        """
        for step, state, result in lanes.ended(patience):
            if self.state is state or step in next_steps(self.state, now):
                self._record(step, result, later)

    def _awaited(self, later: dict[Step, Later]) -> tuple[Awaited, ...]:
        """The transfers on their way, with what their bridges said of them last."""
        found = []
        for each in awaited(self.state):
            said = later.get(Track(each.run, each.leg))
            found.append(each if said is None else replace(each, id=said.id, due=said.due))
        return tuple(found)

    def _finished(self) -> Finished:
        """How it ended: a run that waits for a person goes before one that ended after it."""
        state = self.state
        name = state.unreconciled or (state.ended.run if state.ended is not None else None)
        run = None if name is None else state.runs[name]
        if run is None or run.closed is None:
            return Finished("nothing", "no run has been started")
        return Finished(run.closed.outcome, run.closed.why, run.settled_for_good)

    def _attempt(self, step: Step, state: State) -> tuple[Fact, ...] | Later:
        try:
            found = perform(step, state, self._io)
        except NoSimulator:
            raise
        except Unavailable as error:
            tries = self._silent[step] = self._silent.get(step, 0) + 1
            pause = _BACKOFF_SECONDS * 2 ** min(tries - 1, _BACKOFF_DOUBLINGS)
            return Later(self._io.clock.now() + pause, error.message, news=True)
        self._silent.pop(step, None)
        return found

    def _record(
        self, step: Step, result: tuple[Fact, ...] | Later, later: dict[Step, Later]
    ) -> None:
        if isinstance(result, Later):
            later[step] = result
            self._tell(step, result, later)
            return
        for fact in result:
            if not isinstance(fact, Reserved):
                self._tail.append(fact)
            elif (refused := self._reserve(fact)) is not None:
                later[step] = refused

    def _tell(self, step: Step, result: Later, later: dict[Step, Later]) -> None:
        """Let a person hear of a pause, once: one chain that is down makes many steps wait."""
        flying = {(each.run, each.leg): each for each in self._awaited(later)}
        moving = flying.get((step.run, step.leg)) if isinstance(step, Track) else None
        silent = step in self._silent
        key = (result.why,) if silent or moving is None else (moving.run, moving.leg)
        if result.news and key not in self._told:
            self._told.add(key)
            pause = Pause(until=result.until, why=result.why, awaited=None if silent else moving)
            self._io.hear(pause)

    def _reserve(self, fact: Reserved) -> Later | None:
        """Charge the limits serially: two lanes cannot both pass the last of a limit.

        A refused replacement leaves the earlier attempt to stand, and is tried again later; so
        is what only takes risk away.
        """
        intent = fact.intent
        limits, now = self._io.policy.limits, self._io.clock.now()
        verdict = self._tail.verdict(fact, limits, now, self._io.canary)
        if verdict.ok:
            self._tail.append(fact)
            return None
        if fact.attempt or intent.draft.purpose in PROTECTIVE:
            return Later(now + self._io.chains[intent.chain].poll_seconds, verdict.refusals[0].why)
        via = self.state.runs[intent.run].legs[intent.leg].leg.via
        self._tail.append(Refused(intent.run, intent.leg, via, verdict.refusals, now))
        return None


def _only_finality(step: Step) -> bool:
    return isinstance(step, Watch) and step.what == "finalise"


@contextmanager
def session(worker: str, io: Io) -> Iterator[Session]:
    """Hold the account's lock and open its journal; raises Locked and JournalCorrupt."""
    with io.journal.hold(io.account):
        yield Session(Tail(io.journal, io.account, io.observe), worker, io)


def advance(worker: str, io: Io, budget_seconds: float) -> Finished | Wait:
    """Go on with whatever the account's journal says; anybody may call it at any time."""
    try:
        with session(worker, io) as held:
            return held.advance(budget_seconds)
    except Fenced:
        return Wait(io.clock.now(), "another process goes on with this account")
