"""Blocks go away at the worst moment; every intent still happens once and nothing is misread."""

from __future__ import annotations

from fractions import Fraction

import pytest
from paper_world import (
    BRIDGE,
    ETHER,
    ME,
    USDC_A,
    USDC_B,
    VENUE,
    WETH_A,
    A,
    B,
    World,
    leg,
    plan,
)
from scenes import BRIDGED, ONE_SWAP, after, allowance, facts, started, until

from agent.core import fact as f
from agent.core.plan import Sell


class Lagging:
    """A node that sometimes shows the chain as it was some blocks ago."""

    def __init__(self, inner) -> None:
        self._inner, self.lag = inner, 0

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found) or name == "send":
            return found

        def asked(*args, **kwargs):
            blocks = self._inner.blocks
            self._inner.blocks = blocks[: len(blocks) - self.lag]
            try:
                return found(*args, **kwargs)
            finally:
                self._inner.blocks = blocks

        return asked


def rich_in_usdc(way: str, finality: int = 12) -> World:
    world = World(way, finality=finality)
    world.chains[A].ledger.mint(USDC_A.address, ME, 2000 * 10**6)
    return world


def reorg_once(node, kind: type, which):
    """A reaction: the newest block goes away when the first such fact is written."""
    left = [1]

    def react(fact) -> None:
        if isinstance(fact, kind) and which(fact) and left:
            left.pop()
            node.reorg(1)

    return react


def test_a_block_that_goes_away_before_it_is_measured_is_not_measured():
    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        after(held, reorg_once(world.chains[A], f.Mined, lambda fact: "/1/1/1" in fact.intent))
        ended = held.advance(600)
    assert "done" == ended.outcome
    assert [5980 * 10**6] == [
        delta.raw
        for fact in facts(world, f.Settled)
        for delta in fact.deltas
        if delta.token == USDC_A
    ]
    assert [] == facts(world, f.ForeignInflow)


def test_a_block_that_goes_away_after_it_was_measured_is_measured_again():
    world = World(finality=12)

    def worse(fact) -> None:
        if isinstance(fact, f.Settled):
            world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(2985 * 10**6, 10**18)

    with started(world, ONE_SWAP) as held:
        after(held, reorg_once(world.chains[A], f.Settled, lambda fact: True))
        after(held, worse)
        ended = held.advance(600)
    assert "done" == ended.outcome
    assert [5980 * 10**6, 5970 * 10**6] == [
        delta.raw
        for fact in facts(world, f.Settled)
        for delta in fact.deltas
        if delta.token == USDC_A
    ]


def test_an_approval_that_goes_away_is_sent_again_before_the_swap():
    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        after(held, reorg_once(world.chains[A], f.Mined, lambda fact: "/1/1/0" in fact.intent))
        ended = held.advance(600)
    assert ("done", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))
    assert ["approve", "swap"] == [r.intent.draft.purpose for r in facts(world, f.Reserved)]


@pytest.mark.parametrize("kind", [f.Reserved, f.Signed, f.Submitted])
def test_an_approval_that_goes_away_while_the_swap_is_on_its_way_is_sent_again(kind):
    world = World(finality=12, automine=True)
    node = world.chains[A]

    def swaps(fact) -> bool:
        return (fact.intent.id if kind is f.Reserved else fact.intent).endswith("/1/1/1")

    def react(fact) -> None:
        if isinstance(fact, kind) and swaps(fact) and left:
            left.pop()
            approved = facts(world, f.Mined)[0].receipt.block_number
            node.reorg(len(node.blocks) - approved)

    left = [1]
    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 5980 * 10**6) == (ended.outcome, world.holds(USDC_A))
    assert 0 == allowance(world, WETH_A, VENUE)
    assert 2 == len({fact.payload.hash for fact in facts(world, f.Signed)})


@pytest.mark.parametrize("way", ["push", "claim"])
def test_a_deposit_that_goes_away_while_its_fill_is_awaited_is_sent_again(way):
    world = rich_in_usdc(way)
    node = world.chains[A]
    with started(world, BRIDGED) as held:
        until(held, world, lambda: facts(world, f.Settled))
        deposit = facts(world, f.Mined)[-1].receipt.block_number
        node.mine(2)
        node.reorg(len(node.blocks) - deposit)
        assert 0 == node.ledger.balance(USDC_A.address, BRIDGE) - 10**30
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    assert 1000 * 10**6 == world.holds(USDC_A)
    assert "needs_human" not in {fact.outcome for fact in facts(world, f.Closed)}


