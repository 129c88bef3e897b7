"""`resume`: go on with the open run; harmless when there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.engine.loop import Session


def resume(
    ctx: typer.Context,
    run: str = typer.Argument("", help="A run's id; the open one when not given."),
    wait: float = typer.Option(900.0, "--wait", help="Seconds to wait before exit 9."),
    accept_balances: bool = typer.Option(
        False,
        "--accept-balances",
        help="Accept the balances of a run that needed a person, so that new runs may start.",
    ),
) -> None:
    """Go on with a run where its journal stands."""
    from agent.cli import output
    from agent.cli.events import Teller
    from agent.cli.run import follow, worker
    from agent.cli.status import pick
    from agent.engine.loop import session

    context: Context = ctx.obj
    settings = context.settings()
    teller = Teller(context, run)
    with context.account(settings, teller) as account, session(worker(), account.io) as held:
        if accept_balances:
            _accept(context, held, run)
        found = pick(held.state, run)
        if found is None:
            why = "no run has been started for this wallet"
            if context.json:
                body = {"run": None, "outcome": "nothing", "why": why, "exit": 0}
                output.line("run.done", body)
            else:
                output.show(why)
            return
        teller.learn(found)
        if _signs_next(account, held):
            account.io.signer.unlock()
        code = follow(context, account, held, found.id, wait)
    raise typer.Exit(code)


def _signs_next(account: Account, held: Session) -> bool:
    """Whether a signature comes next: then a wrong password is told before anything is done."""
    from agent.core.progress import Ask, OnIntent, Reserve, next_steps

    if account.io.paused() is not None:
        return False
    return any(
        isinstance(step, Ask | Reserve) or (isinstance(step, OnIntent) and step.what == "sign")
        for step in next_steps(held.state, account.io.clock.now())
    )


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
