"""A private local world with a throwaway wallet that is off its target."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from agent.compose.adapters import key_folders
from agent.core.money import Address, ChainId
from agent.lab.attendance import order
from agent.lab.overlay import write_overlay
from agent.lab.pins import Pin, contract_pins, node_pin
from agent.lab.worlds import Worlds, open_worlds
from agent.signers import keystore
from agent.wire.address import chain_name, checksum

BLOCK_SECONDS = 1

CONFIRMATIONS = 5
"""Blocks of a second on each local chain: as much time as Arbitrum's twenty take."""

THROWAWAY_SCRYPT_N = 2**13
"""Cost of the throwaway key's file, Foundry's choice: nothing but play money is behind it."""

OFF_TARGET: Mapping[str, int] = {
    "ETH": 13 * 10**18,
    "WETH": 3 * 10**18,
    "WBTC": 20_000_000,
    "USDC": 20_000 * 10**6,
    "AIRDROP": 1_000_000 * 10**6,
}
"""On one chain: about 80,000, 60 % ETH, 15 % WBTC, 25 % USDC, and an airdrop that calls itself
USDC."""

OFF_TARGET_BY_CHAIN: Mapping[int, Mapping[str, int]] = MappingProxyType(
    {
        1: {
            "ETH": 9 * 10**18,
            "WETH": 2 * 10**18,
            "WBTC": 12_000_000,
            "USDC": 11_000 * 10**6,
        },
        8453: {
            "ETH": 2 * 10**18,
            "WETH": 10**18,
            "WBTC": 3_000_000,
            "USDC": 5_000 * 10**6,
            "AIRDROP": 1_000_000 * 10**6,
        },
        # Less than the gas reserve, yet enough to unwrap or to swap what refills it.
        42161: {
            "ETH": 5 * 10**14,
            "WETH": 2 * 10**18 - 5 * 10**14,
            "WBTC": 5_000_000,
            "USDC": 4_000 * 10**6,
        },
    }
)
"""On three chains: the same shares of the same 80,000, of which 64 % are on Ethereum."""

_PORTFOLIO = """\
schema = 1
name = "demo"
base = "USD"

[wallet]
address = "{address}"
chains = {chains}
signer = "keystore:demo"

[targets]
ETH = {{ weight = "0.50", band = "0.05" }}
WBTC = {{ weight = "0.20", band = "0.04" }}
USDC = {{ weight = "0.30", band = "0.05" }}

[trigger]
mode = "threshold"
rebalance_to = "target"

[limits]
max_run_value = "10000"

[confirm]
mode = "never"

[venues]
allow = ["router", "kyberswap", "velora"]
"""

_SEVERAL_CHAINS = """
[targets_by_chain]
"eip155:1" = {{ max = "0.60" }}

[bridges]
allow = ["across"]
"""

FORGER = "kyberswap"
"""The venue whose server lies in the demo."""

PORTFOLIO = _PORTFOLIO.replace("{chains}", '["eip155:1"]')
"""The will of a wallet on Ethereum alone, to be formatted with its ``address``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWallet:
    """A throwaway wallet on local chains: files that every command works with.

    `worlds` are the chains, to move prices, time and the relayer.
    """

    home: Path
    address: Address
    worlds: Worlds = field(repr=False)
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """Where the first chain listens."""
        return next(iter(self.urls.values()))

    @property
    def pid(self) -> int:
        """The process of the first chain."""
        return self.pids[0]

    @property
    def urls(self) -> dict[int, str]:
        """Where each chain listens."""
        return {chain: world.url for chain, world in self.worlds.items()}

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the chains; the attendant ends by itself when they are gone."""
        return tuple(world.node.pid for world in self.worlds.values())

    @property
    def portfolio(self) -> Path:
        """Its portfolio file."""
        return self.home / "portfolio.toml"

    @property
    def overlay(self) -> Path:
        """The overlay that makes chains.toml speak of the local chains."""
        return self.home / "overlay.toml"

    @property
    def variables(self) -> dict[str, str]:
        """What a command's environment needs to work with it."""
        return {
            "REBALANCER_HOME": str(self.home),
            "REBALANCER_CONFIG": str(self.portfolio),
            "REBALANCER_OVERLAY": str(self.overlay),
            "REBALANCER_PASSWORD": self.password,
        }


@contextmanager
def local_wallet(
    cache: Path,
    home: Path,
    *,
    chains: Collection[int] = (1,),
    keep: bool = False,
    port: int | None = None,
) -> Iterator[LocalWallet]:
    """Start the chains, make and fund the wallet, attend to them; stop all afterwards.

    *home* must be an empty private folder. With *keep* all goes on after the end. The chains
    listen on *port* and the following ones, on free ones without it. Raises PortInUse and
    SetupFailed.
    """
    with open_worlds(
        cache, chains=chains, block_seconds=BLOCK_SECONDS, port=port, keep=keep
    ) as worlds:
        password = secrets.token_urlsafe(12)
        key = keystore.new(
            "demo",
            password,
            folders=key_folders(home),
            local_only=True,
            scrypt_n=THROWAWAY_SCRYPT_N,
        )
        if key.address is None:
            raise ValueError("a new key has an address")
        worlds.fund(key.address, funds(chains))
        wallet = LocalWallet(home=home, address=key.address, worlds=worlds, password=password)
        wallet.portfolio.write_text(portfolio(key.address, chains))
        write_overlay(worlds, wallet.overlay, [key.address], confirmations=CONFIRMATIONS)
        yield wallet


def funds(chains: Collection[int]) -> dict[int, dict[str, int]]:
    """What the wallet has on each of *chains*: what it would have elsewhere is on the last one."""
    if set(chains) == {1}:
        return {1: dict(OFF_TARGET)}
    found = {chain: dict(OFF_TARGET_BY_CHAIN[chain]) for chain in chains}
    last = found[max(chains, key=list(OFF_TARGET_BY_CHAIN).index)]
    for chain, amounts in OFF_TARGET_BY_CHAIN.items():
        if chain not in found:
            for symbol, raw in amounts.items():
                last[symbol] = last.get(symbol, 0) + raw
    return found


def portfolio(address: Address, chains: Collection[int]) -> str:
    """The portfolio file of a throwaway wallet; on several chains it may bridge."""
    names = json.dumps([chain_name(ChainId(chain)) for chain in chains])
    text = _PORTFOLIO.replace("{chains}", names) + (_SEVERAL_CHAINS if len(chains) > 1 else "")
    return text.format(address=checksum(address))


def sources() -> tuple[Pin, ...]:
    """The pinned packages that the local chains are made of."""
    return (node_pin(), *contract_pins())


def forge_fee(desk_url: str) -> None:
    """Let the bridge's fee server forge its next answer, as an attacker who holds it would.

    Raises SetupFailed when the attendant does not take the order.
    """
    order(desk_url, "forge", "fee", 1)


def forge_quote(desk_url: str) -> None:
    """Let a venue's server promise the best price a few times, and pay it to somebody else.

    A question that is under way already may take one. Raises SetupFailed when the attendant does
    not take the order.
    """
    order(desk_url, "provider", FORGER, "forge", "bait", 4)
