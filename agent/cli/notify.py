"""`notify`: whether those who shall be told can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context

app = typer.Typer(help="Notices of the keeper.", rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def root() -> None:
    """Keep commands below a group, even while there is one."""


@app.command("test")
def test(ctx: typer.Context) -> None:
    """Send a test notice to everybody in [notify], and the sign of life; signs nothing."""
    from agent.cli import output
    from agent.core.notice import Notice
    from agent.errors import NoticeUndelivered, WrongValue
    from agent.keeper.memory import Unsent
    from agent.keeper.notices import Delivery
    from agent.keeper.wallet import audience_of
    from agent.wire.clock import SystemClock

    context: Context = ctx.obj
    settings = context.settings()
    audience = audience_of(settings)
    if not audience.notifiers and audience.alive is None:
        raise WrongValue(
            f"{settings.portfolio} tells nobody: it has no [notify]",
            fix="name a variable with a URL there, as docs/operations.md shows",
        )
    notice = Notice(
        event="test",
        portfolio=audience.portfolio,
        wallet=audience.wallet,
        local=audience.local,
        why="a test, nothing has happened",
        at=SystemClock().now(),
    )
    delivery = Delivery(audience)
    names = tuple(notifier.name for notifier in audience.notifiers)
    delivery.send([Unsent(names, notice)])
    delivery.alive()
    if audience.alive is not None:
        names = (*names, "dead man")
    rows = [{"name": name, "error": delivery.failed.get(name)} for name in names]
    if context.json:
        output.document("notify", {"told": rows, "ok": not delivery.failed})
    else:
        output.show("\n".join(f"{row['name']}: {row['error'] or 'reached'}" for row in rows))
    if delivery.failed:
        raise typer.Exit(NoticeUndelivered.exit)
