"""Perform, write down, repeat: until the run ends, or until there is nothing to do for now."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from agent.core.fact import (
    At,
    CancelRequested,
    Fact,
    Holding,
    Outcome,
    Reconciled,
    Refused,
    Reserved,
    Started,
    TookOver,
)
from agent.core.plan import Plan
from agent.core.progress import Step, Watch, next_steps
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.io import Io, Later
from agent.engine.perform import perform
from agent.engine.tail import Tail
from agent.errors import Fenced, NoSimulator, RunOpen, Unavailable, Unreconciled, WrongValue

_LANES = 8
"""Steps performed side by side at most: more chains than that share threads."""

_BACKOFF_SECONDS = 2.0
_BACKOFF_LIMIT_SECONDS = 60.0
"""A node that does not answer is asked again after 2, 4, 8 … seconds, 60 at most."""


@dataclass(frozen=True, slots=True)
class Finished:
    """No run is open: the last one ended like this; `final` when no reorganisation can undo it."""

    outcome: Outcome
    why: str
    final: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more can be done before `until` (unix seconds)."""

    until: float
    why: str


class Session:
    """One process's hold on one account: the lock, the tail, and the loop."""

    def __init__(self, tail: Tail, worker: str, io: Io) -> None:
        self._tail = tail
        self._worker = worker
        self._io = io
        self._silent: dict[Step, int] = {}

    @property
    def state(self) -> State:
        """The account's state as of the last fact."""
        return self._tail.state

    def start(self, run: str, plan: Plan, snapshot: Snapshot) -> None:
        """Begin a run; raises Unreconciled when an earlier one left unexplained money.

        Raises RunOpen while another run is open, and WrongValue when the plan was made under
        another policy or has expired.
        """
        state, io = self.state, self._io
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
        now = io.clock.now()
        if plan.policy_hash != io.policy.hash or now > plan.expires:
            raise WrongValue(
                f"plan {plan.id} does not belong to this policy, or is too old",
                fix="make a new one: rebalancer plan",
            )
        before = [Holding(token, raw) for token, raw in snapshot.balances.items()]
        blocks = [
            At(chain, seen.block.number, seen.block.hash) for chain, seen in snapshot.chains.items()
        ]
        self._tail.append(
            Started(
                run=run,
                account=io.account,
                plan=plan,
                before=tuple(before),
                blocks=tuple(blocks),
                at=now,
                worker=self._worker,
            )
        )

    def cancel(self, why: str) -> None:
        """Ask the open run to end: nothing new is begun, what is not mined is replaced."""
        run = self.state.open_run
        if run is not None and run.cancel is None:
            self._tail.append(CancelRequested(run.id, why, self._io.clock.now()))

    def reconcile(self, run: str, note: str) -> None:
        """Accept the balances of a run that needed a person."""
        self._tail.append(Reconciled(run, note, self._io.clock.now()))

    def advance(self, budget_seconds: float) -> Finished | Wait:
        """Perform every step that can be performed within *budget_seconds*; safe to call again."""
        state = self.state
        if state.open_run is not None and state.worker != self._worker:
            self._tail.append(TookOver(self._worker, self._io.clock.now()))
        deadline = self._io.clock.now() + budget_seconds
        later: dict[Step, Later] = {}
        while True:
            now = self._io.clock.now()
            steps = next_steps(self.state, now)
            if not any(not _only_finality(step) for step in steps) and all(
                step in later for step in steps
            ):
                return self._finished()
            ready = [step for step in steps if step not in later or not later[step].until > now]
            if ready:
                later |= self._perform(ready)
                continue
            soonest = min((later[step] for step in steps), key=lambda wait: wait.until)
            if soonest.until > deadline:
                return Wait(soonest.until, soonest.why)
            self._io.clock.sleep(max(0.0, soonest.until - now))

    def _finished(self) -> Finished:
        ended = self.state.ended
        if ended is None:
            return Finished("nothing", "no run has been started")
        run = self.state.runs[ended.run]
        why = "" if run.closed is None else run.closed.why
        return Finished(ended.outcome, why, run.settled_for_good)

    def _perform(self, steps: list[Step]) -> dict[Step, Later]:
        """Perform *steps* side by side and append what happened, in the order of arrival."""
        state = self.state
        later: dict[Step, Later] = {}
        if self._io.serial or len(steps) == 1:
            for step in steps:
                self._record(step, self._attempt(step, state), later)
            return later
        with ThreadPoolExecutor(min(_LANES, len(steps)), "lane") as pool:
            futures = {pool.submit(self._attempt, step, state): step for step in steps}
            for future in as_completed(futures):
                self._record(futures[future], future.result(), later)
        return later

    def _attempt(self, step: Step, state: State) -> tuple[Fact, ...] | Later:
        try:
            return perform(step, state, self._io)
        except NoSimulator:
            raise
        except Unavailable as error:
            tries = self._silent[step] = self._silent.get(step, 0) + 1
            pause = min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_SECONDS**tries)
            return Later(self._io.clock.now() + pause, error.message)

    def _record(
        self, step: Step, result: tuple[Fact, ...] | Later, later: dict[Step, Later]
    ) -> None:
        if isinstance(result, Later):
            later[step] = result
            return
        self._silent.pop(step, None)
        for fact in result:
            if not isinstance(fact, Reserved):
                self._tail.append(fact)
            elif (refused := self._reserve(fact)) is not None:
                later[step] = refused

    def _reserve(self, fact: Reserved) -> Later | None:
        """Charge the limits serially: two lanes cannot both pass the last of a limit.

        A refused replacement leaves the earlier attempt to stand, and is tried again later.
        """
        intent = fact.intent
        limits, now = self._io.policy.limits, self._io.clock.now()
        verdict = self._tail.verdict(fact, limits, now)
        if verdict.ok:
            self._tail.append(fact)
            return None
        if fact.attempt:
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
