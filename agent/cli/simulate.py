"""`simulate`: the whole plan on forks of all chains, nothing signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Rehearsal
    from agent.core.foresight import Comparison
    from agent.core.money import Token
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
    return {
        "plan": plan_id,
        "ok": rehearsal.ok,
        "why": rehearsal.why,
        "method": rehearsal.method,
        "matching": rehearsal.matching,
        "compared": len(rehearsal.rows),
        "allowances_left": rehearsal.allowances_left,
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
        "after": [_after(row) for row in rehearsal.rows],
    }


def _after(row: Comparison) -> dict[str, Any]:
    from agent.cli import present
    from agent.core.money import Amount

    return {
        **present.amount(Amount(row.token, row.simulated)),
        "expected": str(row.expected),
        "simulated": str(row.simulated),
        "difference": str(row.difference),
        "named": [{"what": part.what, "amount": str(part.raw)} for part in row.parts],
        "ok": row.matches,
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
    ending = [] if rehearsal.ok else [f"  it ended otherwise than planned: {rehearsal.why}"]
    return "\n".join(
        [
            f"SIMULATE   {_how(rehearsal)}; nothing signed",
            table(rows),
            *([table(_differences(rehearsal))] if _differences(rehearsal) else []),
            f"  simulated balances match the plan: {rehearsal.matching} of {len(rehearsal.rows)}"
            f" · allowances left: {rehearsal.allowances_left}",
            *ending,
        ]
    )


def _how(rehearsal: Rehearsal) -> str:
    if rehearsal.method != "fork":
        return "by eth_simulateV1 of each chain's own node, without local forks"
    chains = {row.token.chain for row in rehearsal.rows}
    arrivals = sum(leg.leg.kind == "bridge" for leg in rehearsal.legs)
    forks = f"{len(chains)} fork{'s' if len(chains) != 1 else ''}, whole sequence"
    if not arrivals:
        return forks
    return f"{forks} with {'the bridge arrival' if arrivals == 1 else f'{arrivals} arrivals'}"


def _differences(rehearsal: Rehearsal) -> list[tuple[str, ...]]:
    """What came out otherwise than foreseen, and what made the difference."""
    from agent.core.wording import chain_name

    return [
        (
            "   ",
            f"{row.token.symbol} on {chain_name(row.token.chain)}",
            _signed(row.token, row.difference),
            ", ".join(part.what for part in row.parts) or "unexplained",
        )
        for row in rehearsal.rows
        if row.difference
    ]


def _signed(token: Token, raw: int) -> str:
    from agent.core.money import Amount
    from agent.core.wording import figure

    return f"{'+' if raw > 0 else '−'}{figure(Amount(token, abs(raw)).whole)}"
