"""The chains of the local world: what stands where on each, and what it is worth there.

Sources: token and Multicall3 addresses from their verified contracts on etherscan.io, basescan.org
and arbiscan.io and from multicall3.com; Uniswap from docs.uniswap.org ("Deployments" of v2 and v3);
feeds from docs.chain.link ("Price Feed Contract Addresses", "L2 Sequencer Uptime Feeds");
SpokePools from @across-protocol/contracts 5.0.27, deployed-addresses.json.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

GENESIS_TIME: Final = 1_735_689_600
"""Unix seconds, 2025-01-01: fixed, so that every build has the same genesis block."""

MULTICALL3: Final = "0xca11bde05977b3631167028862be2a173976ca11"
"""The same on every chain."""

AIRDROP: Final = "0x9bad00000000000000000000000000000000c0de"
TAXED: Final = "0x7a4ed0000000000000000000000000000000c0de"
HOSTILE: Final = "0xbad000000000000000000000000000000000c0de"
"""Three tokens of the lab alone: on no chain does anything stand at their addresses."""

FEED_DECIMALS: Final = 8
"""Of every feed against USD."""

Kind = Literal["ethereum", "op_stack", "arbitrum"]
"""What a chain has beside Ethereum's rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What a feed prices: ``price`` in USD at first, the bounds are the most that it can say."""

    description: str
    price: Decimal
    lowest: Decimal
    highest: Decimal


