"""`run`, `resume`, `status`, `cancel`: one run from the first question to its end."""

from __future__ import annotations

import io
import re
import signal
import sys

import pytest
from cli.commands import Command, go, plain
from cli.test_approvals import STRANGER, grant
from cli_fixtures import CliWallet

from agent.cli.events import Teller
from agent.core import fact as f
from agent.lab.mainnet import WETH
from agent.lab.puppet import Puppet, tx

RUN = re.compile(r"[0-9a-f]{8}")


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


def test_a_run_is_a_stream_of_events_that_ends_with_its_result(
    command: Command, wallet: CliWallet
) -> None:
    told = command("run", "--json", "-q")
    leg = ["leg.quoted", *["tx.signed", "tx.submitted", "tx.mined"] * 2, "leg.arrived"]
    for number in ("1", "2"):
        assert leg == [line["kind"] for line in told.lines if line.get("leg") == number]
    assert ("run.started", "run.done") == (told.lines[0]["kind"], told.lines[-1]["kind"])
    assert (0, {1}, 1, "") == (
        told.code,
        {line["schema"] for line in told.lines},
        len({line["run"] for line in told.lines}),
        told.stderr,
    )
    signed = [line for line in told.lines if line["kind"] == "tx.signed"]
    assert [0, 1, 2, 3] == [line["nonce"] for line in signed]
    assert ["approve", "swap"] * 2 == [line["purpose"] for line in signed]
    assert all({"chain", "hash", "intent", "attempt"} <= set(line) for line in signed)
    last = told.lines[-1]
    assert {"outcome", "why", "cost", "planned_cost", "before", "after", "exit"} <= set(last)
    assert ("done", "every leg arrived", 0, []) == tuple(
        last[key] for key in ("outcome", "why", "exit", "unexplained")
    )
    assert float(last["cost"]) <= float(last["planned_cost"])
    assert 4 == wallet.nonce()


def test_a_run_is_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("run")
    assert 0 == told.code
    shown = RUN.sub("RUN", plain(told.stdout, wallet)).splitlines()
    assert ["run RUN: done, every leg arrived", "cost 11.36, planned 11.42"] == shown[-2:]
    progress = re.sub(r"0x[0-9a-f]{8}…", "0xHASH…", plain(told.stderr, wallet))
    assert "rehearsed on a fork: 2 legs as planned\n" in progress
    assert "  1   quoted    1.3345 WETH → 0.0667 WBTC  V3 0.05 %\n" in progress
    assert "  1 ✍ approve   signed 0xHASH…, on disk, not yet sent\n" in progress
    assert "  1 ✓ got       -1.3345 WETH, +0.0667 WBTC\n" in progress


def test_after_a_run_everything_is_inside_and_there_is_nothing_to_do(command: Command) -> None:
    command("run", "-q")
    assert 0 == command("drift", "--exit-code").code
    again = command("run", "--json", "--on-trigger").lines
    assert ["run.done"] == [line["kind"] for line in again]
    assert ("nothing", None, 0) == tuple(again[0][key] for key in ("outcome", "run", "exit"))
    assert "is inside its 5.0 % band; last run " in again[0]["why"]


def test_a_dry_run_signs_nothing(command: Command, wallet: CliWallet) -> None:
    told = command("run", "--dry-run", "--json")
    assert (0, "nothing", None) == (told.code, told.lines[-1]["outcome"], told.lines[-1]["run"])
    assert "nothing was signed" in told.lines[-1]["why"]
    assert (0, ()) == (wallet.nonce(), wallet.facts())


def test_a_plan_from_a_file_is_executed(command: Command, wallet: CliWallet) -> None:
    file = wallet.home / "plan.json"
    plan = command("plan", "-o", str(file), "--json").document["id"]
    told = command("run", str(file), "--json")
    assert (0, plan, "done") == (told.code, told.lines[0]["plan"], told.lines[-1]["outcome"])


def test_a_plan_of_another_policy_is_refused(command: Command, wallet: CliWallet) -> None:
    file = wallet.home / "plan.json"
    command("plan", "-o", str(file))
    wallet.edit('max_run_value = "10000"', 'max_run_value = "9999"')
    told = command("run", str(file), "--json", "--no-rehearsal")
    assert (2, "C104", 0) == (told.code, told.lines[-1]["code"], wallet.nonce())


