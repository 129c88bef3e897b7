"""A private local world with a throwaway wallet that is off its target."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.compose.adapters import key_folders
from agent.core.money import Address
from agent.lab.feeds import FeedPublisher
from agent.lab.overlay import write_overlay
from agent.lab.pins import Pin, contract_pins, node_pin
from agent.lab.world import open_world
from agent.signers import keystore
from agent.wire.address import checksum
from agent.wire.clock import SystemClock

BLOCK_SECONDS = 1
THROWAWAY_SCRYPT_N = 2**13
"""Cost of the throwaway key's file, Foundry's choice: nothing but play money is behind it."""

OFF_TARGET: Mapping[str, int] = {
    "ETH": 13 * 10**18,
    "WETH": 3 * 10**18,
    "WBTC": 20_000_000,
    "USDC": 20_000 * 10**6,
    "AIRDROP": 1_000_000 * 10**6,
}
"""About 80,000: 60 % ETH, 15 % WBTC, 25 % USDC, and an airdrop that calls itself USDC."""

PORTFOLIO = """\
schema = 1
name = "demo"
base = "USD"

[wallet]
address = "{address}"
chains = ["eip155:1"]
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
allow = ["router"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWallet:
    """A throwaway wallet on local chains: files that every command works with."""

    home: Path
    address: Address
    url: str
    password: str = field(repr=False)
    pid: int

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
    cache: Path, home: Path, *, keep: bool = False, port: int | None = None
) -> Iterator[LocalWallet]:
    """Start the chains, make and fund the wallet, keep the feeds fresh; stop all afterwards.

    *home* must be an empty private folder. With *keep* the chains go on after the end, their
    feeds fall asleep. The chain listens on *port*, on a free one without it. Raises PortInUse
    and SetupFailed.
    """
    with ExitStack() as stack:
        world = open_world(cache, block_time=BLOCK_SECONDS, port=port, keep=keep)
        if not keep:
            stack.callback(world.stop)
        stack.enter_context(FeedPublisher(world))
        world.publish(SystemClock().now())
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
        world.fund(key.address, OFF_TARGET)
        wallet = LocalWallet(
            home=home, address=key.address, url=world.url, password=password, pid=world.node.pid
        )
        wallet.portfolio.write_text(PORTFOLIO.format(address=checksum(key.address)))
        write_overlay(world, wallet.overlay, [key.address])
        yield wallet


def sources() -> tuple[Pin, ...]:
    """The pinned packages that the local chains are made of."""
    return (node_pin(), *contract_pins())
