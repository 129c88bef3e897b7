"""Velora (once ParaSwap), Market API v6.2: a price is offered, and sent back to become a call.

Requests, answers and errors are those of developers.velora.xyz, "Market API"; the function is that
of AugustusV6, whose executor's bytes nobody decodes. Its functions for single kinds of pools do not
all name what they buy, so the server is asked for this one alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.ports import AdapterIo
from agent.provider import JSON, About, ProviderChain, ProviderOptions
from agent.venues._api import (
    EEEE,
    ZERO,
    Server,
    firm,
    gas_of,
    least,
    matches,
    offered,
    said_in,
    sent,
    spelled,
)
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="Velora", calls=40, seconds=60)

_PARTNER = "rebalancer"
"""Whoever asks without a name of its own pays a fee (its documentation, "partner")."""

_VERSION = "6.2"

_METHOD = "swapExactAmountIn"

_FEES = (1 << 96) - 1 - (1 << 90) - (1 << 92) - (1 << 93)
"""What must not be set below the partner's address: a fee, a share of the surplus, a referral, or
what nobody knows. Three flags take nothing: surplus for the user, no more than one per cent of it
for others, no look at a list (AugustusFees, bits 90, 92 and 93)."""

SWAP = Layout(
    signature=(
        "swapExactAmountIn(address,(address,address,uint256,uint256,uint256,bytes32,address),"
        "uint256,bytes,bytes)"
    ),
    sell=(1, 0),
    buy=(1, 1),
    amount_in=(1, 2),
    min_out=(1, 3),
    recipient=(1, 6),
    stands=MappingProxyType({ZERO: "sender"}),
    coins=frozenset({EEEE}),
    # Of what is above the quoted amount others may keep a part, so it is no less than the minimum.
    ordered=(((1, 3), (1, 4)),),
    masks=(((2,), _FEES, 0),),
    zeros=((3,),),
    unread=((4,),),
    undated=True,
)
LAYOUTS = by_selector(SWAP)

_NOS = (
    "no routes found",
    "not enough liquidity",
    "estimated_loss_greater_than_max_impact",
    "bad usd price",
    "token not found",
)
"""Words of its errors that mean that there is no way for this pair or size."""


class Velora:
    """Implements the Venue port over Velora's server and Augustus."""

    name = "velora"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._server = Server(
            name=self.name, about=ABOUT, options=options, http=io.http, is_no=_is_no
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function that it is asked for."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Augustus, both called and spending."""
        known = self._options.chains.get(chain)
        return {} if known is None else known.pinned(known.address("augustus"))

    def survey(
        self,
        chain: ChainId,  # noqa: ARG002
        pairs: Sequence[tuple[Token, Token]],  # noqa: ARG002
        sizes: Mapping[Token, int],  # noqa: ARG002
    ) -> tuple[Edge, ...]:
        """Nothing: its server is asked about legs of a plan only."""
        return ()

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw*: a price, then the call for it.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        server = self._server
        known = server.serving(leg, sell_raw)
        offer = self._price(known, leg, sell_raw, account)
        amount_out = offered(offer, "priceRoute", "destAmount")
        minimum = least(self._options, amount_out, min_out)
        built = server.post(
            leg,
            # It would simulate with an allowance that is granted only once the guard has agreed.
            f"/transactions/{known.chain}?ignoreChecks=true&ignoreGasEstimate=true",
            {
                **_pair(leg),
                "srcAmount": str(sell_raw),
                "destAmount": str(minimum),
                "priceRoute": offer.at("priceRoute"),
                "userAddress": checksum(account),
                "receiver": checksum(account),
                "partner": _PARTNER,
                "takeSurplus": False,
            },
        )
        augustus = known.address("augustus")
        server.matching(built.address("to"), augustus, "contract")
        server.matching(built.address("from"), account, "sender")
        server.matching(built.whole("chainId"), known.chain, "chain")
        return firm(
            leg,
            self.name,
            Call(known.chain, augustus, sent(built, "value"), built.calldata("data")),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=minimum,
            spender=augustus,
            gas=gas_of(offer, "priceRoute", "gasCost"),
            now=now,
            route=ABOUT.title,
        )

    def _price(self, known: ProviderChain, leg: Leg, sell_raw: int, account: Address) -> Answer:
        """What its server offers, about the swap that was asked for."""
        offer = self._server.get(
            leg,
            "/prices",
            {
                **{name: str(said) for name, said in _pair(leg).items()},
                "amount": str(sell_raw),
                "side": "SELL",
                "network": str(known.chain),
                "version": _VERSION,
                "userAddress": checksum(account),
                "receiver": checksum(account),
                "partner": _PARTNER,
                "includeContractMethods": _METHOD,
                # Orders of makers cannot be built without its own checks (its documentation).
                "excludeDEXS": "ParaSwapPool,ParaSwapLimitOrders",
            },
        )
        server, said = self._server, "priceRoute"
        told = [matches(offer.address(said, "srcToken"), leg.sell.token, EEEE)]
        told += [matches(offer.address(said, "destToken"), leg.buy, EEEE)]
        server.matching(told, [True, True], "pair of tokens")
        server.matching(offer.whole(said, "network"), known.chain, "chain")
        server.matching(offer.whole(said, "srcAmount"), sell_raw, "amount")
        augustus = known.address("augustus")
        server.matching(offer.address(said, "contractAddress"), augustus, "contract")
        server.matching(offer.address(said, "tokenTransferProxy"), augustus, "spender")
        return offer


def _pair(leg: Leg) -> dict[str, JSON]:
    return {
        "srcToken": spelled(leg.sell.token, EEEE),
        "srcDecimals": leg.sell.token.decimals,
        "destToken": spelled(leg.buy, EEEE),
        "destDecimals": leg.buy.decimals,
    }


def _is_no(said: Answer) -> bool:
    return any(no in said_in(said, "error") for no in _NOS)


def make(options: ProviderOptions, io: AdapterIo) -> Velora:
    """Velora as a venue; nothing is asked yet."""
    return Velora(options, io)
