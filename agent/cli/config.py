"""`config`: the configuration as it takes effect, and who decided each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context

app = typer.Typer(
    help="Show the configuration that takes effect.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def config() -> None:
    """Show the configuration that takes effect."""


@app.command("show")
def show(
    ctx: typer.Context,
    origin: bool = typer.Option(False, "--origin", help="Say where each value came from."),
) -> None:
    """Print every effective key; secrets are never among them, URLs are shown by their host."""
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    known = sorted(settings.origin.values(), key=lambda row: row.key)
    if context.json:
        values: list[dict[str, Any]] = []
        for row in known:
            told: dict[str, Any] = {"key": row.key, "value": row.value}
            if origin:
                told |= {"source": row.source, "place": row.place}
            values.append(told)
        body = {
            "files": [str(path) for path in settings.world.files],
            "policy_hash": settings.policy.hash,
            "local": settings.local,
            "values": values,
        }
        output.document("config", body)
        return
    rows = [(row.key, row.value, *((row.source, row.place) if origin else ())) for row in known]
    output.show(output.table(rows))
    output.show(f"policy hash {settings.policy.hash}")
