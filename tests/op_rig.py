"""Ethereum and Base of the local world with the OP stack's bridge between them, and a wallet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge_rigs import CONFIRMATIONS, FAR, NEAR, WALLET, as_receipt, native, token

from agent.bridges.canonical_op import CanonicalOp, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.providers import _op_contracts as there
from agent.lab.worlds import Worlds, open_worlds
from agent.ports import Act, AdapterIo, Delivered, Node, Track
from agent.provider import ProviderChain, ProviderOptions
from agent.wire.clock import SystemClock

ETHER = 10**18
NAME = "canonical_op"
PARENT, ROLLUP = NEAR, FAR
PLENTY = 2_000_000
"""Gas for whatever is sent without a limit of its own."""

FACTS: Mapping[ChainId, Mapping[str, Any]] = {
    PARENT: {
        "base": {
            "rollup": int(ROLLUP),
            "bridge": there.L1_BRIDGE,
            "messenger": there.L1_MESSENGER,
            "portal": there.PORTAL,
        },
        "unknown": {"rollup": 424_242, "bridge": "", "messenger": "", "portal": ""},
        "kind": "ethereum",
    },
    ROLLUP: {
        "bridge": there.L2_BRIDGE,
        "messenger": there.L2_MESSENGER,
        "passer": there.MESSAGE_PASSER,
    },
}


@dataclass
class Stack:
    """Both chains, and everything that people and machines do on them."""

    worlds: Worlds
    nodes: dict[ChainId, Node]
    bridge: CanonicalOp = field(init=False)
    fees: dict[ChainId, int] = field(default_factory=lambda: dict.fromkeys((PARENT, ROLLUP), 0))

    def __post_init__(self) -> None:
        self.bridge = make(self.options(), self.io())

    def io(self, nodes: Mapping[ChainId, Node] | None = None) -> AdapterIo:
        return AdapterIo(dict(nodes or self.nodes), SystemClock())

    def options(self, facts: Mapping[ChainId, Mapping[str, Any]] = FACTS) -> ProviderOptions:
        return ProviderOptions(
            chains={
                chain: ProviderChain(
                    chain=chain,
                    native=native(chain),
                    wrapped=token(self.worlds[chain], "WETH"),
                    tokens={"ETH": token(self.worlds[chain], "WETH")},
                    facts=facts[chain],
                    code_hashes={
                        Address(each): found
                        for each, found in self.worlds[chain].code_hashes.items()
                    },
                    confirmations=CONFIRMATIONS,
                )
                for chain in facts
            }
        )

    def leg(self, sell: Token, buy: Token, raw: int = ETHER) -> Leg:
        return Leg(
            id="1",
            kind="bridge",
            via=NAME,
            sell=Sell(sell, raw),
            buy=buy,
            expected_out=raw,
            min_buy=1,
        )

    def deposit_leg(self, raw: int = ETHER) -> Leg:
        return self.leg(native(PARENT), native(ROLLUP), raw)

    def withdrawal_leg(self, raw: int = ETHER) -> Leg:
        return self.leg(native(ROLLUP), native(PARENT), raw)

    def now(self, chain: ChainId = PARENT) -> int:
        return self.worlds[chain].head()[1]

    def quote(self, leg: Leg, account: Address = WALLET) -> Quote:
        raw = leg.sell.fixed_raw
        return self.bridge.quote(leg, raw, account, 1, self.now(leg.sell.token.chain))

    def send(self, leg: Leg, account: Address = WALLET) -> Receipt:
        """The wallet sends what its quote says."""
        call = self.quote(leg, account).payload
        assert isinstance(call, Call)
        return self.sent(call, account)

    def sent(self, call: Call, account: Address = WALLET, gas: int = PLENTY) -> Receipt:
        """What became of one call of the wallet, within *gas*."""
        rpc = self.worlds[call.chain].rpc
        rpc.call("anvil_impersonateAccount", account)
        if account != WALLET:
            rpc.call("anvil_setBalance", account, hex(10 * ETHER))
        fields = {"from": account, "to": call.to, "input": call.data}
        numbers = {"value": hex(call.value), "gas": hex(gas)}
        hashed = rpc.call("eth_sendTransaction", fields | numbers)
        while (receipt := rpc.call("eth_getTransactionReceipt", hashed)) is None:
            time.sleep(0.01)
        return as_receipt(receipt)  # type: ignore[arg-type]

    def track(self, leg: Leg, sent: Receipt, claims: int = 0) -> Track:
        raw = leg.sell.fixed_raw
        return self.bridge.track(leg, sent, raw, claims, self.now(leg.buy.chain))

    def arrived(self, leg: Leg, sent: Receipt) -> Amount:
        """What has come of a transfer."""
        found = self.track(leg, sent)
        assert isinstance(found, Delivered), found
        return found.amount

    def claim(self, found: Track, account: Address = WALLET) -> Receipt:
        """The wallet does what the bridge asks for, with no more gas than it says."""
        assert isinstance(found, Act), found
        assert isinstance(found.draft.payload, Call)
        receipt = self.sent(found.draft.payload, account, found.draft.gas_limit)
        assert receipt.ok
        if account == WALLET:
            self.fees[found.draft.chain] += receipt.fee
        return receipt

    def pass_time(self, seconds: int = 1) -> None:
        """Time goes on for all, and those who work for the bridge do their work."""
        self.worlds.jump(seconds)
        self.worlds.turn()
        self.worlds.jump(1)

    def tell(self, order: str, *arguments: Any) -> Any:
        return self.worlds.tell(NAME, order, *arguments)

    def held(self, chain: ChainId, account: Address = WALLET) -> int:
        wanted, node = native(chain), self.nodes[chain]
        return node.balances(account, [wanted], node.block().number)[wanted]


@contextmanager
def open_stack(cache: Path) -> Iterator[Stack]:
    """Both chains, whose time stands; `clean_stack` gives each test its own view."""
    with open_worlds(cache, chains=(PARENT, ROLLUP), block_seconds=None) as worlds:
        nodes = {
            ChainId(chain): RpcNode(
                ChainId(chain),
                [world.url],
                genesis=world.genesis,
                multicall3=Address(world.addresses["multicall3"]),
                max_head_age_seconds=None,
                clock=SystemClock(),
                fee_model="op_stack" if chain == ROLLUP else "eip1559",
            )
            for chain, world in worlds.items()
        }
        yield Stack(worlds, dict(nodes))
        for node in nodes.values():
            node.close()


@contextmanager
def clean_stack(stack: Stack) -> Iterator[Stack]:
    """The chains as they were, and a wallet with ten ether on each."""
    snapshot = stack.worlds.snapshot()
    heads = [world.head()[1] for world in stack.worlds.values()]
    stack.worlds.set_time(max(SystemClock().now(), *heads) + 1)
    for order in ("deposits", "outputs"):
        stack.tell(order, "prompt")
    for world in stack.worlds.values():
        world.rpc.call("anvil_setBalance", WALLET, hex(10 * ETHER))
    yield Stack(stack.worlds, stack.nodes)
    stack.worlds.revert(snapshot)
