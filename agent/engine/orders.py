"""Signed orders: posted to an order book, filled by others, in parts."""

from __future__ import annotations

from agent.core.fact import Expired, Fact, Filled, Submitted
from agent.core.intent import SignedMessage
from agent.core.money import Amount
from agent.core.plan import Leg
from agent.core.quote import TypedMessage
from agent.core.state import IntentState, State
from agent.core.wording import span
from agent.engine.io import Io, Later
from agent.errors import WrongValue
from agent.ports import OrderBook


def post(known: IntentState, state: State, io: Io) -> tuple[Fact, ...]:
    """Hand a signed order to its venue; the same digest is the same order, so again is harmless."""
    message, signed = _order(known)
    sent = _book(_leg(known, state), io).post(message, signed)
    head = io.nodes[known.intent.chain].block()
    number = known.live[-1].reserved.attempt
    return (Submitted(known.intent.id, number, sent.accepted, head.number, io.clock.now()),)


def follow(
    known: IntentState, state: State, io: Io, *, wanted: bool = True
) -> tuple[Fact, ...] | Later:
    """New fills as facts; then, when none can come any more, the end of the order.

    An order that is *wanted* and that its venue says it never got is handed over again.
    """
    leg = _leg(known, state)
    message, signed = _order(known)
    book = _book(leg, io)
    now = io.clock.now()
    order = book.order(message, signed)
    seen = {fill.id for fill in known.fills}
    facts: list[Fact] = [
        Filled(
            known.intent.id,
            fill.id,
            Amount(leg.sell.token, fill.sold),
            Amount(leg.buy, fill.bought),
            now,
        )
        for fill in order.fills
        if fill.id not in seen
    ]
    if not order.open:
        facts.append(Expired(known.intent.id, now))
    if facts:
        return tuple(facts)
    later = now + io.chains[known.intent.chain].poll_seconds
    if wanted and not order.known:
        return Later(later, f"posted again: {book.post(message, signed).said or 'accepted'}")
    left = span(max(0, signed.valid_to - now))
    what = "waits to be filled" if wanted else "is left to its end"
    return Later(later, f"order {signed.digest[:10]} {what}, for at most {left} more")


def _leg(known: IntentState, state: State) -> Leg:
    return state.runs[known.intent.run].legs[known.intent.leg].leg


def _order(known: IntentState) -> tuple[TypedMessage, SignedMessage]:
    """What was to be signed, and the signature."""
    message, signed = known.intent.draft.payload, known.live[-1].signed
    if (
        signed is None
        or not isinstance(message, TypedMessage)
        or not isinstance(signed.payload, SignedMessage)
    ):
        raise ValueError(f"{known.intent.id} has no signed order")
    return message, signed.payload


def _book(leg: Leg, io: Io) -> OrderBook:
    book: object = io.venues.get(leg.via)
    if not isinstance(book, OrderBook):
        raise WrongValue(
            f"leg {leg.id} has a signed order at {leg.via}, which takes none any more",
            fix="put it back under [venues] until the run has ended",
        )
    return book
