"""OpenOcean, Swap API v4: an offer, then the call for it; it says no with HTTP status 200.

Requests, answers and errors are those of apis.openocean.finance, "Swap API v4"; `swap` is that of
OpenOceanExchange, whose caller's calls nobody decodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

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
    matches,
    offered,
    said_in,
    sent,
    slippage_bps,
    spelled,
)
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="OpenOcean", calls=1, seconds=1)
"""Its documentation says two questions in a second; its server was seen to ban who asked so."""

_FLAGS = 2**256 - 1 - 2
"""All but one must not be set: that the exchange itself takes what is sold (OpenOceanExchange)."""

_LEAST_SLIPPAGE_BPS = 5
"""The least that its server takes."""

SWAP = Layout(
    signature=(
        "swap(address,(address,address,address,address,uint256,uint256,uint256,uint256,address,"
        "bytes),(uint256,uint256,uint256,bytes)[])"
    ),
    sell=(1, 0),
    buy=(1, 1),
    recipient=(1, 3),
    amount_in=(1, 4),
    min_out=(1, 5),
    coins=frozenset({EEEE}),
    # What is above the guaranteed amount others may keep, so that is no less than the minimum.
    ordered=(((1, 5), (1, 6)),),
    masks=(((1, 7), _FLAGS, 0),),
    # A permit.
    zeros=((1, 9),),
    unread=((2,),),
    undated=True,
)
LAYOUTS = by_selector(SWAP)

_NOS = ("liquidity", "no route", "not find")
"""Words of its errors that mean that there is no way for this pair or size."""


class OpenOcean:
    """Implements the Venue port over OpenOcean's server and exchange."""

    name = "openocean"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._io = io
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            is_no=_is_no,
            is_busy=lambda said: said.at("code") == 429,
            is_error=lambda said: said.at("code") not in (200, None),
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function that it answers with."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The exchange, both called and spending."""
        known = self._options.chains.get(chain)
        return {} if known is None else known.pinned(known.address("exchange"))

    def survey(
        self,
        chain: ChainId,  # noqa: ARG002
        pairs: Sequence[tuple[Token, Token]],  # noqa: ARG002
        sizes: Mapping[Token, int],  # noqa: ARG002
    ) -> tuple[Edge, ...]:
        """Nothing: its server is asked about legs of a plan only."""
        return ()

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw*: an offer, then the call for it.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        server = self._server
        known = server.serving(leg, sell_raw)
        pair = {
            "inTokenAddress": spelled(leg.sell.token, EEEE),
            "outTokenAddress": spelled(leg.buy, EEEE),
            # Base units and wei: the names without "Decimals" would be whole tokens and gwei.
            "amountDecimals": str(sell_raw),
            "gasPriceDecimals": str(self._gas_price(known.chain)),
        }
        offer = server.get(leg, f"/{known.chain}/quote", pair)
        self._check(offer, leg, sell_raw)
        promised = offered(offer, "data", "outAmount")
        slippage = slippage_bps(promised, least(self._options, promised, min_out))
        built = server.get(
            leg,
            f"/{known.chain}/swap",
            {
                **pair,
                "slippage": str(Decimal(max(slippage, _LEAST_SLIPPAGE_BPS)) / 100),
                "account": checksum(account),
            },
        )
        self._check(built, leg, sell_raw)
        exchange = known.address("exchange")
        server.matching(built.address("data", "to"), exchange, "contract")
        server.matching(built.address("data", "from"), account, "sender")
        server.matching(built.whole("data", "chainId"), known.chain, "chain")
        amount_out = min(promised, offered(built, "data", "outAmount"))
        value, calldata = sent(built, "data", "value"), built.calldata("data", "data")
        return firm(
            leg,
            self.name,
            Call(known.chain, exchange, value, calldata),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=exchange,
            gas=gas_of(built, "data", "estimatedGas"),
            now=now,
            route=ABOUT.title,
        )

    def _gas_price(self, chain: ChainId) -> int:
        """Wei per gas now: its server chooses routes by it."""
        fees = self._io.nodes[chain].fees()
        return max(1, fees.base_fee_per_gas + fees.priority_fee_per_gas)

    def _check(self, answer: Answer, leg: Leg, sell_raw: int) -> None:
        """Raise Contradicted where an answer is not about the swap that was asked for."""
        told = [matches(answer.address("data", "inToken", "address"), leg.sell.token, EEEE)]
        told += [matches(answer.address("data", "outToken", "address"), leg.buy, EEEE)]
        self._server.matching(told, [True, True], "pair of tokens")
        self._server.matching(answer.whole("data", "inAmount"), sell_raw, "amount")


def _is_no(said: Answer) -> bool:
    return any(no in said_in(said, "error", "message") for no in _NOS)


def make(options: ProviderOptions, io: AdapterIo) -> OpenOcean:
    """OpenOcean as a venue; nothing is asked yet."""
    return OpenOcean(options, io)
