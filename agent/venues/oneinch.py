"""1inch, Classic Swap v6: one router on every chain, a key for its server.

Requests, answers and errors are those of the API's documentation (business.1inch.com, "Classic
Swap"); `swap` is that of AggregationRouterV6, whose executor's bytes nobody decodes. Its other
functions do not name what they buy, so the server is asked for this one alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.ports import AdapterIo
from agent.provider import About, ProviderOptions
from agent.venues._api import (
    EEEE,
    Server,
    firm,
    gas_of,
    least,
    offered,
    said_in,
    sent,
    spelled,
)
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="1inch", key="required", calls=1, seconds=1)

SWAP = Layout(
    signature="swap(address,(address,address,address,address,uint256,uint256,uint256),bytes)",
    sell=(1, 0),
    buy=(1, 1),
    recipient=(1, 3),
    amount_in=(1, 4),
    min_out=(1, 5),
    coins=frozenset({EEEE}),
    # What is sold goes to the executor that is called, and no flag allows a part of it only.
    equal=(((0,), (1, 2)),),
    zeros=((1, 6),),
    unread=((2,),),
    undated=True,
    # The server marks its calls with four bytes of its own (its recorded answers).
    tag=4,
)
LAYOUTS = by_selector(SWAP)

_NOS = ("insufficient liquidity", "no route", "cannot find route")
"""Words of its errors that mean that there is no way for this pair or size."""


class OneInch:
    """Implements the Venue port over 1inch's server and router."""

    name = "oneinch"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            headers=lambda: {"Authorization": f"Bearer {options.key()}"},
            is_no=_is_no,
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
        """A firm quote to sell exactly *sell_raw*: what it promises, then the call for it.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        server = self._server
        known = server.serving(leg, sell_raw)
        pair = {
            "src": spelled(leg.sell.token, EEEE),
            "dst": spelled(leg.buy, EEEE),
            "amount": str(sell_raw),
            "includeGas": "true",
        }
        offer = server.get(leg, f"/{known.chain}/quote", pair)
        promised = offered(offer, "dstAmount")
        built = server.get(
            leg,
            f"/{known.chain}/swap",
            {
                **pair,
                "from": checksum(account),
                "origin": checksum(account),
                "receiver": checksum(account),
                "minReturn": str(least(self._options, promised, min_out)),
                "allowPartialFill": "false",
                "disableEstimate": "true",
                "compatibility": "true",
            },
        )
        router = known.address("router")
        server.matching(built.address("tx", "to"), router, "contract")
        server.matching(built.address("tx", "from"), account, "sender")
        amount_out = min(promised, offered(built, "dstAmount"))
        return firm(
            leg,
            self.name,
            Call(known.chain, router, sent(built, "tx", "value"), built.calldata("tx", "data")),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=router,
            gas=gas_of(offer, "gas"),
            now=now,
            route=ABOUT.title,
        )


def _is_no(said: Answer) -> bool:
    return any(no in said_in(said, "description", "error") for no in _NOS)


def make(options: ProviderOptions, io: AdapterIo) -> OneInch:
    """1inch as a venue; nothing is asked yet."""
    return OneInch(options, io)
