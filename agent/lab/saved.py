"""The built world as a saved chain in the cache, made on the first use of each version."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab import mainnet
from agent.lab.anvil import start_anvil
from agent.lab.build import Built, LabPool, build_world
from agent.lab.compiled import compiled_contracts
from agent.lab.mainnet import CHAIN_ID, FEEDS, GENESIS_TIME, TOKENS
from agent.lab.packages import artifacts, fetch_packages, node_binary
from agent.lab.pins import contract_pins, node_pin
from agent.lab.puppet import Puppet
from agent.lab.sealed import is_sealed, only_one, read_sealed, seal
from agent.wire.keccak import keccak256

TREASURY: Final = "0x" + keccak256(b"rebalancer lab treasury")[12:].hex()
"""Owns and funds everything; an address without a key, moved only by the node itself."""

KEPT_VERSIONS: Final = 4
"""Saved chains of other versions of this package that are kept; each has a few megabytes."""

_STATE: Final = "state.json"
_FACTS: Final = "facts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A saved chain and what is where on it.

    ``addresses`` are by name, tokens by symbol; ``code_hashes`` is keccak of the runtime code by
    address; ``aggregators`` are the writable sides of the feeds by asset.
    """

    state: Path
    genesis: str
    addresses: Mapping[str, str]
    code_hashes: Mapping[str, str]
    pools: tuple[LabPool, ...]
    aggregators: Mapping[str, str]
    publisher: str


def saved_world(cache: Path) -> Saved:
    """The world of this version of the package, built if *cache* does not have it.

    Raises SetupFailed when it cannot be built, or was changed after it was written.
    """
    root = cache / "lab" / "worlds"
    origin = _origin()
    folder = root / origin[:16]
    if not is_sealed(folder):
        fetch_packages(cache, [node_pin(), *contract_pins()])
        with only_one(root / ".lock"):
            if not is_sealed(folder):
                seal(folder, _build(cache), origin=origin)
                _forget_old(root, folder)
    read_sealed(folder, _STATE, origin=origin)
    return _parsed(folder / _STATE, json.loads(read_sealed(folder, _FACTS, origin=origin)))


def _origin() -> str:
    """A hash of everything that the saved chain is made from."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted([*here.glob("*.py"), *here.glob("*.toml"), *here.glob("vyper/*.vy")]):
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _build(cache: Path) -> dict[str, bytes]:
    node = start_anvil(node_binary(cache), chain_id=CHAIN_ID, genesis_time=GENESIS_TIME)
    try:
        treasury = Puppet(node.rpc, TREASURY, mines=True)
        treasury.rpc("evm_setAutomine", False)  # noqa: FBT003 - the RPC's own parameter
        built = build_world(treasury, artifacts(cache), compiled_contracts(cache))
        facts = _facts(treasury, built)
        state = str(treasury.rpc("anvil_dumpState"))
    finally:
        node.stop()
    return {
        _STATE: gzip.decompress(bytes.fromhex(state.removeprefix("0x"))),
        _FACTS: json.dumps(facts, indent=1).encode(),
    }


def _facts(treasury: Puppet, built: Built) -> dict[str, Any]:
    addresses = _addresses(built)
    genesis = treasury.rpc("eth_getBlockByNumber", "0x0", False)  # noqa: FBT003 - as above
    watched = [*addresses.values(), *(pool.address for pool in built.pools)]
    codes = treasury.batch([("eth_getCode", [address, "latest"]) for address in watched])
    if not isinstance(genesis, dict) or "0x" in codes:
        raise SetupFailed(
            "the local chain was built and lacks a contract",
            fix="report it: the chain did what it was told and is not what was meant",
        )
    return {
        "genesis": genesis["hash"],
        "addresses": addresses,
        "code_hashes": {
            address: "0x" + keccak256(bytes.fromhex(str(code)[2:])).hex()
            for address, code in zip(watched, codes, strict=True)
        },
        **asdict(built),
    }


def _addresses(built: Built) -> dict[str, str]:
    return {
        **{symbol: token.address for symbol, token in TOKENS.items()},
        "AIRDROP": mainnet.AIRDROP,
        "TAXED": mainnet.TAXED,
        "HOSTILE": mainnet.HOSTILE,
        "multicall3": mainnet.MULTICALL3,
        "v2_factory": mainnet.V2_FACTORY,
        "v2_router02": mainnet.V2_ROUTER02,
        "v3_factory": mainnet.V3_FACTORY,
        "v3_positions": mainnet.V3_POSITIONS,
        "swap_router02": mainnet.SWAP_ROUTER02,
        "quoter_v2": mainnet.QUOTER_V2,
        "publisher": built.publisher,
        **{feed.description: feed.address for feed in FEEDS.values()},
    }


def _parsed(state: Path, facts: dict[str, Any]) -> Saved:
    return Saved(
        state=state,
        genesis=facts["genesis"],
        addresses=facts["addresses"],
        code_hashes=facts["code_hashes"],
        pools=tuple(
            LabPool(address=pool["address"], fee=pool["fee"], symbols=tuple(pool["symbols"]))
            for pool in facts["pools"]
        ),
        aggregators=facts["aggregators"],
        publisher=facts["publisher"],
    )


def _forget_old(root: Path, newest: Path) -> None:
    others = [folder for folder in root.iterdir() if folder.is_dir() and folder != newest]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in others[KEPT_VERSIONS:]:
        shutil.rmtree(folder, ignore_errors=True)
