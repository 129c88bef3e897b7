"""What one more fact makes of an intent, and which facts cannot follow."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from agent.core import fact as f
from agent.core.intent import SignedMessage, SignedTx
from agent.core.state import AttemptState, Contradiction, IntentState, RunState, State

Applied = (
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
"""The facts that speak of an intent that is reserved already."""


def check_reservation(state: State, run: RunState, fact: f.Reserved) -> None:
    """Raise Contradiction for an attempt that cannot come now."""
    intent = fact.intent
    known = run.intents.get(intent.id)
    if intent.leg not in run.legs:
        raise Contradiction(f"no leg {intent.leg} in run {intent.run}")
    if intent.nonce != (None if fact.unsigned is None else fact.unsigned.nonce):
        raise Contradiction(f"intent {intent.id} and its transaction have two nonces")
    if (fact.attempt == 0) != (fact.kind == "first"):
        raise Contradiction(f"attempt {fact.attempt} of {intent.id} is called {fact.kind}")
    if known is None:
        if fact.attempt != 0:
            raise Contradiction(f"attempt {fact.attempt} of unknown intent {intent.id}")
        _check_chain(run, fact)
        _check_nonce_free(state, fact)
    elif known.quiet or fact.attempt != len(known.attempts) or known.intent != intent:
        raise Contradiction(f"attempt {fact.attempt} cannot follow on intent {intent.id}")
    elif known.attempts[-1].signed is None and not known.attempts[-1].voided:
        raise Contradiction(f"attempt {fact.attempt} before the last one was signed")


def _check_chain(run: RunState, fact: f.Reserved) -> None:
    """Fees on a chain whose gas coin was not read could not be explained at the end."""
    chain = fact.intent.chain
    if not any(held.token.is_native and held.token.chain == chain for held in run.started.before):
        raise Contradiction(f"the gas coin of chain {chain} was not read")


def _check_nonce_free(state: State, fact: f.Reserved) -> None:
    """One nonce never serves two intents that could both be mined."""
    intent = fact.intent
    if intent.nonce is None:
        return
    for run in state.runs.values():
        for other in run.intents.values():
            same = other.intent.chain == intent.chain and other.intent.nonce == intent.nonce
            if same and other.holds_nonce:
                raise Contradiction(f"nonce {intent.nonce} belongs to {other.intent.id}")
    floor = state.floors.get(intent.chain, 0)
    if intent.nonce < floor:
        raise Contradiction(f"nonce {intent.nonce} was used before, the lowest free one is {floor}")


def applied(known: IntentState, fact: Applied) -> IntentState:
    """The intent after *fact*; raises Contradiction."""
    match fact:
        case f.Voided() | f.Signed() | f.Submitted():
            return _attempted(known, fact)
        case f.Mined():
            return _mined(known, fact)
        case f.Unmined():
            return _unmined(known, fact)
        case f.Confirmed() | f.Final():
            if known.mined is None:
                raise Contradiction(f"{fact.intent} is not mined")
            return replace(known, confirmed=True, final=known.final or isinstance(fact, f.Final))
        case f.Displaced():
            if known.quiet or known.intent.nonce is None:
                raise Contradiction(f"{fact.intent} cannot be displaced any more")
            return replace(known, displaced=True)
        case f.Expired() | f.Filled():
            return _order(known, fact)
        case _:
            assert_never(fact)


def _attempt(known: IntentState, number: int) -> AttemptState:
    if not 0 <= number < len(known.attempts):
        raise Contradiction(f"no attempt {number} of intent {known.intent.id}")
    return known.attempts[number]


def _attempted(known: IntentState, fact: f.Voided | f.Signed | f.Submitted) -> IntentState:
    attempt = _attempt(known, fact.attempt)
    name = f"attempt {fact.attempt} of {fact.intent}"
    match fact:
        case f.Signed():
            wanted = SignedMessage if attempt.reserved.unsigned is None else SignedTx
            if attempt.signed is not None or known.quiet or attempt.voided:
                raise Contradiction(f"{name} is signed again, or too late")
            if not isinstance(fact.payload, wanted):
                raise Contradiction(f"{name} is signed as something else")
            attempt = replace(attempt, signed=fact)
        case f.Submitted():
            if attempt.signed is None:
                raise Contradiction(f"{name} is sent unsigned")
            first = attempt.submitted
            # The first submission dates the wait; a resend of the same bytes does not renew it.
            attempt = replace(attempt, submitted=first if first is not None else fact)
        case f.Voided():
            if attempt.signed is not None or attempt.voided or known.quiet:
                raise Contradiction(f"{name} cannot be given up any more")
            attempt = replace(attempt, voided=True)
        case _:
            assert_never(fact)
    attempts = list(known.attempts)
    attempts[fact.attempt] = attempt
    return replace(known, attempts=tuple(attempts))


def _mined(known: IntentState, fact: f.Mined) -> IntentState:
    if known.quiet or (fact.attempt, fact.receipt.hash) not in known.hashes:
        raise Contradiction(f"attempt {fact.attempt} of {fact.intent} cannot have been mined")
    return replace(known, mined=fact)


def _unmined(known: IntentState, fact: f.Unmined) -> IntentState:
    """Back to signed and not yet sent."""
    mined = known.mined
    if mined is None or known.final or mined.receipt.block_hash != fact.block_hash:
        raise Contradiction(f"{fact.intent} is not in block {fact.block_hash}, or there for good")
    attempts = tuple(replace(attempt, submitted=None) for attempt in known.attempts)
    return replace(known, attempts=attempts, mined=None, confirmed=False)


def _order(known: IntentState, fact: f.Expired | f.Filled) -> IntentState:
    if known.quiet or known.intent.nonce is not None or known.attempts[-1].signed is None:
        raise Contradiction(f"{fact.intent} is no open order")
    if isinstance(fact, f.Expired):
        return replace(known, expired=True)
    if fact.id in {fill.id for fill in known.fills}:
        return known
    return replace(known, fills=(*known.fills, fact))
