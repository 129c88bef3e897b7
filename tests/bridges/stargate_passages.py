"""Transfers over Stargate: sent, waited for, delivered."""

from __future__ import annotations

from stargate_rigs import (
    NEAR,
    WALLET,
    Passing,
)

from agent.core.intent import Receipt
from agent.core.money import Address, Amount
from agent.core.plan import Leg
from agent.ports import Delivered, Track, Waiting

RAW = 4_150 * 10**6
OUT = 4_147_509_999
ETHER = 10**18
STRANGER = Address("0x" + "57a6e" * 8)


def tracked(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> Track:
    now = passing.now(leg.sell.token.chain) + later
    return passing.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, now)


def waits(passing: Passing, leg: Leg, deposit: Receipt, later: int = 0) -> str:
    found = tracked(passing, leg, deposit, later)
    assert isinstance(found, Waiting), found
    assert found.until > passing.now(leg.sell.token.chain) + later
    assert found.due is None
    return found.why.replace(found.id, "0xid") if found.id else found.why


def delivered(passing: Passing, leg: Leg, deposit: Receipt) -> Amount:
    found = tracked(passing, leg, deposit)
    assert isinstance(found, Delivered), found
    assert found.block is not None
    assert found.block > 0
    return found.amount


def sent(passing: Passing, symbol: str = "USDC", raw: int = RAW) -> tuple[Leg, Receipt]:
    """The wallet has money on the near chain and sends it."""
    passing.worlds[NEAR].fund(WALLET, {symbol: raw})
    leg = passing.leg(symbol, raw)
    return leg, passing.deposit(leg)
