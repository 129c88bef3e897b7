"""Wallets that pay real fees on every chain of the local world, and what was expected of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from chain.rollups import OnRollup
from conformance.nodes import native

from agent.chain.node import RpcNode
from agent.core.fees import L1Fee
from agent.core.market import Edge
from agent.core.money import Address, Bps, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.world import World
from agent.ports import AdapterIo
from agent.venues import router, wrap
from agent.wire import erc20
from agent.wire.clock import SystemClock

SIMULATION_GAS = 1_500_000
NEAR_BYTES = 12
"""Signed transactions differ by a few bytes: leading zeros of numbers and of signatures."""

TIERS = ((100, 1), (500, 10), (3000, 60), (10_000, 200))


@dataclass(frozen=True, slots=True)
class Sent:
    """One transaction: its gas and fee as charged, and in wei as expected when it was reserved."""

    purpose: str
    gas: int
    charged: int
    reserved: int
    l1: L1Fee
    data_bytes: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One leg: its transactions, and what the plan expected of all of them."""

    name: str
    edge: Edge
    planned: int
    sent: tuple[Sent, ...]

    @property
    def charged(self) -> int:
        return sum(each.charged for each in self.sent)

    @property
    def reserved(self) -> int:
        return sum(each.reserved for each in self.sent)


class Payer(OnRollup):
    """A wallet with a real key, the built-in venues, and one leg after the other."""

    def __init__(self, world: World, node: RpcNode | None = None) -> None:
        super().__init__(world, node)
        place = world.place
        io = AdapterIo({self.chain: self.node}, SystemClock())
        self._io = io
        self._exchanges = place.exchanges
        self.wrap = wrap.make(wrap.Options({self.chain: (Address(place.weth), "")}), io)

    def router(
        self, tiers: Sequence[tuple[int, int]], hubs: Sequence[str], *, v2: bool
    ) -> router.Router:
        place, found = self.world.place, self._exchanges
        options = router.ChainOptions(
            v2_factory=Address(found.v2_factory if v2 else "0x" + "fa" * 20),
            v3_factory=Address(found.v3_factory),
            swap_router=Address(found.swap_router02),
            wrapped=Address(place.weth),
            hubs=tuple(Address(place.tokens[symbol].address) for symbol in hubs),
            fee_tiers=tuple(tiers),
        )
        return router.make(
            router.Options(chains={self.chain: options}, max_slippage_bps=Bps(50)), self._io
        )

    def token(self, symbol: str) -> Token:
        if symbol == "ETH":
            return native(self.chain)
        found = self.world.place.tokens[symbol]
        return Token(self.chain, Address(found.address), found.decimals, symbol)

    def move(
        self, name: str, venue: router.Router | wrap.Wrap, sell: str, buy: str, usd: int
    ) -> Moved:
        """Sell so much worth by one leg, as the engine does: approve exactly, then act."""
        sold, bought = self.token(sell), self.token(buy)
        priced = self.world.place.tokens["WETH" if sell == "ETH" else sell]
        raw = priced.raw(Decimal(usd))
        self.world.fund(self.account, {sell: raw})
        (edge,) = venue.survey(self.chain, [(sold, bought)], {sold: raw})
        self._next_block()
        planned = self.node.fees().expected(edge.gas, edge.data_bytes)
        leg = Leg(id="1", kind="swap", via=venue.name, sell=Sell(sold, raw), buy=bought,
                  expected_out=1, min_buy=1)  # fmt: skip
        quote = venue.quote(leg, raw, self.account, 1, self.world.head()[1])
        brings = raw if bought.is_native else 0
        sent = tuple(self._send(purpose, call, brings) for purpose, call in self._calls(quote))
        assert abs(edge.data_bytes - sum(each.data_bytes for each in sent)) <= NEAR_BYTES
        return Moved(name, edge, planned, sent)

    def _calls(self, quote: Quote) -> Iterator[tuple[str, Call]]:
        for right in quote.allowances:
            token = right.amount.token
            yield (
                "approve",
                erc20.approve(self.chain, token.address, right.spender, right.amount.raw),
            )
        assert isinstance(quote.payload, Call)
        yield "act", quote.payload

    def _next_block(self) -> None:
        """At the chain's usual base fee, and twelve seconds after the last block.

        Pools write down one price for each second, which costs gas.
        """
        rpc, place = self.world.rpc, self.world.place
        rpc.call("evm_setNextBlockTimestamp", self.world.head()[1] + 12)
        rpc.call("anvil_setNextBlockBaseFeePerGas", hex(place.base_fee))

    def _send(self, purpose: str, call: Call, brings: int) -> Sent:
        self._next_block()
        done = self.node.simulate(self.account, [(call, SIMULATION_GAS)], [self.coin], [])
        assert done.ok, done.reverted
        (gas,) = done.gas_used
        quote = self.node.fees()
        (l1,) = self.node.l1_fees([(call, gas)])
        reserved = quote.expected(gas + l1.gas, 0) + l1.wei
        nonce = self.node.sight(self.account, ()).nonce
        signed = self.sign(call, nonce, tip=quote.priority_fee_per_gas, gas=SIMULATION_GAS)
        assert self.node.send(signed.raw).accepted
        (receipt,) = self.node.sight(self.account, [signed.hash]).receipts
        while receipt is None:
            (receipt,) = self.node.sight(self.account, [signed.hash]).receipts
        assert receipt.ok
        at = receipt.block_number
        assert receipt.fee == self.balance(at - 1) - self.balance(at) - call.value + brings
        return Sent(purpose, receipt.gas_used, receipt.fee, reserved, l1, len(signed.raw) // 2 - 1)
