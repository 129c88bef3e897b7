"""`run`: lock, look, plan, rehearse, confirm, sign, send, follow to the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.core.fact import Fact
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot
    from agent.core.state import RunState
    from agent.engine.loop import Finished, Session, Wait
    from agent.settings import Settings

BUDGET_SECONDS = 900.0
"""A one-shot run waits this long for blocks and far chains, then leaves the rest to `resume`."""

EXIT = {"done": 0, "nothing": 0, "aborted": 6, "waiting": 9, "needs_human": 10}


def run(
    ctx: typer.Context,
    plan: Path | None = typer.Argument(None, help="A plan file; a new plan when not given."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Stop before the first signature."),
    on_trigger: bool = typer.Option(
        False, "--on-trigger", help="Act only when the policy's trigger says so (for schedulers)."
    ),
    no_rehearsal: bool = typer.Option(
        False, "--no-rehearsal", help="Do not run the plan on forks first."
    ),
    wait: float = typer.Option(BUDGET_SECONDS, "--wait", help="Seconds to wait before exit 9."),
) -> None:
    """Rebalance the wallet."""
    wish = Wish(
        plan=plan, dry_run=dry_run, asked=not on_trigger, rehearse=not no_rehearsal, wait=wait
    )
    raise typer.Exit(rebalance(ctx.obj, wish))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run is asked to do: a plan file or None, and how far and how long to go."""

    plan: Path | None = None
    dry_run: bool = False
    asked: bool = True
    rehearse: bool = True
    wait: float = BUDGET_SECONDS


def rebalance(context: Context, wish: Wish, observe: Callable[[Fact], None] | None = None) -> int:
    """Everything that `run` does; returns its exit code. *observe* hears of each fact first."""
    from agent.cli.events import Teller
    from agent.engine.loop import session
    from agent.keeper.begin import new_run

    settings = context.settings()
    teller = Teller(context, "")

    def heard(fact: Fact) -> None:
        teller(fact)
        if observe is not None:
            observe(fact)

    with (
        context.account(settings, heard, hear=teller.hear) as account,
        session(worker(), account.io) as held,
    ):
        refuse_open(held)
        found, snapshot = _plan(context, settings, account, wish.plan, asked=wish.asked)
        if found is None or snapshot is None:
            return 0
        if wish.rehearse:
            rehearse_or_refuse(context, account, found, snapshot)
        if wish.dry_run:
            finish_dry(context, found)
            return 0
        confirm(context, settings, found)
        # A password that is wrong must not leave a run behind.
        account.permit(found.turnover)
        account.io.signer.unlock()
        run_id = new_run()
        held.start(run_id, found, snapshot)
        return follow(context, account, held, run_id, wish.wait)


def worker() -> str:
    """A name for this process: a resumed run says who went on with it."""
    from agent.keeper.begin import worker as name

    return name()


def refuse_open(held: Session) -> None:
    """Raise before anything is planned when an earlier run is not finished or explained."""
    from agent.errors import RunOpen, Unreconciled

    state = held.state
    if state.open_run is not None:
        raise RunOpen(
            f"run {state.open_run.id} of this wallet is not finished",
            fix="go on with it first: rebalancer resume",
        )
    if state.unreconciled is not None:
        raise Unreconciled(
            f"run {state.unreconciled} ended with money that nobody has explained",
            fix=f"look at `rebalancer status {state.unreconciled}`, then "
            f"`rebalancer resume {state.unreconciled} --accept-balances`",
        )


def _plan(
    context: Context, settings: Settings, account: Account, file: Path | None, *, asked: bool
) -> tuple[Plan | None, Snapshot | None]:
    """The plan to execute with the snapshot to start from; nothing when there is none to do."""
    from agent.cli import output
    from agent.cli.plan import make, read, tell
    from agent.compose import check_decimals
    from agent.engine.survey import read as read_snapshot
    from agent.planning.problem import NoPlan

    if file is not None:
        check_decimals(account)
        return read(file), read_snapshot(account.io, account.state())
    seen, found = make(account, asked=asked)
    if isinstance(found, NoPlan):
        why = "; ".join(found.why)
        if context.json:
            output.line("run.done", {"run": None, "outcome": "nothing", "why": why, "exit": 0})
        else:
            output.show(why)
        return None, None
    if not context.json and not context.quiet:
        tell(context, settings, seen, found, explain=False, requests=0)
    return found, seen.snapshot


