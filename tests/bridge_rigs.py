"""Two local chains with Across's real pools, a wallet, a relayer and a hub to play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fee_server import FeeServer, fee_server

from agent.bridges._spoke_pool import DEPOSITED, Deposit, fill_data, read_deposit
from agent.bridges.across import Across, ChainOptions, Options, make
from agent.chain.node import RpcNode
from agent.core.intent import Receipt
from agent.core.money import NATIVE, Address, Amount, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab.accounts import ATTENDANT
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.world import World, open_world
from agent.ports import AdapterIo
from agent.wire import erc20
from agent.wire.abi import encode
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.keccak import keccak256

NEAR, FAR = ChainId(1), ChainId(8453)
WALLET = Address("0x" + "a11e7" * 8)
STRANGER = Address("0x" + "57a6e" * 8)
CONFIRMATIONS = 2

LEAF = "(uint256,uint256,uint256[],uint32,address,address[])"
"""RelayerRefundLeaf of SpokePoolInterface: what a bundle pays back, on which chain, to whom."""


def native(chain: ChainId) -> Token:
    return Token(chain, NATIVE, 18, "ETH")


def token(world: World, symbol: str) -> Token:
    known = world.place.tokens[symbol]
    return Token(ChainId(world.chain_id), Address(known.address), known.decimals, symbol)


def chain_options(world: World, *, confirmations: int = CONFIRMATIONS) -> ChainOptions:
    tokens = {symbol: token(world, symbol) for symbol in ("USDC", "USDT", "DAI", "WBTC")}
    pool = Address(world.place.spoke_pool)
    return ChainOptions(
        spoke_pool=pool,
        native=native(ChainId(world.chain_id)),
        wrapped=token(world, "WETH"),
        tokens={**tokens, "ETH": token(world, "WETH")},
        confirmations=confirmations,
        code_hash=world.code_hashes[pool],
    )


@dataclass
class Crossing:
    """Both chains, and everything that people and machines do on them."""

    worlds: dict[ChainId, World]
    nodes: dict[ChainId, RpcNode]
    fees: FeeServer
    bridge: Across
    bundles: dict[ChainId, int] = field(default_factory=dict)

    @property
    def io(self) -> AdapterIo:
        return AdapterIo(dict(self.nodes), SystemClock(), HttpClient(retries=0))

    def options(self, **changes: Any) -> Options:
        chains = {chain: chain_options(world) for chain, world in self.worlds.items()}
        return Options(**{"chains": chains, "api": self.fees.api, **changes})

    def token(self, chain: ChainId, symbol: str) -> Token:
        return native(chain) if symbol == "ETH" else token(self.worlds[chain], symbol)

    def leg(self, sell: str, buy: str, raw: int) -> Leg:
        sold, bought = self.token(NEAR, sell), self.token(FAR, buy)
        return Leg(
            id="1",
            kind="bridge",
            via="across",
            sell=Sell(sold, raw),
            buy=bought,
            expected_out=raw,
            min_buy=1,
        )

    def quote(self, leg: Leg, account: Address = WALLET) -> Quote:
        now = self.nodes[NEAR].block().timestamp
        return self.bridge.quote(leg, leg.sell.fixed_raw, account, 1, now)

    def puppet(self, chain: ChainId, account: str) -> Puppet:
        return Puppet(self.worlds[chain].rpc, account)

    def held(self, chain: ChainId, symbol: str, account: Address = WALLET) -> int:
        wanted = self.token(chain, symbol)
        node = self.nodes[chain]
        return node.balances(account, [wanted], node.block().number)[wanted]

    def deposit(self, leg: Leg, account: Address = WALLET) -> Receipt:
        """The wallet deposits what its quote says, with an exact allowance before it."""
        quote = self.quote(leg, account)
        assert isinstance(quote.payload, Call)
        sender = self.puppet(NEAR, account)
        for granted in quote.allowances:
            call = erc20.approve(NEAR, leg.sell.token.address, granted.spender, granted.amount.raw)
            sender.send(Tx(to=call.to, input=call.data, what="approving"))
        call = quote.payload
        (found,) = sender.send(Tx(to=call.to, input=call.data, value=call.value, what="depositing"))
        return as_receipt(found)

    def made(self, receipt: Receipt, chain: ChainId = NEAR) -> Deposit:
        (log,) = [log for log in self.nodes[chain].logs_of(receipt.hash) if DEPOSITED.is_in(log)]
        return read_deposit(log, chain)

    def fill(self, made: Deposit, relayer: str = ATTENDANT) -> Receipt:
        """A relayer delivers a deposit, after as many blocks as are asked for."""
        pool = self.worlds[made.to_chain].place.spoke_pool
        sender = self.puppet(made.to_chain, relayer)
        call = Tx(to=pool, input=fill_data(made, Address(relayer)), what="filling")
        return as_receipt(sender.send(call)[0])

    def mine(self, chain: ChainId = FAR, blocks: int = CONFIRMATIONS) -> None:
        self.worlds[chain].mine(blocks)

    def expire(self, made: Deposit) -> None:
        """Both chains' time is one second after the deadline of the delivery."""
        for world in self.worlds.values():
            world.set_time(max(made.fill_deadline, world.head()[1]) + 1)

    def pay_back(self, *amounts: int, symbol: str = "USDC", account: Address = WALLET) -> Receipt:
        """The hub relays a bundle with one refund leaf, and somebody executes it."""
        world, pool = self.worlds[NEAR], self.worlds[NEAR].place.spoke_pool
        number = self.bundles.get(NEAR, 0)
        self.bundles[NEAR] = number + 1
        address = self.token(NEAR, symbol).address
        leaf = (0, world.chain_id, list(amounts), 0, address, [account] * len(amounts))
        root = keccak256(encode([LEAF], [leaf]))
        call = f"executeRelayerRefundLeaf(uint32,{LEAF},bytes32[])"
        *_, found = self.puppet(NEAR, ATTENDANT).send(
            tx(pool, "relayRootBundle(bytes32,bytes32)", root, b"\0" * 32),
            tx(pool, call, number, leaf, []),
        )
        return as_receipt(found)


