"""CoW Protocol: orders that solvers fill in batch auctions, signed by us and never sent.

Its answers only tell what may be asked for: what is signed is an order of our own, and what was
filled is what the settlement on the chain says. The gas coin can be bought and not sold: that
would need another contract of theirs that holds it meanwhile.

Sources: crates/orderbook/openapi.yml of github.com/cowprotocol/services; GPv2Settlement.sol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.intent import SignedMessage
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.order import OrderState
from agent.core.plan import Leg
from agent.core.quote import Allowance, Quote, TypedMessage
from agent.errors import Contradicted, ProviderSilent, Rejected, Unavailable
from agent.ports import AdapterIo, Sent
from agent.provider import JSON, About, ProviderChain, ProviderOptions
from agent.venues._api import EEEE, Server, least, offered, spelled
from agent.venues._cow_fills import look
from agent.wire.order import (
    APP_DATA,
    APP_DATA_HASH,
    Order,
    order_fields,
    order_message,
    order_uid,
    read_order,
)

ABOUT = About(title="CoW Protocol", calls=5)
"""Five questions in a second: what their own SDK allows itself (cow-sdk, ORDER_BOOK limiter)."""

VALID_SECONDS = 1_500
"""So long solvers may fill an order: fifty auctions of half a minute, and soon enough over that
the run can plan again on the same day's prices."""

SIGN_SECONDS = 150
"""So long after its quote an order may still be signed: the approval before it needs a block or
two, and the minimum rests on prices of that time."""

TOO_GOOD_BPS = 11_000
"""An offer above this share of what independent prices allow at least is no offer: nobody would
fill an order at its minimum, and the other venues would have been passed over for it."""

_NO_WAY = frozenset(
    {
        *("NoLiquidity", "InsufficientLiquidity", "UnsupportedToken", "TokenTemporarilySuspended"),
        *("SellAmountDoesNotCoverFee", "TradingOutsideAllowedWindow", "SameBuyAndSellToken"),
    }
)
"""`errorType`s of a quote that speak of the pair or the size, not of us (PriceEstimationError)."""


