"""`plan`: what would be done, what it costs, and why; signs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.core.plan import Leg, Plan
    from agent.core.wish import Wish
    from agent.engine.survey import Look
    from agent.planning.problem import NoPlan
    from agent.settings import Settings

EXIT_NEEDED = 3

app = typer.Typer(
    help="Plan a rebalancing; signs nothing.", rich_markup_mode=None, invoke_without_command=True
)


@app.callback(invoke_without_command=True)
def plan(
    ctx: typer.Context,
    out: Path | None = typer.Option(None, "--out", "-o", help="Write the plan to this file."),
    exit_code: bool = typer.Option(
        False, "--exit-code", help="End with 3 when there is something to do."
    ),
    explain: bool = typer.Option(
        False, "--explain", help="Print the whole reasoning; JSON has it as `explanation`."
    ),
    on_trigger: bool = typer.Option(
        False, "--on-trigger", help="Plan only when the policy's trigger says so."
    ),
    buy_only: bool = typer.Option(
        False, "--buy-only", help="Sell nothing but what is pegged to the unit of account."
    ),
    invest: str | None = typer.Option(
        None,
        "--invest",
        metavar="AMOUNT:ASSET",
        help="Put money that came to work, such as 5000:USDC; nothing else is sold.",
    ),
    raise_: str | None = typer.Option(
        None,
        "--raise",
        metavar="AMOUNT:ASSET",
        help="Have so much of an asset beyond what the weights say, such as 3000:USDC.",
    ),
) -> None:
    """Plan a rebalancing: legs, cost, worst case and reasons."""
    if ctx.invoked_subcommand is not None:
        return
    from agent.cli.wishes import read_wish
    from agent.planning.problem import NoPlan

    context: Context = ctx.obj
    settings = context.settings()
    wish = read_wish(
        settings, buy_only=buy_only, invest=invest, raise_=raise_, on_trigger=on_trigger
    )
    with context.account(settings) as account:
        seen, found = make(account, asked=not on_trigger, wish=wish)
        requests = account.requests()
    tell(context, settings, seen, found, explain=explain, requests=requests)
    if isinstance(found, NoPlan):
        return
    if out is not None:
        write(found, out)
    if exit_code:
        raise typer.Exit(EXIT_NEEDED)


@app.command("show")
def show_file(ctx: typer.Context, file: Path = typer.Argument(..., help="A plan file.")) -> None:
    """Show a plan that was written to a file."""
    context: Context = ctx.obj
    settings = context.settings()
    tell(context, settings, None, read(file), explain=True, requests=0)


def make(account: Account, *, asked: bool, wish: Wish | None = None) -> tuple[Look, Plan | NoPlan]:
    """One look at the wallet and the plan that follows from it, or why there is nothing to do.

    *wish* is what the plan is wanted for, without one what the policy says.
    Raises TokenMismatch, Unavailable, and what a refusal is to the caller: a wallet of which
    something is unknown or missing is not one with nothing to do.
    """
    from agent.compose import check_decimals
    from agent.keeper.begin import planned

    check_decimals(account)
    return planned(account.io, account.state(), asked=asked, wish=wish)


def write(which: Plan, file: Path) -> None:
    """Write a plan so that `run FILE` can execute it; raises DiskFull."""
    import json

    from agent.core.codec import encode
    from agent.errors import DiskFull

    try:
        file.write_text(json.dumps(encode(which), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DiskFull(
            f"{file} could not be written: {error.strerror}", fix="choose another place with -o"
        ) from None


def read(file: Path) -> Plan:
    """A plan from a file; raises ConfigFileMissing and WrongValue."""
    from agent.core import plan as plans
    from agent.core.codec import Undecodable, decode
    from agent.errors import ConfigFileMissing, WrongValue
    from agent.wire import strict_json

    try:
        found: plans.Plan = decode(strict_json.loads(file.read_bytes()), plans.Plan)
    except OSError as error:
        raise ConfigFileMissing(
            f"{file} cannot be read: {error.strerror}", fix="make one: rebalancer plan -o FILE"
        ) from None
    except (ValueError, Undecodable) as error:
        raise WrongValue(
            f"{file} is not a plan: {error}", fix="make a new one: rebalancer plan -o FILE"
        ) from None
    return found


def tell(
    context: Context,
    settings: Settings,
    seen: Look | None,
    found: Plan | NoPlan,
    *,
    explain: bool,
    requests: int,
) -> None:
    """Show a plan, or why there is none."""
    from agent.cli import output, present, reasoning
    from agent.planning.problem import NoPlan

    if isinstance(found, NoPlan):
        if context.json:
            body: dict[str, Any] = {
                "id": None,
                "wallet": present.wallet(settings.account, settings.policy.chains[0]),
                **({} if seen is None else {"wish": present.wish(seen.task.wish)}),
                "legs": [],
                "why": list(found.why),
            }
            output.document("plan", body)
        else:
            output.show("\n".join(found.why))
        return
    drifts = tuple(drift.sentence for drift in getattr(seen and seen.decision, "drifts", ()))
    if context.json:
        body = present.plan(found, settings.account, dict(settings.policy.asset_of))
        whole = present.reasoning(found, drifts) if explain else {}
        output.document("plan", {**body, **whole, "requests": requests})
        return
    output.show(text(found))
    if explain:
        output.show("\n".join(reasoning.lines(found, drifts)))


def text(which: Plan) -> str:
    """A plan as a person reads it."""
    from agent.cli.output import table
    from agent.cli.reasoning import bounded
    from agent.core.wording import money, span

    rows = [_leg_row(leg) for leg in which.legs]
    count = f"{len(which.legs)} leg{'s' if len(which.legs) != 1 else ''}"
    others = " · ".join(f"{what}: {money(cost)}" for what, cost in which.alternatives)
    lines = [
        f"PLAN {which.id[:4]}   {count}, about {span(_seconds(which.legs))}"
        f"   expected cost {money(which.cost)}",
        table(rows, right=frozenset({6})),
        *([proven] if (proven := bounded(which)) else []),
        *([others] if others else []),
        *(each.sentence(taken=which.takes(each)) for each in which.asked),
        f"worst fill allowed −{money(which.worst_case)}"
        f" · gas if every leg reverts {money(which.gas_if_reverted)}",
        *(f"why: {why}" for why in which.why),
    ]
    return "\n".join(lines)


def _seconds(legs: tuple[Leg, ...]) -> int:
    """How long it usually takes: legs of one chain in a row, chains and transfers side by side."""
    from agent.core.plan import in_order

    ends: dict[str, int] = {}
    free: dict[int, int] = {}
    for leg in in_order(legs):
        chain = leg.sell.token.chain
        begin = max([free.get(chain, 0), *(ends[name] for name in leg.after)])
        ends[leg.id] = begin + leg.seconds
        free[chain] = begin if leg.kind == "bridge" else ends[leg.id]
    return max(ends.values(), default=0)


def _leg_row(leg: Leg) -> tuple[str, ...]:
    from agent.core.money import Amount
    from agent.core.wording import chain_name, money, whole

    after = f"after {', '.join(leg.after)}" if leg.after else ""
    here, there = chain_name(leg.sell.token.chain), chain_name(leg.buy.chain)
    return (
        f"  {leg.id}",
        here if here == there else f"→ {there}",
        leg.kind,
        f"{whole(leg.planned_sell)} → {whole(Amount(leg.buy, leg.expected_out))}",
        f"{leg.via} {leg.detail}".strip(),
        after,
        money(leg.cost),
    )
