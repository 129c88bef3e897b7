"""What a command in this process is, and what of its text can be compared."""

import re
from collections.abc import Mapping
from typing import Protocol

import pytest
from cli_fixtures import CliWallet, Ended

from agent.wire.address import checksum


class Command(Protocol):
    def __call__(self, *arguments: str, environ: Mapping[str, str | None] | None = None) -> Ended:
        """Run `rebalancer ARGUMENTS` here, with the variables of *environ* (None: absent)."""


def use(wallet: CliWallet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process work with *wallet*."""
    for name, text in wallet.variables.items():
        if name.startswith(("REBALANCER_", "XDG_")) or name == "HOME":
            monkeypatch.setenv(name, text)
    monkeypatch.chdir(wallet.home)


def plain(text: str, wallet: CliWallet) -> str:
    """*text* without what differs from run to run: addresses, ports, hashes, blocks, ages."""
    text = text.replace(checksum(wallet.address), "0xWALLET")
    text = text.replace(str(wallet.home), "HOME").replace(str(wallet.cache), "CACHE")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"(block|head) \d+", r"\1 N", text)
    text = re.sub(r"is (new|\d+ (s|min|h) old)", "is AGE old", text)
    text = re.sub(r"\d+ (s|min|h) old", "AGE old", text)
    # A zero byte of calldata is cheaper than another one, and addresses and deadlines differ.
    text = re.sub(r"gas \d{3},\d{3}", "gas N", text)
    return re.sub(r"\b(0x)?[0-9a-f]{64}\b", "HASH", text)


def go(wallet: CliWallet) -> None:
    """Let a chain mine that stood `still`."""
    wallet.world.rpc.call("evm_setAutomine", True)
    wallet.world.rpc.call("evm_mine")
