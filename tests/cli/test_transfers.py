"""What a person and a program are told of money between two chains."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from paper_world import ME, USDC_A, USDC_B, A
from scenes import BRIDGED, slow_world, started

from agent.cli.context import Context
from agent.cli.events import Teller
from agent.cli.output import learn_names
from agent.cli.status import describe
from agent.cli.transfers import body, lines
from agent.core.money import Amount
from agent.core.transit import Awaited
from agent.engine.io import Pause

AWAITED = Awaited(
    run="r1",
    leg="2",
    via="across",
    sold=Amount(USDC_A, 4_150 * 10**6),
    least=Amount(USDC_B, 4_149_170_000),
    deposit="0x" + "5b" * 32,
    left=1_800_000_000,
    typical=1_800_000_008,
    late=1_800_000_060,
    id="1",
    due=1_800_007_200,
)
PAUSE = Pause(until=1_800_000_002.5, why="the pool holds it", awaited=AWAITED)


def test_person_is_told_who_has_the_money_and_when_it_comes() -> None:
    assert lines(body(AWAITED)) == [
        "  2 ⏳ 4,150.00 USDC in flight   across holds it (deposit 1)",
        "     at least 4,149.17 USDC on eip155:8453, usually by 08:00:08 UTC, "
        "late after 08:01:00 UTC · else back to you on eip155:1 from 10:00:00 UTC",
        "     you may close this terminal: `rebalancer resume` goes on",
        "     nobody ever has to “support” you to get it: who offers that is a thief",
    ]


def test_bridge_that_has_not_spoken_yet_promises_nothing() -> None:
    told = lines(body(replace(AWAITED, id="", due=None)))
    assert told[0].endswith("(deposit 0x5b5b5b5b…)")
    assert told[1].endswith("late after 08:01:00 UTC")


def test_another_day_is_told_with_its_date() -> None:
    told = lines(body(replace(AWAITED, due=1_800_086_400)))
    assert told[1].endswith("from 2027-01-16 08:00 UTC")


def test_program_gets_the_same_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Teller(Context(json=True), "r1").hear(PAUSE)
    told = json.loads(capsys.readouterr().out)
    assert ("run.waiting", "r1", "2027-01-15T08:00:02Z") == (
        told["kind"],
        told["run"],
        told["until"],
    )
    (transfer,) = told["transfers"]
    assert ("across", "1", "eip155:1", "eip155:8453") == tuple(
        transfer[name] for name in ("holder", "id", "chain", "to_chain")
    )
    assert ("2027-01-15T08:01:00Z", "2027-01-15T10:00:00Z") == (
        transfer["late"],
        transfer["refund"],
    )


def test_silence_of_a_chain_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    learn_names({8453: "Base"})
    teller = Teller(Context(), "r1")
    teller.hear(Pause(until=0, why="chain 8453: no answer"))
    teller.hear(PAUSE)
    said = capsys.readouterr().err.splitlines()
    assert "  … Base: no answer: asking again, the rest goes on" == said[0]
    assert 5 == len(said)


def test_status_knows_of_a_transfer_from_the_journal_alone() -> None:
    world = slow_world(way="never", automine=True)
    world.chains[A].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    with started(world, BRIDGED) as held:
        held.advance(60)
        told = describe(held.state, held.state.runs["r1"])
    (transfer,) = told["transfers"]
    assert ("paper-bridge", "", None) == tuple(transfer[n] for n in ("holder", "id", "refund"))
    assert "under way" == told["legs"][0]["state"]
