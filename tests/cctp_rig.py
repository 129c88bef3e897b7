"""Two local chains with CCTP's stand-ins, its attester with its API, and a wallet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge_rigs import FAR, NEAR, STRANGER, WALLET, as_receipt, native, token

from agent.bridges.cctp import Cctp, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.providers.cctp import DOMAINS, MESSENGER, TRANSMITTER
from agent.lab.puppet import Puppet, Tx
from agent.lab.world import World
from agent.lab.worlds import Worlds, open_worlds
from agent.ports import Act, AdapterIo, Track
from agent.provider import ProviderChain, ProviderOptions
from agent.wire import erc20
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient

__all__ = ["FAR", "NEAR", "STRANGER", "WALLET", "Burning", "clean", "open_burning"]

CONFIRMATIONS = 2
RAW = 4_150 * 10**6


def provider_chain(world: World, **facts: Any) -> ProviderChain:
    chain = ChainId(world.chain_id)
    contracts = (Address(MESSENGER), Address(TRANSMITTER))
    return ProviderChain(
        chain=chain,
        native=native(chain),
        wrapped=token(world, "WETH"),
        tokens={"USDC": token(world, "USDC"), "ETH": token(world, "WETH")},
        facts={
            "domain": DOMAINS[chain],
            "token_messenger": MESSENGER,
            "message_transmitter": TRANSMITTER,
            "standard_seconds": 1_140,
            "fast_seconds": 8,
            **facts,
        },
        code_hashes={address: world.code_hashes[address] for address in contracts},
        confirmations=CONFIRMATIONS,
    )


@dataclass
class Burning:
    """Both chains, and everything that people and machines do on them."""

    worlds: Worlds
    nodes: Mapping[ChainId, RpcNode]
    bridge: Cctp

    @property
    def api(self) -> str:
        return self.worlds.provider_apis["cctp"]

    def options(self, **changes: Any) -> ProviderOptions:
        chains = {ChainId(chain): provider_chain(world) for chain, world in self.worlds.items()}
        return ProviderOptions(**{"api": self.api, "chains": chains, **changes})

    @property
    def io(self) -> AdapterIo:
        return AdapterIo(dict(self.nodes), SystemClock(), HttpClient(retries=0))

    def usdc(self, chain: ChainId) -> Token:
        return token(self.worlds[chain], "USDC")

    def leg(self, raw: int = RAW, detail: str = "standard", sell: ChainId = NEAR) -> Leg:
        buy = FAR if sell == NEAR else NEAR
        return Leg(
            id="1",
            kind="bridge",
            via="cctp",
            sell=Sell(self.usdc(sell), raw),
            buy=self.usdc(buy),
            expected_out=raw,
            min_buy=1,
            detail=detail,
        )

    def now(self, chain: ChainId = NEAR) -> int:
        return self.nodes[chain].block().timestamp

    def quote(self, leg: Leg, account: Address = WALLET) -> Quote:
        now = self.now(leg.sell.token.chain)
        return self.bridge.quote(leg, leg.sell.fixed_raw, account, 1, now)

    def puppet(self, chain: ChainId, account: str) -> Puppet:
        return Puppet(self.worlds[chain].rpc, account)

    def held(self, chain: ChainId, account: Address = WALLET) -> int:
        node = self.nodes[chain]
        usdc = self.usdc(chain)
        return node.balances(account, [usdc], node.block().number)[usdc]

    def burn(self, leg: Leg, account: Address = WALLET) -> Receipt:
        """The wallet has what it needs, and burns what its quote says."""
        chain = leg.sell.token.chain
        self.worlds[chain].fund(account, {"USDC": leg.sell.fixed_raw})
        quote = self.quote(leg, account)
        assert isinstance(quote.payload, Call)
        sender = self.puppet(chain, account)
        for granted in quote.allowances:
            call = erc20.approve(chain, leg.sell.token.address, granted.spender, granted.amount.raw)
            sender.send(Tx(to=call.to, input=call.data, what="approving"))
        (found,) = sender.send(Tx(to=quote.payload.to, input=quote.payload.data, what="burning"))
        return as_receipt(found)

    def attest(self, mode: str = "prompt") -> None:
        self.worlds.tell("cctp", "set", "mode", mode)

    def mine(self, chain: ChainId, blocks: int = CONFIRMATIONS) -> None:
        self.worlds[chain].mine(blocks)

    def track(self, leg: Leg, deposit: Receipt, bridge: Cctp | None = None) -> Track:
        tracker = bridge or self.bridge
        return tracker.track(leg, deposit, leg.sell.fixed_raw, 0, self.now())

    def claim(self, act: Track, account: str = WALLET) -> Receipt:
        """Somebody sends what the tracker asks for."""
        assert isinstance(act, Act)
        assert isinstance(act.draft.payload, Call)
        call = act.draft.payload
        sender = self.puppet(act.draft.chain, account)
        (found,) = sender.send(Tx(to=call.to, input=call.data, what="claiming"))
        return as_receipt(found)


@contextmanager
def open_burning(cache: Path) -> Iterator[Burning]:
    """Both chains, running; `clean` gives each test its own view."""
    with open_worlds(cache, chains=(NEAR, FAR), block_seconds=None) as worlds:
        nodes = {
            ChainId(chain): RpcNode(
                ChainId(chain),
                [world.url],
                genesis=world.genesis,
                multicall3=Address(world.addresses["multicall3"]),
                max_head_age_seconds=None,
                clock=SystemClock(),
                fee_model="op_stack" if world.place.kind == "op_stack" else "eip1559",
            )
            for chain, world in worlds.items()
        }
        yield Burning(worlds, nodes, bridge=None)  # type: ignore[arg-type]
        for node in nodes.values():
            node.close()


@contextmanager
def clean(burning: Burning) -> Iterator[Burning]:
    """The chains as they were, and a prompt attester; what is done to them is undone."""
    worlds = burning.worlds
    snapshot = worlds.snapshot()
    heads = [world.head()[1] for world in worlds.values()]
    worlds.set_time(max(SystemClock().now(), *heads) + 1)
    for world in worlds.values():
        world.fund(WALLET, {"ETH": 10**18})
        world.fund(STRANGER, {"ETH": 10**18})
    burning.bridge = make(burning.options(), burning.io)
    yield burning
    worlds.revert(snapshot)
    for term, value in (
        ("mode", "prompt"),
        ("standard_blocks", 3),
        ("allowance", 10_000_000),
        ("fast_bps", ""),
    ):
        worlds.tell("cctp", "set", term, value)
