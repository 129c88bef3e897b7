"""The real engine over the OP stack's real contracts: from the plan to the closing rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bridge_rigs import STRANGER, WALLET, native
from op_rig import ETHER, PARENT, ROLLUP, Stack, clean_stack, open_stack
from op_run import Run

from agent.bridges._op_stack import PORTAL
from agent.compose.delivery import DeliveredBridge
from agent.core.fact import Arrived, Closed, Deferred, Fact, Mined, Refused, Signed, Unlanded
from agent.core.intent import Receipt
from agent.core.money import Address, Amount
from agent.core.quote import Call
from agent.engine.loop import Finished, Wait, session
from agent.engine.recover import begin, found, known, left
from agent.lab.providers import _op_contracts as there
from agent.lab.sandbox import DELIVERER, deliver
from agent.ports import Act, Track
from agent.wire.abi import decode


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


class Killed(Exception):  # noqa: N818  a death
    """The process ends here."""


@pytest.mark.parametrize("claims", [0, 1, 2])
def test_withdrawal_survives_death_after_each_of_its_transactions(
    stack: Stack, claims: int
) -> None:
    run = Run(stack)

    def react(fact: Fact) -> None:
        if isinstance(fact, Mined) and len(run.purposes()) == claims + 1:
            raise Killed

    run.react = react
    with pytest.raises(Killed):
        run.go(stack.withdrawal_leg())
    run.react = lambda _fact: None
    ended = run.resume()
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim", "claim"]) == (ended.outcome, run.purposes())
    paid = fees(run)
    assert (11 * ETHER - paid[PARENT], 9 * ETHER - paid[ROLLUP]) == (
        stack.held(PARENT),
        stack.held(ROLLUP),
    )


def test_deposit_that_never_comes_waits_and_ends_when_it_does(stack: Stack) -> None:
    stack.tell("deposits", "never")
    run = Run(stack)
    waited = run.go(stack.deposit_leg(), budget=60)
    assert isinstance(waited, Wait)
    assert waited.why.startswith(
        "1.0000 ETH is on its way: chain 8453 makes the deposit of chain 1"
    )
    stack.tell("deposits", "late")
    ended = run.resume()
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit"]) == (ended.outcome, run.purposes())
    assert 11 * ETHER == stack.held(ROLLUP)


@pytest.mark.parametrize("mode", ["late", "never"])
def test_withdrawal_without_an_output_waits_and_goes_on_once_there_is_one(
    stack: Stack, mode: str
) -> None:
    stack.tell("outputs", mode)
    run = Run(stack)
    waited = run.go(stack.withdrawal_leg(), budget=40)
    assert isinstance(waited, Wait)
    assert "1.0000 ETH: it waits for an output of chain 8453 that covers its block" in waited.why
    if mode == "never":
        stack.tell("outputs", "prompt")
    ended = run.resume()
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim", "claim"]) == (ended.outcome, run.purposes())


def test_rehearsed_withdrawal_arrives_as_the_claims_would_bring_it(stack: Stack) -> None:
    run = Run(stack)
    urls = {chain: stack.worlds[chain].url for chain in stack.nodes}
    run.bridge = DeliveredBridge(
        run.bridge, DELIVERER, lambda chain, plan: deliver(urls[chain], plan)
    )
    ended = run.go(stack.withdrawal_leg())
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit"]) == (ended.outcome, run.purposes())
    assert 11 * ETHER == stack.held(PARENT)


def test_withdrawal_whose_output_falls_is_proven_again(stack: Stack) -> None:
    run = Run(stack)
    done: list[int] = []

    def react(fact: Fact) -> None:
        if isinstance(fact, Mined) and len(run.purposes()) == 2 and not done:
            done.append(1)
            stack.tell("blacklist")

    run.react = react
    ended = run.go(stack.withdrawal_leg())
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim", "claim", "claim"]) == (ended.outcome, run.purposes())


def helped(run: Run) -> list[Receipt]:
    """A stranger finalises the first withdrawal that can be, before the wallet does."""
    honest = run.bridge.track
    finalize = PORTAL["finalizeWithdrawalTransaction"]
    done: list[Receipt] = []

    def track(*asked: object) -> Track:
        told = honest(*asked)
        if not done and isinstance(told, Act) and isinstance(told.draft.payload, Call):
            data = told.draft.payload.data
            if data.startswith(finalize.selector):
                (fields,) = decode(finalize.inputs, bytes.fromhex(data[10:]))
                for_us = PORTAL["finalizeWithdrawalTransactionExternalProof"].encode(fields, WALLET)
                call = Call(PARENT, Address(there.PORTAL), 0, for_us)
                done.append(run.stack.sent(call, STRANGER))
                told = honest(*asked)
        return told

    run.bridge.track = track
    return done


def test_withdrawal_that_somebody_else_finishes_needs_one_claim_less(stack: Stack) -> None:
    run = Run(stack)
    done = helped(run)
    ended = run.go(stack.withdrawal_leg())
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim"], 1) == (ended.outcome, run.purposes(), len(done))


def test_payment_that_a_reorganisation_takes_away_is_claimed_by_us(stack: Stack) -> None:
    run = Run(stack)
    done = helped(run)

    def react(fact: Fact) -> None:
        if isinstance(fact, Arrived) and not run.of(Unlanded):
            depth = stack.nodes[PARENT].block().number - done[0].block_number + 1
            stack.worlds[PARENT].rpc.call("anvil_reorg", depth, [])

    run.react = react
    ended = run.go(stack.withdrawal_leg())
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim", "claim"]) == (ended.outcome, run.purposes())
    assert [1, 2] == [len(run.of(kind)) for kind in (Unlanded, Arrived)]
    assert 11 * ETHER - fees(run)[PARENT] == stack.held(PARENT)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (WALLET, STRANGER, f"the recipient {STRANGER} is not your wallet"),
        (there.L1_BRIDGE, there.GAME_FACTORY, f"{there.GAME_FACTORY} is not a contract of"),
    ],
)
def test_claim_whose_message_pays_others_is_not_signed(
    stack: Stack, old: str, new: str, why: str
) -> None:
    run = Run(stack)
    honest = run.bridge.track

    def track(*asked: object) -> Track:
        told = honest(*asked)
        if not (isinstance(told, Act) and isinstance(told.draft.payload, Call)):
            return told
        payload = told.draft.payload
        forged = replace(payload, data=payload.data.replace(old[2:], new[2:]))
        return replace(told, draft=replace(told.draft, payload=forged))

    run.bridge.track = track
    waited = run.go(stack.withdrawal_leg(), budget=90)
    assert isinstance(waited, Wait)
    assert f"the claim was refused: {why}" in waited.why
    assert 1 == len(run.of(Signed))


def test_orphaned_withdrawal_is_found_and_finished_without_any_journal(stack: Stack) -> None:
    sent = stack.send(stack.withdrawal_leg())
    run = Run(stack)
    io = run.io()
    (transfer,) = run.bridge.find(WALLET, {PARENT: 0, ROLLUP: 0})
    with session("first", io) as held:
        begin(held, io, "1", [found(transfer, io)])
        ended = held.advance(600)
    assert isinstance(ended, Finished), ended
    assert ("done", ["claim", "claim"]) == (ended.outcome, run.purposes())
    assert sent.hash == transfer.deposit
    (arrived,) = run.of(Arrived)
    assert Amount(native(PARENT), ETHER) == arrived.amount
    assert 11 * ETHER - fees(run)[PARENT] == stack.held(PARENT)
    assert () == run.bridge.find(WALLET, {PARENT: 0, ROLLUP: 0})


def test_withdrawal_of_days_ends_its_run_and_is_taken_up_later(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on mainnet, but for the length of it.
    monkeypatch.setattr("agent.engine.track.PATIENCE_SECONDS", 2)
    run = Run(stack)
    ended = run.go(stack.withdrawal_leg())
    assert isinstance(ended, Finished), ended
    assert (["deposit"], "waiting") == (run.purposes(), run.of(Closed)[-1].outcome)
    taken_up = 0
    while not run.of(Arrived):
        run.clock.sleep(there.PROOF_MATURITY_SECONDS + there.AIR_GAP_SECONDS)
        io, taken_up = run.io(), taken_up + 1
        with session("later", io) as held:
            begin(held, io, f"later {taken_up}", [known(each, io) for each in left(held.state)])
            ended = held.advance(600)
    told = [deferred.why for deferred in run.of(Deferred)]
    assert "it waits for an output of chain 8453" in told[0]
    assert "its withdrawal is proven; anybody may challenge" in told[-1]
    assert isinstance(ended, Finished), ended
    assert ("done", ["deposit", "claim", "claim"]) == (ended.outcome, run.purposes())
    assert 11 * ETHER - fees(run)[PARENT] == stack.held(PARENT)