def rehearse_or_refuse(context: Context, account: Account, found: Plan, snapshot: Snapshot) -> None:
    """Run the plan on forks; raises SimulationFailed when it does not come out as planned."""
    from agent.cli import output
    from agent.keeper.begin import rehearsed

    rehearsal = rehearsed(account, found, snapshot)
    if not context.json and not context.quiet:
        how = "on a fork" if rehearsal.method == "fork" else f"by {rehearsal.method}"
        output.say(f"rehearsed {how}: {len(rehearsal.legs)} legs as planned")


def finish_dry(context: Context, found: Plan) -> None:
    """Say what a dry run leaves undone."""
    from agent.cli import output

    why = f"dry run: plan {found.id[:4]} would be executed; nothing was signed"
    if context.json:
        output.line("run.done", {"run": None, "outcome": "nothing", "why": why, "exit": 0})
    else:
        output.show(why)


def confirm(context: Context, settings: Settings, found: Plan) -> None:
    """Let a person agree to what will be signed; raises Declined."""
    from agent.cli import output
    from agent.errors import Declined

    value: Decimal = found.turnover
    if context.yes or not settings.confirm.needed(value):
        return
    word = found.id[:4]
    if not context.interactive:
        raise Declined(
            f"plan {word} moves {value:,.2f} and nobody is there to confirm it",
            fix="run it on a terminal, where a person can read and confirm it",
        )
    for leg in found.legs:
        output.say(_intent(leg))
    output.say(
        f"Cost {found.cost:,.2f} · worst fill allowed −{found.worst_case:,.2f}"
        f" · gas if every leg reverts {found.gas_if_reverted:,.2f}"
    )
    output.say(f"Exact allowances, back to 0. Type the first 4 characters of plan {word}:")
    if input().strip() != word:
        raise Declined("the plan was not confirmed", fix="look at it: rebalancer plan --explain")


def _intent(leg: Any) -> str:
    from agent.core.money import Amount
    from agent.core.wording import chain_name, whole

    least = whole(Amount(leg.buy, leg.min_buy))
    where = chain_name(leg.buy.chain)
    return (
        f"{leg.kind} {whole(leg.planned_sell)}, get at least {least} → your own wallet on {where}"
    )


def follow(context: Context, account: Account, held: Session, run_id: str, wait: float) -> int:
    """Advance until the run ends or has to wait, tell the end, and return the exit code."""
    return tell_end(context, account, held, run_id, held.advance(wait))


def tell_end(
    context: Context, account: Account, held: Session, run_id: str, ended: Finished | Wait
) -> int:
    """Tell how a run ended or what it waits for, and return the exit code."""
    from agent.cli import output

    body, code = summary(account, held, run_id, ended)
    if context.json:
        output.line("run.done" if code != EXIT["waiting"] else "run.waiting", body)
        if code == EXIT["waiting"]:
            output.line("run.done", body)
    else:
        output.show(sentence(body))
    return code


def summary(
    account: Account, held: Session, run_id: str, ended: Finished | Wait
) -> tuple[dict[str, Any], int]:
    """The final event of a run and its exit code."""
    from agent.cli import present
    from agent.cli.transfers import body as transfer
    from agent.core.closing import Costs, costs
    from agent.core.transit import awaited
    from agent.engine.loop import Wait as Waiting

    state = held.state
    flying = ended.awaited if isinstance(ended, Waiting) else awaited(state)
    run: RunState = state.runs[run_id]
    outcome = "waiting" if isinstance(ended, Waiting) else ended.outcome
    code = EXIT[outcome]
    spent: Costs = costs(run)
    closed = run.closed
    body: dict[str, Any] = {
        "run": run_id,
        "outcome": outcome,
        "why": ended.why,
        "cost": present.micros(spent.total),
        "network_fees": present.micros(spent.fees),
        "planned_cost": present.number(run.plan.cost),
        "before": present.holdings(run.started.before),
        "after": present.holdings(closed.after) if closed is not None else [],
        "unexplained": [str(delta.raw) for delta in closed.unexplained] if closed else [],
        "final": run.settled_for_good,
        "transfers": [transfer(each) for each in flying],
        "local": account.settings.local,
        "exit": code,
    }
    return body, code


def sentence(body: dict[str, Any]) -> str:
    """The end of a run for people."""
    from agent.cli.transfers import lines

    head = f"run {body['run']}: {body['outcome']}, {body['why']}"
    flying = [line for each in body["transfers"] for line in lines(each)]
    costs = f"cost {Decimal(body['cost']):,.2f}, planned {Decimal(body['planned_cost']):,.2f}"
    tails = {
        "waiting": "you may close this terminal: `rebalancer resume` goes on",
        "needs_human": f"look at it: rebalancer status {body['run']}",
    }
    return "\n".join(
        [head, *flying, costs, *([tails[body["outcome"]]] if body["outcome"] in tails else [])]
    )
