"""Ethereum's part of the places by plain names, for whatever works on that chain alone."""

from typing import Final

from agent.lab import places
from agent.lab.places import ETHEREUM

CHAIN_ID: Final = ETHEREUM.chain_id

WETH: Final = ETHEREUM.weth
USDC: Final = ETHEREUM.tokens["USDC"].address
USDT: Final = ETHEREUM.tokens["USDT"].address
WBTC: Final = ETHEREUM.tokens["WBTC"].address
DAI: Final = ETHEREUM.tokens["DAI"].address
WSTETH: Final = ETHEREUM.wsteth

MULTICALL3: Final = places.MULTICALL3
V2_FACTORY: Final = ETHEREUM.exchanges.v2_factory
V2_ROUTER02: Final = ETHEREUM.exchanges.v2_router02
V3_FACTORY: Final = ETHEREUM.exchanges.v3_factory
V3_POSITIONS: Final = ETHEREUM.exchanges.v3_positions
SWAP_ROUTER02: Final = ETHEREUM.exchanges.swap_router02
QUOTER_V2: Final = ETHEREUM.exchanges.quoter_v2

AIRDROP: Final = places.AIRDROP
TAXED: Final = places.TAXED
HOSTILE: Final = places.HOSTILE

FEED_DECIMALS: Final = places.FEED_DECIMALS

FEEDS: Final = ETHEREUM.feeds
TOKENS: Final = ETHEREUM.tokens
"""The tokens that have pools, by symbol."""
