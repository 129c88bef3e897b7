"""`bridges`: the ways between chains, and what each of them offers now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.cli.context import Context
    from agent.compose import Account
    from agent.core.money import Amount, Token
    from agent.core.quote import Quote
    from agent.ports import Bridge
    from agent.settings import ChainFacts, Settings

EXIT_NO_OFFER = 8

app = typer.Typer(
    help="Show the bridges between the wallet's chains, and what they offer.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def bridges() -> None:
    """Show the bridges between the wallet's chains, and what they offer."""


@app.command("list")
def list_bridges(ctx: typer.Context) -> None:
    """Print each bridge of this version, its contracts, and who tells its fee; asks nobody."""
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    known = described(settings)
    if context.json:
        output.document("bridges", {"local": settings.local, "bridges": known})
        return
    head = ("bridge", "allowed", "chain", "contract", "code")
    rows = [
        (
            row["name"],
            "yes" if row["allowed"] else "no",
            place["chain"],
            place["contract"],
            "pinned" if place["pinned"] else "not pinned",
        )
        for row in known
        for place in row["chains"]
    ]
    output.show(output.table([head, *rows]))
    for row in known:
        output.show(f"{row['name']}: the fee is told by {row['fee']}")


def described(settings: Settings) -> list[dict[str, Any]]:
    """The bridges in the JSON kind `bridges`."""
    from agent.compose.bridges import all_bridges
    from agent.wire.address import chain_name, checksum

    found = [
        {
            "name": bridge.name,
            "allowed": bridge.name in settings.bridges,
            "fee": fee_of(bridge.name, settings),
            "chains": [
                {"chain": chain_name(chain), "contract": checksum(address), "pinned": bool(pin)}
                for chain in settings.chains
                for address, pin in bridge.targets(chain).items()
            ],
        }
        for bridge in all_bridges(settings).values()
    ]
    return [row for row in found if row["chains"]]


def fee_of(name: str, settings: Settings) -> str:
    """Who tells the fee of a bridge, in words; of Across it is the relayer's."""
    from agent.wire.endpoint import parse_endpoint

    if name != "across":
        told = settings.world.apis.get(name, "")
        return parse_endpoint(told).name if told else "its contracts"
    wish, api = settings.across, settings.world.across_api
    own = None if wish.fee is None else f"portfolio.toml ({wish.fee.bps} bps and {wish.fee.fixed})"
    if not (wish.ask_api and api):
        return own or "nobody, so it is not used"
    server = parse_endpoint(api).name
    return server if own is None else f"{server}, or where that is silent {own}"


@app.command("quote")
def quote(
    ctx: typer.Context,
    source: str = typer.Option(..., "--from", help="The chain to send from, by its id or name."),
    target: str = typer.Option(..., "--to", help="The chain to send to, by its id or name."),
    token: str = typer.Option(..., "--token", help="What to send, by its symbol."),
    amount: str = typer.Option(..., "--amount", help="How much of it, in whole tokens."),
) -> None:
    """Ask every allowed bridge what it would deliver now; signs nothing.

    Ends with 8 when none of them makes an offer.
    """
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    near, far = chosen(settings, source), chosen(settings, target)
    sold = wanted(near, token, amount)
    buy = delivered_as(near, far, sold.token)
    with context.account(settings) as account:
        if not account.io.bridges:
            raise typer.BadParameter("the portfolio names no bridge that this version has")
        offers = [offer(account, bridge, sold, buy) for bridge in account.io.bridges.values()]
    if context.json:
        output.document("bridges.quote", document(settings, sold, buy, offers))
    else:
        output.show("\n".join(text(settings, sold, buy, offers)))
    if all(each.quote is None for each in offers):
        raise typer.Exit(EXIT_NO_OFFER)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one bridge says; `refused` is (code, why) where it makes no offer."""

    via: str
    quote: Quote | None = None
    seconds: int = 0
    refused: tuple[str, str] = ("", "")


def chosen(settings: Settings, name: str) -> ChainFacts:
    """The wallet's chain that goes by *name*; raises UsageError."""
    from agent.settings import by_names

    found = by_names(settings.chains.values()).get(name.lower())
    if found is None:
        names = ", ".join(facts.caip2 for facts in settings.chains.values())
        raise typer.BadParameter(f"{name[:40]!r} is not one of the wallet's chains {names}")
    return found


