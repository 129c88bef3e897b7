"""Notices of the keeper: who is told of what, once, and that no secret gets out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cli.commands import Command, go
from cli.test_secrets import files_with
from cli.test_views import let_feeds_be_old
from cli.test_watch import TRANSACTIONS
from cli_fixtures import CliWallet
from error_cases import free_port
from hook_server import SECRET, Hook, hook_server


@pytest.fixture
def hook(wallet: CliWallet) -> Iterator[Hook]:
    """A webhook and a dead man's URL that the wallet's portfolio names, their URLs in .env."""
    with hook_server() as found:
        secrets = wallet.home / ".env"
        secrets.write_text(f"HOOK={found.url}\nALIVE={found.url}\n")
        secrets.chmod(0o600)
        with wallet.portfolio.open("a") as file:
            file.write('\n[notify]\nwebhook_env = "HOOK"\ndead_man_env = "ALIVE"\n')
        yield found


def tick(command: Command, *more: str) -> Any:
    return command("watch", "--once", "--no-rehearsal", "--json", "-v", *more)


def test_a_run_is_told_when_it_started_and_when_it_is_done(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    told = tick(command)
    assert (0, ["started", "done"], 1) == (told.code, hook.events, hook.pings)
    started, done = hook.notices
    assert ("demo", True, started["run"]) == (done["portfolio"], done["local"], done["run"])
    assert done["why"].startswith("every leg arrived; cost 11.")
    assert (0, ["started", "done"], 2) == (tick(command).code, hook.events, hook.pings)


@pytest.mark.usefixtures("still")
def test_a_run_that_waits_is_told_once_and_its_end_once(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    for _ in range(3):
        assert 9 == tick(command, "--budget", "0").code
    assert (["started"], 3) == (hook.events, hook.pings)
    go(wallet)
    assert 0 == tick(command).code
    assert ["started", "done"] == hook.events


def test_a_refusal_is_told_once_and_is_no_sign_of_life(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    let_feeds_be_old(wallet.world, 7_200)
    for _ in range(3):
        assert 6 == tick(command, "--again").code
    # --again forgets what was told too; without it there is one notice for a cause.
    assert 6 == tick(command).code
    assert (["refused"] * 3, 0) == (hook.events, hook.pings)
    assert {"G201"} == {notice["code"] for notice in hook.notices}


def test_a_plan_that_nobody_confirms_needs_a_person(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    wallet.edit('mode = "never"', 'mode = "always"')
    for _ in range(2):
        assert 5 == tick(command).code
    assert (["needs_human"], ["D100"]) == (hook.events, [n["code"] for n in hook.notices])


def test_only_what_was_asked_for_is_told(command: Command, wallet: CliWallet, hook: Hook) -> None:
    with wallet.portfolio.open("a") as file:
        file.write('events = ["done", "refused"]\n')
    assert 0 == tick(command).code
    assert ["done"] == hook.events


def test_a_notice_that_did_not_arrive_stops_no_money_and_is_sent_again(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    hook.status = 503
    told = tick(command)
    assert (0, TRANSACTIONS) == (told.code, wallet.nonce())
    assert (
        f"warning: [N111] HOOK: 127.0.0.1:{hook.port} answered with HTTP 503\n"
        f"warning: [N111] ALIVE: 127.0.0.1:{hook.port} answered with HTTP 503\n"
    ) in told.stderr
    hook.status, hook.came = 200, []
    assert (0, "") == (tick(command, "-q").code, tick(command, "-q").stderr)
    assert ["started", "done"] == hook.events


def test_a_damaged_journal_is_told(command: Command, wallet: CliWallet, hook: Hook) -> None:
    assert 0 == tick(command).code
    wallet.journal.write_bytes(b"no database" * 1000)
    assert (10, "H101") == (tick(command).code, hook.notices[-1]["code"])
    count = len(hook.notices)
    tick(command)
    assert count == len(hook.notices)


def test_no_notice_and_no_error_of_one_shows_or_stores_the_url(
    command: Command, wallet: CliWallet, hook: Hook
) -> None:
    printed = []
    for status, url in ((200, hook.url), (500, hook.url), (200, f"ftp://x/{SECRET}")):
        hook.status = status
        (wallet.home / ".env").write_text(f"HOOK={url}\nALIVE={url}\n")
        for words in (("watch", "--once", "--again"), ("notify", "test"), ("config", "show")):
            for more in (("-v",), ("-v", "--json")):
                told = command(*words, *more)
                printed.append(told.stdout + told.stderr)
    (wallet.home / ".env").write_text("")
    printed.append(command("notify", "test", "-v").stdout)
    assert "HOOK is not set, and [notify] names it" in printed[-1]
    assert [] == [text for text in printed if SECRET in text]
    assert [] == files_with((SECRET,), wallet.home)


def test_everybody_is_reached_by_a_test(command: Command, hook: Hook) -> None:
    told = command("notify", "test")
    assert (0, "HOOK: reached\ndead man: reached\n") == (told.code, told.stdout)
    assert (["test"], 1) == (hook.events, hook.pings)
    hook.status = 500
    said = command("notify", "test", "--json")
    why = f"[N111] HOOK: 127.0.0.1:{hook.port} answered with HTTP 500"
    assert (8, False, {"name": "HOOK", "error": why}) == (
        said.code,
        said.document["ok"],
        said.document["told"][0],
    )


def test_a_test_without_anybody_to_tell_is_an_error(command: Command) -> None:
    told = command("notify", "test")
    assert (2, True) == (told.code, "it has no [notify]" in told.stderr)


def test_apprise_that_is_not_installed_is_said_and_stops_no_money(
    command: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wallet.portfolio.open("a") as file:
        file.write('\n[notify]\napprise_env = "HOOKS"\n')
    monkeypatch.setenv("HOOKS", f"json://127.0.0.1:{free_port()}/{SECRET}")
    monkeypatch.setitem(sys.modules, "apprise", None)
    told = tick(command)
    assert (0, TRANSACTIONS) == (told.code, wallet.nonce())
    assert "warning: [X104] notify.apprise_env is configured and apprise is not installed\n" in (
        told.stderr
    )
    kept = json.loads((wallet.state / "keeper" / f"{wallet.address}.json").read_text())
    assert 2 == len(kept["memory"]["unsent"])
