"""A wallet on three local chains whose plan needs swaps on two of them and a bridge between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from agent.compose.adapters import key_folders
from agent.compose.local import THROWAWAY_SCRYPT_N
from agent.core.money import Address
from agent.lab.overlay import write_overlay
from agent.lab.worlds import Worlds
from agent.settings import Settings, load
from agent.signers import keystore
from agent.wire.address import checksum

PASSWORD = "correct horse"
ETHER = 10**18
FUNDS: Mapping[int, Mapping[str, int]] = MappingProxyType(
    {
        1: {"ETH": 12 * ETHER, "WETH": 4 * ETHER, "USDC": 4_000 * 10**6},
        8453: {"ETH": 2 * ETHER, "USDC": 3_000 * 10**6},
        42161: {"ETH": ETHER, "USDC": 2_000 * 10**6, "WBTC": 15_000_000},
    }
)
"""About 75,000, most of it ETH on the first chain."""

PORTFOLIO = """\
schema = 1
name = "three"
base = "USD"

[wallet]
address = "{address}"
chains = ["eip155:1", "eip155:8453", "eip155:42161"]
signer = "{signer}"

[targets]
ETH = {{ weight = "0.50", band = "0.05" }}
WBTC = {{ weight = "0.20", band = "0.04" }}
USDC = {{ weight = "0.30", band = "0.05" }}

[targets_by_chain]
"eip155:1" = {{ max = "0.60" }}

[trigger]
mode = "threshold"
rebalance_to = "target"

[limits]
max_run_value = "40000"
max_day_value = "80000"

[confirm]
mode = "never"

[venues]
allow = ["router"]

[bridges]
allow = ["across"]
"""


def new_key(home: Path) -> Address:
    """A throwaway key in the state folder of *home*."""
    folder = home / "state"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = keystore.new(
        "demo",
        PASSWORD,
        folders=key_folders(folder),
        local_only=True,
        scrypt_n=THROWAWAY_SCRYPT_N,
    )
    assert key.address is not None
    return key.address


def write_files(worlds: Worlds, home: Path, address: Address, signer: str, **facts: int) -> None:
    """The portfolio and the overlay of a wallet."""
    (home / "portfolio.toml").write_text(PORTFOLIO.format(address=checksum(address), signer=signer))
    write_overlay(worlds, home / "overlay.toml", [address], **facts)


def settings_of(home: Path, **variables: str) -> Settings:
    """What a command of the wallet would read, with more *variables* in its environment."""
    return load(
        config=home / "portfolio.toml",
        overlay=home / "overlay.toml",
        environ={
            "HOME": str(home),
            "REBALANCER_HOME": str(home / "state"),
            "REBALANCER_PASSWORD": PASSWORD,
            **variables,
        },
    )