MARKETS: Final = MappingProxyType(
    {
        "ETH": Market(
            description="ETH / USD",
            price=Decimal(3000),
            lowest=Decimal(1),
            highest=Decimal(100_000),
        ),
        "BTC": Market(
            description="BTC / USD",
            price=Decimal(60_000),
            lowest=Decimal(10),
            highest=Decimal(1_000_000),
        ),
        # A little below ether, as on most days: what is staked takes a while to be paid out.
        "STETH": Market(
            description="STETH / USD",
            price=Decimal(2997),
            lowest=Decimal(1),
            highest=Decimal(100_000),
        ),
        **{
            asset: Market(
                description=f"{asset} / USD",
                price=Decimal(1),
                lowest=Decimal("0.01"),
                highest=Decimal(1000),
            )
            for asset in ("USDC", "USDT", "DAI")
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFeed(Market):
    """The price feed of a market on one chain."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabToken:
    """One ERC-20 of a chain; ``asset`` names the market that it is worth."""

    address: str
    decimals: int
    asset: str

    def raw(self, value: Decimal) -> int:
        """Base units that are worth *value* USD at the world's first prices, rounded down."""
        return int(value / MARKETS[self.asset].price * 10**self.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """Uniswap's contracts on a chain."""

    v2_factory: str
    v2_router02: str
    v3_factory: str
    v3_positions: str
    v3_position_descriptor: str
    swap_router02: str
    quoter_v2: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One chain of the world.

    ``tokens`` are those with pools, by symbol; ``wsteth`` has none, so that it can be counted and
    not sold. ``feeds`` are by asset, ``sequencer`` the feed that says whether the
    chain's sequencer is up. ``base_fee`` is the level at which the lab keeps it, ``tip`` the usual
    priority fee, both in wei per gas.
    """

    chain_id: int
    name: str
    kind: Kind
    base_fee: int
    tip: int
    tokens: Mapping[str, LabToken]
    wsteth: str
    exchanges: Exchanges
    feeds: Mapping[str, LabFeed]
    sequencer: str | None
    spoke_pool: str

    @property
    def weth(self) -> str:
        """The wrapped native coin."""
        return self.tokens["WETH"].address


def _tokens(*, weth: str, usdc: str, usdt: str, wbtc: str, dai: str) -> Mapping[str, LabToken]:
    return MappingProxyType(
        {
            "WETH": LabToken(address=weth, decimals=18, asset="ETH"),
            "USDC": LabToken(address=usdc, decimals=6, asset="USDC"),
            "USDT": LabToken(address=usdt, decimals=6, asset="USDT"),
            "WBTC": LabToken(address=wbtc, decimals=8, asset="BTC"),
            "DAI": LabToken(address=dai, decimals=18, asset="DAI"),
        }
    )


def _feeds(
    *, eth: str, btc: str, usdc: str, usdt: str, dai: str, steth: str | None = None
) -> Mapping[str, LabFeed]:
    addresses = {"ETH": eth, "BTC": btc, "USDC": usdc, "USDT": usdt, "DAI": dai}
    if steth is not None:
        addresses["STETH"] = steth
    return MappingProxyType(
        {
            asset: LabFeed(address=address, **asdict(MARKETS[asset]))
            for asset, address in addresses.items()
        }
    )


ETHEREUM: Final = Place(
    chain_id=1,
    name="Ethereum",
    kind="ethereum",
    # Dear: a swap costs about 2 USD, so that small trades are better made elsewhere.
    base_fee=5_000_000_000,
    tip=1_000_000_000,
    tokens=_tokens(
        weth="0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
        usdc="0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        usdt="0xdac17f958d2ee523a2206206994597c13d831ec7",
        wbtc="0x2260fac5e5542a773aa44fbcfedf7c193bc2c599",
        dai="0x6b175474e89094c44da98b954eedeac495271d0f",
    ),
    wsteth="0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0",
    exchanges=Exchanges(
        v2_factory="0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f",
        v2_router02="0x7a250d5630b4cf539739df2c5dacb4c659f2488d",
        v3_factory="0x1f98431c8ad98523631ae4a59f267346ea31f984",
        v3_positions="0xc36442b4a4522e871399cd717abdd847ab11fe88",
        v3_position_descriptor="0x91ae842a5ffd8d12023116943e72a606179294f3",
        swap_router02="0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45",
        quoter_v2="0x61ffe014ba17989e743c5f6cb21bf9697530b21e",
    ),
    feeds=_feeds(
        eth="0x5f4ec3df9cbd43714fe2740f5e3616155c5b8419",
        btc="0xf4030086522a5beea4988f8ca5b36dbc97bee88c",
        usdc="0x8fffffd4afb6115b954bd326cbe7b4ba576818f6",
        usdt="0x3e7d1eab13ad0104d2750b8863b489d65364e32d",
        dai="0xaed0c38402a5d19df6e4c03f4e2dced6e29c1ee9",
        steth="0xcfe54b5cd566ab89272946f602d76ea879cab4a8",
    ),
    sequencer=None,
    spoke_pool="0x5c7bcd6e7de5423a257d81b442095a1a6ced35c5",
)

BASE: Final = Place(
    chain_id=8453,
    name="Base",
    kind="op_stack",
    base_fee=10_000_000,
    tip=100_000,
    tokens=_tokens(
        weth="0x4200000000000000000000000000000000000006",
        usdc="0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
        usdt="0xfde4c96c8593536e31f229ea8f37b2ada2699bb2",
        wbtc="0x0555e30da8f98308edb960aa94c0db47230d2b9c",
        dai="0x50c5725949a6f0c72e6c4a641f24049a917db0cb",
    ),
    wsteth="0xc1cba3fcea344f92d9239c08c0568f6f2f0ee452",
    exchanges=Exchanges(
        v2_factory="0x8909dc15e40173ff4699343b6eb8132c65e18ec6",
        v2_router02="0x4752ba5dbc23f44d87826276bf6fd6b1c372ad24",
        v3_factory="0x33128a8fc17869897dce68ed026d694621f6fdfd",
        v3_positions="0x03a520b32c04bf3beef7beb72e919cf822ed34f1",
        v3_position_descriptor="0x4f225937edc33efd6109c4cef7b560b2d6401009",
        swap_router02="0x2626664c2603336e57b271c5c0b26f421741e481",
        quoter_v2="0x3d4e44eb1374240ce5f1b871ab261cd16335b76a",
    ),
    feeds=_feeds(
        eth="0x71041dddad3595f9ced3dccfbe3d1f4b0a16bb70",
        btc="0x64c911996d3c6ac71f9b455b1e8e7266bcbd848f",
        usdc="0x7e860098f58bbfc8648a4311b374b1d669a2bc6b",
        usdt="0xf19d560eb8d2adf07bd6d13ed03e1d11215721f9",
        dai="0x591e79239a7d679378ec8c847e5038150364c78f",
    ),
    sequencer="0xbcf85224fc0756b9fa45aa7892530b47e10b6433",
    spoke_pool="0x09aea4b2242abc8bb4bb78d537a67a245a7bec64",
)

ARBITRUM: Final = Place(
    chain_id=42161,
    name="Arbitrum One",
    kind="arbitrum",
    base_fee=20_000_000,
    # Arbitrum takes none.
    tip=0,
    tokens=_tokens(
        weth="0x82af49447d8a07e3bd95bd0d56f35241523fbab1",
        usdc="0xaf88d065e77c8cc2239327c5edb3a432268e5831",
        usdt="0xfd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9",
        wbtc="0x2f2a2543b76a4166549f7aab2e75bef0aefc5b0f",
        dai="0xda10009cbd5d07dd0cecc66161fc93d7c9000da1",
    ),
    wsteth="0x5979d7b546e38e414f7e9822514be443a4800529",
    exchanges=Exchanges(
        v2_factory="0xf1d7cc64fb4452f05c498126312ebe29f30fbcf9",
        v2_router02="0x4752ba5dbc23f44d87826276bf6fd6b1c372ad24",
        v3_factory="0x1f98431c8ad98523631ae4a59f267346ea31f984",
        v3_positions="0xc36442b4a4522e871399cd717abdd847ab11fe88",
        v3_position_descriptor="0x91ae842a5ffd8d12023116943e72a606179294f3",
        swap_router02="0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45",
        quoter_v2="0x61ffe014ba17989e743c5f6cb21bf9697530b21e",
    ),
    feeds=_feeds(
        eth="0x639fe6ab55c921f74e7fac1ee960c0b6293ba612",
        btc="0x6ce185860a4963106506c203335a2910413708e9",
        usdc="0x50834f3163758fcc1df9973b6e91f0f0f0434ad3",
        usdt="0x3f3f5df88dc9f13eac63df89ec16ef6e7e25dde7",
        dai="0xc5c8e77b397e531b8ec06bfb0048328b30e9ecfb",
    ),
    sequencer="0xfdb631f5ee196f0ed6faa767959853a9f217697d",
    spoke_pool="0xe35e9842fceaca96570b734083f4a58e8f7c5f2a",
)

PLACES: Final = MappingProxyType({place.chain_id: place for place in (ETHEREUM, BASE, ARBITRUM)})
"""All chains of the world by their id."""
