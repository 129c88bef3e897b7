"""`chains list` and `chains check`: what is known of chains, and what the chains say to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command, plain
from cli.test_views import let_feeds_be_old
from cli_fixtures import CHECKOUT, CliWallet

from agent.chain.node import RpcNode
from agent.core.snapshot import Block
from agent.errors import Unreachable

LISTED = """\
chain         name             fees      tokens  feeds  swaps  known bridges
eip155:1      Ethereum         eip1559        7      5  yes    across, canonical_arbitrum, canonical_op, cctp, lifi, stargate
eip155:8453   Base             op_stack       7      5  yes    across, canonical_op, cctp, lifi, stargate
eip155:42161  Arbitrum One     arbitrum       7      5  yes    across, canonical_arbitrum, cctp, lifi, stargate
eip155:10     OP Mainnet       op_stack       7      4  yes    across, canonical_op, cctp, lifi, stargate
eip155:56     BNB Smart Chain  eip1559        7      3  yes    across, lifi
eip155:100    Gnosis           eip1559        6      0  no     stargate
eip155:137    Polygon          eip1559        8      3  yes    across, cctp, lifi, stargate
eip155:43114  Avalanche        eip1559        7      2  yes    across, cctp, lifi, stargate
OP Mainnet has no feed of USDT: another chain's must stand in
BNB Smart Chain has no feed of DAI, USDT: another chain's must stand in
Gnosis is plan-only: no chain has a feed of its gas coin, XDAI
Polygon has no feed of DAI, USDC, USDT: another chain's must stand in
Avalanche has no feed of DAI, ETH, USDT, WBTC: another chain's must stand in
"""


def test_list_says_what_is_possible_on_each_chain(bare: Command) -> None:
    told = bare("chains", "list")
    assert (0, LISTED, "") == (told.code, told.stdout, told.stderr)


def test_list_names_coins_and_tokens_by_caip(bare: Command) -> None:
    told = bare("chains", "list", "--json").document
    assert ("chains", False) == (told["kind"], told["local"])
    rows = {row["chain"]: row for row in told["chains"]}
    bnb = rows["eip155:56"]
    assert {
        "token": "eip155:56/slip44:714",
        "symbol": "BNB",
        "decimals": 18,
        "asset": "BNB",
        "role": "spend",
    } == bnb["tokens"][0]
    assert "eip155:56/erc20:0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c" == bnb["tokens"][1]["token"]
    assert (["DAI", "USDT"], None) == (bnb["priced_elsewhere"], bnb["plan_only"])
    assert "no chain has a feed of its gas coin, XDAI" == rows["eip155:100"]["plan_only"]


def without(*tables: str) -> str:
    """chains.toml without some tables of every chain, and with its chain Ethereum alone."""
    kept, wanted = [], True
    for row in (CHECKOUT / "chains.toml").read_text().splitlines(keepends=True):
        if row.startswith("["):
            wanted = not any(f'".{table}' in row for table in tables)
            wanted = wanted and ('"eip155:1"' in row or "chains." not in row)
        if wanted:
            kept.append(row)
    return "".join(kept)


def test_chain_without_router_and_bridge_is_plan_only(bare: Command, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(without("uniswap", "across", "providers"))
    told = bare("chains", "list", "--chains", str(file)).stdout
    assert "Ethereum is plan-only: no router and no bridge is known there\n" in told


@pytest.fixture
def local(command: Command, wallet: CliWallet) -> Any:
    """Checks the local chain against chains.toml, with one thing changed; providers do not stand there."""

    def check(old: str = "", new: str = "", *options: str) -> Any:
        text = without("providers")
        assert old in text
        file = wallet.home / "chains.toml"
        file.write_text(text.replace(old, new, 1))
        return command("chains", "check", "--chains", str(file), *options)

    return check


def test_sound_facts_are_confirmed_one_by_one(local: Any, wallet: CliWallet) -> None:
    told = local()
    wanted = """\
