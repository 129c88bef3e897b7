"""Venues on paper: swaps at a rate, wraps, and an order book that fills in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from agent.core.intent import SignedMessage
from agent.core.layout import Layout
from agent.core.market import Edge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.order import OrderFill, OrderState
from agent.core.plan import Leg
from agent.core.quote import Allowance, Quote, TypedMessage
from agent.errors import NoRoute
from agent.ports import Sent
from agent.sim.contracts import DEPOSIT, WITHDRAW, arguments, call
from agent.sim.ledger import Ledger, Revert
from agent.wire.calldata import by_selector
from agent.wire.order import Order, order_message, read_order

SWAP = Layout(
    signature="swap(address,uint256,address,uint256,address,uint256)",
    sell=(0,),
    amount_in=(1,),
    buy=(2,),
    min_out=(3,),
    recipient=(4,),
    deadline=(5,),
)
QUOTE_SECONDS = 120
"""How long a firm quote on paper holds."""


class PaperVenue:
    """Swaps at fixed rates out of its own inventory; `rates` is keyed by (sell, buy) address.

    A rate is base units out per base unit in. `indicated` may promise other rates than are
    paid, for tests of the guard.
    """

    def __init__(self, name: str, address: Address, slippage_bps: int = 50) -> None:
        self.name = name
        self.address = address
        self.rates: dict[tuple[Address, Address], Fraction] = {}
        self.recipient: Address | None = None
        self.slippage_bps = slippage_bps

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The one function of its contract."""
        return by_selector(SWAP)

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """Its contract, not pinned, on every chain."""
        return {self.address: ""} if chain else {}

    def out(self, sell: Token, buy: Token, raw: int) -> int:
        """Base units that *raw* would bring; raises NoRoute."""
        rate = self.rates.get((sell.address, buy.address))
        if rate is None:
            raise NoRoute(f"{self.name} has no way from {sell.symbol} to {buy.symbol}", fix="none")
        return int(raw * rate)

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """One straight ladder per pair that has a rate."""
        return tuple(
            Edge(
                self.name, sell, buy, ((sizes[sell], self.out(sell, buy, sizes[sell])),), 50_000, 12
            )
            for sell, buy in pairs
            if sell.chain == chain and (sell.address, buy.address) in self.rates and sizes[sell]
        )

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A firm quote with the better of *min_out* and its own slippage as minimum."""
        sell, buy = leg.sell.token, leg.buy
        out = self.out(sell, buy, sell_raw)
        least = max(min_out, out * (10_000 - self.slippage_bps) // 10_000)
        expires = now + QUOTE_SECONDS
        to = self.recipient or account
        values = (sell.address, sell_raw, buy.address, least, to, expires)
        return Quote(
            via=self.name,
            sell=Amount(sell, sell_raw),
            buy=buy,
            amount_out=out,
            min_amount_out=least,
            allowances=(Allowance(self.address, Amount(sell, sell_raw)),),
            payload=call(sell.chain, self.address, SWAP, values),
            expires=expires,
            gas=50_000,
        )

    def __call__(self, ledger: Ledger, sender: Address, _value: int, data: str, time: int) -> None:
        """Its contract: takes by allowance, pays from inventory, or reverts."""
        sell, raw, buy, least, to, deadline = arguments(SWAP, data)
        out = int(raw * self.rates[Address(sell), Address(buy)])
        if time > deadline:
            raise Revert("deadline passed")
        if out < least:
            raise Revert("too little received")
        ledger.spend(Address(sell), sender, self.address, raw)
        ledger.move(Address(buy), self.address, Address(to), out)


class PaperWrap:
    """The venue of wraps: one to one, no allowance."""

    name = "wrap"

    def __init__(self, wrappers: Mapping[ChainId, Address]) -> None:
        self._wrappers = wrappers

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """Both functions of a wrapper."""
        return by_selector(DEPOSIT, WITHDRAW)

    def targets(self, chain: ChainId) -> Mapping[Address, str]:
        """The chain's wrapper, where it has one."""
        return {self._wrappers[chain]: ""} if chain in self._wrappers else {}

    def survey(
        self, chain: ChainId, pairs: Sequence[tuple[Token, Token]], sizes: Mapping[Token, int]
    ) -> tuple[Edge, ...]:
        """One to one, both ways."""
        return tuple(
            Edge(self.name, sell, buy, ((sizes[sell], sizes[sell]),), 50_000, 12)
            for sell, buy in pairs
            if sell.chain == chain and {sell.is_native, buy.is_native} == {True, False}
        )

    def quote(self, leg: Leg, sell_raw: int, _account: Address, _min_out: int, now: int) -> Quote:
        """Deposit or withdraw exactly *sell_raw*."""
        chain = leg.sell.token.chain
        wrapper = self._wrappers[chain]
        if leg.kind == "wrap":
            payload = call(chain, wrapper, DEPOSIT, (), sell_raw)
        else:
            payload = call(chain, wrapper, WITHDRAW, (sell_raw,))
        return Quote(
            via=self.name,
            sell=Amount(leg.sell.token, sell_raw),
            buy=leg.buy,
            amount_out=sell_raw,
            min_amount_out=sell_raw,
            allowances=(),
            payload=payload,
            expires=now + QUOTE_SECONDS,
            gas=50_000,
        )


