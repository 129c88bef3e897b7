"""Bad input in the middle of things: nothing is signed twice, nothing is lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_fixtures import CliWallet, NewWallet
from error_cases import CASES, Attempt, arranged, file_limit

from agent import resources
from agent.cli.context import Context
from agent.cli.plan import make
from agent.compose import open_account
from agent.compose.adapters import KeyAccess
from agent.core.fact import Signed, Started
from agent.core.intent import SignedTx
from agent.core.plan import Plan
from agent.engine.loop import session
from agent.errors import Unavailable
from agent.settings import load

TRANSACTIONS = 4
"""Two legs, an approval and a swap each."""

FULL_AT_BYTES = (60_000, 100_000, 140_000)
"""Sizes at which the journal can grow no more: before, between and after the first signatures."""


def case(title: str):
    return next(each for each in CASES if each.title == title)


@pytest.fixture
def half_done(wallet: CliWallet) -> CliWallet:
    """A wallet with a run that somebody started, and no more."""
    with closing(open_account(load(environ=wallet.variables), KeyAccess(ask=str))) as account:
        seen, found = make(account, asked=True)
        assert isinstance(found, Plan)
        with session("somebody", account.io) as held:
            held.start("r1", found, seen.snapshot)
    return wallet


@pytest.mark.parametrize("most_bytes", FULL_AT_BYTES)
def test_run_on_a_full_disk_stops_and_goes_on_when_there_is_room(
    wallet: CliWallet, most_bytes: int
) -> None:
    stopped = wallet.command("run", "--json", "--no-rehearsal", before=file_limit(most_bytes))

    error, signed = stopped.lines[-1], [x for x in wallet.facts() if isinstance(x, Signed)]
    assert (1, "error", "X101") == (stopped.code, error["kind"], error["code"])
    assert not (signed and error["nothing_signed"])
    assert wallet.nonce() <= len(signed), "something is on the chain that is not in the journal"

    resumed = wallet.command("resume", "--json")
    assert (0, "done") == (resumed.code, resumed.lines[-1]["outcome"])
    assert TRANSACTIONS == wallet.nonce()
    assert TRANSACTIONS == sum(isinstance(fact, Signed) for fact in wallet.facts())


def test_wrong_password_at_resume_changes_nothing(half_done: CliWallet) -> None:
    before = half_done.facts()
    refused = half_done.here("resume", environ={"REBALANCER_PASSWORD": "not the password"})
    assert (4, before) == (refused.code, half_done.facts())
    assert "error[K102]" in refused.stderr

    assert 0 == half_done.here("resume").code
    assert TRANSACTIONS == half_done.nonce()


def test_paused_run_is_resumed_without_a_password(half_done: CliWallet) -> None:
    assert 0 == half_done.here("pause", "--reason", "looking").code
    waiting = half_done.here("resume", "--wait", "0", environ={"REBALANCER_PASSWORD": None})
    assert 9 == waiting.code
    assert "paused: looking" in waiting.stdout
    assert 0 == half_done.nonce()


def test_run_that_is_done_is_resumed_without_a_password(wallet: CliWallet) -> None:
    assert 0 == wallet.here("run", "--no-rehearsal").code
    assert 0 == wallet.here("resume", environ={"REBALANCER_PASSWORD": None}).code


@pytest.fixture(params=["Edited journal", "Corrupt journal file"])
def spoilt(request: pytest.FixtureRequest, new_wallet: NewWallet) -> Iterator[Attempt]:
    with arranged(case(request.param), new_wallet) as attempt:
        yield attempt


@pytest.mark.parametrize("command", ["status", "resume", "plan"])
def test_spoilt_journal_is_trusted_by_no_command(spoilt: Attempt, command: str) -> None:
    told = spoilt.wallet.here(command)
    assert 10 == told.code
    assert "error[H101]" in told.stderr


@pytest.mark.parametrize("title", ["No funds", "No gas", "Stale feed"])
def test_plan_that_cannot_be_made_is_not_told_as_nothing_to_do(
    new_wallet: NewWallet, title: str
) -> None:
    with arranged(case(title), new_wallet) as attempt:
        told = attempt.wallet.here("plan", "--json", "--exit-code")
    assert (6, case(title).code) == (told.code, told.document["code"])


def test_token_that_is_no_token_is_told_with_its_place(wallet: CliWallet) -> None:
    facts = resources.text("chains.toml").replace(
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "0x000000000000000000000000000000000000dEaD"
    )
    path = wallet.home / "chains.toml"
    path.write_text(facts)
    line = 1 + facts[: facts.index("decimals", facts.index("dEaD"))].count("\n")

    told = wallet.here("plan", "--json", "--chains", str(path))

    assert 2 == told.code
    assert (
        f'{path}:{line}: chains."eip155:1".tokens.USDC.decimals: '
        "USDC on Ethereum does not tell its decimals, 6 are configured"
    ) == told.document["message"]


def test_plan_file_is_not_run_under_other_decimals(wallet: CliWallet) -> None:
    assert 0 == wallet.here("plan", "-o", "plan.json").code
    facts = resources.text("chains.toml")
    usdc = facts.index("tokens.USDC]")
    Path(wallet.home / "chains.toml").write_text(
        facts[:usdc] + facts[usdc:].replace("decimals = 6", "decimals = 7", 1)
    )
    for command in ("run", "simulate"):
        told = wallet.here(command, "plan.json", "--json", "--chains", "chains.toml")
        assert (2, "C105") == (told.code, told.document["code"])
    assert not [fact for fact in wallet.facts() if isinstance(fact, Started)]


@pytest.mark.parametrize("signed", [False, True])
def test_error_says_that_nothing_was_signed_only_if_nothing_was(
    wallet: CliWallet, signed: bool
) -> None:
    def fail_on_the_way() -> None:
        with Context().account(load(environ=wallet.variables)) as account:
            if signed:
                account.io.observe(Signed("r1/1/1/0", 0, SignedTx("0x01", "0x02"), 1))
            raise Unavailable("the node went away", fix="wait")

    with pytest.raises(Unavailable) as caught:
        fail_on_the_way()
    assert (not signed) is caught.value.nothing_signed
