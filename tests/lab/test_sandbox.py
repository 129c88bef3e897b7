"""Copies of chains: by the URL that answers, and money paid out on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.compose.delivery import DeliveredBridge
from agent.core.money import Address, Amount, ChainId, Token
from agent.core.quote import Call
from agent.errors import SetupFailed, Unreachable
from agent.lab.sandbox import DELIVERER, ForkSandbox, Origin, deliver
from agent.lab.world import World
from agent.ports import Delivered, Delivery, Gone, Waiting
from agent.wire.erc20 import approve
from agent.wire.rpc import Rpc

NOWHERE = "http://127.0.0.1:9"
CHAIN = ChainId(1)


def usdc(world: World) -> Token:
    return Token(CHAIN, Address(world.addresses["USDC"]), 6, "USDC")


def test_fork_is_made_from_the_url_that_answers(world: World, lab_cache: Path) -> None:
    origin = Origin(urls=(NOWHERE, world.url), block=world.head()[0])
    with ForkSandbox(lab_cache).forks({CHAIN: origin}) as urls:
        assert hex(world.head()[0]) == Rpc(urls[CHAIN]).call("eth_blockNumber")


def test_fork_of_a_chain_that_is_silent_says_so(world: World, lab_cache: Path) -> None:
    there = Origin(urls=(world.url,), block=world.head()[0])
    origins = {CHAIN: there, ChainId(8453): Origin(urls=(NOWHERE,), block=1)}
    with (
        pytest.raises(Unreachable, match="chain 8453"),
        ForkSandbox(lab_cache).forks(origins),
    ):
        raise AssertionError("it must not come so far")


def test_delivery_has_what_it_needs_and_leaves_the_original_alone(
    world: World, lab_cache: Path
) -> None:
    token = usdc(world)
    needs = Amount(token, 77)
    call = approve(CHAIN, token.address, Address("0x" + "57" * 20), 77)
    origin = Origin(urls=(world.url,), block=world.head()[0])
    ask = {"to": token.address, "data": "0x70a08231" + DELIVERER[2:].rjust(64, "0")}
    with ForkSandbox(lab_cache).forks({CHAIN: origin}) as urls:
        deliver(urls[CHAIN], Delivery(calls=(call,), needs=needs))
        assert 77 == int(str(Rpc(urls[CHAIN]).call("eth_call", ask, "latest")), 16)
    assert 0 == int(str(world.rpc.call("eth_call", ask, "latest")), 16)


class Bridge:
    """A bridge of which one transfer waits to be delivered."""

    name = "bridge"

    def __init__(self, delivery: Delivery | None) -> None:
        self.delivery = delivery

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name

    def rehearse(self, *_: Any) -> Delivery | None:
        return self.delivery

    def track(self, *_: Any) -> Waiting:
        return Waiting(5, "asked after it was delivered")


def test_transfer_that_cannot_be_delivered_is_gone_and_says_why(world: World) -> None:
    needs = Amount(usdc(world), 1)
    bad = Delivery(calls=(Call(CHAIN, usdc(world).address, 0, "0x12345678"),), needs=needs)

    def refuse(_chain: ChainId, _delivery: Delivery) -> None:
        raise SetupFailed("it reverted", fix="none")

    leg: Any = type("Leg", (), {"buy": usdc(world)})
    receipt: Any = type("Receipt", (), {"hash": "0x1"})
    bridge: Any = Bridge(bad)
    found = DeliveredBridge(bridge, DELIVERER, refuse).track(leg, receipt, 1, 0, 0)
    assert Gone("its arrival could not be rehearsed: it reverted") == found


def test_transfer_that_is_there_already_is_only_asked_for(world: World) -> None:
    leg: Any = type("Leg", (), {"buy": usdc(world)})
    receipt: Any = type("Receipt", (), {"hash": "0x1"})
    bridge: Any = Bridge(None)
    seen = DeliveredBridge(bridge, DELIVERER, lambda *_: None)
    assert Waiting(5, "asked after it was delivered") == seen.track(leg, receipt, 1, 0, 0)


def test_transfer_that_contracts_cannot_deliver_on_a_fork_is_paid_once_instead(
    world: World,
) -> None:
    paid = Amount(usdc(world), 7)
    call = Call(CHAIN, usdc(world).address, 0, "0x")
    bridge: Any = Bridge(Delivery(calls=(call,), needs=paid, brings=paid))
    sent: list[Delivery] = []
    seen = DeliveredBridge(bridge, DELIVERER, lambda _chain, delivery: sent.append(delivery))
    leg: Any = type("Leg", (), {"buy": usdc(world)})
    for number in ("0x1", "0x1", "0x2"):
        receipt: Any = type("Receipt", (), {"hash": number})
        assert Delivered(paid) == seen.track(leg, receipt, 7, 0, 0)
    assert 2 == len(sent)