@dataclass(slots=True)
class PaperOrder:
    """An order in the book: what is asked, and what was filled."""

    sell_raw: int
    out_raw: int
    valid_to: int
    fills: list[OrderFill] = field(default_factory=list)


class PaperOrderBook(PaperVenue):
    """Takes signed orders; a test fills them in parts by `fill`."""

    def __init__(self, name: str, address: Address, slippage_bps: int = 50) -> None:
        super().__init__(name, address, slippage_bps)
        self.book: dict[str, PaperOrder] = {}
        self.posts = 0
        self.deaf = False
        self.time = 0

    def quote(self, leg: Leg, sell_raw: int, account: Address, min_out: int, now: int) -> Quote:
        """A quote whose payload is an order to sign."""
        firm = super().quote(leg, sell_raw, account, min_out, now)
        message = order_message(
            Order(
                chain=leg.sell.token.chain,
                settlement=self.address,
                sell=leg.sell.token.address,
                buy=leg.buy.address,
                receiver=self.recipient or account,
                sell_amount=sell_raw,
                buy_amount=firm.min_amount_out,
                valid_to=firm.expires,
            )
        )
        return Quote(
            via=firm.via,
            sell=firm.sell,
            buy=firm.buy,
            amount_out=firm.amount_out,
            min_amount_out=firm.min_amount_out,
            allowances=firm.allowances,
            payload=message,
            expires=firm.expires,
            gas=0,
        )

    def post(self, message: TypedMessage, signed: SignedMessage) -> Sent:
        """The same digest is the same order; one that is `deaf` gets none."""
        self.posts += 1
        if self.deaf:
            return Sent(accepted=False, said="try later")
        asked = read_order(message)
        raw = asked.sell_amount
        order = PaperOrder(raw, int(raw * self.rates[asked.sell, asked.buy]), asked.valid_to)
        self.book.setdefault(signed.digest, order)
        return Sent(accepted=True)

    def order(self, _message: TypedMessage, signed: SignedMessage) -> OrderState:
        """Open until everything is sold or its time is over, also when it was never posted."""
        order = self.book.get(signed.digest)
        if order is None:
            return OrderState(self.time <= signed.valid_to, (), known=False)
        sold = sum(fill.sold for fill in order.fills)
        is_open = sold < order.sell_raw and self.time <= order.valid_to
        return OrderState(is_open, tuple(order.fills))

    def fill(self, ledger: Ledger, leg: Leg, owner: Address, percent: int) -> None:
        """A solver executes part of the only order: takes by allowance, pays from inventory."""
        (order,) = self.book.values()
        sold, bought = order.sell_raw * percent // 100, order.out_raw * percent // 100
        ledger.spend(leg.sell.token.address, owner, self.address, sold)
        ledger.move(leg.buy.address, self.address, owner, bought)
        order.fills.append(OrderFill(str(len(order.fills)), sold, bought))