def as_receipt(found: dict[str, Any]) -> Receipt:
    return Receipt(
        hash=found["transactionHash"],
        block_number=int(found["blockNumber"], 16),
        block_hash=found["blockHash"],
        ok=found["status"] == "0x1",
        gas_used=int(found["gasUsed"], 16),
        fee=int(found["gasUsed"], 16) * int(found["effectiveGasPrice"], 16),
    )


@contextmanager
def open_crossing(cache: Path) -> Iterator[Crossing]:
    """Both chains, running; `clean` gives each test its own view."""
    with ExitStack() as stack:
        worlds = {
            chain: stack.enter_context(open_world(cache, chain_id=chain)) for chain in (NEAR, FAR)
        }
        nodes = {
            chain: RpcNode(
                chain,
                [world.url],
                genesis=world.genesis,
                multicall3=Address(world.addresses["multicall3"]),
                max_head_age_seconds=None,
                clock=SystemClock(),
            )
            for chain, world in worlds.items()
        }
        pools = {int(chain): world.place.spoke_pool for chain, world in worlds.items()}
        fees = stack.enter_context(fee_server(pools))
        crossing = Crossing(worlds, nodes, fees, bridge=None)  # type: ignore[arg-type]
        crossing.bridge = make(crossing.options(), crossing.io)
        yield crossing
        for node in nodes.values():
            node.close()


@contextmanager
def clean(crossing: Crossing) -> Iterator[Crossing]:
    """The chains as they were, and an honest fee server; what is done to them is undone."""
    snapshots = {chain: world.snapshot() for chain, world in crossing.worlds.items()}
    now = max(SystemClock().now(), *(world.head()[1] + 1 for world in crossing.worlds.values()))
    for world in crossing.worlds.values():
        world.set_time(now)
    fees = FeeServer(crossing.fees.pools)
    for name in ("forge", "raw", "refuse", "status", "headers", "asked", "paths"):
        setattr(crossing.fees, name, getattr(fees, name))
    crossing.bundles.clear()
    crossing.bridge = make(crossing.options(), crossing.io)
    yield crossing
    for chain, world in crossing.worlds.items():
        world.revert(snapshots[chain])


def paid(amount: Amount) -> tuple[Token, int]:
    return amount.token, amount.raw
