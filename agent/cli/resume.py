"""`resume`: go on with the open run, or follow money that no run follows; else harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.cli.context import Context
    from agent.core.fact import Fact
    from agent.engine.loop import Session


def resume(
    ctx: typer.Context,
    run: str = typer.Argument("", help="A run's id; the open one when not given."),
    wait: float = typer.Option(900.0, "--wait", help="Seconds to wait before exit 9."),
    days: int = typer.Option(
        14, "--days", help="How far back to look for transfers that no run follows.", min=1, max=365
    ),
    accept_balances: bool = typer.Option(
        False,
        "--accept-balances",
        help="Accept the balances of a run that needed a person, so that new runs may start.",
    ),
) -> None:
    """Go on with a run where its journal stands; without one, with money between chains."""
    raise typer.Exit(go_on(ctx.obj, run, wait, accept_balances=accept_balances, days=days))


def go_on(
    context: Context,
    run: str = "",
    wait: float = 900.0,
    *,
    days: int = 14,
    accept_balances: bool = False,
    observe: Callable[[Fact], None] | None = None,
) -> int:
    """Everything that `resume` does; returns its exit code. *observe* hears of each fact last."""
    from agent.cli import output
    from agent.cli.events import Teller
    from agent.cli.run import follow, tell_end, worker
    from agent.cli.status import pick
    from agent.cli.strays import recover
    from agent.engine.loop import Finished, session
    from agent.engine.recover import left
    from agent.keeper.begin import signs_next

    settings = context.settings()
    teller = Teller(context, run)

    def heard(fact: Fact) -> None:
        teller(fact)
        if observe is not None:
            observe(fact)

    with (
        context.account(settings, heard, hear=teller.hear) as account,
        session(worker(), account.io) as held,
    ):
        if accept_balances:
            _accept(context, held, run)
        if not run and held.state.open_run is None and held.state.unreconciled is None:
            begun = recover(context, account, held, days)
            if begun is not None:
                return follow(context, account, held, begun, wait)
            waits = left(held.state)
            if waits and isinstance(held.advance(0.0), Finished):
                ended = Finished("waiting", f"{waits[0].via} holds money of this wallet")
                return tell_end(context, account, held, waits[0].run, ended)
        found = pick(held.state, run)
        if found is None:
            why = "no run has been started for this wallet"
            if context.json:
                body = {"run": None, "outcome": "nothing", "why": why, "exit": 0}
                output.line("run.done", body)
            else:
                output.show(why)
            return 0
        teller.learn(found)
        if signs_next(account.io, held.state):
            account.io.signer.unlock()
        return follow(context, account, held, found.id, wait)


def _accept(context: Context, held: Session, run: str) -> None:
    from agent.cli import output
    from agent.errors import Declined, WrongValue

    stuck = held.state.unreconciled
    if stuck is None or (run and run != stuck):
        raise WrongValue("no run of this wallet waits for a person", fix="rebalancer status")
    if not context.yes:
        if not context.interactive:
            raise Declined(
                f"accepting the balances of run {stuck} needs a person",
                fix="do it on a terminal, after looking at `rebalancer status`",
            )
        output.say(f"Type {stuck} to accept the balances of that run as they are:")
        if input().strip() != stuck:
            raise Declined("not accepted", fix=f"look at it: rebalancer status {stuck}")
    held.reconcile(stuck, "accepted on the command line")
