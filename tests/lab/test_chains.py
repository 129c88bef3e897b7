"""Every chain of the local world: mainnet's contracts at mainnet's addresses, and its own fees."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from lab.reading import SLOT0, price, read

from agent.errors import SetupFailed
from agent.lab.accounts import ATTENDANT
from agent.lab.build import ATTENDANT_VALUE
from agent.lab.places import PLACES
from agent.lab.pools import SEEDS
from agent.lab.rollups import ARB_GAS_INFO, ARB_SYS, NODE_INTERFACE
from agent.lab.saved import saved_worlds
from agent.lab.world import World, open_world
from agent.wire.rpc import RpcError

ALICE = "0x" + "a1" * 20
STATUS = ("latestRoundData()", "(uint80,int256,uint256,uint256,uint80)")


@pytest.fixture(scope="module", params=PLACES, ids=lambda chain: PLACES[chain].name)
def any_world(request: pytest.FixtureRequest, lab_cache: Path) -> Iterator[World]:
    with open_world(lab_cache, chain_id=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def base(lab_cache: Path) -> Iterator[World]:
    with open_world(lab_cache, chain_id=8453) as opened:
        yield opened


@pytest.fixture(scope="module")
def arbitrum(lab_cache: Path) -> Iterator[World]:
    with open_world(lab_cache, chain_id=42161) as opened:
        yield opened


def test_chain_has_its_mainnets_id_and_contracts(any_world: World) -> None:
    assert hex(any_world.chain_id) == any_world.rpc.call("eth_chainId")
    place = any_world.place
    assert any_world.addresses["spoke_pool"] == place.spoke_pool
    assert "0x" not in {
        any_world.rpc.call("eth_getCode", address, "latest")
        for address in any_world.addresses.values()
    }
    weth = (place.weth,)
    assert weth == read(any_world, place.spoke_pool, "wrappedNativeToken()", "(address)")
    assert weth == read(any_world, place.exchanges.swap_router02, "WETH9()", "(address)")
    assert (any_world.chain_id,) == read(any_world, place.spoke_pool, "chainId()", "(uint256)")


def test_pools_agree_with_the_feeds_and_know_their_averages(any_world: World) -> None:
    tokens = any_world.place.tokens
    for seed in SEEDS[any_world.chain_id]:
        pool = any_world.pool(*seed.pair, seed.fee)
        one, other = pool.symbols
        fair = any_world.price(one) / any_world.price(other)
        fair *= Decimal(10) ** (tokens[other].decimals - tokens[one].decimals)
        assert abs(price(any_world, pool) / fair - 1) < Decimal("0.0100")
        if seed.fee:
            asked = ("observe(uint32[])", "(int56[],uint160[])", [1800, 0])
            ticks, _ = read(any_world, pool.address, *asked)
            _, tick, *_ = read(any_world, pool.address, *SLOT0)
            assert abs((ticks[1] - ticks[0]) / 1800 - tick) <= 2


def test_attendant_can_fill_on_every_chain(any_world: World) -> None:
    for token in any_world.place.tokens.values():
        held = read(any_world, token.address, "balanceOf(address)", "(uint256)", ATTENDANT)
        allowed = read(
            any_world,
            token.address,
            *("allowance(address,address)", "(uint256)"),
            *(ATTENDANT, any_world.place.spoke_pool),
        )
        assert (token.raw(ATTENDANT_VALUE),) == held
        assert allowed[0] >= held[0]


def test_wallet_gets_every_token_of_the_chain(any_world: World) -> None:
    snapshot = any_world.snapshot()
    amounts = {"ETH": 3, "WETH": 4, "USDC": 5, "USDT": 6, "WBTC": 7, "DAI": 8, "AIRDROP": 9}
    any_world.fund(ALICE, amounts)
    assert "0x3" == any_world.rpc.call("eth_getBalance", ALICE, "latest")
    for symbol, raw in list(amounts.items())[1:]:
        asked = ("balanceOf(address)", "(uint256)", ALICE)
        assert (raw,) == read(any_world, any_world.addresses[symbol], *asked)
    any_world.revert(snapshot)


def test_wrapped_staked_ether_tells_its_rate_on_ethereum_alone(any_world: World) -> None:
    wsteth = any_world.place.wsteth
    any_world.fund(ALICE, {"wstETH": 5})
    assert (5,) == read(any_world, wsteth, "balanceOf(address)", "(uint256)", ALICE)
    assert ("wstETH",) == read(any_world, wsteth, "symbol()", "(string)")
    if any_world.chain_id == 1:
        assert (12 * 10**17,) == read(any_world, wsteth, "stEthPerToken()", "(uint256)")
    else:
        with pytest.raises(RpcError, match="revert"):
            read(any_world, wsteth, "stEthPerToken()", "(uint256)")


@pytest.mark.parametrize("chain_id", [8453, 42161])
def test_sequencer_was_up_long_before_the_wallet_came(lab_cache: Path, chain_id: int) -> None:
    with open_world(lab_cache, chain_id=chain_id) as rollup:
        feed = rollup.addresses["sequencer"]
        number, down, since, updated, answered_in = read(rollup, feed, *STATUS)
        assert (1, 0, 1) == (number, down, answered_in)
        assert since == updated < rollup.head()[1] - 86_400
        assert (0,) == read(rollup, feed, "decimals()", "(uint8)")


def test_arbitrum_tells_its_own_block_and_prices(arbitrum: World) -> None:
    # The node remembers the hashes of the blocks that it mined itself.
    arbitrum.mine(3)
    number, _ = arbitrum.head()
    block = arbitrum.rpc.call("eth_getBlockByNumber", hex(number - 1), False)
    assert isinstance(block, dict)
    assert (number,) == read(arbitrum, ARB_SYS, "arbBlockNumber()", "(uint256)")
    (hashed,) = read(arbitrum, ARB_SYS, "arbBlockHash(uint256)", "(bytes32)", number - 1)
    assert block["hash"] == "0x" + hashed.hex()
    (price_of_l1,) = read(arbitrum, ARB_GAS_INFO, "getL1BaseFeeEstimate()", "(uint256)")
    prices = read(arbitrum, ARB_GAS_INFO, "getPricesInWei()", "(" + ",".join(["uint256"] * 6) + ")")
    level = arbitrum.place.base_fee
    per_byte = price_of_l1 * 16
    assert (per_byte * 140, per_byte, level * 20_000, level, 0, level) == prices
    assert (level,) == read(arbitrum, ARB_GAS_INFO, "getMinimumGasPrice()", "(uint256)")


def test_ethereums_part_of_a_swaps_fee_on_arbitrum_is_about_2_percent(arbitrum: World) -> None:
    asked = (ALICE, False, b"\x11" * 320)
    l1_gas, level, price_of_l1 = read(
        arbitrum,
        NODE_INTERFACE,
        "gasEstimateL1Component(address,bool,bytes)",
        "(uint64,uint256,uint256)",
        *asked,
    )
    assert (320 + 140) * 16 * price_of_l1 // level == l1_gas
    assert 0.01 < l1_gas / 150_000 < 0.04
    assert (l1_gas + 21_000 + 16 * 320, l1_gas, level, price_of_l1) == read(
        arbitrum,
        NODE_INTERFACE,
        "gasEstimateComponents(address,bool,bytes)",
        "(uint64,uint64,uint256,uint256)",
        *asked,
    )


def test_chain_that_the_world_does_not_have_is_an_error_with_a_fix(lab_cache: Path) -> None:
    with pytest.raises(SetupFailed, match="no local chain 10") as problem:
        saved_worlds(lab_cache, [1, 10])
    assert "choose from 1, 8453, 42161" == problem.value.fix
