"""Ask a bridge where the money is, and write down what it says."""

from __future__ import annotations

import math
from typing import assert_never

from agent.core.fact import Arrived, Deferred, Due, Fact, Lost, Refunded, Unlanded
from agent.core.intent import Draft, Receipt
from agent.core.money import Token
from agent.core.movement import act
from agent.core.plan import Leg
from agent.core.progress import Track, free_slot
from agent.core.quote import Call, Meaning
from agent.core.state import IntentState, LegState, RunState, State
from agent.core.verdict import Refusal
from agent.engine.io import Io, Later
from agent.errors import WrongValue
from agent.ports import Act, Bridge, Delivered, Gone, Returned, Waiting
from agent.ports import Track as Said
from agent.wire import calldata

MAX_FAILED_CLAIMS = 3
"""Claims of one transfer that may fail before a person looks: each one costs its gas."""


PATIENCE_SECONDS = 3_600
"""A run does not wait longer than this for something of which the bridge says when it can be."""

MOST_PATIENCE_SECONDS = 86_400
"""Nor so long for what the bridge believes to come any moment."""


def track(step: Track, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """One look at a transfer: what it needs of us, that it arrived, or when to look again."""
    run = state.runs[step.run]
    leg = run.legs[step.leg]
    now = io.clock.now()
    if leg.leg.kind != "claim" and departure(run, leg, io) is None:
        raise ValueError(f"leg {step.leg} has no mined deposit to track")
    if _unfinished(run, leg):
        return Later(now + _poll(leg, io), "our own transaction for it is on its way")
    claims = _claims(run, leg)
    failed = sum(known.quiet and not known.voided and not known.succeeded for known in claims)
    if not (failed < MAX_FAILED_CLAIMS):
        why = f"{failed} claims failed; its money waits at {leg.leg.via}"
        return (Lost(step.run, step.leg, why, now),)
    bridge = io.bridges.get(leg.leg.via)
    if bridge is None:
        raise WrongValue(
            f"leg {step.leg} of run {step.run} waits at {leg.leg.via}, which is not allowed now",
            fix="put it back under [bridges] until the run has ended",
        )
    receipt = departure(run, leg, io)
    if receipt is None:
        return _nowhere(run, leg, io)
    done = sum(known.succeeded for known in claims)
    found = bridge.track(leg.leg, receipt, _sold(leg), done, now)
    return _written(found, run, leg, bridge, io)


def _written(
    found: Said, run: RunState, leg: LegState, bridge: Bridge, io: Io
) -> tuple[Fact, ...] | Later:
    """What a bridge says as a fact, or when to look again."""
    now, ids = io.clock.now(), (run.id, leg.leg.id)
    match found:
        case Waiting():
            return _wait(found, run, leg, io)
        case Act():
            refusal = _refusal(found.draft, leg, bridge, io)
            if refusal is not None:
                return Later(now + _poll(leg, io), f"the claim was refused: {refusal.why}")
            return (Due(*ids, found.draft, found.why, now),)
        case Delivered() | Returned() if found.amount.token not in _read(run):
            why = f"it ended as {found.amount.token.symbol}, whose balance was not read before"
            return (Lost(*ids, why, now),)
        case Delivered():
            return (Arrived(*ids, found.amount, now, found.block or _claimed_in(run, leg)),)
        case Returned():
            return (Refunded(*ids, found.amount, now, found.block or 0),)
        case Gone():
            return (Lost(*ids, found.why, now),)
        case _:
            assert_never(found)


def departure(run: RunState, leg: LegState, io: Io) -> Receipt | None:
    """The receipt of a transfer's deposit; None while it is in no block. Raises Unavailable.

    That of a claim is asked of the chain, because no intent of its run made it.
    """
    if leg.leg.kind == "claim":
        return receipt_of(leg.leg, io)
    done = act(run, leg)
    return None if done is None or done.mined is None else done.mined.receipt


def receipt_of(claim: Leg, io: Io) -> Receipt | None:
    """What the chain says of the deposit that a claim follows; raises Unavailable."""
    (receipt,) = io.nodes[claim.sell.token.chain].sight(io.account, (claim.detail,)).receipts
    return receipt if receipt is not None and receipt.ok else None


def _sold(leg: LegState) -> int:
    return leg.leg.planned_sell.raw if leg.quoted is None else leg.quoted.sell_raw


def _claims(run: RunState, leg: LegState) -> list[IntentState]:
    return [known for known in run.of_leg(leg.leg.id) if known.intent.draft.purpose == "claim"]


def _claimed_in(run: RunState, leg: LegState) -> int:
    """The block of our own last claim that went through, 0 where there is none."""
    mined = [known.mined for known in _claims(run, leg) if known.succeeded]
    return max((each.receipt.block_number for each in mined if each is not None), default=0)


def _nowhere(run: RunState, leg: LegState, io: Io) -> tuple[Lost, ...] | Later:
    """A deposit that was found once and is in no block now: it may come back for a day."""
    now = io.clock.now()
    why = f"its deposit {leg.leg.detail} is in no block"
    if now - run.started.at > MOST_PATIENCE_SECONDS:
        return (Lost(run.id, leg.leg.id, why, now),)
    return Later(now + _poll(leg, io), why, news=True)


def _wait(found: Waiting, run: RunState, leg: LegState, io: Io) -> tuple[Deferred, ...] | Later:
    """When to look again; what takes long is written down, so that the run can end without it.

    It does when the bridge says so, when the plan said so, and when it has taken long already.
    """
    now = io.clock.now()
    until = max(now + _poll(leg, io), found.until)
    done = act(run, leg)
    since = run.started.at if done is None or done.mined is None else done.mined.at
    long = max(until - now, leg.leg.seconds) > PATIENCE_SECONDS
    if not long and now - since <= MOST_PATIENCE_SECONDS:
        return Later(until, found.why, news=True, id=found.id, due=found.due)
    deferred = Deferred(
        run=run.id,
        leg=leg.leg.id,
        until=max(math.ceil(until), now + PATIENCE_SECONDS),
        why=found.why,
        id=found.id,
        due=found.due,
        at=now,
    )
    return (deferred,)


def unlanded(run: RunState, io: Io) -> tuple[Unlanded, ...]:
    """Transfers of a run whose arrival or refund is not there any more, or to be claimed again.

    Raises Unavailable while nobody can tell.
    """
    found = []
    for leg in run.legs.values():
        bridge = io.bridges.get(leg.leg.via)
        landed = leg.arrived is not None or leg.refunded is not None
        receipt = departure(run, leg, io) if landed and bridge is not None else None
        if bridge is None or receipt is None:
            continue
        now = io.clock.now()
        claims = sum(known.succeeded for known in _claims(run, leg))
        told = bridge.track(leg.leg, receipt, _sold(leg), claims, now)
        if isinstance(told, Waiting | Act):
            found.append(Unlanded(run.id, leg.leg.id, told.why, now))
    return tuple(found)


def _refusal(draft: Draft, leg: LegState, bridge: Bridge, io: Io) -> Refusal | None:
    """What speaks against a claim: it may call the bridge's own contracts and nothing else.

    So may the messages that it carries. A recipient that no bytes of it name is the one of the
    deposit, which was checked.
    """
    chains = {leg.leg.sell.token.chain, leg.leg.buy.chain}
    payload = draft.payload
    if draft.purpose != "claim" or not isinstance(payload, Call) or draft.chain not in chains:
        return Refusal("G106", f"{bridge.name} asks for a {draft.purpose} on chain {draft.chain}")
    if payload.chain != draft.chain or payload.value or draft.moves or draft.allowance:
        return Refusal("G108", "a claim moves nothing out of the wallet")
    meant = calldata.meaning(payload, bridge.layouts, account=io.account)
    if isinstance(meant, Refusal):
        return meant
    targets = bridge.targets(draft.chain)
    parts = _parts(meant)
    for part in parts:
        if part.target not in targets:
            return Refusal("G102", f"{part.target} is not a contract of {bridge.name}")
    code = io.nodes[draft.chain].code_hashes((meant.target,))[meant.target]
    if not code or targets[meant.target] not in {"", code}:
        return Refusal("G104", f"{meant.target} has no code, or other code than it must have")
    for part in parts:
        if part.recipient not in {None, io.account}:
            return Refusal("G105", f"the recipient {part.recipient} is not your wallet")
    if meant.to_chain not in {None, draft.chain}:
        return Refusal("G113", f"the claim pays out on chain {meant.to_chain}")
    return None


def _parts(meant: Meaning) -> list[Meaning]:
    """A call and all that is nested in it."""
    return [meant, *(part for each in meant.inner for part in _parts(each))]


def _read(run: RunState) -> frozenset[Token]:
    """Tokens whose arrival can be checked at the end of the run."""
    return frozenset(holding.token for holding in run.started.before)


def _unfinished(run: RunState, leg: LegState) -> bool:
    """Whether a transaction that is due for this leg is still to be mined, or not deep enough."""
    if any(free_slot(run, leg, index) is not None for index in range(len(leg.dues))):
        return True
    return any(
        not known.quiet or (known.mined is not None and not known.confirmed)
        for known in run.of_leg(leg.leg.id)
    )


def _poll(leg: LegState, io: Io) -> float:
    return io.chains[leg.leg.buy.chain].poll_seconds
