"""From a reservation to a block: signatures, submissions, strangers, replacements."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paper_world import (
    BOOK,
    ME,
    USDC_A,
    VENUE,
    WETH_A,
    A,
    World,
)
from scenes import (
    BRIDGED,
    ONE_SWAP,
    ORDER,
    after,
    allowance,
    facts,
    purposes,
    slow_world,
    started,
    until,
)

from agent.core import fact as f
from agent.core.follow import Replace, Rules
from agent.core.progress import Measure, OnIntent, Track, Watch
from agent.engine import orders
from agent.engine.loop import Finished, Wait, advance, session
from agent.engine.perform import perform
from agent.engine.reserve import replacement
from agent.engine.send import _hand_over
from agent.engine.tail import load
from agent.errors import WrongValue


def of(fact, purpose: str) -> bool:
    """Whether a fact is the reservation of such an intent."""
    return isinstance(fact, f.Reserved) and fact.intent.draft.purpose == purpose


def test_a_pause_between_reservation_and_signature_signs_nothing():
    world = slow_world(automine=True)

    def react(fact) -> None:
        if of(fact, "approve"):
            world.paused = "wait"

    with started(world, ONE_SWAP) as held:
        after(held, react)
        waited = held.advance(60)
        assert isinstance(waited, Wait)
        assert ("paused: wait", []) == (waited.why, facts(world, f.Signed))
        world.paused = None
        assert [] == facts(world, f.Signed)
        world.seen.clear()


def test_a_swap_whose_deadline_passes_before_the_signature_is_quoted_again():
    world = World()
    left = [1]

    def react(fact) -> None:
        if of(fact, "swap") and left:
            left.pop()
            world.clock.sleep(130)
            world.chains[A].mine()

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 2) == (ended.outcome, len(facts(world, f.Quoted)))
    assert ["its deadline has passed"] == [fact.why for fact in facts(world, f.Voided)]
    assert ["r1/1/1/0", "r1/1/2/0"] == [fact.intent for fact in facts(world, f.Signed)]


def test_a_replacement_is_not_signed_when_the_earlier_attempt_is_mined_meanwhile():
    world = slow_world()
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Reserved) and fact.attempt == 1:
            node.base_fee = 10**9
            node.mine()

    with started(world, ONE_SWAP) as held:
        after(held, react)
        held.advance(1)
        node.base_fee = 5 * 10**9
        ended = held.advance(3600)
    assert "done" == ended.outcome
    assert ["an earlier attempt was mined"] == [fact.why for fact in facts(world, f.Voided)]
    assert {0} == {fact.attempt for fact in facts(world, f.Signed)}


def test_bytes_of_a_nonce_that_a_stranger_took_are_sent_and_then_given_up():
    world = World(finality=3)
    node = world.chains[A]

    def react(fact) -> None:
        if isinstance(fact, f.Signed):
            node.use_nonce(ME)
            node.mine()
        if isinstance(fact, f.Submitted):
            node.mine(4)

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("aborted", 1) == (ended.outcome, len(facts(world, f.Displaced)))
    assert [False] == [fact.accepted for fact in facts(world, f.Submitted)]
    assert 0 == allowance(world, WETH_A, VENUE)


def test_bytes_that_fell_out_of_the_pool_are_handed_over_again():
    world = World(automine=False)
    node = world.chains[A]
    with started(world, ONE_SWAP) as held:
        held.advance(3)
        (first,) = node.pool.values()
        node.pool.clear()
        waited = held.advance(5)
        assert isinstance(waited, Wait)
        assert [first] == list(node.pool.values())
    assert 1 == len(facts(world, f.Submitted))


def test_a_run_on_a_chain_that_is_final_at_once_needs_no_second_look():
    world = World(finality=0)
    with started(world, ONE_SWAP) as held:
        ended = held.advance(600)
    assert Finished("done", "every leg arrived", final=True) == ended
    assert [] == facts(world, f.Confirmed)
    assert facts(world, f.Closed)[0].final


def test_a_dependent_leg_waits_until_a_block_is_deep_enough():
    world = World(finality=12)
    deep = {
        chain: replace(rules, rules=Rules(confirmations=3))
        for chain, rules in world.io().chains.items()
    }
    with started(world, ONE_SWAP, chains=deep) as held:
        waited = held.advance(30)
        assert isinstance(waited, Wait)
        assert "2 blocks deep" == waited.why
        assert [] == facts(world, f.Closed)
        world.chains[A].mine(2)
        assert "done" == held.advance(30).outcome
    assert 2 == len(facts(world, f.Confirmed))


def test_a_pause_holds_back_a_signed_order():
    world = World()

    def react(fact) -> None:
        if isinstance(fact, f.Signed) and fact.intent.endswith("/1/1"):
            world.paused = "wait"

    with started(world, ORDER) as held:
        after(held, react)
        waited = held.advance(20)
        assert isinstance(waited, Wait)
        assert ("paused: wait", 0) == (waited.why, world.book.posts)
        world.paused = None
        held.advance(3)
        assert 1 == world.book.posts
        world.book.time = world.clock.now() + 10_000


def test_an_order_that_its_venue_never_got_is_posted_again_until_it_has_it():
    world = World()
    world.book.deaf = True
    with started(world, ORDER) as held:
        waited = held.advance(5)
        assert isinstance(waited, Wait)
        assert "posted again: try later" == waited.why
        assert world.book.posts > 1
        world.paused = "wait"
        posts = world.book.posts
        held.advance(5)
        assert posts == world.book.posts
        world.paused, world.book.deaf = None, False
        held.advance(3)
        posts = world.book.posts
        world.book.fill(world.chains[A].ledger, ORDER.legs[0], ME, 100)
        ended = held.advance(60)
    assert ("done", posts) == (ended.outcome, world.book.posts)


def test_an_order_at_a_venue_that_is_not_allowed_any_more_says_what_to_put_back():
    world = World()
    with started(world, ORDER) as held:
        held.advance(5)
        assert 1 == world.book.posts
    venues = {"book": world.venue}
    for left in ({}, venues):
        with pytest.raises(WrongValue, match="has a signed order at book"):
            advance("worker", world.io(venues=left), 10)


def test_another_process_that_goes_on_is_left_alone():
    world = World()
    with started(world, ONE_SWAP):
        pass

    class Raced:
        """Another process appends between our reading and our writing."""

        def __getattr__(self, name):
            return getattr(world.journal, name)

        def append(self, account, seq, fact):
            if not done:
                done.append(1)
                world.journal.append(account, seq, f.TookOver("other", world.clock.now()))
            world.journal.append(account, seq, fact)

    done: list[int] = []
    waited = advance("me", world.io(journal=Raced()), 10)
    assert "another process goes on with this account" == waited.why
    assert "other" == load(world.journal, ME).worker


def test_only_the_named_run_is_cancelled_and_only_once():
    world = World()
    with started(world, ONE_SWAP) as held:
        held.cancel("no", "r7")
        assert [] == facts(world, f.CancelRequested)
        held.cancel("no", "r1")
        held.cancel("no again")
        assert "aborted" == held.advance(60).outcome
        held.cancel("too late")
    assert ["no"] == [fact.why for fact in facts(world, f.CancelRequested)]


def out_of_turn():
    """Steps for a state in which none of them is due, and pieces of steps likewise."""
    world = World()
    with session("worker", world.io()) as held:
        held.start("r1", BRIDGED, world.snapshot())
        world.chains[A].ledger.mint(USDC_A.address, ME, 10**10)
        until(held, world, lambda: facts(world, f.Settled))
        state, io = held.state, world.io()
    with session("worker", World().io()) as fresh:
        unsigned = World()
        fresh.start("r1", ORDER, unsigned.snapshot())
        after(fresh, lambda fact: unsigned.chains[A].ledger.code.clear())
    deposit = state.intent("r1/1/1/2")
    bare = replace(deposit, mined=None)
    without = replace(state, runs={"r1": replace(state.runs["r1"], intents={"r1/1/1/2": bare})})
    unquoted = replace(state.runs["r1"].legs["1"], quoted=None)
    forgotten = replace(
        state, runs={"r1": replace(state.runs["r1"], legs={"1": replace(unquoted)})}
    )
    nothing_moved = replace(
        deposit, intent=replace(deposit.intent, draft=replace(deposit.intent.draft, moves=None))
    )
    still = replace(
        state, runs={"r1": replace(state.runs["r1"], intents={"r1/1/1/2": nothing_moved})}
    )
    never_signed = replace(deposit, attempts=(replace(deposit.attempts[0], signed=None),))
    as_order = replace(
        deposit,
        attempts=(
            replace(
                deposit.attempts[0], reserved=replace(deposit.attempts[0].reserved, unsigned=None)
            ),
        ),
    )
    sight = world.chains[A].sight(ME, ())
    return {
        "a look at a block without a block": lambda: perform(
            Watch("confirm", "r1/1/1/2", A), without, io
        ),
        "a look for a deposit that is not mined": lambda: perform(Track("r1", "1"), without, io),
        "a look for a deposit that was not quoted": lambda: perform(
            Track("r1", "1"), forgotten, io
        ),
        "a measurement of what moved nothing": lambda: perform(Measure("r1", "1", A), still, io),
        "a submission of nothing": lambda: _hand_over(never_signed, sight, io),
        "an order that is a transaction": lambda: orders.follow(deposit, state, io),
        "a dearer message": lambda: replacement(as_order, Replace("reprice", ""), io),
        "a signature without an intent": lambda: perform(
            OnIntent("sign", "r1/9/9/9", A), state, io
        ),
    }


@pytest.mark.parametrize("what", out_of_turn())
def test_a_step_out_of_turn_raises_and_does_nothing(what):
    act = out_of_turn()[what]
    with pytest.raises(ValueError):  # noqa: PT011  each one words its own surprise
        act()


def test_a_cancelled_order_takes_its_allowance_back():
    world = World()

    with started(world, ORDER) as held:

        def react(fact) -> None:
            if of(fact, "order"):
                held.cancel("no")

        after(held, react)
        ended = held.advance(600)
    assert ("aborted", 0, 0) == (ended.outcome, world.book.posts, allowance(world, WETH_A, BOOK))


def test_a_posted_order_that_nobody_wants_any_more_loses_its_allowance_at_once():
    """Without it nobody can fill the order, although the book still has it."""
    world = World()
    with started(world, ORDER) as held:
        held.advance(5)
        assert 1 == world.book.posts
        held.cancel("no")
        waited = held.advance(20)
        assert isinstance(waited, Wait)
        assert 0 == allowance(world, WETH_A, BOOK)
        world.book.time = world.clock.now() + 10_000
        ended = held.advance(60)
    assert ("aborted", "no") == (ended.outcome, ended.why)
    assert ["approve", "order", "revoke"] == purposes(world)


def test_an_order_that_was_filled_before_it_could_be_taken_back_counts():
    world = World()
    with started(world, ORDER) as held:
        held.advance(5)

        def react(fact) -> None:
            if of(fact, "revoke"):
                world.book.fill(world.chains[A].ledger, ORDER.legs[0], ME, 100)

        after(held, react)
        held.cancel("no")
        ended = held.advance(60)
    assert ("aborted", 5980 * 10**6) == (ended.outcome, world.holds(USDC_A))
    (closed,) = facts(world, f.Closed)
    assert () == closed.unexplained
