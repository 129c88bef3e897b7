"""Plans that are wanted for something: money that came, money that is to go."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from cli.commands import Command, use
from cli_fixtures import CliWallet, NewWallet

from agent.core.fact import Started
from agent.core.wish import BUY_ONLY

DEPOSITED = {"ETH": 13 * 10**18, "WETH": 333 * 10**16, "WBTC": 13_340_000, "USDC": 30_000 * 10**6}
"""More ETH and more USDC than the targets say, and less than half of the WBTC."""


@pytest.fixture
def deposited(new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch) -> CliWallet:
    made = new_wallet(DEPOSITED)
    use(made, monkeypatch)
    return made


def sold(document) -> set[str]:
    return {leg["sell"]["symbol"] for leg in document["legs"] if leg["kind"] == "swap"}


def test_a_deposit_is_put_to_work_and_nothing_else_is_sold(
    bare: Command, deposited: CliWallet
) -> None:
    plain = bare("plan", "--json").document
    assert ({"WETH", "USDC"}, {"kind": "rebalance"}) == (sold(plain), plain["wish"])
    made = bare("plan", "--invest", "5000:USDC", "--json").document
    wish = made["wish"]
    assert ("invest", "USDC", "5000", {"USDC"}) == (
        wish["kind"],
        wish["asset"],
        wish["asked"],
        sold(made),
    )
    assert Decimal(3000) < Decimal(wish["reached"]) <= Decimal(5000)


def test_a_plan_for_a_deposit_goes_through_a_file_and_is_carried_out(
    deposited: CliWallet,
) -> None:
    planned = deposited.here("plan", "--invest", "1000:USDC", "-o", "plan.json", "-q")
    assert 0 == planned.code, planned
    ran = deposited.here("run", "plan.json", "--json", "-q")
    assert (0, "done") == (ran.code, ran.lines[-1]["outcome"]), ran
    started = next(fact for fact in deposited.facts() if isinstance(fact, Started))
    assert ("invest", Decimal(1000)) == (started.plan.wish.kind, started.plan.wish.amount)
    held = json.loads(deposited.here("balances", "--json").stdout)["balances"]
    left = next(int(row["amount"]) for row in held if row["symbol"] == "USDC")
    assert 29_000 * 10**6 <= left < 29_010 * 10**6


def test_money_that_is_wanted_where_it_is_stays_and_both_shares_are_told(
    command: Command, wallet: CliWallet
) -> None:
    stays = (
        "nothing to do: the 1,000.00 USDC stay USDC, where they are wanted: it is 24.0 % of the "
        "rest without them and 25.0 % of all with them, of a target of 30.0 %"
    )
    asked = ("--invest", "1000:USDC")
    assert f"{stays}\n" == command("plan", *asked).stdout
    made = command("plan", *asked, "--json").document
    assert ([], [stays]) == (made["legs"], made["why"])
    assert {"kind": "invest", "asset": "USDC", "asked": "1000"} == made["wish"]
    assert 0 == wallet.nonce()


def test_a_keeper_under_a_policy_that_only_buys_carries_its_plans_out(
    bare: Command, deposited: CliWallet
) -> None:
    with deposited.portfolio.open("a") as file:
        file.write('\n[flows]\ndeposits = "buy-only"\n')
    told = bare("watch", "--once", "--no-rehearsal", "--json", "-q")
    ticks = [line for line in told.lines if line["kind"] == "watch.tick"]
    assert [(0, "done", True)] == [(t["exit"], t["outcome"], t["began"]) for t in ticks]
    (started,) = (fact for fact in deposited.facts() if isinstance(fact, Started))
    assert BUY_ONLY == started.plan.wish
    assert {"USDC"} == {leg.sell.token.symbol for leg in started.plan.legs}


def test_only_buying_is_a_wish_and_a_policy(command: Command, wallet: CliWallet) -> None:
    # ETH alone is too much, and USDC is short itself: the weights would sell ETH.
    assert {"WETH"} == sold(command("plan", "--json").document)
    asked = command("plan", "--buy-only", "--json").document
    assert ([], {"kind": "buy-only"}) == (asked["legs"], asked["wish"])
    with wallet.portfolio.open("a") as file:
        file.write('\n[flows]\ndeposits = "buy-only"\n')
    stands = command("plan", "--json").document
    assert asked == stands
    ran = command("run", "--json")
    assert (0, "nothing") == (ran.code, ran.lines[-1]["outcome"])
    assert "nothing but USDC would be sold" in ran.lines[-1]["why"]


def test_a_sum_is_raised(command: Command) -> None:
    made = command("plan", "--raise", "3000:USDC", "--json").document
    assert {"kind": "raise", "asset": "USDC", "asked": "3000", "reached": "3000.000000"} == made[
        "wish"
    ]
    told = command("plan", "--raise", "3000:USDC").stdout
    assert "why: asked to raise 3,000.00 USDC beyond what the weights say\n" in told
    assert "why: 3,000.00 USDC or more stay in the wallet for you to take out; " in told


WRONG = [
    (("--invest", "5000"), "--invest '5000' is no amount of an asset"),
    (("--invest", "0:USDC"), "--invest '0:USDC' is no amount of an asset"),
    (("--raise", "-1:USDC"), "--raise '-1:USDC' is no amount of an asset"),
    (("--raise", "nan:USDC"), "--raise 'nan:USDC' is no amount of an asset"),
    (("--raise", "1e3:USDC"), "--raise '1e3:USDC' is no amount of an asset"),
    (("--invest", "5:USDT"), "--invest '5:USDT': 'USDT' has no target, did you mean \"USDC\"?"),
    (("--invest", "0.0000001:USDC"), "--invest '0.0000001:USDC': USDC has only 6 decimals"),
    (
        ("--invest", "1:USDC", "--raise", "1:USDC"),
        "--invest and --raise are two plans, and one is made at a time",
    ),
    (
        ("--buy-only", "--raise", "1:USDC"),
        "--buy-only and --raise are two plans, and one is made at a time",
    ),
    (
        ("--invest", "1:USDC", "--on-trigger"),
        "--invest is asked for now, and --on-trigger would wait",
    ),
    (
        ("--invest", "20000.5:USDC"),
        "20,000.50 USDC are to be invested and 20,000.00 can be: what flows.keep and gas reserves "
        "hold, what only counts and what is still on its way cannot",
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_what_cannot_be_wished_for_is_told(
    command: Command, wallet: CliWallet, words: tuple[str, ...], message: str
) -> None:
    told = command("plan", *words, "--json")
    error = told.document
    assert (2, "error", "C104", message) == (
        told.code,
        error["kind"],
        error["code"],
        error["message"],
    )
    assert (True, True) == (error["nothing_signed"], bool(error["fix"]))
    assert 0 == wallet.nonce()


def test_more_than_all_there_is_cannot_be_raised(command: Command) -> None:
    told = command("plan", "--raise", "1000000:USDC", "--json")
    error = told.document
    assert (2, "C104") == (told.code, error["code"])
    assert error["message"].startswith("1,000,000.00 USDC are to be raised, worth 999,")
    assert "rebalancer balances" in error["fix"]


def test_without_anything_pegged_there_is_nothing_to_buy_with(
    command: Command, wallet: CliWallet
) -> None:
    targets = '[targets]\nETH = { weight = "1", band = "0.05" }\n'
    text = wallet.portfolio.read_text()
    start, end = text.index("[targets]"), text.find("\n[", text.index("[targets]") + 1)
    wallet.portfolio.write_text(text[:start] + targets + (text[end:] if end >= 0 else ""))
    told = command("plan", "--buy-only", "--json")
    assert (2, "C104") == (told.code, told.document["code"])
    assert "no asset of the targets is pegged" in told.document["message"]
