"""Local chains with LI.FI's diamond over Across's real pools, its server, and a relayer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge_rigs import FAR, NEAR, WALLET, as_receipt, native, token

from agent.bridges.lifi import LiFi, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.providers.lifi import DIAMOND
from agent.lab.puppet import Puppet, Tx
from agent.lab.worlds import Worlds
from agent.ports import AdapterIo, Track
from agent.provider import ProviderChain, ProviderOptions
from agent.wire import erc20
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.pace import ProviderHttp

CONFIRMATIONS = 2


@dataclass
class Ferry:
    """Both chains, and everything that people and machines do on them."""

    worlds: Worlds
    nodes: dict[ChainId, RpcNode]
    bridge: LiFi = field(init=False)

    def __post_init__(self) -> None:
        self.bridge = make(self.options(f"{self.worlds.desk_url}/providers/lifi/v1"), self.io)

    @property
    def io(self) -> AdapterIo:
        return AdapterIo(
            dict(self.nodes), SystemClock(), ProviderHttp(HttpClient(retries=0), bucket=None)
        )

    def options(self, api: str, key: str = "") -> ProviderOptions:
        chains = {chain: self._chain(chain) for chain in self.nodes}
        return ProviderOptions(api=api, chains=chains, key=lambda: key)

    def _chain(self, chain: ChainId) -> ProviderChain:
        world = self.worlds[chain]
        tokens = {symbol: token(world, symbol) for symbol in ("USDC", "USDT", "DAI")}
        return ProviderChain(
            chain=chain,
            native=native(chain),
            wrapped=token(world, "WETH"),
            tokens={**tokens, "ETH": token(world, "WETH")},
            facts={"diamond": DIAMOND, "spoke_pool": world.place.spoke_pool},
            code_hashes={Address(each): code for each, code in world.code_hashes.items()},
            confirmations=CONFIRMATIONS,
        )

    def token(self, chain: ChainId, symbol: str) -> Token:
        return native(chain) if symbol == "ETH" else token(self.worlds[chain], symbol)

    def leg(self, raw: int, symbol: str = "USDC") -> Leg:
        return Leg(
            id="1",
            kind="bridge",
            via="lifi",
            sell=Sell(self.token(NEAR, symbol), raw),
            buy=self.token(FAR, symbol),
            expected_out=raw,
            min_buy=1,
        )

    def now(self, chain: ChainId = NEAR) -> int:
        return self.nodes[chain].block().timestamp

    def quote(self, leg: Leg) -> Quote:
        return self.bridge.quote(leg, leg.sell.fixed_raw, WALLET, 1, self.now())

    def track(self, leg: Leg, deposit: Receipt) -> Track:
        return self.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, self.now())

    def held(self, wanted: Token) -> int:
        node = self.nodes[wanted.chain]
        return node.balances(WALLET, [wanted], node.block().number)[wanted]

    def deposit(self, leg: Leg) -> Receipt:
        """The wallet deposits what its quote says, with an exact allowance before it."""
        self.worlds.relay("never")
        self.worlds[NEAR].fund(WALLET, {"ETH": 10**18, leg.sell.token.symbol: leg.sell.fixed_raw})
        quote = self.quote(leg)
        assert isinstance(quote.payload, Call)
        sender = Puppet(self.worlds[NEAR].rpc, WALLET)
        for granted in quote.allowances:
            call = erc20.approve(NEAR, leg.sell.token.address, granted.spender, granted.amount.raw)
            sender.send(Tx(to=call.to, input=call.data, what="approving"))
        call = quote.payload
        (found,) = sender.send(Tx(to=call.to, input=call.data, value=call.value, what="depositing"))
        return as_receipt(found)

    def deliver(self) -> None:
        """A relayer has delivered, deep enough to count."""
        self.worlds.relay("prompt")
        self.worlds.jump(10)
        self.worlds.turn()
        self.worlds.mine(CONFIRMATIONS)

    def pay_back(self) -> None:
        """Nobody delivered in time, and the money came back, deep enough to count."""
        self.worlds.jump(7_300)
        self.worlds.turn()
        self.worlds.mine(CONFIRMATIONS)

    def tell(self, *order: Any) -> None:
        self.worlds.tell("lifi", *order)


@contextmanager
def open_ferry(worlds: Worlds) -> Iterator[Ferry]:
    """A clean view of the chains; what is done to them is undone."""
    nodes = {
        ChainId(chain): RpcNode(
            ChainId(chain),
            [worlds[chain].url],
            genesis=worlds[chain].genesis,
            multicall3=Address(worlds[chain].addresses["multicall3"]),
            max_head_age_seconds=None,
            clock=SystemClock(),
        )
        for chain in (NEAR, FAR)
    }
    yield Ferry(worlds, nodes)
    worlds.relay("prompt")
    for node in nodes.values():
        node.close()
