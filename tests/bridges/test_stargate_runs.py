"""The real engine over Stargate's real pools: from the plan to the closing rule, killed between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bridge_io import bridge_io, seen
from paper_world import plan
from stargate_rigs import CONFIRMATIONS, FAR, NEAR, WALLET, Passing, open_passing

from agent.bridges._stargate_tracking import IDLE_SECONDS
from agent.bridges.stargate import make
from agent.chain.fork import ForkNode
from agent.core.fact import Arrived, Closed, Fact, Mined, Refused, Reserved, Signed
from agent.core.plan import Leg
from agent.engine import recover
from agent.engine.io import Io
from agent.engine.loop import Finished, Wait, session
from agent.lab.accounts import TREASURY
from agent.lab.providers.stargate import MESSAGE_FEE
from agent.lab.puppet import Puppet, tx
from agent.lab.worlds import Worlds
from agent.ports import Act, AdapterIo
from agent.stores.memory import MemoryJournal

RAW = 4_150 * 10**6
OUT = 4_147_509_999
ETHER = 10**18
SYMBOLS = ("ETH", "WETH", "USDC", "USDT")


class ChainClock:
    """Time is the near chain's; waiting lets it pass everywhere, and others work meanwhile.

    At least so many seconds pass at a time, so that a long wait is short.
    """

    def __init__(self, passing: Passing) -> None:
        self._worlds = passing.worlds
        self.working = True
        self.least = 0

    def now(self) -> int:
        return self._worlds[NEAR].head()[1]

    def sleep(self, seconds: float) -> None:
        then = max(world.head()[1] for world in self._worlds.values()) + (
            max(self.least, math.ceil(seconds)) + 1
        )
        for world in self._worlds.values():
            world.set_time(then)
        if self.working:
            self._worlds.turn()


class Run:
    """One wallet on both chains, its journal, and what people and machines do meanwhile."""

    def __init__(self, passing: Passing) -> None:
        self.passing = passing
        self.clock = ChainClock(passing)
        self.journal = MemoryJournal()
        self.facts: list[Fact] = []
        self.react: Callable[[Fact], None] = lambda _fact: None
        self.nodes: Any = {
            chain: ForkNode(passing.nodes[chain], passing.worlds[chain].url)
            for chain in (NEAR, FAR)
        }
        self.tokens = {
            chain: tuple(passing.token(chain, symbol) for symbol in SYMBOLS)
            for chain in (NEAR, FAR)
        }

    def observe(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.react(fact)

    def io(self) -> Io:
        adapters = AdapterIo({**self.passing.nodes, **self.nodes}, self.clock)
        return bridge_io(
            make(self.passing.options(), adapters),
            account=WALLET,
            nodes=self.nodes,
            tokens=self.tokens,
            journal=self.journal,
            clock=self.clock,
            observe=self.observe,
            confirmations=CONFIRMATIONS,
        )

    def begin(self, leg: Leg, *, budget: float = 600) -> Finished | Wait:
        io = self.io()
        with session("test", io) as held:
            held.start("1", plan(leg, made=self.clock.now()), seen(io))
            return held.advance(budget)

    def resume(self, *, budget: float = 600) -> Finished | Wait:
        """Another process goes on with what the journal has."""
        with session("later", self.io()) as held:
            return held.advance(budget)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def purposes(self) -> list[str]:
        return [fact.intent.draft.purpose for fact in self.of(Reserved)]

    def refusals(self) -> list[str]:
        return [no.code for fact in self.of(Refused) for no in fact.refusals]


@pytest.fixture
def run(chains: Worlds) -> Iterator[Run]:
    with open_passing(chains) as passing:
        run = Run(passing)
        for chain in (NEAR, FAR):
            passing.worlds[chain].fund(WALLET, {"ETH": 3 * ETHER, "USDC": RAW})
        yield run


def done(ended: Finished | Wait, run: Run) -> None:
    assert [] == run.refusals()
    assert isinstance(ended, Finished), ended
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    (closed,) = run.of(Closed)
    assert ("done", ()) == (closed.outcome, closed.unexplained)


def test_transfer_runs_to_its_end_with_every_base_unit_explained(run: Run) -> None:
    passing = run.passing
    done(run.begin(passing.leg("USDC", RAW)), run)
    assert ["approve", "deposit"] == run.purposes()
    assert (0, RAW + OUT) == (passing.held(NEAR, "USDC"), passing.held(FAR, "USDC"))
    fees = sum(fact.receipt.fee for fact in run.of(Mined))
    assert 3 * ETHER - MESSAGE_FEE - fees == passing.held(NEAR, "ETH")


def test_coin_runs_to_its_end_with_every_wei_explained(run: Run) -> None:
    passing, raw = run.passing, ETHER + 123_456_789
    out = (ETHER // 10**12 * 9_994 // 10_000 - 1) * 10**12
    done(run.begin(passing.leg("ETH", raw)), run)
    assert ["deposit"] == run.purposes()
    assert 3 * ETHER + out == passing.held(FAR, "ETH")
    (mined,) = run.of(Mined)
    left = 3 * ETHER - ETHER - MESSAGE_FEE - mined.receipt.fee
    assert left == passing.held(NEAR, "ETH")


class Killed(BaseException):
    """The process is gone: no handler may stop it."""


def killed_after(run: Run, purpose: str, kind: type[Fact]) -> None:
    """The process dies as soon as the first such fact of that purpose is durable."""
    dead: list[int] = []

    def react(fact: Fact) -> None:
        if isinstance(fact, kind) and run.purposes()[-1] == purpose and not dead:
            dead.append(1)
            raise Killed

    run.react = react


@pytest.mark.parametrize("kind", [Reserved, Signed, Mined])
def test_process_that_dies_around_its_transfer_makes_no_second_one(
    run: Run, kind: type[Fact]
) -> None:
    passing = run.passing
    killed_after(run, "deposit", kind)
    with pytest.raises(Killed):
        run.begin(passing.leg("USDC", RAW))
    done(run.resume(), run)
    assert ["approve", "deposit"] == run.purposes()
    assert (0, RAW + OUT) == (passing.held(NEAR, "USDC"), passing.held(FAR, "USDC"))


def test_process_that_dies_in_the_wait_goes_on_from_its_journal(run: Run) -> None:
    passing = run.passing
    run.clock.working = False
    waited = run.begin(passing.leg("USDC", RAW), budget=60)
    assert isinstance(waited, Wait)
    assert "4,147.51 USDC is on its way to chain 8453" in waited.why
    run.clock.working = True
    done(run.resume(), run)
    assert ["approve", "deposit"] == run.purposes()
    assert RAW + OUT == passing.held(FAR, "USDC")


def test_transfer_that_nobody_verifies_waits_for_as_long_as_it_takes(run: Run) -> None:
    passing = run.passing
    passing.tell("mode", "never")
    assert isinstance(run.begin(passing.leg("USDC", RAW), budget=60), Wait)
    run.clock.least = 300
    waited = run.resume(budget=4_000)
    assert isinstance(waited, Wait)
    assert "4,147.51 USDC is late to chain 8453" in waited.why
    assert "it can neither be taken back nor paid to anybody else" in waited.why
    passing.tell("mode", "prompt")
    done(run.resume(), run)
    assert RAW + OUT == passing.held(FAR, "USDC")


def test_late_transfer_ends_as_any_other(run: Run) -> None:
    run.passing.tell("mode", "late")
    done(run.begin(run.passing.leg("ETH", ETHER)), run)


@pytest.mark.parametrize("symbol", ["USDC", "ETH"])
def test_message_that_nobody_executes_is_executed_by_the_wallet_once(run: Run, symbol: str) -> None:
    passing = run.passing
    passing.tell("mode", "verified")
    run.clock.least = 120
    raw = RAW if symbol == "USDC" else ETHER
    leg = passing.leg(symbol, raw)
    before, out = passing.held(FAR, symbol), passing.quote(leg).amount_out
    done(run.begin(leg, budget=4_000), run)
    assert ["deposit", "claim"] == run.purposes()[-2:]
    claim = run.of(Mined)[-1].receipt
    spent = claim.fee if symbol == "ETH" else 0
    assert before + out - spent == passing.held(FAR, symbol)


def test_claim_that_an_executor_was_faster_with_costs_its_gas_and_no_more(run: Run) -> None:
    passing = run.passing
    passing.tell("mode", "verified")
    run.clock.least = 120

    def react(fact: Fact) -> None:
        if isinstance(fact, Signed) and run.purposes()[-1] == "claim":
            passing.tell("mode", "prompt")
            passing.worlds.turn()

    run.react = react
    done(run.begin(passing.leg("USDC", RAW), budget=4_000), run)
    assert "claim" == run.purposes()[-1]
    assert [True, True, False] == [fact.receipt.ok for fact in run.of(Mined)]
    assert RAW + OUT == passing.held(FAR, "USDC")


def test_payout_that_failed_is_made_by_the_wallet_once_it_can_be(run: Run) -> None:
    passing = run.passing
    treasury = Puppet(passing.worlds[FAR].rpc, TREASURY)
    usdc = passing.token(FAR, "USDC").address
    treasury.send(tx(usdc, "blacklist(address)", WALLET))
    waited = run.begin(passing.leg("USDC", RAW), budget=120)
    assert isinstance(waited, Wait)
    assert "Stargate's pool on chain 8453 could not pay 4,147.51 USDC out" in waited.why
    treasury.send(tx(usdc, "unBlacklist(address)", WALLET))
    done(run.resume(), run)
    assert ["approve", "deposit", "claim"] == run.purposes()
    assert RAW + OUT == passing.held(FAR, "USDC")


def test_offer_that_gets_worse_before_it_is_mined_costs_gas_and_no_more(run: Run) -> None:
    passing = run.passing

    def react(fact: Fact) -> None:
        if isinstance(fact, Signed) and run.purposes()[-1] == "deposit":
            passing.tell("fee", NEAR, "USDC", FAR, 601, 0)

    run.react = react
    ended = run.begin(passing.leg("USDC", RAW))
    assert isinstance(ended, Finished)
    (closed,) = run.of(Closed)
    assert ("aborted", ()) == (closed.outcome, closed.unexplained)
    assert [True, False] == [fact.receipt.ok for fact in run.of(Mined)][:2]
    assert (RAW, RAW) == (passing.held(NEAR, "USDC"), passing.held(FAR, "USDC"))
    fees = sum(fact.receipt.fee for fact in run.of(Mined))
    assert 3 * ETHER - fees == passing.held(NEAR, "ETH")


def test_path_without_credit_is_refused_and_nothing_is_signed(run: Run) -> None:
    run.passing.tell("credit", NEAR, "USDC", FAR, 0)
    ended = run.begin(run.passing.leg("USDC", RAW))
    assert isinstance(ended, Finished)
    assert ("aborted", ["N107"], []) == (ended.outcome, run.refusals(), run.of(Signed))


def test_wallet_whose_far_address_has_code_sends_nothing(run: Run) -> None:
    run.passing.worlds[FAR].rpc.call("anvil_setCode", WALLET, "0x00")
    ended = run.begin(run.passing.leg("USDC", RAW))
    assert isinstance(ended, Finished)
    assert (["G405"], []) == (run.refusals(), run.of(Signed))


def test_offer_that_eats_the_money_is_refused_by_independent_prices(run: Run) -> None:
    run.passing.tell("fee", NEAR, "USDC", FAR, 100_000, 0)
    ended = run.begin(run.passing.leg("USDC", RAW))
    assert isinstance(ended, Finished)
    assert "G204" in run.refusals()
    assert [] == run.of(Signed)


def test_arrival_that_a_reorganisation_takes_away_is_waited_for_again(run: Run) -> None:
    passing = run.passing
    far = passing.worlds[FAR]
    snapshots = [far.snapshot()]

    def react(fact: Fact) -> None:
        if isinstance(fact, Arrived) and snapshots:
            far.revert(snapshots.pop())
            far.mine(8)

    run.react = react
    done(run.begin(passing.leg("USDC", RAW)), run)
    assert RAW + OUT == passing.held(FAR, "USDC")


@pytest.mark.parametrize("symbol", ["USDC", "ETH"])
def test_transfer_that_nobody_remembers_is_found_and_finished_without_any_state(
    run: Run, symbol: str
) -> None:
    passing = run.passing
    passing.tell("mode", "verified")
    raw = RAW if symbol == "USDC" else ETHER + 5
    leg = passing.leg(symbol, raw)
    out = passing.quote(leg).amount_out
    passing.deposit(leg)
    passing.worlds.jump(3)
    passing.worlds.turn()
    passing.worlds.jump(180 + IDLE_SECONDS)
    before, io = passing.held(FAR, symbol), run.io()
    with session("heir", io) as held:
        found = io.bridges["stargate"].find(WALLET, {NEAR: 0, FAR: 0})
        (stray,) = [recover.found(each, io) for each in recover.unknown(found, held.state)]
        assert isinstance(stray.told, Act)
        assert stray.needs_us
        recover.begin(held, io, "found", [stray])
        done(held.advance(600), run)
    assert ["claim"] == run.purposes()
    (claim,) = run.of(Mined)
    spent = claim.receipt.fee if symbol == "ETH" else 0
    assert before + out - spent == passing.held(FAR, symbol)
    assert () == io.bridges["stargate"].find(WALLET, {NEAR: 0, FAR: 0})


def test_transfer_that_arrived_meanwhile_is_nothing_to_finish(run: Run) -> None:
    passing = run.passing
    passing.deposit(passing.leg("USDC", RAW))
    passing.deliver()
    assert () == run.io().bridges["stargate"].find(WALLET, {NEAR: 0, FAR: 0})
