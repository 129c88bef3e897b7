"""The built-in router on the local chain, and wallets that do what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lab.reading import ALICE, balance, read

from agent.chain.node import RpcNode
from agent.core.money import Address, Bps, ChainId, Token
from agent.core.plan import Leg, Sell
from agent.core.quote import Call, Quote
from agent.lab import mainnet
from agent.lab.mainnet import TOKENS
from agent.lab.puppet import Puppet, Tx
from agent.lab.world import World
from agent.ports import AdapterIo
from agent.venues import router
from agent.wire import erc20, permit2
from agent.wire.clock import SystemClock

CHAIN = ChainId(mainnet.CHAIN_ID)
WALLET = Address(ALICE)
TIERS = ((100, 1), (500, 10), (3000, 60), (10_000, 200))
NO_FACTORY = Address("0x" + "fa" * 20)
"""No code stands here, so it has no pools."""

SYMBOLS = tuple(TOKENS)


def token(symbol: str) -> Token:
    found = TOKENS[symbol]
    return Token(CHAIN, Address(found.address), found.decimals, symbol)


def worth(symbol: str, usd: int) -> int:
    """Base units that are worth *usd* at the world's first prices."""
    return TOKENS[symbol].raw(Decimal(usd))


def swap_leg(sell: Token, buy: Token, raw: int) -> Leg:
    return Leg(
        id="1",
        kind="swap",
        via="router",
        sell=Sell(sell, raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )


def options(
    *,
    tiers: tuple[tuple[int, int], ...] = TIERS,
    hubs: tuple[str, ...] = SYMBOLS,
    has_v2: bool = True,
    code_hash: str = "",
    v4: router.V4Options | None = None,
) -> router.Options:
    """The local chain's Uniswap, as much of it as a test wants to be seen."""
    chain = router.ChainOptions(
        v2_factory=Address(mainnet.V2_FACTORY) if has_v2 else NO_FACTORY,
        v3_factory=Address(mainnet.V3_FACTORY),
        swap_router=Address(mainnet.SWAP_ROUTER02),
        wrapped=Address(mainnet.WETH),
        hubs=tuple(Address(TOKENS[symbol].address) for symbol in hubs),
        fee_tiers=tiers,
        code_hash=code_hash,
        v4=v4,
    )
    return router.Options(chains={CHAIN: chain}, max_slippage_bps=Bps(50))


@contextmanager
def lab_node(world: World, query: str = "") -> Iterator[RpcNode]:
    """The port `Node` on the local chain; *query* is what a provider's key would stand in."""
    node = RpcNode(
        CHAIN,
        [world.url + query],
        genesis=world.genesis,
        multicall3=Address(mainnet.MULTICALL3),
        max_head_age_seconds=None,
        clock=SystemClock(),
    )
    yield node
    node.close()


@dataclass(slots=True)
class Trader:
    """A wallet of the local chain that quotes with one router and sends what it quotes.

    The router swaps by the contract `swapper`.
    """

    world: World
    node: RpcNode
    router: Any
    puppet: Puppet = field(init=False)
    gas_used: int = 0
    swapper: str = mainnet.SWAP_ROUTER02

    def __post_init__(self) -> None:
        self.puppet = Puppet(self.world.rpc, WALLET)

    def quote(self, sell: str, buy: str, raw: int, min_out: int = 1) -> Quote:
        """A firm quote at the newest block for the wallet, which is given what it sells."""
        self.world.fund(WALLET, {sell: raw})
        leg = swap_leg(token(sell), token(buy), raw)
        quote: Quote = self.router.quote(leg, raw, WALLET, min_out, self.world.head()[1])
        return quote

    def send(self, quote: Quote) -> Mapping[str, int]:
        """Grant what the quote needs, and swap; what the swap changed of each token.

        Raises SetupFailed when the swap reverts.
        """
        for right in quote.allowances:
            self._send(
                erc20.approve(CHAIN, right.amount.token.address, right.spender, right.amount.raw)
            )
        if quote.permit is not None:
            self._send(permit2.approve(CHAIN, quote.permit))
        assert isinstance(quote.payload, Call)
        before = self.holdings()
        self._send(quote.payload)
        after = self.holdings()
        return {name: after[name] - before[name] for name in after if after[name] != before[name]}

    def holdings(self) -> dict[str, int]:
        return {symbol: balance(self.world, symbol, WALLET) for symbol in SYMBOLS}

    def in_router(self) -> set[int]:
        """What the router keeps of any token; nothing, unless a swap lost money."""
        return {balance(self.world, symbol, self.swapper) for symbol in SYMBOLS}

    def allowance(self, symbol: str) -> int:
        (raw,) = read(
            self.world,
            TOKENS[symbol].address,
            "allowance(address,address)",
            "(uint256)",
            WALLET,
            self.swapper,
        )
        return int(raw)

    def _send(self, call: Call) -> None:
        sent = Tx(to=call.to, input=call.data, value=call.value, what="a call of the wallet")
        (receipt,) = self.puppet.send(sent)
        self.gas_used = int(str(receipt["gasUsed"]), 16)


@contextmanager
def trader(world: World, chosen: router.Options | None = None) -> Iterator[Trader]:
    with lab_node(world) as node:
        io = AdapterIo({CHAIN: node}, SystemClock())
        yield Trader(world, node, router.make(chosen or options(), io))
