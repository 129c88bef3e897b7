"""`watch`: the keeper's ticks as a scheduler sees them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command, go
from cli_fixtures import PASSWORD, CliWallet
from error_cases import free_port, serve_from

from agent.core.fact import Signed
from agent.stores.sqlite import SqliteJournal

TRANSACTIONS = 4
"""Two legs, an approval and a swap each."""


def tick(command: Command, *more: str) -> dict[str, Any]:
    """The one `watch.tick` of a tick, once its exit code was seen to be the process's."""
    told = command("watch", "--once", "--no-rehearsal", "--json", "-q", *more)
    ticks = [line for line in told.lines if line["kind"] == "watch.tick"]
    assert 1 == len(ticks), told.stderr
    last = told.lines[-1]
    assert ("watch.done", told.code, told.code) == (last["kind"], last["exit"], ticks[0]["exit"])
    return ticks[0]


def brief(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[key] for key in ("exit", "outcome", "code"))


def test_a_tick_begins_a_run_and_the_next_one_has_nothing_to_do(
    command: Command, wallet: CliWallet
) -> None:
    told = command("watch", "--once", "--json", "-q")
    kinds = [line["kind"] for line in told.lines]
    assert ("run.started", ["watch.tick", "watch.done"]) == (kinds[0], kinds[-2:])
    first = told.lines[-2]
    assert (0, "done", None, True) == (*brief(first), first["began"])
    assert float(first["cost"]) <= float(first["planned_cost"])
    assert TRANSACTIONS == wallet.nonce()
    second = tick(command)
    assert (0, "nothing", None, False, None) == (*brief(second), second["began"], second["run"])
    assert "is inside its" in second["why"]
    assert TRANSACTIONS == wallet.nonce()


def test_a_tick_is_told_to_people_on_one_line(command: Command) -> None:
    told = command("watch", "--once", "--no-rehearsal")
    assert 0 == told.code
    (line,) = told.stdout.splitlines()
    assert line.endswith(" done, every leg arrived")
    assert "run started: plan " in told.stderr


@pytest.mark.usefixtures("still")
def test_a_run_that_has_to_wait_ends_the_tick_with_9_and_the_next_one_goes_on(
    command: Command, wallet: CliWallet
) -> None:
    first = tick(command, "--budget", "0")
    assert (9, "waiting", None, True) == (*brief(first), first["began"])
    again = tick(command, "--budget", "0")
    assert (9, "waiting", None, False) == (*brief(again), again["began"])
    go(wallet)
    last = tick(command)
    assert (0, "done", None, first["run"]) == (*brief(last), last["run"])
    assert TRANSACTIONS == sum(isinstance(fact, Signed) for fact in wallet.facts())


def test_a_tick_beside_another_one_ends_with_75(command: Command, wallet: CliWallet) -> None:
    journal = SqliteJournal(wallet.state)
    with journal.hold(wallet.address):
        assert (75, None, "L101") == brief(tick(command))
    journal.close()
    assert 0 == tick(command)["exit"]


def test_a_node_that_is_down_is_left_alone_for_longer_each_time_and_then_asked_again(
    command: Command, wallet: CliWallet
) -> None:
    overlay = wallet.overlay.read_text()
    serve_from(wallet, f"http://127.0.0.1:{free_port()}")
    first = tick(command)
    assert (8, None, "N101", "node", False) == (*brief(first), first["cause"], first["held_back"])
    wallet.overlay.write_text(overlay)
    second = tick(command)
    assert (8, None, "N101", "node", True) == (
        *brief(second),
        second["cause"],
        second["held_back"],
    )
    assert "met 1 times, left alone for" in second["why"]
    assert (0, "done", None) == brief(tick(command, "--again"))
    assert (0, "nothing", None) == brief(tick(command))


def test_a_key_that_does_not_open_three_times_stops_the_keeper_until_told_again(
    command: Command, wallet: CliWallet
) -> None:
    (wallet.state / "keystore").rename(wallet.state / "elsewhere")
    kept = wallet.state / "keeper" / f"{wallet.address}.json"
    for _ in range(3):
        found = tick(command)
        assert (4, None, "key", False) == (
            found["exit"],
            found["outcome"],
            found["cause"],
            found["held_back"],
        )
        assert (0o600, 0o700) == tuple(p.stat().st_mode & 0o777 for p in (kept, kept.parent))
        # As if the time that the keeper waits were over.
        text = kept.read_text()
        body = json.loads(text)
        for trouble in body["memory"]["troubles"]:
            trouble["until"] = 0
        kept.write_text(json.dumps(body))
    (wallet.state / "elsewhere").rename(wallet.state / "keystore")
    stopped = tick(command)
    assert (10, None, "H103", True) == (*brief(stopped), stopped["held_back"])
    assert "3 times in a row" in stopped["why"]
    assert (0, ()) == (wallet.nonce(), wallet.facts())
    assert (0, "done", None) == brief(tick(command, "--again"))


