"""`bridges list` and `bridges quote`, for people and for programs, over two local chains."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bridge_rigs import NEAR, WALLET, Crossing, clean, open_crossing
from cli.commands import Command

from agent.cli.checks_funds import told
from agent.lab.overlay import overlay_text
from agent.wire.address import checksum

PORTFOLIO = """\
schema = 1

[wallet]
address = "{address}"
chains = ["eip155:1", "eip155:8453"]
signer = "watch"

[targets]
ETH = {{ weight = "0.60", band = "0.05" }}
USDC = {{ weight = "0.40", band = "0.05" }}

[bridges]
allow = [{allowed}]
{more}
"""
QUOTE = ("bridges", "quote", "--from", "eip155:1", "--to", "eip155:8453")
USDC = ("--token", "USDC", "--amount", "4150")
LOCAL = "LOCAL chains: nothing here is on any public chain\n"


@pytest.fixture(scope="module")
def two_chains(lab_cache: Path) -> Iterator[Crossing]:
    with open_crossing(lab_cache) as opened:
        yield opened


@pytest.fixture
def crossing(two_chains: Crossing) -> Iterator[Crossing]:
    with clean(two_chains) as cleaned:
        yield cleaned


def overlay(crossing: Crossing) -> str:
    """One overlay for both chains, and where the fee server is."""
    near, far = (overlay_text(world, [WALLET]) for world in crossing.worlds.values())
    far = far[far.index("\n[chains.") : far.index("\n[keys]")]
    keys = near.index("\n[keys]")
    api = f'\n[bridges.across]\napi = "{crossing.fees.api}"\n'
    return near[:keys] + far + near[keys:] + api


@pytest.fixture
def command(
    bare: Command, crossing: Crossing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command of a watched wallet on both chains."""
    files = {"CONFIG": tmp_path / "portfolio.toml", "OVERLAY": tmp_path / "overlay.toml"}
    files["OVERLAY"].write_text(overlay(crossing))
    wish(tmp_path)
    for name, file in files.items():
        monkeypatch.setenv(f"REBALANCER_{name}", str(file))
    return bare


def wish(home: Path, *, allowed: str = '"across"', more: str = "") -> None:
    text = PORTFOLIO.format(address=checksum(WALLET), allowed=allowed, more=more)
    (home / "portfolio.toml").write_text(text)


def block(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def plain(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def of_across(told: str) -> str:
    """What is said of Across, whatever other bridges there are and however wide that makes it."""
    rows = [row for row in plain(told).splitlines() if row.startswith(("bridge ", "across"))]
    return "".join(re.sub(r" {2,}", "  ", row) + "\n" for row in rows)


def test_bridges_are_listed_for_people(command: Command, crossing: Crossing) -> None:
    told = command("bridges", "list")
    wanted = """
        bridge  allowed  chain  contract  code
        across  yes  Ethereum  0x5c7BCd6E7De5423a257D81B442095A1a6ced35C5  pinned
        across  yes  Base  0x09aea4b2242abC8bb4BB78D537A67a245A7bEC64  pinned
        across: the fee is told by 127.0.0.1:PORT
        """
    assert (0, block(wanted), LOCAL) == (told.code, of_across(told.stdout), told.stderr)
    assert "cctp: the fee is told by its contracts\n" in told.stdout
    assert [] == crossing.fees.asked


def test_bridges_are_listed_for_programs(command: Command) -> None:
    told = command("bridges", "list", "--json", "-q")
    (across,) = [row for row in told.document["bridges"] if row["name"] == "across"]
    assert ("bridges", True, "") == (told.document["kind"], told.document["local"], told.stderr)
    assert ("across", True) == (across["name"], across["allowed"])
    assert {
        "chain": "eip155:8453",
        "contract": "0x09aea4b2242abC8bb4BB78D537A67a245A7bEC64",
        "pinned": True,
    } == across["chains"][1]


@pytest.mark.parametrize(
    ("more", "fee"),
    [
        ('[bridges.across]\napi = "off"', "nobody, so it is not used"),
        (
            '[bridges.across]\napi = "off"\nrelayer_fee_bps = 8\nrelayer_fee_fixed = "0.50"',
            "portfolio.toml (8 bps and 0.50)",
        ),
        (
            "[bridges.across]\nrelayer_fee_bps = 8",
            "127.0.0.1:PORT, or where that is silent portfolio.toml (8 bps and 0)",
        ),
    ],
)
def test_list_says_who_tells_the_fee(command: Command, tmp_path: Path, more: str, fee: str) -> None:
    wish(tmp_path, allowed="", more=more)
    told = of_across(command("bridges", "list").stdout)
    assert told.endswith(f"across: the fee is told by {fee}\n")
    assert "across  no " in told


def test_quote_is_told_to_people(command: Command) -> None:
    told = command(*QUOTE, *USDC)
    wanted = """
        4,150.00 USDC from Ethereum to Base
        bridge        arrives     fee         usually in
        across  4,148.04 USDC  1.9600  0.0 %         3 s
        """
    assert (0, block(wanted), LOCAL) == (told.code, told.stdout, told.stderr)


def test_chains_may_be_named(command: Command) -> None:
    told = command("bridges", "quote", "--from", "ethereum", "--to", "Base", *USDC)
    assert (0, True) == (told.code, "from Ethereum to Base" in told.stdout)


def test_quote_is_told_to_programs(command: Command) -> None:
    told = command(*QUOTE, *USDC, "--json", "-q")
    assert 0 == told.code
    found = told.document
    (quote,) = found["quotes"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", quote.pop("expires"))
    assert {
        "via": "across",
        "offer": {
            "token": "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
            "symbol": "USDC",
            "amount": "4148040000",
            "decimals": 6,
            "min_amount": "4148040000",
        },
        "fee": "1.960000",
        "seconds": 3,
        "gas": 90_400,
    } == quote
    assert ("bridges.quote", "eip155:1", "eip155:8453", f"eip155:1:{checksum(WALLET)}") == (
        found["kind"],
        found["chain"],
        found["to_chain"],
        found["wallet"],
    )
    assert "4150000000" == found["sell"]["amount"]


@pytest.mark.parametrize("symbol", ["ETH", "WETH"])
def test_coin_is_quoted_as_the_gas_coin(command: Command, symbol: str) -> None:
    told = command(*QUOTE, "--token", symbol, "--amount", "1", "--json", "-q")
    offer = told.document["quotes"][0]["offer"]
    assert ("ETH", "eip155:8453/slip44:60") == (offer["symbol"], offer["token"])


def test_refusal_is_told_and_ends_with_8(command: Command, crossing: Crossing) -> None:
    crossing.fees.forge = lambda answer: {**answer, "spokePoolAddress": "0x" + "bad0" * 10}
    told = command(*QUOTE, *USDC)
    assert 8 == told.code
    assert "across makes no offer: [N108] Across's fee server contradicts" in told.stdout
    (quote,) = command(*QUOTE, *USDC, "--json").document["quotes"]
    assert (None, "N108") == (quote["offer"], quote["code"])


def test_own_fee_is_told_in_money(command: Command, tmp_path: Path, crossing: Crossing) -> None:
    fee = 'api = "off"\nrelayer_fee_bps = 8\nrelayer_fee_fixed = "0.50"'
    wish(tmp_path, more=f"[bridges.across]\n{fee}")
    told = command(*QUOTE, *USDC)
    assert (0, []) == (told.code, crossing.fees.asked)
    assert "4,146.18 USDC  3.8204  0.1 %       1 min" in told.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "eip155:10"), "'eip155:10' is not one of the wallet's chains Ethereum, Base"),
        (("--to", "eip155:1"), "USDC has nowhere to go on Ethereum"),
        (("--token", "NONE"), "Ethereum has no 'NONE'"),
        (("--amount", "0"), "'0' is no amount of USDC"),
        (("--amount", "-1"), "'-1' is no amount of USDC"),
        (("--amount", "many"), "'many' is no amount of USDC"),
        (("--amount", "NaN"), "'NaN' is no amount of USDC"),
        (("--amount", "1e999999"), "'1e999999' is no amount of USDC"),
        (("--amount", "0.0000001"), "'0.0000001' is no amount of USDC"),
    ],
)
def test_words_that_cannot_be_meant_are_said(
    command: Command, words: tuple[str, str], why: str
) -> None:
    told = command(*QUOTE, *USDC, *words)
    assert (2, "") == (told.code, told.stdout)
    assert why in told.stderr


