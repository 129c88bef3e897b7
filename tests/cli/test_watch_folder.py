"""`watch --dir`: many portfolios, and one that is broken does not stop the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command, use
from cli.test_watch import TRANSACTIONS
from cli_fixtures import CliWallet, NewWallet
from error_cases import free_port

from agent.cli.keeping import SERIOUS, most_serious, portfolios
from agent.compose.adapters import key_folders
from agent.core.fact import Signed
from agent.errors import ConfigFileMissing
from agent.lab.overlay import write_overlay
from agent.stores.sqlite import SqliteJournal


@pytest.fixture
def two(new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch) -> tuple[CliWallet, CliWallet]:
    """Two wallets on one chain with one state folder; their portfolios are in one folder."""
    first, second = new_wallet(), new_wallet()
    (first.home / "many").mkdir()
    for name, wallet in (("first", first), ("second", second)):
        text = wallet.portfolio.read_text().replace('"demo"', f'"{name}"', 1)
        text = text.replace("keystore:demo", f"keystore:{name}")
        (first.home / "many" / f"{name}.toml").write_text(text)
        kept = key_folders(wallet.state).own / "demo.json"
        moved = key_folders(first.state).own / f"{name}.json"
        kept.rename(moved)
    accounts = [first.address, second.address]
    write_overlay(first.world, first.overlay, accounts, confirmations=1, max_head_age_seconds=3_600)
    use(first, monkeypatch)
    monkeypatch.delenv("REBALANCER_CONFIG")
    return first, second


def ticks(command: Command, folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    told = command("watch", "--once", "--no-rehearsal", "--json", "-q", "--dir", str(folder), *more)
    found = {line["portfolio"]: line for line in told.lines if line["kind"] == "watch.tick"}
    last = told.lines[-1]
    assert ("watch.done", told.code) == (last["kind"], last["exit"])
    assert set(found) == {result["portfolio"] for result in last["results"]}
    return told.code, found


def test_every_portfolio_has_its_tick_its_lock_and_its_journal(
    bare: Command, two: tuple[CliWallet, CliWallet]
) -> None:
    first, second = two
    code, found = ticks(bare, first.home / "many")
    assert (0, {"first": "done", "second": "done"}) == (
        code,
        {name: line["outcome"] for name, line in found.items()},
    )
    journal = SqliteJournal(first.state, read_only=True)
    assert [TRANSACTIONS] * 2 == [
        sum(isinstance(fact, Signed) for fact in journal.load(wallet.address)) for wallet in two
    ]
    journal.close()
    assert [TRANSACTIONS] * 2 == [first.nonce(), second.nonce()]


def test_a_broken_portfolio_does_not_stop_the_others_and_its_exit_code_stands_for_all(
    bare: Command, two: tuple[CliWallet, CliWallet]
) -> None:
    folder = two[0].home / "many"
    (folder / "broken.toml").write_text("schema = 2\n")
    code, found = ticks(bare, folder)
    assert (2, None, "C104") == (code, found["broken"]["outcome"], found["broken"]["code"])
    assert ["done", "done"] == [found[name]["outcome"] for name in ("first", "second")]


def test_a_wallet_that_is_held_does_not_stop_the_others(
    bare: Command, two: tuple[CliWallet, CliWallet]
) -> None:
    first, _ = two
    journal = SqliteJournal(first.state)
    with journal.hold(first.address):
        code, found = ticks(bare, first.home / "many")
    journal.close()
    assert (75, "L101", "done") == (code, found["first"]["code"], found["second"]["outcome"])


def test_a_fault_of_the_program_in_one_does_not_stop_the_others(
    bare: Command, two: tuple[CliWallet, CliWallet], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.cli import keeping

    whole = keeping.advance

    def faulty(wallet: Any, **words: Any) -> Any:
        if wallet.io.account == two[0].address:
            raise RuntimeError("secret-canary")
        return whole(wallet, **words)

    monkeypatch.setattr(keeping, "advance", faulty)
    code, found = ticks(bare, two[0].home / "many")
    assert (1, "X100", False) == (code, found["first"]["code"], found["first"]["nothing_signed"])
    assert "done" == found["second"]["outcome"]
    assert "secret-canary" not in json.dumps(found)


def test_events_of_a_folder_name_their_portfolio(
    bare: Command, two: tuple[CliWallet, CliWallet]
) -> None:
    folder = str(two[0].home / "many")
    told = bare("watch", "--once", "--no-rehearsal", "--dir", folder)
    assert ["done", "done"] == [line.split()[4].rstrip(",") for line in told.stdout.splitlines()]
    progress = told.stderr.splitlines()
    assert {"first", "second"} == {
        line.partition(": ")[0] for line in progress if " mined " in line
    }


def test_a_folder_without_portfolios_is_an_error(bare: Command, tmp_path: Path) -> None:
    told = bare("watch", "--once", "--dir", str(tmp_path))
    assert (2, True) == (told.code, f"error[C101] {tmp_path} has no portfolio" in told.stdout)
    with pytest.raises(ConfigFileMissing):
        portfolios(tmp_path / f"no folder {free_port()}")


def test_a_folder_and_a_file_are_one_too_many(bare: Command, tmp_path: Path) -> None:
    told = bare("watch", "--once", "--dir", str(tmp_path), "--config", "portfolio.toml")
    assert (2, True) == (told.code, "say either --dir or --config" in told.stderr)


def test_the_most_serious_exit_code_stands_for_several() -> None:
    assert [10, 8, 75, 9, 0] == [
        most_serious(codes) for codes in ([0, 10, 8], [8, 0, 75], [75, 9], [9, 0], [0])
    ]
    assert len(SERIOUS) == len(set(SERIOUS))
