"""Prices read from real pools and feeds, and what happens to them when somebody moves either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from router_rig import lab_node

from agent.chain.node import RpcNode
from agent.core.agree import agree
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.price import Opinion, Prices, Ratio, Unpriced
from agent.lab import mainnet
from agent.lab.mainnet import FEED_DECIMALS, FEEDS, TOKENS
from agent.lab.world import World
from agent.oracles import chainlink, pool_twap
from agent.ports import AdapterIo
from agent.wire.clock import SystemClock

CHAIN = ChainId(mainnet.CHAIN_ID)
HOUR = 3_600


def token(symbol: str) -> Token:
    return Token(CHAIN, Address(TOKENS[symbol].address), TOKENS[symbol].decimals, symbol)


ASSETS = {
    "ETH": (Token(CHAIN, NATIVE, 18, "ETH"), token("WETH")),
    "WBTC": (token("WBTC"),),
    "USDC": (token("USDC"),),
    "USDT": (token("USDT"),),
    "DAI": (token("DAI"),),
}
FEED_OF = {asset: "BTC" if asset == "WBTC" else asset for asset in ASSETS}
FEED_OPTIONS = chainlink.Options(
    {
        asset: (
            chainlink.Feed(
                chain=CHAIN,
                address=Address(FEEDS[feed].address),
                heartbeat_seconds=HOUR,
                decimals=FEED_DECIMALS,
            ),
        )
        for asset, feed in FEED_OF.items()
    }
)
POOL_OPTIONS = pool_twap.ChainOptions(
    factory=Address(mainnet.V3_FACTORY),
    fee_tiers=(100, 500, 3_000, 10_000),
    min_depth={asset: 30_000 / FEEDS[feed].price for asset, feed in FEED_OF.items()},
)


@pytest.fixture
def node(chain: World) -> Iterator[RpcNode]:
    with lab_node(chain) as found:
        yield found


def pools(node: RpcNode, **changed: object) -> pool_twap.PoolTwap:
    options = pool_twap.Options({CHAIN: replace(POOL_OPTIONS, **changed)})
    return pool_twap.make(options, AdapterIo({CHAIN: node}, SystemClock()))


def feeds(node: RpcNode) -> chainlink.Chainlink:
    return chainlink.make(FEED_OPTIONS, AdapterIo({CHAIN: node}, SystemClock()))


def agreed(node: RpcNode, now: int | None = None) -> Prices:
    at = node.block().timestamp if now is None else now
    said = (*feeds(node).opinions(ASSETS, at), *pools(node).opinions(ASSETS, at))
    return agree(said, assets=ASSETS, now=at, max_spread_bps=75)


def test_feeds_and_pools_agree_on_every_asset(chain: World, node: RpcNode) -> None:
    prices = agreed(node)
    assert {} == prices.refused
    for asset, feed in FEED_OF.items():
        price = prices.by_asset[asset]
        assert ("chainlink", "pool") == price.sources
        assert FEEDS[feed].price == chain.price("WETH" if asset == "ETH" else asset)
        assert abs(price.value / FEEDS[feed].price - 1) < Decimal("0.002")


@pytest.mark.parametrize("make", [feeds, pools])
def test_oracle_takes_two_requests(chain: World, node: RpcNode, make) -> None:
    node.block()
    before = node.requests
    make(node).opinions(ASSETS, chain.head()[1])
    assert 2 == node.requests - before


def test_feed_says_what_was_published(chain: World, node: RpcNode) -> None:
    chain.set_price("WETH", Decimal("2987.65432109"))
    said = feeds(node).opinions({"ETH": ASSETS["ETH"]}, chain.head()[1])
    (opinion,) = said
    assert isinstance(opinion, Opinion)
    assert Decimal("2987.65432109") == opinion.value
    assert 0 <= chain.head()[1] - opinion.at <= 60


def test_feed_at_its_bound_is_no_price(chain: World, node: RpcNode) -> None:
    chain.set_price("WETH", FEEDS["ETH"].lowest)
    (said,) = feeds(node).opinions({"ETH": ASSETS["ETH"]}, chain.head()[1])
    assert isinstance(said, Unpriced)
    assert "is not inside its bounds" in said.why


def test_feed_that_is_not_renewed_goes_stale_by_its_heartbeat(chain: World, node: RpcNode) -> None:
    now = chain.head()[1]
    assert "ETH" not in agreed(node, now + HOUR).refused
    later = agreed(node, now + HOUR + 120)
    assert {"G201"} == {refusal.code for refusal in later.refused.values()}


def test_feed_that_falls_alone_is_the_guilty_one(chain: World, node: RpcNode) -> None:
    chain.set_price("USDC", Decimal("0.9821"))
    prices = agreed(node)
    assert {"USDC"} == {name for name, why in prices.refused.items() if why.code == "G203"}
    why = prices.refused["USDC"].why
    assert why.startswith("price sources disagree on USDC by 1")
    assert "(limit 75): chainlink 0.9821 (" in why
    assert prices.by_asset["ETH"].independent


def test_pool_average_is_the_price_of_the_pool(chain: World, node: RpcNode) -> None:
    (ratio,) = pools(node).opinions(
        {name: ASSETS[name] for name in ("ETH", "USDC")}, chain.head()[1]
    )
    assert isinstance(ratio, Ratio)
    worth = ratio.value if ratio.base == "ETH" else 1 / ratio.value
    # The deepest pool is the one of 0.3 %, which stands 6 bps below the feeds at first.
    assert abs(worth / 3_000 - 1) < Decimal("0.001")


def test_pool_that_is_moved_in_this_block_moves_no_price(chain: World, node: RpcNode) -> None:
    before = agreed(node)
    for pool in chain.pools:
        if pool.fee and set(pool.symbols) == {"WETH", "USDC"}:
            chain.move_pool(pool, -3_000)
    after = agreed(node)
    assert {} == after.refused
    for asset, price in before.by_asset.items():
        assert abs(after.by_asset[asset].value / price.value - 1) < Decimal("0.01")


def test_pool_that_stays_moved_is_heard_in_the_end(chain: World, node: RpcNode) -> None:
    for pool in chain.pools:
        if pool.fee and set(pool.symbols) == {"WETH", "USDC"}:
            chain.move_pool(pool, -3_000)
    chain.set_time(chain.head()[1] + 900)
    chain.publish(chain.head()[1] + 1)
    prices = agreed(node)
    assert "G203" in {why.code for why in prices.refused.values()}


def test_thin_pools_have_no_voice(chain: World, node: RpcNode) -> None:
    strict = {asset: 1_000 * least for asset, least in POOL_OPTIONS.min_depth.items()}
    said = pools(node, min_depth=strict).opinions(ASSETS, chain.head()[1])
    assert all(isinstance(one, Unpriced) for one in said)
    assert any("is too thin" in one.why for one in said if isinstance(one, Unpriced))


def test_pool_with_too_short_a_memory_has_no_voice(chain: World, node: RpcNode) -> None:
    years = 10 * 365 * 86_400
    said = pools(node, window_seconds=years).opinions(ASSETS, chain.head()[1])
    assert all(isinstance(one, Unpriced) for one in said)
    assert any("does not remember" in one.why for one in said if isinstance(one, Unpriced))
