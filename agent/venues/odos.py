"""Odos, Smart Order Routing v3: a path is offered for a minute, and assembled by its number.

Requests and answers are those of docs.odos.xyz, "Quote" and "Assemble", numbers of errors those of
its page "Error codes"; `swap` is that of OdosRouterV3, whose executor's bytes nobody decodes. Its
compact form is packed in Odos' own way, so the server is asked for this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.ports import AdapterIo
from agent.provider import About, ProviderChain, ProviderOptions
from agent.venues._api import (
    ZERO,
    Server,
    bounded,
    firm,
    gas_of,
    least,
    matches,
    offered,
    sent,
    spelled,
)
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="Odos", key="optional", calls=2, seconds=1)

SWAP = Layout(
    signature=(
        "swap((address,uint256,address,address,uint256,uint256,address),bytes,address,"
        "(uint64,uint64,address))"
    ),
    sell=(0, 0),
    amount_in=(0, 1),
    buy=(0, 3),
    min_out=(0, 5),
    recipient=(0, 6),
    stands=MappingProxyType({ZERO: "sender"}),
    coins=frozenset({ZERO}),
    # The router keeps what is above the quoted amount, so that is no less than the minimum.
    ordered=(((0, 5), (0, 4)),),
    # A fee, and whom it goes to.
    zeros=((3, 1), (3, 2)),
    unread=((1,),),
    undated=True,
)
LAYOUTS = by_selector(SWAP)

_NOS = (2000,)
"""Numbers of its errors that mean that there is no way for this pair or size: no viable path."""


class Odos:
    """Implements the Venue port over Odos' server and router."""

    name = "odos"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            headers=lambda: {"x-api-key": options.key()} if options.key() else {},
            is_no=lambda said: said.at("errorCode") in _NOS,
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function that it is asked for."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The router, both called and spending."""
        known = self._options.chains.get(chain)
        return {} if known is None else known.pinned(known.address("router"))

    def survey(
        self,
        chain: ChainId,  # noqa: ARG002
        pairs: Sequence[tuple[Token, Token]],  # noqa: ARG002
        sizes: Mapping[Token, int],  # noqa: ARG002
    ) -> tuple[Edge, ...]:
        """Nothing: its server is asked about legs of a plan only."""
        return ()

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw*: a path, then the call for it.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        server = self._server
        known = server.serving(leg, sell_raw)
        path = bounded(
            self._options,
            min_out,
            lambda slippage: self._path(known, leg, sell_raw, account, slippage),
            lambda answer: offered(answer, "outAmounts", 0),
        )
        built = server.post(
            leg,
            "/sor/assemble",
            {
                "userAddr": checksum(account),
                "pathId": path.text("pathId"),
                "receiver": checksum(account),
                "simulate": False,
            },
        )
        router = known.address("router")
        server.matching(built.address("transaction", "to"), router, "contract")
        server.matching(built.address("transaction", "from"), account, "sender")
        server.matching(built.whole("transaction", "chainId"), known.chain, "chain")
        told = offered(built, "outputTokens", 0, "amount")
        amount_out = min(offered(path, "outAmounts", 0), told)
        value, calldata = sent(built, "transaction", "value"), built.calldata("transaction", "data")
        return firm(
            leg,
            self.name,
            Call(known.chain, router, value, calldata),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=router,
            gas=gas_of(built, "gasEstimate"),
            now=now,
            route=ABOUT.title,
        )

    def _path(
        self, known: ProviderChain, leg: Leg, sell_raw: int, account: Address, slippage_bps: int
    ) -> Answer:
        """What its server offers, about the swap that was asked for."""
        sell, buy = leg.sell.token, leg.buy
        path = self._server.post(
            leg,
            "/sor/quote/v3",
            {
                "chainId": known.chain,
                "inputTokens": [{"tokenAddress": spelled(sell, ZERO), "amount": str(sell_raw)}],
                "outputTokens": [{"tokenAddress": spelled(buy, ZERO), "proportion": 1}],
                "userAddr": checksum(account),
                "slippageLimitPercent": Decimal(slippage_bps) / 100,
                "compact": False,
            },
        )
        told = [matches(path.address("inTokens", 0), sell, ZERO)]
        told += [matches(path.address("outTokens", 0), buy, ZERO)]
        self._server.matching(told, [True, True], "pair of tokens")
        self._server.matching(path.whole("inAmounts", 0), sell_raw, "amount")
        return path


def make(options: ProviderOptions, io: AdapterIo) -> Odos:
    """Odos as a venue; nothing is asked yet."""
    return Odos(options, io)
