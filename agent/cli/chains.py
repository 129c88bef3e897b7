"""`chains`: what is known of each chain, and whether a live node confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.cli.checks import Finding
    from agent.cli.context import Context
    from agent.core.money import ChainId
    from agent.settings import ChainFacts, World

EXIT_WRONG, EXIT_UNREACHED = 1, 8

app = typer.Typer(
    help="Show what is known of each chain, and check it against live nodes.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback()
def chains() -> None:
    """Show what is known of each chain, and check it against live nodes."""


@app.command("list")
def list_chains(ctx: typer.Context) -> None:
    """Print every chain of chains.toml and what is possible there."""
    from agent.cli import output

    context: Context = ctx.obj
    world = context.world()
    known = [described(facts, world) for facts in world.chains.values()]
    if context.json:
        output.document("chains", {"local": world.local, "chains": known})
        return
    head = ("chain", "name", "fees", "tokens", "feeds", "swaps", "known bridges")
    rows = [
        (
            row["chain"],
            row["name"],
            row["fee_model"],
            str(len(row["tokens"])),
            str(len(row["feeds"])),
            "yes" if row["swaps"] else "no",
            ", ".join(row["bridges"]) or "none",
        )
        for row in known
    ]
    ids, numbers = frozenset({0}), frozenset({3, 4})
    output.show(output.table([head, *rows], right=numbers, literal=ids), literal=True)
    for row in known:
        if row["plan_only"]:
            output.show(f"{row['name']} is plan-only: {row['plan_only']}")
        elif row["priced_elsewhere"]:
            assets = ", ".join(row["priced_elsewhere"])
            output.show(f"{row['name']} has no feed of {assets}: another chain's must stand in")


def described(facts: ChainFacts, world: World) -> dict[str, Any]:
    """One chain in the JSON kind `chains`."""
    from agent.cli import present

    assets = dict.fromkeys(row.asset for row in facts.listings)
    return {
        "chain": facts.caip2,
        "name": facts.name,
        "fee_model": facts.fee_model,
        "finality": facts.finality,
        "tokens": [
            {
                "token": present.token(row.token),
                "symbol": row.token.symbol,
                "decimals": row.token.decimals,
                "asset": row.asset,
                "role": row.role,
            }
            for row in facts.listings
        ],
        "feeds": sorted(set(facts.feeds) & set(assets)),
        "counted": sorted(set(facts.feeds) - set(assets)),
        "swaps": facts.uniswap is not None,
        "bridges": _bridges(facts, world),
        "plan_only": plan_only(facts, world),
        "priced_elsewhere": sorted(set(assets) - set(facts.feeds)),
        "nodes": list(facts.endpoints),
    }


def _bridges(facts: ChainFacts, world: World) -> list[str]:
    from agent.compose.providers import bridges_of

    others = bridges_of(facts.chain, world.chains)
    return others if facts.across is None else ["across", *others]


def plan_only(facts: ChainFacts, world: World) -> str | None:
    """Why nothing can be done on the chain but reading and planning; None where something can.

    Without a price of the gas coin no fee has a limit in money; without a router and a bridge
    there is nothing to sign.
    """
    coin = facts.listings[0].asset
    if not any(coin in other.feeds for other in world.chains.values()):
        return f"no chain has a feed of its gas coin, {coin}"
    if facts.uniswap is None and not _bridges(facts, world):
        return "no router and no bridge is known there"
    return None


@app.command("check")
def check(
    ctx: typer.Context,
    chain: list[str] = typer.Argument(
        None, help="Chains such as eip155:8453; all of them when none is given."
    ),
) -> None:
    """Compare chains.toml with what the chains themselves say.

    Ends with 1 when something is wrong, and with 8 when no node of a chain answers.
    """
    from agent.cli import doctor, output

    context: Context = ctx.obj
    world = context.world()
    checked = check_all(chosen(chain or [], world.chains))
    found = [finding for one in checked for finding in one.findings]
    if context.json:
        output.document("chains.check", {"local": world.local, **document(checked)})
    else:
        output.show(doctor.text(found, quiet=context.quiet))
    if any(finding.level == "error" for one in checked if one.reached for finding in one.findings):
        raise typer.Exit(EXIT_WRONG)
    if not all(one.reached for one in checked):
        raise typer.Exit(EXIT_UNREACHED)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found on one chain; `reached` is whether a node of it answered."""

    facts: ChainFacts
    reached: bool
    findings: tuple[Finding, ...]


def chosen(names: Sequence[str], known: Mapping[ChainId, ChainFacts]) -> tuple[ChainFacts, ...]:
    """The chains that *names* mean, all of them for none; raises UsageError for another name."""
    by_name = {facts.caip2: facts for facts in known.values()}
    known_ids = ", ".join(f'"{caip2}"' for caip2 in by_name)
    for name in names:
        if name not in by_name:
            raise typer.BadParameter(f"{name} is not one of {known_ids}")
    return tuple(by_name[name] for name in dict.fromkeys(names)) or tuple(known.values())


def check_all(asked: Sequence[ChainFacts]) -> list[Checked]:
    """Check chains side by side: a node that is silent takes its time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        return list(pool.map(check_one, asked))


def check_one(facts: ChainFacts) -> Checked:
    """Everything that chains.toml says of one chain, compared with the chain."""
    from agent.cli import checks_facts
    from agent.cli.checks import met
    from agent.compose.adapters import make_node
    from agent.errors import AgentError, Unreachable
    from agent.wire.clock import SystemClock

    clock = SystemClock()
    found = list(checks_facts.nodes(facts, clock))
    if not any(finding.level == "ok" for finding in found):
        reached = any(finding.code != Unreachable.code for finding in found)
        return Checked(facts, reached, tuple(found))
    node = make_node(facts, clock)
    try:
        found += checks_facts.everything(facts, node, clock.now())
    except AgentError as error:
        found.append(met(facts.name, error))
    finally:
        node.close()
    return Checked(facts, True, tuple(found))


def document(checked: Sequence[Checked]) -> dict[str, Any]:
    """The findings of all chains."""
    return {
        "ok": all(finding.level != "error" for one in checked for finding in one.findings),
        "findings": [
            {
                "chain": one.facts.caip2,
                "about": finding.about,
                "level": finding.level,
                "what": finding.what,
                "place": finding.place or None,
                "fix": finding.fix or None,
                "code": finding.code or None,
            }
            for one in checked
            for finding in one.findings
        ],
    }
