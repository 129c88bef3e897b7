"""The command line itself: where global options may stand, and what every error looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.commands import Command
from cli_fixtures import CHECKOUT, CliWallet

import agent
from agent.cli.context import Context
from agent.cli.main import COMMANDS, Usage, main, read_globals


def test_version_is_printed(bare: Command) -> None:
    assert (0, f"rebalancer {agent.__version__}\n") == (
        bare("--version").code,
        bare("--version").stdout,
    )


def test_help_names_every_command(bare: Command) -> None:
    told = bare("--help")
    listed = {line.split()[0] for line in told.stdout.partition("Commands:\n")[2].splitlines()}
    assert (0, {name for name, _ in COMMANDS}) == (told.code, listed)


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_each_command_has_help(bare: Command, name: str) -> None:
    told = bare(name, "--help")
    assert (0, True) == (told.code, told.stdout.startswith(f"Usage: rebalancer {name}"))


def test_global_options_stand_before_and_after_the_command(bare: Command) -> None:
    assert bare("--json", "explain", "G105").document == bare("explain", "G105", "--json").document


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (["--json", "x"], (Context(json=True), ["x"])),
        (["x", "-q", "-v", "--yes"], (Context(quiet=True, verbose=True, yes=True), ["x"])),
        (["x", "--password-fd=3"], (Context(password_fd=3), ["x"])),
        (["x", "--password-fd", "3", "y"], (Context(password_fd=3), ["x", "y"])),
        (["demo", "--chains", "2"], (Context(), ["demo", "--chains", "2"])),
        (["--chains", "f", "demo"], (Context(chains=Path("f")), ["demo"])),
        (["x", "--", "--json"], (Context(), ["x", "--", "--json"])),
        (["x", "--out", "f"], (Context(), ["x", "--out", "f"])),
        (
            ["--i-accept-plaintext-key", "--no-input"],
            (Context(accept_plain_key=True, no_input=True), []),
        ),
    ],
)
def test_global_options_are_read_from_anywhere(line: list[str], wanted: Any) -> None:
    assert wanted == read_globals(line)


@pytest.mark.parametrize("line", [["--config"], ["--password-fd", "three"], ["x", "--overlay"]])
def test_a_global_option_without_its_value_is_a_usage_error(line: list[str]) -> None:
    with pytest.raises(Usage):
        read_globals(line)


@pytest.mark.parametrize(
    "line", [["no-such-command"], ["drift", "--no-such-option"], ["--config"], ["cancel"]]
)
def test_a_wrong_command_line_ends_with_2(bare: Command, line: list[str]) -> None:
    told = bare(*line)
    assert (2, "", True) == (told.code, told.stdout, told.stderr.startswith("error[U100] "))
    assert "see what there is: rebalancer --help" in told.stderr


def test_a_wrong_command_line_is_json_when_asked(bare: Command) -> None:
    told = bare("drift", "--no-such-option", "--json")
    assert (2, "error", "U100", 2, True) == (
        told.code,
        *(told.document[key] for key in ("kind", "code", "exit", "nothing_signed")),
    )


def test_a_missing_portfolio_says_what_to_do(bare: Command) -> None:
    told = bare("balances")
    assert (2, "") == (told.code, told.stdout)
    assert told.stderr.startswith("error[C101] portfolio.toml")
    assert "--config FILE or REBALANCER_CONFIG" in told.stderr
    assert told.stderr.endswith("more: rebalancer explain C101\n")


def test_an_error_is_one_json_document(bare: Command) -> None:
    told = bare("status", "--json").document
    assert {"schema", "kind", "code", "message", "fix", "nothing_signed", "exit"} == set(told)
    assert (1, "error", "C101", True, 2) == tuple(
        told[key] for key in ("schema", "kind", "code", "nothing_signed", "exit")
    )


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program in the middle of every command, with a secret in its frame."""

    def load(**_: object) -> None:
        canary = "canary in a local variable"
        raise RuntimeError(f"the text of the fault, {len(canary)}")

    monkeypatch.setattr("agent.settings.load", load)


@pytest.mark.usefixtures("broken")
def test_an_unexpected_fault_is_told_in_one_sentence(bare: Command) -> None:
    told = bare("status")
    assert (1, "") == (told.code, told.stdout)
    assert told.stderr.startswith("error[X100] unexpected RuntimeError; this is a fault of")
    assert "Traceback" not in told.stderr
    assert "nothing was signed" not in told.stderr
    document = bare("status", "--json").document
    assert ("X100", False, 1) == tuple(document[k] for k in ("code", "nothing_signed", "exit"))


@pytest.mark.usefixtures("broken")
def test_details_of_a_fault_come_with_v_and_without_values_of_locals(bare: Command) -> None:
    told = bare("status", "-v")
    assert "Traceback (most recent call last)" in told.stderr
    assert "the text of the fault" in told.stderr
    assert "canary in a local variable" not in told.stderr.replace(
        'canary = "canary in a local variable"', ""
    )


def test_an_interruption_ends_with_130_and_says_how_to_go_on(
    bare: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.settings.load", load)
    told = bare("status")
    assert 130 == told.code
    assert "goes on with: rebalancer resume" in told.stderr


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    out, into = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "agent", "explain"],
        stdout=into,
        stderr=subprocess.PIPE,
        cwd=CHECKOUT,
        text=True,
    )
    os.close(out)
    os.close(into)
    _, err = child.communicate(timeout=60)
    assert "" == err


def test_colours_come_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.cli import output

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "x" == output.colour("x", "31")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "\x1b[31mx\x1b[0m" == output.colour("x", "31")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "x" == output.colour("x", "31")


def test_the_module_is_the_command(wallet: CliWallet) -> None:
    told = wallet.command("--version")
    assert (0, f"rebalancer {agent.__version__}\n", "") == (told.code, told.stdout, told.stderr)


def test_main_takes_the_process_s_own_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rebalancer", "--version"])
    assert 0 == main()
    assert capsys.readouterr().out.startswith("rebalancer ")
