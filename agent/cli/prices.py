"""`prices`: what sources say of each asset, and whether they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.core.price import Prices
    from agent.settings import Settings


def prices(ctx: typer.Context) -> None:
    """Show the agreed price of each asset, or why there is none that money may move on."""
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    with context.account(settings) as account:
        found = account.io.prices()
        now = account.io.clock.now()
        requests = account.requests()
    rows = [_row(settings, found, name) for name in sorted(asset.name for asset in settings.assets)]
    if context.json:
        body = {"prices": rows, "currency": settings.base, "requests": requests}
        output.document("prices", {**body, "local": settings.local})
    else:
        output.show(text(found, rows, settings.base, now))


def _row(settings: Settings, found: Prices, name: str) -> dict[str, Any]:
    from agent.cli import present

    price, refused = found.by_asset.get(name), found.refused.get(name)
    row: dict[str, Any] = {
        "asset": name,
        "target": name in settings.policy.targets,
        "value": None,
        "low": None,
        "high": None,
        "at": None,
        "sources": [],
        "refused": None if refused is None else {"code": refused.code, "why": refused.why},
    }
    if price is not None:
        row |= {
            "value": present.number(price.value),
            "low": present.number(price.low),
            "high": present.number(price.high),
            "at": present.time_text(price.at),
            "sources": list(price.sources),
        }
    return row


def text(found: Prices, rows: list[dict[str, Any]], base: str, now: int) -> str:
    """Prices as a person reads them."""
    from agent.cli.output import table
    from agent.core.wording import figure, span

    def cells(name: str) -> tuple[str, ...]:
        price = found.by_asset.get(name)
        if price is None:
            return (f"  {name}", "no price", "", "", "")
        spread = (price.high / price.low - 1) * 10_000
        return (
            f"  {name}",
            figure(price.value),
            f"{spread:.0f} bps apart" if price.independent else "one source only",
            f"{span(max(0, now - price.at))} old",
            ", ".join(price.sources),
        )

    return "\n".join(
        [
            f"PRICES in {base}, the lower of two sources, the median of more",
            table([cells(row["asset"]) for row in rows], right=frozenset({1})),
            *(
                f"  [{row['refused']['code']}] {row['refused']['why']}"
                for row in rows
                if row["refused"] is not None
            ),
        ]
    )
