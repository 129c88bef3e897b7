"""Sign, submit and follow what is reserved; look everything up, assume nothing."""

from __future__ import annotations

from typing import assert_never

from agent.core.fact import (
    Confirmed,
    Displaced,
    Fact,
    Final,
    Mined,
    Signed,
    Submitted,
    Voided,
)
from agent.core.follow import Found, Judgement, Missing, Replace, Still, Taken, judge, overdue
from agent.core.intent import PROTECTIVE, SignedTx
from agent.core.progress import OnIntent, Watch
from agent.core.sighting import Sighting
from agent.core.state import AttemptState, IntentState, State
from agent.engine import orders
from agent.engine.io import Io, Later
from agent.engine.reorg import look_again
from agent.engine.reserve import replacement

_FINALITY_POLLS = 4
"""Looks at a confirmed block are this much rarer: nothing waits for them."""


def sign(step: OnIntent, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Sign the newest attempt, or give it up if the world has moved on meanwhile."""
    known = state.intent(step.intent)
    attempt = known.live[-1]
    now = io.clock.now()
    paused = io.paused()
    if paused is not None and known.intent.draft.purpose != "claim":
        return Later(now + io.chains[step.chain].poll_seconds, f"paused: {paused}")
    if _unwanted(known, state) and attempt.reserved.kind != "cancel":
        return (_void(known, attempt, "the run is to end", now),)
    gone = _gone(known, attempt, io, now)
    if gone is not None:
        return gone if isinstance(gone, Later) else (gone,)
    payload = io.signer.sign(attempt.reserved)
    return (Signed(known.intent.id, attempt.reserved.attempt, payload, now),)


def _gone(known: IntentState, attempt: AttemptState, io: Io, now: int) -> Fact | Later | None:
    """Why an unsigned attempt must not be signed any more, as the fact that says so.

    What takes risk away is not given up for good: it is tried again on the next nonce, and
    waits while the account is not its owner's alone.
    """
    chain, nonce = known.intent.chain, known.intent.nonce
    seen = io.nodes[chain].sight(io.account, [item for _, item in known.hashes])
    protective = known.intent.draft.purpose in PROTECTIVE
    if nonce is not None and seen.nonce > nonce:
        if known.hashes:
            return _void(known, attempt, "an earlier attempt was mined", now)
        if protective:
            return _void(known, attempt, "another transaction of the wallet used its nonce", now)
        return Displaced(known.intent.id, now)
    if attempt.reserved.kind == "cancel":
        return None
    if not protective and overdue(known, seen):
        return _void(known, attempt, "its deadline has passed", now)
    if io.nodes[chain].code_hashes((io.account,))[io.account]:
        why = "the wallet's account has code now"
        if protective:
            return Later(now + io.chains[chain].poll_seconds, why)
        return _void(known, attempt, why, now)
    return None


def _void(known: IntentState, attempt: AttemptState, why: str, now: int) -> Voided:
    return Voided(known.intent.id, attempt.reserved.attempt, why, now)


def _unwanted(known: IntentState, state: State) -> bool:
    run = state.runs[known.intent.run]
    return run.cancel is not None and known.intent.draft.purpose not in PROTECTIVE


def submit(step: OnIntent, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Hand the newest bytes over, unless they are mined, unwanted or too late by now.

    Nobody knows whether they were handed over before: the same bytes again are harmless.
    """
    known = state.intent(step.intent)
    if known.intent.nonce is None:
        return _post(known, state, io)
    seen, judgement = _look(known, state, io)
    if isinstance(judgement, Still):
        judgement = Missing()
    return _react(known, judgement, seen, io)


def _post(known: IntentState, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """A posted order cannot be called back, so one that nobody wants is let expire instead."""
    paused = io.paused()
    if _unwanted(known, state):
        return orders.follow(known, state, io, wanted=False)
    if paused is not None:
        pause = io.chains[known.intent.chain].poll_seconds
        return Later(io.clock.now() + pause, f"paused: {paused}")
    return orders.post(known, state, io)


def follow(step: OnIntent, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Look where submitted bytes are, and hand the same ones over again if nobody has them."""
    known = state.intent(step.intent)
    if known.intent.nonce is None:
        wanted = io.paused() is None and not _unwanted(known, state)
        return orders.follow(known, state, io, wanted=wanted)
    seen, judgement = _look(known, state, io)
    return _react(known, judgement, seen, io)


def _look(known: IntentState, state: State, io: Io) -> tuple[Sighting, Judgement]:
    chain = known.intent.chain
    seen = io.nodes[chain].sight(io.account, [item for _, item in known.hashes])
    rules = io.chains[chain].rules
    return seen, judge(known, seen, rules, unwanted=_unwanted(known, state))


def _react(
    known: IntentState, judgement: Judgement, seen: Sighting, io: Io
) -> tuple[Fact, ...] | Later:
    now = io.clock.now()
    later = now + io.chains[known.intent.chain].poll_seconds
    paused = None if known.intent.draft.purpose == "claim" else io.paused()
    match judgement:
        case Found():
            return _found(known, judgement, now)
        case Taken():
            return (Displaced(known.intent.id, now),)
        case Missing() | Replace() if paused is not None:
            return Later(later, f"paused: {paused}")
        case Missing():
            return _hand_over(known, seen, io)
        case Replace():
            reserved = replacement(known, judgement, io)
            return reserved if isinstance(reserved, Later) else (reserved,)
        case Still():
            return Later(later, judgement.why)
        case _:
            assert_never(judgement)


def _found(known: IntentState, found: Found, now: int) -> tuple[Fact, ...]:
    facts: list[Fact] = [Mined(known.intent.id, found.attempt, found.receipt, now)]
    if found.final:
        facts.append(Final(known.intent.id, now))
    elif found.confirmed:
        facts.append(Confirmed(known.intent.id, now))
    return tuple(facts)


def _hand_over(known: IntentState, seen: Sighting, io: Io) -> tuple[Fact, ...] | Later:
    """Give the newest bytes to the node once; what it says decides nothing."""
    last = known.live[-1]
    if last.signed is None or not isinstance(last.signed.payload, SignedTx):
        raise ValueError(f"nothing signed to submit for {known.intent.id}")
    sent = io.nodes[known.intent.chain].send(last.signed.payload.raw)
    if last.submitted is None:
        number, now = last.reserved.attempt, io.clock.now()
        return (Submitted(known.intent.id, number, sent.accepted, seen.head.number, now),)
    chain = io.chains[known.intent.chain]
    return Later(io.clock.now() + chain.poll_seconds, f"sent again: {sent.said or 'accepted'}")


def watch(step: Watch, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """Look at a mined intent again: confirmed, final, or taken away by a reorganisation."""
    known = state.intent(step.intent)
    now = io.clock.now()
    if known.mined is None:
        raise ValueError(f"{known.intent.id} is not mined")
    seen = io.nodes[step.chain].sight(io.account, (known.mined.receipt.hash,))
    gone = look_again(step.chain, known.mined, seen, seen.receipts[0], io)
    if gone is not None:
        return gone if isinstance(gone, Later) else (gone,)
    number, chain = known.mined.receipt.block_number, io.chains[step.chain]
    depth = seen.head.number - number + 1
    if number <= seen.finalized:
        return (Final(known.intent.id, now),)
    if step.what == "confirm" and depth >= chain.rules.confirmations:
        return (Confirmed(known.intent.id, now),)
    polls = 1 if step.what == "confirm" else _FINALITY_POLLS
    return Later(now + polls * chain.poll_seconds, f"{depth} blocks deep")
