"""A bridge on forks: what relayers would pay out is paid out before anybody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Quote
from agent.errors import SetupFailed
from agent.ports import Bridge, Delivered, Delivery, Gone, Track, Transfer

Deliver = Callable[[ChainId, Delivery], None]
"""Sends a delivery on the fork of a chain; raises SetupFailed."""


class DeliveredBridge:
    """The port `Bridge` over another one; *payer* is the account that delivers."""

    def __init__(self, inner: Bridge, payer: Address, deliver: Deliver) -> None:
        self.name = inner.name
        self._inner = inner
        self._payer = payer
        self._deliver = deliver
        self._brought: dict[str, Amount] = {}

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Field maps of its calls by selector."""
        return self._inner.layouts

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Addresses that its calls go to or that may spend."""
        return self._inner.targets(chain)

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Indicative edges."""
        return self._inner.survey(routes, sizes)

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote, or raise `Unavailable`."""
        return self._inner.quote(leg, sell_raw, account, min_out, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Transfers that have not arrived."""
        return self._inner.find(account, since)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What delivers a deposit."""
        return self._inner.rehearse(leg, deposit, account)

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:
        """Where the money is, delivered first; gone when the fork does not let it be delivered."""
        if deposit.hash in self._brought:
            return Delivered(self._brought[deposit.hash])
        missing = self._inner.rehearse(leg, deposit, self._payer)
        if missing is not None:
            try:
                self._deliver(leg.buy.chain, missing)
            except SetupFailed as fault:
                return Gone(f"its arrival could not be rehearsed: {fault.message}")
            if missing.brings is not None:
                # The contracts do not know of it, so they are not asked either.
                self._brought[deposit.hash] = missing.brings
                return Delivered(missing.brings)
        return self._inner.track(leg, deposit, sold_raw, claims, now)
