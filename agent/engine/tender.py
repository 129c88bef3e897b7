"""What venues that are only asked bring for swaps of a plan, by the chain's own simulation.

A promise is no ladder: only what was simulated whole and accepted by the guard becomes an edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from agent.core.asked import Asked
from agent.core.fees import ENVELOPE_BYTES, FeeQuote
from agent.core.intent import Draft
from agent.core.market import Edge
from agent.core.money import Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.price import Prices
from agent.core.progress import Ask
from agent.core.quote import Call, Quote, Rival
from agent.core.simulated import Simulated
from agent.core.verdict import Refusal
from agent.core.wording import whole
from agent.engine.ask import Question, least_out, tried
from agent.engine.auction import Offer, Worths, ranked
from agent.engine.io import Io
from agent.engine.turns import in_turns
from agent.errors import Unavailable
from agent.ports import Venue

GAS_MONEY = 10**18
"""Base units of the gas coin that the wallet has more than it has in these simulations: what gas
the plan itself brings is no reason to refuse an offer."""

AN_ORDER = "an order, which nobody can simulate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """One swap for which *venues* are asked.

    `known` is what the best edge brings that is known, None where nobody surveys the pair. `most`
    is base units up to which more is asked about, `pools` and `seconds` are for the edge.
    """

    sell: Amount
    buy: Token
    venues: Mapping[str, Venue]
    known: Rival | None
    most: int
    pools: frozenset[str]
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    """What came of a tender: the answers, an edge of the best offer, and who was judged."""

    asked: Asked
    edge: Edge | None
    judged: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where offers are judged: `held` are base units that the wallet has."""

    io: Io
    prices: Prices
    held: Mapping[Token, int]
    fees: Mapping[ChainId, FeeQuote]

    def worths(self, chain: ChainId) -> Worths:
        """What fees of *chain* are worth."""
        return Worths(self.io.chains[chain].native, self.fees[chain], self.prices)

    def gas_worth(self, wei: int, buy: Token) -> int:
        """Base units of *buy* that *wei* of its chain's gas coin are worth."""
        coin = Amount(self.io.chains[buy.chain].native, wei)
        return self.prices.fair(coin, buy) or 0

    def floor(self, sell: Amount, buy: Token) -> int | None:
        """The least that may come out; None where prices do not say it."""
        return least_out(_leg(sell, buy), sell, self.prices, self._impact)

    @property
    def _impact(self) -> int:
        return self.io.policy.limits.max_price_impact_bps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What an offer did in the simulation."""

    offer: Offer
    quote: Quote
    out: int
    gas: int
    data_bytes: int
    net: int

    @property
    def rival(self) -> Rival:
        """The answer with the simulation's figures."""
        why = ""
        if self.out < self.quote.amount_out:
            promised, came = (Amount(self.quote.buy, r) for r in (self.quote.amount_out, self.out))
            why = f"it promises {whole(promised)}, the simulation brings {whole(came)}"
        return Rival(via=self.offer.via, answer="offered", out=self.out, net=self.net, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What was said to a tender, what of it was judged, and the best that is true."""

    tender: Tender
    offers: tuple[Offer, ...]
    said: Mapping[str, Rival]
    judged: frozenset[str]
    best: _Measured | None

    @property
    def deeper(self) -> Tender | None:
        """The best one asked for more, where there may be more; None where there is none."""
        most = min(self.tender.most, 2 * self.tender.sell.raw)
        if self.best is None or not most > self.tender.sell.raw:
            return None
        via = self.best.offer.via
        return replace(
            self.tender,
            sell=Amount(self.tender.sell.token, most),
            venues={via: self.tender.venues[via]},
            known=None,
        )

    def bids(self, number: int, more: Sequence[_Measured]) -> Bids:
        """The answers, and an edge through what was measured, of which there may be *more*."""
        rivals = [self.said.get(offer.via) or _unjudged(offer) for offer in self.offers]
        return Bids(
            asked=Asked(
                round=number,
                sell=self.tender.sell,
                buy=self.tender.buy,
                known=self.tender.known,
                rivals=tuple(sorted(rivals, key=_place)),
                measured="" if self.best is None else self.best.offer.via,
            ),
            edge=None if self.best is None else _edge(self.tender, [self.best, *more]),
            judged=self.judged,
        )


def invite(desk: Desk, tenders: Sequence[Tender], number: int) -> tuple[Bids, ...]:
    """Ask all of *tenders* side by side, and judge what is better than what is known, best first.

    Whose offer is the best that is true is asked about more as well, where there may be more: two
    points tell price and depth. *number* is the round. Raises Unavailable for a chain's own node.
    """
    chains = dict.fromkeys(each.sell.token.chain for each in tenders)
    times = {chain: desk.io.nodes[chain].block().timestamp for chain in chains}
    first = _trials(desk, tenders, times)
    places = [place for place, trial in enumerate(first) if trial.deeper is not None]
    further = [deeper for trial in first if (deeper := trial.deeper) is not None]
    second = dict(zip(places, _trials(desk, further, times), strict=True))
    found = []
    for place, trial in enumerate(first):
        again = second[place].best if place in second else None
        found.append(trial.bids(number, [] if again is None else [again]))
    return tuple(found)


def _trials(
    desk: Desk, tenders: Sequence[Tender], times: Mapping[ChainId, int]
) -> tuple[_Trial, ...]:
    """Ask, then judge one after the other."""
    asked = [_question(desk, each, times[each.sell.token.chain]) for each in tenders]
    heard = _heard(desk, tenders, asked)
    return tuple(
        _trial(desk, tender, question, offers)
        for tender, question, offers in zip(tenders, asked, heard, strict=True)
    )


def _leg(sell: Amount, buy: Token) -> Leg:
    return Leg(
        id="1",
        kind="swap",
        via="",
        sell=Sell(sell.token, sell.raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )


def _question(desk: Desk, tender: Tender, chain_time: int) -> Question:
    """What offers are judged by: the wallet is given what it has not yet, and gas money."""
    sell, io = tender.sell, desk.io
    coin = io.chains[sell.token.chain].native
    wanted = {sell.token: sell.raw, coin: GAS_MONEY}
    return Question(
        step=Ask("plan", "1", 1, sell.raw, sell.token.chain),
        leg=_leg(sell, tender.buy),
        prices=desk.prices,
        floor=desk.floor(sell, tender.buy) or 1,
        chain_time=chain_time,
        given={
            token: raw - held
            for token, raw in wanted.items()
            if (held := desk.held.get(token, 0)) < raw
        },
    )


def _heard(
    desk: Desk, tenders: Sequence[Tender], asked: Sequence[Question]
) -> list[tuple[Offer, ...]]:
    """What all venues say to all questions, under one deadline."""
    asks = {
        (place, name): partial(
            venue.quote,
            question.leg,
            question.step.sell_raw,
            desk.io.account,
            question.floor,
            question.chain_time,
        )
        for place, (tender, question) in enumerate(zip(tenders, asked, strict=True))
        for name, venue in tender.venues.items()
    }
    told = in_turns(asks, serial=desk.io.serial)
    return [
        ranked(
            tender.venues,
            {name: told[place, name] for name in tender.venues},
            desk.worths(tender.buy.chain),
        )
        for place, tender in enumerate(tenders)
    ]


def _trial(desk: Desk, tender: Tender, question: Question, offers: tuple[Offer, ...]) -> _Trial:
    """Judge offers that are calls and promise more than the best that is known or true so far."""
    least = 0 if tender.known is None else tender.known.net
    said: dict[str, Rival] = {}
    judged: set[str] = set()
    best: _Measured | None = None
    for offer in offers:
        quote = offer.quote
        if quote is None or not isinstance(quote.payload, Call) or not offer.net > least:
            continue
        verdict = _verdict(desk, question, offer, quote)
        if isinstance(verdict, Unavailable):
            said[offer.via] = replace(offer.rival, why=f"not simulated: {verdict.message}")
            continue
        judged.add(offer.via)
        if not isinstance(verdict, _Measured):
            said[offer.via] = offer.refused(verdict)
            continue
        said[offer.via] = verdict.rival
        if verdict.net > least:
            best, least = verdict, verdict.net
    return _Trial(tender=tender, offers=offers, said=said, judged=frozenset(judged), best=best)


def _verdict(
    desk: Desk, question: Question, offer: Offer, quote: Quote
) -> _Measured | tuple[Refusal, ...] | Unavailable:
    """What an offer brings, what the guard has against it, or why that cannot be found out.

    Others were asked and judged since the question: chain and clock are compared as they are now.
    """
    node = desk.io.nodes[question.step.chain]
    try:
        now = replace(question, chain_time=node.block().timestamp)
        accepted, simulated = tried(now, offer, quote, desk.io)
    except Unavailable as fault:
        return fault
    if isinstance(accepted, tuple):
        return accepted
    return _measured(desk, offer, quote, simulated, accepted.drafts)


def _measured(
    desk: Desk, offer: Offer, quote: Quote, simulated: Simulated, drafts: Sequence[Draft]
) -> _Measured:
    gas = sum(simulated.gas_used)
    calls = [draft.payload for draft in drafts if isinstance(draft.payload, Call)]
    data_bytes = sum((len(call.data) - 2) // 2 + ENVELOPE_BYTES for call in calls)
    out = min(quote.amount_out, simulated.deltas.get(quote.buy, 0))
    fees = desk.fees[quote.buy.chain]
    wei = fees.expected(gas, data_bytes) + quote.fee
    return _Measured(
        offer=offer,
        quote=quote,
        out=out,
        gas=gas,
        data_bytes=data_bytes,
        net=out - desk.gas_worth(wei, quote.buy),
    )


def _unjudged(offer: Offer) -> Rival:
    """An answer that nobody had to judge, or that cannot be judged."""
    if offer.quote is None or isinstance(offer.quote.payload, Call):
        return offer.rival
    return replace(offer.rival, why=AN_ORDER)


def _place(rival: Rival) -> tuple[bool, int]:
    """Offers before all else, the best first."""
    return rival.answer != "offered", -rival.net


def _edge(tender: Tender, points: Sequence[_Measured]) -> Edge:
    """An edge through what was measured; a second point that brings no more is left out."""
    kept = list(points[:1])
    for less, more in pairwise(points):
        if more.out > less.out:
            kept.append(more)
    return Edge(
        via=kept[0].offer.via,
        sell=tender.sell.token,
        buy=tender.buy,
        ladder=tuple((each.quote.sell.raw, each.out) for each in kept),
        gas=max(each.gas for each in kept),
        seconds=tender.seconds,
        pools=tender.pools,
        detail=kept[0].quote.route,
        data_bytes=max(each.data_bytes for each in kept),
        fee=max(each.quote.fee for each in kept),
        alone=True,
    )
