"""Across in the local world: its own relayer, its own fee API, honest and forging."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bridge_rigs import FAR, NEAR, WALLET, Crossing, paid

from agent.bridges.across import make
from agent.chain.node import RpcNode
from agent.core.money import Address, ChainId
from agent.errors import Contradicted, ProviderSilent
from agent.lab.fee_api import FORGERIES
from agent.lab.worlds import Worlds, open_worlds
from agent.ports import Delivered, Returned, Waiting
from agent.wire.clock import SystemClock

RAW = 4_150 * 10**6
ETHER = 10**18


@dataclass
class Api:
    api: str


@pytest.fixture(scope="module")
def worlds(lab_cache: Path) -> Iterator[Worlds]:
    with open_worlds(lab_cache, chains=(NEAR, FAR), block_seconds=None) as opened:
        yield opened


@pytest.fixture
def local(worlds: Worlds) -> Iterator[Crossing]:
    snapshot = worlds.snapshot()
    nodes = {
        ChainId(chain): RpcNode(
            ChainId(chain),
            [world.url],
            genesis=world.genesis,
            multicall3=Address(world.addresses["multicall3"]),
            max_head_age_seconds=None,
            clock=SystemClock(),
        )
        for chain, world in worlds.items()
    }
    chains = {ChainId(chain): world for chain, world in worlds.items()}
    crossing = Crossing(chains, nodes, Api(worlds.fee_api), bridge=None)  # type: ignore[arg-type]
    crossing.bridge = make(crossing.options(), crossing.io)
    worlds.relay("prompt")
    yield crossing
    for node in nodes.values():
        node.close()
    worlds.revert(snapshot)


@pytest.mark.parametrize(("symbol", "raw"), [("USDC", RAW), ("ETH", ETHER), ("WBTC", 10**7)])
def test_relayer_of_the_world_delivers_what_was_quoted(
    worlds: Worlds, local: Crossing, symbol: str, raw: int
) -> None:
    worlds[NEAR].fund(WALLET, {symbol: raw, "ETH": ETHER + raw * (symbol == "ETH")})
    leg = local.leg(symbol, symbol, raw)
    quote = local.quote(leg)
    (edge,) = local.bridge.survey([(leg.sell.token, leg.buy)], {leg.sell.token: raw})
    assert abs(edge.ladder[-1][1] - quote.amount_out) <= 1
    deposit = local.deposit(leg)
    now = local.nodes[NEAR].block().timestamp
    assert isinstance(local.bridge.track(leg, deposit, raw, 0, now), Waiting)
    worlds.jump(3)
    worlds.turn()
    local.mine()
    found = local.bridge.track(leg, deposit, raw, 0, now)
    assert isinstance(found, Delivered)
    assert (leg.buy, quote.amount_out) == paid(found.amount)


def test_hub_of_the_world_pays_back_what_nobody_delivers(worlds: Worlds, local: Crossing) -> None:
    worlds.relay("never")
    worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})
    leg = local.leg("USDC", "USDC", RAW)
    deposit = local.deposit(leg)
    worlds.turn()
    worlds.jump(7_300)
    worlds.turn()
    local.mine(NEAR)
    found = local.bridge.track(leg, deposit, RAW, 0, local.nodes[NEAR].block().timestamp)
    assert isinstance(found, Returned)
    assert leg.planned_sell == found.amount
    assert () == local.bridge.find(WALLET, {NEAR: 0})


@pytest.mark.parametrize("way", FORGERIES)
def test_no_forgery_of_the_world_passes(worlds: Worlds, local: Crossing, way: str) -> None:
    leg = local.leg("USDC", "USDC", RAW)
    honest = local.quote(leg).amount_out
    worlds.forge(way)
    if way == "fee":
        # Consistent in itself: independent prices refuse it, not we.
        assert local.quote(leg).amount_out < honest * 8 // 10
        return
    with pytest.raises(ProviderSilent if way == "nan" else Contradicted):
        local.quote(leg)
    assert honest == local.quote(leg).amount_out
