"""`doctor`: each thing broken on purpose is found, and comes with what would mend it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command, plain, use
from cli.test_approvals import grant
from cli.test_views import let_feeds_be_old
from cli_fixtures import CHECKOUT, CliWallet, NewWallet

from agent.chain.node import RpcNode
from agent.cli.checks import met, warning, wrong
from agent.cli.doctor import text
from agent.errors import Broken, Unreachable
from agent.lab.mainnet import SWAP_ROUTER02, USDC
from agent.wire.address import checksum

CLOSED = "http://127.0.0.1:9"


def bad(command: Command, *options: str, environ: dict[str, str | None] | None = None) -> list[Any]:
    """(about, level, code) of what is not fine."""
    told = command("doctor", "--json", *options, environ=environ)
    assert told.document["kind"] == "doctor", told.stdout
    rows = [row for row in told.document["findings"] if row["level"] != "ok"]
    assert all(row["fix"] for row in rows)
    errors = any(row["level"] == "error" for row in rows)
    assert (errors, not errors) == (told.code == 1, told.document["ok"])
    return [(row["about"], row["level"], row["code"]) for row in rows]


def change(file: Path, old: str, new: str) -> None:
    content = file.read_text()
    assert old in content
    file.write_text(content.replace(old, new, 1))


def test_a_sound_wallet_has_no_findings(command: Command, wallet: CliWallet) -> None:
    told = command("doctor")
    wanted = """\
✓ configuration: HOME/portfolio.toml is sound
✓ state folder: HOME/state is private
✓ journal: whole, 0 facts, no run is open
✓ key: HOME/state/keystore/demo.json is private and the wallet's own
✓ kill switch: off
✓ simulate: ANVIL is in CACHE
✓ Ethereum node 127.0.0.1:PORT: chain id 1, genesis as pinned, head N is AGE old
✓ Ethereum contracts: N have code, N of them the code that is pinned
✓ Ethereum Uniswap V4: not checked: this local chain has none
✓ Ethereum tokens: 6 say the decimals that chains.toml has
✓ Ethereum wallet: 13.0000 ETH pay for 5 swaps and more
✓ price of DAI: 0.9990 USD by chainlink and pool
✓ price of ETH: 3,000.00 USD by chainlink and pool
✓ price of USDC: 0.9994 USD by chainlink and pool
✓ price of USDT: 0.9994 USD by chainlink and pool
✓ price of WBTC: 59,958.96 USD by chainlink and pool
✓ allowances: none is left to a known spender
0 errors, 0 warnings
"""
    seen = re.sub(r"@foundry-rs/\S+", "ANVIL", plain(told.stdout, wallet))
    seen = re.sub(r"\d+ have code, \d+ of", "N have code, N of", seen)
    assert (0, wanted) == (told.code, seen)


def test_quiet_shows_only_what_is_not_fine(command: Command) -> None:
    assert "0 errors, 0 warnings\n" == command("doctor", "-q").stdout


def test_findings_are_told_with_their_fix(bare: Command) -> None:
    found = [
        wrong("wallet", "no gas", "send some", "G403"),
        warning("journal", "run x is not finished", "rebalancer resume"),
        met("disk", Broken("the disk is full", fix="make room")),
    ]
    wanted = """\
✗ wallet: [G403] no gas
    send some
! journal: run x is not finished
    rebalancer resume
✗ disk: [X100] the disk is full
    make room
