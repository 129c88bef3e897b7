"""`doctor --funds` and `resume` with an empty state folder, as the processes that people start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bridge_rigs import FAR, NEAR, WALLET, Crossing, clean, open_crossing
from cli.test_bridges import PORTFOLIO, overlay
from cli_fixtures import TIMEOUT_SECONDS, Ended, passed_on

from agent.core.intent import Receipt
from agent.wire.address import checksum

RAW = 4_150 * 10**6
FOUND = re.compile(
    r"found 4,150\.00 USDC at across \(deposit 1\): 4,150\.00 USDC is on its way: Across's pool "
    r"holds it \(deposit 1 of Ethereum\) and a relayer delivers it on Base, .*"
)


@pytest.fixture(scope="module")
def two_chains(lab_cache: Path) -> Iterator[Crossing]:
    with open_crossing(lab_cache) as opened:
        yield opened


@pytest.fixture
def crossing(two_chains: Crossing) -> Iterator[Crossing]:
    with clean(two_chains) as cleaned:
        yield cleaned


class Shell:
    """Starts commands of a watched wallet that has no state of its own yet."""

    def __init__(self, home: Path, cache: Path, crossing: Crossing) -> None:
        self.home = home
        self._environ = {
            **passed_on(home, cache, measured=True),
            "REBALANCER_HOME": str(home / "state"),
            "REBALANCER_CONFIG": str(home / "portfolio.toml"),
            "REBALANCER_OVERLAY": str(home / "overlay.toml"),
        }
        (home / "overlay.toml").write_text(overlay(crossing))
        self.allow('"across"')

    def allow(self, bridges: str) -> None:
        text = PORTFOLIO.format(address=checksum(WALLET), allowed=bridges, more="")
        (self.home / "portfolio.toml").write_text(text)

    def __call__(self, *words: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "agent", *words],
            env=self._environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """The command while it goes on; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "agent", *words],
            env=self._environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def shell(crossing: Crossing, tmp_path: Path, lab_cache: Path) -> Shell:
    return Shell(tmp_path, lab_cache, crossing)


@pytest.fixture
def deposit(crossing: Crossing) -> Receipt:
    """Sent from outside of the agent: no journal knows it."""
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": 10**18})
    return crossing.deposit(crossing.leg("USDC", "USDC", RAW))


def of(told: Ended, kind: str) -> list[dict[str, Any]]:
    return [line for line in told.lines if line["kind"] == kind]


def test_doctor_names_the_deposit_what_it_waits_for_and_what_follows_it(
    shell: Shell, deposit: Receipt
) -> None:
    told = shell("doctor", "--funds", "-q")
    wanted = (
        rf"! Ethereum across: 4,150\.00 USDC left by deposit 1 in {deposit.hash} and has not "
        r"arrived on Base; delivered or paid back after \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\. "
        r"4,150\.00 USDC is on its way: Across's pool holds it .*\n"
        r"    follow it to its end: rebalancer resume; nobody has to be asked for help\n"
        r"0 errors, 1 warnings\n"
    )
    assert re.fullmatch(wanted, told.stdout), told.stdout
    assert 0 == told.code
    shell.allow("")
    told = shell("doctor", "--funds", "-q")
    assert "    put across under [bridges] allow in portfolio.toml, then: rebalancer resume" in (
        told.stdout.splitlines()
    )


def test_a_deposit_that_nobody_knows_is_followed_to_its_arrival(
    shell: Shell, crossing: Crossing, deposit: Receipt
) -> None:
    waits = shell("resume", "--wait", "1")
    assert FOUND.search(waits.stderr), waits.stderr
    assert (9, False) == (waits.code, "error" in waits.stderr)
    assert "across holds it (deposit 1)" in waits.stdout
    assert "else back to you on Ethereum from" in waits.stdout
    crossing.fill(crossing.made(deposit))
    crossing.mine(FAR, 12)
    told = shell("resume", "--wait", "60")
    assert 0 == told.code, told.stderr
    made = crossing.made(deposit).output_amount
    assert (made, 0) == (crossing.held(FAR, "USDC"), crossing.held(NEAR, "USDC"))
    assert re.search(r"run [0-9a-f]{8}: done, every leg arrived\n", told.stdout)
    again = shell("resume")
    assert (0, "") == (again.code, "".join(FOUND.findall(again.stderr)))


