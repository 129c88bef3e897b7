"""Burns over CCTP: attested, waited for, arrived."""

from __future__ import annotations

from dataclasses import replace

from cctp_rig import FAR, NEAR, RAW, WALLET, Burning

from agent.bridges.cctp import make
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId
from agent.core.plan import Leg
from agent.ports import Delivered, Transfer, Waiting
from agent.provider import Offline

FAST_FEE = RAW // 10_000
"""One basis point, as the local attester asks for on Ethereum."""


def waits(burning: Burning, leg: Leg, deposit: Receipt) -> str:
    found = burning.track(leg, deposit)
    assert isinstance(found, Waiting), found
    assert found.until > burning.now()
    return found.why


def attested(burning: Burning, detail: str = "standard", raw: int = RAW) -> tuple[Leg, Receipt]:
    """A burn that is old enough for its attestation."""
    leg = burning.leg(raw, detail)
    deposit = burning.burn(leg)
    burning.mine(NEAR, 3)
    return leg, deposit


def arrived(burning: Burning, leg: Leg, deposit: Receipt) -> int:
    found = burning.track(leg, deposit)
    assert isinstance(found, Delivered), found
    assert leg.buy == found.amount.token
    return found.amount.raw


def silent(burning: Burning) -> None:
    burning.bridge = make(burning.options(), replace(burning.io, http=Offline()))


# From logs alone.


def found(burning: Burning, since: int = 0, account: Address = WALLET) -> tuple[Transfer, ...]:
    return burning.bridge.find(account, {NEAR: since, FAR: 0, ChainId(10): 0})
