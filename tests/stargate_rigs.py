"""Local chains with Stargate's real pools, a wallet, and those who verify and execute messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge_rigs import as_receipt, native, token

from agent.bridges.stargate import Stargate, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.puppet import Puppet, Tx
from agent.lab.worlds import Worlds
from agent.ports import AdapterIo
from agent.provider import ProviderChain, ProviderOptions
from agent.wire import erc20
from agent.wire.clock import SystemClock

NEAR, FAR, OTHER = ChainId(1), ChainId(8453), ChainId(42161)
WALLET = Address("0x" + "a11e7" * 8)
CONFIRMATIONS = 2
FEE_MODELS: Any = {"ethereum": "eip1559", "op_stack": "op_stack", "arbitrum": "arbitrum"}

ENDPOINT = Address("0x1a44076050125825900e736c501f859c50fe728c")
FACTS: dict[ChainId, dict[str, Any]] = {
    NEAR: {
        "eid": 30101,
        "endpoint": ENDPOINT,
        "messaging": "0x6d6620efa72948c5f68a3c8646d58c00d3f4a980",
        "verify_seconds": 180,
        "pools": {
            "native": "0x77b2043768d28e9c9ab44e1abfc95944bce57931",
            "USDC": "0xc026395860db2d07ee33e05fe50ed7bd583189c7",
            "USDT": "0x933597a323eb81cae705c5bc29985172fd5a3973",
        },
    },
    FAR: {
        "eid": 30184,
        "endpoint": ENDPOINT,
        "messaging": "0x5634c4a5fed09819e3c46d86a965dd9447d86e47",
        "verify_seconds": 20,
        "pools": {
            "native": "0xdc181bd607330aeebef6ea62e03e5e1fb4b6f7c7",
            "USDC": "0x27a16dc786820b16e5c9028b75b99f6f604b5d26",
        },
    },
    OTHER: {
        "eid": 30110,
        "endpoint": ENDPOINT,
        "messaging": "0x19cfce47ed54a88614648dc3f19a5980097007dd",
        "verify_seconds": 5,
        "pools": {
            "native": "0xa45b5130f36cdca45667738e2a258ab09f4a5f7f",
            "USDC": "0xe8cdf27acd73a434d661c84887215f7598e7d0d3",
            "USDT": "0xce8cca271ebc0533920c83d39f417ed6a0abb7d0",
        },
    },
}


@dataclass
class Passing:
    """All chains, and everything that people and machines do on them."""

    worlds: Worlds
    nodes: dict[ChainId, RpcNode]
    slippage_bps: int = 0
    bridge: Stargate = field(init=False)

    def __post_init__(self) -> None:
        self.bridge = make(self.options(), self.io)

    @property
    def io(self) -> AdapterIo:
        return AdapterIo(dict(self.nodes), SystemClock())

    def options(self, facts: Any = None) -> ProviderOptions:
        chains = {chain: self._chain(chain, (facts or FACTS)[chain]) for chain in self.nodes}
        return ProviderOptions(
            api="", chains=chains, max_slippage_bps=self.slippage_bps, key=lambda: ""
        )

    def _chain(self, chain: ChainId, facts: Any) -> ProviderChain:
        world = self.worlds[chain]
        tokens = {symbol: token(world, symbol) for symbol in ("USDC", "USDT", "DAI")}
        return ProviderChain(
            chain=chain,
            native=native(chain),
            wrapped=token(world, "WETH"),
            tokens={**tokens, "ETH": token(world, "WETH")},
            facts=facts,
            code_hashes={Address(each): code for each, code in world.code_hashes.items()},
            confirmations=CONFIRMATIONS,
        )

    def token(self, chain: ChainId, symbol: str) -> Token:
        return native(chain) if symbol == "ETH" else token(self.worlds[chain], symbol)

    def leg(self, symbol: str, raw: int, near: ChainId = NEAR, far: ChainId = FAR) -> Leg:
        return Leg(
            id="1",
            kind="bridge",
            via="stargate",
            sell=Sell(self.token(near, symbol), raw),
            buy=self.token(far, symbol),
            expected_out=raw,
            min_buy=1,
        )

    def now(self, chain: ChainId = NEAR) -> int:
        return self.nodes[chain].block().timestamp

    def quote(self, leg: Leg, account: Address = WALLET, least: int = 1) -> Quote:
        now = self.now(leg.sell.token.chain)
        return self.bridge.quote(leg, leg.sell.fixed_raw, account, least, now)

    def puppet(self, chain: ChainId, account: str = WALLET) -> Puppet:
        return Puppet(self.worlds[chain].rpc, account)

    def held(self, chain: ChainId, symbol: str, account: Address = WALLET) -> int:
        wanted, node = self.token(chain, symbol), self.nodes[chain]
        return node.balances(account, [wanted], node.block().number)[wanted]

    def deposit(
        self, leg: Leg, account: Address = WALLET, *, quote: Quote | None = None
    ) -> Receipt:
        """The wallet sends what its quote says, with an exact allowance before it."""
        chain = leg.sell.token.chain
        said = quote or self.quote(leg, account)
        assert isinstance(said.payload, Call)
        sender = self.puppet(chain, account)
        for granted in said.allowances:
            call = erc20.approve(chain, leg.sell.token.address, granted.spender, granted.amount.raw)
            sender.send(Tx(to=call.to, input=call.data, what="approving"))
        call = said.payload
        (found,) = sender.send(Tx(to=call.to, input=call.data, value=call.value, what="sending"))
        return as_receipt(found)

    def tell(self, *order: Any) -> None:
        self.worlds.tell("stargate", *order)

    def deliver(self) -> None:
        """Those who verify and execute have done so, deep enough to count."""
        self.worlds.jump(3)
        self.worlds.turn()
        self.worlds.mine(CONFIRMATIONS)


@contextmanager
def open_passing(worlds: Worlds) -> Iterator[Passing]:
    """A clean view of the chains; what is done to them is undone."""
    nodes = {
        ChainId(chain): RpcNode(
            ChainId(chain),
            [world.url],
            genesis=world.genesis,
            multicall3=Address(world.addresses["multicall3"]),
            max_head_age_seconds=None,
            clock=SystemClock(),
            fee_model=FEE_MODELS[world.place.kind],
        )
        for chain, world in worlds.items()
    }
    yield Passing(worlds, nodes)
    worlds.tell("stargate", "mode", "prompt")
    for node in nodes.values():
        node.close()
