"""What a run may begin with."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from paper_world import (
    ETHER,
    USDC_A,
    WETH_A,
    WETH_B,
    A,
    World,
    leg,
    plan,
)
from scenes import ONE_SWAP, facts, started

from agent.core import fact as f
from agent.core.plan import Sell
from agent.engine.loop import Finished, advance, session
from agent.errors import BadReply, JournalCorrupt, RunOpen, WrongValue


def swap(id_: str, after: tuple = ()):
    return leg(id_, "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 1, after)


@pytest.mark.parametrize(
    ("legs", "why"),
    [
        ((swap("1", ("2",)), swap("2", ("1",))), "legs 1, 2 wait for each other"),
        ((swap("1", ("7",)),), "legs 1 wait for each other, or for a leg that is not there"),
        ((swap("1"), swap("1")), "two legs have the same id"),
    ],
)
def test_a_plan_file_that_cannot_be_executed_is_not_started(legs, why):
    world = World()
    with session("worker", world.io()) as held:
        with pytest.raises(WrongValue, match=why):
            held.start("r1", plan(*legs), world.snapshot())
        assert Finished("nothing", "no run has been started") == held.advance(1)


@pytest.mark.parametrize("unread", [USDC_A, WETH_A])
def test_a_plan_over_a_token_that_could_not_be_read_is_not_started(unread):
    world = World()
    seen = world.snapshot()
    here = seen.chains[A]
    held_there = {token: raw for token, raw in here.balances.items() if token != unread}
    blind = replace(here, balances=MappingProxyType(held_there), unreadable=(unread,))
    snapshot = replace(seen, chains={**seen.chains, A: blind})
    with session("worker", world.io()) as held, pytest.raises(BadReply, match=unread.symbol):
        held.start("r1", ONE_SWAP, snapshot)
    assert () == world.journal.load(world.io().account)


def test_a_plan_for_a_chain_whose_gas_coin_was_not_read_is_not_started():
    world = World()
    seen = world.snapshot()
    snapshot = replace(seen, chains={A: seen.chains[A]})
    far = plan(leg("1", "swap", "venue", Sell(WETH_B, ETHER), WETH_B, 1))
    with session("worker", world.io()) as held, pytest.raises(BadReply, match="WETH"):
        held.start("r1", far, snapshot)


def test_a_plan_that_expired_is_not_started():
    world = World()
    world.clock.sleep(601)
    with session("worker", world.io()) as held, pytest.raises(WrongValue, match="too old"):
        held.start("r1", ONE_SWAP, world.snapshot())


def test_a_run_is_not_started_while_the_node_is_behind_the_last_one():
    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        snapshot = world.snapshot()
        gone = world.chains[A].blocks.pop()
        with pytest.raises(RunOpen, match="the node has not reached the block"):
            held.start("r2", ONE_SWAP, snapshot)
        world.chains[A].blocks.append(gone)
        held.start("r2", plan(leg("1", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 1)), snapshot)
        assert "done" == held.advance(600).outcome


def test_a_run_on_another_chain_does_not_ask_for_the_blocks_of_the_last_one():
    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        far = plan(leg("1", "swap", "venue", Sell(WETH_B, ETHER), WETH_B, 1))
        seen = world.snapshot()
        held.start("r2", far, replace(seen, chains={WETH_B.chain: seen.chains[WETH_B.chain]}))
    assert ["r1", "r2"] == [fact.run for fact in facts(world, f.Started)]


def test_only_a_run_that_needs_a_person_can_be_accepted():
    world = World()
    with started(world, ONE_SWAP) as held:
        held.advance(600)
        with pytest.raises(WrongValue, match="r1 waits for nobody"):
            held.reconcile("r1", "why not")


def test_a_journal_that_contradicts_itself_is_not_gone_on_with():
    world = World()
    with started(world, ONE_SWAP) as held:
        held.advance(600)
    seq = len(world.journal.load(world.io().account))
    world.journal.append(world.io().account, seq, f.Final("r1/1/9/9", 0))
    with pytest.raises(JournalCorrupt, match="contradicts itself: no intent r1/1/9/9"):
        advance("worker", world.io(), 1)


def test_a_fact_that_cannot_follow_is_not_written():
    world = World()
    with started(world, ONE_SWAP) as held:
        before = world.journal.load(world.io().account)
        with pytest.raises(JournalCorrupt, match="run r2 needs no reconciliation"):
            held._tail.append(f.Reconciled("r2", "", 0))
    assert before == world.journal.load(world.io().account)
