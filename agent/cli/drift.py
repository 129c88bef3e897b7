"""`drift`: how far each part of the wallet is from its target, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.core.decide import Decision, Drift
    from agent.engine.survey import Look
    from agent.settings import Settings

EXIT_OUTSIDE = 3


def drift(
    ctx: typer.Context,
    exit_code: bool = typer.Option(
        False, "--exit-code", help="End with 3 when a part is outside its band."
    ),
) -> None:
    """Show shares against targets and bands, and whether the policy would act now."""
    from agent.cli import output
    from agent.engine.survey import look
    from agent.keeper.refusals import error_of

    context: Context = ctx.obj
    settings = context.settings()
    with context.account(settings) as account:
        seen = look(account.io, account.state())
    refusals = seen.valuation.refusals
    if refusals:
        raise error_of(refusals[0])
    if context.json:
        output.document("drift", document(settings, seen))
    else:
        output.show(text(settings, seen))
    if exit_code and any(abs(part.excess) >= settings.policy.dust for part in outside(seen)):
        raise typer.Exit(EXIT_OUTSIDE)


def outside(seen: Look) -> list[Drift]:
    """The parts that are outside their bands."""
    return [part for part in seen.decision.drifts if part.excess]


def document(settings: Settings, seen: Look) -> dict[str, Any]:
    """The JSON kind `drift`."""
    from agent.cli import present

    parts = seen.decision.drifts
    return {
        "value": present.cents(seen.valuation.value),
        "currency": settings.base,
        "assets": [_row(part) for part in parts if part.chain is None],
        "chains": [_row(part) for part in parts if part.chain is not None],
        "decision": _word(seen.decision),
        "why": seen.decision.why,
        "local": settings.local,
    }


def _row(part: Drift) -> dict[str, Any]:
    from agent.cli import present
    from agent.wire.address import chain_name

    row: dict[str, Any] = {} if part.chain is None else {"chain": chain_name(part.chain)}
    if part.asset is not None:
        row["asset"] = part.asset
    return {
        **row,
        "weight": f"{part.weight:.6f}",
        "target": present.number(part.target),
        "low": present.number(part.low),
        "high": present.number(part.high),
        "value": present.cents(part.value),
        "excess": present.cents(part.excess),
    }


def _word(decision: Decision) -> str:
    from agent.core.decide import Rebalance

    return "rebalance" if isinstance(decision, Rebalance) else "rest"


def text(settings: Settings, seen: Look) -> str:
    """Drifts as a person reads them."""
    from agent.cli.output import table
    from agent.core.wording import money, percent
    from agent.wire.address import checksum

    rows = [
        (
            f"  {part.name}",
            percent(part.weight),
            "" if part.target is None else percent(part.target),
            f"{percent(part.low)} to {percent(part.high)}",
            money(part.value),
            standing(part),
        )
        for part in seen.decision.drifts
    ]
    total = money(seen.valuation.value or 0)  # type: ignore[arg-type]
    lines = [f"WALLET {checksum(settings.account)}   {total} {settings.base}"]
    if rows:
        head = ("", "now", "target", "band", "value", "")
        lines.append(table([head, *rows], right=frozenset({1, 2, 4})))
    return "\n".join([*lines, seen.decision.why])


def standing(part: Drift) -> str:
    """Whether a part is inside its band, or by how much it is not."""
    from agent.core.wording import money

    if not part.excess:
        return "inside"
    return f"{'above' if part.excess > 0 else 'below'} by {money(abs(part.excess))}"
