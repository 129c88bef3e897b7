"""A wallet with a key on local chains, and how it talks to the order book of the lab by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from lab.reading import read
from signer_rigs import ADDRESS, KEY

from agent.core.intent import SignedMessage
from agent.core.money import NATIVE, Address, ChainId
from agent.lab.puppet import Puppet, tx
from agent.lab.world import World
from agent.lab.worlds import Worlds
from agent.signers._key import key_of
from agent.wire.order import APP_DATA, APP_DATA_HASH, Order, order_fields

SETTLEMENT = Address("0x9008d19f58aabd9ed0d60971565aa8510560ab41")
RELAYER = Address("0xc92e8bdf79f0507f65a392b0ab4667716bfe0110")
NETWORKS = {1: "mainnet", 8453: "base", 42161: "arbitrum_one"}


def ask(worlds: Worlds, chain: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of one request to the book of a chain."""
    url = f"{worlds.provider_apis['cow']}/{NETWORKS[chain]}/api/{path}"
    content = None if body is None else json.dumps(body).encode()
    request = Request(url, data=content, method=method)
    try:
        with urlopen(request, timeout=10) as reply:
            return reply.status, json.loads(reply.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def order_of(world: World, sell: str, buy: str, raw: int, least: int = 1, **changes: Any) -> Order:
    """An order of the wallet's, valid for 25 minutes of the chain's time; ETH is the coin."""
    tokens = world.addresses
    made = Order(
        chain=ChainId(world.chain_id),
        settlement=SETTLEMENT,
        sell=Address(tokens[sell]),
        buy=NATIVE if buy == "ETH" else Address(tokens[buy]),
        receiver=ADDRESS,
        sell_amount=raw,
        buy_amount=least,
        valid_to=world.head()[1] + 1_500,
    )
    return replace(made, **changes)


def sign(order: Order, key: str = KEY) -> SignedMessage:
    """The wallet's signature, by the signer itself."""
    made = key_of(bytes.fromhex(key))
    assert made is not None
    signed = made.sign(order)
    assert isinstance(signed, SignedMessage)
    return signed


def creation(order: Order, **changes: Any) -> dict[str, Any]:
    """The body that places an order."""
    signed = sign(order)
    return {
        **order_fields(order),
        "appData": APP_DATA,
        "appDataHash": APP_DATA_HASH,
        "signingScheme": "eip712",
        "signature": signed.signature,
        "from": ADDRESS,
        **changes,
    }


def approve(world: World, symbol: str, raw: int, spender: str = RELAYER) -> None:
    """The wallet's allowance, by the node that acts for it."""
    puppet = Puppet(world.rpc, ADDRESS)
    puppet.send(tx(world.addresses[symbol], "approve(address,uint256)", spender, raw))


def held(world: World, symbol: str, account: str = ADDRESS) -> int:
    if symbol == "ETH":
        return int(str(world.rpc.call("eth_getBalance", account, "latest")), 16)
    (raw,) = read(world, world.addresses[symbol], "balanceOf(address)", "(uint256)", account)
    return int(raw)


def allowance(world: World, symbol: str, spender: str = RELAYER) -> int:
    asked = ("allowance(address,address)", "(uint256)", ADDRESS, spender)
    return int(read(world, world.addresses[symbol], *asked)[0])


@contextmanager
def empty_books(worlds: Worlds) -> Iterator[Worlds]:
    """Books without orders and a prompt, honest desk, before and after."""

    def calm() -> None:
        worlds.tell("cow", "mode", "prompt")
        worlds.tell("cow", "lie", "busy", 0)
        worlds.tell("cow", "forget")

    calm()
    yield worlds
    calm()
