"""The README's commands are executed, on local chains, as a newcomer would type them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli_fixtures import CHECKOUT, Ended, ThreeChains

from agent.wire.address import checksum

TEXT = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
LINES = [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("rebalancer ")]
MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")


def test_every_line_is_one_that_is_tried() -> None:
    rest = [line for line in LINES if line not in COMMANDS]
    assert ["make demo", "make test", ". .venv/bin/activate"] == rest


@pytest.mark.parametrize("goal", ["demo", "test"])
def test_make_has_the_two_goals(goal: str) -> None:
    assert re.search(rf"^{goal}: ", MAKEFILE, re.M)


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [] == [link for link in links if not (CHECKOUT / link).exists()]


def test_a_newcomer_comes_from_nothing_to_a_plan_and_its_rehearsal(
    three_chains: ThreeChains, tmp_path: Path
) -> None:
    """Watch-only, with no file but what `init` writes, and no key."""
    address = checksum(three_chains.wallet.address)
    told: dict[str, Ended] = {}
    for line in COMMANDS:
        name = line.split()[1]
        if name in {"run", "status", "watch"}:
            continue
        arguments = shlex.split(line.replace("0xYOUR_ADDRESS", address))[1:]
        told[name] = three_chains.command(*arguments, folder=tmp_path)
        assert 0 == told[name].code, f"{line}: {told[name].stdout}{told[name].stderr}"
    assert ["look", "init", "doctor", "drift", "plan", "simulate"] == list(told)
    assert 'signer  = "watch"' in (tmp_path / "portfolio.toml").read_text()
    assert told["plan"].stdout.startswith("PLAN ")
    assert "simulated balances match the plan" in told["simulate"].stdout


def test_what_acts_is_refused_to_a_wallet_that_only_watches(
    three_chains: ThreeChains, tmp_path: Path
) -> None:
    address = checksum(three_chains.wallet.address)
    wanted = ("--address", address, "--on", "ethereum,base", "--target", "ETH=50,USDC=50")
    assert 0 == three_chains.command("init", *wanted, folder=tmp_path).code
    codes = {
        line: three_chains.command(*shlex.split(line)[1:], folder=tmp_path).code
        for line in COMMANDS
        if line.split()[1] in {"run", "status"}
    }
    assert {"rebalancer run": 5, "rebalancer status": 0} == codes
