"""Ethereum and Arbitrum side by side, a wallet, and what sequencer and validators do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge_rigs import as_receipt, native
from eth_account import Account as EthAccount

from agent.bridges.canonical_arbitrum import CanonicalArbitrum, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.providers._arbitrum_contracts import (
    BRIDGE,
    CHILD_GATEWAY,
    CONFIRM_PERIOD_BLOCKS,
    GATEWAY,
    INBOX,
    OUTBOX,
    RETRYABLES,
    ROUTER,
)
from agent.lab.puppet import Puppet, Tx
from agent.lab.rollups import ARB_SYS, NODE_INTERFACE
from agent.lab.world import World
from agent.lab.worlds import Worlds, open_worlds
from agent.ports import AdapterIo, Node, Track
from agent.provider import FactValue, ProviderChain, ProviderOptions
from agent.wire.clock import SystemClock
from agent.wire.erc20 import approve

NEAR, FAR = ChainId(1), ChainId(42161)
KEY = "0x" + "a4b1" * 16
WALLET = Address(str(EthAccount.from_key(KEY).address).lower())
STRANGER = Address("0x" + "57a6e" * 8)
CONFIRMATIONS = 2
ETHER = 10**18
ME = "canonical_arbitrum"
FACTS: dict[ChainId, dict[str, FactValue]] = {
    NEAR: {
        "child": FAR,
        "inbox": INBOX,
        "bridge": BRIDGE,
        "outbox": OUTBOX,
        "router": ROUTER,
        "gateways": {"WBTC": GATEWAY},
    },
    FAR: {
        "parent": NEAR,
        "arb_sys": ARB_SYS,
        "node_interface": NODE_INTERFACE,
        "retryables": RETRYABLES,
        "gateways": {"WBTC": CHILD_GATEWAY},
    },
}
PERIOD_SECONDS = CONFIRM_PERIOD_BLOCKS * 12


def provider_chain(world: World, *, confirmations: int = CONFIRMATIONS) -> ProviderChain:
    chain = ChainId(world.chain_id)
    weth = world.place.tokens["WETH"]
    wrapped = Token(chain, Address(weth.address), 18, "WETH")
    wbtc = Token(chain, Address(world.place.tokens["WBTC"].address), 8, "WBTC")
    return ProviderChain(
        chain=chain,
        native=native(chain),
        wrapped=wrapped,
        tokens={"ETH": wrapped, "WBTC": wbtc},
        facts=FACTS[chain],
        code_hashes={Address(at): code for at, code in world.code_hashes.items()},
        confirmations=confirmations,
    )


@dataclass
class Rollup:
    """Both chains, and everything that people and machines do on them."""

    worlds: Worlds
    nodes: dict[ChainId, Node]
    bridge: CanonicalArbitrum

    def options(self, **changes: Any) -> ProviderOptions:
        chains = {ChainId(c): provider_chain(world) for c, world in self.worlds.items()}
        return ProviderOptions(**{"chains": chains, **changes})

    @property
    def io(self) -> AdapterIo:
        return AdapterIo(dict(self.nodes), SystemClock())

    def made(self) -> CanonicalArbitrum:
        """The bridge as another process makes it."""
        return make(self.options(), self.io)

    def token(self, chain: ChainId, symbol: str) -> Token:
        known = self.worlds[chain].place.tokens[symbol]
        return Token(chain, Address(known.address), known.decimals, symbol)

    def leg(self, *, inward: bool, raw: int = ETHER) -> Leg:
        sold, bought = (NEAR, FAR) if inward else (FAR, NEAR)
        return Leg(
            id="1",
            kind="bridge",
            via=self.bridge.name,
            sell=Sell(native(sold), raw),
            buy=native(bought),
            expected_out=raw,
            min_buy=1,
        )

    def token_leg(self, raw: int = 10**7) -> Leg:
        sold, bought = self.token(NEAR, "WBTC"), self.token(FAR, "WBTC")
        wanted = self.leg(inward=True, raw=raw)
        return replace(wanted, sell=Sell(sold, raw), buy=bought)

    def now(self, chain: ChainId = NEAR) -> int:
        return self.nodes[chain].block().timestamp

    def quote(self, leg: Leg) -> Quote:
        now = self.now(leg.sell.token.chain)
        return self.bridge.quote(leg, leg.sell.fixed_raw, WALLET, 1, now)

    def deposit(self, leg: Leg) -> Receipt:
        """The wallet sends what its quote says."""
        quote = self.quote(leg)
        assert isinstance(quote.payload, Call)
        for each in quote.allowances:
            self.sent(approve(NEAR, each.amount.token.address, each.spender, each.amount.raw))
        return self.sent(quote.payload)

    def sent(self, call: Call, account: Address = WALLET) -> Receipt:
        sender = Puppet(self.worlds[call.chain].rpc, account)
        (found,) = sender.send(Tx(to=call.to, input=call.data, value=call.value, what="sending"))
        return as_receipt(found)

    def track(self, leg: Leg, deposit: Receipt, later: int = 0) -> Track:
        return self.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, self.now() + later)

    def held(self, chain: ChainId, account: Address = WALLET, token: Token | None = None) -> int:
        wanted, node = token or native(chain), self.nodes[chain]
        return node.balances(account, [wanted], node.block().number)[wanted]

    def turn(self) -> None:
        self.worlds.turn()
        assert "" == self.worlds.state()["fault"]

    def take_in(self) -> None:
        """The sequencer takes in what waits, deep enough to count."""
        self.worlds.jump(3)
        self.turn()
        self.worlds.mine(CONFIRMATIONS)

    def confirm(self) -> None:
        """Validators assert what was sent, the period goes by, and they confirm it."""
        self.turn()
        self.worlds[NEAR].mine(CONFIRM_PERIOD_BLOCKS)
        self.worlds.jump(PERIOD_SECONDS)
        self.turn()


@contextmanager
def open_rollup(cache: Path) -> Iterator[Rollup]:
    """Both chains, running; `clean_rollup` gives each test its own view."""
    with open_worlds(cache, chains=(NEAR, FAR), block_seconds=None) as worlds:
        nodes = {
            ChainId(chain): RpcNode(
                ChainId(chain),
                [world.url],
                genesis=world.genesis,
                multicall3=Address(world.addresses["multicall3"]),
                max_head_age_seconds=None,
                clock=SystemClock(),
                fee_model="arbitrum" if chain == FAR else "eip1559",
            )
            for chain, world in worlds.items()
        }
        rollup = Rollup(worlds, dict(nodes), bridge=None)  # type: ignore[arg-type]
        rollup.bridge = rollup.made()
        yield rollup
        for node in nodes.values():
            node.close()


@contextmanager
def clean_rollup(rollup: Rollup) -> Iterator[Rollup]:
    """The chains as they were, with a prompt sequencer; what is done to them is undone."""
    worlds = rollup.worlds
    snapshot = worlds.snapshot()
    heads = [world.head()[1] for world in worlds.values()]
    worlds.set_time(max(SystemClock().now(), *heads) + 1)
    worlds.fund(WALLET, {NEAR: {"ETH": 3 * ETHER, "WBTC": 10**8}, FAR: {"ETH": 3 * ETHER}})
    rollup.bridge = rollup.made()
    yield rollup
    worlds.revert(snapshot)
    worlds.tell(ME, "sequence", "prompt")
    worlds.tell(ME, "confirm", "prompt")
    worlds.tell(ME, "redeem", "prompt")
