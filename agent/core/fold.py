"""The fold: one fact after another makes an account's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, assert_never

from agent.core import fact as f
from agent.core.fact import Fact
from agent.core.intent import Intent
from agent.core.money import ChainId
from agent.core.state import (
    AttemptState,
    Contradiction,
    Ended,
    IntentState,
    LegState,
    RunState,
    Spent,
    State,
)

K = TypeVar("K")
V = TypeVar("V")


def apply(state: State, fact: Fact) -> State:
    """The state after one more fact; raises Contradiction when it cannot follow."""
    return replace(_fold(state, fact), seq=state.seq + 1)


def _fold(state: State, fact: Fact) -> State:
    match fact:
        case f.Started():
            return _started(state, fact)
        case f.TookOver():
            return replace(state, worker=fact.worker)
        case f.Reserved():
            return _reserved(state, fact)
        case f.Reconciled():
            if state.unreconciled != fact.run:
                raise Contradiction(f"run {fact.run} needs no reconciliation")
            return replace(state, unreconciled=None)
        case f.Closed():
            return _closed(state, fact)
        case f.CancelRequested() | f.ForeignInflow() | f.Replanned():
            return _of_run(state, fact)
        case (
            f.Quoted() | f.Refused() | f.Due() | f.Settled() | f.Arrived() | f.Refunded() | f.Lost()
        ):
            return _of_leg(state, fact)
        case (
            f.Voided()
            | f.Signed()
            | f.Submitted()
            | f.Mined()
            | f.Unmined()
            | f.Confirmed()
            | f.Final()
            | f.Displaced()
            | f.Expired()
            | f.Filled()
        ):
            return _of_intent(state, fact)
        case _:
            assert_never(fact)


def _put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def _run(state: State, run_id: str) -> RunState:
    run = state.runs.get(run_id)
    if run is None:
        raise Contradiction(f"no run {run_id}")
    return run


def _with_run(state: State, run: RunState) -> State:
    return replace(state, runs=_put(state.runs, run.id, run))


def _started(state: State, fact: f.Started) -> State:
    if state.open_run is not None or state.unreconciled is not None:
        raise Contradiction(f"run {fact.run} started before another one was finished")
    if fact.run in state.runs or "/" in fact.run:
        raise Contradiction(f"run id {fact.run!r} cannot be used")
    kept = {key: run for key, run in state.runs.items() if not run.settled_for_good}
    gone = tuple(
        Spent(intent.attempts[0].reserved.at, intent.charged)
        for key, run in state.runs.items()
        if key not in kept
        for intent in run.intents.values()
    )
    legs = MappingProxyType({leg.id: LegState(leg) for leg in fact.plan.legs})
    kept[fact.run] = RunState(fact, fact.plan, legs)
    return replace(
        state,
        runs=MappingProxyType(kept),
        spent=state.spent + gone,
        floors=_floors(state, [run for key, run in state.runs.items() if key not in kept]),
        worker=fact.worker,
    )


def _floors(state: State, archived: list[RunState]) -> Mapping[ChainId, int]:
    floors = dict(state.floors)
    for run in archived:
        for known in run.intents.values():
            chain, nonce = known.intent.chain, known.intent.nonce
            if nonce is not None and known.mined is not None:
                floors[chain] = max(floors.get(chain, 0), nonce + 1)
    return MappingProxyType(floors)


def _closed(state: State, fact: f.Closed) -> State:
    run = replace(_run(state, fact.run), closed=fact)
    stuck = fact.run if fact.outcome == "needs_human" else state.unreconciled
    ended = Ended(fact.run, fact.outcome, fact.at)
    return replace(_with_run(state, run), ended=ended, unreconciled=stuck)


def _of_run(state: State, fact: f.CancelRequested | f.ForeignInflow | f.Replanned) -> State:
    run = _run(state, fact.run)
    match fact:
        case f.CancelRequested():
            return _with_run(state, replace(run, cancel=fact))
        case f.ForeignInflow():
            return _with_run(state, replace(run, inflows=(*run.inflows, fact)))
        case f.Replanned():
            begun = {key: leg for key, leg in run.legs.items() if run.of_leg(key)}
            fresh = {leg.id: LegState(leg) for leg in fact.plan.legs}
            if set(begun) & set(fresh):
                raise Contradiction("a new plan reuses the id of a leg that has begun")
            legs = MappingProxyType({**begun, **fresh})
            return _with_run(
                state, replace(run, plan=fact.plan, legs=legs, replans=run.replans + 1)
            )
        case _:
            assert_never(fact)


LegFact = f.Quoted | f.Refused | f.Due | f.Settled | f.Arrived | f.Refunded | f.Lost


def _of_leg(state: State, fact: LegFact) -> State:
    run = _run(state, fact.run)
    leg = run.legs.get(fact.leg)
    if leg is None:
        raise Contradiction(f"no leg {fact.leg} in run {fact.run}")
    match fact:
        case f.Quoted():
            if fact.round != leg.rounds + 1:
                raise Contradiction(f"quote round {fact.round} after {leg.rounds}")
            leg = replace(leg, quoted=fact)
        case f.Due():
            leg = replace(leg, dues=(*leg.dues, fact))
        case f.Refused():
            leg = replace(leg, refused=fact)
        case f.Settled():
            leg = replace(leg, settled=fact)
        case f.Arrived():
            leg = replace(leg, arrived=fact)
        case f.Refunded():
            leg = replace(leg, refunded=fact)
        case f.Lost():
            leg = replace(leg, lost=fact)
        case _:
            assert_never(fact)
    return _with_run(state, replace(run, legs=_put(run.legs, fact.leg, leg)))


def _reserved(state: State, fact: f.Reserved) -> State:
    intent = fact.intent
    run = _run(state, intent.run)
    known = run.intents.get(intent.id)
    if known is None:
        if fact.attempt != 0:
            raise Contradiction(f"attempt {fact.attempt} of unknown intent {intent.id}")
        _check_nonce_free(state, intent)
        known = IntentState(intent, ())
    elif known.quiet or fact.attempt != len(known.attempts) or known.intent != intent:
        raise Contradiction(f"attempt {fact.attempt} cannot follow on intent {intent.id}")
    elif known.attempts[-1].signed is None and not known.attempts[-1].voided:
        raise Contradiction(f"attempt {fact.attempt} before the last one was signed")
    known = replace(known, attempts=(*known.attempts, AttemptState(fact)))
    run = replace(run, intents=_put(run.intents, intent.id, known))
    return _with_run(state, run)


def _check_nonce_free(state: State, intent: Intent) -> None:
    """One nonce never serves two intents that could both be mined."""
    if intent.nonce is None:
        return
    for run in state.runs.values():
        for other in run.intents.values():
            same = other.intent.chain == intent.chain and other.intent.nonce == intent.nonce
            if same and not other.voided:
                raise Contradiction(f"nonce {intent.nonce} belongs to {other.intent.id}")


IntentFact = (
    f.Voided
    | f.Signed
    | f.Submitted
    | f.Mined
    | f.Unmined
    | f.Confirmed
    | f.Final
    | f.Displaced
    | f.Expired
    | f.Filled
)


def _of_intent(state: State, fact: IntentFact) -> State:
    known = state.intent(fact.intent)
    run = state.runs[known.intent.run]
    match fact:
        case f.Voided() | f.Signed() | f.Submitted():
            known = _attempted(known, fact)
        case f.Mined():
            _attempt(known, fact.attempt)
            known = replace(known, mined=fact)
        case f.Unmined():
            known, run = _unmined(known, run)
        case f.Confirmed():
            known = replace(known, confirmed=True)
        case f.Final():
            known = replace(known, confirmed=True, final=True)
        case f.Displaced():
            known = replace(known, displaced=True)
        case f.Expired():
            known = replace(known, expired=True)
        case f.Filled():
            if fact.id not in {fill.id for fill in known.fills}:
                known = replace(known, fills=(*known.fills, fact))
        case _:
            assert_never(fact)
    if isinstance(fact, f.Mined) and known.succeeded:
        state = replace(state, vias=state.vias | {run.legs[known.intent.leg].leg.via})
    run = replace(run, intents=_put(run.intents, fact.intent, known))
    if isinstance(fact, f.Unmined) and state.unreconciled == run.id:
        state = replace(state, unreconciled=None)
    return _with_run(state, run)


def _attempt(known: IntentState, number: int) -> AttemptState:
    if not 0 <= number < len(known.attempts):
        raise Contradiction(f"no attempt {number} of intent {known.intent.id}")
    return known.attempts[number]


def _attempted(known: IntentState, fact: f.Voided | f.Signed | f.Submitted) -> IntentState:
    attempt = _attempt(known, fact.attempt)
    match fact:
        case f.Signed():
            if attempt.signed is not None or attempt.voided:
                raise Contradiction(f"attempt {fact.attempt} of {fact.intent} signed again")
            attempt = replace(attempt, signed=fact)
        case f.Submitted():
            if attempt.signed is None:
                raise Contradiction(f"attempt {fact.attempt} of {fact.intent} sent unsigned")
            first = attempt.submitted
            # The first submission dates the wait; a resend of the same bytes does not renew it.
            attempt = replace(attempt, submitted=first if first is not None else fact)
        case f.Voided():
            if attempt.signed is not None:
                raise Contradiction(f"attempt {fact.attempt} of {fact.intent} is signed")
            attempt = replace(attempt, voided=True)
        case _:
            assert_never(fact)
    attempts = list(known.attempts)
    attempts[fact.attempt] = attempt
    return replace(known, attempts=tuple(attempts))


def _unmined(known: IntentState, run: RunState) -> tuple[IntentState, RunState]:
    """Back to signed and not yet sent; what was measured is forgotten, a closed run reopens."""
    attempts = tuple(replace(attempt, submitted=None) for attempt in known.attempts)
    known = replace(known, attempts=attempts, mined=None, confirmed=False, final=False)
    leg = replace(run.legs[known.intent.leg], settled=None)
    changes: dict[str, Any] = {"legs": _put(run.legs, known.intent.leg, leg)}
    if run.closed is not None:
        changes |= {"closed": None, "inflows": (), "reopened": run.reopened + 1}
    return known, replace(run, **changes)
