"""What happens next: the only place that decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.core.intent import Draft
from agent.core.money import ChainId
from agent.core.movement import act, delivered, in_transit, unmeasured
from agent.core.state import IntentState, LegState, RunState, State, intent_id

ACTS = frozenset({"swap", "wrap", "unwrap", "order", "deposit"})
"""Purposes that move the leg's money; the rest prepares it or cleans up after it."""

MAX_ROUNDS = 5
"""Firm quotes a leg may ask for before it is given up: a market that moves away is not chased."""

MARGIN_SECONDS = 15
"""Least time a quote must still hold when it is reserved: signing and one block of a fast chain."""

MAX_REPLANS = 2
"""New plans inside one run before it ends and the next tick starts afresh."""

DUE_ROUND = 0
"""Quote rounds count from 1; what became due outside a quote stands in round 0 and, after a
voided try, in -1, -2 and so on."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Get a firm quote for a leg, simulate it, and let the guard judge it."""

    run: str
    leg: str
    round: int
    sell_raw: int
    chain: ChainId


@dataclass(frozen=True, slots=True)
class Reserve:
    """Bind a draft to a nonce and charge the limits; nothing is signed yet."""

    run: str
    leg: str
    round: int
    index: int
    draft: Draft
    following: tuple[Draft, ...]

    @property
    def chain(self) -> ChainId:
        """The chain that it acts on."""
        return self.draft.chain


@dataclass(frozen=True, slots=True)
class OnIntent:
    """Go on with an intent: sign its newest attempt, submit it, or look where it is.

    A signed order is executed by others, perhaps hours later: it does not hold up its chain.
    """

    what: Literal["sign", "submit", "follow"]
    intent: str
    chain: ChainId
    is_order: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Look at a mined intent: deep enough for dependents, final, or gone in a reorganisation."""

    what: Literal["confirm", "finalise"]
    intent: str
    chain: ChainId


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure what a leg's transactions changed."""

    run: str
    leg: str
    chain: ChainId


@dataclass(frozen=True, slots=True)
class Track:
    """Ask a bridge where the money is."""

    run: str
    leg: str


@dataclass(frozen=True, slots=True)
class Replan:
    """Plan what is left again, on a fresh snapshot."""

    run: str
    why: str


@dataclass(frozen=True, slots=True)
class Close:
    """Measure everything once more and end the run."""

    run: str
    why: str
    ok: bool


Step = Ask | Reserve | OnIntent | Watch | Measure | Track | Replan | Close


def lane(step: Step) -> tuple[str, ...]:
    """What the step occupies: steps that send hold (chain), steps that only look hold themselves.

    The account is the journal's, so a lane (chain, account) is named by its chain here.
    """
    match step:
        case OnIntent() if step.is_order and step.what != "sign":
            return ("order", step.intent)
        case Ask() | Reserve() | OnIntent():
            return ("chain", str(step.chain))
        case Watch():
            return (step.what, step.intent)
        case Measure() | Track():
            return (type(step).__name__, step.run, step.leg)
        case _:
            return ("run", step.run)


def next_steps(state: State, now: int) -> tuple[Step, ...]:
    """All steps that can be performed now, at most one per lane, older runs first.

    *now* is unix seconds. The same state and time give the same steps. Intents go before all
    else and in the order of their nonces, whosever they are: nothing can be mined past a gap.
    Two runs are open when a reorganisation reopened the older one: then the younger begins
    nothing new, and the older ends once nothing of the younger is under way, so that balances
    can be read for one at a time.
    """
    steps: dict[tuple[str, ...], Step] = {}
    under_way = [
        known for run in state.runs.values() for known in run.intents.values() if not known.quiet
    ]
    for known in sorted(under_way, key=_nonce):
        step = _intent_step(known)
        steps.setdefault(lane(step), step)
    for run in state.runs.values():
        first = run is state.open_run
        alone = all(other is run or _calm(other) for other in state.runs.values())
        for found in _run_steps(run, now, begins=first, ends=first and alone):
            steps.setdefault(lane(found), found)
    return tuple(steps.values())


