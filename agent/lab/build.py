"""Builds one chain of the local world on an empty node: contracts, money, liquidity, history."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agent.lab import places
from agent.lab.accounts import ATTENDANT
from agent.lab.contracts import Artifact
from agent.lab.places import FEED_DECIMALS, GENESIS_TIME, LabFeed, Place
from agent.lab.pools import SEEDS, SPACING, PoolSeed, Position
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.rollups import put_rollup
from agent.lab.spoke_pool import put_spoke_pool

MAX_UINT: Final = 2**256 - 1

FOREVER: Final = 2**40
"""Unix seconds; a deadline that never passes."""

USDC_ADMIN: Final = "0x000000000000000000000000000000000000ad01"
"""May upgrade USDC; not the treasury, because a proxy's admin cannot call through it."""

LOST_AND_FOUND: Final = "0x000000000000000000000000000000000000ad02"
"""Receives USDC that was sent to the token contract itself (initializeV2_1)."""

TREASURY_VALUE: Final = Decimal(2_000_000_000)
"""USD in each token, so that every pool can be filled and moved."""

ATTENDANT_VALUE: Final = Decimal(5_000_000)
"""USD in each token on each chain, for the fills of the relayer."""

OBSERVATIONS: Final = 32
"""Slots of each v3 pool's oracle: its history, and as many new trades before that is lost."""

HISTORY_ROUNDS: Final = 13

HISTORY_STEP_SECONDS: Final = 150
"""Thirteen rounds are 32 minutes, more than the 30 minutes of the usual average price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPool:
    """A pool of the world: fee in millionths, 0 for Uniswap v2; tokens by symbol, token0 first."""

    address: str
    fee: int
    symbols: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What is where, beyond mainnet's addresses."""

    pools: tuple[LabPool, ...]
    aggregators: Mapping[str, str]
    publisher: str


