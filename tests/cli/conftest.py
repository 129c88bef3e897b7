"""Commands in this process, for what does not need one of their own."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from cli.commands import Command, use
from cli_fixtures import CliWallet, Ended

from agent.cli.main import main
from agent.wire.http import HttpClient
from agent.wire.rpc import Rpc


@pytest.fixture
def bare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """The command without a wallet: an empty home, no configuration, nobody at the terminal."""
    for name in ("CONFIG", "OVERLAY", "CHAINS", "PASSWORD"):
        monkeypatch.delenv(f"REBALANCER_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("REBALANCER_HOME", str(tmp_path / "bare"))
    monkeypatch.chdir(tmp_path)
    # Questions are repeated as ever, without the seconds in between.
    for client in (Rpc, HttpClient):
        monkeypatch.setitem(client.__init__.__kwdefaults__, "sleep", lambda _seconds: None)

    def run(*arguments: str, environ: Mapping[str, str | None] | None = None) -> Ended:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, text in (environ or {}).items():
                if text is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, text)
            code = main(list(arguments))
        out, err = capsys.readouterr()
        return Ended(code=code, stdout=out, stderr=err)

    return run


@pytest.fixture
def command(bare: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in the home of `wallet`."""
    use(wallet, monkeypatch)
    return bare


@pytest.fixture
def still(wallet: CliWallet) -> None:
    """The chain mines nothing until `go` says so."""
    wallet.world.rpc.call("evm_setAutomine", False)
