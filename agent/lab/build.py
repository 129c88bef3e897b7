"""Builds the local world on an empty node: contracts, money, liquidity, history, feeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agent.lab import mainnet
from agent.lab.contracts import Artifact
from agent.lab.mainnet import FEED_DECIMALS, FEEDS, GENESIS_TIME, TOKENS
from agent.lab.pools import SEEDS, SPACING, PoolSeed, Position
from agent.lab.puppet import Puppet, Tx, tx

MAX_UINT: Final = 2**256 - 1

FOREVER: Final = 2**40
"""Unix seconds; a deadline that never passes."""

USDC_ADMIN: Final = "0x000000000000000000000000000000000000ad01"
"""May upgrade USDC; not the treasury, because a proxy's admin cannot call through it."""

LOST_AND_FOUND: Final = "0x000000000000000000000000000000000000ad02"
"""Receives USDC that was sent to the token contract itself (initializeV2_1)."""

TREASURY_VALUE: Final = Decimal(2_000_000_000)
"""USD in each token, so that every pool can be filled and moved."""

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
    treasury: Puppet, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> Built:
    """Build everything with *treasury* as owner; *third* party and *own* contracts by name.

    Raises SetupFailed when the chain does not do what it is told.
    """
    _put_tokens(treasury, third, own)
    _put_exchanges(treasury, third)
    _mint(treasury)
    pools = tuple(_open_pool(treasury, seed) for seed in SEEDS)
    _trade(treasury, pools)
    publisher = treasury.deploy(own["publisher"], treasury.account)
    aggregators = {asset: _put_feed(treasury, own, asset, publisher) for asset in FEEDS}
    return Built(pools=pools, aggregators=aggregators, publisher=publisher)


def mint(token: str, receiver: str, raw: int) -> Tx:
    """Make *raw* base units of a token of the world for *receiver*; all but WETH can."""
    return tx(token, "mint(address,uint256)", receiver, raw)


def _put_tokens(
    treasury: Puppet, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> None:
    me = treasury.account
    treasury.deploy_at(mainnet.WETH, third["WETH9"])
    _put_usdc(treasury, third)
    treasury.deploy_at(mainnet.USDT, own["tether_like"], "Tether USD", "USDT", 6, me)
    plain = own["plain_token"]
    treasury.deploy_at(mainnet.WBTC, plain, "Wrapped BTC", "WBTC", 8, me)
    treasury.deploy_at(mainnet.DAI, plain, "Dai Stablecoin", "DAI", 18, me)
    treasury.deploy_at(mainnet.WSTETH, plain, "Wrapped liquid staked Ether 2.0", "wstETH", 18, me)
    # The same name and symbol as the real one: only the address tells them apart.
    treasury.deploy_at(mainnet.AIRDROP, plain, "USD Coin", "USDC", 6, me)
    treasury.deploy_at(mainnet.TAXED, own["taxed_token"], "Taxed", "TAX", 18, me)
    treasury.deploy_at(mainnet.HOSTILE, own["hostile_token"], "Hostile", "HOSTILE", 18, me)


def _put_usdc(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    me, usdc = treasury.account, mainnet.USDC
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


def _put_exchanges(treasury: Puppet, third: Mapping[str, Artifact]) -> None:
    weth, factory2, factory3 = mainnet.WETH, mainnet.V2_FACTORY, mainnet.V3_FACTORY
    positions = mainnet.V3_POSITIONS
    treasury.deploy_at(mainnet.MULTICALL3, third["Multicall3"])
    treasury.deploy_at(factory2, third["UniswapV2Factory"], treasury.account)
    treasury.deploy_at(mainnet.V2_ROUTER02, third["UniswapV2Router02"], factory2, weth)
    treasury.deploy_at(factory3, third["UniswapV3Factory"])
    # Mainnet's governance added this fee later; the constructor knows the three others.
    treasury.send(tx(factory3, "enableFeeAmount(uint24,int24)", 100, SPACING[100]))
    treasury.deploy_at(
        positions,
        third["NonfungiblePositionManager"],
        *(factory3, weth, mainnet.V3_POSITION_DESCRIPTOR),
    )
    treasury.deploy_at(
        mainnet.SWAP_ROUTER02, third["SwapRouter02"], factory2, factory3, positions, weth
    )
    treasury.deploy_at(mainnet.QUOTER_V2, third["QuoterV2"], factory3, weth)


def _mint(treasury: Puppet) -> None:
    made = [tx(mainnet.WETH, "deposit()", value=TOKENS["WETH"].raw(TREASURY_VALUE))]
    made += [
        mint(token.address, treasury.account, token.raw(TREASURY_VALUE))
        for symbol, token in TOKENS.items()
        if symbol != "WETH"
    ]
    allowed = [
        tx(token.address, "approve(address,uint256)", spender, MAX_UINT)
        for token in TOKENS.values()
        for spender in (mainnet.V2_ROUTER02, mainnet.V3_POSITIONS, mainnet.SWAP_ROUTER02)
    ]
    treasury.send(*made, *allowed)


def _open_pool(treasury: Puppet, seed: PoolSeed) -> LabPool:
    address = _open_v3(treasury, seed) if seed.fee else _open_v2(treasury, seed)
    return LabPool(address=address, fee=seed.fee, symbols=seed.symbols)


def _open_v2(treasury: Puppet, seed: PoolSeed) -> str:
    token0, token1 = (token.address for token in seed.tokens)
    treasury.send(
        tx(
            mainnet.V2_ROUTER02,
            "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
            *(token0, token1, *seed.reserves(), 0, 0, treasury.account, FOREVER),
        )
    )
    (pair,) = treasury.read(
        mainnet.V2_FACTORY, "getPair(address,address)", "(address)", token0, token1
    )
    return str(pair)


def _open_v3(treasury: Puppet, seed: PoolSeed) -> str:
    token0, token1 = (token.address for token in seed.tokens)
    create = tx(
        mainnet.V3_POSITIONS,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        *(token0, token1, seed.fee, seed.sqrt_price_x96),
    )
    mints = [_mint_position(treasury, seed, position) for position in seed.positions()]
    treasury.send(create, *mints)
    (pool,) = treasury.read(
        mainnet.V3_FACTORY,
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
        mainnet.V3_POSITIONS,
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


def _trade(treasury: Puppet, pools: tuple[LabPool, ...]) -> None:
    """Give the v3 pools a past: small trades to and fro, spaced in time, for average prices."""
    for number in range(HISTORY_ROUNDS):
        time = GENESIS_TIME + (number + 1) * HISTORY_STEP_SECONDS
        treasury.rpc("evm_setNextBlockTimestamp", time)
        treasury.send(
            *(
                _swap(treasury, pool, seed.depth, to_token1=number % 2 == 0)
                for pool, seed in zip(pools, SEEDS, strict=True)
                if pool.fee
            )
        )


def _swap(treasury: Puppet, pool: LabPool, depth: int, *, to_token1: bool) -> Tx:
    sell, buy = pool.symbols if to_token1 else pool.symbols[::-1]
    # A twenty-thousandth of the depth moves the price by one basis point.
    amount = TOKENS[sell].raw(Decimal(depth) / 20_000)
    return tx(
        mainnet.SWAP_ROUTER02,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
        (TOKENS[sell].address, TOKENS[buy].address, pool.fee, treasury.account, amount, 0, 0),
    )


def _put_feed(treasury: Puppet, own: Mapping[str, Artifact], asset: str, publisher: str) -> str:
    feed = FEEDS[asset]
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