def build_world(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> Built:
    """Build *place* with *treasury* as owner; *third* party and *own* contracts by name.

    Raises SetupFailed when the chain does not do what it is told.
    """
    _put_tokens(treasury, place, third, own)
    _put_exchanges(treasury, place, third)
    put_spoke_pool(treasury, place, third)
    put_rollup(treasury, place, third, own)
    _mint(treasury, place)
    pools = tuple(_open_pool(treasury, seed) for seed in SEEDS[place.chain_id])
    _trade(treasury, place, pools)
    publisher = treasury.deploy(own["publisher"], treasury.account, ATTENDANT)
    aggregators = {
        asset: _put_feed(treasury, own, feed, publisher) for asset, feed in place.feeds.items()
    }
    return Built(pools=pools, aggregators=aggregators, publisher=publisher)


def mint(token: str, receiver: str, raw: int) -> Tx:
    """Make *raw* base units of a token of the world for *receiver*; all but WETH can."""
    return tx(token, "mint(address,uint256)", receiver, raw)


def _put_tokens(
    treasury: Puppet, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    me, tokens, plain = treasury.account, place.tokens, own["plain_token"]
    treasury.deploy_at(place.weth, third["WETH9"])
    _put_usdc(treasury, tokens["USDC"].address, third)
    treasury.deploy_at(tokens["USDT"].address, own["tether_like"], "Tether USD", "USDT", 6, me)
    treasury.deploy_at(tokens["WBTC"].address, plain, "Wrapped BTC", "WBTC", 8, me)
    treasury.deploy_at(tokens["DAI"].address, plain, "Dai Stablecoin", "DAI", 18, me)
    # Where stETH has a feed its wrapper tells the rate; elsewhere it is a bridged copy.
    staked = own["wrapped_steth"] if "STETH" in place.feeds else plain
    treasury.deploy_at(place.wsteth, staked, "Wrapped liquid staked Ether 2.0", "wstETH", 18, me)
    # The same name and symbol as the real one: only the address tells them apart.
    treasury.deploy_at(places.AIRDROP, plain, "USD Coin", "USDC", 6, me)
    treasury.deploy_at(places.TAXED, own["taxed_token"], "Taxed", "TAX", 18, me)
    treasury.deploy_at(places.HOSTILE, own["hostile_token"], "Hostile", "HOSTILE", 18, me)


def _put_usdc(treasury: Puppet, usdc: str, third: Mapping[str, Artifact]) -> None:
    me = treasury.account
    library = treasury.deploy(third["SignatureChecker"])
    code = treasury.deploy(third["FiatTokenV2_2"], libraries={"SignatureChecker": library})
    treasury.deploy_at(usdc, third["FiatTokenProxy"], code)
    treasury.send(tx(usdc, "changeAdmin(address)", USDC_ADMIN))
    treasury.send(
        tx(
            usdc,
            "initialize(string,string,string,uint8,address,address,address,address)",
            *("USD Coin", "USDC", "USD", 6, me, me, me, me),
        ),
        tx(usdc, "initializeV2(string)", "USD Coin"),
        tx(usdc, "initializeV2_1(address)", LOST_AND_FOUND),
        tx(usdc, "initializeV2_2(address[],string)", [], "USDC"),
        tx(usdc, "configureMinter(address,uint256)", me, MAX_UINT),
    )


def _put_exchanges(treasury: Puppet, place: Place, third: Mapping[str, Artifact]) -> None:
    weth, there = place.weth, place.exchanges
    treasury.deploy_at(places.MULTICALL3, third["Multicall3"])
    treasury.deploy_at(there.v2_factory, third["UniswapV2Factory"], treasury.account)
    treasury.deploy_at(there.v2_router02, third["UniswapV2Router02"], there.v2_factory, weth)
    treasury.deploy_at(there.v3_factory, third["UniswapV3Factory"])
    # Mainnet's governance added this fee later; the constructor knows the three others.
    treasury.send(tx(there.v3_factory, "enableFeeAmount(uint24,int24)", 100, SPACING[100]))
    treasury.deploy_at(
        there.v3_positions,
        third["NonfungiblePositionManager"],
        *(there.v3_factory, weth, there.v3_position_descriptor),
    )
    treasury.deploy_at(
        there.swap_router02,
        third["SwapRouter02"],
        *(there.v2_factory, there.v3_factory, there.v3_positions, weth),
    )
    treasury.deploy_at(there.quoter_v2, third["QuoterV2"], there.v3_factory, weth)


def _mint(treasury: Puppet, place: Place) -> None:
    weth = place.tokens["WETH"]
    made = [
        tx(weth.address, "deposit()", value=weth.raw(TREASURY_VALUE)),
        tx(weth.address, "transfer(address,uint256)", ATTENDANT, weth.raw(ATTENDANT_VALUE)),
    ]
    for symbol, token in place.tokens.items():
        if symbol != "WETH":
            made.append(mint(token.address, treasury.account, token.raw(TREASURY_VALUE)))
            made.append(mint(token.address, ATTENDANT, token.raw(ATTENDANT_VALUE)))
    there = place.exchanges
    spenders = (there.v2_router02, there.v3_positions, there.swap_router02)
    allowed = [
        tx(token.address, "approve(address,uint256)", spender, MAX_UINT)
        for token in place.tokens.values()
        for spender in spenders
    ]
    treasury.send(*made, *allowed)


def _open_pool(treasury: Puppet, seed: PoolSeed) -> LabPool:
    address = _open_v3(treasury, seed) if seed.fee else _open_v2(treasury, seed)
    return LabPool(address=address, fee=seed.fee, symbols=seed.symbols)


def _open_v2(treasury: Puppet, seed: PoolSeed) -> str:
    token0, token1 = (token.address for token in seed.tokens)
    treasury.send(
        tx(
            seed.place.exchanges.v2_router02,
            "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
            *(token0, token1, *seed.reserves(), 0, 0, treasury.account, FOREVER),
        )
    )
    (pair,) = treasury.read(
        seed.place.exchanges.v2_factory, "getPair(address,address)", "(address)", token0, token1
    )
    return str(pair)


def _open_v3(treasury: Puppet, seed: PoolSeed) -> str:
    token0, token1 = (token.address for token in seed.tokens)
    create = tx(
        seed.place.exchanges.v3_positions,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        *(token0, token1, seed.fee, seed.sqrt_price_x96),
    )
    mints = [_mint_position(treasury, seed, position) for position in seed.positions()]
    treasury.send(create, *mints)
    (pool,) = treasury.read(
        seed.place.exchanges.v3_factory,
        "getPool(address,address,uint24)",
        "(address)",
        *(token0, token1, seed.fee),
    )
    treasury.send(tx(pool, "increaseObservationCardinalityNext(uint16)", OBSERVATIONS))
    return str(pool)


def _mint_position(treasury: Puppet, seed: PoolSeed, position: Position) -> Tx:
    token0, token1 = (token.address for token in seed.tokens)
    minimum0 = minimum1 = 0
    return tx(
        seed.place.exchanges.v3_positions,
        "mint((address,address,uint24,int24,int24,"
        "uint256,uint256,uint256,uint256,address,uint256))",
        (
            token0,
            token1,
            seed.fee,
            position.lower,
            position.upper,
            position.amount0,
            position.amount1,
            minimum0,
            minimum1,
            treasury.account,
            FOREVER,
        ),
    )


def _trade(treasury: Puppet, place: Place, pools: tuple[LabPool, ...]) -> None:
    """Give the v3 pools a past: small trades to and fro, spaced in time, for average prices."""
    for number in range(HISTORY_ROUNDS):
        time = GENESIS_TIME + (number + 1) * HISTORY_STEP_SECONDS
        treasury.rpc("evm_setNextBlockTimestamp", time)
        treasury.send(
            *(
                _swap(treasury, pool, seed, to_token1=number % 2 == 0)
                for pool, seed in zip(pools, SEEDS[place.chain_id], strict=True)
                if pool.fee
            )
        )


def _swap(treasury: Puppet, pool: LabPool, seed: PoolSeed, *, to_token1: bool) -> Tx:
    sell, buy = seed.tokens if to_token1 else seed.tokens[::-1]
    # A twenty-thousandth of the depth moves the price by one basis point.
    amount = sell.raw(Decimal(seed.depth) / 20_000)
    return tx(
        seed.place.exchanges.swap_router02,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (sell.address, buy.address, pool.fee, treasury.account, amount, 0, 0),
    )


def _put_feed(treasury: Puppet, own: Mapping[str, Artifact], feed: LabFeed, publisher: str) -> str:
    aggregator = treasury.deploy(
        own["aggregator"],
        *(feed.description, FEED_DECIMALS, as_answer(feed.lowest), as_answer(feed.highest)),
        publisher,
    )
    treasury.deploy_at(feed.address, own["feed_proxy"], aggregator)
    treasury.send(
        tx(publisher, "add(address)", aggregator),
        tx(
            publisher,
            "set_answer(address,int256,uint256)",
            *(aggregator, as_answer(feed.price), 0),
        ),
    )
    return aggregator


def as_answer(price: Decimal) -> int:
    """A price in the unit of the feeds' answers."""
    return int(price.scaleb(FEED_DECIMALS))