✓ Ethereum node 127.0.0.1:PORT: chain id 1, genesis as pinned, head N is AGE old
✓ Ethereum contracts: N have code, N of them the code that is pinned
✓ Ethereum Uniswap V4: not checked: this local chain has none
✓ Ethereum tokens: 6 say the decimals that chains.toml has
✓ Ethereum symbols: 6 say the symbol that chains.toml has
✓ Ethereum feed of ETH: ETH / USD, 8 decimals, fresh
✓ Ethereum feed of WBTC: BTC / USD, 8 decimals, fresh
✓ Ethereum feed of USDC: USDC / USD, 8 decimals, fresh
✓ Ethereum feed of USDT: USDT / USD, 8 decimals, fresh
✓ Ethereum feed of DAI: DAI / USD, 8 decimals, fresh
✓ Ethereum feed of wstETH: STETH / USD, 8 decimals, fresh
✓ Ethereum rate of wstETH: it stands for 1.2000
✓ Ethereum fee tiers: 4 are the factory's
✓ Ethereum Across: its wrapped coin is WETH
✓ Ethereum finality: the newest final block is AGE behind
0 errors, 0 warnings
"""
    seen = re.sub(r"\d+ have code, \d+ of", "N have code, N of", plain(told.stdout, wallet))
    seen = re.sub(r"block is \d+ (s|min|h|d) behind", "block is AGE behind", seen)
    assert (0, wanted) == (told.code, seen)
    assert "LOCAL" in told.stderr


def wrong(told: Any) -> list[tuple[str, str, str]]:
    """(about, what, key of the place) of each error; a check with one ends with 1."""
    rows = [row for row in told.document["findings"] if row["level"] == "error"]
    assert (1, False) == (told.code, told.document["ok"])
    assert all(row["fix"] and row["chain"] == "eip155:1" for row in rows)
    return [(row["about"], row["what"], row["place"].partition(": ")[2]) for row in rows]


CHAIN = 'chains."eip155:1"'
NOBODY = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

MISTAKES = [
    (
        '"0x61fFE014bA17989E743c5F6cB21bF9697530B21e"',
        f'"{NOBODY}"',
        ("Ethereum contracts", f"QuoterV2 at {NOBODY} has no code", f"{CHAIN}.uniswap"),
    ),
    (
        '"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"\ndecimals = 6',
        '"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"\ndecimals = 7',
        (
            "Ethereum tokens",
            "USDC says 6 decimals, chains.toml has 7",
            f"{CHAIN}.tokens.USDC.decimals",
        ),
    ),
    (
        'role = "count"',
        'role = "count"\nsays = "stETH"',
        (
            "Ethereum symbols",
            "wstETH calls itself wstETH, chains.toml has stETH",
            f"{CHAIN}.tokens.wstETH.decimals",
        ),
    ),
    (
        'description = "BTC / USD"',
        'description = "WBTC / USD"',
        (
            "Ethereum feed of WBTC",
            'it describes itself as "BTC / USD", chains.toml has "WBTC / USD"',
            f"{CHAIN}.feeds.WBTC",
        ),
    ),
    (
        'decimals = 8\ndescription = "DAI / USD"',
        'decimals = 18\ndescription = "DAI / USD"',
        (
            "Ethereum feed of DAI",
            "its answers have 8 decimals, chains.toml has 18",
            f"{CHAIN}.feeds.DAI",
        ),
    ),
    (
        "[3000, 60]",
        "[3000, 61]",
        (
            "Ethereum fee tiers",
            "the factory has tick spacing 60 for fee 3000, chains.toml has 61",
            f"{CHAIN}.uniswap",
        ),
    ),
    (
        "[3000, 60]",
        "[3001, 60]",
        (
            "Ethereum fee tiers",
            "the factory has tick spacing 0 for fee 3001, chains.toml has 60",
            f"{CHAIN}.uniswap",
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES)
def test_each_mistake_is_found_with_its_place(
    local: Any, old: str, new: str, expected: tuple[str, str, str]
) -> None:
    assert [expected] == wrong(local(old, new, "--json"))


def test_a_place_is_told_with_its_line(local: Any, wallet: CliWallet) -> None:
    told = local("[3000, 60]", "[3000, 61]", "-q").stdout
    text = (wallet.home / "chains.toml").read_text()
    line = text[: text.index(f"[{CHAIN}.uniswap]")].count("\n") + 1
    assert f"{wallet.home}/chains.toml:{line}: {CHAIN}.uniswap: correct it in chains.toml" in told


def test_a_contract_that_is_no_feed_is_found(local: Any, wallet: CliWallet) -> None:
    feed, quoter = (
        "0xAed0c38402a5d19df6E4c03F4E2DceD6e29c1ee9",
        "0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
    )
    before, at, after = wallet.overlay.read_text().rpartition(".heartbeats]")
    heartbeats = re.sub(feed, quoter, after, flags=re.IGNORECASE)
    wallet.overlay.write_text(before + at + heartbeats)
    told = wrong(local(feed, quoter, "--json"))
    what = 'it describes itself as nothing, chains.toml has "DAI / USD"'
    assert [("Ethereum feed of DAI", what, f"{CHAIN}.feeds.DAI")] == told


def test_a_token_that_is_none_says_no_symbol(local: Any) -> None:
    token = '"0x6B175474E89094C44Da98b954EedeAC495271d0F"'
    told = wrong(local(token, '"0x61fFE014bA17989E743c5F6cB21bF9697530B21e"', "--json"))
    assert [
        "DAI does not say its decimals, chains.toml has 18",
        "DAI does not say its symbol, chains.toml has DAI",
    ] == [what for _, what, _ in told]


def test_an_old_feed_is_found(local: Any, wallet: CliWallet) -> None:
    let_feeds_be_old(wallet.world, 3_600)
    found = wrong(local("", "", "--json"))
    assert 6 == len(found)
    assert all("it has not spoken for" in what for _, what, _ in found)


def test_a_chain_that_no_node_answers_for_ends_with_8(bare: Command) -> None:
    told = bare(
        *("chains", "check", "eip155:8453", "--json"),
        *("--chains", str(chains_of_closed_nodes(Path.cwd()))),
    )
    assert 8 == told.code
    rows = told.document["findings"]
    assert {("eip155:8453", "error", "N101")} == {
        (row["chain"], row["level"], row["code"]) for row in rows
    }


def chains_of_closed_nodes(folder: Path) -> Path:
    """chains.toml with every node on a port where nobody listens."""
    text = (CHECKOUT / "chains.toml").read_text()
    file = folder / "closed.toml"
    file.write_text(re.sub(r"rpc = \[.*?\]", 'rpc = ["http://127.0.0.1:9"]', text, flags=re.DOTALL))
    return file


def test_silent_chains_and_wrong_facts_together_end_with_1(local: Any, wallet: CliWallet) -> None:
    told = local("[3000, 60]", "[3000, 61]")
    assert 1 == told.code


def test_an_unknown_chain_is_a_wrong_command_line(bare: Command) -> None:
    told = bare("chains", "check", "base")
    assert 2 == told.code
    assert 'base is not one of "eip155:1", "eip155:8453",' in told.stderr


def test_a_node_that_falls_silent_in_between_is_found(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("it fell silent", fix="ask again")

    monkeypatch.setattr(RpcNode, "code_hashes", silent)
    told = local("", "", "--json")
    rows = [row for row in told.document["findings"] if row["level"] == "error"]
    assert [("Ethereum", "N101")] == [(row["about"], row["code"]) for row in rows]


def test_node_without_final_blocks_is_a_warning(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RpcNode.block

    def block(node: RpcNode, at: Any = "latest") -> Block:
        found = real(node)
        return found if at == "latest" else replace(found, number=0)

    monkeypatch.setattr(RpcNode, "block", block)
    told = local()
    assert 0 == told.code
    assert "! Ethereum finality: the newest final block is 0, the newest one" in told.stdout
