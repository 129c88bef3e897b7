"""`doctor`: every fact checked, on this machine and on chain; each finding has a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context

EXIT_ERRORS = 1


def doctor(ctx: typer.Context) -> None:
    """Check files, keys, nodes, contracts, tokens, feeds and gas; signs nothing."""
    from agent.cli import output
    from agent.cli.checks import Finding
    from agent.cli.checks_machine import machine
    from agent.cli.checks_chain import chains

    context: Context = ctx.obj
    settings = context.settings()
    found: list[Finding] = list(machine(settings))
    with context.account(settings) as account:
        found += chains(account)
