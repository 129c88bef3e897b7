"""The built chains, saved in the cache, made on the first use of each version."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from agent.errors import SetupFailed
from agent.lab import places
from agent.lab.accounts import ATTENDANT, TREASURY
from agent.lab.anvil import start_anvil
from agent.lab.build import Built, LabPool, build_world
from agent.lab.compiled import compiled_contracts
from agent.lab.contracts import Artifact
from agent.lab.packages import artifacts, fetch_packages, node_binary
from agent.lab.pins import contract_pins, node_pin
from agent.lab.places import GENESIS_TIME, PLACES, Place
from agent.lab.providers import put_providers, sources
from agent.lab.puppet import Puppet
from agent.lab.rollups import rollup_addresses
from agent.lab.sealed import is_sealed, only_one, read_sealed, seal
from agent.lab.spoke_pool import let_spend
from agent.wire.keccak import keccak256

KEPT_VERSIONS: Final = 12
"""Saved worlds of other versions of this package that are kept; each chain has a few megabytes,
and checkouts side by side must not remove each other's."""

INGREDIENTS: Final = (
    *("abi.py", "accounts.py", "anvil.py", "build.py", "child.py", "compiled.py", "contracts.py"),
    *("homes.py", "npm.py", "packages.py", "packages.toml", "pins.py", "places.py", "pools.py"),
    *("puppet.py", "rollups.py", "saved.py", "sealed.py", "spoke_pool.py"),
)
"""Files of this folder that a saved chain is made by or of, beside what is in the folders of the
providers and of our contracts; a change of another builds nothing."""

_STATE: Final = "state.json"
_FACTS: Final = "facts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A saved chain and what is where on it.

    ``place`` is which of the world's chains it is.

    ``addresses`` are by name, tokens by symbol; ``code_hashes`` is keccak of the runtime code by
    address; ``aggregators`` are the writable sides of the feeds by asset.
    """

    place: Place
    state: Path
    genesis: str
    addresses: Mapping[str, str]
    code_hashes: Mapping[str, str]
    pools: tuple[LabPool, ...]
    aggregators: Mapping[str, str]
    publisher: str


def saved_world(cache: Path, chain_id: int = 1) -> Saved:
    """One chain of this version of the package, built if *cache* does not have it.

    Raises SetupFailed when it cannot be built, or was changed after it was written.
    """
    return saved_worlds(cache, [chain_id])[chain_id]


def saved_worlds(cache: Path, chains: Collection[int]) -> dict[int, Saved]:
    """Several chains by their id, those that *cache* does not have built side by side.

    Raises SetupFailed as `saved_world` does, and for an id that the world does not have.
    """
    for chain in chains:
        if chain not in PLACES:
            known = ", ".join(map(str, PLACES))
            raise SetupFailed(f"there is no local chain {chain}", fix=f"choose from {known}")
    root = cache / "lab" / "worlds"
    origin = _origin()
    folders = {chain: root / origin[:16] / str(chain) for chain in chains}
    if _missing(folders):
        fetch_packages(cache, [node_pin(), *contract_pins()])
        with only_one(root / ".lock"):
            _build_missing(cache, _missing(folders), origin)
            _forget_old(root, root / origin[:16])
    return {chain: _read(PLACES[chain], folder, origin) for chain, folder in folders.items()}


def _missing(folders: Mapping[int, Path]) -> dict[int, Path]:
    return {chain: folder for chain, folder in folders.items() if not is_sealed(folder)}


def _build_missing(cache: Path, folders: Mapping[int, Path], origin: str) -> None:
    third, own = artifacts(cache), compiled_contracts(cache)

    def build(chain: int) -> None:
        seal(folders[chain], _build(cache, PLACES[chain], third, own), origin=origin)

    with ThreadPoolExecutor(len(PLACES)) as pool:
        for _ in pool.map(build, folders):
            pass


def _read(place: Place, folder: Path, origin: str) -> Saved:
    read_sealed(folder, _STATE, origin=origin)
    facts = json.loads(read_sealed(folder, _FACTS, origin=origin))
    return _parsed(place, folder / _STATE, facts)


def _origin() -> str:
    """A hash of everything that a saved chain is made from."""
    here = Path(__file__).parent
    files = [file for name in INGREDIENTS if (file := here / name).is_file()]
    digest = hashlib.sha256()
    for file in sorted([*files, *sources(), *here.glob("vyper/*.vy")]):
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _build(
    cache: Path, place: Place, third: Mapping[str, Artifact], own: Mapping[str, Artifact]
) -> dict[str, bytes]:
    node = start_anvil(
        node_binary(cache),
        chain_id=place.chain_id,
        op_stack=place.kind == "op_stack",
        mines=False,
        genesis_time=GENESIS_TIME,
    )
    try:
        treasury = Puppet(node.rpc, TREASURY, tip=place.tip, mines=True)
        built = build_world(treasury, place, third, own)
        put_providers(treasury, place, third, own)
        let_spend(Puppet(node.rpc, ATTENDANT, tip=place.tip, mines=True), place)
        facts = _facts(treasury, place, built)
        state = str(treasury.rpc("anvil_dumpState"))
    finally:
        node.stop()
    return {
        _STATE: gzip.decompress(bytes.fromhex(state.removeprefix("0x"))),
        _FACTS: json.dumps(facts, indent=1).encode(),
    }


def _facts(treasury: Puppet, place: Place, built: Built) -> dict[str, Any]:
    addresses = _addresses(place, built)
    genesis = treasury.rpc("eth_getBlockByNumber", "0x0", False)  # noqa: FBT003 - the RPC's own parameter
    pools = [pool.address for pool in built.pools]
    watched = sorted({*addresses.values(), *pools, *treasury.placed})
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


def _addresses(place: Place, built: Built) -> dict[str, str]:
    there = place.exchanges
    return {
        **{symbol: token.address for symbol, token in place.tokens.items()},
        "wstETH": place.wsteth,
        "AIRDROP": places.AIRDROP,
        "TAXED": places.TAXED,
        "HOSTILE": places.HOSTILE,
        "multicall3": places.MULTICALL3,
        "v2_factory": there.v2_factory,
        "v2_router02": there.v2_router02,
        "v3_factory": there.v3_factory,
        "v3_positions": there.v3_positions,
        "swap_router02": there.swap_router02,
        "quoter_v2": there.quoter_v2,
        "spoke_pool": place.spoke_pool,
        "publisher": built.publisher,
        **rollup_addresses(place),
        **{feed.description: feed.address for feed in place.feeds.values()},
    }


def _parsed(place: Place, state: Path, facts: dict[str, Any]) -> Saved:
    return Saved(
        place=place,
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
