"""Settings without any chain, and a wallet on the local chain with everything opened."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cli_fixtures import CliWallet

from agent.compose import Account, open_account
from agent.compose.adapters import KeyAccess
from agent.settings import Settings, load

PORTFOLIO = """\
schema = 1

[wallet]
address = "{address}"
chains  = ["eip155:1"]
signer  = "{signer}"

[targets]
ETH  = {{ weight = "0.60", band = "0.05" }}
USDC = {{ weight = "0.40", band = "0.05" }}

[limits]
max_price_spread_bps = 75

[canary]
value = "50"

[venues]
allow = ["router", "cow"]
"""
SOMEBODY = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"

PlainSettings = Callable[..., Settings]


@pytest.fixture
def plain(tmp_path: Path) -> PlainSettings:
    """Settings on the real chain's facts; nothing of them asks any node."""

    def make(
        signer: str = "watch",
        address: str = SOMEBODY,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, str] | None = None,
    ) -> Settings:
        file = tmp_path / "portfolio.toml"
        file.write_text(PORTFOLIO.format(address=address, signer=signer))
        home = {"HOME": str(tmp_path), "REBALANCER_HOME": str(tmp_path / "state")}
        return load(config=file, environ={**home, **(environ or {})}, flags=flags or {})

    return make


def settings_of(wallet: CliWallet) -> Settings:
    """What a command of the wallet would read."""
    return load(config=wallet.portfolio, overlay=wallet.overlay, environ=wallet.variables)


@pytest.fixture
def account(wallet: CliWallet) -> Iterator[Account]:
    """The wallet on the local chain, opened as commands open it."""
    opened = open_account(settings_of(wallet), KeyAccess(ask=lambda: wallet.password))
    yield opened
    opened.close()
