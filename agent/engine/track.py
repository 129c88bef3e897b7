"""Ask a bridge where the money is, and write down what it says."""

from __future__ import annotations

from typing import assert_never

from agent.core.fact import Arrived, Due, Fact, Lost, Refunded, Unlanded
from agent.core.intent import Draft
from agent.core.money import Token
from agent.core.progress import Track, act, free_slot
from agent.core.quote import Call, Meaning
from agent.core.state import LegState, RunState, State
from agent.core.verdict import Refusal
from agent.engine.io import Io, Later
from agent.errors import WrongValue
from agent.ports import Act, Bridge, Delivered, Gone, Returned, Waiting
from agent.wire import calldata

MAX_FAILED_CLAIMS = 3
"""Claims of one transfer that may fail before a person looks: each one costs its gas."""


def track(step: Track, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """One look at a transfer: what it needs of us, that it arrived, or when to look again."""
    run = state.runs[step.run]
    leg = run.legs[step.leg]
    now = io.clock.now()
    deposit = act(run, leg)
    if deposit is None or deposit.mined is None or leg.quoted is None:
        raise ValueError(f"leg {step.leg} has no mined deposit to track")
    if _unfinished(run, leg):
        return Later(now + _poll(leg, io), "our own transaction for it is on its way")
    claims = [known for known in run.of_leg(step.leg) if known.intent.draft.purpose == "claim"]
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
    done = sum(known.succeeded for known in claims)
    found = bridge.track(leg.leg, deposit.mined.receipt, leg.quoted.sell_raw, done, now)
    match found:
        case Waiting():
            until = max(now + _poll(leg, io), found.until)
            return Later(until, found.why, news=True, id=found.id, due=found.due)
        case Act():
            refusal = _refusal(found.draft, leg, bridge, io)
            if refusal is not None:
                return Later(now + _poll(leg, io), f"the claim was refused: {refusal.why}")
            return (Due(step.run, step.leg, found.draft, found.why, now),)
        case Delivered() | Returned() if found.amount.token not in _read(run):
            why = f"it ended as {found.amount.token.symbol}, whose balance was not read before"
            return (Lost(step.run, step.leg, why, now),)
        case Delivered():
            return (Arrived(step.run, step.leg, found.amount, now),)
        case Returned():
            return (Refunded(step.run, step.leg, found.amount, now),)
        case Gone():
            return (Lost(step.run, step.leg, found.why, now),)
        case _:
            assert_never(found)


def unlanded(run: RunState, io: Io) -> tuple[Unlanded, ...]:
    """Transfers of a run whose arrival or refund is not there any more.

    Raises Unavailable while nobody can tell.
    """
    found = []
    for leg in run.legs.values():
        deposit, bridge = act(run, leg), io.bridges.get(leg.leg.via)
        landed = leg.arrived is not None or leg.refunded is not None
        if not landed or deposit is None or deposit.mined is None or leg.quoted is None:
            continue
        now = io.clock.now()
        claims = sum(
            known.succeeded and known.intent.draft.purpose == "claim"
            for known in run.of_leg(leg.leg.id)
        )
        receipt, sold = deposit.mined.receipt, leg.quoted.sell_raw
        told = None if bridge is None else bridge.track(leg.leg, receipt, sold, claims, now)
        if isinstance(told, Waiting):
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
