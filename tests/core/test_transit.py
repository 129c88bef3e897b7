"""Money that has left and that nobody has seen arrive."""

from __future__ import annotations

import pytest
from stories import (
    APPROVE,
    DEPOSIT,
    FAR_USDC,
    NOW,
    USDC,
    bridge_leg,
    done,
    mined,
    quoted,
    reserved,
    settled,
    signed,
    started,
    told,
    unmined,
)

from agent.core import fact as f
from agent.core.money import Amount
from agent.core.snapshot import InFlight
from agent.core.transit import in_flight

LEFT = reserved(DEPOSIT, 1, index=1)
BEGUN = (started(bridge_leg()), quoted(APPROVE, DEPOSIT, min_out=97), *done(reserved(APPROVE)))
SENT = (*BEGUN, LEFT, signed(LEFT), mined(LEFT))
FLYING = (InFlight("1", Amount(FAR_USDC, 97), FAR_USDC),)


@pytest.mark.parametrize(
    ("story", "flying"),
    [
        ((started(bridge_leg()),), False),
        (BEGUN, False),
        ((*BEGUN, LEFT, signed(LEFT)), False),
        ((*BEGUN, LEFT, signed(LEFT), mined(LEFT, ok=False)), False),
        (SENT, True),
        ((*SENT, settled(deltas={USDC: -100})), True),
        ((*SENT, unmined(LEFT)), False),
        ((*SENT, f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW)), False),
        ((*SENT, f.Refunded("r1", "1", Amount(USDC, 100), NOW)), False),
        ((*SENT, f.Lost("r1", "1", "gone", NOW)), False),
    ],
)
def test_a_transfer_is_in_flight_from_its_block_to_its_end_at_what_is_guaranteed(story, flying):
    assert (FLYING if flying else ()) == in_flight(told(*story))


def test_a_swap_is_never_in_flight():
    assert () == in_flight(
        told(started(), quoted(), *done(reserved(APPROVE)), *done(reserved(nonce=1, index=1)))
    )
