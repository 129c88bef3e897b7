"""What must be true of a plan and of a snapshot before a run begins with them."""

from __future__ import annotations

from agent.core.closing import unread
from agent.core.fact import Holding
from agent.core.plan import Plan, PlanError, in_order
from agent.core.snapshot import Snapshot
from agent.core.state import State
from agent.engine.io import Io
from agent.errors import BadReply, WrongValue


def holdings(snapshot: Snapshot) -> tuple[Holding, ...]:
    """The balances of a snapshot as a journal keeps them."""
    return tuple(Holding(token, raw) for token, raw in snapshot.balances.items())


def check_plan(plan: Plan, snapshot: Snapshot) -> None:
    """Refuse a plan that cannot be executed, or whose end could not be measured.

    Plan files can be edited by hand. Raises WrongValue and BadReply.
    """
    try:
        in_order(plan.legs)
    except PlanError as error:
        raise WrongValue(
            f"plan {plan.id} cannot be executed: {error}", fix="make a new one: rebalancer plan"
        ) from None
    missing = unread(plan, holdings(snapshot))
    if missing:
        raise BadReply(
            f"the balance of {missing[0].symbol} on chain {missing[0].chain} could not be read, "
            f"and plan {plan.id} touches it",
            fix="check the token's address in chains.toml",
        )


def holds_all(state: State, snapshot: Snapshot, io: Io) -> bool:
    """Whether what earlier runs did, and may still lose, is part of *snapshot*."""
    newest: dict[int, int] = {}
    for run in state.runs.values():
        for known in run.intents.values():
            if known.mined is not None and not known.final:
                chain, number = known.intent.chain, known.mined.receipt.block_number
                newest[chain] = max(newest.get(chain, 0), number)
    for chain, seen in snapshot.chains.items():
        if chain not in newest:
            continue
        there = io.nodes[chain].block(seen.block.number).hash == seen.block.hash
        if not (there and newest[chain] <= seen.block.number):
            return False
    return True