# doctor --funds


def test_money_between_chains_is_found_by_logs_alone(
    command: Command, crossing: Crossing, tmp_path: Path
) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": 4_150 * 10**6, "ETH": 10**18})
    deposit = crossing.deposit(crossing.leg("USDC", "USDC", 4_150 * 10**6))
    wish(tmp_path, allowed="")  # it was in use when the money left
    told = command("doctor", "--funds", "-q")
    wanted = (
        rf"! Ethereum across: 4,150\.00 USDC left by deposit 1 in {deposit.hash} and has not "
        r"arrived on Base; delivered or paid back after \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\. "
        r"4,150\.00 USDC is on its way: Across's pool holds it .*\n"
        r"    put across under \[bridges\] allow in portfolio\.toml, then: rebalancer resume\n"
        r"0 errors, 1 warnings\n"
    )
    assert re.fullmatch(wanted, told.stdout), told.stdout
    assert 0 == told.code
    crossing.fill(crossing.made(deposit))
    told = command("doctor", "--funds", "--days", "2")
    assert "Ethereum across: every transfer of the last 2 d has arrived or come back" in told.stdout
    assert "Base across: every transfer of the last 2 d has arrived" in told.stdout


def test_chain_that_cannot_be_searched_is_no_silence(
    command: Command, crossing: Crossing, tmp_path: Path
) -> None:
    text = (tmp_path / "overlay.toml").read_text()
    url = crossing.worlds[NEAR].url
    (tmp_path / "overlay.toml").write_text(text.replace(url, "http://127.0.0.1:1"))
    told = command("doctor", "--funds")
    assert 1 == told.code
    assert "✗ Ethereum across: [N101]" in told.stdout or "✗ Ethereum across: " in told.stdout
    assert "✓ Base across: every transfer" in told.stdout


def test_transfer_that_does_not_come_back_by_itself_is_told_without_a_time(
    crossing: Crossing,
) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": 10**9, "ETH": 10**18})
    crossing.deposit(crossing.leg("USDC", "USDC", 10**9))
    (found,) = crossing.bridge.find(WALLET, {NEAR: 0})
    lasting = replace(found, due=None)
    assert told(lasting).endswith("has not arrived on eip155:8453")
    assert "left by deposit 1 in 0x" in told(lasting)
    assert "USDC left in 0x" in told(replace(lasting, id=""))


def test_wallet_without_a_bridge_is_said(command: Command, tmp_path: Path) -> None:
    wish(tmp_path, allowed="")
    told = command(*QUOTE, *USDC)
    assert 2 == told.code
    assert "names no bridge" in told.stderr