def test_programs_are_told_what_is_found_and_how_it_ends(
    shell: Shell, crossing: Crossing, deposit: Receipt
) -> None:
    waits = shell("resume", "--wait", "1", "--json", "-q")
    (found,) = of(waits, "transfer.found")
    assert ("across", "1", deposit.hash, False, "waiting", "eip155:1", "eip155:8453") == tuple(
        found[key] for key in ("via", "id", "deposit", "known", "state", "chain", "to_chain")
    )
    assert (str(RAW), 6) == (found["sold"]["amount"], found["sold"]["decimals"])
    assert found["refund"] > found["until"]
    (started,) = of(waits, "run.started")
    (transfer,) = waits.lines[-1]["transfers"]
    assert (9, "waiting", 1, "1") == (
        waits.code,
        waits.lines[-1]["outcome"],
        started["legs"],
        transfer["id"],
    )
    status = json.loads(shell("status", "--json", "-q").stdout)
    assert [("claim", "under way")] == [(leg["kind"], leg["state"]) for leg in status["legs"]]
    assert [deposit.hash] == [each["deposit"] for each in status["transfers"]]
    crossing.fill(crossing.made(deposit))
    crossing.mine(FAR, 12)
    told = shell("resume", "--wait", "60", "--json", "-q")
    (arrived,) = of(told, "leg.arrived")
    assert str(crossing.made(deposit).output_amount) == arrived["deltas"][0]["amount"]
    assert ("done", 0) == (told.lines[-1]["outcome"], told.code)


def test_a_deposit_that_expired_is_followed_until_it_is_back(
    shell: Shell, crossing: Crossing, deposit: Receipt
) -> None:
    crossing.expire(crossing.made(deposit))
    waits = shell("resume", "--wait", "1")
    assert 9 == waits.code, waits.stderr
    assert "nobody delivered deposit 1 of Ethereum" in waits.stderr
    crossing.pay_back(RAW)
    crossing.mine(NEAR, 12)
    told = shell("resume", "--wait", "60", "--json", "-q")
    (back,) = of(told, "leg.returned")
    last = told.lines[-1]
    assert ("done", "everything has arrived or come back", 0) == (
        last["outcome"],
        last["why"],
        told.code,
    )
    assert (str(RAW), RAW) == (back["deltas"][0]["amount"], crossing.held(NEAR, "USDC"))


def test_a_chain_that_cannot_be_searched_is_said_and_keeps_nothing_from_the_others(
    shell: Shell, crossing: Crossing, deposit: Receipt
) -> None:
    crossing.fill(crossing.made(deposit))
    text = (shell.home / "overlay.toml").read_text()
    (shell.home / "overlay.toml").write_text(
        text.replace(crossing.worlds[FAR].url, "http://127.0.0.1:1")
    )
    told = shell("resume", "--json", "-q")
    missed = of(told, "transfer.unsearched")
    assert {"eip155:1", "eip155:8453"} == {each["chain"] for each in missed}
    assert ("nothing", 0) == (told.lines[-1]["outcome"], told.code)


def test_a_wallet_with_nothing_between_chains_has_nothing_to_resume(shell: Shell) -> None:
    told = shell("resume")
    assert (0, "no run has been started for this wallet\n") == (told.code, told.stdout)


def test_a_keeper_that_begins_without_a_journal_follows_what_it_finds(
    shell: Shell, deposit: Receipt
) -> None:
    with shell.begin("watch", "--every", "1h", "--budget", "1", "--json", "-q") as keeper:
        assert keeper.stdout is not None
        kinds: list[str] = []
        for line in keeper.stdout:
            told = json.loads(line)
            kinds.append(told["kind"])
            if told["kind"] == "watch.tick":
                break
        keeper.terminate()
        keeper.communicate(timeout=TIMEOUT_SECONDS)
    assert ("waiting", True, 9) == (told["outcome"], told["began"], told["exit"])
    assert "run.started" == kinds[0]
    assert (
        deposit.hash
        == json.loads(shell("status", "--json", "-q").stdout)["transfers"][0]["deposit"]
    )
