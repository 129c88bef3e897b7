"""KyberSwap, Aggregator API v1: a route is offered, and sent back as it is to become a call.

Requests, answers and codes of errors are those of docs.kyberswap.com, "Aggregator API", and of
KyberNetwork's own notes for integrators (github.com/KyberNetwork/kyberswap-skills). Both functions
are those of MetaAggregationRouterV2, whose executor's bytes nobody decodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.layout import Layout, Path
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.ports import AdapterIo
from agent.provider import About, ProviderChain, ProviderOptions
from agent.venues._api import (
    EEEE,
    TTL_SECONDS,
    Server,
    firm,
    gas_of,
    least,
    matches,
    offered,
    sent,
    slippage_bps,
    spelled,
)
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="KyberSwap", calls=30, seconds=10)

_CLIENT = "rebalancer"
"""What it wants to know of whoever asks; it is no key."""

_DESCRIPTION = (
    "(address,address,address[],uint256[],address[],uint256[],"
    "address,uint256,uint256,uint256,bytes)"
)

_REFUSED_FLAGS = 0x01 | 0x02 | 0x08 | 0x10
"""A part of the amount only, more coin than the amount, and tokens of the sender's to burn
(constants of MetaAggregationRouterV2)."""

_SLIPPAGE_LIMIT_BPS = 2000
"""The most that its server takes."""


def _layout(signature: str, description: Path, unread: tuple[Path, ...]) -> Layout:
    """A function whose *description* says all that must be known of a swap."""
    return Layout(
        signature=signature,
        sell=(*description, 0),
        buy=(*description, 1),
        recipient=(*description, 6),
        amount_in=(*description, 7),
        min_out=(*description, 8),
        coins=frozenset({EEEE}),
        # Who gets fees, how much, and a permit.
        zeros=((*description, 4), (*description, 5), (*description, 10)),
        masks=(((*description, 9), _REFUSED_FLAGS, 0),),
        unread=unread,
        undated=True,
    )


SWAP = _layout(f"swap((address,address,bytes,{_DESCRIPTION},bytes))", (0, 3), ((0, 2), (0, 4)))
SIMPLE = _layout(f"swapSimpleMode(address,{_DESCRIPTION},bytes,bytes)", (1,), ((2,), (3,)))
LAYOUTS = by_selector(SWAP, SIMPLE)

_NOS = (
    4008,
    4009,
    4010,
    4011,
    4221,
    40011,
)
"""Codes of its errors that mean that there is no way for this pair or size: no route, too large, no
pools, no such token, no wrapped coin, no source that is allowed."""


class KyberSwap:
    """Implements the Venue port over KyberSwap's server and router."""

    name = "kyberswap"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            headers=lambda: {"X-Client-Id": _CLIENT},
            is_no=lambda said: said.at("code") in _NOS,
            is_error=lambda said: said.at("code") not in (0, None),
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The two functions that it may answer with."""
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
        """A firm quote to sell exactly *sell_raw*: a route, then the call for it.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        server = self._server
        known = server.serving(leg, sell_raw)
        offer = self._route(known, leg, sell_raw)
        promised = offered(offer, "data", "routeSummary", "amountOut")
        minimum = least(self._options, promised, min_out)
        built = server.post(
            leg,
            f"/{known.facts['slug']}/api/v1/route/build",
            {
                "routeSummary": offer.at("data", "routeSummary"),
                "sender": checksum(account),
                "recipient": checksum(account),
                "slippageTolerance": min(slippage_bps(promised, minimum), _SLIPPAGE_LIMIT_BPS),
                "deadline": now + TTL_SECONDS,
                "source": _CLIENT,
            },
        )
        router = known.address("router")
        server.matching(built.address("data", "routerAddress"), router, "contract")
        server.matching(built.whole("data", "amountIn"), sell_raw, "amount")
        amount_out = min(promised, offered(built, "data", "amountOut"))
        value, calldata = sent(built, "data", "transactionValue"), built.calldata("data", "data")
        return firm(
            leg,
            self.name,
            Call(known.chain, router, value, calldata),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=router,
            gas=gas_of(built, "data", "gas"),
            now=now,
            route=ABOUT.title,
        )

    def _route(self, known: ProviderChain, leg: Leg, sell_raw: int) -> Answer:
        """What its server offers, about the swap that was asked for."""
        sell, buy = leg.sell.token, leg.buy
        offer = self._server.get(
            leg,
            f"/{known.facts['slug']}/api/v1/routes",
            {
                "tokenIn": spelled(sell, EEEE),
                "tokenOut": spelled(buy, EEEE),
                "amountIn": str(sell_raw),
                "gasInclude": "true",
            },
        )
        said = ("data", "routeSummary")
        told = [matches(offer.address(*said, "tokenIn"), sell, EEEE)]
        told += [matches(offer.address(*said, "tokenOut"), buy, EEEE)]
        self._server.matching(told, [True, True], "pair of tokens")
        self._server.matching(offer.whole(*said, "amountIn"), sell_raw, "amount")
        self._server.matching(
            offer.address("data", "routerAddress"), known.address("router"), "contract"
        )
        return offer


def make(options: ProviderOptions, io: AdapterIo) -> KyberSwap:
    """KyberSwap as a venue; nothing is asked yet."""
    return KyberSwap(options, io)
