"""Uniswap's smart-order-router beside ours: the same pools, the same chain, the same gas.

It is installed by npm below the cache when it is asked for, without running any package's own
scripts, at the versions of one day; what npm installed, to the hash of each package, must be what
is pinned here. Its contracts (a multicall, a quoter of mixed routes) come from Uniswap's packages.
"""

import hashlib
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.core.amm.path import Hop, Pool
from agent.core.amm.split import Split, quote_split
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.lab import mainnet
from agent.lab.mainnet import TOKENS
from agent.lab.world import World
from agent.venues._discovery import pair
from agent.venues._paths import RATE_UNIT, Search
from agent.venues._split import Filler, Filling, split_gas
from scripts.npm_packages import node_command

PACKAGE = "@uniswap/smart-order-router@4.31.10"
BEFORE = "2026-11-26"
INSTALLED = "d92066054fe5ccf8437b12ff1d4d248cc92a1b8b53392c30cdfee1b55adfe993"
"""SHA-256 of the names, versions and integrities of all that npm then installs."""

MULTICALL = "0x1F98415757620B543A52E61c46B32eB19261F984"
"""Where smart-order-router looks for Uniswap's multicall on Ethereum (its util/addresses.ts)."""

_LENS = "{0}/artifacts/contracts/lens/{1}.sol/{1}.json"
ARTIFACTS = {
    "multicall": _LENS.format("v3-periphery", "UniswapInterfaceMulticall"),
    "mixed": _LENS.format("swap-router-contracts", "MixedRouteQuoterV1"),
}
DEPLOYER = "0x" + "ab" * 20
GAS_PRICE_WEI = 2 * 10**9
PROBE_WEI = 10**16
ROUNDS = 3
SWAPS = (
    # What is sold, for how many USD, and what is bought.
    ("WETH", 20_000, "USDC"),
    ("WETH", 300_000, "USDC"),
    ("WETH", 50_000, "USDT"),
    ("USDC", 100_000, "WETH"),
    ("WBTC", 50_000, "DAI"),
    ("DAI", 50_000, "WBTC"),
    ("USDT", 200_000, "WBTC"),
    ("WBTC", 200_000, "WETH"),
)
TIMEOUT_SECONDS = 600


class NotRunError(Exception):
    """Why it cannot be run here."""


