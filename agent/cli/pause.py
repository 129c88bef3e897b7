"""`pause` and `unpause`: the kill switch that stops all signing, whoever runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context


def pause(
    ctx: typer.Context,
    reason: str = typer.Option(..., "--reason", help="Why; whoever meets the switch reads it."),
) -> None:
    """Stop all signing by this user's processes until `unpause`; money in flight still arrives."""
    from agent.cli import output
    from agent.compose.kill_switch import KillSwitch
    from agent.errors import WrongValue
    from agent.settings import find_paths

    context: Context = ctx.obj
    if not reason.strip():
        raise WrongValue("a pause needs a reason", fix='say it: rebalancer pause --reason "…"')
    KillSwitch(find_paths().state).throw(reason.strip())
    if context.json:
        output.document("pause", {"paused": True, "reason": reason.strip()})
    else:
        output.show(f"paused: {reason.strip()}")
        output.say("nothing is signed until: rebalancer unpause")


def unpause(ctx: typer.Context) -> None:
    """Allow signing again; harmless when nothing was paused."""
    from agent.cli import output
    from agent.compose.kill_switch import KillSwitch
    from agent.settings import find_paths

    context: Context = ctx.obj
    switch = KillSwitch(find_paths().state)
    was = switch.reason()
    released = switch.release()
    if context.json:
        output.document("pause", {"paused": False, "was": was})
    elif released:
        output.show(f"signing is allowed again; it was paused: {was}")
    else:
        output.show("nothing was paused")
