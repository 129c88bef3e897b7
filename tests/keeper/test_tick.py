"""One tick in every situation that a wallet can be in, on paper."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from crash_rig import Fuse
from paper_week import EVERY, Remembering, Week
from paper_world import ME, USDC_B, WBTC_B, B

from agent.core.transit import awaited
from agent.engine.loop import session
from agent.engine.recover import begin, due, known, left
from agent.errors import Broken, DiskFull, Fenced, JournalCorrupt, KeyMissing
from agent.keeper import tick as keeper_tick
from agent.keeper.begin import signs_next
from agent.keeper.memory import Memory
from agent.keeper.tick import Wallet, advance
from agent.keeper.ticked import Ticked
from agent.stores.memory import MemoryJournal


class Calm(Week):
    """A week in which nothing breaks and no price moves unless a test says so."""

    def _break(self) -> None:
        return

    def _move_prices(self) -> None:
        return


def calm() -> Calm:
    week = Calm(1)
    # Only what a test does shall happen while a run is on.
    week.dice.random = lambda: 0.5  # type: ignore[method-assign]
    return week


def look(week: Week, **changes: Any) -> Ticked:
    """The next tick of the week, ten minutes later, with *changes* to the wallet."""
    week._sleep(EVERY)
    week._mine()
    week._publish()
    week._offer()
    wallet: Wallet = replace(week.wallet(Fuse(None)), **changes)
    return advance(wallet, worker=f"w{week.ticks}", budget_seconds=240.0)


def events(week: Week) -> list[str]:
    return [notice.event for notice in week.person.heard]


def test_a_transfer_that_is_late_is_told_once_while_it_is_waited_for() -> None:
    week = calm()
    week.world.bridge.way = "never"
    for _ in range(4):
        ticked = look(week)
        assert "waiting" == ticked.outcome
    assert ["started", "late"] == events(week)
    late = week.person.heard[-1]
    assert "by paper-bridge, which usually takes 10 s; it is waited for" in late.why
    week.world.bridge.way = "push"
    assert "done" == look(week).outcome
    assert ["started", "late", "done"] == events(week)


def test_a_transfer_that_comes_back_ends_the_run_and_is_told() -> None:
    week = calm()
    week.world.bridge.way = "refund"
    ticked = look(week)
    assert ("aborted", "guard") == (ticked.outcome, ticked.cause)
    assert ["started", "refused"] == events(week)
    assert [("guard", "G100", 1)] == [
        (trouble.cause, trouble.code, trouble.failures) for trouble in week.memory.troubles
    ]
    desk = replace(week.wallet(Fuse(None)).desk, recall=lambda: much_later(week.memory))
    held = look(week, desk=desk)
    assert (None, True, "G100") == (held.outcome, held.held, held.error and held.error.code)


def much_later(memory: Memory) -> Memory:
    """The same troubles, to be left alone for another year."""
    year = 365 * 86_400
    later = tuple(replace(each, until=each.until + year) for each in memory.troubles)
    return replace(memory, troubles=later)


def test_money_that_is_gone_needs_a_person_once_and_nothing_is_begun_until_then() -> None:
    week = calm()
    week.world.bridge.way = "gone"
    for _ in range(3):
        assert "needs_human" == look(week).outcome
    assert ["started", "needs_human"] == events(week)
    week.world.bridge.way = "push"
    with session("person", week.io(Fuse(None))) as held:
        held.reconcile(str(held.state.unreconciled), "looked")
    outcomes = [look(week).outcome for _ in range(5)]
    assert "done" in outcomes


def test_a_journal_that_another_process_goes_on_with_is_left_to_it() -> None:
    week = calm()

    class Taken:
        def __getattr__(self, name: str) -> Any:
            return getattr(week.world.journal, name)

        def append(self, *_: Any) -> None:
            raise Fenced

    io = replace(week.io(Fuse(None)), journal=Taken())
    ticked = look(week, io=io)
    assert ("waiting", None) == (ticked.outcome, ticked.error)


def test_a_journal_that_cannot_be_trusted_is_told_to_a_person() -> None:
    week = calm()

    class Damaged:
        @contextmanager
        def hold(self, _account: Any) -> Any:
            yield

        def load(self, _account: Any) -> Any:
            raise JournalCorrupt("a hash does not fit", fix="look at it")

    io = replace(week.io(Fuse(None)), journal=Damaged())
    for _ in range(2):
        ticked = look(week, io=io)
        assert (None, "human") == (ticked.outcome, ticked.cause)
    assert [("needs_human", "H101")] == [(n.event, n.code) for n in week.person.heard]


def test_a_memory_that_cannot_be_kept_is_said_and_stops_no_money() -> None:
    week = calm()

    def full(_memory: Memory) -> None:
        raise DiskFull("no room", fix="make some")

    desk = replace(week.wallet(Fuse(None)).desk, remember=full)
    ticked = look(week, desk=desk)
    assert ("done", ("no room",)) == (ticked.outcome, ticked.amiss)


def test_a_memory_that_cannot_be_read_begins_nothing_and_is_said() -> None:
    week = calm()

    def torn() -> Memory:
        raise Broken("the memory cannot be read", fix="look at it")

    desk = replace(week.wallet(Fuse(None)).desk, recall=torn)
    ticked = look(week, desk=desk)
    assert (None, "machine", ("the memory cannot be read",)) == (
        ticked.outcome,
        ticked.cause,
        ticked.amiss,
    )
    assert () == week.world.journal.load(ME)


def test_a_run_that_a_reorganisation_has_reopened_is_followed_again() -> None:
    week = calm()
    # No transfer: what a relayer on paper has paid does not come back with the blocks.
    week.policy = replace(week.policy, by_chain={})
    week._give(B, WBTC_B, 40_000_000)
    week.world.chains[B].mine(5)
    first = look(week)
    assert ("done", True) == (first.outcome, first.began)
    week.world.chains[B].reorg(2)
    # The swap is sent again ten minutes later, after its deadline: it reverts.
    ends = [look(week) for _ in range(2)]
    assert [("waiting", False), ("aborted", False)] == [(end.outcome, end.began) for end in ends]
    assert {first.run and first.run.id} == {end.run and end.run.id for end in ends}
    week.settle()


def test_a_key_that_does_not_open_leaves_no_run_behind() -> None:
    week = calm()

    class Shut:
        def __getattr__(self, name: str) -> Any:
            return getattr(week.world.io().signer, name)

        def unlock(self) -> None:
            raise Broken("shut", fix="open it", code="K102")

    io = replace(week.io(Fuse(None)), signer=Shut())
    assert "key" == look(week, io=io).cause
    assert () == week.world.journal.load(ME)


def test_a_tick_says_why_it_failed_by_its_cause() -> None:
    from agent.errors import Unreachable

    assert "node" == Ticked(outcome=None, why="", error=Unreachable("x", fix="y")).cause
    assert Ticked(outcome="nothing", why="").cause is None
    assert Ticked(outcome="aborted", why="").cause is None


@pytest.mark.parametrize("token", [USDC_B])
def test_a_deposit_while_a_run_is_on_is_noted_and_the_run_ends_well(token: Any) -> None:
    week = calm()
    week.world.bridge.way = "never"
    assert "waiting" == look(week).outcome
    week._give(token.chain, token, 10**6)
    week.world.bridge.way = "push"
    assert "done" == look(week).outcome
    assert keeper_tick.advance is advance
    week.settle()


def test_a_transfer_that_takes_long_blocks_nothing_and_is_claimed_once_it_can_be() -> None:
    week = calm()
    week.world.bridge.way, week.world.bridge.seconds = "claim", 7_200
    first = look(week)
    assert ("waiting", "waiting") == (first.outcome, first.run and first.run.closed.outcome)
    between = [look(week) for _ in range(6)]
    assert {"nothing"} == {ticked.outcome for ticked in between}
    later = [look(week, io=paused(week)) for _ in range(9)]
    claimed = next(ticked for ticked in later if ticked.began)
    assert ("done", "claim") == (claimed.outcome, claimed.run.plan.legs[0].kind)
    assert [] == [each for each in later if each.outcome == "waiting"]
    assert "paused: a look" == later[-1].why
    with session("person", week.io(Fuse(None))) as held:
        assert () == awaited(held.state)


def paused(week: Week) -> Any:
    return replace(week.io(Fuse(None)), paused=lambda: "a look")


def test_a_password_that_is_wrong_is_told_before_a_claim_is_begun() -> None:
    week = calm()
    week.world.bridge.way, week.world.bridge.seconds = "claim", 3_700
    assert "waiting" == look(week).outcome
    week._sleep(7_200)
    io = week.io(Fuse(None))

    class Locked:
        def __getattr__(self, name: str) -> Any:
            return getattr(io.signer, name)

        def unlock(self) -> None:
            raise KeyMissing("no password", fix="give it")

    ticked = look(week, io=replace(io, signer=Locked()))
    assert ("K101", None) == (ticked.error and ticked.error.code, ticked.run)
    assert "done" == look(week).outcome


def test_a_paused_wallet_is_signed_for_only_where_a_claim_comes_next() -> None:
    week = calm()
    week.world.bridge.way, week.world.bridge.seconds = "claim", 3_700
    assert "waiting" == look(week).outcome
    week._sleep(7_200)
    io = paused(week)
    with session("person", io) as held:
        begin(held, io, "r9", due(held.state, io))
        assert not signs_next(io, held.state)
        seen: list[bool] = []
        append = held._tail.append

        def react(fact: Any) -> None:
            append(fact)
            seen.append(signs_next(io, held.state))

        held._tail.append = react  # type: ignore[method-assign]
        held.advance(240)
    assert True in seen


def test_what_a_search_finds_is_followed_before_anything_is_planned() -> None:
    week = calm()
    week.world.bridge.way, week.world.bridge.seconds = "claim", 3_700
    assert "waiting" == look(week).outcome
    with session("person", week.io(Fuse(None))) as held:
        (stray,) = [known(each, held._io) for each in left(held.state)]
    week.world.journal = Remembering(MemoryJournal())
    found = replace(stray, ours=False)
    searched: list[int] = []

    def search(state: Any) -> tuple[Any, ...]:
        searched.append(state.seq)
        return () if state.seq else (found,)

    week._sleep(7_200)
    ticked = look(week, search=search, io=week.io(Fuse(None)))
    assert ("done", True, ["claim"]) == (
        ticked.outcome,
        ticked.began,
        [leg.kind for leg in ticked.run.plan.legs],
    )
    assert not look(week, search=search).began
    assert 0 == searched[0] < searched[1]
