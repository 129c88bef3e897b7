"""How much gas an act may use while it is found out how much it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from paper_world import RICH_RATE, USDC_A, VENUE, WETH_A, A, World
from scenes import ONE_SWAP, facts, start

from agent.core import fact as f
from agent.core.fees import MAX_BASE_FEE_GROWTH, FeeQuote, L1Fee, most, offer
from agent.core.guard import MAX_GAS_LIMIT
from agent.core.quote import Call, Quote
from agent.core.rounding import mul_div_up
from agent.engine.gas_limits import (
    GAS_MARGIN,
    MOST_SIMULATION_GAS,
    SIMULATION_GAS,
    SIMULATION_MARGIN,
)
from agent.planning.board import GAS_LIMIT_MARGIN
from agent.sim import transaction
from agent.sim.chain import PaperChain
from agent.sim.venue import PaperVenue


class Claiming(PaperVenue):
    """Says of its swaps that they take `claimed` gas."""

    claimed: int

    def quote(self, *args: object) -> Quote:
        return replace(super().quote(*args), gas=self.claimed)


def claiming(gas: int) -> World:
    world = World()
    world.venue = Claiming("venue", VENUE)
    world.venue.claimed = gas
    world.venue.rates = {(WETH_A.address, USDC_A.address): RICH_RATE}
    world.chains[A].contracts[VENUE] = world.venue
    return world


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gas limits of the acts that are simulated."""
    limits: list[int] = []
    simulate = PaperChain.simulate

    def noted(self: PaperChain, account, calls, *rest):  # type: ignore[no-untyped-def]
        limits.append(calls[-1][1])
        return simulate(self, account, calls, *rest)

    monkeypatch.setattr(PaperChain, "simulate", noted)
    return limits


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes acts of the venue use so much gas."""
    usual = transaction.gas_of

    def so_much(gas: int) -> None:
        def gas_of(call: Call) -> int:
            return gas if call.to == VENUE else usual(call)

        for place in ("agent.sim.transaction.gas_of", "agent.sim.chain.gas_of"):
            monkeypatch.setattr(place, gas_of)

    return so_much


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (-(10**30), SIMULATION_GAS),
        (0, SIMULATION_GAS),
        (600_000, SIMULATION_GAS),
        (600_002, 1_500_005),
        (3_999_999, 9_999_997),
        (4_000_000, MOST_SIMULATION_GAS),
        (10**30, MOST_SIMULATION_GAS),
    ],
)
def test_gas_that_a_venue_claims_moves_what_is_tried_and_nothing_that_is_signed(
    claimed: int, expected: int, tried: list[int]
) -> None:
    world, honest = claiming(claimed), World()
    assert "done" == start(world, ONE_SWAP).outcome
    assert expected == tried[0]
    start(honest, ONE_SWAP)
    signed, usual = (
        [fact.unsigned and fact.unsigned.gas_limit for fact in facts(each, f.Reserved)]
        for each in (world, honest)
    )
    assert usual == signed


@pytest.mark.parametrize(
    ("claimed", "used", "outcome"),
    [
        (100_000, SIMULATION_GAS, "done"),
        (100_000, SIMULATION_GAS + 1, "aborted"),
        (2_500_000, 5_000_000, "done"),
        (10**30, MOST_SIMULATION_GAS, "done"),
        (10**30, MOST_SIMULATION_GAS + 1, "aborted"),
    ],
)
def test_act_that_uses_more_than_is_tried_is_refused(
    claimed: int, used: int, outcome: str, uses: Callable[[int], None]
) -> None:
    world = claiming(claimed)
    uses(used)
    assert outcome == start(world, ONE_SWAP).outcome
    refused = {no.code for fact in facts(world, f.Refused) for no in fact.refusals}
    assert (outcome == "aborted") == ("S101" in refused)
    if outcome == "done":
        act = facts(world, f.Reserved)[-1].intent.draft
        assert used * 3 // 2 == act.gas_limit <= MAX_GAS_LIMIT


@pytest.mark.parametrize("fees", [FeeQuote(20 * 10**9, 10**9), FeeQuote(10**6, 10**8)])
@pytest.mark.parametrize("gas", [600_000, 2_000_000, 4_000_000])
def test_plan_keeps_the_gas_coin_that_trying_and_signing_ask_for(gas: int, fees: FeeQuote) -> None:
    """A node wants the whole gas limit to be owned, at the highest price that is offered."""
    grown = MAX_BASE_FEE_GROWTH * fees.expected(gas, 0)
    kept = mul_div_up(grown, *GAS_LIMIT_MARGIN)
    offered = fees.base_fee_per_gas * 9 // 8 + 1 + fees.priority_fee_per_gas
    assert kept >= max(SIMULATION_GAS, gas * SIMULATION_MARGIN) * offered
    assert kept >= most(offer(fees), int(gas * GAS_MARGIN), L1Fee())
