"""Facts of a run as a journal tells them."""

from __future__ import annotations

from stories import (
    DEPOSIT,
    FAR_USDC,
    NOW,
    ORDER,
    USDC,
    bridge_leg,
    done,
    mined,
    quoted,
    reserved,
    settled,
    signed,
    started,
)

from agent.core import fact as f
from agent.core.money import Amount

FIRST = reserved()
ON_ORDER = reserved(ORDER, None)
SIGNED = (started(), FIRST, signed(FIRST))
MINED = (*SIGNED, mined(FIRST))
ARRIVED = f.Arrived("r1", "1", Amount(FAR_USDC, 99), NOW)
LOST = f.Lost("r1", "1", "gone", NOW)
BACK = f.Refunded("r1", "1", Amount(USDC, 100), NOW)
SENT = (
    started(bridge_leg()),
    quoted(DEPOSIT),
    *done(reserved(DEPOSIT)),
    settled(deltas={USDC: -100}),
)
