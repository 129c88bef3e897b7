"""`init`: a portfolio file that `doctor` accepts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from cli.commands import Command
from cli_fixtures import CliWallet

from agent.wire.address import checksum

TARGETS = "ETH=50,WBTC=20,USDC=30"


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def local(bare: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Commands that know the wallet's local chains and no portfolio."""
    for name, text in wallet.variables.items():
        if name.startswith(("REBALANCER_", "XDG_")) and name != "REBALANCER_CONFIG":
            monkeypatch.setenv(name, text)
    return bare


def test_a_file_is_written_that_doctor_accepts_and_plan_works_with(
    local: Command, wallet: CliWallet, tmp_path: Path
) -> None:
    told = local("init", "--address", checksum(wallet.address), "--target", TARGETS)
    file = tmp_path / "portfolio.toml"
    assert (0, "portfolio.toml is written, watch-only\n") == (told.code, told.stdout)
    assert told.stderr.endswith("next:\n  rebalancer doctor\n  rebalancer plan\n")
    assert 0o600 == file.stat().st_mode & 0o777
    doctor = local("doctor", "--json")
    assert (0, True) == (doctor.code, doctor.document["ok"]), doctor.stdout
    plan = local("plan", "--json").document
    assert ["0.5", "0.3", "0.2"] == [row["target"] for row in plan["assets"]]
    run = local("run", "--yes", "--no-rehearsal")
    assert (4, 0) == (run.code, wallet.nonce())


def test_init_speaks_json(local: Command, wallet: CliWallet, tmp_path: Path) -> None:
    told = local(
        *("init", "--address", checksum(wallet.address), "--target", TARGETS, "--band", "4"),
        *("--signer", "keystore:demo", "--name", "mine", "--config", "deep/er.toml", "--json"),
    )
    assert {
        "schema": 1,
        "kind": "init",
        "path": "deep/er.toml",
        "address": checksum(wallet.address),
        "chains": ["eip155:1"],
        "targets": [
            {"asset": "ETH", "weight": "0.50", "band": "0.04"},
            {"asset": "WBTC", "weight": "0.20", "band": "0.04"},
            {"asset": "USDC", "weight": "0.30", "band": "0.04"},
        ],
        "signer": "keystore",
        "next": [
            f"rebalancer {command} --config deep/er.toml"
            for command in ("doctor", "plan", "simulate", "run")
        ],
    } == told.document
    found = local("config", "show", "--config", "deep/er.toml", "--json")
    assert 0 == found.code, found.stderr
    assert 0 == local("doctor", "--config", "deep/er.toml").code


def test_a_band_is_never_wider_than_half_its_weight(
    local: Command, wallet: CliWallet, tmp_path: Path
) -> None:
    told = local(
        *("init", "--address", checksum(wallet.address), "--json"),
        *("--target", "ETH=92.5,WBTC=7.5,USDC=0"),
    )
    assert [("0.925", "0.05"), ("0.075", "0.0375"), ("0.00", "0.005")] == [
        (row["weight"], row["band"]) for row in told.document["targets"]
    ]


def test_an_existing_file_is_never_overwritten_without_force(
    local: Command, wallet: CliWallet, tmp_path: Path
) -> None:
    file = tmp_path / "portfolio.toml"
    file.write_text("precious")
    words = ("init", "--address", checksum(wallet.address), "--target", TARGETS)
    told = local(*words)
    assert (2, "precious", True) == (told.code, file.read_text(), "error[C104]" in told.stderr)
    assert 0 == local(*words, "--force").code
    assert "precious" not in file.read_text()
    assert [file] == [path for path in tmp_path.iterdir() if path.name.startswith(".")] + [file]


def test_a_person_is_asked_and_asked_again(
    local: Command, wallet: CliWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["0x12", wallet.address, "nowhere", "ethereum", "ETH=50", "ETH=50,USDC=50"]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(answers) + "\n"))
    told = local("init")
    assert (0, 3) == (told.code, told.stderr.count("\n  ") - 2), told.stderr
    assert "targets in percent, of ETH, WBTC, USDC" in told.stderr
    assert "sum to 50 percent, not to exactly 100; ETH=100 would do" in told.stderr
    assert 'ETH  = { weight = "0.50", band = "0.05" }' in (tmp_path / "portfolio.toml").read_text()


def test_a_person_who_gives_up_leaves_no_file(
    local: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("0x12\n"))
    told = local("init")
    assert (130, []) == (told.code, list(tmp_path.glob("*.toml")))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "init needs --address where nobody can be asked"),
        (("--address", "ADDRESS"), "init needs --target where nobody can be asked"),
        (("--address", "0x123", "--target", TARGETS), "address"),
        (("--address", "ADDRESS", "--target", "ETH=50"), "ETH=100 would do"),
        (("--address", "ADDRESS", "--target", TARGETS, "--on", "base99"), "has no chain 'base99'"),
        (("--address", "ADDRESS", "--target", TARGETS, "--band", "101"), "band: 101"),
        (("--address", "ADDRESS", "--target", TARGETS, "--signer", "ledgr"), '"ledger"'),
        (("--address", "ADDRESS", "--target", TARGETS, "--signer", 'x"y'), "no such kind"),
        (("--address", "ADDRESS", "--target", TARGETS, "--name", 'x"\n[limits]'), "printable"),
    ],
)
def test_a_wish_that_cannot_be_meant_writes_nothing(
    local: Command, wallet: CliWallet, tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    words = [wallet.address if word == "ADDRESS" else word for word in more]
    told = local("init", *words)
    assert (2, True) == (told.code, says in told.stderr), told.stderr
    assert [] == list(tmp_path.glob("*.toml"))


def test_a_folder_that_takes_no_file_is_said(
    local: Command, wallet: CliWallet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = ("init", "--address", wallet.address, "--target", TARGETS)
    told = local(*words, "--config", "file/portfolio.toml")
    assert (1, True) == (told.code, "error[X101]" in told.stderr)
