"""Start-up stays quick: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fixtures import CHECKOUT, CliWallet

HEAVY = (
    *("web3", "eth_account", "eth_abi", "eth_utils", "requests", "aiohttp", "pydantic", "rich"),
    *("numpy", "highspy"),
)

AFTER = """
import json, sys
from agent.cli.context import Context
{act}
print(json.dumps(sorted(m for m in sys.modules if "." not in m or m.startswith("agent."))))
"""

CALL = """
class Ctx:
    obj = Context(quiet=True, json=True)
    invoked_subcommand = None
from agent.cli import {module}
{module}.{function}(Ctx, {arguments})
"""


def imported(wallet: CliWallet, act: str) -> set[str]:
    """Modules in a fresh process after *act*; a command is called as typer calls it.

    Not through typer itself: one of its releases imports pydantic to read arguments.
    """
    done = subprocess.run(
        [sys.executable, "-c", AFTER.format(act=act)],
        env=wallet.variables,
        cwd=wallet.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(found)


def plan_file(wallet: CliWallet) -> Path:
    file = wallet.home / "plan.json"
    wallet.command("plan", "-q", "-o", str(file))
    return file


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        ("status", "status", '""'),
        ("config", "show", "False"),
        ("explain", "explain", '"G203"'),
        ("plan", "show_file", "Path('plan.json')"),
        ("pause", "pause", '"x"'),
        ("chains", "list_chains", ""),
    ],
)
def test_a_command_that_asks_no_chain_imports_nothing_heavy(
    wallet: CliWallet, module: str, function: str, arguments: str
) -> None:
    if module == "plan":
        plan_file(wallet)
    act = "from pathlib import Path" + CALL.format(
        module=module, function=function, arguments=arguments
    )
    found = imported(wallet, act)
    assert set() == found & set(HEAVY)
    assert not {name for name in found if name.startswith(("agent.chain", "agent.venues"))}


def test_help_imports_nothing_but_the_command_line(wallet: CliWallet) -> None:
    act = "from agent.cli.main import main; main(['--help'])"
    found = imported(wallet, act)
    assert set() == found & set(HEAVY)
    rooms = {name.split(".")[1] for name in found if name.count(".")}
    assert {"cli"} == rooms


def test_the_benchmark_knows_its_limits() -> None:
    text = (CHECKOUT / "scripts/bench/startup.py").read_text()
    assert '{"rebalancer --help": 0.2, "rebalancer status": 0.5}' in text
