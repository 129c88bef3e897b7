"""`cancel`: end the open run; what is mined stays, what is not is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context


def cancel(
    ctx: typer.Context,
    run: str = typer.Argument(..., help="The run's id, as `rebalancer status` shows it."),
    wait: float = typer.Option(900.0, "--wait", help="Seconds to wait before exit 9."),
) -> None:
    """Cancel a run: replace what is not mined, take allowances back, say what stays."""
    from agent.cli import output
    from agent.cli.events import Teller
    from agent.cli.run import EXIT, follow, worker
    from agent.cli.status import pick
    from agent.core.movement import delivered
    from agent.engine.loop import session
    from agent.errors import WrongValue

    context: Context = ctx.obj
    settings = context.settings()
    teller = Teller(context, run)
    with (
        context.account(settings, teller, hear=teller.hear) as account,
        session(worker(), account.io) as held,
    ):
        found = pick(held.state, run)
        if found is None or found.closed is not None:
            raise WrongValue(f"run {run} is not open", fix="see which is: rebalancer status")
        stays = [leg.leg.id for leg in found.legs.values() if delivered(found, leg) is not None]
        if stays and not context.json:
            output.say(f"what legs {', '.join(stays)} did is mined and stays")
        teller.learn(found)
        held.cancel("cancelled by its owner")
        code = follow(context, account, held, found.id, wait)
    # An aborted run is what was asked for.
    raise typer.Exit(0 if code == EXIT["aborted"] else code)