def _nonce(known: IntentState) -> tuple[bool, int]:
    """What intents of one chain are ordered by; messages have no nonce and come last."""
    return known.intent.nonce is None, known.intent.nonce or 0


def _calm(run: RunState) -> bool:
    """Whether nothing of a run is on its way into a block, or mined and not measured."""
    return all(known.quiet for known in run.intents.values()) and not any(
        unmeasured(run, leg) is not None for leg in run.legs.values()
    )


def _run_steps(run: RunState, now: int, *, begins: bool, ends: bool) -> list[Step]:
    """A run's steps in the order of their right to a lane: what takes risk away comes early."""
    mined = [known for known in run.intents.values() if known.mined is not None]
    deep = all(known.confirmed for known in mined)
    looks: list[Step] = [
        Watch("finalise" if known.confirmed else "confirm", known.intent.id, known.intent.chain)
        for known in mined
        if not known.final
    ]
    if run.closed is not None:
        return looks
    steps: list[Step] = []
    for leg in run.legs.values():
        cleanup = _due_step(run, leg) or _revoke_step(run, leg)
        if cleanup is not None:
            steps.append(cleanup)
    going = begins and ends_because(run) is None
    for leg in run.legs.values():
        step = _leg_step(run, leg, now, going=going)
        if step is not None:
            steps.append(step)
    if not steps and ends and all(known.quiet for known in run.intents.values()) and deep:
        steps = [_last_step(run)]
    return steps + looks


def _intent_step(known: IntentState) -> Step:
    last = known.live[-1]
    what: Literal["sign", "submit", "follow"] = "follow"
    if last.signed is None:
        what = "sign"
    elif last.submitted is None:
        what = "submit"
    is_order = known.intent.nonce is None
    return OnIntent(what, known.intent.id, known.intent.chain, is_order)


def _last_step(run: RunState) -> Step:
    why = ends_because(run)
    if why is None:
        return Close(run.id, "every leg arrived", ok=True)
    if _replannable(run):
        return Replan(run.id, why)
    return Close(run.id, why, ok=False)


def _replannable(run: RunState) -> bool:
    """A refusal before anything went wrong deserves another plan, a bounded number of times."""
    if run.cancel is not None or run.replans >= MAX_REPLANS:
        return False
    return all(
        leg.refused is not None or (trouble(run, leg) is None and delivered(run, leg) is not None)
        for leg in run.legs.values()
        if leg.refused is not None or run.of_leg(leg.leg.id) or trouble(run, leg) is not None
    )


def ends_because(run: RunState) -> str | None:
    """Why no further leg of the run is begun; None while it goes on."""
    if run.cancel is not None:
        return run.cancel.why
    return next((why for leg in run.legs.values() if (why := trouble(run, leg))), None)


def trouble(run: RunState, leg: LegState) -> str | None:
    """What is wrong with a leg, None while nothing is.

    A claim that failed is none by itself: the bridge is asked again where the money is. Nor is
    money that comes back to a run that began because it was away.
    """
    name = f"leg {leg.leg.id}"
    if leg.lost is not None:
        return f"{name}: {leg.lost.why}"
    if leg.undone:
        return f"{name}: its deposit went away with its block, and is made again"
    if leg.refunded is not None and leg.leg.kind != "claim":
        return f"{name} came back"
    if leg.refused is not None and not leg.given_up:
        return f"{name}: {leg.refused.refusals[0].why}"
    for known in run.of_leg(leg.leg.id):
        if known.intent.draft.purpose == "claim":
            continue
        if known.displaced:
            return f"{name}: another transaction of the wallet used its nonce"
        if known.quiet and not known.voided and not known.succeeded:
            return f"{name}: {known.intent.draft.purpose} {_how(known)}"
    if leg.rounds >= MAX_ROUNDS and _voided_in_round(run, leg) and not leg.given_up:
        return f"{name}: no quote held long enough in {MAX_ROUNDS} rounds"
    return None