class Cow:
    """Implements the ports Venue and OrderBook."""

    name = "cow"

    def __init__(self, options: ProviderOptions, io: AdapterIo) -> None:
        self._options = options
        self._io = io
        self._server = Server(
            name=self.name,
            about=ABOUT,
            options=options,
            http=io.http,
            is_no=lambda said: str(said.at("errorType")) in _NO_WAY,
        )

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """None: nothing is called, orders are read by `agent.wire.order`."""
        return {}

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The settlement that orders are for, and its relayer, which may spend."""
        known = self._options.chains.get(chain)
        if known is None:
            return {}
        return known.pinned(known.address("settlement"), known.address("vault_relayer"))

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """No edges: each would be a question, and the other venues tell what a market is like."""
        del chain, pairs, sizes
        return ()

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """An order of ours to sign, by what the book says that *sell_raw* brings now."""
        known = self._server.serving(leg, sell_raw)
        sold = Amount(leg.sell.token, sell_raw)
        if sold.token.is_native:
            raise self._server.no_route(leg, "sells no gas coin, so it has no way")
        out = self._offered(known, leg, sell_raw, account, now + VALID_SECONDS)
        if min_out > 1 and not (out * 10_000 <= min_out * TOO_GOOD_BPS):
            raise _contradicted("promises far more than independent prices say")
        minimum = least(self._options, out, min_out)
        order = Order(
            chain=known.chain,
            settlement=known.address("settlement"),
            sell=sold.token.address,
            buy=leg.buy.address,
            receiver=account,
            sell_amount=sell_raw,
            buy_amount=minimum,
            valid_to=now + VALID_SECONDS,
        )
        return Quote(
            via=self.name,
            sell=sold,
            buy=leg.buy,
            amount_out=out,
            min_amount_out=minimum,
            allowances=(Allowance(known.address("vault_relayer"), sold),),
            payload=order_message(order),
            expires=now + SIGN_SECONDS,
            gas=0,
            route="signed order, filled by solvers",
        )

    def _offered(
        self, known: ProviderChain, leg: Leg, sell_raw: int, account: Address, valid_to: int
    ) -> int:
        """Base units that the book would pay, what filling costs taken off; it echoes our order."""
        sell, buy = (spelled(token, EEEE) for token in (leg.sell.token, leg.buy))
        question: dict[str, JSON] = {
            "sellToken": sell,
            "buyToken": buy,
            "receiver": account,
            "from": account,
            "kind": "sell",
            "sellAmountBeforeFee": str(sell_raw),
            "validTo": valid_to,
            "appData": APP_DATA,
            "appDataHash": APP_DATA_HASH,
            "signingScheme": "eip712",
        }
        answer = self._server.post(leg, f"{_path(known)}/quote", question)
        for field, wanted in (("sellToken", sell), ("buyToken", buy), ("receiver", account)):
            self._server.matching(answer.address("quote", field), wanted.lower(), field)
        fixed = {"kind": "sell", "partiallyFillable": False, "validTo": valid_to}
        for field, value in fixed.items():
            self._server.matching(answer.at("quote", field), value, field)
        paid = answer.whole("quote", "sellAmount") + answer.whole("quote", "feeAmount")
        self._server.matching(paid, sell_raw, "amount")
        return offered(answer, "quote", "buyAmount")

    def post(self, message: TypedMessage, signed: SignedMessage) -> Sent:
        """Hand the order over; whatever goes wrong is an unknown, since the chain tells in the end.

        Its name is known before: a book that has it already has just this order.
        """
        order = read_order(message)
        body: dict[str, JSON] = {
            **order_fields(order),
            "appData": APP_DATA,
            "appDataHash": APP_DATA_HASH,
            "signingScheme": "eip712",
            "signature": signed.signature,
            "from": order.receiver,
        }
        try:
            uid = self._io.http.post(f"{self._book(order.chain)}/orders", body)
        except Rejected as refusal:
            kind = _kind(refusal)
            duplicate = kind == "DuplicatedOrder"
            return Sent(accepted=duplicate, said=kind or f"HTTP status {refusal.status}")
        except Unavailable as silence:
            return Sent(accepted=False, said=silence.message)
        if uid != order_uid(signed.digest, order.receiver, order.valid_to):
            return Sent(accepted=False, said="the book calls the order by another name")
        return Sent(accepted=True)

    def order(self, message: TypedMessage, signed: SignedMessage) -> OrderState:
        """By the settlement on the chain; the book is asked only whether it has the order at all.

        Raises Unavailable while the chain does not answer.
        """
        order = read_order(message)
        known = self._options.chains[order.chain]
        uid = order_uid(signed.digest, order.receiver, order.valid_to)
        node = self._io.nodes[order.chain]
        made = order.valid_to - VALID_SECONDS
        seen = look(node, order, uid, made=made, confirmations=known.confirmations)
        return OrderState(seen.open, seen.fills, known=not seen.open or self._has(order.chain, uid))

    def _has(self, chain: ChainId, uid: str) -> bool:
        """Whether the book may have an order: only a plain no counts as one."""
        try:
            self._io.http.get(f"{self._book(chain)}/orders/{uid}", {})
        except Rejected as refusal:
            return refusal.status != 404
        except Unavailable:
            return True
        return True

    def _book(self, chain: ChainId) -> str:
        """Where a chain's orders are; raises ProviderSilent where nobody is to be asked."""
        if not self._options.api:
            raise ProviderSilent(
                f"{ABOUT.title} is not asked here", fix="name its server in chains.toml"
            )
        return self._options.api + _path(self._options.chains[chain])


def _path(known: ProviderChain) -> str:
    return f"/{known.facts['network']}/api/v1"


def _kind(refusal: Rejected) -> str:
    """The book's own name of an error, '' where it has none that looks like one."""
    reply = refusal.reply
    kind = reply.get("errorType") if isinstance(reply, dict) else None
    return kind if isinstance(kind, str) and kind.isalnum() and len(kind) <= 60 else ""


def _contradicted(what: str) -> Contradicted:
    return Contradicted(
        f"{ABOUT.title} {what}", fix="plan again later; if it stays, tell the provider"
    )


def make(options: ProviderOptions, io: AdapterIo) -> Cow:
    """The order books of CoW Protocol as a venue."""
    return Cow(options, io)
