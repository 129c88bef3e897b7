"""A signed order as it is told: to people in one line each, to programs in their terms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from paper_world import ME, World
from scenes import ORDER, started

from agent.cli.context import Context
from agent.cli.events import Teller
from agent.cli.status import describe
from agent.engine.loop import Wait


def told(world: World, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> Any:
    teller = Teller(Context(json=as_json), "r1")
    capsys.readouterr()
    for fact in world.seen:
        teller(fact)
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()] if as_json else said.err


def ended(world: World, *, percent: int) -> Any:
    """A run whose order was filled to *percent* before its time was over, and its last state."""
    with started(world, ORDER) as held:
        assert isinstance(held.advance(5), Wait)
        if percent:
            world.book.fill(
                world.chains[ORDER.legs[0].buy.chain].ledger, ORDER.legs[0], ME, percent
            )
        world.book.time = world.clock.now() + 10_000
        held.advance(60)
        return held.state


def test_fill_and_end_of_an_order_are_told_with_its_digest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    ended(world, percent=100)
    lines = told(world, capsys, as_json=False)
    assert "✓ filled    2.0000 WETH → 5,980.00 USDC" in lines
    assert "can be filled no more" in lines
    events = told(world, capsys, as_json=True)
    (signed,) = [e for e in events if e["kind"] == "tx.signed" and e["purpose"] == "order"]
    (filled,) = [e for e in events if e["kind"] == "order.filled"]
    (end,) = [e for e in events if e["kind"] == "order.ended"]
    assert 66 == len(signed["hash"])
    assert signed["hash"] == filled["hash"] == end["hash"]
    assert ("2000000000000000000", "5980000000") == (
        filled["sold"]["amount"],
        filled["bought"]["amount"],
    )


@pytest.mark.parametrize(("percent", "word"), [(100, "filled"), (0, "expired")])
def test_status_of_an_order_that_is_over_says_how(percent: int, word: str) -> None:
    world = World()
    state = ended(world, percent=percent)
    body = describe(state, state.runs["r1"])
    (order,) = [row for row in body["transactions"] if row["purpose"] == "order"]
    assert (word, None, 66) == (order["state"], order["nonce"], len(order["hash"]))


def test_open_order_is_told_to_whoever_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    with started(world, ORDER) as held:
        held.advance(5)
        run = held.state.runs["r1"]
        Teller(Context(), "").learn(run)
        assert "signed order, not filled yet → asking the chain" in capsys.readouterr().err
        body = describe(held.state, run)
    (order,) = [row for row in body["transactions"] if row["purpose"] == "order"]
    assert ("submitted", 66) == (order["state"], len(order["hash"]))
