"""`demo`: a throwaway wallet on private local chains, killed in the middle, finished anyway."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.cli.context import Context
    from agent.compose import Account
    from agent.compose.local import LocalWallet
    from agent.core.plan import Plan
    from agent.core.state import RunState
    from agent.engine.survey import Look

COST_TOLERANCE_BPS = 2
"""A run may cost this much of what it sells more than planned: prices move between plan and
block, and base fees too. Far below what the policy would allow."""


def demo(
    ctx: typer.Context,
    keep: bool = typer.Option(
        False, "--keep", help="Leave the chains running and say how to use them."
    ),
    port: int | None = typer.Option(
        None, "--port", min=1, max=65535, help="Port of the chain on this machine; a free one else."
    ),
    sources: bool = typer.Option(
        False, "--sources", help="Print package, version and hash of everything on the chains."
    ),
) -> None:
    """Show everything on private local chains: plan, simulate, run, kill −9, resume, proof."""
    context: Context = ctx.obj
    if sources:
        _print_sources(context)
        return
    show = Show(context)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rebalancer-demo-"))
        home = Path(tempfile.mkdtemp(prefix="rebalancer-demo-")) if keep else Path(folder)
        code = _play(show, home, keep=keep, port=port)
    raise typer.Exit(code)


@dataclass(slots=True)
class Show:
    """Tells the demo's steps: in words with the time since its start, or as JSON lines."""

    context: Context
    began: float = field(default_factory=time.monotonic)

    def tell(self, text: str, **facts: Any) -> None:
        """One step; *facts* are what the JSON line carries beside the text."""
        from agent.cli import output

        seconds = time.monotonic() - self.began
        if self.context.json:
            output.line("demo.step", {"seconds": f"{seconds:.1f}", "text": text, **facts})
        else:
            output.show(f"\n[{seconds:2.0f}s] {text}")

    def more(self, text: str) -> None:
        """Lines that belong to the last step, for people only."""
        from agent.cli import output

        if not self.context.json:
            output.show(text)

    def pass_on(self, event: dict[str, Any]) -> None:
        """An event of a run, as it came out of its process."""
        from agent.cli import output
        from agent.cli.events import sentence

        if self.context.json:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        else:
            text = sentence(event["kind"], event)
            if text:
                output.show("  " + text)


def _play(show: Show, home: Path, *, keep: bool, port: int | None) -> int:
    from agent.compose.local import local_wallet
    from agent.settings import find_paths

    show.more("LOCAL DEMO · 1 private chain · throwaway key · connections beyond this machine: 0")
    show.more(
        "real contract code: Uniswap V2/V3, USDC, WETH (package, version, hash: demo --sources)"
    )
    with local_wallet(find_paths().cache, home, keep=keep, port=port) as wallet:
        show.tell(f"chain up   Ethereum {wallet.url}", url=wallet.url, local=True)
        killed = _act(show, wallet)
        if keep:
            _say_how_to_go_on(show, wallet)
        return killed


def _act(show: Show, wallet: LocalWallet) -> int:
    from agent.settings import inherited_variables, load

    settings = load(environ={**inherited_variables(), **wallet.variables})
    context = show.context
    with context.account(settings) as account:
        seen, found = _look_and_plan(show, account)
        _rehearse(show, account, found, seen)
        first, pid = _run_until_killed(show, wallet)
        last = _resume(show, wallet, pid)
        proof = _prove(show, account, seen)
    planned = Decimal(last["planned_cost"])
    tolerance = found.turnover * COST_TOLERANCE_BPS / 10_000
    ok = (
        last["outcome"] == "done"
        and proof
        and len(first) > 0
        and Decimal(last["cost"]) <= planned + tolerance
    )
    body = {**last, "tolerance": f"{tolerance:.6f}", "proof": proof, "kills": 1}
    if not ok:
        body |= {"outcome": "needs_human" if last["outcome"] == "done" else last["outcome"]}
        body |= {"exit": 10}
    if show.context.json:
        sys.stdout.write(json.dumps(body) + "\n")
    else:
        cost = Decimal(last["cost"])
        show.more(f"\ncost {cost:,.2f}, planned {planned:,.2f}")
        show.more("Your own wallet, read-only, comes next: write a portfolio.toml with")
        show.more('signer = "watch" (docs/configuration.md), then: rebalancer drift')
    return 0 if ok else 10


def _look_and_plan(show: Show, account: Account) -> tuple[Look, Plan]:
    from agent.cli.plan import make, text
    from agent.errors import SimulationFailed
    from agent.planning.problem import NoPlan

    seen, found = make(account, asked=True)
    value = seen.valuation.value or Decimal(0)
    show.tell(f"WALLET {account.io.account}   {value:,.2f} USD", value=f"{value:.2f}")
    show.more(_standings(seen))
    if isinstance(found, NoPlan):
        raise SimulationFailed(
            f"the demo's wallet cannot be planned for: {found}", code="S104", fix="run it again"
        )
    show.tell(text(found), plan=found.id, cost=f"{found.cost:.6f}")
    return seen, found


