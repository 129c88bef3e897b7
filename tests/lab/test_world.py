"""The local world: mainnet's contracts at mainnet's addresses, and everything that moves it."""

import ast
import shutil
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from lab.reading import ALICE, BOB, QUOTE, SLOT0, balance, price, read

from agent.errors import SetupFailed
from agent.lab import mainnet, saved
from agent.lab.accounts import TREASURY
from agent.lab.anvil import STATES_KEPT
from agent.lab.build import Built
from agent.lab.mainnet import FEEDS, TOKENS
from agent.lab.places import PLACES
from agent.lab.pools import SEEDS, PoolSeed
from agent.lab.puppet import Puppet, tx
from agent.lab.saved import saved_world, saved_worlds
from agent.lab.world import World
from agent.wire.keccak import keccak256

LAB = Path(saved.__file__).parent
ROUND = ("latestRoundData()", "(uint80,int256,uint256,uint256,uint80)")


@pytest.mark.parametrize("seed", SEEDS[1], ids=lambda seed: f"{'/'.join(seed.symbols)}-{seed.fee}")
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


def test_chain_is_ethereum_by_id_and_not_by_genesis(world: World) -> None:
    assert "0x1" == world.rpc.call("eth_chainId")
    block = world.rpc.call("eth_getBlockByNumber", "0x0", False)
    assert isinstance(block, dict)
    assert world.genesis == block["hash"]
    # Ethereum's own, https://eips.ethereum.org/EIPS/eip-2124, the first example.
    assert "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3" != world.genesis


def test_code_hashes_are_those_of_the_code_that_is_there(world: World) -> None:
    pools = {pool.address for pool in world.pools}
    assert {*world.addresses.values(), *pools} <= set(world.code_hashes)
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


@pytest.mark.parametrize(
    "seed",
    [seed for seed in SEEDS[1] if seed.fee],
    ids=lambda seed: f"{'/'.join(seed.symbols)}-{seed.fee}",
)
def test_v3_pool_knows_its_average_price_of_half_an_hour(world: World, seed: PoolSeed) -> None:
    address = world.pool(*seed.pair, seed.fee).address
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


def test_what_is_sent_right_after_a_revert_is_mined(chain: World) -> None:
    head = chain.head()
    for _ in range(15):
        snapshot = chain.snapshot()
        chain.publish()
        chain.mine(3)
        chain.revert(snapshot)
    assert head == chain.head()


def test_revert_forgets_what_waits_to_be_mined(chain: World) -> None:
    snapshot = chain.snapshot()
    chain.rpc.call("evm_setAutomine", False)
    sent = {"from": TREASURY, "to": ALICE, "value": "0x1", "gas": "0x5208"}
    chain.rpc.call("eth_sendTransaction", sent)
    chain.revert(snapshot)
    assert {"pending": "0x0", "queued": "0x0"} == chain.rpc.call("txpool_status")


def test_time_goes_on_from_where_it_was_set(chain: World) -> None:
    later = chain.head()[1] + 1000
    chain.set_time(later)
    assert later == chain.head()[1]
    chain.mine(3)
    # The node's clock runs on between the blocks, as it should.
    assert later + 3 <= chain.head()[1] < later + 120
    with pytest.raises(SetupFailed, match="evm_setNextBlockTimestamp"):
        chain.set_time(later - 10)


def test_world_is_loaded_from_the_cache_when_it_was_built(
    lab_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = saved_world(lab_cache)
    monkeypatch.setattr(saved, "_build", lambda *_: pytest.fail("built again"))
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


def imported_in_the_lab(module: str) -> set[str]:
    tree = ast.parse((LAB / f"{module}.py").read_text())
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agent.lab")
        for name in [*(node.module or "").split(".")[2:3], *(alias.name for alias in node.names)]
    }
    return {name for name in names if (LAB / f"{name}.py").is_file()}


def test_world_is_made_again_when_anything_that_it_is_made_by_changes() -> None:
    seen: set[str] = set()
    new = {"saved"}
    while new:
        seen |= new
        new = {name for module in new for name in imported_in_the_lab(module)} - seen
    assert {f"{name}.py" for name in seen} | {"packages.toml"} == set(saved.INGREDIENTS)


def test_world_built_again_is_the_same_world(lab_cache: Path, tmp_path: Path) -> None:
    expected = saved_worlds(lab_cache, PLACES)
    worlds = tmp_path / "lab/worlds"
    for number in range(saved.KEPT_VERSIONS + 1):
        (worlds / f"old{number}").mkdir(parents=True)
    for part in ("npm", "vyper"):
        (tmp_path / "lab" / part).symlink_to(lab_cache / "lab" / part)
    built = saved_worlds(tmp_path, PLACES)
    assert {
        chain: replace(found, state=built[chain].state) for chain, found in expected.items()
    } == built
    assert saved.KEPT_VERSIONS + 2 == len(list(worlds.iterdir())), "kept, the new one, the lock"


def test_saved_world_that_was_changed_is_refused(lab_cache: Path, tmp_path: Path) -> None:
    state = saved_world(lab_cache).state
    worlds = state.parent.parent.parent
    changed = tmp_path / "lab/worlds" / state.relative_to(worlds)
    shutil.copytree(state.parent, changed.parent)
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
