"""Bind what is to be done to a nonce and to fees, before anything is signed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from agent.core.budget import fee_verdict
from agent.core.fact import Refused, Reserved
from agent.core.fees import SELF_SEND_GAS, TxFees, bump, money, most, offer
from agent.core.follow import Replace
from agent.core.intent import PROTECTIVE, AttemptKind, Charges, Draft, Intent, UnsignedTx
from agent.core.money import Token
from agent.core.price import Prices
from agent.core.progress import ACTS, MARGIN_SECONDS, Reserve
from agent.core.quote import Call
from agent.core.state import IntentState, State, intent_id
from agent.core.verdict import Refusal
from agent.engine.ask import simulate
from agent.engine.io import Io, Later
from agent.errors import Unavailable


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
    priced = _refusal(step, io, seen.head.timestamp) or _priced(io, step.draft)
    if not isinstance(priced, Refusal):
        return (_reserved(step, io, seen.nonce, priced),)
    if step.draft.purpose in PROTECTIVE:
        return Later(now + io.chains[step.chain].poll_seconds, priced.why)
    via = state.runs[step.run].legs[step.leg].leg.via
    return (Refused(step.run, step.leg, via, (priced,), now),)


def _refusal(step: Reserve, io: Io, chain_time: int) -> Refusal | None:
    """Why what is left of a leg must not be begun now: too late, or it does not go through."""
    if step.draft.purpose not in ACTS and not step.following:
        return None
    drafts = (step.draft, *step.following)
    limits = [draft.valid_until for draft in drafts if draft.valid_until]
    if not all(chain_time + MARGIN_SECONDS <= limit for limit in limits):
        return Refusal("G110", "the quote is too old to be signed")
    simulated = simulate(io, step.chain, drafts)
    if simulated.ok:
        return None
    reason = (simulated.reverted or (0, "no reason"))[1]
    return Refusal("S101", f"simulation failed: {reason}")


@dataclass(frozen=True, slots=True)
class _Priced:
    """One whole gas coin, and what a draft moves, in the unit of account."""

    native_price: Decimal
    value: Decimal


def _priced(io: Io, draft: Draft) -> _Priced | Refusal:
    """What the limits are charged by; a wrap moves nothing out of its asset."""
    prices = io.prices()
    native = prices.of(io.chains[draft.chain].native)
    if native is None:
        _wait_for_price(prices, io.chains[draft.chain].native)
        return Refusal("G202", "the gas coin has no price, so its fee cannot be limited")
    moves = None if draft.purpose in {"wrap", "unwrap"} else draft.moves
    if moves is None:
        return _Priced(native.high, Decimal(0))
    worth = prices.worth(moves)
    if worth is None:
        _wait_for_price(prices, moves.token)
        return Refusal("G202", f"{moves.token.symbol} has no price any more")
    return _Priced(native.high, worth)


def _wait_for_price(prices: Prices, token: Token) -> None:
    """Raise Unavailable where a price is missing only because a node is silent: that passes."""
    said = prices.refused.get(prices.asset_of.get(token, token.symbol))
    if said is not None and said.code.startswith("N"):
        raise Unavailable(said.why, fix="wait", code=said.code)


def _reserved(step: Reserve, io: Io, nonce: int, priced: _Priced) -> Reserved:
    unsigned, fee = _unsigned(step.draft, io, nonce)
    charges = Charges(priced.value, money(fee, priced.native_price))
    intent = Intent(
        id=intent_id(step.run, step.leg, step.round, step.index),
        run=step.run,
        leg=step.leg,
        round=step.round,
        index=step.index,
        draft=step.draft,
        account=io.account,
        nonce=None if unsigned is None else nonce,
        charges=charges,
        native_price=priced.native_price,
    )
    return Reserved(
        intent=intent,
        attempt=0,
        kind="first",
        unsigned=unsigned,
        charges=charges,
        at=io.clock.now(),
    )


def _unsigned(draft: Draft, io: Io, nonce: int) -> tuple[UnsignedTx | None, int]:
    """The transaction of a draft and the largest network fee of it in wei; none of a message.

    What a rollup charges for data is asked for now, and once more for each later attempt.
    """
    call = draft.payload
    if not isinstance(call, Call):
        return None, 0
    node = io.nodes[draft.chain]
    fees = offer(node.fees())
    (data,) = node.l1_fees(((call, draft.gas_limit),))
    unsigned = UnsignedTx(
        chain=draft.chain,
        sender=io.account,
        nonce=nonce,
        to=call.to,
        value=call.value,
        data=call.data,
        gas_limit=draft.gas_limit + data.most.gas,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        kind=fees.kind,
    )
    return unsigned, most(fees, draft.gas_limit, data)


def replacement(known: IntentState, wish: Replace, io: Io) -> Reserved | Later:
    """Another attempt on the same nonce, ≥ 12.5 % dearer; a cancel is a transfer to oneself.

    Returns Later when the dearer fee is above the policy's cap: then the old attempt stands.
    """
    chain = known.intent.chain
    last = known.live[-1].reserved
    if last.unsigned is None:
        raise ValueError("a typed message has no fee to replace")
    now = io.clock.now()
    kind: AttemptKind = wish.kind
    unsigned, wei = _again(last.unsigned, known.intent.draft.gas_limit, kind, io)
    fee = money(wei, known.intent.native_price)
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


def _again(last: UnsignedTx, gas_limit: int, kind: AttemptKind, io: Io) -> tuple[UnsignedTx, int]:
    """The transaction that replaces *last*, and the largest network fee of it in wei.

    *gas_limit* is for what the intent's own call executes.
    """
    node = io.nodes[last.chain]
    old = TxFees(last.max_fee_per_gas, last.max_priority_fee_per_gas, last.kind)
    fees = bump(old, node.fees())
    call = Call(last.chain, last.to, last.value, last.data)
    if kind == "cancel":
        call, gas_limit = Call(last.chain, io.account, 0, "0x"), SELF_SEND_GAS
    (data,) = node.l1_fees(((call, gas_limit),))
    unsigned = replace(
        last,
        to=call.to,
        value=call.value,
        data=call.data,
        gas_limit=gas_limit + data.most.gas,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
    )
    return unsigned, most(fees, gas_limit, data)
