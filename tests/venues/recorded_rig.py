"""Venues over recorded answers of their servers, and their tokens."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from replay_server import Replay
from router_rig import swap_leg

from agent.core.fees import FeeQuote
from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.quote import Quote
from agent.ports import AdapterIo, Venue
from agent.provider import ProviderChain, ProviderOptions
from agent.wire.clock import SystemClock
from agent.wire.http import HttpClient
from agent.wire.pace import ProviderHttp

KEY = "canary-5e12e7"
ETHEREUM, BASE = ChainId(1), ChainId(8453)
NOW = 1_800_000_000
ME = Address("0x" + "a11e7" * 8)

USDC = Token(ETHEREUM, Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USDC")
USDT = Token(ETHEREUM, Address("0xdac17f958d2ee523a2206206994597c13d831ec7"), 6, "USDT")
ETH = Token(ETHEREUM, NATIVE, 18, "ETH")
WETH = Token(ETHEREUM, Address("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "WETH")
BASE_ETH = Token(BASE, NATIVE, 18, "ETH")
BASE_WETH = Token(BASE, Address("0x4200000000000000000000000000000000000006"), 18, "WETH")
BASE_USDC = Token(BASE, Address("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"), 6, "USDC")
BASE_OTHER = Token(BASE, Address("0x9b8df6e244526ab5f6e6400d331db28c8fdddb55"), 18, "OTHER")
BNB = Token(ChainId(56), NATIVE, 18, "BNB")
WBNB = Token(ChainId(56), Address("0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c"), 18, "WBNB")
FTM = Token(ChainId(250), NATIVE, 18, "FTM")
WFTM = Token(ChainId(250), Address("0x21be370d5312f44cb42ce377bc9b8a0cef1a4c83"), 18, "WFTM")

ROUTERS = {
    "oneinch": "0x111111125421ca6dc452d289314280a0f8842a65",
    "kyberswap": "0x6131b5fae19ea4f9d964eac0408e4408b66337b5",
    "lifi": "0x1231deb6f5749ef6ce6943a275a1d3e7486f4eae",
    "odos": "0x0d05a7d3448512b78fa8a9e46c4872c88c4a0d05",
    "openocean": "0x6352a56caadc4f1e25cd6c75970fa768a3304e64",
    "velora": "0x6a000f20005980200259b80c5102003040001068",
    "zerox": "0x0000000000001ff3684f28c67538d4d072c22734",
}
FACTS: dict[str, dict[str, Any]] = {
    "oneinch": {"router": ROUTERS["oneinch"]},
    "kyberswap": {"router": ROUTERS["kyberswap"], "slug": "base"},
    "lifi": {"diamond": ROUTERS["lifi"]},
    "odos": {"router": ROUTERS["odos"]},
    "openocean": {"exchange": ROUTERS["openocean"]},
    "velora": {"augustus": ROUTERS["velora"]},
    "zerox": {
        "allowance_holder": ROUTERS["zerox"],
        "registry": "0x00000000000004533fe15556b1e086bb1a72ceae",
    },
}


def chain(name: str, native: Token, wrapped: Token) -> ProviderChain:
    return ProviderChain(
        chain=native.chain, native=native, wrapped=wrapped, tokens={}, facts=FACTS[name]
    )


class Gas:
    """A node that knows what gas costs, and nothing else."""

    def fees(self) -> FeeQuote:
        return FeeQuote(3 * 10**9, 10**9)


def made(name: str, api: str, *, bps: int = 101, key: str = KEY) -> Venue:
    coins = {ETH: WETH, BASE_ETH: BASE_WETH, BNB: WBNB, FTM: WFTM}
    chains = {coin.chain: chain(name, coin, wrapped) for coin, wrapped in coins.items()}
    options = ProviderOptions(api=api, chains=chains, max_slippage_bps=bps, key=lambda: key)
    nodes: Any = dict.fromkeys(chains, Gas())
    io = AdapterIo(nodes, SystemClock(), ProviderHttp(HttpClient(retries=0), None))
    venue: Venue = import_module(f"agent.venues.{name}").make(options, io)
    return venue


def ask(
    name: str,
    replay: Replay,
    sell: Token,
    buy: Token,
    raw: int,
    account: Address = ME,
    *,
    least: int = 1,
    key: str = KEY,
) -> Quote:
    leg = swap_leg(sell, buy, raw)
    return made(name, replay.api, key=key).quote(leg, raw, account, least, NOW)