def installed(cache: Path) -> Path:
    """The folder of packages, after installing them if need be; raises NotRunError."""
    folder = cache / "scripts" / "order-router"
    lock = folder / "package-lock.json"
    if not lock.is_file():
        _install(folder)
    found = _fingerprint(lock)
    if found != INSTALLED:
        raise NotRunError(f"npm installed other packages than are pinned: {found} in {folder}")
    return folder / "node_modules"


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotRunError("npm is not on the path")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    options = ["--ignore-scripts", "--no-audit", "--no-fund", f"--before={BEFORE}"]
    try:
        subprocess.run(
            [npm, "install", *options, PACKAGE],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as fault:
        raise NotRunError(f"npm could not install {PACKAGE}: {type(fault).__name__}") from None


def _fingerprint(lock: Path) -> str:
    packages = json.loads(lock.read_text())["packages"]
    lines = sorted(
        f"{name} {each.get('version')} {each.get('integrity')}"
        for name, each in packages.items()
        if name
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def compared(world: World, pools: Mapping[Address, Pool], packages: Path) -> dict[str, Any]:
    """Both routers on the same swaps; raises NotRunError where theirs does not run."""
    question = _question(world, pools, packages)
    try:
        ran = subprocess.run(
            [*node_command(), str(Path(__file__).with_suffix(".cjs")), str(packages)],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as fault:
        raise NotRunError(f"it failed: {fault.stderr.strip().splitlines()[0]}") from None
    except subprocess.TimeoutExpired:
        raise NotRunError(f"it took more than {TIMEOUT_SECONDS} s") from None
    by_pair: dict[tuple[Address, Address], list[Pool]] = {}
    for pool in pools.values():
        by_pair.setdefault(pair(pool.token0, pool.token1), []).append(pool)
    answers = list(zip(question["swaps"], json.loads(ran.stdout), strict=True))
    rows = [_row(by_pair, pools, swap, each) for swap, each in answers if "failed" not in each]
    failures = [{**swap, **each} for swap, each in answers if "failed" in each]
    if not rows:
        raise NotRunError(f"it answers nothing: {failures[0]['failed']}")
    return {
        "version": PACKAGE,
        "pools": len(pools),
        "gas_price_wei": GAS_PRICE_WEI,
        "swaps": rows,
        "it_failed_at": failures,
        "its_answers_that_our_quotes_repeat": sum(row["is_repeated"] for row in rows),
        "ours_nets_less_in": sum(row["gained_bp"] < 0 for row in rows),
        "gained_bp": {
            "least": min(row["gained_bp"] for row in rows),
            "median": statistics.median(row["gained_bp"] for row in rows),
            "most": max(row["gained_bp"] for row in rows),
        },
        # Ours has read the pools before, once for a block; its asks the node for each quote.
        "median_ms": {
            "ours": statistics.median(row["our_ms"] for row in rows),
            "its": statistics.median(row["its_ms"] for row in rows),
        },
    }


def _question(world: World, pools: Mapping[Address, Pool], packages: Path) -> dict[str, Any]:
    artifacts = {
        name: json.loads((packages / "@uniswap" / path).read_text())
        for name, path in ARTIFACTS.items()
    }
    world.rpc.call("anvil_setCode", MULTICALL, artifacts["multicall"]["deployedBytecode"])
    ends = mainnet.V3_FACTORY, mainnet.V2_FACTORY, mainnet.WETH
    words = "".join(address[2:].rjust(64, "0") for address in ends)
    world.rpc.call("anvil_setBalance", DEPLOYER, hex(10**20))
    world.rpc.call("anvil_impersonateAccount", DEPLOYER)
    deploying = {"from": DEPLOYER, "data": artifacts["mixed"]["bytecode"] + words}
    sent = world.rpc.call("eth_sendTransaction", {**deploying, "gas": hex(6_000_000)})
    world.mine()
    quoter = world.rpc.call("eth_getTransactionReceipt", sent)["contractAddress"]
    return {
        "url": world.url,
        "chainId": mainnet.CHAIN_ID,
        "tokens": [
            {"address": token.address, "decimals": token.decimals, "symbol": symbol}
            for symbol, token in TOKENS.items()
        ],
        "v2": [_described(pool) for pool in pools.values() if not isinstance(pool, V3Pool)],
        "v3": [_described(pool) for pool in pools.values() if isinstance(pool, V3Pool)],
        "quoter": mainnet.QUOTER_V2,
        "mixedQuoter": quoter,
        "gasPriceWei": str(GAS_PRICE_WEI),
        "rounds": ROUNDS,
        "swaps": [
            {
                "sell": TOKENS[sell].address,
                "buy": TOKENS[buy].address,
                "amount": str(TOKENS[sell].raw(Decimal(usd))),
            }
            for sell, usd, buy in SWAPS
        ],
    }


def _described(pool: Pool) -> dict[str, Any]:
    """A pool; all hold the same, so that none is left out for holding little."""
    said: dict[str, Any] = {"address": pool.address, "token0": pool.token0, "token1": pool.token1}
    if isinstance(pool, V3Pool):
        said |= {"fee": pool.fee, "liquidity": str(pool.liquidity)}
    return {**said, "ether": 1000, "usd": 2_000_000}


def _row(
    by_pair: Mapping[tuple[Address, Address], Sequence[Pool]],
    pools: Mapping[Address, Pool],
    swap: Mapping[str, str],
    answer: Mapping[str, Any],
) -> dict[str, Any]:
    sell, buy, amount = Address(swap["sell"]), Address(swap["buy"]), int(swap["amount"])
    hubs = [Address(token.address) for token in TOKENS.values()]
    wrapped = Address(mainnet.WETH)
    probe = PROBE_WEI
    if buy != wrapped:
        found = Search(by_pair, hubs).best(wrapped, buy, PROBE_WEI)
        assert found is not None
        probe = found.amount_out
    rate = probe * GAS_PRICE_WEI * RATE_UNIT // PROBE_WEI
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ours = Filler(Search(by_pair, hubs)).best(sell, buy, amount, rate)
        took.append((time.perf_counter() - started) * 1000)
    theirs = quote_split(
        [(_hops(pools, sell, share["pools"]), int(share["amount"])) for share in answer["shares"]]
    )
    assert ours is not None
    assert isinstance(theirs, Split)
    its_net = Filling(theirs, split_gas(theirs)).net(rate)[0]
    return {
        "amount": amount,
        "sell": sell,
        "buy": buy,
        "our_out": ours.split.amount_out,
        "its_out": int(answer["out"]),
        "is_repeated": int(answer["out"]) == theirs.amount_out,
        "our_shares": len(ours.split.shares),
        "its_shares": len(theirs.shares),
        "gained_bp": (ours.net(rate)[0] - its_net) / theirs.amount_out * 10_000,
        "our_ms": statistics.median(took),
        "its_ms": statistics.median(answer["milliseconds"][1:]),
        "its_first_ms": answer["milliseconds"][0],
    }


def _hops(pools: Mapping[Address, Pool], sell: Address, path: Sequence[str]) -> list[Hop]:
    hops = []
    token = sell
    for address in path:
        pool = pools[Address(address)]
        other = pool.token1 if token == pool.token0 else pool.token0
        hops.append(Hop(pool=pool, token_in=token, token_out=other))
        token = other
    return hops
