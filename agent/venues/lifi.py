"""LI.FI, API v1, for swaps on one chain: one question, one contract on every chain.

Requests, answers and errors are those of docs.li.fi and of the types in @lifi/types; the functions
are those of GenericSwapFacetV3, whose inner calls nobody decodes. Its fixed fee is in what it
promises already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from agent.core.layout import Layout, Path
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

ABOUT = About(title="LI.FI", key="optional", calls=200, seconds=7_200)

_INTEGRATOR = "rebalancer"
"""What it wants to know of whoever asks."""

_BPS = 10_000

_SWAP = "(address,address,address,address,uint256,bytes,bool)"

_SINGLE, _FIRST, _LAST = (5,), (5, 0), (5, -1)
"""The swap of a call with one, and the first and last of a call with several."""


def _layout(name: str, first: Path, last: Path, unread: Path) -> Layout:
    """A function that sells what its first swap sends and buys what its last one receives.

    Where the name says that the gas coin is sold or bought it must say so there, too: the contract
    goes by the function.
    """
    several = "[]" if first != last else ""
    zeros = [(*first, 2)] if "NativeTo" in name else []
    zeros += [(*last, 3)] if name.endswith("ToNative") else []
    return Layout(
        signature=f"{name}(bytes32,string,string,address,uint256,{_SWAP}{several})",
        recipient=(3,),
        min_out=(4,),
        sell=(*first, 2),
        buy=(*last, 3),
        amount_in=(*first, 4),
        coins=frozenset({ZERO}),
        zeros=tuple(zeros),
        unread=(unread,),
        undated=True,
    )


_WAYS = ("ERC20ToERC20", "ERC20ToNative", "NativeToERC20")

LAYOUTS = by_selector(
    *(_layout(f"swapTokensSingleV3{way}", _SINGLE, _SINGLE, (5, 5)) for way in _WAYS),
    *(_layout(f"swapTokensMultipleV3{way}", _FIRST, _LAST, (5,)) for way in _WAYS),
)

_NOS = (
    1002,
    1003,
)
"""Codes of its errors that mean that there is no way for this pair or size: no quote, not found."""

_BUSY = 1005
"""The code of its error that says to ask less."""


class LiFi:
    """Implements the Venue port over LI.FI's server and diamond."""

    name = "lifi"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            headers=lambda: {"x-lifi-api-key": options.key()} if options.key() else {},
            is_no=lambda said: said.at("code") in _NOS,
            is_busy=lambda said: said.at("code") == _BUSY,
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The six functions for swaps that it may answer with."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The diamond, both called and spending."""
        known = self._options.chains.get(chain)
        return {} if known is None else known.pinned(known.address("diamond"))

    def survey(
        self,
        chain: ChainId,  # noqa: ARG002
        pairs: Sequence[tuple[Token, Token]],  # noqa: ARG002
        sizes: Mapping[Token, int],  # noqa: ARG002
    ) -> tuple[Edge, ...]:
        """Nothing: its server is asked about legs of a plan only."""
        return ()

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote to sell exactly *sell_raw*.

        Raises NoRoute, Contradicted, Rejected and ProviderSilent.
        """
        known = self._server.serving(leg, sell_raw)
        step = bounded(
            self._options,
            min_out,
            lambda slippage: self._step(known, leg, sell_raw, account, slippage),
            lambda answer: offered(answer, "estimate", "toAmount"),
        )
        amount_out = offered(step, "estimate", "toAmount")
        diamond = known.address("diamond")
        told = ("transactionRequest", "value"), ("transactionRequest", "data")
        return firm(
            leg,
            self.name,
            Call(known.chain, diamond, sent(step, *told[0]), step.calldata(*told[1])),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=diamond,
            gas=gas_of(step, "estimate", "gasCosts", 0, "estimate"),
            now=now,
            route=ABOUT.title,
        )

    def _step(
        self, known: ProviderChain, leg: Leg, sell_raw: int, account: Address, slippage_bps: int
    ) -> Answer:
        """What its server offers, about the swap that was asked for."""
        sell, buy = leg.sell.token, leg.buy
        step = self._server.get(
            leg,
            "/quote",
            {
                "fromChain": str(known.chain),
                "toChain": str(known.chain),
                "fromToken": spelled(sell, ZERO),
                "toToken": spelled(buy, ZERO),
                "fromAmount": str(sell_raw),
                "fromAddress": checksum(account),
                "toAddress": checksum(account),
                "slippage": f"{Decimal(slippage_bps) / _BPS:f}",
                "integrator": _INTEGRATOR,
                # It would simulate with an allowance that is granted only after the guard agrees.
                "skipSimulation": "true",
            },
        )
        server, diamond = self._server, known.address("diamond")
        told = [matches(step.address("action", "fromToken", "address"), sell, ZERO)]
        told += [matches(step.address("action", "toToken", "address"), buy, ZERO)]
        server.matching(told, [True, True], "pair of tokens")
        server.matching(step.whole("action", "fromAmount"), sell_raw, "amount")
        server.matching(step.address("transactionRequest", "to"), diamond, "contract")
        server.matching(step.whole("transactionRequest", "chainId"), known.chain, "chain")
        if not sell.is_native:
            server.matching(step.address("estimate", "approvalAddress"), diamond, "spender")
        return step


def make(options: ProviderOptions, io: AdapterIo) -> LiFi:
    """LI.FI as a venue for swaps; nothing is asked yet."""
    return LiFi(options, io)
