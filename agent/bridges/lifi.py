"""LI.FI between chains, by the one of its ways whose bytes say all of it: a deposit with Across.

Its diamond takes the money and deposits it; who delivers it, and what becomes of it if nobody does,
is Across's own. Its other ways, and its swaps before a deposit, name no minimum or call contracts
of others, and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from agent.bridges._lifi_offers import LAYOUTS, TITLE, OfferServer
from agent.bridges._routes import ChainOptions, Route, route
from agent.bridges._tracking import USUAL_SECONDS, Tracker
from agent.core.intent import Receipt
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Allowance, Call, Quote
from agent.errors import NoRoute, Unavailable
from agent.ports import AdapterIo, Delivery, Track, Transfer
from agent.provider import About, ProviderChain, ProviderOptions

ABOUT = About(title=TITLE, key="optional", calls=200, seconds=7_200)

DEPOSIT_GAS = 160_000
"""Gas of the first deposit of USDC through the diamond: 139 300 measured on local chains, whose
stand-in looks for no facet and keeps no guard against coming back."""

APPROVAL_GAS = 55_600
"""Gas of the exact approval before it (USDC's)."""

DEPOSIT_BYTES, APPROVAL_BYTES = 1_030, 190
"""Bytes of the two signed transactions: 900 and 68 of calldata, the rest are the fields of an
EIP-1559 transaction and its signature."""

QUOTE_SECONDS = 300
"""A deposit that is not mined by then is taken back: time for the approval before it. The pools
take a quote for an hour."""

LADDER_STEPS = 8
"""Points of a ladder, each twice the one before, as for venues."""

SOMEBODY = Address("0x" + "00" * 18 + "dead")
"""Who asks when nothing is to be signed: a survey knows no account."""

_ASKED_AT_ONCE = 4


class LiFi:
    """Implements the Bridge port over LI.FI's server, its diamond, and Across's pools."""

    name = "lifi"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._io = io
        serving = {
            chain: known for chain, known in options.chains.items() if "spoke_pool" in known.facts
        }
        self._diamonds = {chain: known.address("diamond") for chain, known in serving.items()}
        self._chains = {chain: _pools(known) for chain, known in serving.items()}
        self._tracker = Tracker(self._chains, io.nodes, self.name)
        self._server = OfferServer(
            http=io.http, api=options.api, diamonds=self._diamonds, key=options.key
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function that it calls."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's diamond, both called and spending, where Across has a pool too."""
        if chain not in self._chains:
            return {}
        return self._options.chains[chain].pinned(self._diamonds[chain])

    def survey(
        self, routes: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """Ladders of those *routes* that it offers; one question for each."""
        found = [self._route(sell, buy) for sell, buy in routes]
        known = [each for each in found if each is not None and sizes.get(each.sell, 0) > 0]
        if not known:
            return ()
        with ThreadPoolExecutor(min(_ASKED_AT_ONCE, len(known)), self.name) as pool:
            edges = list(pool.map(lambda each: self._edge(each, sizes[each.sell]), known))
        return tuple(edge for edge in edges if edge is not None)

    def _route(self, sell: Token, buy: Token) -> Route | None:
        """The way between two tokens; the gas coin goes by Across itself, without this detour."""
        if sell.is_native or not self._options.api:
            return None
        return route(self._chains, sell, buy)

    def _edge(self, found: Route, size: int) -> Edge | None:
        """The ladder by the offer for all of it.

        Nobody tells which part of the fee a smaller amount is spared: none, so that no point is
        better than the truth.
        """
        try:
            offer = self._server.offer(found, size, SOMEBODY)
        except Unavailable:
            return None
        fee = found.converted(size) - offer.out
        ladder: list[tuple[int, int]] = []
        for step in range(LADDER_STEPS - 1, -1, -1):
            raw = size >> step
            out = found.converted(raw) - fee
            if out > 0 and (not ladder or raw > ladder[-1][0]):
                ladder.append((raw, out))
        return Edge(
            via=self.name,
            sell=found.sell,
            buy=found.buy,
            ladder=tuple(ladder),
            gas=DEPOSIT_GAS + APPROVAL_GAS,
            seconds=max(offer.seconds, USUAL_SECONDS),
            data_bytes=DEPOSIT_BYTES + APPROVAL_BYTES,
        )

    def quote(
        self,
        leg: Leg,
        sell_raw: int,
        account: Address,
        min_out: int,  # noqa: ARG002  what relayers want is the offer; the guard compares it
        now: int,
    ) -> Quote:
        """Exactly *sell_raw* for what its server offers, or all of it back.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        found = self._route(leg.sell.token, leg.buy)
        if found is None or not sell_raw > 0:
            pair = f"{leg.sell.token.symbol} to {leg.buy.symbol} on chain {leg.buy.chain}"
            raise NoRoute(f"{TITLE} is not asked for this pair: {pair}", fix="use another bridge")
        offer = self._server.offer(found, sell_raw, account)
        diamond, sold = self._diamonds[found.sell.chain], Amount(found.sell, sell_raw)
        return Quote(
            via=self.name,
            sell=sold,
            buy=found.buy,
            amount_out=offer.out,
            min_amount_out=offer.least,
            allowances=(Allowance(diamond, sold),),
            payload=Call(found.sell.chain, diamond, 0, offer.payload),
            expires=now + QUOTE_SECONDS,
            gas=DEPOSIT_GAS,
            route=f"{TITLE} by Across",
        )

    def track(self, leg: Leg, deposit: Receipt, sold_raw: int, claims: int, now: int) -> Track:  # noqa: ARG002  nothing of Across is claimed
        """Where the money of a mined deposit is, by both chains' logs and balances."""
        return self._tracker.track(leg, deposit, sold_raw, now)

    def find(self, account: Address, since: Mapping[ChainId, int]) -> tuple[Transfer, ...]:
        """Deposits of *account* through the diamond that were neither delivered nor paid back."""
        return tuple(
            each for each in self._tracker.find(account, since) if self._is_by_diamond(each)
        )

    def _is_by_diamond(self, transfer: Transfer) -> bool:
        """Whether the diamond noted something in the deposit's transaction."""
        chain = transfer.sold.token.chain
        logs = self._io.nodes[chain].logs_of(transfer.deposit)
        return any(log.address == self._diamonds[chain] for log in logs)

    def rehearse(self, leg: Leg, deposit: Receipt, account: Address) -> Delivery | None:
        """What a relayer would send on the far chain; None once it is delivered."""
        return self._tracker.rehearse(leg, deposit, account)


def _pools(known: ProviderChain) -> ChainOptions:
    """What Across is on a chain, as its own adapter would be told."""
    pool = known.address("spoke_pool")
    return ChainOptions(
        spoke_pool=pool,
        native=known.native,
        wrapped=known.wrapped,
        tokens=known.tokens,
        confirmations=known.confirmations,
        code_hash=known.code_hashes.get(pool, ""),
    )


def make(options: ProviderOptions, io: AdapterIo) -> LiFi:
    """LI.FI as a bridge; nothing is asked yet."""
    return LiFi(options, io)
