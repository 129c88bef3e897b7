"""Venues as rehearsals see them: a signed order is filled by others, and so by nobody there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Quote
from agent.errors import NoRoute
from agent.ports import OrderBook, Venue


def rehearsable(venues: Mapping[str, Venue]) -> dict[str, Venue]:
    """The same venues, those that take orders with nothing to offer."""
    return {
        name: Unrehearsed(venue) if isinstance(venue, OrderBook) else venue
        for name, venue in venues.items()
    }


class Unrehearsed:
    """The port `Venue` over one whose offers cannot be rehearsed."""

    def __init__(self, inner: Venue) -> None:
        self.name = inner.name
        self._inner = inner

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Field maps of its calls by selector."""
        return self._inner.layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Addresses that its calls go to or that may spend."""
        return self._inner.targets(chain)

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges."""
        return self._inner.survey(chain, pairs, sizes)

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """Raise NoRoute: in a run the order would be posted, and somebody would fill it."""
        del leg, sell_raw, account, min_out, now
        raise NoRoute(
            f"an order at {self.name} is filled by others, so it cannot be rehearsed",
            fix="use another venue beside it",
        )