def test_unattended_without_permission_nothing_is_signed(
    command: Command, wallet: CliWallet
) -> None:
    wallet.edit('mode = "never"', 'mode = "always"')
    told = command("run", "--no-input", "--no-rehearsal", "--json")
    last = told.lines[-1]
    assert (5, "error", "D100", True, 5) == (
        told.code,
        *(last[key] for key in ("kind", "code", "nothing_signed", "exit")),
    )
    assert (0, ()) == (wallet.nonce(), wallet.facts())


def test_unattended_a_value_below_the_permitted_one_is_signed(
    command: Command, wallet: CliWallet
) -> None:
    wallet.edit('mode = "never"', 'mode = "over"\nover = "9000"')
    assert 0 == command("run", "--no-input", "--no-rehearsal", "-q").code
    assert 4 == wallet.nonce()


def test_yes_answers_the_question(command: Command, wallet: CliWallet) -> None:
    wallet.edit('mode = "never"', 'mode = "always"')
    assert (0, 4) == (command("run", "--yes", "--no-rehearsal", "-q").code, wallet.nonce())


def test_a_person_sees_the_intent_and_types_the_plan_s_first_characters(
    command: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet.edit('mode = "never"', 'mode = "always"')
    file = wallet.home / "plan.json"
    plan = command("plan", "-o", str(file), "--json").document["id"]
    monkeypatch.setattr(sys, "stdin", Terminal("nope\n"))
    declined = command("run", str(file), "--no-rehearsal")
    assert (5, 0) == (declined.code, wallet.nonce())
    assert "error[D100] the plan was not confirmed" in declined.stderr
    monkeypatch.setattr(sys, "stdin", Terminal(f"{plan[:4]}\n"))
    told = command("run", str(file), "--no-rehearsal")
    assert (0, 4) == (told.code, wallet.nonce())
    assert "swap 1.3355 WETH, get at least 3,984.00 USDC → your own wallet on Ethereum" in (
        told.stderr
    )
    assert f"Type the first 4 characters of plan {plan[:4]}:" in told.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("still")
def test_an_interrupted_run_says_so_and_is_resumed_to_its_end(
    wallet: CliWallet, sent: signal.Signals
) -> None:
    child = wallet.begin("run", "--json", "--no-rehearsal")
    assert child.stdout is not None
    for line in child.stdout:
        if '"tx.submitted"' in line:
            break
    child.send_signal(sent)
    _, told = child.communicate(timeout=60)
    assert 130 == child.returncode, told
    assert "interrupted; what was begun goes on with: rebalancer resume\n" in told
    open_ = wallet.command("status", "--json").document
    assert ("open", "submitted") == (open_["outcome"], open_["transactions"][0]["state"])
    go(wallet)
    done = wallet.command("resume", "--json")
    assert (0, "done") == (done.code, done.lines[-1]["outcome"]), done.stderr
    assert (open_["run"], 4) == (done.lines[-1]["run"], wallet.nonce())
    assert 4 == sum(isinstance(fact, f.Signed) for fact in wallet.facts())


@pytest.mark.usefixtures("still")
def test_a_run_that_has_to_wait_ends_with_9_and_goes_on_later(
    command: Command, wallet: CliWallet
) -> None:
    told = command("run", "--json", "--no-rehearsal", "--wait", "0")
    assert (9, ["run.waiting", "run.done"]) == (
        told.code,
        [line["kind"] for line in told.lines[-2:]],
    )
    assert ("waiting", 9) == tuple(told.lines[-1][key] for key in ("outcome", "exit"))
    second = command("run", "--json")
    assert (9, "P101") == (second.code, second.lines[-1]["code"])
    go(wallet)
    assert (0, 4) == (command("resume", "-q").code, wallet.nonce())


@pytest.mark.usefixtures("still")
def test_a_cancelled_run_replaces_what_is_not_mined(command: Command, wallet: CliWallet) -> None:
    run = command("run", "--json", "--no-rehearsal", "--wait", "0").lines[-1]["run"]
    waiting = command("cancel", run, "--json", "--wait", "0")
    assert 9 == waiting.lines[-1]["exit"]
    assert "tx.replaced" in {line["kind"] for line in waiting.lines}
    go(wallet)
    told = command("resume", "--json")
    last = told.lines[-1]
    assert (6, "aborted") == (told.code, last["outcome"])
    assert 1 == wallet.nonce()
    status = command("status", run, "--json").document
    assert ("aborted", 2) == (status["outcome"], status["transactions"][0]["attempts"])


@pytest.mark.usefixtures("still")
def test_cancel_ends_with_9_while_something_is_not_mined(command: Command) -> None:
    run = command("run", "--json", "--no-rehearsal", "--wait", "0").lines[-1]["run"]
    assert 9 == command("cancel", run, "--json", "--wait", "0").code


@pytest.mark.usefixtures("still")
def test_every_event_of_a_resumed_run_names_it(command: Command, wallet: CliWallet) -> None:
    run = command("run", "--json", "--no-rehearsal", "--wait", "0").lines[-1]["run"]
    go(wallet)
    assert {run} == {line["run"] for line in command("resume", "--json").lines}


def test_there_is_nothing_to_resume_show_or_cancel_at_first(command: Command) -> None:
    why = "no run has been started for this wallet"
    assert (0, why + "\n") == (command("resume").code, command("resume").stdout)
    assert ("nothing", why) == tuple(
        command("resume", "--json").lines[-1][key] for key in ("outcome", "why")
    )
    assert (0, why + "\n") == (command("status").code, command("status").stdout)
    for words in (("resume", "x"), ("status", "x"), ("cancel", "x")):
        told = command(*words)
        assert (2, True) == (told.code, "error[C104]" in told.stderr)


def test_status_reads_the_journal_and_asks_no_chain(command: Command, wallet: CliWallet) -> None:
    run = command("run", "--json", "-q").lines[-1]["run"]
    wallet.overlay.write_text(
        wallet.overlay.read_text().replace(wallet.world.url, "http://[::1]:9")
    )
    told = command("status")
    shown = re.sub(r"0x[0-9a-f]{64}", "HASH", told.stdout)
    final = re.compile("final|mined")
    wanted = f"""\
run {run}  done  every leg arrived
1  swap  done
2  swap  done
  approve  Ethereum  nonce 0  STATE  HASH
  swap     Ethereum  nonce 1  STATE  HASH
  approve  Ethereum  nonce 2  STATE  HASH
  swap     Ethereum  nonce 3  STATE  HASH
"""
    assert (0, wanted) == (told.code, final.sub("STATE", plain(shown, wallet)))
    body = command("status", run, "--json").document
    assert ("status", run, "done", [("1", "done"), ("2", "done")]) == (
        body["kind"],
        body["run"],
        body["outcome"],
        [(leg["id"], leg["state"]) for leg in body["legs"]],
    )


def test_resuming_a_run_that_is_done_does_nothing_again(
    command: Command, wallet: CliWallet
) -> None:
    done = command("run", "--json", "-q").lines[-1]
    again = command("resume", "--json").lines[-1]
    assert ("done", done["cost"], 4) == (again["outcome"], again["cost"], wallet.nonce())


def take(wallet: CliWallet, raw: int) -> None:
    """Somebody with an old allowance takes WETH."""
    call = tx(WETH, "transferFrom(address,address,uint256)", wallet.address, STRANGER, raw)
    Puppet(wallet.world.rpc, STRANGER).send(call)


def test_money_that_left_unexplained_needs_a_person_who_accepts_it(
    command: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(wallet, WETH, STRANGER, 1000)
    tell = Teller.__call__

    def tell_and_take(teller: Teller, fact: f.Fact) -> None:
        tell(teller, fact)
        if isinstance(fact, f.Settled) and fact.leg == "2":
            take(wallet, 1000)

    with monkeypatch.context() as patch:
        patch.setattr(Teller, "__call__", tell_and_take)
        told = command("run", "--json", "--no-rehearsal")
    last = told.lines[-1]
    assert (10, "needs_human", 10) == (told.code, last["outcome"], last["exit"])
    assert "1000 base units of WETH on chain 1 left the wallet" in last["why"]
    refused = command("run", "--json")
    assert (10, "H102") == (refused.code, refused.lines[-1]["code"])
    findings = command("doctor", "--json").document["findings"]
    assert ["H102"] == [row["code"] for row in findings if row["level"] == "error"]
    assert 5 == command("resume", last["run"], "--accept-balances", "--no-input").code
    command("resume", last["run"], "--accept-balances", "--yes", "-q")
    after = command("run", "--dry-run", "--no-rehearsal", "--json")
    assert (0, False) == (after.code, "a person must look" in after.stdout)
