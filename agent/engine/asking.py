"""Edges made of offers: for pairs that no venue surveys, those who are only asked are asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise

from agent.core.fees import ENVELOPE_BYTES
from agent.core.market import Edge
from agent.core.money import ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.engine.auction import WRAP
from agent.engine.io import Io
from agent.engine.turns import in_turns
from agent.ports import Venue
from agent.wire.together import Told

PARTS = (1, 8)
"""Offers for the whole size and for an eighth of it: two points tell price and depth."""

MOST_PAIRS = 12
"""Pairs that are asked about: in twelve seconds who allows one question in each answers six."""

APPROVAL_GAS, APPROVAL_BYTES = 60_000, 190
"""Gas and bytes of the approval before a swap of a token (USDC's, measured on local chains)."""

USUAL_SECONDS = 60
"""How long such a swap usually takes, orders included: some auctions, or some blocks."""


def asked_edges(
    io: Io,
    chain: ChainId,
    pairs: Sequence[tuple[Token, Token]],
    sizes: Mapping[Token, int],
    surveying: Collection[str],
) -> tuple[Edge, ...]:
    """Edges of all venues but the *surveying* ones, for *pairs* up to *sizes*, by their offers now.

    Whoever does not answer in time, or has no way, has no edge. Raises Unavailable only for the
    chain's own node.
    """
    venues = {n: v for n, v in io.venues.items() if n != WRAP and n not in surveying}
    wanted = [both for both in pairs if sizes.get(both[0], 0) >= max(PARTS)][:MOST_PAIRS]
    if not (wanted and venues):
        return ()
    now = io.nodes[chain].block().timestamp
    legs = [(_leg(*both, sizes[both[0]] // part), part) for both in wanted for part in PARTS]
    asks = {
        ((leg.sell.token, leg.buy, part), name): partial(_quote, venue, leg, io, now)
        for leg, part in legs
        for name, venue in venues.items()
    }
    told = in_turns(asks, serial=io.serial)
    found = (
        _edge(name, sell, buy, [told[(sell, buy, part), name] for part in reversed(PARTS)])
        for sell, buy in wanted
        for name in venues
    )
    return tuple(edge for edge in found if edge is not None)


def _leg(sell: Token, buy: Token, raw: int) -> Leg:
    return Leg(
        id="1", kind="swap", via="", sell=Sell(sell, raw), buy=buy, expected_out=1, min_buy=1
    )


def _quote(venue: Venue, leg: Leg, io: Io, now: int) -> Quote:
    return venue.quote(leg, leg.sell.fixed_raw, io.account, 1, now)


def _edge(name: str, sell: Token, buy: Token, told: list[Told[Quote]]) -> Edge | None:
    """One venue's edge from its answers, smaller sizes first."""
    quotes = [each.answer for each in told if each.answer is not None]
    ladder = tuple((each.sell.raw, each.amount_out) for each in quotes)
    rising = all(less[0] < more[0] and less[1] < more[1] for less, more in pairwise(ladder))
    if not quotes or not rising or not ladder[0][1] > 0:
        return None
    last = quotes[-1]
    approved = not sell.is_native
    data = 0
    if isinstance(last.payload, Call):
        data = (len(last.payload.data) - 2) // 2 + ENVELOPE_BYTES
    return Edge(
        via=name,
        sell=sell,
        buy=buy,
        ladder=ladder,
        gas=last.gas + approved * APPROVAL_GAS,
        seconds=USUAL_SECONDS,
        data_bytes=data + approved * APPROVAL_BYTES,
        detail=last.route,
        alone=True,
    )
