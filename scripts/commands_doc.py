"""Write docs/commands.md from the commands themselves.

python scripts/commands_doc.py [--check]
"""

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from agent.cli.main import COMMANDS, build
from scripts.plan_keys import table

FILE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"

HEAD = """\
# Commands

Written by `scripts/commands_doc.py` from the commands themselves; change their help instead.

`rebalancer COMMAND` and `python -m agent COMMAND` are the same. Data goes to stdout, everything
else (progress, warnings, questions) to stderr.

## Anywhere on the line

| option | does |
|---|---|
| `--config FILE`, `-c` | the portfolio file; else `REBALANCER_CONFIG`, else `./portfolio.toml` |
| `--chains FILE` | facts about chains instead of the packaged ones; else `REBALANCER_CHAINS` |
| `--overlay FILE` | local chains in place of the real ones; else `REBALANCER_OVERLAY` |
| `--json` | one JSON document on stdout; `run`, `resume`, `watch`, `cancel`, \
`approvals revoke` and `demo` print one object per line, the last one is the result |
| `-q`, `--quiet` | no progress |
| `-v`, `--verbose` | details of faults |
| `--no-input` | ask nothing; sign only what `[confirm]` permits unattended, else end with 5 |
| `-y`, `--yes` | answer confirmations; it never relaxes a limit |
| `--password-fd N` | the key's password is the first line of this open descriptor |
| `--i-accept-plaintext-key` | a key from the environment may sign, up to its own limit |
| `--version`, `--help` | of the program; `--help` after a command is about that command |

Passwords and keys are never taken from the command line, where others can read them.

## Exit codes

| code | means |
|---|---|
| 0 | done, or nothing to do |
| 1 | error |
| 2 | the command line or the configuration cannot be meant |
| 3 | rebalancing is needed (only with `--exit-code`) |
| 4 | a key or a password is needed |
| 5 | declined, or not permitted unattended |
| 6 | refused by a guard |
| 7 | the simulation failed |
| 8 | a node or a provider is not available |
| 9 | pending: `rebalancer resume` later |
| 10 | a person must look |
| 75 | another process holds the account |
| 130 | interrupted; a run that was begun can be resumed |

An error says what happened, whether something was signed, and what to do; `rebalancer explain
CODE` has the long text.

## All commands
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="only compare; ends with 1 if it differs"
    )
    chosen = parser.parse_args()
    text = document()
    if chosen.check:
        return 0 if FILE.read_text(encoding="utf-8") == text else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


def document() -> str:
    """The whole of docs/commands.md."""
    commands = list(walk("", typer.main.get_command(build())))
    rows = [f"| [`{name}`](#{name.replace(' ', '-')}) | {first_line(c)} |" for name, c in commands]
    parts = [HEAD, "| command | does |", "|---|---|", *rows]
    for name, command in commands:
        parts += ["", f"## {name}", "", *section(name, command)]
        parts += ["", *table()] if name == "plan" else []
    return "\n".join(parts) + "\n"


def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, in the order of the table of commands.

    A group that does nothing by itself is left out.
    """
    order = [name for name, _ in COMMANDS] if not prefix else list(group.commands)
    for name in order:
        command = group.commands[name]
        full = f"{prefix} {name}".strip()
        below = hasattr(command, "commands")
        if not below or command.invoke_without_command:
            yield full, command
        if below:
            yield from walk(full, command)


def first_line(command: Any) -> str:
    return inspect.cleandoc(command.help or "").split("\n")[0]


def section(name: str, command: Any) -> list[str]:
    """What a command takes; its usage line, then its options."""
    kinds = inspect.signature(command.callback).parameters
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    words = [
        argument.name.upper() if argument.required else f"[{argument.name.upper()}]"
        for argument in arguments
    ]
    usage = " ".join(["rebalancer", name, *words, *(["[OPTIONS]"] if options else [])])
    rows = [f"| `{p.name.upper()}` | {p.help} |" for p in arguments]
    for option in options:
        names = ", ".join(f"`{word}`" for word in option.opts)
        value = "" if option.is_flag else f" `{value_word(str(kinds[option.name].annotation))}`"
        rows.append(f"| {names}{value} | {option.help}{default_of(option)} |")
    described = [inspect.cleandoc(command.help or ""), "", "```", usage, "```"]
    return [*described, *(["", "| | |", "|---|---|", *rows] if rows else [])]


def value_word(annotation: str) -> str:
    """What kind of value an option takes."""
    if "Path" in annotation:
        return "FILE"
    return "TEXT" if "str" in annotation else "NUMBER"


def default_of(option: Any) -> str:
    if option.required:
        return " Needed."
    plain = option.is_flag or option.default in (None, "")
    return "" if plain else f" Default: {option.default:g}."


if __name__ == "__main__":
    sys.exit(main())
