"""`venues`: the places to swap, and what each of them offers now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.cli.context import Context
    from agent.compose import Account
    from agent.core.money import Amount, Token
    from agent.core.verdict import Refusal
    from agent.engine.auction import Offer
    from agent.settings import ChainFacts, Settings

EXIT_NO_OFFER = 8

GAS_MONEY = 10**18
"""Base units of the gas coin that the wallet has more than it has, so that gas is no reason."""

app = typer.Typer(
    help="Show the venues on the wallet's chains, and what they offer.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def venues() -> None:
    """Show the venues on the wallet's chains, and what they offer."""


@app.command("list")
def list_venues(ctx: typer.Context) -> None:
    """Print each venue of this version: allowed or not, on or off, and why; asks nobody."""
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    known = described(settings)
    if context.json:
        output.document("venues", {"local": settings.local, "venues": known})
        return
    head = ("venue", "", "allowed", "state", "key", "asked at")
    rows = [
        (
            row["name"],
            row["title"],
            "yes" if row["allowed"] else "no",
            row["off"] or "on",
            row["key"] or "none",
            row["server"] or "the chains themselves",
        )
        for row in known
    ]
    output.show(output.table([head, *rows]))


def described(settings: Settings) -> list[dict[str, Any]]:
    """The venues in the JSON kind `venues`."""
    from agent.compose.forks import FORKS
    from agent.compose.providers import provider_names, standing
    from agent.wire.address import chain_name
    from agent.wire.endpoint import parse_endpoint

    pools = [facts.caip2 for facts in settings.chains.values() if facts.uniswap is not None]
    found = [_keyless(settings, "router", "Uniswap pools, by our own router", pools)]
    for name, title in FORKS.items():
        served = [facts.caip2 for facts in settings.chains.values() if name in facts.providers]
        found.append(_keyless(settings, name, title, served))
    for name in provider_names("venues"):
        each = standing("venues", name, settings)
        api = settings.world.apis.get(name, "")
        off = each.off or ("" if api else "nobody says where its server is")
        found.append(
            {
                "name": name,
                "title": each.about.title,
                "allowed": name in settings.venues,
                "off": off,
                "key": f"{each.variable} ({each.about.key})" if each.variable else "",
                "server": parse_endpoint(api).name if api else "",
                "chains": [chain_name(chain) for chain in each.chains],
            }
        )
    return found


def _keyless(settings: Settings, name: str, title: str, chains: list[str]) -> dict[str, Any]:
    """A venue that asks nobody but the chains."""
    return {
        "name": name,
        "title": title,
        "allowed": name in settings.venues,
        "off": "" if chains else "it serves none of the wallet's chains",
        "key": "",
        "server": "",
        "chains": chains,
    }