2 errors, 1 warnings"""
    assert wanted == text(found)


def test_files_that_others_may_read_are_found(command: Command, wallet: CliWallet) -> None:
    command("run", "--dry-run", "--no-rehearsal")
    wallet.journal.chmod(0o644)
    wallet.state.chmod(0o755)
    (wallet.state / "keystore/demo.json").chmod(0o644)
    found = bad(command)
    assert ("key", "error", "K103") in found
    assert 2 == found.count(("state folder", "error", "X100"))
    assert ("journal", "error", "X100") in found


def test_a_missing_key_is_found(command: Command, wallet: CliWallet) -> None:
    wallet.edit('"keystore:demo"', '"keystore:other"')
    assert [("key", "error", "K101")] == bad(command)


def test_a_key_of_another_wallet_is_found(
    command: Command, wallet: CliWallet, new_wallet: NewWallet
) -> None:
    other = new_wallet({})
    for file in (wallet.state / "keystore").iterdir():
        file.write_bytes((other.state / "keystore" / file.name).read_bytes())
    assert [("key", "error", "K104")] == bad(command)


def test_a_wallet_that_the_overlay_does_not_name_cannot_sign(
    command: Command, wallet: CliWallet
) -> None:
    change(wallet.overlay, str(wallet.address), "0x" + "5e" * 20)
    assert [("key", "error", "K105")] == bad(command)


def test_a_watch_only_wallet_is_fine(command: Command, wallet: CliWallet) -> None:
    wallet.edit('"keystore:demo"', '"watch"')
    assert [] == bad(command)


def test_a_key_file_that_does_not_say_whose_it_is_is_a_warning(
    command: Command, wallet: CliWallet
) -> None:
    file = wallet.state / "keystore/demo.json"
    content = json.loads(file.read_text())
    del content["address"]
    file.write_text(json.dumps(content))
    assert [("key", "warning", None)] == bad(command)
    opened = command("accounts", "show", "demo", "--unlock")
    assert (0, []) == (opened.code, bad(command))


def test_a_key_for_local_chains_is_no_key_for_others(command: Command, wallet: CliWallet) -> None:
    from agent.cli.checks_machine import machine
    from agent.settings import load

    environ = {**os.environ}
    del environ["REBALANCER_OVERLAY"]
    found = [item for item in machine(load(environ=environ)) if item.level != "ok"]
    assert [("key", "error", "K105")] == [(item.about, item.level, item.code) for item in found]


def test_an_address_without_a_checksum_is_a_warning(command: Command, wallet: CliWallet) -> None:
    wallet.edit(checksum(wallet.address), wallet.address)
    assert [("configuration", "warning", None)] == bad(command)


def test_a_signer_that_this_version_lacks_is_found(command: Command, wallet: CliWallet) -> None:
    from agent.cli.checks_machine import machine
    from agent.settings import load

    wallet.edit('"keystore:demo"', '"ledger"')
    found = [item for item in machine(load()) if item.level != "ok"]
    assert [("key", "K105")] == [(item.about, item.code) for item in found]


def test_a_key_in_the_environment_is_a_warning(command: Command, wallet: CliWallet) -> None:
    wallet.edit('"keystore:demo"', '"env_key"')
    assert [("key", "error", "K101")] == bad(command)
    given = bad(command, environ={"REBALANCER_PRIVATE_KEY": "ab" * 32})
    assert [("key", "warning", None)] == given


def test_the_kill_switch_is_a_warning(command: Command) -> None:
    command("pause", "--reason", "x")
    assert [("kill switch", "warning", None)] == bad(command)


def test_an_open_run_is_a_warning(command: Command) -> None:
    command("pause", "--reason", "x")
    command("run", "--no-rehearsal", "--wait", "0", "-q")
    command("unpause")
    assert [("journal", "warning", "P101")] == bad(command)


def test_a_damaged_journal_is_found(command: Command, wallet: CliWallet) -> None:
    command("run", "--dry-run", "--no-rehearsal")
    wallet.journal.write_bytes(b"no journal at all" * 100)
    assert [("journal", "error", "H101")] == bad(command, "-q")


def test_a_missing_local_node_is_a_warning(command: Command, tmp_path: Path) -> None:
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert [("simulate", "warning", None)] == bad(command, environ=elsewhere)


def test_neither_a_local_node_nor_what_fetches_it_is_an_error(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": str(tmp_path)}
    assert [("simulate", "error", "X103")] == bad(command, environ=elsewhere)


def test_a_node_that_is_not_there_is_an_error_when_it_is_the_only_one(
    command: Command, wallet: CliWallet
) -> None:
    change(wallet.overlay, wallet.world.url, CLOSED)
    found = bad(command)
    assert ("Ethereum node 127.0.0.1:9", "error", "N101") in found
    assert not [row for row in found if row[0] == "Ethereum contracts"]


def test_a_second_node_that_is_not_there_is_a_warning(command: Command, wallet: CliWallet) -> None:
    change(wallet.overlay, f'"{wallet.world.url}"', f'"{wallet.world.url}", "{CLOSED}"')
    assert [("Ethereum node 127.0.0.1:9", "warning", "N101")] == bad(command)


def test_another_genesis_is_found(command: Command, wallet: CliWallet) -> None:
    change(wallet.overlay, wallet.world.genesis, "0x" + "ab" * 32)
    port = wallet.world.url.removeprefix("http://")
    assert (f"Ethereum node {port}", "error", "N102") in bad(command)


def test_a_head_from_the_future_is_the_clock_s_fault(command: Command, wallet: CliWallet) -> None:
    wallet.world.set_time(wallet.world.head()[1] + 900)
    port = wallet.world.url.removeprefix("http://")
    assert (f"Ethereum node {port}", "error", "G402") in bad(command)


def test_other_code_than_pinned_is_found(command: Command, wallet: CliWallet) -> None:
    change(wallet.overlay, wallet.world.code_hashes[SWAP_ROUTER02], "0x" + "ab" * 32)
    assert [("Ethereum contracts", "error", "G104")] == bad(command)
    assert "has other code (0x" in command("doctor").stdout


def facts(wallet: CliWallet, old: str, new: str) -> tuple[str, str]:
    """chains.toml with one thing changed, as an option."""
    file = wallet.home / "chains.toml"
    file.write_text((CHECKOUT / "chains.toml").read_text())
    change(file, old, new)
    return ("--chains", str(file))


def test_a_contract_without_code_is_found(command: Command, wallet: CliWallet) -> None:
    nobody = '"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"'
    option = facts(wallet, '"0x61fFE014bA17989E743c5F6cB21bF9697530B21e"', nobody)
    assert [("Ethereum contracts", "error", "G104")] == bad(command, *option)


def test_other_decimals_are_found(command: Command, wallet: CliWallet) -> None:
    before = '"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"\ndecimals = '
    option = facts(wallet, before + "6", before + "7")
    assert ("Ethereum tokens", "error", "C105") in bad(command, *option)
    told = command("doctor", *option).stdout
    assert "USDC says 6 decimals, chains.toml has 7" in told


def test_a_token_that_is_none_is_found_everywhere(command: Command, wallet: CliWallet) -> None:
    no_token = '"0x61fFE014bA17989E743c5F6cB21bF9697530B21e"'
    option = facts(wallet, '"0x6B175474E89094C44Da98b954EedeAC495271d0F"', no_token)
    found = bad(command, *option)
    assert {
        ("Ethereum tokens", "error", "C105"),
        ("Ethereum wallet", "error", "N104"),
        ("allowances", "error", "N104"),
    } <= set(found)
    assert "DAI does not say its decimals" in command("doctor", *option).stdout


def test_a_node_that_falls_silent_in_between_is_found(
    command: Command, wallet: CliWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("it fell silent", fix="ask again")

    monkeypatch.setattr(RpcNode, "code_hashes", silent)
    assert [("Ethereum", "error", "N101")] == bad(command)


def test_stale_feeds_are_errors_for_targets_and_warnings_for_others(
    command: Command, wallet: CliWallet
) -> None:
    let_feeds_be_old(wallet.world, 9000)
    assert {
        ("price of ETH", "error", "G201"),
        ("price of USDC", "error", "G201"),
        ("price of WBTC", "error", "G201"),
        ("price of DAI", "warning", "G201"),
        ("price of USDT", "warning", "G201"),
    } == set(bad(command))


@pytest.mark.parametrize(("wei", "level"), [(0, "error"), (10**15, "warning")])
def test_little_gas_is_found(
    bare: Command, new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch, wei: int, level: str
) -> None:
    wallet = new_wallet({"USDC": 10**9, "ETH": wei} if wei else {"USDC": 10**9})
    use(wallet, monkeypatch)
    assert [("Ethereum wallet", level)] == [row[:2] for row in bad(bare)]
    assert "send at least 0.00" in bare("doctor").stdout


def test_an_account_with_code_is_found(command: Command, wallet: CliWallet) -> None:
    wallet.world.rpc.call("anvil_setCode", wallet.address, "0xef0100" + "5e" * 20)
    assert [("Ethereum wallet", "error", "G401")] == bad(command)


def test_allowances_left_over_are_warnings(command: Command, wallet: CliWallet) -> None:
    grant(wallet, USDC, SWAP_ROUTER02, 2**256 - 1)
    assert [("allowances", "warning", None)] == bad(command)
    told = command("doctor").stdout
    assert "may move all USDC\n    rebalancer approvals revoke\n" in told
