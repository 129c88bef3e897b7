"""`venues list` and `venues quote` on local chains, for people and for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.commands import Command
from three_chains import new_key, write_files

from agent.compose.adapters import venue_names
from agent.lab.worlds import Worlds

NAMES = list(venue_names())
ELSEWHERE = dict.fromkeys(("quickswap_v2", "traderjoe_v1"), "it serves none of the wallet's chains")
QUOTE = ("venues", "quote", "--sell", "WETH", "--buy", "USDC", "--amount", "1.5")


@pytest.fixture
def three(chains: Worlds, tmp_path: Path) -> Iterator[Worlds]:
    """Files of a wallet without money that allows every venue."""
    address = new_key(tmp_path)
    write_files(chains, tmp_path, address, "watch", max_head_age_seconds=86_400)
    portfolio = tmp_path / "portfolio.toml"
    allowed = json.dumps(NAMES)
    portfolio.write_text(portfolio.read_text().replace('allow = ["router"]', f"allow = {allowed}"))
    return chains


def variables(folder: Path, **more: str) -> dict[str, str]:
    keys = {f"{name.upper()}_API_KEY": "canary-key-5e12" for name in NAMES}
    return {
        "REBALANCER_CONFIG": str(folder / "portfolio.toml"),
        "REBALANCER_OVERLAY": str(folder / "overlay.toml"),
        **keys,
        **more,
    }


def test_list_says_who_is_allowed_and_on(three: Worlds, tmp_path: Path, bare: Command) -> None:
    done = bare("--json", "venues", "list", environ=variables(tmp_path))
    body = json.loads(done.stdout)
    assert (0, "venues") == (done.code, body["kind"])
    assert NAMES == [row["name"] for row in body["venues"]]
    assert {True} == {row["allowed"] for row in body["venues"]}
    assert ELSEWHERE == {row["name"]: row["off"] for row in body["venues"] if row["off"]}
    (oneinch,) = [row for row in body["venues"] if row["name"] == "oneinch"]
    assert "ONEINCH_API_KEY (required)" == oneinch["key"]
    assert "canary" not in done.stdout + done.stderr


def test_venue_whose_key_is_missing_is_not_asked_and_says_which_variable_to_set(
    three: Worlds, tmp_path: Path, bare: Command
) -> None:
    keyless = variables(tmp_path, ZEROX_API_KEY="")
    missing = "it needs a key: set ZEROX_API_KEY, in the environment or in .env"
    listed = bare("--json", "venues", "list", environ=keyless).document["venues"]
    offs = {row["name"]: row["off"] for row in listed if row["off"]}
    assert {**ELSEWHERE, "zerox": missing} == offs
    quoted = bare("--json", *QUOTE, "--all", environ=keyless).document["quotes"]
    assert [{"via": "zerox", "answer": "off", "passes": False, "why": missing}] == [
        each for each in quoted if each["via"] == "zerox"
    ]
    told = bare(*QUOTE, "--all", environ=keyless).stdout
    assert re.search(rf"^zerox +off: {re.escape(missing)}$", told, re.M), told
    (tmp_path / ".env").write_text("ZEROX_API_KEY=canary-key-5e12\n")
    (tmp_path / ".env").chmod(0o600)
    again = bare("--json", *QUOTE, "--all", environ=variables(tmp_path, ZEROX_API_KEY=""))
    (asked,) = [each for each in again.document["quotes"] if each["via"] == "zerox"]
    assert "off" != asked["answer"]


def test_list_for_people_has_a_line_for_each(three: Worlds, tmp_path: Path, bare: Command) -> None:
    done = bare("venues", "list", environ=variables(tmp_path))
    assert 0 == done.code
    assert NAMES == [line.split()[0] for line in done.stdout.splitlines()[1:]]


def test_quote_ranks_every_venue_by_what_is_left(
    three: Worlds, tmp_path: Path, bare: Command
) -> None:
    done = bare("--json", *QUOTE, environ=variables(tmp_path))
    body = json.loads(done.stdout)
    assert (0, "venues.quote", "1500000000000000000") == (
        done.code,
        body["kind"],
        body["sell"]["amount"],
    )
    assert set(NAMES) == {each["via"] for each in body["quotes"]}
    made = [each for each in body["quotes"] if each["passes"]]
    assert made == sorted(made, key=lambda each: -int(each["net"]))
    assert made[0]["via"] == body["best"]
    for each in made:
        assert 0 < int(each["offer"]["min_amount"]) <= int(each["offer"]["amount"])
        assert int(each["net"]) <= int(each["offer"]["amount"])
    assert "canary" not in done.stdout + done.stderr


def test_forged_offer_says_why_not_and_the_next_one_is_best(
    three: Worlds, tmp_path: Path, bare: Command
) -> None:
    three.tell("kyberswap", "forge", "bait", 1)
    done = bare("--json", *QUOTE, environ=variables(tmp_path))
    body = json.loads(done.stdout)
    (forged,) = [each for each in body["quotes"] if each["via"] == "kyberswap"]
    assert (False, "refused", "G105") == (forged["passes"], forged["answer"], forged["code"])
    assert int(forged["net"]) == max(int(each.get("net", 0)) for each in body["quotes"])
    assert (0, True) == (done.code, body["best"] not in {None, "kyberswap"})


def test_silence_is_told_apart(three: Worlds, tmp_path: Path, bare: Command) -> None:
    three.tell("kyberswap", "fail", "429", 9)
    three.tell("velora", "fail", "500", 9)
    try:
        done = bare("--json", *QUOTE, environ=variables(tmp_path))
    finally:
        three.tell("kyberswap", "fail", "429", 0)
        three.tell("velora", "fail", "500", 0)
    answers = {each["via"]: each["answer"] for each in json.loads(done.stdout)["quotes"]}
    assert ("limited", "down") == (answers["kyberswap"], answers["velora"])


def test_people_read_one_table(three: Worlds, tmp_path: Path, bare: Command) -> None:
    done = bare(*QUOTE, environ=variables(tmp_path))
    head, *rows = done.stdout.splitlines()[:-1]
    assert "1.5000 WETH for USDC on Ethereum" == head
    assert ["venue", "out", "minimum", "gas", "net", "time"] == rows[0].split()
    assert 1 == sum("✓ best" in row for row in rows), done.stdout
    assert all(re.search(r"\d ms|off:", row) for row in rows[1:])


def test_venue_without_a_way_says_so(three: Worlds, tmp_path: Path, bare: Command) -> None:
    gas_coin = (
        "venues",
        "quote",
        "--sell",
        "ETH",
        "--buy",
        "USDC",
        "--amount",
        "1",
        "--on",
        "base",
    )
    done = bare(*gas_coin, environ=variables(tmp_path))
    assert 0 == done.code
    assert re.search(r"^cow +\d+ ms +✗ none \[N107\]", done.stdout, re.M)


def test_only_allowed_venues_are_asked_unless_all_are_wanted(
    three: Worlds, tmp_path: Path, bare: Command
) -> None:
    portfolio = tmp_path / "portfolio.toml"
    portfolio.write_text(
        re.sub(r"allow = \[\"router\".*", 'allow = ["router"]', portfolio.read_text())
    )
    done = bare("--json", *QUOTE, environ=variables(tmp_path))
    assert ["router"] == [each["via"] for each in json.loads(done.stdout)["quotes"]]
    done = bare("--json", *QUOTE, "--all", environ=variables(tmp_path))
    assert set(NAMES) == {each["via"] for each in json.loads(done.stdout)["quotes"]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"--buy": "WETH"}, "is no swap"),
        ({"--buy": "NOPE"}, "has no 'NOPE'"),
        ({"--amount": "-1"}, "is no amount"),
        ({"--on": "mars"}, "is not one of the wallet's chains"),
    ],
)
def test_what_cannot_be_asked_is_said(
    three: Worlds, tmp_path: Path, bare: Command, changes: dict[str, str], why: str
) -> None:
    asked = {"--sell": "WETH", "--buy": "USDC", "--amount": "1.5", **changes}
    words = [word for pair in asked.items() for word in pair]
    done = bare("venues", "quote", *words, environ=variables(tmp_path))
    assert 2 == done.code
    assert why in done.stderr
