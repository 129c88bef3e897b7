"""The real engine burns, waits, claims and closes over two chains with CCTP's stand-ins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bridge_io import bridge_io, seen
from bridge_rigs import native, token
from cctp_rig import FAR, NEAR, RAW, STRANGER, WALLET, Burning
from paper_world import plan

from agent.bridges.cctp import make
from agent.chain.fork import ForkNode
from agent.core.fact import Arrived, Closed, Due, Fact, Mined, Refused, Reserved
from agent.core.money import Amount
from agent.core.plan import Leg
from agent.core.transit import in_flight
from agent.engine import recover
from agent.engine.io import Io
from agent.engine.loop import Finished, Wait, session
from agent.stores.memory import MemoryJournal

FAST_FEE = RAW // 10_000


class KilledError(Exception):
    """The process ends here."""


class Clock:
    """Time is the near chain's; waiting mines a block on both, as time on chains does."""

    def __init__(self, burning: Burning) -> None:
        self._worlds = burning.worlds

    def now(self) -> int:
        return self._worlds[NEAR].head()[1]

    def sleep(self, seconds: float) -> None:
        then = max(world.head()[1] for world in self._worlds.values()) + math.ceil(seconds) + 1
        for world in self._worlds.values():
            world.set_time(then)


class Run:
    """One wallet on both chains, whose process may be killed and started again."""

    def __init__(self, burning: Burning) -> None:
        self.burning = burning
        self.clock = Clock(burning)
        self.facts: list[Fact] = []
        self.react: Callable[[Fact], None] = lambda _fact: None
        self.journal = MemoryJournal()
        self.nodes: Any = {
            chain: ForkNode(node, burning.worlds[chain].url)
            for chain, node in burning.nodes.items()
        }
        self.tokens = {
            chain: (native(chain), token(world, "WETH"), token(world, "USDC"))
            for chain, world in ((chain, burning.worlds[chain]) for chain in burning.nodes)
        }
        burning.worlds[NEAR].fund(WALLET, {"USDC": RAW})

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.react(fact)

    def io(self) -> Io:
        return bridge_io(
            make(self.burning.options(), replace(self.burning.io, nodes=self.nodes)),
            account=WALLET,
            nodes=self.nodes,
            tokens=self.tokens,
            journal=self.journal,
            clock=self.clock,
            observe=self.observe,
        )

    def go(self, leg: Leg, *, budget: float = 900) -> Finished | Wait:
        io = self.io()
        with session("test", io) as held:
            held.start("1", plan(leg, made=self.clock.now()), seen(io))
            return held.advance(budget)

    def resume(self, *, budget: float = 900) -> Finished | Wait:
        """Another process, with nothing but the journal and the chains."""
        with session("again", self.io()) as held:
            self.state = held.state
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]


def ended_well(run: Run, ended: Finished | Wait, brought: int) -> None:
    """Done, every base unit explained, one burn and one arrival."""
    assert [] == [no.why for fact in run.of(Refused) for no in fact.refusals]
    assert isinstance(ended, Finished), ended
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    (closed,) = run.of(Closed)
    assert "done" == closed.outcome
    assert 1 == run.purposes().count("deposit")
    (arrival,) = run.of(Arrived)
    assert Amount(run.burning.usdc(FAR), brought) == arrival.amount
    assert (0, brought) == (run.burning.held(NEAR), run.burning.held(FAR))


@pytest.mark.parametrize(("detail", "fee"), [("standard", 0), ("fast", FAST_FEE)])
def test_transfer_runs_to_its_end_with_every_base_unit_explained(
    burning: Burning, detail: str, fee: int
) -> None:
    run = Run(burning)
    ended = run.go(burning.leg(detail=detail))
    ended_well(run, ended, RAW - fee)
    assert ["approve", "deposit", "claim"] == run.purposes()
    (due,) = run.of(Due)
    assert "Circle attested the burn of 4,150.00 USDC on chain 1: it can be claimed" == due.why


def test_run_that_is_killed_in_the_wait_is_finished_by_another_process(burning: Burning) -> None:
    burning.attest("never")
    run = Run(burning)
    waited = run.go(burning.leg(), budget=60)
    assert isinstance(waited, Wait)
    assert "4,150.00 USDC is on its way: burnt on chain 1" in waited.why
    still = run.resume(budget=60)
    assert isinstance(still, Wait)
    (flight,) = in_flight(run.state)
    assert (burning.usdc(FAR), RAW) == (flight.amount.token, flight.amount.raw)
    burning.attest("prompt")
    ended_well(run, run.resume(), RAW)


@pytest.mark.parametrize("at", ["deposit", "claim"])
def test_kill_after_each_signature_makes_nothing_twice(burning: Burning, at: str) -> None:
    run = Run(burning)

    def die(fact: Fact) -> None:
        if isinstance(fact, Mined) and run.purposes()[-1] == at:
            run.react = lambda _fact: None
            raise KilledError

    run.react = die
    with pytest.raises(KilledError):
        run.go(burning.leg())
    ended_well(run, run.resume(), RAW)
    assert ["approve", "deposit", "claim"] == run.purposes()


def test_attester_that_comes_late_is_waited_for(burning: Burning) -> None:
    burning.attest("late")
    run = Run(burning)
    ended_well(run, run.go(burning.leg()), RAW)


@pytest.mark.parametrize(
    "mode", ["other_amount", "other_recipient", "other_chain", "hooked", "greedy", "bad_signature"]
)
def test_lying_server_has_nothing_claimed_and_nothing_lost(burning: Burning, mode: str) -> None:
    burning.attest(mode)
    run = Run(burning)
    assert isinstance(run.go(burning.leg(), budget=120), Wait)
    assert ["approve", "deposit"] == run.purposes()
    burning.attest("prompt")
    ended_well(run, run.resume(), RAW)


def test_claim_of_somebody_else_is_an_arrival_as_well(burning: Burning) -> None:
    burning.attest("never")
    run = Run(burning)
    leg = burning.leg()
    assert isinstance(run.go(leg, budget=60), Wait)
    (mined,) = [fact for fact in run.of(Mined) if "deposit" in fact.intent or fact.receipt.ok][-1:]
    real = run.nodes[NEAR].logs_of(mined.receipt.hash)[-1].transaction
    burning.attest("prompt")
    burning.claim(burning.track(leg, replace(mined.receipt, hash=real)), STRANGER)
    ended_well(run, run.resume(), RAW)
    assert ["approve", "deposit"] == run.purposes()


def test_expired_attestation_is_renewed_in_the_same_run(burning: Burning) -> None:
    burning.attest("expired")
    run = Run(burning)
    ended_well(run, run.go(burning.leg(detail="fast")), RAW - FAST_FEE)


def test_orphaned_burn_is_found_and_finished_with_nothing_but_the_chains(burning: Burning) -> None:
    run = Run(burning)
    deposit = burning.burn(burning.leg())  # by hand: no journal knows of it
    io = run.io()
    (transfer,) = io.bridges["cctp"].find(WALLET, {NEAR: 0, FAR: 0})
    assert deposit.hash == transfer.deposit
    stray = recover.found(transfer, io)
    assert stray.followed(run.clock.now())
    with session("heir", io) as held:
        recover.begin(held, io, "1", [stray])
        ended = held.advance(900)
    assert isinstance(ended, Finished), ended
    assert ("done", ["claim"]) == (ended.outcome, run.purposes())
    assert RAW == burning.held(FAR)
    assert () == io.bridges["cctp"].find(WALLET, {NEAR: 0, FAR: 0})
