"""The local world: mainnet's contracts at mainnet's addresses, and everything that moves it."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.errors import SetupFailed
from agent.lab import mainnet, saved
from agent.lab.abi import answer, call_bytes
from agent.lab.anvil import STATES_KEPT
from agent.lab.build import Built, LabPool
from agent.lab.feeds import FeedPublisher
from agent.lab.mainnet import FEEDS, TOKENS
from agent.lab.pools import SEEDS, PoolSeed
from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.saved import saved_world
from agent.lab.world import World, open_world
from agent.wire.keccak import keccak256
from agent.wire.rpc import RpcError

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
SLOT0 = ("slot0()", "(uint160,int24,uint16,uint16,uint16,uint8,bool)")
ROUND = ("latestRoundData()", "(uint80,int256,uint256,uint256,uint80)")
QUOTE = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"


def read(world: World, to: str, signature: str, types: str, *arguments: Any) -> tuple[Any, ...]:
    call = {"to": to, "data": call_bytes(signature, *arguments)}
    return answer(types, str(world.rpc.call("eth_call", call, "latest")))


def balance(world: World, symbol: str, account: str = ALICE) -> int:
    (raw,) = read(world, world.addresses[symbol], "balanceOf(address)", "(uint256)", account)
    return int(raw)


def price(world: World, pool: LabPool) -> Decimal:
    """Base units of token1 for one of token0."""
    if pool.fee:
        root = Decimal(read(world, pool.address, *SLOT0)[0])
        return root * root / 2**192
    reserves = read(world, pool.address, "getReserves()", "(uint112,uint112,uint32)")
    return Decimal(reserves[1]) / Decimal(reserves[0])


def pool_id(pool: LabPool) -> str:
    return f"{'/'.join(pool.symbols)}-{pool.fee}"


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{'/'.join(seed.symbols)}-{seed.fee}")
def test_pool_price_agrees_with_the_feeds_within_100_bps(world: World, seed: PoolSeed) -> None:
    pool = world.pool(*seed.pair, seed.fee)
    one, other = pool.symbols
    fair = world.price(one) / world.price(other)
    fair *= Decimal(10) ** (TOKENS[other].decimals - TOKENS[one].decimals)
    assert abs(price(world, pool) / fair - 1) < Decimal("0.0100")


def test_pools_disagree_with_each_other_a_little(world: World) -> None:
    found = {price(world, pool) for pool in world.pools if set(pool.symbols) == {"WETH", "USDC"}}
    assert 5 == len(found)


@pytest.mark.parametrize(
    ("pair", "fee", "address"),
    [
        (("WETH", "USDC"), 0, "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"),
        (("WETH", "USDC"), 500, "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"),
    ],
)
def test_pool_has_the_address_that_it_has_on_mainnet(
    world: World, pair: tuple[str, str], fee: int, address: str
) -> None:
    assert address == world.pool(*pair, fee).address


def test_usdc_signs_for_the_domain_that_it_has_on_mainnet(world: World) -> None:
    (domain,) = read(world, mainnet.USDC, "DOMAIN_SEPARATOR()", "(bytes32)")
    assert "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335" == domain.hex()


@pytest.mark.parametrize("symbol", TOKENS)
def test_token_says_its_symbol_and_decimals(world: World, symbol: str) -> None:
    token = TOKENS[symbol]
    assert (symbol,) == read(world, token.address, "symbol()", "(string)")
    assert (token.decimals,) == read(world, token.address, "decimals()", "(uint256)")


def test_airdrop_differs_from_usdc_by_its_address_only(world: World) -> None:
    for signature, types in (
        ("name()", "(string)"),
        ("symbol()", "(string)"),
        ("decimals()", "(uint8)"),
    ):
        real = read(world, world.addresses["USDC"], signature, types)
        assert real == read(world, world.addresses["AIRDROP"], signature, types)


def test_chain_is_ethereum_by_id_and_not_by_genesis(world: World) -> None:
    assert "0x1" == world.rpc.call("eth_chainId")
    block = world.rpc.call("eth_getBlockByNumber", "0x0", False)
    assert isinstance(block, dict)
    assert world.genesis == block["hash"]
    # Ethereum's own, https://eips.ethereum.org/EIPS/eip-2124, the first example.
    assert "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3" != world.genesis


def test_code_hashes_are_those_of_the_code_that_is_there(world: World) -> None:
    assert set(world.addresses.values()) | {pool.address for pool in world.pools} == set(
        world.code_hashes
    )
    for address, expected in world.code_hashes.items():
        code = str(world.rpc.call("eth_getCode", address, "latest"))
        assert expected == "0x" + keccak256(bytes.fromhex(code[2:])).hex()


def test_finalized_follows_the_head(chain: World) -> None:
    chain.mine(5)
    finalized = chain.rpc.call("eth_getBlockByNumber", "finalized", False)
    assert isinstance(finalized, dict)
    assert chain.head()[0] - 2 == int(str(finalized["number"]), 16)


@pytest.mark.parametrize("asset", FEEDS)
def test_feed_looks_like_chainlinks(chain: World, asset: str) -> None:
    feed = FEEDS[asset]
    round_id, answered, started, updated, answered_in = read(chain, feed.address, *ROUND)
    assert feed.price == Decimal(answered).scaleb(-8)
    assert 1 == round_id >> 64
    assert round_id == answered_in
    assert started == updated == chain.head()[1]
    assert (8,) == read(chain, feed.address, "decimals()", "(uint8)")
    assert (feed.description,) == read(chain, feed.address, "description()", "(string)")
    assert (4,) == read(chain, feed.address, "version()", "(uint256)")
    (aggregator,) = read(chain, feed.address, "aggregator()", "(address)")
    assert (feed.lowest.scaleb(8),) == read(chain, aggregator, "minAnswer()", "(int192)")
    assert (feed.highest.scaleb(8),) == read(chain, aggregator, "maxAnswer()", "(int192)")
    earlier = read(chain, feed.address, "getRoundData(uint80)", ROUND[1], round_id - 1)
    assert (round_id - 1, answered) == earlier[:2]


def test_feed_is_written_by_its_publisher_alone(chain: World) -> None:
    stranger = Puppet(chain.rpc, BOB)
    (aggregator,) = read(chain, FEEDS["ETH"].address, "aggregator()", "(address)")
    with pytest.raises(SetupFailed, match="reverted"):
        stranger.send(tx(aggregator, "set_answer(int256,uint256)", 1, 1))
    with pytest.raises(SetupFailed, match="reverted"):
        stranger.send(tx(chain.addresses["publisher"], "refresh(uint256)", 0))


def test_set_price_changes_one_feed_and_publish_keeps_it(chain: World) -> None:
    chain.set_price("WETH", Decimal("2875.5"))
    chain.publish()
    assert Decimal("2875.5") == chain.price("ETH")
    assert Decimal(60_000) == chain.price("WBTC")


def test_publish_makes_all_feeds_as_old_as_the_head(chain: World) -> None:
    now = chain.head()[1] + 86_400
    chain.set_time(now)
    chain.publish(now + 7)
    assert now + 7 == chain.head()[1]
    ages = {read(chain, feed.address, *ROUND)[3] for feed in FEEDS.values()}
    assert {now + 7} == ages


def test_publisher_keeps_feeds_fresh_until_it_is_told_to_stop(chain: World) -> None:
    before = read(chain, FEEDS["DAI"].address, *ROUND)[0]
    with FeedPublisher(chain, every_seconds=0.02) as publisher:
        deadline = time.monotonic() + 20
        while read(chain, FEEDS["DAI"].address, *ROUND)[0] < before + 3:
            assert time.monotonic() < deadline
    stopped_at = chain.head()[0]
    time.sleep(0.1)
    assert stopped_at == chain.head()[0]
    assert publisher.fault is None


def test_publisher_says_why_it_gave_up(lab_cache: Path) -> None:
    with open_world(lab_cache) as lost, FeedPublisher(lost, every_seconds=0.02) as publisher:
        lost.stop()
        publisher._thread.join(20)
        assert isinstance(publisher.fault, SetupFailed)


@pytest.mark.parametrize(
    "pool",
    [seed for seed in SEEDS if seed.fee],
    ids=lambda seed: f"{'/'.join(seed.symbols)}-{seed.fee}",
)
def test_v3_pool_knows_its_average_price_of_half_an_hour(world: World, pool: PoolSeed) -> None:
    address = world.pool(*pool.pair, pool.fee).address
    ticks, _ = read(world, address, "observe(uint32[])", "(int56[],uint160[])", [1800, 0])
    _, tick, _, cardinality, *_ = read(world, address, *SLOT0)
    assert abs((ticks[1] - ticks[0]) / 1800 - tick) <= 2
    assert cardinality >= 16


def cost_bps(world: World, path: list[str], fees: list[int], value: int) -> Decimal:
    """What a trade of *value* USD loses against the feeds on a path of v3 pools."""
    amount = TOKENS[path[0]].raw(Decimal(value))
    for (sell, buy), fee in zip(pairwise(path), fees, strict=True):
        question = (TOKENS[sell].address, TOKENS[buy].address, amount, fee, 0)
        amount = read(
            world, mainnet.QUOTER_V2, QUOTE, "(uint256,uint160,uint32,uint256)", question
        )[0]
    return (1 - Decimal(amount) / TOKENS[path[-1]].raw(Decimal(value))) * 10_000


@pytest.mark.parametrize(
    ("path", "fees"),
    [
        (["WETH", "USDC"], [500]),
        (["USDC", "WETH"], [500]),
        (["WETH", "WBTC"], [500]),
        (["WBTC", "WETH", "USDC"], [500, 500]),
        (["USDC", "WETH", "WBTC"], [500, 500]),
        (["WETH", "USDT"], [500]),
        (["DAI", "USDC", "WETH"], [100, 500]),
    ],
    ids=lambda each: "-".join(map(str, each)),
)  # fmt: skip
def test_trade_of_20000_usd_costs_little_on_a_good_path(
    world: World, path: list[str], fees: list[int]
) -> None:
    assert 5 <= cost_bps(world, path, fees, 20_000) <= 30


def test_trade_of_20000_usd_is_too_large_for_a_thin_pool(world: World) -> None:
    assert cost_bps(world, ["WBTC", "USDT"], [10_000], 20_000) > 1000


def test_large_trade_crosses_ticks(world: World) -> None:
    question = (
        TOKENS["WETH"].address,
        TOKENS["USDC"].address,
        TOKENS["WETH"].raw(Decimal(100_000)),
        500,
        0,
    )
    crossed = read(world, mainnet.QUOTER_V2, QUOTE, "(uint256,uint160,uint32,uint256)", question)[2]
    assert crossed >= 2


def test_quote_is_what_the_router_then_pays(chain: World) -> None:
    alice, amount = Puppet(chain.rpc, ALICE), 2 * 10**18
    chain.fund(ALICE, {"WETH": amount})
    question = (mainnet.WETH, mainnet.USDC, amount, 500, 0)
    expected = read(chain, mainnet.QUOTER_V2, QUOTE, "(uint256,uint160,uint32,uint256)", question)[
        0
    ]
    alice.send(
        tx(mainnet.WETH, "approve(address,uint256)", mainnet.SWAP_ROUTER02, amount),
        tx(
            mainnet.SWAP_ROUTER02,
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
            (mainnet.WETH, mainnet.USDC, 500, ALICE, amount, expected, 0),
        ),
    )
    assert expected == balance(chain, "USDC")
    assert 0 == balance(chain, "WETH")


def test_multicall_reads_several_contracts_at_one_block(world: World) -> None:
    calls = [
        (mainnet.USDC, False, bytes.fromhex(call_bytes("decimals()")[2:])),
        (mainnet.AIRDROP, True, b"\1\2\3\4"),
    ]
    (results,) = read(
        world, mainnet.MULTICALL3, "aggregate3((address,bool,bytes)[])", "((bool,bytes)[])", calls
    )
    assert [(True, 6), (False, 0)] == [(ok, int.from_bytes(raw, "big")) for ok, raw in results]


def test_fund_adds_what_it_is_told(chain: World) -> None:
    amounts = {
        "ETH": 1,
        "WETH": 2,
        "USDC": 3,
        "USDT": 4,
        "WBTC": 5,
        "DAI": 6,
        "AIRDROP": 7,
        "TAXED": 8,
    }
    chain.fund(ALICE, amounts)
    chain.fund(ALICE, amounts)
    chain.fund(ALICE, {})
    assert "0x2" == chain.rpc.call("eth_getBalance", ALICE, "latest")
    found = {symbol: balance(chain, symbol) for symbol in amounts if symbol != "ETH"}
    assert {symbol: 2 * raw for symbol, raw in amounts.items() if symbol != "ETH"} == found


def test_treasury_serves_many_threads_at_once(chain: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda _: chain.fund(ALICE, {"USDC": 1, "USDT": 2}), range(24)):
            pass
    assert (24, 48) == (balance(chain, "USDC"), balance(chain, "USDT"))


def test_fund_refuses_a_symbol_that_it_does_not_know(world: World) -> None:
    with pytest.raises(SetupFailed, match="has no DOGE") as problem:
        world.fund(ALICE, {"DOGE": 1})
    assert "choose from ETH, WETH, USDC, USDT, WBTC, DAI, AIRDROP, TAXED" == problem.value.fix


def test_usdt_returns_nothing(chain: World) -> None:
    chain.fund(ALICE, {"USDT": 10})
    for signature, arguments in (
        ("transfer(address,uint256)", (BOB, 1)),
        ("approve(address,uint256)", (BOB, 1)),
        ("transferFrom(address,address,uint256)", (ALICE, BOB, 0)),
    ):
        call = {"from": ALICE, "to": mainnet.USDT, "data": call_bytes(signature, *arguments)}
        assert "0x" == chain.rpc.call("eth_call", call, "latest")


def test_usdt_changes_an_allowance_only_to_and_from_zero(chain: World) -> None:
    alice = Puppet(chain.rpc, ALICE)
    approve = "approve(address,uint256)"
    alice.send(tx(mainnet.USDT, approve, BOB, 5))
    with pytest.raises(SetupFailed, match="reverted"):
        alice.send(tx(mainnet.USDT, approve, BOB, 6))
    alice.send(tx(mainnet.USDT, approve, BOB, 0), tx(mainnet.USDT, approve, BOB, 6))
    assert (6,) == read(chain, mainnet.USDT, "allowance(address,address)", "(uint256)", ALICE, BOB)


def test_usdt_can_charge_and_block_as_on_mainnet(chain: World) -> None:
    alice, treasury = Puppet(chain.rpc, ALICE), Puppet(chain.rpc, saved.TREASURY)
    chain.fund(ALICE, {"USDT": 30_000})
    treasury.send(tx(mainnet.USDT, "setParams(uint256,uint256)", 10, 1))
    alice.send(tx(mainnet.USDT, "transfer(address,uint256)", BOB, 10_000))
    assert 9_990 == balance(chain, "USDT", BOB)
    treasury.send(tx(mainnet.USDT, "addBlackList(address)", ALICE))
    with pytest.raises(SetupFailed, match="reverted"):
        alice.send(tx(mainnet.USDT, "transfer(address,uint256)", BOB, 1))


def test_taxed_token_delivers_less_than_was_sent(chain: World) -> None:
    chain.fund(ALICE, {"TAXED": 1000})
    Puppet(chain.rpc, ALICE).send(tx(mainnet.TAXED, "transfer(address,uint256)", BOB, 1000))
    assert 990 == balance(chain, "TAXED", BOB)


def test_hostile_token_lies_and_burns_gas(chain: World) -> None:
    Puppet(chain.rpc, ALICE).send(tx(mainnet.HOSTILE, "transfer(address,uint256)", BOB, 1))
    assert 10**30 == balance(chain, "HOSTILE", BOB)
    Puppet(chain.rpc, saved.TREASURY).send(tx(mainnet.HOSTILE, "set_burns_gas(bool)", True))
    call = {
        "to": mainnet.HOSTILE,
        "data": call_bytes("balanceOf(address)", BOB),
        "gas": hex(3_000_000),
    }
    with pytest.raises(RpcError, match=r"(?i)gas"):
        chain.rpc.call("eth_call", call, "latest")


@pytest.mark.parametrize("bps", [150, -150])
def test_move_pool_moves_its_price_by_what_it_is_told(chain: World, bps: int) -> None:
    pool = chain.pool("WETH", "USDC", 500)
    before = price(chain, pool)
    chain.move_pool(pool, bps)
    moved = (price(chain, pool) / before - 1) * 10_000
    assert abs(moved - bps) < Decimal("0.01")


def test_pool_that_is_not_there_is_a_key_error(world: World) -> None:
    with pytest.raises(KeyError, match="DAI"):
        world.pool("DAI", "WBTC", 100)


def test_revert_undoes_everything_since_the_snapshot(chain: World) -> None:
    head, snapshot = chain.head(), chain.snapshot()
    chain.fund(ALICE, {"DAI": 5})
    chain.mine(STATES_KEPT + 2)
    chain.revert(snapshot)
    assert (0, head) == (balance(chain, "DAI"), chain.head())
    with pytest.raises(SetupFailed, match="no snapshot"):
        chain.revert(snapshot)


def test_time_goes_on_from_where_it_was_set(chain: World) -> None:
    later = chain.head()[1] + 1000
    chain.set_time(later)
    assert later == chain.head()[1]
    chain.mine(3)
    assert later + 3 == chain.head()[1]
    with pytest.raises(SetupFailed, match="evm_setNextBlockTimestamp"):
        chain.set_time(later - 10)


def test_puppet_reports_a_node_that_does_not_mine(
    chain: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.lab.puppet.TIMEOUT_SECONDS", 0.2)
    chain.rpc.call("evm_setAutomine", False)
    try:
        with pytest.raises(SetupFailed, match="1 transactions are not mined"):
            Puppet(chain.rpc, ALICE).send(Tx(to=BOB, input="0x", what="nothing"))
    finally:
        chain.rpc.call("anvil_dropAllTransactions")
        chain.rpc.call("evm_setAutomine", True)


def test_world_is_loaded_from_the_cache_when_it_was_built(
    lab_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = saved_world(lab_cache)
    monkeypatch.setattr(saved, "_build", lambda cache: pytest.fail("built again"))
    assert first == saved_world(lab_cache)


def test_world_of_other_sources_is_another_world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vyper").mkdir()
    (tmp_path / "vyper/box.vy").write_text("a")
    monkeypatch.setattr(saved, "__file__", str(tmp_path / "saved.py"))
    before = saved._origin()
    assert before == saved._origin()
    (tmp_path / "vyper/box.vy").write_text("b")
    assert before != saved._origin()


def test_world_built_again_is_the_same_world(lab_cache: Path, tmp_path: Path) -> None:
    expected = saved_world(lab_cache)
    worlds = tmp_path / "lab/worlds"
    for number in range(saved.KEPT_VERSIONS + 1):
        (worlds / f"old{number}").mkdir(parents=True)
    for part in ("npm", "vyper"):
        (tmp_path / "lab" / part).symlink_to(lab_cache / "lab" / part)
    built = saved_world(tmp_path)
    assert replace(expected, state=built.state) == built
    assert saved.KEPT_VERSIONS + 2 == len(list(worlds.iterdir())), "kept, the new one, the lock"


def test_saved_world_that_was_changed_is_refused(lab_cache: Path, tmp_path: Path) -> None:
    worlds = saved_world(lab_cache).state.parent.parent
    shutil.copytree(worlds, tmp_path / "lab/worlds")
    changed = tmp_path / "lab/worlds" / saved_world(lab_cache).state.parent.name / "state.json"
    changed.write_bytes(changed.read_bytes().replace(b"0x", b"0X", 1))
    with pytest.raises(SetupFailed, match=r"state\.json is not what was put there"):
        saved_world(tmp_path)


def test_world_without_a_contract_is_refused(
    lab_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("npm", "vyper"):
        (tmp_path / "lab").mkdir(exist_ok=True)
        (tmp_path / "lab" / part).symlink_to(lab_cache / "lab" / part)
    nothing = Built(pools=(), aggregators={}, publisher=ALICE)
    monkeypatch.setattr(saved, "build_world", lambda *_: nothing)
    with pytest.raises(SetupFailed, match="lacks a contract"):
        saved_world(tmp_path)
    assert [".lock"] == [entry.name for entry in (tmp_path / "lab/worlds").iterdir()]
