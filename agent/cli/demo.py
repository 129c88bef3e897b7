"""`demo`: a throwaway wallet on private local chains, attacked and killed, finished anyway."""

from __future__ import annotations

import signal
import tempfile
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.cli.demo_show import Show
    from agent.compose import Account
    from agent.compose.local import LocalWallet
    from agent.core.plan import Plan
    from agent.engine.survey import Look

COST_TOLERANCE_BPS = 2
"""A run may cost this much of what it moves more than planned: prices move between plan and
block, and base fees too. Far below what the policy would allow."""

CHAINS = (1, 8453, 42161)
"""Ethereum, Base and Arbitrum One."""

CHAOS_FACTS = 4
"""In chaos every process dies after so many facts: before, between and after all effects."""

FORGERIES = 2
"""Who lies on the way: the bridge's fee server, and a venue's quote server."""

MAX_DEATHS = 60
"""More deaths than a run has facts means that nothing goes on."""


def demo(
    ctx: typer.Context,
    chains: int = typer.Option(3, "--chains", min=2, max=3, help="How many chains: 2 or 3."),
    keep: bool = typer.Option(
        False, "--keep", help="Leave the chains running and say how to use them."
    ),
    chaos: bool = typer.Option(
        False, "--chaos", help="Kill the run again and again, and let the bridge be late."
    ),
    port: int | None = typer.Option(
        None, "--port", min=1, max=65000, help="Port of the first chain; free ones when not given."
    ),
    sources: bool = typer.Option(
        False, "--sources", help="Print package, version and hash of everything on the chains."
    ),
) -> None:
    """Show everything on private local chains: plan, simulate, run, attack, kill −9, proof."""
    from agent.cli.demo_show import Show

    context: Context = ctx.obj
    if sources:
        _print_sources(context)
        return
    show = Show(context)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rebalancer-demo-"))
        home = Path(tempfile.mkdtemp(prefix="rebalancer-demo-")) if keep else Path(folder)
        code = _play(show, home, count=chains, port=port, keep=keep, chaos=chaos)
    raise typer.Exit(code)


def _play(show: Show, home: Path, *, count: int, port: int | None, keep: bool, chaos: bool) -> int:
    from agent.compose.local import local_wallet
    from agent.settings import find_paths

    show.more(f"LOCAL DEMO · {count} private chains · throwaway key")
    show.more(
        "real contract code: Uniswap V2/V3, USDC, WETH, Across"
        " (package, version, hash: demo --sources)"
    )
    with local_wallet(
        find_paths().cache, home, chains=CHAINS[:count], port=port, keep=keep
    ) as wallet:
        if chaos:
            wallet.worlds.relay("late")
        code = _act(show, wallet, chaos=chaos)
        if keep:
            _say_how_to_go_on(show, wallet)
        return code


def _act(show: Show, wallet: LocalWallet, *, chaos: bool) -> int:
    from agent.cli import output
    from agent.cli.demo_proof import prove
    from agent.cli.events import refusers
    from agent.settings import inherited_variables, load

    settings = load(environ={**inherited_variables(), **wallet.variables})
    output.learn_names({chain: facts.name for chain, facts in settings.chains.items()})
    nodes = {facts.name: wallet.urls[chain] for chain, facts in settings.chains.items()}
    ports = "   ".join(f"{name} :{url.rpartition(':')[2]}" for name, url in nodes.items())
    beyond = sum(not facts.loopback for facts in settings.chains.values())
    show.tell(f"chains up   {ports}   nodes beyond this machine: {beyond}", urls=nodes, local=True)
    with show.context.account(settings) as account:
        seen, found = _look_and_plan(show, account)
        _rehearse(show, account, found, seen)
        events, pid = _run_until_killed(show, wallet, found)
        more, kills = _die_often(show, wallet) if chaos else ([], 0)
        events += more or _resume(show, wallet, pid)
        last = events[-1]
        proof = prove(show, account, seen)
        # From the journal: who dies first does not tell.
        refused = refusers(account.io.journal.load(account.io.account))
    tolerance = found.turnover * COST_TOLERANCE_BPS / 10_000
    cost, planned = Decimal(last["cost"]), found.cost
    # A lie that was heard by a process that died before it wrote it down is not told again.
    forged = len(set(refused)) >= (1 if chaos else FORGERIES)
    ok = all((last["outcome"] == "done", proof.holds, forged, cost <= planned + tolerance))
    show.more(f"  cost {cost:,.2f}, planned {planned:,.2f}")
    show.more(
        f"  {1 + kills} kill{'s' if kills else ''}, {len(refused)} forged"
        f" answer{'' if len(refused) == 1 else 's'} refused:"
        f" paid twice {proof.strangers}, lost {proof.undelivered}"
    )
    body = {**last, "tolerance": f"{tolerance:.6f}", "proof": proof.holds}
    body |= {"kills": 1 + kills, "forged": len(refused), "planned_cost": f"{planned:.6f}"}
    if not ok:
        body |= {"outcome": "needs_human" if last["outcome"] == "done" else last["outcome"]}
        body |= {"exit": 10}
    show.more(
        "\nTry to break it:     rebalancer demo --chaos\n"
        "Now your own wallet, read-only. No key, no account, no file:\n"
        "  rebalancer look 0xYOUR_ADDRESS --target ETH=50,WBTC=20,USDC=30"
    )
    show.end(body)
    return 0 if ok else 10