@app.command("quote")
def quote(
    ctx: typer.Context,
    sell: str = typer.Option(..., "--sell", help="What to sell, by its symbol."),
    buy: str = typer.Option(..., "--buy", help="What to buy, by its symbol."),
    amount: str = typer.Option(..., "--amount", help="How much to sell, in whole tokens."),
    on: str = typer.Option("", "--on", help="The chain, by its id or name; the first without it."),
    everybody: bool = typer.Option(
        False, "--all", help="Ask also venues that the portfolio does not allow."
    ),
) -> None:
    """Ask every allowed venue side by side, and let the guard judge each offer; signs nothing.

    The wallet need not hold what it would sell. Ends with 8 when no offer passes.
    """
    from agent.cli import output
    from agent.cli.bridges import chosen, wanted

    context: Context = ctx.obj
    settings = context.settings()
    facts = chosen(settings, on) if on else next(iter(settings.chains.values()))
    sold, bought = wanted(facts, sell, amount), named(facts, buy)
    if sold.token == bought:
        raise typer.BadParameter(f"{sell} for {buy} is no swap")
    with context.account(with_all(settings) if everybody else settings) as account:
        bids = contest(account, sold, bought)
    bids += silent(settings, {bid.via for bid in bids}, everybody=everybody)
    if context.json:
        output.document("venues.quote", document(settings, sold, bought, bids))
    else:
        output.show("\n".join(text(settings, facts, sold, bought, bids)))
    if not any(bid.passes for bid in bids):
        raise typer.Exit(EXIT_NO_OFFER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """One venue's answer and the guard's; `refusals` are empty for an offer that passes."""

    via: str
    offer: Offer | None
    refusals: tuple[Refusal, ...]
    off: str = ""

    @property
    def passes(self) -> bool:
        """Whether it is an offer that could be taken."""
        return self.offer is not None and self.offer.quote is not None and not self.refusals

    @property
    def answer(self) -> str:
        """In one word, as runs write it down."""
        if self.offer is None:
            return "off"
        return "refused" if self.offer.quote and self.refusals else self.offer.rival.answer

    @property
    def no(self) -> Refusal | None:
        """What spoke against it first."""
        if self.refusals:
            return self.refusals[0]
        return None if self.offer is None or self.offer.quote else self.offer.refusal


def named(facts: ChainFacts, symbol: str) -> Token:
    """The token with that symbol on a chain; raises UsageError."""
    found = next((token for token in facts.tokens if token.symbol == symbol), None)
    if found is None:
        known = ", ".join(token.symbol for token in facts.tokens)
        raise typer.BadParameter(f"{facts.name} has no {symbol[:12]!r}, only {known}")
    return found


def with_all(settings: Settings) -> Settings:
    """The settings with every venue of this version allowed."""
    from dataclasses import replace

    from agent.compose.adapters import venue_names

    return replace(settings, venues=venue_names())


def contest(account: Account, sold: Amount, buy: Token) -> list[Bid]:
    """What each venue offers and what the guard says to it, the best first; nothing is signed."""
    from dataclasses import replace

    from agent.core.plan import Leg, Sell
    from agent.core.progress import Ask
    from agent.core.verdict import Refusal
    from agent.engine.ask import answers, judge, question
    from agent.errors import RefusedByGuard

    leg = Leg(
        id="1",
        kind="swap",
        via="",
        sell=Sell(sold.token, sold.raw),
        buy=buy,
        expected_out=1,
        min_buy=1,
    )
    asked = question(Ask("quote", "1", 1, sold.raw, sold.token.chain), leg, account.io)
    if isinstance(asked, Refusal):
        raise RefusedByGuard(asked.why, fix="ask for tokens that have a price", code=asked.code)
    coin = account.settings.chains[sold.token.chain].native
    asked = replace(asked, given={coin: GAS_MONEY, **_more(sold, coin)})
    bids = []
    for offer in answers(asked, account.io):
        found = () if offer.quote is None else judge(asked, offer, offer.quote, account.io)
        refusals = found if isinstance(found, tuple) else ()
        bids.append(Bid(via=offer.via, offer=offer, refusals=refusals))
    return bids


def _more(sold: Amount, coin: Token) -> dict[Token, int]:
    return {sold.token: sold.raw + (GAS_MONEY if sold.token == coin else 0)}


def silent(settings: Settings, heard: set[str], *, everybody: bool) -> list[Bid]:
    """Venues that were meant to be asked and are off, each with its reason."""
    return [
        Bid(via=row["name"], offer=None, refusals=(), off=row["off"] or "not asked")
        for row in described(settings)
        if row["name"] not in heard and (everybody or row["allowed"])
    ]


def document(settings: Settings, sold: Amount, buy: Token, bids: list[Bid]) -> dict[str, Any]:
    """The JSON kind `venues.quote`."""
    from agent.cli import present
    from agent.core.money import Amount
    from agent.wire.address import chain_name

    def said(bid: Bid) -> dict[str, Any]:
        body: dict[str, Any] = {"via": bid.via, "answer": bid.answer, "passes": bid.passes}
        offer = bid.offer
        if offer is not None and offer.quote is not None:
            found = offer.quote
            body |= {
                "offer": {
                    **present.amount(Amount(buy, found.amount_out)),
                    "min_amount": str(found.min_amount_out),
                },
                "net": str(offer.net),
                "gas": found.gas,
                "expires": present.time_text(found.expires),
                "route": found.route,
            }
        if offer is not None:
            body["ms"] = offer.ms
        if bid.no is not None:
            body |= {"code": bid.no.code, "why": bid.no.why}
        return body | ({"why": bid.off} if bid.off else {})

    passing = [bid.via for bid in bids if bid.passes]
    return {
        "wallet": present.wallet(settings.account, sold.token.chain),
        "chain": chain_name(sold.token.chain),
        "sell": present.amount(sold),
        "buy": present.token(buy),
        "quotes": [said(bid) for bid in bids],
        "best": passing[0] if passing else None,
        "local": settings.local,
    }


def text(
    settings: Settings, facts: ChainFacts, sold: Amount, buy: Token, bids: list[Bid]
) -> Iterator[str]:
    """One table of all venues, the best first, with why not where there is no offer."""
    from agent.cli.output import table
    from agent.core.wording import whole

    yield f"{whole(sold)} for {buy.symbol} on {facts.name}"
    head = ("venue", "out", "minimum", "gas", "net", "time", "")
    best = next((bid for bid in bids if bid.passes), None)
    rows = [row(bid, buy, best) for bid in bids]
    yield table([head, *rows], right=frozenset({1, 2, 3, 4, 5}))
    if best is None:
        yield "no offer passes: nothing would be signed"
    if settings.local:
        yield "answers of local stand-ins: nobody would pay these prices"


def row(bid: Bid, buy: Token, best: Bid | None) -> tuple[str, ...]:
    """A venue's line."""
    from agent.core.money import Amount
    from agent.core.wording import figure

    offer = bid.offer
    if offer is None:
        return (bid.via, "", "", "", "", "", f"off: {bid.off}")
    took = f"{offer.ms} ms"
    no = "" if bid.no is None else f"✗ {bid.answer} [{bid.no.code}] {bid.no.why}"
    if offer.quote is None:
        return (bid.via, "", "", "", "", took, no)
    found = offer.quote
    out, least, net = (
        figure(Amount(buy, raw).whole)
        for raw in (found.amount_out, found.min_amount_out, offer.net)
    )
    verdict = no
    if bid is best:
        verdict = "✓ best"
    elif not no and best is not None and best.offer is not None:
        verdict = f"−{figure(Amount(buy, best.offer.net - offer.net).whole)} {buy.symbol}"
    return (bid.via, out, least, f"{found.gas:,}", net, took, verdict)
