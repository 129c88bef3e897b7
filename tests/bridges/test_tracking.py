"""Where the money of a real deposit is, from the first block to the last."""

from __future__ import annotations

import pytest
from bridge_rigs import FAR, NEAR, WALLET, Crossing, paid
from fee_server import honest_output

from agent.core.intent import Receipt
from agent.core.plan import Leg
from agent.ports import Delivered, Gone, Returned, Track, Waiting

RAW = 4_150 * 10**6
ETHER = 10**18


def tracked(crossing: Crossing, leg: Leg, deposit: Receipt, later: int = 0) -> Track:
    now = crossing.nodes[NEAR].block().timestamp + later
    return crossing.bridge.track(leg, deposit, leg.sell.fixed_raw, 0, now)


def test_deposit_is_delivered_to_the_base_unit(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})
    leg = crossing.leg("USDC", "USDC", RAW)
    deposit = crossing.deposit(leg)
    assert 0 == crossing.held(NEAR, "USDC")
    assert isinstance(tracked(crossing, leg, deposit), Waiting)
    crossing.fill(crossing.made(deposit))
    assert isinstance(tracked(crossing, leg, deposit), Waiting)
    crossing.mine()
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Delivered)
    assert (leg.buy, honest_output(RAW)) == paid(found.amount)
    assert honest_output(RAW) == crossing.held(FAR, "USDC")


@pytest.mark.parametrize("sold", ["ETH", "WETH"])
def test_the_coin_arrives_as_the_gas_coin(crossing: Crossing, sold: str) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"ETH": 3 * ETHER, "WETH": ETHER})
    leg = crossing.leg(sold, "ETH", ETHER)
    deposit = crossing.deposit(leg)
    crossing.fill(crossing.made(deposit))
    crossing.mine()
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Delivered)
    assert (leg.buy, honest_output(ETHER)) == paid(found.amount)
    assert honest_output(ETHER) == crossing.held(FAR, "ETH")


def test_deposit_that_nobody_delivers_comes_back(crossing: Crossing) -> None:
    crossing.worlds[NEAR].fund(WALLET, {"USDC": RAW, "ETH": ETHER})
    leg = crossing.leg("USDC", "USDC", RAW)
    deposit = crossing.deposit(leg)
    crossing.expire(crossing.made(deposit))
    waiting = tracked(crossing, leg, deposit)
    assert isinstance(waiting, Waiting)
    crossing.pay_back(RAW)
    assert isinstance(tracked(crossing, leg, deposit), Waiting)
    crossing.mine(NEAR)
    found = tracked(crossing, leg, deposit)
    assert isinstance(found, Returned)
    assert (leg.sell.token, RAW) == paid(found.amount)
    assert not isinstance(found, Gone)
