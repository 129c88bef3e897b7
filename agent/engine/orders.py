"""Signed orders: posted to an order book, filled by others, in parts."""

from __future__ import annotations

from agent.core.fact import Expired, Fact, Filled, Submitted
from agent.core.intent import SignedMessage
from agent.core.money import Amount
from agent.core.plan import Leg
from agent.core.state import IntentState, State
from agent.engine.io import Io, Later
from agent.errors import WrongValue
from agent.ports import OrderBook


def post(known: IntentState, state: State, io: Io) -> tuple[Fact, ...]:
    """Hand a signed order to its venue; the same digest is the same order, so again is harmless."""
    leg, message, book = _parts(known, state, io)
    sent = book.post(leg, message)
    head = io.nodes[known.intent.chain].block()
    number = known.live[-1].reserved.attempt
    return (Submitted(known.intent.id, number, sent.accepted, head.number, io.clock.now()),)


def follow(known: IntentState, state: State, io: Io) -> tuple[Fact, ...] | Later:
    """New fills as facts; then, when none can come any more, the end of the order."""
    leg, message, book = _parts(known, state, io)
    now = io.clock.now()
    order = book.order(leg, message)
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
    wait = io.chains[known.intent.chain].poll_seconds
    return Later(now + wait, f"order {message.digest[:10]} waits to be filled")


def _parts(known: IntentState, state: State, io: Io) -> tuple[Leg, SignedMessage, OrderBook]:
    leg = state.runs[known.intent.run].legs[known.intent.leg].leg
    signed = known.live[-1].signed
    book: object = io.venues.get(leg.via)
    if signed is None or not isinstance(signed.payload, SignedMessage):
        raise ValueError(f"{known.intent.id} has no signed order")
    if not isinstance(book, OrderBook):
        raise WrongValue(
            f"leg {leg.id} has a signed order at {leg.via}, which takes none any more",
            fix="put it back under [venues] until the run has ended",
        )
    return leg, signed.payload, book