def _look_and_plan(show: Show, account: Account) -> tuple[Look, Plan]:
    from agent.cli.plan import make, text
    from agent.errors import SimulationFailed
    from agent.planning.problem import NoPlan
    from agent.wire.address import checksum

    seen, found = make(account, asked=True)
    value = seen.valuation.value or Decimal(0)
    requests = sum(each.requests for each in seen.snapshot.chains.values())
    show.tell(
        f"WALLET {checksum(account.io.account)}   {value:,.2f} USD   "
        f"{requests} requests for {len(seen.snapshot.chains)} chains",
        value=f"{value:.2f}",
        requests=requests,
    )
    show.more(_standings(seen))
    if isinstance(found, NoPlan):
        raise SimulationFailed(
            f"the demo's wallet cannot be planned for: {found}", code="S104", fix="run it again"
        )
    show.tell(text(found), plan=found.id, cost=f"{found.cost:.6f}")
    return seen, found


def _standings(seen: Look) -> str:
    from agent.cli.drift import standing
    from agent.cli.output import table
    from agent.core.wording import money, percent

    head = ("", "now", "target", "band", "value", "")
    rows = [
        (
            f"  {drift.name}",
            percent(drift.weight),
            "" if drift.target is None else percent(drift.target),
            f"{percent(drift.low)} to {percent(drift.high)}",
            money(drift.value),
            standing(drift),
        )
        for drift in seen.decision.drifts
    ]
    counted, outside = seen.valuation.value or Decimal(0), seen.valuation.outside
    return "\n".join(
        [
            table([head, *rows], right=frozenset({1, 2, 4})),
            f"  counted {money(counted)} · outside {money(outside)}",
        ]
    )


def _rehearse(show: Show, account: Account, found: Plan, seen: Look) -> None:
    from agent.cli.simulate import text
    from agent.compose import rehearse
    from agent.errors import SimulationFailed

    rehearsal = rehearse(account, found, seen.snapshot)
    show.tell(text(rehearsal), ok=rehearsal.ok)
    if not rehearsal.ok:
        raise SimulationFailed(
            f"the rehearsal ended otherwise: {rehearsal.why}", code="S104", fix="run it again"
        )


def _run_until_killed(
    show: Show, wallet: LocalWallet, found: Plan
) -> tuple[list[dict[str, Any]], int]:
    """A real process runs, is lied to, and dies by SIGKILL between signature and broadcast."""
    from agent.cli.demo_show import start_child
    from agent.cli.plan import write
    from agent.errors import Broken

    file = wallet.home / "plan.json"
    write(found, file)
    show.tell(
        "RUN   in a process of its own; AN ATTACK: the bridge's fee server lies once, and a venue's"
        " quote server promises the best price and swaps your address for another",
        step="run",
    )
    child = start_child(
        wallet.variables, "agent.cli.demo_victim", "deposit", str(file), wallet.worlds.desk_url
    )
    events = show.listen(child)
    if child.returncode != -signal.SIGKILL:
        raise Broken(
            f"the demo's run ended by itself with {child.returncode}",
            fix="run it again; the demo wants to kill it in the middle",
            nothing_signed=False,
        )
    show.more(
        f"  ✗ WE KILLED IT: kill -9 on process {child.pid}; a deposit was signed, on disk, not sent"
    )
    return events, child.pid


def _die_often(show: Show, wallet: LocalWallet) -> tuple[list[dict[str, Any]], int]:
    """Resume in processes that all die after a few facts, until one lives to the end."""
    from agent.cli.demo_show import start_child

    for deaths in range(MAX_DEATHS):
        show.tell(f"$ rebalancer resume   (dies after {CHAOS_FACTS} facts)", deaths=deaths)
        child = start_child(wallet.variables, "agent.cli.demo_victim", "facts", str(CHAOS_FACTS))
        events = show.listen(child)
        if child.returncode != -signal.SIGKILL:
            return events, deaths
        show.more(f"  ✗ kill -9 on process {child.pid}")
    return [], MAX_DEATHS


def _resume(show: Show, wallet: LocalWallet, pid: int) -> list[dict[str, Any]]:
    from agent.cli.demo_show import start_child

    show.tell("$ rebalancer resume", killed=pid)
    return show.listen(start_child(wallet.variables, "agent", "resume", "--json"))


def _say_how_to_go_on(show: Show, wallet: LocalWallet) -> None:
    pids = " ".join(map(str, wallet.pids))
    show.more(f"\nThe chains go on; end them with: kill {pids}\nUse them with")
    for name, value in wallet.variables.items():
        show.more(f"  export {name}={value}")
    show.more("  rebalancer balances\n  rebalancer drift\n  rebalancer plan --explain")
    show.more("  rebalancer simulate\n  rebalancer bridges list\n  rebalancer status")
    show.more("  rebalancer venues list")
    show.more("  rebalancer venues quote --sell WETH --buy USDC --amount 1.5 --all")


def _print_sources(context: Context) -> None:
    from agent.cli import output
    from agent.compose.local import sources as pins

    rows = [(pin.name, pin.version, pin.integrity) for pin in pins()]
    if context.json:
        names = ("package", "version", "integrity")
        output.document(
            "sources", {"sources": [dict(zip(names, row, strict=True)) for row in rows]}
        )
    else:
        output.show(output.table(rows))