def _how(known: IntentState) -> str:
    if known.mined is None:
        return "expired unfilled"
    cancelled = known.attempts[known.mined.attempt].reserved.kind == "cancel"
    return "was cancelled" if cancelled else "reverted"


def _leg_step(run: RunState, leg: LegState, now: int, *, going: bool) -> Step | None:
    if leg.leg.kind == "revoke":
        return _ask(run, leg, 0) if going and not leg.dues else None
    done = unmeasured(run, leg)
    if done is not None:
        return Measure(run.id, leg.leg.id, done.intent.chain)
    if in_transit(run, leg):
        due = leg.deferred is None or leg.deferred.until <= now
        return Track(run.id, leg.leg.id) if due else None
    if leg.leg.kind == "claim":
        return None
    done = act(run, leg)
    if not going or leg.given_up or (done is not None and not done.voided):
        return None
    return _forward_step(run, leg, now)


def _due_step(run: RunState, leg: LegState) -> Reserve | None:
    for index, due in enumerate(leg.dues):
        slot = free_slot(run, leg, index)
        if slot is not None:
            return Reserve(run.id, leg.leg.id, slot, index, due.draft, ())
    return None


def free_slot(run: RunState, leg: LegState, index: int) -> int | None:
    """The round under which to try a due draft; None when a try stands that was not voided."""
    slot = DUE_ROUND
    while (known := run.intents.get(intent_id(run.id, leg.leg.id, slot, index))) is not None:
        if not known.voided:
            return None
        slot -= 1
    return slot


REVOKE_INDEX = 1_000
"""Index of a quote's revocation in round 0: far from any due draft's."""


def _revoke_step(run: RunState, leg: LegState) -> Reserve | None:
    """Take an allowance back that the act will not use up any more.

    Without it nobody fills a signed order: so one is taken back that the owner does not want.
    """
    if leg.quoted is None or leg.quoted.revoke is None or not _allowance_open(run, leg):
        return None
    done = act(run, leg)
    if done is None or done.voided:
        if ends_because(run) is None:
            return None
    elif not (done.can_be_filled and run.cancel) and (not done.quiet or done.succeeded):
        return None
    slot = free_slot(run, leg, REVOKE_INDEX)
    if slot is None:
        return None
    return Reserve(run.id, leg.leg.id, slot, REVOKE_INDEX, leg.quoted.revoke, ())


def _allowance_open(run: RunState, leg: LegState) -> bool:
    """Whether an approval of this leg is mined or could still be."""
    return any(
        known.intent.draft.purpose == "approve" and known.succeeded
        for known in run.of_leg(leg.leg.id)
    )


def _voided_in_round(run: RunState, leg: LegState) -> bool:
    return any(
        known.voided and known.intent.round == leg.rounds for known in run.of_leg(leg.leg.id)
    )


def _forward_step(run: RunState, leg: LegState, now: int) -> Step | None:
    arrived = {}
    for dependency in leg.leg.after:
        brought = delivered(run, run.legs[dependency])
        if brought is None:
            return None
        arrived[dependency] = brought
    sell_raw = leg.leg.sell.sized(arrived)
    ask = _ask(run, leg, sell_raw)
    quoted = leg.quoted
    if quoted is None or _voided_in_round(run, leg):
        return ask
    # The act has not begun, or there would be nothing to go forward to: one draft is left.
    index = next(
        number
        for number in range(len(quoted.drafts))
        if intent_id(run.id, leg.leg.id, leg.rounds, number) not in run.intents
    )
    if _stale(quoted.drafts[index:], now) and leg.rounds < MAX_ROUNDS:
        return ask
    draft, *following = quoted.drafts[index:]
    return Reserve(run.id, leg.leg.id, leg.rounds, index, draft, tuple(following))


def _ask(run: RunState, leg: LegState, sell_raw: int) -> Ask:
    return Ask(run.id, leg.leg.id, leg.rounds + 1, sell_raw, leg.leg.sell.token.chain)


def _stale(drafts: tuple[Draft, ...], now: int) -> bool:
    return any(
        draft.valid_until and not (now + MARGIN_SECONDS <= draft.valid_until) for draft in drafts
    )
