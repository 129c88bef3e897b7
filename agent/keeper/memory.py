"""What the keeper remembers of one wallet between ticks; no money depends on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.notice import Notice
from agent.errors import AgentError, KeeperStopped
from agent.keeper.causes import PAUSES, Cause, cause_of

if TYPE_CHECKING:
    from agent.core.state import State

FORGETS_SECONDS = 7 * 86_400
"""Failures further apart than this are not in a row."""

PASSING: tuple[Cause, ...] = ("node", "prices", "machine")
"""What is over as soon as one look at the wallet succeeds; the others only when a run does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A cause that keeps new runs from beginning: what was said last, and until when.

    `failures` are those in a row, `last` and `until` unix seconds.
    """

    cause: Cause
    code: str
    why: str
    fix: str
    exit: int
    failures: int
    last: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Begins no run until a person has looked.

    `stamp` is what the wallet and its policy looked like; once it is another one somebody has.
    """

    cause: Cause
    why: str
    stamp: str
    at: int


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that was handed on; `key` says of which event and cause, `at` unix seconds."""

    key: str
    at: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """A notice that some of its recipients, by name, have not got."""

    names: tuple[str, ...]
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What hinders (at most one trouble for each cause), and who was told of it."""

    troubles: tuple[Trouble, ...] = ()
    stopped: Stopped | None = None
    told: tuple[Told, ...] = ()
    unsent: tuple[Unsent, ...] = ()

    def trouble(self, cause: Cause) -> Trouble | None:
        """The trouble of that cause, None while there is none."""
        return next((found for found in self.troubles if found.cause == cause), None)

    def without(self, *causes: Cause) -> Memory:
        """The same without the troubles of these causes."""
        left = tuple(found for found in self.troubles if found.cause not in causes)
        return replace(self, troubles=left)


def stamp(policy_hash: str, state: State) -> str:
    """What a person's deed changes: the policy, or the run that ended last."""
    return f"{policy_hash}:{'' if state.acted is None else state.acted.run}"


def held_back(memory: Memory, now: int, mark: str) -> AgentError | None:
    """Why no run may begin at *now*: a stop, or a cause that is being waited out.

    The error is the one that was met, with the code and the exit code that it had: as far as
    is known nothing has changed.
    """
    stopped = memory.stopped
    if stopped is not None and stopped.stamp == mark:
        return stop_error(stopped)
    waiting = [trouble for trouble in memory.troubles if trouble.until > now]
    if not waiting:
        return None
    longest = max(waiting, key=lambda trouble: trouble.until)
    left = longest.until - now
    error = AgentError(
        f"{longest.why} (met {longest.failures} times, left alone for {left} s more)",
        fix=longest.fix,
        code=longest.code,
    )
    error.exit = longest.exit
    return error


def stop_error(stopped: Stopped) -> KeeperStopped:
    """The error that tells of a stop."""
    return KeeperStopped(
        f"the keeper begins no more runs of this wallet: {stopped.why}",
        fix="look why, then run it yourself once: rebalancer run, or tell the keeper to try "
        "again: rebalancer watch --again",
    )


def failed(memory: Memory, error: AgentError, now: int, mark: str) -> Memory:
    """The memory after *error*: a longer pause for its cause, or the stop."""
    cause = cause_of(error.code)
    pause = PAUSES.get(cause)
    if pause is None:
        return memory
    before = memory.trouble(cause)
    in_a_row = before is not None and now - before.last <= FORGETS_SECONDS
    failures = 1 + (before.failures if before is not None and in_a_row else 0)
    trouble = Trouble(
        cause=cause,
        code=error.code,
        why=error.message,
        fix=error.fix,
        exit=error.exit,
        failures=failures,
        last=now,
        until=now + pause.seconds(failures),
    )
    stopped = memory.stopped
    if pause.stops_after is not None and failures >= pause.stops_after:
        why = f"{failures} times in a row: [{error.code}] {error.message}"
        stopped = Stopped(cause=cause, why=why, stamp=mark, at=now)
    kept = memory.without(cause).troubles
    return replace(memory, troubles=(*kept, trouble), stopped=stopped)


def passed(memory: Memory, *, run_done: bool) -> Memory:
    """The memory after a tick without an error; *run_done* says that a whole run succeeded."""
    if run_done:
        return replace(memory, troubles=(), stopped=None)
    return memory.without(*PASSING)


def lifted(memory: Memory, mark: str) -> Memory:
    """The memory once somebody has looked: a stop of another *mark* is over, with its cause."""
    stopped = memory.stopped
    if stopped is None or stopped.stamp == mark:
        return memory
    return replace(memory.without(stopped.cause), stopped=None)
