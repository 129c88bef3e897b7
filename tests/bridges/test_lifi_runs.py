"""The real engine over LI.FI's diamond: from the plan to the closing rule, lied to, killed between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from provider_runs import ProviderRun, leg, provider_run

from agent.core import fact as f
from agent.core.money import ChainId
from agent.core.plan import Leg
from agent.engine.loop import Finished, Wait, session
from agent.lab.providers._lifi_across import CROSSING_FORGERIES
from agent.lab.providers._mischief import FAILURES
from agent.lab.worlds import Worlds
from agent.planning.problem import NoPlan

RAW = 1_000 * 10**6
OUT = 999_796_100
"""USDC that comes out of it by an honest offer."""


@pytest.fixture
def run(chains: Worlds) -> Iterator[ProviderRun]:
    """A wallet that has no other way than this bridge."""
    with provider_run(chains, "lifi", "bridge") as opened:
        io = replace(opened.account.io, replan=lambda _run: NoPlan(("nothing else to try",)))
        opened.account = replace(opened.account, io=io)
        yield opened
    # Lies and failures that nobody asked for must not be told to whoever asks next.
    chains.tell("lifi", "forge", "target", 0)
    chains.tell("lifi", "fail", "500", 0)


def crossing(run: ProviderRun, raw: int = RAW) -> Leg:
    return leg("lifi", "bridge", run.token(1, "USDC"), raw, run.token(8453, "USDC"))


def resume(run: ProviderRun, budget: float) -> Finished | Wait:
    """Another process, with nothing but the journal and the chains."""
    with session("again", run.account.io) as held:
        return held.advance(budget)


def ended_well(run: ProviderRun, ended: Finished | Wait) -> None:
    assert isinstance(ended, Finished), ended
    assert "done" == ended.outcome, ended.why
    assert () == run.closed.unexplained
    assert [] == run.of(f.ForeignInflow)
    reserved = [fact.intent.draft.purpose for fact in run.of(f.Reserved)]
    assert 1 == reserved.count("deposit")
    assert run.quoted.quote.min_amount_out == run.got
    assert OUT == run.got


def test_crossing_arrives_with_every_base_unit_explained(run: ProviderRun) -> None:
    ended_well(run, run.go(crossing(run)))


def test_process_that_is_killed_while_it_waits_is_succeeded(run: ProviderRun) -> None:
    run.worlds.relay("never")
    waiting = run.go(crossing(run), budget=20)
    assert isinstance(waiting, Wait)
    assert "Across's pool holds it" in waiting.why
    assert isinstance(resume(run, 20), Wait)
    run.worlds.relay("prompt")
    ended_well(run, resume(run, 600))


def test_deposit_that_nobody_delivers_comes_back(run: ProviderRun) -> None:
    run.worlds.relay("never")
    run.clock.least_seconds = 300
    ended = run.go(crossing(run), budget=20_000)
    assert isinstance(ended, Finished), ended
    assert "aborted" == ended.outcome, ended.why
    (returned,) = run.of(f.Refunded)
    assert RAW == returned.amount.raw
    assert () == run.closed.unexplained


@pytest.mark.parametrize("way", sorted(CROSSING_FORGERIES))
def test_lie_is_refused_with_nothing_signed(run: ProviderRun, way: str) -> None:
    run.worlds.tell("lifi", "forge", way, 20)
    ended = run.go(crossing(run), budget=30)
    assert [] == run.of(f.Signed)
    assert isinstance(ended, Finished), ended
    assert ended.outcome in {"aborted", "nothing"}, ended.why
    assert () == run.closed.unexplained


@pytest.mark.parametrize("way", sorted(set(FAILURES) - {"slow"}))
def test_server_that_fails_moves_nothing(run: ProviderRun, way: str) -> None:
    run.worlds.tell("lifi", "fail", way, 20)
    ended = run.go(crossing(run), budget=30)
    assert [] == run.of(f.Signed)
    assert isinstance(ended, Finished), ended


def test_deposit_under_way_is_found_by_the_logs_alone(run: ProviderRun) -> None:
    run.worlds.relay("never")
    assert isinstance(run.go(crossing(run), budget=20), Wait)
    account = run.account.io.account
    (found,) = run.account.io.bridges["lifi"].find(account, {ChainId(1): 0})
    assert ("lifi", RAW) == (found.via, found.sold.raw)
