"""What a person is told of a tick: each event once per cause, until it was heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.core.closing import costs
from agent.core.movement import act, away
from agent.core.notice import Notice, NoticeEvent
from agent.errors import AgentError
from agent.keeper.memory import Memory, Told, Unsent
from agent.keeper.ticked import Ticked, refusal_of
from agent.ports import Notifier

if TYPE_CHECKING:
    from agent.core.state import LegState, RunState, State

MOST_UNSENT = 50
"""Notices kept for whom they did not reach; older ones go first."""

MOST_TOLD = 200

RECENT_SECONDS = 86_400
"""The end of a run is news for so long, where nobody was told of it."""

LEAST_LATE_SECONDS = 60
"""A transfer is not called late before it is twice its usual time away, and this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who is told, and of what: `portfolio` and `wallet` (CAIP-10) are whose news it is.

    `alive` gives a sign of life after each good tick; it raises AgentError.
    """

    portfolio: str = ""
    wallet: str = ""
    local: bool = False
    events: tuple[str, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    alive: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One event and what it is about: the subject tells it from others of its kind."""

    event: NoticeEvent
    subject: str
    why: str
    run: str = ""
    code: str = ""
    next: str = ""

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return f"{self.event}:{self.subject}"


_TROUBLE: Mapping[str, NoticeEvent] = {
    **dict.fromkeys(("provider", "prices", "fees", "guard", "limit", "simulation"), "refused"),
    **dict.fromkeys(("key", "person", "settings", "machine", "human"), "needs_human"),
}
"""What an error of each cause is to a person; a node that is down or another process is no news."""


def news(ticked: Ticked, state: State | None, memory: Memory, now: int) -> Iterator[News]:
    """What has happened, in this tick or in one that was killed before it could tell."""
    if state is not None:
        yield from _of_runs(ticked, state, now)
        yield from _late(state, now)
    if ticked.error is not None and not ticked.held and ticked.cause in _TROUBLE:
        yield News(
            event=_TROUBLE[str(ticked.cause)],
            subject=f"{ticked.cause} {ticked.error.code}",
            why=ticked.error.message,
            code=ticked.error.code,
            next=f"rebalancer explain {ticked.error.code}",
        )
    if memory.stopped is not None:
        yield News(
            event="needs_human",
            subject=f"stop {memory.stopped.at}",
            why=f"the keeper begins no more runs: {memory.stopped.why}",
            code="H103",
            next="rebalancer explain H103",
        )


def _of_runs(ticked: Ticked, state: State, now: int) -> Iterator[News]:
    began = ticked.run.id if ticked.began and ticked.run is not None else None
    for run in state.runs.values():
        if run.id == began or run.closed is None:
            legs = len(run.plan.legs)
            why = f"plan {run.plan.id[:4]}, {legs} legs, expected cost {run.plan.cost:,.2f}"
            yield _about(run, "started", why)
        closed = run.closed
        if closed is None or now - closed.at > RECENT_SECONDS:
            continue
        if closed.outcome == "done":
            cost = f"cost {costs(run).total:,.2f}, planned {run.plan.cost:,.2f}"
            yield _about(run, "done", f"{closed.why}; {cost}")
        elif closed.outcome == "aborted":
            yield _about(run, "refused", closed.why, refusal_of(run).code)
        elif closed.outcome == "needs_human":
            yield _about(run, "needs_human", closed.why)


def _about(run: RunState, event: NoticeEvent, why: str, code: str = "") -> News:
    following = f"rebalancer status {run.id}"
    about = f"run {run.id}"
    return News(event=event, subject=about, why=why, run=run.id, code=code, next=following)


def _late(state: State, now: int) -> Iterator[News]:
    """Transfers that are longer on their way than is usual."""
    for run in state.runs.values():
        for leg in run.legs.values():
            since = _away_since(run, leg)
            if since is None or now - since <= max(LEAST_LATE_SECONDS, 2 * leg.leg.seconds):
                continue
            why = (
                f"leg {leg.leg.id} left {now - since} s ago by {leg.leg.via}, which usually takes "
                f"{leg.leg.seconds} s; it is waited for"
            )
            yield News(
                event="late",
                subject=f"run {run.id} leg {leg.leg.id}",
                why=why,
                run=run.id,
                next=f"rebalancer status {run.id}",
            )


def _away_since(run: RunState, leg: LegState) -> int | None:
    """When the money of a transfer left (unix seconds), None when none is on its way."""
    done = act(run, leg)
    if not away(run, leg) or leg.heir is not None or done is None or done.mined is None:
        return None
    return done.mined.at


def noted(memory: Memory, found: Sequence[News], audience: Audience, now: int) -> Memory:
    """The memory with what is new in *found* as notices to be sent."""
    known = {told.key for told in memory.told}
    told, unsent = list(memory.told), list(memory.unsent)
    names = tuple(notifier.name for notifier in audience.notifiers)
    for each in found:
        if each.key in known or each.event not in audience.events or not names:
            continue
        known.add(each.key)
        told.append(Told(each.key, now))
        notice = Notice(
            event=each.event,
            portfolio=audience.portfolio,
            wallet=audience.wallet,
            local=audience.local,
            why=each.why,
            at=now,
            run=each.run,
            code=each.code,
            next=each.next,
        )
        unsent.append(Unsent(names, notice))
    return replace(memory, told=tuple(told[-MOST_TOLD:]), unsent=tuple(unsent[-MOST_UNSENT:]))


def forgotten(memory: Memory, ticked: Ticked) -> Memory:
    """The memory without what was told of causes that are over: they would be news again."""
    if ticked.error is not None:
        return memory
    lasting = {trouble.cause for trouble in memory.troubles}
    kept = [
        told
        for told in memory.told
        if (cause := told.key.partition(":")[2].split()[0]) not in _TROUBLE or cause in lasting
    ]
    return replace(memory, told=tuple(kept))


@dataclass(slots=True)
class Delivery:
    """Hands notices on and keeps what did not arrive; `failed` says why, once per notifier."""

    audience: Audience
    failed: dict[str, str] = field(default_factory=dict)

    def send(self, unsent: Sequence[Unsent]) -> tuple[Unsent, ...]:
        """What is still unsent afterwards. A notifier that failed is not asked again now."""
        by_name = {notifier.name: notifier for notifier in self.audience.notifiers}
        left = []
        for each in unsent:
            names = tuple(
                n for n in each.names if n in by_name and not self._sent(by_name[n], each)
            )
            if names:
                left.append(replace(each, names=names))
        return tuple(left)

    def _sent(self, notifier: Notifier, each: Unsent) -> bool:
        if notifier.name in self.failed:
            return False
        try:
            notifier.tell(each.notice)
        except AgentError as error:
            self.failed[notifier.name] = f"[{error.code}] {error.message}"
            return False
        return True

    def alive(self) -> None:
        """Give the sign of life, where one is wanted."""
        if self.audience.alive is None:
            return
        try:
            self.audience.alive()
        except AgentError as error:
            self.failed["dead man"] = f"[{error.code}] {error.message}"
