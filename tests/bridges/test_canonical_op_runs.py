"""The real engine over the OP stack's real contracts: from the plan to the closing rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_rigs import native
from op_rig import ETHER, PARENT, ROLLUP, Stack, clean_stack, open_stack
from op_run import Run

from agent.core.fact import Arrived, Closed, Mined, Refused
from agent.core.money import Amount
from agent.engine.loop import Finished


@pytest.fixture(scope="module")
def opened(lab_cache: Path) -> Iterator[Stack]:
    with open_stack(lab_cache) as found:
        yield found


@pytest.fixture
def stack(opened: Stack) -> Iterator[Stack]:
    with clean_stack(opened) as found:
        yield found


def fees(run: Run) -> dict[int, int]:
    """Wei that the run paid for its transactions, by chain."""
    paid = {int(PARENT): 0, int(ROLLUP): 0}
    for fact in run.of(Mined):
        chain = next(
            chain
            for chain, node in run.nodes.items()
            if node.block(fact.receipt.block_number).hash == fact.receipt.block_hash
        )
        paid[chain] += fact.receipt.fee
    return paid


def test_deposit_runs_to_its_end_with_every_wei_explained(stack: Stack) -> None:
    run = Run(stack)
    ended = run.go(stack.deposit_leg())
    assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
    assert isinstance(ended, Finished), ended
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert ["deposit"] == run.purposes()
    (arrived,) = run.of(Arrived)
    assert Amount(native(ROLLUP), ETHER) == arrived.amount
    assert "done" == run.of(Closed)[-1].outcome
    paid = fees(run)
    assert (9 * ETHER - paid[PARENT], 11 * ETHER) == (stack.held(PARENT), stack.held(ROLLUP))


def test_withdrawal_runs_to_its_end_with_both_claims(stack: Stack) -> None:
    run = Run(stack)
    ended = run.go(stack.withdrawal_leg())
    assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
    assert isinstance(ended, Finished), ended
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert ["deposit", "claim", "claim"] == run.purposes()
    (arrived,) = run.of(Arrived)
    assert Amount(native(PARENT), ETHER) == arrived.amount
    paid = fees(run)
    assert (11 * ETHER - paid[PARENT], 9 * ETHER - paid[ROLLUP]) == (
        stack.held(PARENT),
        stack.held(ROLLUP),
    )
