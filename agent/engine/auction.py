"""All venues are asked side by side for one leg, and ranked by what is left after gas and fees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from agent.core.fees import ENVELOPE_BYTES, FeeQuote
from agent.core.money import Amount, Token
from agent.core.plan import Leg
from agent.core.price import Prices
from agent.core.quote import Answered, Call, Quote, Rival
from agent.core.verdict import Refusal
from agent.engine.io import Io
from agent.errors import (
    Contradicted,
    NoRoute,
    ProviderSilent,
    RateLimited,
    Rejected,
    Unavailable,
)
from agent.ports import Bridge, Venue
from agent.wire.together import Told, alone, together

WRAP = "wrap"
"""The venue that exchanges the gas coin and its wrapper, and nothing else."""

SECONDS = 12.0
"""Time for all venues together: a server has ten seconds of its own, and who is later would hold
up everybody."""

NO_OFFER = (NoRoute, Contradicted, ProviderSilent, Rejected)
"""What a place says when it has no offer to make: the leg is refused, and the run plans again a
bounded number of times. Any other silence is a node's, and is waited for."""

_ANSWERS: Mapping[str, Answered] = {
    NoRoute.code: "none",
    RateLimited.code: "limited",
    Contradicted.code: "refused",
    Rejected.code: "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One venue's answer: a `quote`, or the `fault` that stands in its place.

    `net` is base units of the token bought, less what gas and fee are worth; `ms` how long it took.
    """

    via: str
    place: Venue | Bridge
    quote: Quote | None
    fault: Unavailable | None
    net: int
    ms: int

    @property
    def rival(self) -> Rival:
        """The answer as it is written down beside the one that won."""
        if self.quote is not None:
            return Rival(via=self.via, answer="offered", out=self.quote.amount_out, net=self.net)
        no = self.refusal
        answer = _ANSWERS.get(no.code, "down")
        return Rival(via=self.via, answer=answer, code=no.code, why=no.why)

    @property
    def refusal(self) -> Refusal:
        """Why there is no offer."""
        if self.fault is None:
            return Refusal(ProviderSilent.code, f"{self.via} did not answer within {SECONDS:.0f} s")
        return Refusal(self.fault.code, self.fault.message)

    def refused(self, refusals: tuple[Refusal, ...]) -> Rival:
        """The same offer after the guard has said no."""
        no = refusals[0]
        return replace(self.rival, answer="refused", code=no.code, why=no.why)


def places(leg: Leg, io: Io) -> dict[str, Venue | Bridge]:
    """Whoever may do *leg*, the one that was planned first: all venues where it is a swap."""
    planned: Venue | Bridge | None = io.venues.get(leg.via) or io.bridges.get(leg.via)
    found: dict[str, Venue | Bridge] = {} if planned is None else {leg.via: planned}
    if leg.kind == "swap":
        found |= {name: venue for name, venue in io.venues.items() if name not in {WRAP, *found}}
    return found


def offers(
    leg: Leg, sell_raw: int, io: Io, *, floor: int, now: int, prices: Prices
) -> tuple[Offer, ...]:
    """The answers of all `places`, the best offer first and those without an offer last.

    *floor* is the least base units that may come out, *now* the chain's time. Offers that are worth
    the same keep their order, so the planned one goes before its equals.
    """
    asked = places(leg, io)
    asks = {
        name: partial(place.quote, leg, sell_raw, io.account, floor, now)
        for name, place in asked.items()
    }
    if len(asks) == 1 or io.serial:
        told = {name: alone(ask) for name, ask in asks.items()}
    else:
        told = together(asks, seconds=SECONDS)
    fees = io.nodes[leg.sell.token.chain].fees()
    return ranked(asked, told, Worths(io.chains[leg.sell.token.chain].native, fees, prices))


@dataclass(frozen=True, slots=True)
class Worths:
    """What fees are worth: the gas coin that they are paid in, what it charges, and prices."""

    coin: Token
    fees: FeeQuote
    prices: Prices


def ranked(
    asked: Mapping[str, Venue | Bridge], told: Mapping[str, Told[Quote]], worths: Worths
) -> tuple[Offer, ...]:
    """The answers of those who were *asked*, the best offer first, equals in their order."""
    found = [
        Offer(
            via=name,
            place=asked[name],
            quote=each.answer,
            fault=_fault(each),
            net=0
            if each.answer is None
            else net_out(each.answer, worths.coin, worths.fees, worths.prices),
            ms=each.ms,
        )
        for name, each in told.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.quote is None, -each.net)))


def _fault(told: Told[Quote]) -> Unavailable | None:
    """What a place raised; anything but its silence is a fault of ours and ends the run."""
    if told.fault is not None and not isinstance(told.fault, Unavailable):
        raise told.fault
    return told.fault


def net_out(quote: Quote, coin: Token, fees: FeeQuote, prices: Prices) -> int:
    """What comes out less the worth of the network fee and of a message fee, in base units.

    An order costs whoever executes it, and what it promises cannot be simulated: it is credited
    with no more than independent prices say. Where the gas coin has no price nothing is taken off:
    then the guard refuses every transaction anyway.
    """
    if not isinstance(quote.payload, Call):
        fair = prices.fair(quote.sell, quote.buy)
        return quote.amount_out if fair is None else min(quote.amount_out, fair)
    calldata_bytes = (len(quote.payload.data) - 2) // 2
    wei = quote.fee + fees.expected(quote.gas, calldata_bytes + ENVELOPE_BYTES)
    spent = prices.fair(Amount(coin, wei), quote.buy)
    return quote.amount_out - (spent or 0)
