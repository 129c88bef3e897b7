"""`watch`: the keeper on one machine, for one wallet or for a folder of portfolios."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context

BUDGET_SECONDS = 300.0
"""A tick follows a run for so long before it leaves the rest to the next one."""


def watch(
    ctx: typer.Context,
    once: bool = typer.Option(False, "--once", help="One tick, for cron and systemd timers."),
    every: str = typer.Option(
        "", "--every", help="A tick at this interval, such as 10m, until it is asked to end."
    ),
    folder: Path | None = typer.Option(
        None, "--dir", help="A folder of portfolios (*.toml), each a wallet of its own."
    ),
    budget: float = typer.Option(
        BUDGET_SECONDS, "--budget", help="Seconds that a tick follows a run before exit 9."
    ),
    jitter: str = typer.Option(
        "", "--jitter", help="Begin up to this much later, such as 30s; a tenth of --every else."
    ),
    again: bool = typer.Option(
        False, "--again", help="Forget what was waited for, and a stop after repeated refusals."
    ),
    no_rehearsal: bool = typer.Option(
        False, "--no-rehearsal", help="Do not run plans on forks first."
    ),
) -> None:
    """Keep wallets at their targets: look, and act when a policy's trigger says so."""
    from agent.cli.keeping import Keeper, ends_politely
    from agent.errors import WrongValue
    from agent.keeper.clock import default_spread

    context: Context = ctx.obj
    interval = _seconds(every, "--every")
    if once == bool(interval):
        raise WrongValue(
            "say either --once or --every", fix="for example: rebalancer watch --every 10m"
        )
    if folder is not None and context.config is not None:
        raise WrongValue("say either --dir or --config", fix="leave one of them out")
    width = _seconds(jitter, "--jitter") if jitter else default_spread(interval)
    with ends_politely() as ending:
        keeper = Keeper(
            context=context,
            folder=folder,
            ending=ending,
            budget=budget,
            again=again,
            rehearse=not no_rehearsal,
        )
        code = keeper.once(width) if once else keeper.every(interval, width)
    raise typer.Exit(code)


def _seconds(text: str, option: str) -> int:
    """A duration such as `10m` in seconds, 0 when it is not given; raises WrongType, WrongValue."""
    from agent.settings import flag_seconds

    return flag_seconds(option, text) if text else 0
