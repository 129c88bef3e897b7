"""`status`: what the journal says, without asking any chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from agent.core.state import RunState, State


def status(
    ctx: typer.Context,
    run: str = typer.Argument("", help="A run's id; the newest one when not given."),
) -> None:
    """Show a run as the journal knows it."""
    from agent.cli import output
    from agent.cli.context import Context, journal_state
    from agent.cli.transfers import lines

    context: Context = ctx.obj
    state = journal_state(context.settings())
    found = pick(state, run)
    if found is None:
        if context.json:
            output.document("status", {"run": None, "outcome": "nothing"})
        else:
            output.show("no run has been started for this wallet")
        return
    body = describe(state, found, everywhere=not run)
    if context.json:
        output.document("status", body)
        return
    output.show(f"run {found.id}  {body['outcome']}  {body['why']}")
    output.show(output.table([(leg["id"], leg["kind"], leg["state"]) for leg in body["legs"]]))
    for each in body["transfers"]:
        output.show("\n".join(lines(each)))
    rows = [
        (f"  {row['purpose']}", row["chain"], f"nonce {row['nonce']}", row["state"], row["hash"])
        for row in body["transactions"]
    ]
    output.show(output.table(rows))


def pick(state: State, run: str) -> RunState | None:
    """The run of that id, or the open or newest one; raises WrongValue for an unknown id."""
    from agent.errors import WrongValue

    if not run:
        return state.open_run or next(reversed(list(state.runs.values())), None)
    if run not in state.runs:
        raise WrongValue(
            f"no run {run} is kept for this wallet", fix="see which there are: rebalancer status"
        )
    return state.runs[run]


def describe(state: State, run: RunState, *, everywhere: bool = False) -> dict[str, Any]:
    """A run for people and programs; *everywhere* with the transfers of all other runs, too."""
    from agent.cli import present, transfers
    from agent.core.movement import away, delivered
    from agent.core.progress import trouble
    from agent.core.transit import awaited

    legs = []
    for leg in run.legs.values():
        wrong, brought = trouble(run, leg), delivered(run, leg)
        word = "open" if run.of_leg(leg.leg.id) else "not begun"
        if away(run, leg):
            word = "under way" if leg.heir is None else f"followed by run {leg.heir[0]}"
        if brought is not None:
            word = "done"
        legs.append(
            {
                "id": leg.leg.id,
                "kind": leg.leg.kind,
                "via": leg.leg.via,
                "state": wrong or word,
                "brought": None if brought is None else str(brought),
            }
        )
    closed = run.closed
    return {
        "run": run.id,
        "plan": run.plan.id,
        "started": present.time_text(run.started.at),
        "outcome": "open" if closed is None else closed.outcome,
        "why": _why(run),
        "final": run.settled_for_good,
        "reconcile": state.unreconciled == run.id,
        "legs": legs,
        "transfers": [
            transfers.body(each) for each in awaited(state) if everywhere or each.run == run.id
        ],
        "transactions": [_transaction(known) for known in run.intents.values()],
    }


def _why(run: RunState) -> str:
    from agent.core.progress import ends_because

    if run.closed is not None:
        return run.closed.why
    return ends_because(run) or "go on with: rebalancer resume"


def _transaction(known: Any) -> dict[str, Any]:
    from agent.wire.address import chain_name

    hashes = [text for _, text in known.names]
    word = "reserved"
    if known.voided:
        word = "given up"
    elif known.displaced:
        word = "displaced"
    elif known.mined is not None:
        word = "final" if known.final else "mined"
        hashes = [known.mined.receipt.hash]
    elif known.expired:
        word = "filled" if known.fills else "expired"
    elif hashes:
        word = "submitted" if known.live[-1].submitted else "signed"
    return {
        "leg": known.intent.leg,
        "purpose": known.intent.draft.purpose,
        "chain": chain_name(known.intent.chain),
        "nonce": known.intent.nonce,
        "state": word,
        "hash": hashes[-1] if hashes else "",
        "attempts": len(known.attempts),
    }
