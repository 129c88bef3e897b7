"""Every key that `plan --json` prints is described in docs/commands.md, and no other key is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from cli_fixtures import CliWallet
from portfolios import CHAIN, ONE, greedy_plan, spread, spread_policy, spread_problem

from agent.cli import present
from agent.core.asked import Asked
from agent.core.money import Amount, Bps
from agent.core.plan import Plan
from agent.core.policy import Range
from agent.core.quote import Rival
from scripts.commands_doc import FILE
from scripts.plan_keys import KEYS, paths

ASKED = Asked(
    round=1,
    sell=Amount(ONE.weth, 10**18),
    buy=ONE.usdc,
    known=Rival(via="router", answer="offered", out=3_000, net=2_999),
    rivals=(
        Rival(via="odos", answer="offered", out=3_001, net=3_000),
        Rival(via="velora", answer="down", code="N109", why="it says nothing"),
    ),
)


def printed(wallet: CliWallet, *more: str) -> dict[str, Any]:
    return wallet.here("plan", "--json", *more).document


def over_chains() -> dict[str, Any]:
    """A plan with a bridge, and with another way that was found."""
    own = spread_policy(by_chain={CHAIN: Range(Bps(0), Bps(8_000))})
    held = spread((ONE, {"weth": "13", "wbtc": "0.26", "usdc": "24000"}))
    made = greedy_plan(spread_problem(held, policy=own))
    assert isinstance(made, Plan)
    with_other = replace(made, alternatives=(("another way", Decimal(7)),), asked=(ASKED,))
    return present.plan(with_other, own.account, dict(own.asset_of))


def test_each_key_of_a_plan_is_described_and_each_that_is_described_is_printed(
    wallet: CliWallet,
) -> None:
    documents = (
        printed(wallet, "--explain"),
        printed(wallet, "--raise", "3000:USDC"),
        printed(wallet, "--invest", "1000:USDC"),
        over_chains(),
    )
    found = {path for document in documents for path in paths(document)}
    # What is empty or null in one plan has no rows there; another one of these has them.
    empty = {"legs", "alternatives", "cheapest_alternative", "asked"}
    assert set(KEYS) == found - empty


def test_plan_with_nothing_to_do_has_the_keys_that_the_document_says(wallet: CliWallet) -> None:
    told = printed(wallet, "--invest", "1000:USDC")
    assert {"schema", "kind", "id", "wallet", "wish", "legs", "why"} == set(told)
    assert (None, []) == (told["id"], told["legs"])


def test_keys_stand_in_the_document() -> None:
    section = FILE.read_text(encoding="utf-8").partition("\n## plan\n")[2].partition("\n## ")[0]
    assert [] == [key for key, text in KEYS.items() if f"| `{key}` | {text} |" not in section]
