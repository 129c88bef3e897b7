"""What stands where on Ethereum mainnet, and what it is worth in the local world.

Sources: token and Multicall3 addresses from their verified contracts on etherscan.io and from
multicall3.com; Uniswap from docs.uniswap.org (v2 "Factory", "Router02"; v3 "Ethereum
Deployments"); feeds from docs.chain.link, "Price Feed Contract Addresses", Ethereum mainnet.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

CHAIN_ID: Final = 1

GENESIS_TIME: Final = 1_735_689_600
"""Unix seconds, 2025-01-01: fixed, so that every build has the same genesis block."""

WETH: Final = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
USDC: Final = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
USDT: Final = "0xdac17f958d2ee523a2206206994597c13d831ec7"
WBTC: Final = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
DAI: Final = "0x6b175474e89094c44da98b954eedeac495271d0f"
WSTETH: Final = "0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0"
"""Lido's wrapped stETH: here a plain token without pools, so that its balance can be read."""

MULTICALL3: Final = "0xca11bde05977b3631167028862be2a173976ca11"
V2_FACTORY: Final = "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"
V2_ROUTER02: Final = "0x7a250d5630b4cf539739df2c5dacb4c659f2488d"
V3_FACTORY: Final = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
V3_POSITIONS: Final = "0xc36442b4a4522e871399cd717abdd847ab11fe88"
V3_POSITION_DESCRIPTOR: Final = "0x91ae842a5ffd8d12023116943e72a606179294f3"
SWAP_ROUTER02: Final = "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"
QUOTER_V2: Final = "0x61ffe014ba17989e743c5f6cb21bf9697530b21e"

AIRDROP: Final = "0x9bad00000000000000000000000000000000c0de"
TAXED: Final = "0x7a4ed0000000000000000000000000000000c0de"
HOSTILE: Final = "0xbad000000000000000000000000000000000c0de"
"""Three tokens of the lab alone: on mainnet nothing stands at their addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabToken:
    """One ERC-20 of the world; ``asset`` names the feed that it is worth."""

    address: str
    decimals: int
    asset: str

    def raw(self, value: Decimal) -> int:
        """Base units that are worth *value* USD at the world's first prices, rounded down."""
        return int(value / FEEDS[self.asset].price * 10**self.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFeed:
    """One price feed: ``price`` in USD at first, ``lowest`` and ``highest`` that it can say."""

    address: str
    description: str
    price: Decimal
    lowest: Decimal
    highest: Decimal


FEED_DECIMALS: Final = 8
"""Of every feed against USD."""

FEEDS: Final = {
    "ETH": LabFeed(
        address="0x5f4ec3df9cbd43714fe2740f5e3616155c5b8419",
        description="ETH / USD",
        price=Decimal(3000),
        lowest=Decimal(1),
        highest=Decimal(100_000),
    ),
    "BTC": LabFeed(
        address="0xf4030086522a5beea4988f8ca5b36dbc97bee88c",
        description="BTC / USD",
        price=Decimal(60_000),
        lowest=Decimal(10),
        highest=Decimal(1_000_000),
    ),
    "USDC": LabFeed(
        address="0x8fffffd4afb6115b954bd326cbe7b4ba576818f6",
        description="USDC / USD",
        price=Decimal(1),
        lowest=Decimal("0.01"),
        highest=Decimal(1000),
    ),
    "USDT": LabFeed(
        address="0x3e7d1eab13ad0104d2750b8863b489d65364e32d",
        description="USDT / USD",
        price=Decimal(1),
        lowest=Decimal("0.01"),
        highest=Decimal(1000),
    ),
    "DAI": LabFeed(
        address="0xaed0c38402a5d19df6e4c03f4e2dced6e29c1ee9",
        description="DAI / USD",
        price=Decimal(1),
        lowest=Decimal("0.01"),
        highest=Decimal(1000),
    ),
}

TOKENS: Final = {
    "WETH": LabToken(address=WETH, decimals=18, asset="ETH"),
    "USDC": LabToken(address=USDC, decimals=6, asset="USDC"),
    "USDT": LabToken(address=USDT, decimals=6, asset="USDT"),
    "WBTC": LabToken(address=WBTC, decimals=8, asset="BTC"),
    "DAI": LabToken(address=DAI, decimals=18, asset="DAI"),
}
"""The tokens that have pools, by symbol."""
