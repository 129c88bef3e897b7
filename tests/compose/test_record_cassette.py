"""scripts/record_cassette.py: what providers' servers answer now becomes a sample of the tests."""

from __future__ import annotations

import json
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from three_chains import write_files

from agent.core.money import Address
from agent.errors import Unreachable
from agent.lab.worlds import Worlds
from agent.wire.address import checksum
from agent.wire.http import HttpClient
from scripts import record_cassette
from scripts.record_cassette import main, redacted

ACCOUNT = Address("0x71c7656ec7ab88b098defb751b7401b5f6d8976f")
KEY = "canary-5e12e7"


@pytest.fixture
def home(chains: Worlds, tmp_path: Path) -> Path:
    write_files(chains, tmp_path, ACCOUNT, "watch")
    return tmp_path


def recorded(home: Path, room: str, name: str, *more: str) -> dict[str, Any]:
    """Record on the local chains; returns what the file holds."""
    overlay, address = str(home / "overlay.toml"), checksum(ACCOUNT)
    told = ["--address", address, "--overlay", overlay, "--out", str(home), "--room", room]
    assert 0 == main([name, *told, *more])
    text = (home / room / f"{name}.json").read_text(encoding="utf-8")
    assert ACCOUNT[2:] not in text.lower()
    found: dict[str, Any] = json.loads(text)
    return found


def test_answers_of_a_venue_are_kept_with_host_date_and_question(home: Path) -> None:
    found = recorded(home, "venues", "lifi")
    entry = found["live_quote_1"]
    host, date, how = entry["_source"].split(", ")
    assert ("127.0.0.1", 10, "by scripts/record_cassette.py") == (host, len(date), how)
    assert ("GET", 200, "1") == (entry["method"], entry["status"], entry["query"]["fromChain"])
    assert entry["path"].endswith("/quote")
    assert entry["query"]["fromAddress"] == "0x" + "a11e7" * 8
    assert "a11e7" * 8 in entry["body"]["transactionRequest"]["data"]


@pytest.mark.parametrize("name", ["lifi", "across", "cctp"])
def test_answers_of_a_bridge_are_kept(home: Path, name: str) -> None:
    found = recorded(home, "bridges", name)
    assert found
    assert {200} == {entry["status"] for entry in found.values()}


def test_recording_replaces_the_one_before_it_and_nothing_else(home: Path) -> None:
    file = home / "venues" / "odos.json"
    file.parent.mkdir()
    kept = {"quote": {"body": 1}, "live_old_1": {"body": 2}}
    file.write_text(json.dumps(kept))
    found = recorded(home, "venues", "odos")
    assert {"body": 1} == found["quote"]
    assert "live_old_1" not in found
    assert any(name.startswith("live_") for name in found)


def test_no_of_a_server_is_a_sample_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(record_cassette.PAIRS, "venues", (("WETH", "USDC", "1e15"),))
    found = recorded(home, "venues", "lifi")
    assert [(404, 1002)] == [(each["status"], each["body"]["code"]) for each in found.values()]


def test_key_is_not_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZEROX_API_KEY", KEY)
    found = recorded(home, "venues", "zerox")
    assert KEY not in json.dumps(found) + "".join(capsys.readouterr())


def test_account_and_keys_are_taken_out_of_text_whatever_their_letters() -> None:
    text = json.dumps([ACCOUNT, checksum(ACCOUNT), "0x12" + ACCOUNT[2:] + "34", f"no {KEY}"])
    dull = "a11e7" * 8
    assert [f"0x{dull}", f"0x{dull}", f"0x12{dull}34", "no [redacted]"] == json.loads(
        redacted(text, ACCOUNT, [KEY, ""])
    )


def test_number_with_a_fraction_stays_one_unless_that_loses_something() -> None:
    numbers = [Decimal("0.005"), Decimal("0.1234567890123456789012")]
    assert '[0.005, "0.1234567890123456789012"]' == json.dumps(
        numbers, default=record_cassette._number
    )
    with pytest.raises(TypeError):
        record_cassette._number(object())


def test_without_a_network_it_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise Unreachable("li.quest cannot be reached", fix="check the network")

    monkeypatch.setattr(HttpClient, "get", nobody)
    monkeypatch.setattr(socket, "create_connection", nobody)
    told = ["--address", ACCOUNT, "--out", str(tmp_path), "--room", "venues"]
    assert 1 == main(["lifi", *told])
    said = capsys.readouterr().err
    assert "li.quest cannot be reached" in said
    assert said.endswith("nothing was written\n")
    assert [] == list(tmp_path.iterdir())


def test_provider_without_its_key_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ZEROX_API_KEY", raising=False)
    assert 1 == main(["zerox", "--address", ACCOUNT, "--out", str(tmp_path)])
    assert "set ZEROX_API_KEY" in capsys.readouterr().err


def test_bridge_that_asks_no_server_has_nothing_to_record(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--address", ACCOUNT, "--overlay", str(home / "overlay.toml"), "--out", str(home)]
    assert 1 == main(["stargate", *told])
    assert "asks no server" in capsys.readouterr().err


def test_name_that_is_no_provider_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["uniswop", "--address", ACCOUNT])
    assert "uniswop is no venue and no bridge" in capsys.readouterr().err
