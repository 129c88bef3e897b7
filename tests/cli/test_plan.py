"""`plan` and `simulate`: what would be done, for people, for programs and for a file."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command, plain, use
from cli.test_views import WHY, let_feeds_be_old
from cli_fixtures import CliWallet, NewWallet

from agent.compose.rehearsal import Rehearsal

PLAN = f"""\
PLAN PLAN   2 legs, about 48 s   expected cost 11.42
  1  Ethereum  swap  1.3345 WETH → 0.0667 WBTC    router V3 0.05 %    6.29
  2  Ethereum  swap  1.3355 WETH → 4,004.02 USDC  router V3 0.05 %    5.12
cost 11.42 · no plan can cost less than 11.42 (solver bound; the cost is rechecked in integers) · gap 0.0 %
worst fill allowed −51.42 · gas if every leg reverts 1.03
why: {WHY}
why: ETH funds 4,003.37 of WBTC and 4,006.42 of USDC
why: doing nothing costs nothing now and leaves ETH 4,010.57 above, USDC 6.20 below and \
WBTC 805.13 below the band
"""

REASONS = f"""
WHY NOW
  {WHY}
WHAT IS DONE
  1: swap on Ethereum by router, V3 0.05 %: 1.3345 WETH for about 0.0667 WBTC, at least \
0.0663 WBTC; it costs 6.29, of which 0.52 are fees of the network
  2: swap on Ethereum by router, V3 0.05 %: 1.3355 WETH for about 4,004.02 USDC, at least \
3,984.00 USDC; it costs 5.12, of which 0.52 are fees of the network
WHY THESE LEGS
  ETH funds 4,003.37 of WBTC and 4,006.42 of USDC
WHAT IT COSTS
  8,009.79 of 79,980.79 is traded, which costs 11.42: 14.3 bps of what is traded, 1.4 bps of \
the whole
  fees of the network take 1.03; what prices move against the trades and what venues and bridges \
keep is 10.39
COULD IT BE CHEAPER
  no plan that does as much can cost less than 11.42: a solver has proven it for these prices and \
offers, and this plan was computed again in whole base units; 0.00 could be saved at most, 0.0 % \
of its cost
WHAT ELSE COULD BE DONE
  no other way was found that does as much
  doing nothing costs nothing now and leaves ETH 4,010.57 above, USDC 6.20 below and \
WBTC 805.13 below the band
IF IT GOES BADLY
  51.42 is lost when every leg brings only its least: what brings less is not done at all
  1.03 is lost when every leg fails: fees are paid all the same
BEFORE AND AFTER
  ETH  60.0 % → 50.0 %   target 50 %, band 45–55 %
  USDC  25.0 % → 30.0 %   target 30 %, band 25–35 %
  WBTC  15.0 % → 20.0 %   target 20 %, band 16–24 %
PRICES
"""

BALANCED = {"ETH": 10 * 10**18, "WETH": 333 * 10**16, "WBTC": 26_680_000, "USDC": 24_010 * 10**6}


def unnamed(text: str) -> str:
    return re.sub(r"(?i)(plan) [0-9a-f]{4}\b", r"\1 PLAN", text)


def test_a_plan_is_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("plan")
    assert (0, PLAN) == (told.code, unnamed(told.stdout))
    assert 0 == wallet.nonce()


def test_explain_adds_prices_and_what_changes(command: Command) -> None:
    told = unnamed(command("plan", "--explain").stdout)
    assert PLAN + REASONS == told[: len(PLAN + REASONS)]
    assert "  ETH  3,000.00  by chainlink, pool\n" in told[len(PLAN + REASONS) :]


def test_explain_tells_programs_the_same(command: Command) -> None:
    told = command("plan", "--explain", "--json").document
    shown = command("plan", "--explain").stdout.replace("Ethereum", "eip155:1")
    lines = [line for each in told["explanation"] for line in (each["about"], *each["lines"])]
    assert lines == [line.strip() for line in shown[shown.index("\n\n") + 2 :].splitlines()]
    assert "explanation" not in command("plan", "--json").document


def test_a_plan_is_told_to_programs_as_the_contract_says(
    command: Command, wallet: CliWallet
) -> None:
    told = command("plan", "--json").document
    keys = (
        "schema kind id wallet blocks value assets legs cost bound gap worst_case turnover "
        "expires policy_hash why alternatives gap_ratio missed cheapest_alternative tracking"
    )
    assert set(keys.split()) <= set(told)
    leg = told["legs"][0]
    wanted = "id kind via chain sell buy after gas_cost cost seconds"
    assert set(wanted.split()) <= set(leg)
    assert {"token", "amount", "decimals", "value"} <= set(leg["sell"])
    assert {"token", "amount", "min_amount", "decimals", "value"} <= set(leg["buy"])
    assert ("plan", 1, "79980.79") == tuple(told[key] for key in ("kind", "schema", "value"))
    # The last digits depend on what gas costs in this block.
    assert ("8009.79", "11.41") == (told["turnover"][:7], told["cost"][:5])
    assert (Decimal(told["cost"]) - Decimal(told["bound"])) == Decimal(told["gap"]) < 1
    assert ("0.000000", [], None) == tuple(
        told[key] for key in ("missed", "alternatives", "cheapest_alternative")
    )
    assert {"eip155:1": wallet.world.head()[0]} == told["blocks"]
    assert ["ETH", "USDC", "WBTC"] == [row["asset"] for row in told["assets"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires"])


def test_plan_ends_with_3_only_when_asked_and_something_is_to_be_done(
    command: Command, new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 3 == command("plan", "--exit-code").code
    use(new_wallet(BALANCED), monkeypatch)
    told = command("plan", "--exit-code", "--json")
    assert (0, None, []) == (told.code, told.document["id"], told.document["legs"])
    assert "nothing to do" in told.document["why"][0]


def test_a_plan_goes_through_a_file(command: Command, wallet: CliWallet) -> None:
    file = wallet.home / "plan.json"
    assert 0 == command("plan", "-o", str(file)).code
    shown = command("plan", "show", str(file))
    assert (0, True) == (shown.code, unnamed(shown.stdout).startswith(PLAN))
    told = command("plan", "show", str(file), "--json").document
    assert json.loads(file.read_text())["id"] == told["id"]


@pytest.mark.parametrize(
    ("content", "code"), [(None, "C101"), ("no json", "C104"), ('{"id": 1}', "C104")]
)
def test_what_is_no_plan_is_refused(
    command: Command, wallet: CliWallet, content: str | None, code: str
) -> None:
    file = wallet.home / "plan.json"
    if content is not None:
        file.write_text(content)
    for words in (("plan", "show"), ("run",), ("simulate",)):
        told = command(*words, str(file), "--json")
        assert (2, code) == (told.code, told.document["code"])


def test_a_plan_that_cannot_be_written_says_so(command: Command, tmp_path: Path) -> None:
    told = command("plan", "-o", str(tmp_path / "no/such/folder/plan.json"), "-q")
    assert (1, True) == (told.code, "error[X101]" in told.stderr)


def test_a_simulation_is_told_to_people(command: Command, wallet: CliWallet) -> None:
    told = command("simulate")
    wanted = """\
