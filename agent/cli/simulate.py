"""`simulate`: the whole plan on forks of all chains, nothing signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Rehearsal
    from agent.core.plan import Plan


def simulate(
    ctx: typer.Context,
    plan: Path | None = typer.Argument(None, help="A plan file; a new plan when not given."),
) -> None:
    """Run a plan on forks of the wallet's chains and compare with what was planned."""
    from agent.cli import output
    from agent.cli.plan import make, read
    from agent.compose import check_decimals, rehearse
    from agent.engine.survey import read as read_snapshot
    from agent.errors import SimulationFailed
    from agent.planning.problem import NoPlan

    context: Context = ctx.obj
    settings = context.settings()
    with context.account(settings) as account:
        found: Plan | NoPlan
        if plan is None:
            seen, found = make(account, asked=True)
            snapshot = seen.snapshot
        else:
            check_decimals(account)
            found, snapshot = read(plan), read_snapshot(account.io, account.state())
        if isinstance(found, NoPlan):
            body = {"plan": None, "ok": True, "legs": [], "after": [], "why": list(found.why)}
            if context.json:
                output.document("simulate", body)
            else:
                output.show("\n".join(found.why))
            return
        rehearsal = rehearse(account, found, snapshot)
    if context.json:
        output.document("simulate", document(found.id, rehearsal))
    else:
        output.show(text(rehearsal))
    if not rehearsal.ok:
        if context.json:
            raise typer.Exit(SimulationFailed.exit)
        raise SimulationFailed(
            f"the rehearsal ended otherwise than planned: {rehearsal.why}",
            code="S104",
            fix="plan again in a moment: rebalancer plan",
        )


def document(plan_id: str, rehearsal: Rehearsal) -> dict[str, Any]:
    """A rehearsal for programs."""
    from agent.cli import present
    from agent.core.money import Amount

    return {
        "plan": plan_id,
        "ok": rehearsal.ok,
        "why": rehearsal.why,
        "method": rehearsal.method,
        "legs": [
            {
                "id": leg.leg.id,
                "ok": leg.ok,
                "expected": str(leg.expected),
                "simulated": str(leg.simulated),
                "gas_used": leg.gas_used,
                **({"revert": leg.why} if leg.why else {}),
            }
            for leg in rehearsal.legs
        ],
        "after": [present.amount(Amount(t, raw)) for t, raw in rehearsal.after.items() if raw],
    }


def text(rehearsal: Rehearsal) -> str:
    """A rehearsal for people."""
    from agent.cli.output import table
    from agent.core.money import Amount
    from agent.core.wording import whole

    rows = [
        (
            f"  {leg.leg.id}",
            "✓" if leg.ok else "✗",
            leg.leg.kind,
            f"expected {whole(Amount(leg.leg.buy, leg.expected))}",
            f"simulated {whole(Amount(leg.leg.buy, leg.simulated))}",
            f"gas {leg.gas_used:,}",
            leg.why,
        )
        for leg in rehearsal.legs
    ]
    done = sum(leg.ok for leg in rehearsal.legs)
    return "\n".join(
        [
            "SIMULATE   on forks, the whole sequence; nothing signed",
            table(rows),
            f"  {done} of {len(rows)} legs as planned: {rehearsal.why}",
        ]
    )
