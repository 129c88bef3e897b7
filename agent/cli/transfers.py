"""Money on its way between two chains: who holds it, when it comes, when it comes back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.core.transit import Awaited

NOBODY_HELPS = "nobody ever has to \u201csupport\u201d you to get it: who offers that is a thief"


def body(each: Awaited) -> dict[str, Any]:
    """A transfer for programs; `refund` is null where the bridge has not told it."""
    from agent.cli import present
    from agent.wire.address import chain_name

    return {
        "run": each.run,
        "leg": each.leg,
        "via": each.via,
        "holder": each.via,
        "deposit": each.deposit,
        "id": each.id,
        "sold": present.amount(each.sold),
        "least": present.amount(each.least),
        "chain": chain_name(each.sold.token.chain),
        "to_chain": chain_name(each.least.token.chain),
        "since": present.time_text(each.left),
        "typical": present.time_text(each.typical),
        "late": present.time_text(each.late),
        "refund": None if each.due is None else present.time_text(each.due),
    }


def lines(told: dict[str, Any]) -> list[str]:
    """The same for people."""
    from decimal import Decimal

    from agent.core.wording import figure

    def whole(amount: dict[str, Any]) -> str:
        raw = Decimal(amount["amount"]).scaleb(-amount["decimals"])
        return f"{figure(raw)} {amount['symbol']}"

    name = f"deposit {told['id']}" if told["id"] else f"deposit {told['deposit'][:10]}\u2026"
    refund = ""
    if told["refund"] is not None:
        refund = f" \u00b7 else back to you on {told['chain']} from {_clock(told, 'refund')}"
    # Of what left before its run began nobody knows when it is late.
    times = ""
    if told["typical"] != told["since"]:
        times = f", usually by {_clock(told, 'typical')}, late after {_clock(told, 'late')}"
    return [
        f"  {told['leg']} \u23f3 {whole(told['sold'])} in flight   {told['via']} holds it ({name})",
        f"     at least {whole(told['least'])} on {told['to_chain']}{times}{refund}",
        "     you may close this terminal: `rebalancer resume` goes on",
        f"     {NOBODY_HELPS}",
    ]


def _clock(told: dict[str, Any], name: str) -> str:
    """A time of day; the day too where it is another one than that of the deposit."""
    when = datetime.fromisoformat(told[name])
    same_day = when.date() == datetime.fromisoformat(told["since"]).date()
    return f"{when:%H:%M:%S} UTC" if same_day else f"{when:%Y-%m-%d %H:%M} UTC"
