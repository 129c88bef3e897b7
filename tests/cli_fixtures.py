"""A throwaway wallet on the local chain, and commands as the processes that users start."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import pytest

from agent.cli import output
from agent.cli.main import main
from agent.compose.adapters import key_folders
from agent.compose.local import (
    OFF_TARGET,
    OFF_TARGET_BY_CHAIN,
    PORTFOLIO,
    THROWAWAY_SCRYPT_N,
    LocalWallet,
    local_wallet,
)
from agent.core.fact import Fact
from agent.core.money import Address
from agent.lab.overlay import write_overlay
from agent.lab.world import World
from agent.signers import keystore
from agent.stores.sqlite import FILE, SqliteJournal
from agent.wire.address import checksum

PASSWORD = "correct horse"
CHECKOUT = Path(__file__).parent.parent
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR")
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, one per line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def passed_on(home: Path, cache: Path, *, measured: bool = False) -> dict[str, str]:
    """What a command needs of this process's environment, in a home of its own.

    Coverage is *measured* only in processes that run what no test of this process does: it takes as
    long again, most of it for the imports of libraries.
    """
    kept = {
        name: text
        for name, text in os.environ.items()
        if name in PASSED_ON or (measured and name.startswith("COVERAGE_"))
    }
    places = {"HOME": home, "PYTHONPATH": CHECKOUT, "XDG_CACHE_HOME": cache.parent}
    return {**kept, **{name: str(path) for name, path in places.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CliWallet:
    """The files of a wallet on the local chain, in an empty home of its own."""

    world: World
    home: Path
    cache: Path
    address: Address
    password: str = field(default=PASSWORD, repr=False)

    @property
    def state(self) -> Path:
        """The state folder: journal, keys, locks."""
        return self.home / "state"

    @property
    def portfolio(self) -> Path:
        return self.home / "portfolio.toml"

    @property
    def overlay(self) -> Path:
        return self.home / "overlay.toml"

    @property
    def journal(self) -> Path:
        return self.state / FILE

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment of a command: nothing of this process's but PATH and the like."""
        return {
            **passed_on(self.home, self.cache),
            "REBALANCER_HOME": str(self.state),
            "REBALANCER_CONFIG": str(self.portfolio),
            "REBALANCER_OVERLAY": str(self.overlay),
            "REBALANCER_PASSWORD": self.password,
        }

    def command(
        self,
        *arguments: str,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
        before: Callable[[], None] | None = None,
    ) -> Ended:
        """Run `rebalancer ARGUMENTS` as a process in the wallet's home, and wait for its end.

        *environ* adds variables, or takes away those that are None; *before* runs in the child
        before it becomes the command, which then leaves no bytecode behind: under a limit of
        file sizes Python would store it cut off, for everybody who comes later.
        """
        changes = dict(environ or {})
        if before is not None:
            changes["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run(
            [sys.executable, "-m", "agent", *arguments],
            env=self._environ(changes),
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            preexec_fn=before,
            check=False,
        )
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def here(self, *arguments: str, environ: Mapping[str, str | None] | None = None) -> Ended:
        """Run `rebalancer ARGUMENTS` in this process, for what needs none of its own.

        A process imports for a second before it does anything.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self._environ(environ), clear=True),
            mock.patch.dict(output._names, clear=True),
            mock.patch.object(sys, "stdin", io.StringIO()),
            contextlib.chdir(self.home),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(list(arguments))
        return Ended(code=code, stdout=out.getvalue(), stderr=err.getvalue())

    def begin(
        self, *arguments: str, environ: Mapping[str, str | None] | None = None
    ) -> subprocess.Popen[str]:
        """Start `rebalancer ARGUMENTS` and return at once; the caller ends and reaps it."""
        return subprocess.Popen(
            [sys.executable, "-m", "agent", *arguments],
            env={**passed_on(self.home, self.cache, measured=True), **self._environ(environ)},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def edit(self, old: str, new: str) -> None:
        """Replace what stands once in the portfolio file."""
        text = self.portfolio.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        self.portfolio.write_text(text.replace(old, new))

    def nonce(self) -> int:
        """Transactions that the wallet has on the chain."""
        return int(str(self.world.rpc.call("eth_getTransactionCount", self.address, "latest")), 16)

    def facts(self) -> tuple[Fact, ...]:
        """What the journal holds, every hash verified."""
        journal = SqliteJournal(self.state, read_only=True)
        try:
            return journal.load(self.address)
        finally:
            journal.close()

    def _environ(self, changes: Mapping[str, str | None] | None) -> dict[str, str]:
        changed = {**self.variables, **(changes or {})}
        return {name: text for name, text in changed.items() if text is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeChains:
    """Three local chains that go on by themselves, and an off-target wallet on them."""

    wallet: LocalWallet
    cache: Path

    def command(self, *arguments: str, folder: Path) -> Ended:
        """Run `rebalancer ARGUMENTS` in *folder* as somebody who has no files yet but those."""
        told = {"REBALANCER_OVERLAY": str(self.wallet.overlay), "REBALANCER_HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-m", "agent", *arguments],
            env={**passed_on(folder, self.cache), **told},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="session")
def three_chains(
    lab_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThreeChains]:
    """Shared by tests that only read or plan."""
    home = tmp_path_factory.mktemp("three")
    home.chmod(0o700)
    with local_wallet(lab_cache, home, chains=OFF_TARGET_BY_CHAIN) as opened:
        yield ThreeChains(wallet=opened, cache=lab_cache)


class NewWallet(Protocol):
    def __call__(self, funds: Mapping[str, int] = OFF_TARGET) -> CliWallet: ...


@pytest.fixture
def new_wallet(chain: World, lab_cache: Path, tmp_path: Path) -> NewWallet:
    """Makes wallets with other funds, in base units by symbol."""
    made: list[CliWallet] = []

    def make(funds: Mapping[str, int] = OFF_TARGET) -> CliWallet:
        home = tmp_path / f"home{len(made)}"
        (home / "state").mkdir(mode=0o700, parents=True)
        key = keystore.new(
            "demo",
            PASSWORD,
            folders=key_folders(home / "state"),
            local_only=True,
            scrypt_n=THROWAWAY_SCRYPT_N,
        )
        assert key.address is not None
        chain.fund(key.address, funds)
        wallet = CliWallet(world=chain, home=home, cache=lab_cache, address=key.address)
        wallet.portfolio.write_text(PORTFOLIO.format(address=checksum(key.address)))
        write_overlay(
            chain, wallet.overlay, [key.address], confirmations=1, max_head_age_seconds=3600
        )
        made.append(wallet)
        return wallet

    return make


@pytest.fixture
def wallet(new_wallet: NewWallet) -> CliWallet:
    """A funded wallet that is off its target; what it does to the chain is undone."""
    return new_wallet()
