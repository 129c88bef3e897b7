"""Whole runs over Arbitrum's canonical bridge: in, out, a week's wait, and a process that dies."""

from __future__ import annotations

import re

import pytest
from arbitrum_rigs import ETHER, FAR, ME, NEAR, Rollup
from arbitrum_run import ArbitrumRun

from agent.compose.delivery import DeliveredBridge
from agent.core import fact as f
from agent.core.money import ChainId
from agent.engine import recover
from agent.engine.loop import Finished, Wait, session
from agent.lab.accounts import TREASURY
from agent.lab.providers._arbitrum_contracts import ROLLUP
from agent.lab.puppet import Puppet, tx
from agent.lab.sandbox import DELIVERER, deliver
from agent.ports import Delivery


def refused(run: ArbitrumRun) -> list[str]:
    return [no.why for fact in run.of(f.Refused) for no in fact.refusals]


def test_deposit_runs_to_its_end_with_every_wei_explained(rollup: Rollup) -> None:
    run = ArbitrumRun(rollup)
    near, far = rollup.held(NEAR), rollup.held(FAR)
    ended = run.begin(rollup.leg(inward=True))
    assert [] == refused(run)
    assert isinstance(ended, Finished)
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert ["deposit"] == run.purposes()
    assert far + ETHER == rollup.held(FAR)
    assert near - ETHER - run.fees(NEAR) == rollup.held(NEAR)
    (closed,) = run.of(f.Closed)
    assert ("done", ()) == (closed.outcome, closed.unexplained)
    assert [] == run.of(f.ForeignInflow)


def test_withdrawal_waits_for_the_period_and_is_claimed(rollup: Rollup) -> None:
    run = ArbitrumRun(rollup)
    near, far = rollup.held(NEAR), rollup.held(FAR)
    ended = run.begin(rollup.leg(inward=False))
    assert [] == refused(run)
    assert isinstance(ended, Finished)
    assert ("done", "every leg arrived") == (ended.outcome, ended.why)
    assert ["deposit", "claim"] == run.purposes()
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)
    assert far - ETHER - run.fees(FAR) == rollup.held(FAR)
    (closed,) = run.of(f.Closed)
    assert ("done", ()) == (closed.outcome, closed.unexplained)


def test_deposit_that_is_not_taken_in_says_who_holds_it(rollup: Rollup) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    run = ArbitrumRun(rollup)
    run.clock.least_seconds = 120
    waited = run.begin(rollup.leg(inward=True), budget=4_000)
    assert isinstance(waited, Wait)
    wanted = (
        "1.0000 ETH is late: Arbitrum's bridge holds it (message 0 of chain 1) and the sequencer "
        "takes it in on chain 42161, usually within 15 min, late after 1 h; after 1 d anybody can "
        "force it in at the sequencer's inbox"
    )
    assert wanted == waited.why
    rollup.worlds.tell(ME, "sequence", "late")
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert "done" == ended.outcome


def test_process_that_dies_in_the_wait_of_a_deposit_is_followed_by_another(rollup: Rollup) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    run = ArbitrumRun(rollup)
    far = rollup.held(FAR)
    assert isinstance(run.begin(rollup.leg(inward=True), budget=60), Wait)
    rollup.worlds.tell(ME, "sequence", "prompt")
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["deposit"]) == (ended.outcome, run.purposes())
    assert far + ETHER == rollup.held(FAR)


def test_process_that_dies_in_the_wait_of_a_withdrawal_claims_as_another(rollup: Rollup) -> None:
    run = ArbitrumRun(rollup)
    near = rollup.held(NEAR)
    waited = run.begin(rollup.leg(inward=False), budget=60)
    assert isinstance(waited, Wait)
    wanted = (
        r"1\.0000 ETH is on its way out of chain 42161 \(send 0 of chain 42161\) and may be "
        r"challenged for 4 min, until \d{4}-\d\d-\d\d \d\d:\d\d UTC at least; then your wallet "
        r"claims it on chain 1, which anybody may do for it"
    )
    assert re.fullmatch(wanted, waited.why)
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["deposit", "claim"]) == (ended.outcome, run.purposes())
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("kind", [f.Due, f.Reserved, f.Signed, f.Submitted, f.Mined])
def test_process_that_dies_at_its_claim_claims_once(rollup: Rollup, kind: type[f.Fact]) -> None:
    run = ArbitrumRun(rollup)
    near = rollup.held(NEAR)
    assert isinstance(run.begin(rollup.leg(inward=False), budget=60), Wait)

    def die(fact: f.Fact) -> None:
        if isinstance(fact, kind):
            raise Killed

    run.react = die
    with pytest.raises(Killed):
        run.go_on()
    run.react = lambda _fact: None
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["deposit", "claim"]) == (ended.outcome, run.purposes())
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)


def test_withdrawal_that_somebody_else_claims_is_done(rollup: Rollup) -> None:
    run = ArbitrumRun(rollup)
    near = rollup.held(NEAR)
    assert isinstance(run.begin(rollup.leg(inward=False), budget=60), Wait)
    rollup.confirm()
    rollup.worlds.tell(ME, "execute", 0)
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["deposit"]) == (ended.outcome, run.purposes())
    assert near + ETHER == rollup.held(NEAR)