def _standings(seen: Look) -> str:
    from agent.cli.output import table
    from agent.core.wording import money, percent

    rows = [
        (
            f"  {drift.asset}",
            percent(drift.weight),
            f"target {percent(drift.target or Decimal(0))}",
            f"band {percent(drift.low)} to {percent(drift.high)}",
            money(drift.value),
            "inside" if not drift.excess else f"off by {money(abs(drift.excess))}",
        )
        for drift in seen.decision.drifts
        if drift.asset
    ]
    airdrop = '  an airdrop that calls itself "USDC" lies in the wallet: not listed, never touched'
    return table(rows, right=frozenset({1, 4})) + "\n" + airdrop


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


def _child(wallet: LocalWallet, *arguments: str) -> subprocess.Popen[str]:
    from agent.settings import inherited_variables

    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**inherited_variables(), **wallet.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _run_until_killed(show: Show, wallet: LocalWallet) -> tuple[list[dict[str, Any]], int]:
    """A real process runs and dies by SIGKILL between signature and broadcast."""
    from agent.errors import Broken

    show.tell("RUN   in a process of its own", step="run")
    child = _child(wallet, "agent.cli.demo_victim")
    events = _listen(show, child)
    if child.wait() != -signal.SIGKILL:
        raise Broken(
            f"the demo's run ended by itself with {child.returncode}",
            fix="run it again; the demo wants to kill it in the middle",
            nothing_signed=False,
        )
    show.more(
        f"  ✗ WE KILLED IT: kill -9 on process {child.pid}, a swap was signed and not yet sent"
    )
    return events, child.pid


def _resume(show: Show, wallet: LocalWallet, pid: int) -> dict[str, Any]:
    show.tell("$ rebalancer resume", killed=pid)
    child = _child(wallet, "agent", "resume", "--json")
    events = _listen(show, child)
    child.wait()
    return events[-1]


def _listen(show: Show, child: subprocess.Popen[str]) -> list[dict[str, Any]]:
    events = []
    for line in child.stdout or ():
        event = json.loads(line)
        events.append(event)
        if event["kind"] != "run.done":
            show.pass_on(event)
    return events


def _prove(show: Show, account: Account, before: Look) -> bool:
    """Balances, nonces and allowances from the chain alone, against what the journal claims."""
    from agent.cli.output import table
    from agent.core.progress import delivered
    from agent.engine.survey import look

    state = account.state()  # verifies the journal's hash chain, or raises
    after = look(account.io, state, asked=True)
    run = next(reversed(list(state.runs.values())))
    mined = sum(known.mined is not None for known in run.intents.values())
    sent = sum(node.sight(account.io.account, ()).nonce for node in account.nodes.values())
    undelivered = sum(delivered(run, leg) is None for leg in run.legs.values())
    unexplained = len(run.closed.unexplained) + len(run.inflows) if run.closed else 1
    allowances = open_allowances(account, run)
    inside = all(not drift.excess for drift in after.decision.drifts)
    show.tell(
        "PROOF   block-pinned, recomputed from the chain alone",
        inside_bands=inside,
        unexplained=unexplained,
        transactions=mined,
        nonces=sent,
        allowances=allowances,
        undelivered=undelivered,
    )
    rows = [("", "before", "after", "share", "band", ""), *_before_and_after(before, after)]
    show.more(table(rows, right=frozenset({1, 2})))
    show.more(
        f"  transactions in the journal {mined}, of the wallet on the chain {sent}"
        f" · unexplained {unexplained} · allowances left {allowances} · journal's hash chain ✓"
    )
    show.more(f"  1 kill: paid twice {max(0, sent - mined)}, lost {undelivered}")
    return inside and (unexplained, allowances, undelivered, sent) == (0, 0, 0, mined)


def open_allowances(account: Account, run: RunState) -> int:
    """How many allowances that the run granted are not zero on chain."""
    from agent.engine.ask import allowances

    granted = [
        (known.intent.chain, known.intent.draft.allowance)
        for known in run.intents.values()
        if known.intent.draft.purpose == "approve" and known.intent.draft.allowance is not None
    ]
    return sum(
        allowances(account.io.nodes[chain], account.io.account, (item,))[0] != 0
        for chain, item in granted
    )


def _before_and_after(before: Look, after: Look) -> list[tuple[str, ...]]:
    from agent.core.wording import money, percent

    was = {drift.asset: drift.value for drift in before.decision.drifts}
    return [
        (
            f"  {drift.asset}",
            money(was[drift.asset]),
            money(drift.value),
            percent(drift.weight),
            f"{percent(drift.low)} to {percent(drift.high)}",
            "✗" if drift.excess else "✓",
        )
        for drift in after.decision.drifts
        if drift.asset
    ]


def _say_how_to_go_on(show: Show, wallet: LocalWallet) -> None:
    show.more(
        f"\nThe chain goes on (process {wallet.pid}; end it with: kill {wallet.pid}). Use it with"
    )
    for name, value in wallet.variables.items():
        show.more(f"  export {name}={value}")
    show.more("  rebalancer balances\n  rebalancer drift\n  rebalancer plan --explain")


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