def test_a_deposit_that_goes_away_after_its_claim_is_sent_again_and_arrives_once():
    world = rich_in_usdc("claim", finality=40)
    node = world.chains[A]
    with started(world, BRIDGED) as held:
        assert "done" == held.advance(600).outcome
        deposit = facts(world, f.Mined)[2].receipt.block_number
        node.reorg(len(node.blocks) - deposit)
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    assert 1000 * 10**6 == world.holds(USDC_A)
    assert 1 == len(facts(world, f.Arrived))


def test_a_claim_that_goes_away_takes_the_arrival_with_it():
    world = rich_in_usdc("claim")
    with started(world, BRIDGED) as held:
        assert "done" == held.advance(600).outcome
        world.chains[B].reorg(1)
        assert 0 == world.holds(USDC_B)
        ended = held.advance(600)
    assert ("done", 999_500_000) == (ended.outcome, world.holds(USDC_B))
    assert 2 == len(facts(world, f.Arrived))
    assert 2 == len({fact.intent for fact in facts(world, f.Mined)} - {"r1/1/1/0", "r1/1/1/1"})


def test_a_revocation_that_goes_away_after_the_end_is_sent_again():
    world = World(finality=12)
    with started(world, ONE_SWAP) as held:

        def react(fact) -> None:
            if isinstance(fact, f.Mined) and held.state.runs["r1"].cancel is None:
                held.cancel("enough")

        after(held, react)
        assert "aborted" == held.advance(600).outcome
        world.chains[A].reorg(1)
        assert 0 < allowance(world, WETH_A, VENUE)
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))


def test_a_reorganisation_that_nobody_saw_does_not_end_a_run_with_an_alarm():
    world = World("push", finality=30)
    two = plan(
        leg("1", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6),
        leg("2", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6, ("1",)),
    )
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Settled) and fact.leg == "2" and left:
            left.pop()
            first = facts(world, f.Mined)[1].receipt.block_number
            node.reorg(len(node.blocks) - first)

    left = [1]
    with started(world, two) as held:
        after(held, react)
        ended = held.advance(600)
    assert ["done"] == [fact.outcome for fact in facts(world, f.Closed)]
    assert ("done", 2 * 2990 * 10**6) == (ended.outcome, world.holds(USDC_A))


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_a_node_that_is_behind_does_not_undo_anything(lag):
    world = World(finality=30)
    slow = Lagging(world.chains[A])
    nodes = {**world.chains, A: slow}

    def react(fact) -> None:
        slow.lag = lag if isinstance(fact, f.Mined) else 0

    with started(world, ONE_SWAP, nodes=nodes) as held:
        after(held, react)
        held.advance(5)
        slow.lag = 0
        ended = held.advance(600)
    assert "done" == ended.outcome
    assert [] == facts(world, f.Unmined)
    assert ["done"] == [fact.outcome for fact in facts(world, f.Closed)]


def test_a_node_that_is_behind_does_not_end_a_run_with_an_alarm():
    world = World(finality=30)
    slow = Lagging(world.chains[A])

    def react(fact) -> None:
        slow.lag = 2 if isinstance(fact, f.Settled) else 0

    with started(world, ONE_SWAP, nodes={**world.chains, A: slow}) as held:
        after(held, react)
        assert not facts(world, f.Closed)
        held.advance(5)
        slow.lag = 0
        ended = held.advance(600)
    assert ("done", ["done"]) == (ended.outcome, [c.outcome for c in facts(world, f.Closed)])


def test_a_node_that_has_a_block_and_forgets_what_is_in_it_does_not_undo_anything():
    world = World(finality=30)
    node = world.chains[A]
    honest = node._receipt
    forgetful = []
    node._receipt = lambda item: None if forgetful else honest(item)

    def react(fact) -> None:
        if isinstance(fact, f.Settled):
            forgetful.append(1)

    with started(world, ONE_SWAP) as held:
        after(held, react)
        waited = held.advance(10)
        assert "the node has a block and not the transaction in it" == waited.why
        forgetful.clear()
        ended = held.advance(600)
    assert ("done", []) == (ended.outcome, facts(world, f.Unmined))