def test_claim_that_comes_second_costs_its_gas_and_the_run_is_done(rollup: Rollup) -> None:
    run = ArbitrumRun(rollup)
    near = rollup.held(NEAR)
    assert isinstance(run.begin(rollup.leg(inward=False), budget=60), Wait)

    def overtake(fact: f.Fact) -> None:
        if isinstance(fact, f.Signed) and not overtaken:
            overtaken.append(1)
            rollup.worlds.tell(ME, "execute", 0)

    overtaken: list[int] = []
    run.react = overtake
    ended = run.go_on()
    assert isinstance(ended, Finished)
    assert ("done", ["deposit", "claim"]) == (ended.outcome, run.purposes())
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)


def test_withdrawal_that_nobody_confirms_is_late_and_waits(rollup: Rollup) -> None:
    rollup.worlds.tell(ME, "confirm", "never")
    run = ArbitrumRun(rollup)
    waited = run.begin(rollup.leg(inward=False), budget=20_000)
    assert isinstance(waited, Wait)
    assert "is late: validators should have confirmed it " in waited.why
    rollup.worlds.tell(ME, "confirm", "prompt")
    rollup.worlds[NEAR].mine(20)
    ended = run.go_on(budget=20_000)
    assert isinstance(ended, Finished)
    assert "done" == ended.outcome


def adopted(run: ArbitrumRun) -> Finished | Wait:
    """What `resume` does without a journal: looks at the logs, and follows what it finds."""
    io = run.io()
    transfers = io.bridges[ME].find(io.account, {NEAR: 0, FAR: 0})
    strays = [recover.found(each, io) for each in transfers]
    with session("test", io) as held:
        recover.begin(held, io, "adopted", strays)
        return held.advance(3_600)


def test_orphaned_withdrawal_is_found_without_a_journal_and_finished(rollup: Rollup) -> None:
    rollup.deposit(rollup.leg(inward=False))
    rollup.confirm()
    run, near = ArbitrumRun(rollup), rollup.held(NEAR)
    ended = adopted(run)
    assert isinstance(ended, Finished)
    assert ("done", ["claim"]) == (ended.outcome, run.purposes())
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)
    (closed,) = run.of(f.Closed)
    assert () == closed.unexplained
    assert () == rollup.bridge.find(run.io().account, {NEAR: 0, FAR: 0})


def test_orphaned_deposits_are_found_without_a_journal_and_waited_for(rollup: Rollup) -> None:
    rollup.worlds.tell(ME, "redeem", "never")
    rollup.deposit(rollup.leg(inward=True))
    rollup.deposit(rollup.token_leg())
    run, far = ArbitrumRun(rollup), rollup.held(FAR)
    ended = adopted(run)
    assert isinstance(ended, Finished)
    assert ("done", ["claim"]) == (ended.outcome, run.purposes())
    assert far + ETHER < rollup.held(FAR) + run.fees(FAR)
    assert 10**7 == rollup.held(FAR, token=rollup.token(FAR, "WBTC"))


def test_withdrawal_of_the_real_length_lets_the_run_end_and_is_claimed_a_week_later(
    rollup: Rollup,
) -> None:
    owner = Puppet(rollup.worlds[NEAR].rpc, TREASURY)
    owner.send(tx(ROLLUP, "setConfirmPeriodBlocks(uint64)", 45_818))
    run, near = ArbitrumRun(rollup), rollup.held(NEAR)
    run.begin(rollup.leg(inward=False), budget=60)
    (deferred,) = run.of(f.Deferred)
    assert 45_818 * 12 <= deferred.until - deferred.at + 60 <= 45_818 * 12 + 120
    assert "may be challenged for 6 d" in deferred.why
    owner.send(tx(ROLLUP, "setConfirmPeriodBlocks(uint64)", 20))
    rollup.worlds.jump(45_818 * 12)
    rollup.confirm()
    io = run.io()
    with session("test", io) as held:
        strays = recover.due(held.state, io)
        recover.begin(held, io, "2", strays)
        ended = held.advance(3_600)
    assert isinstance(ended, Finished)
    assert ("done", ["deposit", "claim"]) == (ended.outcome, run.purposes())
    assert near + ETHER - run.fees(NEAR) == rollup.held(NEAR)


@pytest.mark.parametrize("inward", [True, False])
def test_rehearsal_pays_the_wallet_and_ends_although_nobody_works(
    rollup: Rollup, inward: bool
) -> None:
    rollup.worlds.tell(ME, "sequence", "never")
    rollup.worlds.tell(ME, "confirm", "never")
    run, leg = ArbitrumRun(rollup), rollup.leg(inward=inward)
    before = rollup.held(leg.buy.chain)

    def paid(chain: ChainId, delivery: Delivery) -> None:
        deliver(rollup.worlds[chain].url, delivery)

    run.wrapped = lambda bridge: DeliveredBridge(bridge, DELIVERER, paid)
    ended = run.begin(leg, budget=60)
    assert isinstance(ended, Finished)
    assert ("done", ["deposit"]) == (ended.outcome, run.purposes())
    assert before + ETHER == rollup.held(leg.buy.chain)
