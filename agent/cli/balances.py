"""`balances`: what the wallet holds, at pinned blocks, and what that is worth."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.core.price import Prices
    from agent.core.value import Position
    from agent.engine.survey import Look
    from agent.settings import Settings


def balances(ctx: typer.Context) -> None:
    """Show what the wallet holds on each chain, and its value."""
    from agent.cli import output
    from agent.engine.survey import look

    context: Context = ctx.obj
    settings = context.settings()
    with context.account(settings) as account:
        seen = look(account.io, account.state())
        requests = account.requests()
    if context.json:
        output.document("balances", document(settings, seen, requests))
    else:
        output.show(text(settings, seen, requests))


def document(settings: Settings, seen: Look, requests: int) -> dict[str, Any]:
    """The JSON kind `balances`."""
    from agent.cli import present
    from agent.wire.address import chain_name

    valuation = seen.valuation
    return {
        "wallet": present.wallet(settings.account, settings.policy.chains[0]),
        "blocks": {
            chain_name(chain): found.block.number for chain, found in seen.snapshot.chains.items()
        },
        "balances": [_row(position, seen.prices) for position in valuation.positions],
        "in_flight": [
            {**_row(position, seen.prices), "leg": position.leg} for position in valuation.in_flight
        ],
        "value": present.cents(valuation.value),
        "coverage": {
            "counted": present.cents(valuation.value),
            "outside": present.cents(valuation.outside),
            "unpriced": [present.token(token) for token in valuation.unpriced],
        },
        "currency": settings.base,
        "unknown": [{"code": no.code, "why": no.why} for no in valuation.refusals],
        "local": settings.local,
        "requests": requests,
    }


def _row(position: Position, prices: Prices) -> dict[str, Any]:
    from agent.cli import present
    from agent.core.money import Amount

    body = present.amount(Amount(position.token, position.raw))
    asset = position.asset or prices.asset_of.get(position.token)
    return {
        **body,
        "asset": asset,
        "role": position.role,
        "value": present.cents(position.value),
    }


def text(settings: Settings, seen: Look, requests: int) -> str:
    """Balances as a person reads them."""
    from agent.cli.output import table
    from agent.core.wording import chain_name, figure, money
    from agent.wire.address import chain_text, checksum

    valuation = seen.valuation
    worth = "value unknown" if valuation.value is None else money(valuation.value)
    rows = [
        (
            f"  {settings.chains[position.token.chain].name}",
            chain_text(position.token.symbol),
            figure(whole_tokens(position)),
            "no price" if position.value is None else money(position.value),
            position.role,
        )
        for position in sorted(valuation.positions, key=_order)
        if position.raw
    ]
    at = ", ".join(
        f"{chain_name(chain)} block {found.block.number}"
        for chain, found in seen.snapshot.chains.items()
    )
    unpriced = ", ".join(chain_text(token.symbol) for token in valuation.unpriced) or "none"
    lines = [
        f"WALLET {checksum(settings.account)}   {worth} {settings.base}   "
        f"{at}   {requests} request{'s' if requests != 1 else ''}",
        table(rows, right=frozenset({2, 3})) or "  nothing that is known here",
        *(
            f"  in flight: {figure(whole_tokens(position))} {chain_text(position.token.symbol)}"
            f" to {chain_name(position.token.chain)}"
            for position in valuation.in_flight
        ),
        f"  counted {'unknown' if valuation.value is None else money(valuation.value)}"
        f" · outside {money(valuation.outside)} · unpriced: {unpriced}",
        *(f"  [{no.code}] {no.why}" for no in valuation.refusals),
        *(f"  {note}" for note in valuation.notes),
    ]
    return "\n".join(lines)


def _order(position: Position) -> tuple[int, bool, Decimal]:
    """By chain, the most valuable first, what has no price last."""
    worth = position.value
    return position.token.chain, worth is None, -(worth or Decimal(0))


def whole_tokens(position: Position) -> Decimal:
    """The amount of a position in whole tokens."""
    from agent.core.money import Amount

    return Amount(position.token, position.raw).whole
