"""The demo does what it says, and leaves what it printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
import stories
from cli_fixtures import Ended, passed_on

from agent.cli.events import refusers
from agent.core.fact import Refused
from agent.core.quote import Rival

DEMO_SECONDS = 240.0
"""Far more than the demo takes: this only ends one that hangs."""


def command(
    *arguments: str, home: Path, cache: Path, environ: dict[str, str] | None = None
) -> Ended:
    return ended(begin(*arguments, home=home, cache=cache, environ=environ))


def begin(
    *arguments: str, home: Path, cache: Path, environ: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *arguments],
        env={**passed_on(home, cache, measured=True), **(environ or {})},
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(child: subprocess.Popen[str]) -> Ended:
    try:
        out, err = child.communicate(timeout=DEMO_SECONDS)
    finally:
        child.kill()
    return Ended(code=child.returncode, stdout=out, stderr=err)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A demo that left its chains."""

    told: Ended
    home: Path
    cache: Path
    variables: dict[str, str]
    pids: tuple[int, ...]


@pytest.fixture(scope="module")
def demos(
    lab_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ended, Kept]]:
    """Two demos side by side: of three chains for programs, and of two that it leaves.

    Those are ended by what the demo says ends them.
    """
    home = tmp_path_factory.mktemp("kept")
    keeping = begin("demo", "--chains", "2", "--keep", home=home, cache=lab_cache)
    told = command("demo", "--json", home=tmp_path_factory.mktemp("demo"), cache=lab_cache)
    left = ended(keeping)
    exports = (line.strip() for line in left.stdout.splitlines())
    pairs = (line.removeprefix("export ").split("=", 1) for line in exports if "export " in line)
    found = re.search(r"end them with: kill ([\d ]+)", left.stdout)
    pids = tuple(int(pid) for pid in found[1].split()) if found else ()
    variables = {name: shlex.split(value)[0] for name, value in pairs}
    yield told, Kept(told=left, home=home, cache=lab_cache, variables=variables, pids=pids)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    shutil.rmtree(variables["REBALANCER_HOME"])


@pytest.fixture
def told(demos: tuple[Ended, Kept]) -> Ended:
    return demos[0]


@pytest.fixture
def kept(demos: tuple[Ended, Kept]) -> Kept:
    return demos[1]


def test_last_line_is_the_result_of_a_run_that_is_done(told: Ended) -> None:
    last = told.lines[-1]
    assert (0, "run.done", "done", 0) == (told.code, last["kind"], last["outcome"], last["exit"])
    assert (1, True) == (last["kills"], last["proof"])
    assert last["forged"] >= 2
    assert Decimal(last["cost"]) <= Decimal(last["planned_cost"]) + Decimal(last["tolerance"])


def test_swaps_on_two_chains_and_a_bridge_are_done(told: Ended) -> None:
    signed = [line for line in told.lines if line["kind"] == "tx.signed"]
    swaps = {line["chain"] for line in signed if line["purpose"] == "swap"}
    assert 2 <= len(swaps)
    assert ["deposit"] == [line["purpose"] for line in signed if line["purpose"] == "deposit"]


def test_deposit_is_signed_once_and_its_bytes_are_sent_after_the_kill(told: Ended) -> None:
    lines = told.lines
    killed = next(i for i, line in enumerate(lines) if "killed" in line)
    (signed,) = [
        line["hash"]
        for line in lines
        if line["kind"] == "tx.signed" and line["purpose"] == "deposit"
    ]
    sent = [
        i
        for i, line in enumerate(lines)
        if line["kind"] == "tx.submitted" and line["hash"] == signed
    ]
    assert sent
    assert killed < min(sent)


def test_proof_finds_nothing_unexplained(told: Ended) -> None:
    (proof,) = [line for line in told.lines if "unexplained" in line and "nonces" in line]
    assert (0, 0, 0, True) == tuple(
        proof[name] for name in ("unexplained", "allowances", "undelivered", "inside_bands")
    )
    assert proof["transactions"] == proof["nonces"] > 0


def test_forged_answers_are_refused_by_name_of_the_rule(told: Ended) -> None:
    refused = {line["via"]: line for line in told.lines if line["kind"] == "leg.refused"}
    codes = {via: line["refusals"][0]["code"] for via, line in refused.items()}
    assert {"across": "G109", "kyberswap": "G105"} == codes


def test_what_was_refused_is_counted_from_what_is_written_down(told: Ended) -> None:
    refused = [line["via"] for line in told.lines if line["kind"] == "leg.refused"]
    assert len(refused) == told.lines[-1]["forged"]
    better = Rival(via="better", answer="refused", net=2)
    worse = Rival(via="worse", answer="refused", net=0)
    quote = replace(stories.quoted(), net=1, rivals=(better, worse))
    said = Refused(run="r1", leg="1", via="liar", refusals=(), at=0)
    assert ["liar", "better"] == refusers([said, quote])


def test_next_best_offer_is_taken_in_place_of_the_forged_one(told: Ended) -> None:
    lines = told.lines
    at, forged = next(
        (at, line)
        for at, line in enumerate(lines)
        if line["kind"] == "leg.refused" and line["via"] == "kyberswap"
    )
    taken = next(line for line in lines[at:] if line["kind"] == "leg.quoted")
    assert forged["leg"] == taken["leg"]
    rivals = {each["via"]: each for each in taken["rivals"]}
    assert "refused" == rivals["kyberswap"]["answer"]
    assert int(rivals["kyberswap"]["net"]) > int(taken["net"]) >= int(rivals["velora"]["net"])


def test_every_command_that_the_demo_prints_works_on_what_it_leaves(kept: Kept) -> None:
    assert (0, 2) == (kept.told.code, len(kept.pids))
    after = kept.told.stdout.partition("Use them with")[2]
    lines = re.findall(r"^  rebalancer (.+)$", after, re.M)
    assert {"balances", "drift", "simulate", "status"} <= {line.split()[0] for line in lines}
    for line in lines:
        done = command(*shlex.split(line), home=kept.home, cache=kept.cache, environ=kept.variables)
        assert 0 == done.code, f"{line}: {done.stdout}{done.stderr}"
