"""SushiSwap V2 on the local chain: real contracts, pairs of ours, and the venue over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from router_rig import CHAIN, SYMBOLS, Trader, lab_node

from agent.core.money import Address, Bps
from agent.lab import mainnet
from agent.lab.puppet import Puppet
from agent.lab.saved import TREASURY
from agent.lab.sushiswap_v2 import SUSHISWAP_V2, SushiSwapV2, put_sushiswap_v2
from agent.lab.world import World
from agent.ports import AdapterIo
from agent.venues import v2_fork
from agent.wire.clock import SystemClock

NAME = "sushiswap_v2"
INIT_CODE_HASH = "0xe18a34eb0e04b04f7a0ac29a6e80748dca96319b42c54d679cb821dca90c6303"
THERE = SUSHISWAP_V2[mainnet.CHAIN_ID]
ROUTER = Address(THERE.router)

PAIRS = (
    # tokens, depth in USD of one side; some ways lead through two or three pairs only
    ("WETH", "USDC", 8_000_000),
    ("WETH", "USDT", 4_000_000),
    ("WBTC", "WETH", 3_000_000),
    ("USDC", "USDT", 700_000),
    ("DAI", "USDC", 2_000_000),
)


def put_sushi(
    world: World, cache: Path, pairs: tuple[tuple[str, str, int], ...] = PAIRS, bps: int = 0
) -> SushiSwapV2:
    """Put SushiSwap on a chain with *pairs* at the world's first prices.

    The second token of each is worth *bps* more there.
    """
    treasury = Puppet(world.rpc, TREASURY)
    sushi = put_sushiswap_v2(treasury, world.place, cache)
    for one, other, depth in pairs:
        first, second = (world.place.tokens[symbol] for symbol in (one, other))
        reserve = second.raw(Decimal(depth)) * 10_000 // (10_000 + bps)
        sushi.open_pair({first.address: first.raw(Decimal(depth)), second.address: reserve})
    # Each pair's sums of prices over time are begun: the first trade a second later pays for that.
    treasury.rpc("evm_increaseTime", 1)
    for one, other, _ in pairs:
        first, second = (world.place.tokens[symbol] for symbol in (one, other))
        sushi.trade(first.address, second.address, first.raw(Decimal(1)))
    treasury.rpc("evm_increaseTime", 1)
    return sushi


def fork_options(
    *, hubs: tuple[str, ...] = SYMBOLS, code_hash: str = "", kept: tuple[int, int] = (997, 1000)
) -> v2_fork.Options:
    """SushiSwap on the local chain."""
    chain = v2_fork.ChainOptions(
        factory=Address(THERE.factory),
        init_code_hash=INIT_CODE_HASH,
        kept=kept,
        router=ROUTER,
        wrapped=Address(mainnet.WETH),
        hubs=tuple(Address(mainnet.TOKENS[symbol].address) for symbol in hubs),
        code_hash=code_hash,
    )
    return v2_fork.Options(name=NAME, chains={CHAIN: chain}, max_slippage_bps=Bps(50))


@contextmanager
def fork_trader(world: World, chosen: v2_fork.Options | None = None) -> Iterator[Trader]:
    """A wallet that swaps by the fork."""
    with lab_node(world) as node:
        made = v2_fork.make(chosen or fork_options(), AdapterIo({CHAIN: node}, SystemClock()))
        yield Trader(world, node, made, swapper=THERE.router)
