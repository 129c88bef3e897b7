"""`look`: any wallet, without a file and without a key: holdings, coverage, drift, a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Glance
    from agent.core.money import ChainId
    from agent.settings import ChainFacts, Settings, World

NAME = Path("look")
"""What messages call the portfolio that is in no file."""


def look(
    ctx: typer.Context,
    address: str = typer.Argument(..., help="The wallet to look at; nothing of it is needed."),
    target: str = typer.Option(
        "", "--target", help="Percent by asset, such as ETH=50,USDC=50: drift and a plan to it."
    ),
    band: float = typer.Option(5.0, "--band", help="Tolerated percent around each target."),
    on: str = typer.Option(
        "", "--on", help="Chains, such as ethereum,base or eip155:1; all that are known else."
    ),
    rpc: str = typer.Option(
        "",
        "--rpc",
        help="Nodes without keys, CHAIN=URL,CHAIN=URL; those with keys belong into variables.",
    ),
) -> None:
    """Show what a wallet holds on all chains, how far it is from a target, and a plan."""
    from agent.cli import output
    from agent.compose import glance_at

    context: Context = ctx.obj
    settings = portfolio(context, address, target=target, band=band, on=on, rpc=rpc)
    found = glance_at(settings, targeted=bool(target))
    if context.json:
        output.document("look", document(found, targeted=bool(target)))
    else:
        output.show(text(found, targeted=bool(target)))


def portfolio(
    context: Context, address: str, *, target: str, band: float, on: str, rpc: str
) -> Settings:
    """Settings for the wallet of the command line; raises ConfigError."""
    from agent.cli.draft import (
        Draft,
        bands_of,
        known_assets,
        read_address,
        read_band,
        read_chains,
        read_weights,
    )
    from agent.settings import load_text

    world = context.world()
    chains = read_chains(on, world)
    account = read_address(address)
    if target:
        weights = read_weights(target, chains)
    else:
        weights = read_weights(f"{known_assets(chains)[0]}=100", chains)
    draft = Draft(
        address=account, chains=chains, weights=weights, bands=bands_of(weights, read_band(band))
    )
    settings = load_text(
        draft.text,
        shown=NAME,
        chains=context.chains,
        overlay=context.overlay,
        # Whatever else this user has configured, the wallet is the one that was asked for.
        flags={
            "wallet.address": address,
            "wallet.chains": ",".join(facts.caip2 for facts in chains),
            "wallet.signer": "watch",
        },
    )
    return _replaced(settings, _with_nodes(rpc, world))


def _with_nodes(rpc: str, world: World) -> dict[ChainId, ChainFacts]:
    """The facts of the chains for which *rpc* names a node; raises WrongValue."""
    from dataclasses import replace

    from agent.cli.draft import read_chains
    from agent.errors import WrongValue
    from agent.wire.endpoint import is_loopback, parse_endpoint

    fix = "write CHAIN=URL, for example --rpc ethereum=https://node.example"
    found = {}
    for part in filter(None, (part.strip() for part in rpc.split(","))):
        name, equals, url = part.partition("=")
        if not equals or "/" in name:
            raise WrongValue("--rpc names a node without its chain", fix=fix)
        facts = read_chains(name, world)[0]
        try:
            endpoint = parse_endpoint(url)
        except ValueError as error:
            raise WrongValue(f"--rpc for {facts.caip2}: {error}", fix=fix) from None
        if world.local and not is_loopback(endpoint.host):
            raise WrongValue(
                f"--rpc for {facts.caip2}: {endpoint.host} is not this machine, and the overlay "
                "speaks of local chains only",
                fix="look without the overlay: unset REBALANCER_OVERLAY",
            )
        found[facts.chain] = replace(facts, rpc=(url,))
    return found


def _replaced(settings: Settings, nodes: dict[ChainId, ChainFacts]) -> Settings:
    from dataclasses import replace

    world = replace(settings.world, chains={**settings.world.chains, **nodes})
    return replace(settings, world=world)


def document(found: Glance, *, targeted: bool) -> dict[str, Any]:
    """The JSON kind `look`: that of `balances`, with coverage of chains, drift and plan."""
    from agent.cli import balances, drift, present
    from agent.core.plan import Plan
    from agent.wire.address import chain_name

    settings, seen = found.settings, found.seen
    knows = targeted and not found.silent and seen.valuation.value is not None
    plan = None
    if isinstance(found.plan, Plan):
        plan = present.plan(found.plan, settings.account, dict(settings.policy.asset_of))
    return {
        **balances.document(settings, seen, found.requests),
        "partial": bool(found.silent),
        "silent": [
            {"chain": chain_name(chain), "code": error.code, "why": error.message}
            for chain, error in found.silent.items()
        ],
        "drift": drift.document(settings, seen) if knows else None,
        "plan": plan,
        "why": found.why or None,
    }


def text(found: Glance, *, targeted: bool) -> str:
    """A look as a person reads it."""
    from agent.cli import balances, drift, plan
    from agent.core.plan import Plan

    settings, seen = found.settings, found.seen
    lines = [
        f"PARTIAL: {settings.world.chains[chain].name} did not answer ([{error.code}] "
        f"{error.message}); it is left out of every figure here"
        for chain, error in found.silent.items()
    ]
    lines.append(balances.text(settings, seen, found.requests))
    if found.silent and targeted:
        lines.append("no drift and no plan: of a wallet that is known in part no share is known")
    elif targeted:
        if seen.valuation.value is not None:
            lines.append(drift.text(settings, seen).partition("\n")[2])
        if isinstance(found.plan, Plan):
            lines += [plan.text(found.plan), "indicative: nothing is signed by looking"]
        elif found.why not in lines[-1]:
            lines.append(found.why)
    return "\n".join(lines)
