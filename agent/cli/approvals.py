"""`approvals`: what the wallet lets known spenders move, and how to take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.allowances import Grant
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.core.money import Address, ChainId, Token
    from agent.core.plan import Plan
    from agent.core.snapshot import Snapshot
    from agent.core.state import State
    from agent.settings import Settings

BUDGET_SECONDS = 900.0
PLAN_SECONDS = 600

REVOKE_GAS, REVOKE_BYTES = 55_000, 190
"""Gas of an approval (USDC's, the dearest of the usual tokens; taking one back needs less), and
the bytes of its signed transaction."""

app = typer.Typer(
    help="Allowances of the wallet to known spenders.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def approvals() -> None:
    """Allowances of the wallet to known spenders."""


@app.command("list")
def list_all(ctx: typer.Context) -> None:
    """List what known spenders may move; every run of this program leaves none."""
    from agent.cli import output

    context: Context = ctx.obj
    settings = context.settings()
    with context.account(settings) as account:
        found = _found(account, account.state())
        requests = account.requests()
    if context.json:
        output.document("approvals", document(settings, found, requests))
    else:
        output.show(text(found))


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    token: str = typer.Option("", "--token", help="Only of this token, by its symbol."),
    spender: str = typer.Option(
        "", "--spender", help="Only of this address, which need not be a known one."
    ),
    wait: float = typer.Option(BUDGET_SECONDS, "--wait", help="Seconds to wait before exit 9."),
) -> None:
    """Take allowances back: a run of one transaction for each."""
    import uuid

    from agent.cli import output
    from agent.cli.events import Teller
    from agent.cli.run import follow, refuse_open, worker
    from agent.engine.loop import session
    from agent.engine.survey import read

    context: Context = ctx.obj
    settings = context.settings()
    teller = Teller(context, "")
    with (
        context.account(settings, teller, hear=teller.hear) as account,
        session(worker(), account.io) as held,
    ):
        refuse_open(held)
        found = _found(account, held.state, token=token, spender=spender)
        if not found:
            why = "nothing to take back: no such allowance"
            if context.json:
                body = {"run": None, "outcome": "nothing", "why": why, "exit": 0}
                output.line("run.done", body)
            else:
                output.show(why)
            return
        snapshot = read(account.io, held.state)
        plan = plan_of(account, snapshot, found)
        _confirm(context, settings, found, plan)
        # A password that is wrong must not leave a run behind.
        account.io.signer.unlock()
        run_id = uuid.uuid4().hex[:8]
        held.start(run_id, plan, snapshot)
        code = follow(context, account, held, run_id, wait)
    raise typer.Exit(code)


def _found(
    account: Account, state: State, *, token: str = "", spender: str = ""
) -> tuple[Grant, ...]:
    """The allowances that the words choose; raises WrongValue for a word that chooses nothing."""
    from agent.cli.allowances import grants, known_spenders

    spenders = known_spenders(account, state)
    if spender:
        spenders = _only(spenders, spender)
    tokens = [
        item
        for facts in account.settings.chains.values()
        for item in facts.tokens
        if not token or item.symbol == token
    ]
    if not tokens:
        from agent.errors import WrongValue

        raise WrongValue(
            f"no token of the wallet's chains is called {token[:12]!r}",
            fix="see which there are: rebalancer config show, or chains.toml",
        )
    return grants(account, spenders, tokens)


def _only(
    spenders: dict[ChainId, dict[Address, str]], spender: str
) -> dict[ChainId, dict[Address, str]]:
    from agent.errors import WrongValue
    from agent.wire.address import parse_address

    try:
        address = parse_address(spender)
    except ValueError as error:
        raise WrongValue(str(error), fix="give the spender's address, 0x and 40 digits") from None
    return {chain: {address: names.get(address, "named")} for chain, names in spenders.items()}


def plan_of(account: Account, snapshot: Snapshot, found: tuple[Grant, ...]) -> Plan:
    """A plan that takes *found* back, each by a transaction of its own."""
    from dataclasses import replace
    from decimal import Decimal

    from agent.core.fees import money
    from agent.core.plan import Leg, Plan, Sell
    from agent.planning.draft import fingerprint

    io = account.io
    now = io.clock.now()
    prices = io.prices()
    dear: dict[ChainId, Decimal] = {}
    for chain in dict.fromkeys(grant.token.chain for grant in found):
        price = prices.of(io.chains[chain].native)
        wei = io.nodes[chain].fees().expected(REVOKE_GAS, REVOKE_BYTES)
        dear[chain] = Decimal(0) if price is None else money(wei, price.value)
    legs = tuple(
        Leg(
            id=str(number),
            kind="revoke",
            via="owner",
            sell=Sell(grant.token, 0),
            buy=grant.token,
            expected_out=0,
            min_buy=0,
            gas_cost=dear[grant.token.chain],
            cost=dear[grant.token.chain],
            detail=grant.spender,
        )
        for number, grant in enumerate(found, 1)
    )
    cost = sum((leg.cost for leg in legs), Decimal(0))
    draft = Plan(
        id="",
        legs=legs,
        standings=(),
        value=Decimal(0),
        cost=cost,
        worst_case=cost,
        gas_if_reverted=cost,
        turnover=Decimal(0),
        bound=None,
        prices=(),
        blocks=tuple(
            (chain, seen.block.number, seen.block.hash) for chain, seen in snapshot.chains.items()
        ),
        policy_hash=io.policy.hash,
        made=now,
        expires=now + PLAN_SECONDS,
        why=("the owner takes allowances back",),
    )
    return replace(draft, id=fingerprint(draft))


def _confirm(context: Context, settings: Settings, found: tuple[Grant, ...], plan: Plan) -> None:
    """Let a person agree; raises Declined."""
    from agent.cli import output
    from agent.core.wording import money
    from agent.errors import Declined

    if context.yes or (not context.interactive and not settings.confirm.needed(plan.turnover)):
        return
    if not context.interactive:
        raise Declined(
            f"{len(found)} allowances would be taken back and nobody is there to confirm it",
            fix="run it on a terminal, or with --yes",
        )
    output.say(text(found))
    output.say(f"Take these back, for about {money(plan.cost)} of gas? Type yes:")
    if input().strip().lower() != "yes":
        raise Declined("nothing was taken back", fix="look again: rebalancer approvals list")


def document(settings: Settings, found: tuple[Grant, ...], requests: int) -> dict[str, Any]:
    """The JSON kind `approvals`."""
    from agent.cli import present
    from agent.core.money import Amount
    from agent.wire.address import chain_name

    return {
        "wallet": present.wallet(settings.account, settings.policy.chains[0]),
        "allowances": [
            {
                "chain": chain_name(grant.token.chain),
                **present.amount(Amount(grant.token, grant.raw)),
                "spender": present.wallet(grant.spender, grant.token.chain),
                "name": grant.name,
                "unlimited": grant.unlimited,
            }
            for grant in found
        ],
        "local": settings.local,
        "requests": requests,
    }


def text(found: tuple[Grant, ...]) -> str:
    """Allowances as a person reads them."""
    from agent.cli.output import table
    from agent.core.money import Amount
    from agent.core.wording import chain_name, whole
    from agent.wire.address import checksum

    if not found:
        return "no known spender may move anything of this wallet"
    rows = [
        (
            f"  {chain_name(grant.token.chain)}",
            _named(grant.token) if grant.unlimited else whole(Amount(grant.token, grant.raw)),
            checksum(grant.spender),
            grant.name,
            "WITHOUT END" if grant.unlimited else "",
        )
        for grant in found
    ]
    return "\n".join([table(rows), "take them back with: rebalancer approvals revoke"])


def _named(token: Token) -> str:
    return f"all {token.symbol}"
