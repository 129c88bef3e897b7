"""The command `rebalancer`: global options, the table of commands, errors and exit codes."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent import __version__
from agent.cli import output
from agent.cli.context import Context

if TYPE_CHECKING:
    from agent.errors import AgentError

EXIT_USAGE, EXIT_UNEXPECTED, EXIT_INTERRUPTED = 2, 1, 130

COMMANDS: tuple[tuple[str, str], ...] = (
    ("demo", "demo"),
    ("look", "look"),
    ("init", "init"),
    ("weights", "weights"),
    ("balances", "balances"),
    ("prices", "prices"),
    ("drift", "drift"),
    ("plan", "plan"),
    ("simulate", "simulate"),
    ("run", "run"),
    ("resume", "resume"),
    ("status", "status"),
    ("cancel", "cancel"),
    ("watch", "watch"),
    ("notify", "notify"),
    ("approvals", "approvals"),
    ("accounts", "accounts"),
    ("config", "config"),
    ("chains", "chains"),
    ("venues", "venues"),
    ("bridges", "bridges"),
    ("doctor", "doctor"),
    ("pause", "pause"),
    ("unpause", "pause"),
    ("explain", "explain"),
)
"""(name, module of `agent.cli`): a module has a function of the command's name, or `app`
where the command has commands of its own."""

_KEY = re.compile(r"[0-9a-fA-F]{64}")
"""What may be a private key that somebody put on the command line by mistake."""

FLAGS = {
    "--json": "json",
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
    "--no-input": "no_input",
    "--yes": "yes",
    "-y": "yes",
    "--i-accept-plaintext-key": "accept_plain_key",
}
VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--config": ("config", Path),
    "-c": ("config", Path),
    "--chains": ("chains", Path),
    "--overlay": ("overlay", Path),
    "--password-fd": ("password_fd", int),
}

OWN: dict[str, frozenset[str]] = {"demo": frozenset({"--chains"})}
"""Options of a command that share a name with a global one: after the command they are its own."""

NOTHING_SIGNED = "nothing was signed"
MAYBE_SIGNED = "something may have been signed: rebalancer status shows it"

HELP = """Keeps a self-custody portfolio at its target weights across EVM chains.

Anywhere on the line: --config FILE, --chains FILE, --overlay FILE, --json, -q, -v,
--no-input, --yes, --password-fd N, --i-accept-plaintext-key.
Start with `rebalancer demo`: private local chains, a throwaway key, no network.
"""


def build(names: frozenset[str] | None = None) -> typer.Typer:
    """The application, with only the commands in *names* (all when None)."""
    app = typer.Typer(
        name="rebalancer",
        help=HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
    )

    @app.callback()
    def root(
        version: bool = typer.Option(
            False,
            "--version",
            help="Print the version and end.",
            is_eager=True,
            callback=_print_version,
        ),
    ) -> None:
        pass

    for name, module in COMMANDS:
        if names is None or name in names:
            _register(app, name, import_module(f"agent.cli.{module}"))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        output.show(f"rebalancer {__version__}")
        raise typer.Exit


def _register(app: typer.Typer, name: str, module: Any) -> None:
    group = getattr(module, "app", None)
    if group is not None and name == module.__name__.rpartition(".")[2]:
        app.add_typer(group, name=name)
    else:
        app.command(name)(getattr(module, name))


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; never shows a traceback without `-v`."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    return code


def _run(argv: list[str] | None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    context = Context(json="--json" in arguments)
    # A polite end is an interruption: what is being written is finished, the rest resumes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        context, rest = read_globals(arguments)
        wanted = next((word for word in rest if not word.startswith("-")), None)
        known = {name for name, _ in COMMANDS}
        app = build(frozenset({wanted}) if wanted in known else None)
        code = app(rest, prog_name="rebalancer", standalone_mode=False, obj=context)
        if code == EXIT_INTERRUPTED:
            # typer turns an interruption into this code, and says nothing.
            return _interrupted()
        return code if isinstance(code, int) else 0
    except typer.Exit as ending:
        return int(ending.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  the last line of defence: one sentence, one code
        return report(error, context)


def _reader_gone() -> int:
    """Nobody reads on: what is still buffered goes nowhere, and no traceback follows it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return EXIT_UNEXPECTED


def _interrupted() -> int:
    output.say("interrupted; what was begun goes on with: rebalancer resume")
    return EXIT_INTERRUPTED


def read_globals(arguments: list[str]) -> tuple[Context, list[str]]:
    """Global options from anywhere before `--`, and the rest of the line; raises UsageError."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word in FLAGS:
            found[FLAGS[word]] = True
        elif name in VALUES and not any(name in OWN.get(said, ()) for said in rest[:1]):
            field, read = VALUES[name]
            text = value if equals else next(words, None)
            if text is None:
                raise Usage(f"{name} needs a value")
            try:
                found[field] = read(text)
            except ValueError:
                raise Usage(f"{name}: {text!r} is not what it takes") from None
        else:
            rest.append(word)
    return Context(**found), rest


class Usage(Exception):  # noqa: N818  a wrong command line, not a failure
    """The command line cannot be meant."""


def report(error: Exception, context: Context) -> int:
    """Tell an error on the channel that the caller reads, and return its exit code."""
    from agent.errors import AgentError

    if isinstance(error, AgentError):
        return _tell(context, error)
    usage = _usage_text(error)
    if usage is not None:
        told = AgentError(usage, fix="see what there is: rebalancer --help", code="U100")
        told.exit = EXIT_USAGE
        return _tell(context, told)
    if context.verbose:
        import traceback

        output.say("".join(traceback.format_exception(error)))
    return _tell(
        context,
        AgentError(
            f"unexpected {type(error).__name__}; this is a fault of the program",
            fix="run it again with -v and report what it says; "
            "`rebalancer status` shows what is open",
            nothing_signed=False,
        ),
    )


def _usage_text(error: Exception) -> str | None:
    if isinstance(error, Usage):
        return _KEY.sub("…", str(error))
    # typer's own copy of click has no public name for its usage errors.
    if type(error).__mro__[-4:-3] and hasattr(error, "format_message"):
        return _KEY.sub("…", str(error.format_message()))
    return None


def _tell(context: Context, error: AgentError) -> int:
    message, fix = _for_people(error.message), _for_people(error.fix)
    if context.json:
        body = {
            "code": error.code,
            "message": message,
            "fix": fix,
            "nothing_signed": error.nothing_signed,
            "exit": error.exit,
        }
        # On one line: it may be the last of a stream of events.
        output.line("error", body)
        return error.exit
    signed = NOTHING_SIGNED if error.nothing_signed else MAYBE_SIGNED
    output.say(
        f"error[{error.code}] {message}\n  {signed}. {fix}. more: rebalancer explain {error.code}"
    )
    return error.exit


def _for_people(text: str) -> str:
    """*text* with addresses in the form with a checksum and chains by name, as people know them."""
    import re

    from agent.core.money import Address
    from agent.wire.address import checksum

    named = output.for_people(text)
    return re.sub(r"\b0x[0-9a-f]{40}\b", lambda match: checksum(Address(match.group())), named)


if __name__ == "__main__":
    sys.exit(main())
