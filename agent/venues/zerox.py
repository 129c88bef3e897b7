"""0x, Swap API v2 with AllowanceHolder: one spender, and Settlers that come and go by a registry.

Requests, answers and errors are those of 0x's OpenAPI document (github.com/0xProject/0x-docs); the
functions are those of AllowanceHolder and Settler (github.com/0xProject/0x-settler), whose actions
nobody decodes. Only AllowanceHolder is ever allowed to spend: a Settler obeys anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg
from agent.core.quote import Call, Quote
from agent.ports import AdapterIo, Read
from agent.provider import About, ProviderChain, ProviderOptions
from agent.venues._api import (
    EEEE,
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
from agent.wire.abi import AbiError, Function
from agent.wire.address import checksum
from agent.wire.answer import Answer
from agent.wire.calldata import by_selector

ABOUT = About(title="0x", key="required", calls=5, seconds=1)

EXECUTE = Layout(
    signature="execute((address,address,uint256),bytes[],bytes32)",
    recipient=(0, 0),
    buy=(0, 1),
    min_out=(0, 2),
    coins=frozenset({EEEE}),
    # Called by itself it sells the value that it is sent; what it pulls needs AllowanceHolder.
    paid=True,
    unread=((1,),),
    undated=True,
)
EXEC = Layout(
    signature="exec(address,address,uint256,address,bytes)",
    sell=(1,),
    amount_in=(2,),
    coins=frozenset({EEEE}),
    # Whoever may spend for the length of the call is who is called.
    equal=(((0,), (3,)),),
    passes=(3,),
    inner=(4,),
)
LAYOUTS = by_selector(EXEC, EXECUTE)

_TAKER_SUBMITTED = 2
"""The registry's number of Settlers that a wallet calls itself (0x-settler README)."""

_OWNER_OF = Function("ownerOf", ("uint256",), ("address",))
_PREV = Function("prev", ("uint128",), ("address",))

_NOS = (
    "TOKEN_NOT_SUPPORTED",
    "INSUFFICIENT_LIQUIDITY",
)
"""Names of its errors that mean that there is no way for this pair or size."""


class ZeroX:
    """Implements the Venue port over 0x's server, AllowanceHolder and Settler."""

    name = "zerox"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._io = io
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            headers=lambda: {"0x-api-key": options.key(), "0x-version": "v2"},
            is_no=lambda said: said.at("name") in _NOS or said.at("liquidityAvailable") is False,
            is_error=lambda said: said.at("liquidityAvailable") is False,
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """AllowanceHolder's function, and the one of Settler that it goes on to."""
        return LAYOUTS

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """AllowanceHolder, and the Settlers that the registry on chain knows as genuine now.

        None of them where the registry has paused them, or does not say. Raises Unavailable.
        """
        known = self._options.chains.get(chain)
        if known is None:
            return {}
        return known.pinned(known.address("allowance_holder"), *self._settlers(known))

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
        asked = {
            "chainId": str(known.chain),
            "sellToken": spelled(leg.sell.token, EEEE),
            "buyToken": spelled(leg.buy, EEEE),
            "sellAmount": str(sell_raw),
            "taker": checksum(account),
        }
        price = server.get(leg, "/swap/allowance-holder/price", asked)
        promised = offered(price, "buyAmount")
        slippage = slippage_bps(promised, least(self._options, promised, min_out))
        built = server.get(
            leg,
            "/swap/allowance-holder/quote",
            {**asked, "recipient": checksum(account), "slippageBps": str(slippage)},
        )
        holder = known.address("allowance_holder")
        self._check(built, leg, sell_raw, holder)
        amount_out = min(promised, offered(built, "buyAmount"))
        return firm(
            leg,
            self.name,
            Call(
                known.chain,
                built.address("transaction", "to"),
                sent(built, "transaction", "value"),
                built.calldata("transaction", "data"),
            ),
            sell_raw=sell_raw,
            amount_out=amount_out,
            minimum=least(self._options, amount_out, min_out),
            spender=holder,
            gas=gas_of(built, "transaction", "gas"),
            now=now,
            route=ABOUT.title,
        )

    def _check(self, built: Answer, leg: Leg, sell_raw: int, holder: Address) -> None:
        """Raise Contradicted where an answer is not about the swap that was asked for."""
        server = self._server
        told = [matches(built.address("sellToken"), leg.sell.token, EEEE)]
        told += [matches(built.address("buyToken"), leg.buy, EEEE)]
        server.matching(told, [True, True], "pair of tokens")
        server.matching(built.whole("sellAmount"), sell_raw, "amount")
        if leg.sell.token.is_native:
            return
        server.matching(built.address("transaction", "to"), holder, "contract")
        if built.at("issues", "allowance") is not None:
            spender = built.address("issues", "allowance", "spender")
            server.matching(spender, holder, "spender")

    def _settlers(self, known: ProviderChain) -> tuple[Address, ...]:
        """The Settler in use and the one before it, which the server uses a while longer."""
        registry = known.address("registry")
        calls = [Read(registry, each.encode(_TAKER_SUBMITTED)) for each in (_OWNER_OF, _PREV)]
        now, before = self._io.nodes[known.chain].read(calls)
        if now is None:
            return ()
        try:
            found = [_OWNER_OF.decode(now)[0]]
            found += [] if before is None else [_PREV.decode(before)[0]]
        except AbiError:
            return ()
        return tuple(Address(each) for each in dict.fromkeys(found) if int(each, 16))


def make(options: ProviderOptions, io: AdapterIo) -> ZeroX:
    """0x as a venue; nothing is asked yet."""
    return ZeroX(options, io)