def test_a_chain_that_stays_shorter_has_lost_its_blocks():
    world = World(finality=30)
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        del world.chains[A].blocks[-1:]
        held.advance(10)
        assert [] == facts(world, f.Unmined)
        world.clock.sleep(120)
        ended = held.advance(600)
    assert ("done", 5980 * 10**6) == (ended.outcome, world.holds(USDC_A))
    assert 1 == len(facts(world, f.Unmined))


def test_a_stranger_whose_transaction_goes_away_leaves_no_gap():
    world = World(finality=12)
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Reserved) and fact.intent.draft.purpose == "swap":
            node.use_nonce(ME)
            node.mine()
        if isinstance(fact, f.Displaced):
            node.reorg(1)

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("aborted", 0) == (ended.outcome, allowance(world, WETH_A, VENUE))
    nonces = [fact.unsigned.nonce for fact in facts(world, f.Reserved)]
    assert [0, 1, 1] == nonces


def test_a_run_is_not_started_on_blocks_that_are_gone():
    from agent.errors import WrongValue

    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        world.chains[A].mine()
        snapshot = world.snapshot()
        world.chains[A].reorg(1)
        with pytest.raises(WrongValue, match="blocks that the plan was made on have gone away"):
            held.start("r2", ONE_SWAP, snapshot)


def test_a_run_is_not_started_while_the_last_one_has_come_undone():
    from agent.errors import RunOpen

    world = World(finality=12)
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        world.chains[A].reorg(1)
        with pytest.raises(RunOpen, match="r1"):
            held.start("r2", ONE_SWAP, world.snapshot())
        assert "done" == held.advance(600).outcome
    assert 1 == len(facts(world, f.Unmined))


def test_two_runs_of_which_the_older_comes_undone_both_end_well():
    world = World(finality=60)
    world.chains[A].ledger.mint(WETH_A.address, ME, 10 * ETHER)
    node = world.chains[A]
    node.mine()
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        first = facts(world, f.Mined)[0].receipt.block_number
        held.start(
            "r2",
            plan(leg("9", "swap", "venue", Sell(WETH_A, ETHER), USDC_A, 2900 * 10**6)),
            world.snapshot(),
        )
        until(held, world, lambda: 4 == len(facts(world, f.Signed)))
        node.reorg(len(node.blocks) - first)
        ended = held.advance(600)
    assert "done" == ended.outcome
    assert {"done"} == {fact.outcome for fact in facts(world, f.Closed)}
    assert {"r1", "r2"} == {fact.run for fact in facts(world, f.Closed)}
    assert 3 * 2990 * 10**6 == world.holds(USDC_A)
    assert [] == facts(world, f.ForeignInflow)


@pytest.mark.parametrize("rate", [2985, 2995])
def test_an_older_run_that_comes_out_otherwise_is_not_the_younger_ones_loss_or_gain(rate):
    world = World("push", finality=60)
    world.chains[B].ledger.mint(USDC_B.address, ME, 2000 * 10**6)
    world.chains[B].mine()
    node = world.chains[A]
    back = plan(leg("b", "bridge", "paper-bridge", Sell(USDC_B, 1000 * 10**6), USDC_A, 999 * 10**6))
    with started(world, ONE_SWAP) as held:
        assert "done" == held.advance(600).outcome
        swapped = facts(world, f.Mined)[-1].receipt.block_number
        held.start("r2", back, world.snapshot())
        until(held, world, lambda: [s for s in facts(world, f.Settled) if s.run == "r2"])
        world.venue.rates[WETH_A.address, USDC_A.address] = Fraction(rate * 10**6, 10**18)
        node.reorg(len(node.blocks) - swapped)
        ended = held.advance(600)
    assert "done" == ended.outcome
    assert {"done"} == {fact.outcome for fact in facts(world, f.Closed)}
    assert [] == facts(world, f.ForeignInflow)
    assert 2 * rate * 10**6 + 999_500_000 == world.holds(USDC_A)
