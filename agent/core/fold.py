"""The fold: one fact after another makes an account's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar, assert_never

from agent.core import fact as f
from agent.core.closing import explained_by, unread
from agent.core.fact import Fact
from agent.core.fold_intent import Applied, applied, check_reservation
from agent.core.intent import Charges
from agent.core.money import ChainId
from agent.core.movement import away, deposit_of, followed_by, heirs
from agent.core.plan import Plan, PlanError, in_order
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

_BYTES = (f"G1{number:02}" for number in range(1, 13) if number != 10)
OFFERS = frozenset([*_BYTES, "G204", "G205", "N107", "S101", "S102", "S103"])
"""Codes that speak against what a venue or bridge offers, and not against the moment: prices,
limits and quotes that grew old are nobody's fault."""

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
            if fact.run not in state.stuck:
                raise Contradiction(f"run {fact.run} needs no reconciliation")
            return _unstuck(state, fact.run)
        case f.Closed():
            return _closed(state, fact)
        case f.CancelRequested() | f.ForeignInflow() | f.Replanned():
            return _of_run(state, fact)
        case (
            f.Quoted()
            | f.Refused()
            | f.Due()
            | f.Deferred()
            | f.Settled()
            | f.Arrived()
            | f.Refunded()
            | f.Unlanded()
            | f.Lost()
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
    """The run of that id, as long as it is open."""
    run = state.runs.get(run_id)
    if run is None or run.closed is not None:
        raise Contradiction(f"no open run {run_id}")
    return run


def _with_run(state: State, run: RunState) -> State:
    return replace(state, runs=_put(state.runs, run.id, run))


def _unstuck(state: State, run_id: str) -> State:
    return replace(state, stuck=tuple(each for each in state.stuck if each != run_id))


def _check_plan(plan: Plan, before: tuple[f.Holding, ...]) -> None:
    """A plan whose legs cannot be put in order, or whose end could not be measured, is none."""
    try:
        in_order(plan.legs)
    except PlanError as error:
        raise Contradiction(f"plan {plan.id} cannot be executed: {error}") from None
    missing = unread(plan, before)
    if missing:
        raise Contradiction(f"plan {plan.id} touches {missing[0].symbol}, which was not read")


def _started(state: State, fact: f.Started) -> State:
    if state.open_run is not None or state.stuck:
        raise Contradiction(f"run {fact.run} started before another one was finished")
    if fact.run in state.runs or "/" in fact.run:
        raise Contradiction(f"run id {fact.run!r} cannot be used")
    _check_plan(fact.plan, fact.before)
    state = _inherited(_archived(state), fact)
    legs = MappingProxyType({leg.id: LegState(leg) for leg in fact.plan.legs})
    base = explained_by(state.runs.values())
    run = RunState(fact, fact.plan, legs, base=base)
    return replace(_with_run(state, run), worker=fact.worker)


def _inherited(state: State, fact: f.Started) -> State:
    """Transfers that ended runs left under way are followed by the claims of this one."""
    claims = {(leg.via, leg.detail): leg.id for leg in fact.plan.legs if leg.kind == "claim"}

    def handed_on(run: RunState, leg: LegState) -> LegState:
        claim = claims.get((leg.leg.via, deposit_of(run, leg)))
        if claim is None or leg.heir is not None or not away(run, leg):
            return leg
        return replace(leg, heir=(fact.run, claim))

    runs = {}
    for key, run in state.runs.items():
        legs = {name: handed_on(run, leg) for name, leg in run.legs.items()}
        runs[key] = replace(run, legs=MappingProxyType(legs))
    return replace(state, runs=MappingProxyType(runs)) if claims else state


def _leaves(state: State, run: RunState) -> bool:
    """Whether money that a run sent away is still under way, whoever follows it."""
    lasts = [followed_by(state, run, leg) for leg in run.legs.values()]
    return any(last is not None and away(*last) for last in lasts)


def _archived(state: State) -> State:
    """Without the runs that nothing can reopen; what they spent and changed is kept."""
    over = {run.id: run.settled_for_good and not _leaves(state, run) for run in state.runs.values()}
    gone = [run for run in state.runs.values() if over[run.id]]
    kept = {key: run for key, run in state.runs.items() if not over[key]}
    changed = explained_by(gone)
    for key, run in kept.items():
        tokens = {**run.base, **changed}
        base = {token: run.base.get(token, 0) - changed.get(token, 0) for token in tokens}
        kept[key] = replace(run, base=MappingProxyType(base))
    return replace(
        state,
        runs=MappingProxyType(kept),
        spent=state.spent + tuple(entry for run in gone for entry in _entries(run)),
        floors=_floors(state.floors, gone),
    )


def _entries(run: RunState) -> list[Spent]:
    """What a run took out of the limits: by its intents, and by legs that lost value."""
    nothing = Charges(Decimal(0), Decimal(0))
    fees = [Spent(known.attempts[0].reserved.at, known.charged) for known in run.intents.values()]
    settled = [leg.settled for leg in run.legs.values() if leg.settled is not None]
    return fees + [Spent(each.at, nothing, max(Decimal(0), -each.value)) for each in settled]


def _floors(floors: Mapping[ChainId, int], gone: list[RunState]) -> Mapping[ChainId, int]:
    found = dict(floors)
    for run in gone:
        for known in run.intents.values():
            chain, nonce = known.intent.chain, known.intent.nonce
            if nonce is not None and known.holds_nonce:
                found[chain] = max(found.get(chain, 0), nonce + 1)
    return MappingProxyType(found)


def _closed(state: State, fact: f.Closed) -> State:
    run = _run(state, fact.run)
    live = [known.intent.id for known in run.intents.values() if not known.quiet]
    if live:
        raise Contradiction(f"run {run.id} closed while {live[0]} is under way")
    if fact.outcome == "needs_human":
        state = replace(state, stuck=(*state.stuck, run.id))
    ended = Ended(run.id, fact.outcome, fact.at)
    only_claims = all(leg.leg.kind == "claim" for leg in run.legs.values())
    state = replace(state, ended=ended, acted=state.acted if only_claims else ended)
    return _with_run(state, replace(run, closed=fact))


def _of_run(state: State, fact: f.CancelRequested | f.ForeignInflow | f.Replanned) -> State:
    run = _run(state, fact.run)
    match fact:
        case f.CancelRequested():
            return _with_run(state, replace(run, cancel=fact))
        case f.ForeignInflow():
            others = tuple(x for x in run.inflows if x.amount.token != fact.amount.token)
            return _with_run(state, replace(run, inflows=(*others, fact)))
        case f.Replanned():
            return _with_run(state, _replanned(run, fact))
        case _:
            assert_never(fact)


def _replanned(run: RunState, fact: f.Replanned) -> RunState:
    """Legs that have begun stay, those that were refused as given up; the others are new."""
    _check_plan(fact.plan, run.started.before)
    begun = {
        key: replace(leg, given_up=leg.refused is not None)
        for key, leg in run.legs.items()
        if run.of_leg(key)
    }
    fresh = {leg.id: LegState(leg) for leg in fact.plan.legs}
    if set(begun) & set(fresh):
        raise Contradiction("a new plan reuses the id of a leg that has begun")
    if any(leg.kind == "claim" for leg in (*run.plan.legs, *fact.plan.legs)):
        raise Contradiction("there is no other plan for what has left")
    legs = MappingProxyType({**begun, **fresh})
    return replace(run, plan=fact.plan, legs=legs, replans=run.replans + 1)


LegFact = (
    f.Quoted
    | f.Refused
    | f.Due
    | f.Deferred
    | f.Settled
    | f.Arrived
    | f.Refunded
    | f.Unlanded
    | f.Lost
)


def _of_leg(state: State, fact: LegFact) -> State:
    run = _run(state, fact.run)
    leg = run.legs.get(fact.leg)
    if leg is None:
        raise Contradiction(f"no leg {fact.leg} in run {fact.run}")
    leg = _told(run, leg, fact)
    if isinstance(fact, f.Refused) and OFFERS & {refusal.code for refusal in fact.refusals}:
        run = replace(run, shunned=run.shunned | {fact.via})
    if _worked(state, leg, fact):
        state = replace(state, vias=state.vias | {leg.leg.via})
    return _with_run(state, replace(run, legs=_put(run.legs, fact.leg, leg)))


def _worked(state: State, leg: LegState, fact: LegFact) -> bool:
    """Whether a venue or bridge has done once what this wallet asked of it.

    A deposit that somebody else made, or a program that is forgotten, was not asked for here.
    """
    if isinstance(fact, f.Settled):
        return leg.leg.kind != "bridge"
    if not isinstance(fact, f.Arrived):
        return False
    legs = (each for run in state.runs.values() for each in run.legs.values())
    return leg.leg.kind == "bridge" or any(each.heir == (fact.run, fact.leg) for each in legs)


def _told(run: RunState, leg: LegState, fact: LegFact) -> LegState:
    match fact:
        case f.Quoted():
            if fact.round != leg.rounds + 1:
                raise Contradiction(f"quote round {fact.round} after {leg.rounds}")
            # Whoever made the best offer does it, whatever the plan thought.
            return replace(leg, quoted=fact, leg=replace(leg.leg, via=fact.quote.via))
        case f.Due():
            return replace(leg, dues=(*leg.dues, fact))
        case f.Deferred():
            if not away(run, leg):
                raise Contradiction(f"nothing of leg {fact.leg} is under way")
            return replace(leg, deferred=fact)
        case f.Refused():
            return replace(leg, refused=fact)
        case f.Settled():
            happened = any(known.succeeded for known in run.of_leg(fact.leg))
            if leg.settled is not None or not happened:
                raise Contradiction(f"leg {fact.leg} has nothing to settle")
            return replace(leg, settled=fact)
        case f.Unlanded():
            if leg.arrived is None and leg.refunded is None:
                raise Contradiction(f"nothing of leg {fact.leg} has landed")
            return replace(leg, arrived=None, refunded=None)
        case f.Arrived() | f.Refunded() | f.Lost():
            return _landed(leg, fact)
        case _:
            assert_never(fact)


def _landed(leg: LegState, fact: f.Arrived | f.Refunded | f.Lost) -> LegState:
    if leg.landed:
        raise Contradiction(f"the transfer of leg {fact.leg} has ended already")
    match fact:
        case f.Arrived():
            return replace(leg, arrived=fact)
        case f.Refunded():
            return replace(leg, refunded=fact)
        case f.Lost():
            return replace(leg, lost=fact)
        case _:
            assert_never(fact)


def _reserved(state: State, fact: f.Reserved) -> State:
    intent = fact.intent
    run = _run(state, intent.run)
    check_reservation(state, run, fact)
    known = run.intents.get(intent.id, IntentState(intent, ()))
    known = replace(known, attempts=(*known.attempts, AttemptState(fact)))
    return _with_run(state, replace(run, intents=_put(run.intents, intent.id, known)))


def _of_intent(state: State, fact: Applied) -> State:
    known = state.intent(fact.intent)
    run = state.runs[known.intent.run]
    if run.closed is not None and not isinstance(fact, f.Unmined | f.Confirmed | f.Final):
        raise Contradiction(f"run {run.id} is closed")
    run = replace(run, intents=_put(run.intents, fact.intent, applied(known, fact)))
    if isinstance(fact, f.Unmined):
        run = _reopened(run, known)
        return _taken_back(_unstuck(_with_run(state, run), run.id), run, known)
    return _with_run(state, run)


def _taken_back(state: State, run: RunState, known: IntentState) -> State:
    """A run whose deposit went away follows its transfer itself again.

    Unless somebody has begun to claim it, or its money has landed.
    """
    if known.intent.draft.purpose != "deposit":
        return state
    leg = run.legs[known.intent.leg]
    followers = [*heirs(state, leg)]
    known_here = [each for each in followers if each is not None]
    begun = any(claim.landed or heir.of_leg(claim.leg.id) for heir, claim in known_here)
    if begun or None in followers:
        return state
    for heir, claim in known_here:
        undone = replace(claim, heir=None, undone=True)
        state = _with_run(state, replace(heir, legs=_put(heir.legs, claim.leg.id, undone)))
    run = replace(run, legs=_put(run.legs, leg.leg.id, replace(leg, heir=None)))
    return _with_run(state, run)


def _reopened(run: RunState, known: IntentState) -> RunState:
    """What was measured of its leg is forgotten, and a closed run is open again.

    An arrival is forgotten only when it was our own claim that went away: what others have
    paid out on the far chain is still there.
    """
    leg = run.legs[known.intent.leg]
    arrived = None if known.intent.draft.purpose == "claim" else leg.arrived
    leg = replace(leg, deferred=None, settled=None, arrived=arrived, refunded=None, lost=None)
    run = replace(run, legs=_put(run.legs, leg.leg.id, leg))
    if run.closed is None:
        return run
    return replace(run, closed=None, inflows=(), reopened=run.reopened + 1)