def test_a_plan_that_needs_a_person_is_not_signed(command: Command, wallet: CliWallet) -> None:
    wallet.edit('mode = "never"', 'mode = "always"')
    found = tick(command)
    assert (5, None, "D100", "person") == (*brief(found), found["cause"])
    assert (0, ()) == (wallet.nonce(), wallet.facts())


def test_a_paused_keeper_does_nothing_and_says_why(command: Command, wallet: CliWallet) -> None:
    command("pause", "--reason", "look first")
    found = tick(command)
    assert (0, "nothing", None, "paused: look first") == (*brief(found), found["why"])
    command("unpause")
    assert "done" == tick(command)["outcome"]


def test_a_memory_that_cannot_be_read_begins_no_run(command: Command, wallet: CliWallet) -> None:
    kept = wallet.state / "keeper" / f"{wallet.address}.json"
    kept.parent.mkdir(mode=0o700)
    kept.write_text("{")
    found = tick(command)
    assert (1, None, "X100", 0) == (*brief(found), wallet.nonce())
    assert str(kept) in found["why"]


@pytest.mark.usefixtures("still")
def test_a_memory_that_cannot_be_read_does_not_keep_an_open_run_from_its_end(
    command: Command, wallet: CliWallet
) -> None:
    tick(command, "--budget", "0")
    kept = wallet.state / "keeper" / f"{wallet.address}.json"
    kept.write_text("{")
    go(wallet)
    told = command("watch", "--once", "--no-rehearsal")
    assert (0, True) == (told.code, f"warning: {kept} cannot be read" in told.stderr)


def test_the_password_may_stand_in_env_beside_the_portfolio(
    command: Command, wallet: CliWallet
) -> None:
    secrets = wallet.home / ".env"
    secrets.write_text(f"REBALANCER_PASSWORD={PASSWORD}\n")
    secrets.chmod(0o600)
    told = command("watch", "--once", "--no-rehearsal", "-q", environ={"REBALANCER_PASSWORD": None})
    assert (0, TRANSACTIONS) == (told.code, wallet.nonce())


def test_the_password_may_be_a_credential_of_whoever_starts_the_keeper(
    command: Command, wallet: CliWallet, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "rebalancer-password").write_text(f"{PASSWORD}\n")
    environ = {"REBALANCER_PASSWORD": None, "CREDENTIALS_DIRECTORY": str(folder)}
    told = command("watch", "--once", "--no-rehearsal", "-q", environ=environ)
    assert (0, TRANSACTIONS) == (told.code, wallet.nonce())


@pytest.mark.parametrize("line", [(), ("--once", "--every", "10m"), ("--every", "soon")])
def test_when_to_tick_must_be_said_once(command: Command, line: tuple[str, ...]) -> None:
    told = command("watch", *line)
    assert (2, True) == (told.code, "error[C104]" in told.stderr)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_keeper_that_is_asked_to_end_between_two_ticks_ends_with_0(
    wallet: CliWallet, sent: signal.Signals
) -> None:
    child = wallet.begin("watch", "--every", "1h", "--no-rehearsal", "--json")
    assert child.stdout is not None
    for line in child.stdout:
        if '"watch.done"' in line:
            break
    child.send_signal(sent)
    _, told = child.communicate(timeout=60)
    assert (0, TRANSACTIONS) == (child.returncode, wallet.nonce()), told


@pytest.mark.usefixtures("still")
def test_a_keeper_that_is_asked_to_end_while_it_follows_a_run_leaves_the_rest_to_the_next(
    wallet: CliWallet,
) -> None:
    child = wallet.begin("watch", "--every", "1h", "--no-rehearsal", "--json")
    assert child.stdout is not None
    for line in child.stdout:
        if '"tx.submitted"' in line:
            break
    child.send_signal(signal.SIGTERM)
    out, told = child.communicate(timeout=60)
    assert 130 == child.returncode, told
    last = json.loads(out.splitlines()[-1])
    assert ("watch.done", 130) == (last["kind"], last["exit"])
    go(wallet)
    done = wallet.command("watch", "--once", "--json", "--no-rehearsal")
    assert (0, TRANSACTIONS) == (done.code, wallet.nonce())
    assert TRANSACTIONS == sum(isinstance(fact, Signed) for fact in wallet.facts())