def wanted(near: ChainFacts, symbol: str, amount: str) -> Amount:
    """So much of the token with that symbol; raises UsageError."""
    from decimal import Decimal, InvalidOperation

    from agent.core.money import Amount, raw_down

    token = next((item for item in near.tokens if item.symbol == symbol), None)
    if token is None:
        known = ", ".join(item.symbol for item in near.tokens)
        raise typer.BadParameter(f"{near.name} has no {symbol[:12]!r}, only {known}")
    try:
        whole = Decimal(amount)
    except InvalidOperation:
        whole = Decimal("NaN")
    raw = raw_down(whole, token) if whole.is_finite() and 0 < whole.adjusted() + 80 < 160 else 0
    if not raw > 0:
        raise typer.BadParameter(f"{amount[:40]!r} is no amount of {symbol}")
    return Amount(token, raw)


def delivered_as(near: ChainFacts, far: ChainFacts, sold: Token) -> Token:
    """What comes out on the far chain: the same asset, its gas coin unwrapped; UsageError."""
    listing = near.listing(sold)
    asset = sold.symbol if listing is None else listing.asset
    forms = [row.token for row in far.listings if row.asset == asset and row.role == "spend"]
    same = [token for token in forms if token.symbol == sold.symbol]
    found = next((token for token in (*same, *forms)), None)
    if found is None or near.chain == far.chain:
        raise typer.BadParameter(f"{sold.symbol} has nowhere to go on {far.name}")
    return far.native if found == far.wrapped else found


def offer(account: Account, bridge: Bridge, sold: Amount, buy: Token) -> Offer:
    """The firm quote of one bridge, or why it makes none; nothing is signed on it."""
    from agent.core.plan import Leg, Sell
    from agent.errors import Unavailable

    leg = Leg(
        id="1",
        kind="bridge",
        via=bridge.name,
        sell=Sell(sold.token, sold.raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )
    try:
        now = account.io.nodes[sold.token.chain].block().timestamp
        found = bridge.quote(leg, sold.raw, account.io.account, 1, now)
    except Unavailable as error:
        return Offer(bridge.name, refused=(error.code, error.message))
    edges = bridge.survey([(sold.token, buy)], {sold.token: sold.raw})
    return Offer(bridge.name, found, edges[0].seconds if edges else 0)


def document(settings: Settings, sold: Amount, buy: Token, offers: list[Offer]) -> dict[str, Any]:
    """The JSON kind `bridges.quote`."""
    from agent.cli import present
    from agent.core.money import Amount
    from agent.wire.address import chain_name

    def said(each: Offer) -> dict[str, Any]:
        if each.quote is None:
            code, why = each.refused
            return {"via": each.via, "offer": None, "code": code, "why": why}
        bought = Amount(buy, each.quote.amount_out)
        return {
            "via": each.via,
            "offer": {**present.amount(bought), "min_amount": str(each.quote.min_amount_out)},
            "fee": present.number(sold.whole - bought.whole),
            "seconds": each.seconds,
            "expires": present.time_text(each.quote.expires),
            "gas": each.quote.gas,
        }

    return {
        "wallet": present.wallet(settings.account, sold.token.chain),
        "chain": chain_name(sold.token.chain),
        "to_chain": chain_name(buy.chain),
        "sell": present.amount(sold),
        "quotes": [said(each) for each in offers],
        "local": settings.local,
    }


def text(settings: Settings, sold: Amount, buy: Token, offers: list[Offer]) -> Iterator[str]:
    """The offers as a person reads them, the best first."""
    from agent.cli.output import table
    from agent.core.money import Amount
    from agent.core.wording import figure, percent, span, whole

    near, far = (settings.chains[token.chain].name for token in (sold.token, buy))
    yield f"{whole(sold)} from {near} to {far}"
    made = [(each, each.quote) for each in offers if each.quote is not None]
    rows = [("bridge", "arrives", "fee", "", "usually in")]
    for each, found in sorted(made, key=lambda pair: -pair[1].amount_out):
        bought = Amount(buy, found.amount_out)
        fee = sold.whole - bought.whole
        share = percent(fee / sold.whole)
        rows.append((each.via, whole(bought), figure(fee), share, span(each.seconds)))
    if made:
        yield table(rows, right=frozenset({1, 2, 3, 4}))
    for each in offers:
        if each.quote is None:
            code, why = each.refused
            yield f"{each.via} makes no offer: [{code}] {why}"
