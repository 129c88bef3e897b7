"""Bind what is to be done to a nonce and to fees, before anything is signed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from agent.core.budget import fee_verdict
from agent.core.fact import Refused, Reserved
from agent.core.fees import SELF_SEND_GAS, TxFees, bump, money, offer
from agent.core.follow import Replace
from agent.core.intent import AttemptKind, Charges, Draft, Intent, UnsignedTx
from agent.core.money import Address
from agent.core.progress import ACTS, Reserve
from agent.core.quote import Call
from agent.core.state import IntentState, State, intent_id
from agent.core.verdict import Refusal
from agent.engine.ask import simulate
from agent.engine.io import Io, Later

_MARGIN_SECONDS = 15
"""Least time a quote must still hold when it is reserved: signing and one block of a fast chain."""


def reserve(step: Reserve, state: State, io: Io) -> tuple[Reserved | Refused, ...] | Later:
    """Simulate what is left of the leg once more, then take the next nonce.

    Returns Later while the node is behind the journal, the wallet has another transaction
    pending, or the agent is paused.
    """
    now = io.clock.now()
    paused = io.paused()
    if paused is not None and step.draft.purpose != "claim":
        return Later(now + io.chains[step.chain].poll_seconds, f"paused: {paused}")
    node = io.nodes[step.chain]
    seen = node.sight(io.account, ())
    nonce = state.next_nonce(step.chain)
    if seen.nonce < nonce or node.pending_nonce(io.account) > seen.nonce:
        why = "another transaction of the wallet is pending, or the node is behind"
        return Later(now + io.chains[step.chain].poll_seconds, why)
    run = state.runs[step.run]
    leg = run.legs[step.leg].leg
    if step.draft.purpose in ACTS or step.following:
        late = _too_late(step, seen.head.timestamp)
        simulated = simulate(node, io.account, (step.draft, *step.following), leg)
        if late or not simulated.ok:
            why = late or f"simulation failed: {(simulated.reverted or (0, ''))[1]}"
            refusal = Refusal("G110" if late else "S101", why)
            return (Refused(step.run, step.leg, leg.via, (refusal,), now),)
    native_price = _native_price(io, step.draft)
    if native_price is None:
        refusal = Refusal("G202", "the gas coin has no price, so its fee cannot be limited")
        return (Refused(step.run, step.leg, leg.via, (refusal,), now),)
    fees = offer(node.fees())
    unsigned = _unsigned(step.draft, io.account, seen.nonce, fees)
    fee = money(0 if unsigned is None else unsigned.max_fee, native_price)
    charges = Charges(_value(io, step.draft), fee)
    intent = Intent(
        id=intent_id(step.run, step.leg, step.round, step.index),
        run=step.run,
        leg=step.leg,
        round=step.round,
        index=step.index,
        draft=step.draft,
        account=io.account,
        nonce=None if unsigned is None else seen.nonce,
        charges=charges,
        native_price=native_price,
    )
    return (
        Reserved(
            intent=intent, attempt=0, kind="first", unsigned=unsigned, charges=charges, at=now
        ),
    )


def _too_late(step: Reserve, chain_time: int) -> str:
    drafts = (step.draft, *step.following)
    limits = [draft.valid_until for draft in drafts if draft.valid_until]
    if all(chain_time + _MARGIN_SECONDS <= limit for limit in limits):
        return ""
    return "the quote is too old to be signed"


def _native_price(io: Io, draft: Draft) -> Decimal | None:
    price = io.prices().of(io.chains[draft.chain].native)
    return None if price is None else price.high


def _value(io: Io, draft: Draft) -> Decimal:
    """What a draft moves, in the unit of account; a wrap moves nothing out of the asset."""
    if draft.moves is None or draft.purpose in {"wrap", "unwrap"}:
        return Decimal(0)
    worth = io.prices().worth(draft.moves)
    if worth is None:
        raise ValueError(f"{draft.moves.token.symbol} lost its price after the guard saw it")
    return worth


def _unsigned(draft: Draft, sender: Address, nonce: int, fees: TxFees) -> UnsignedTx | None:
    if not isinstance(draft.payload, Call):
        return None
    return UnsignedTx(
        chain=draft.chain,
        sender=sender,
        nonce=nonce,
        to=draft.payload.to,
        value=draft.payload.value,
        data=draft.payload.data,
        gas_limit=draft.gas_limit,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
    )


def replacement(known: IntentState, wish: Replace, io: Io) -> Reserved | Later:
    """Another attempt on the same nonce, ≥ 12.5 % dearer; a cancel is a transfer to oneself.

    Returns Later when the dearer fee is above the policy's cap: then the old attempt stands.
    """
    chain = known.intent.chain
    last = known.live[-1].reserved
    if last.unsigned is None:
        raise ValueError("a typed message has no fee to replace")
    now = io.clock.now()
    old = TxFees(last.unsigned.max_fee_per_gas, last.unsigned.max_priority_fee_per_gas)
    fees = bump(old, io.nodes[chain].fees())
    kind: AttemptKind = wish.kind
    unsigned = replace(
        last.unsigned,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
    )
    if kind == "cancel":
        unsigned = replace(unsigned, to=io.account, value=0, data="0x", gas_limit=SELF_SEND_GAS)
    fee = money(unsigned.max_fee, known.intent.native_price)
    verdict = fee_verdict(fee, io.policy.limits)
    if not verdict.ok:
        return Later(now + io.chains[chain].poll_seconds, verdict.refusals[0].why)
    charged = sum((attempt.reserved.charges.fee for attempt in known.live), Decimal(0))
    return Reserved(
        intent=known.intent,
        attempt=len(known.attempts),
        kind=kind,
        unsigned=unsigned,
        charges=Charges(Decimal(0), max(Decimal(0), fee - charged)),
        at=now,
    )