SIMULATE   1 fork, whole sequence; nothing signed
  1  ✓  swap  expected 0.0667 WBTC    simulated 0.0667 WBTC    gas N
  2  ✓  swap  expected 4,004.02 USDC  simulated 4,004.02 USDC  gas N
  simulated balances match the plan: 4 of 4 · allowances left: 0
"""
    shown = plain(told.stdout, wallet).splitlines(keepends=True)
    named = [line for line in shown if line.startswith("     ")]
    assert (0, wanted) == (told.code, "".join(line for line in shown if line not in named))
    # What came out otherwise has a name.
    assert ["network fees", "price of leg"] == sorted(
        {line.split("  ")[-1].strip()[:12] for line in named}
    )
    assert 0 == wallet.nonce()


def test_a_simulation_of_a_file_is_told_to_programs(command: Command, wallet: CliWallet) -> None:
    file = wallet.home / "plan.json"
    command("plan", "-o", str(file))
    told = command("simulate", str(file), "--json").document
    assert ("simulate", json.loads(file.read_text())["id"], True, "fork") == tuple(
        told[key] for key in ("kind", "plan", "ok", "method")
    )
    assert [{"id", "ok", "expected", "simulated", "gas_used"}] * 2 == [
        set(leg) for leg in told["legs"]
    ]
    after = {row["symbol"]: int(row["amount"]) for row in told["after"]}
    assert after["USDC"] == 20_000 * 10**6 + int(told["legs"][1]["simulated"])


@pytest.fixture
def rehearsed_badly(monkeypatch: pytest.MonkeyPatch) -> None:
    def rehearse(*_: Any) -> Rehearsal:
        return Rehearsal(
            ok=False, why="leg 1: swap reverted", legs=(), after={}, rows=(), allowances_left=0
        )

    monkeypatch.setattr("agent.compose.rehearsal.rehearse", rehearse)


@pytest.mark.usefixtures("rehearsed_badly")
def test_a_simulation_that_fails_ends_with_7(command: Command, wallet: CliWallet) -> None:
    told = command("simulate")
    assert (7, True) == (told.code, "error[S104] the rehearsal ended otherwise" in told.stderr)
    assert (7, False) == (
        command("simulate", "--json").code,
        command("simulate", "--json").document["ok"],
    )
    run = command("run", "--json")
    assert (7, "S104", True) == (
        run.code,
        run.lines[-1]["code"],
        run.lines[-1]["nothing_signed"],
    )
    assert 0 == wallet.nonce()


def test_nothing_to_do_is_nothing_to_simulate(
    bare: Command, new_wallet: NewWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(new_wallet(BALANCED), monkeypatch)
    assert "nothing to do" in bare("simulate").stdout
    told = bare("simulate", "--json").document
    assert (None, True, []) == (told["plan"], told["ok"], told["legs"])


def test_a_plan_without_prices_is_refused(command: Command, wallet: CliWallet) -> None:
    let_feeds_be_old(wallet.world, 9000)
    for name in ("plan", "simulate", "run"):
        told = command(name, "--json")
        assert (6, "G201") == (told.code, told.lines[-1]["code"])
