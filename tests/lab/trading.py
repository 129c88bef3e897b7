"""Swaps by a provider's own calldata, sent straight to the local chain."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from lab.reading import ALICE, balance, read

from agent.lab.puppet import Puppet, Tx, tx
from agent.lab.world import World
from agent.lab.worlds import Worlds


def ask(
    worlds: Worlds,
    provider: str,
    path: str,
    query: dict[str, Any] | None = None,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Status and JSON of a GET, or of a POST where there is a body."""
    url = f"{worlds.desk_url}/providers/{provider}{path}"
    url += f"?{urlencode(query)}" if query else ""
    content = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, content, headers or {}), timeout=20) as response:
            return response.status, json.load(response)
    except HTTPError as refused:
        return refused.code, json.load(refused)


@dataclass(frozen=True)
class Call:
    """A provider's transaction, who may spend for it, and the chain that its answer names."""

    to: str
    data: str
    value: int
    spender: str
    chain: int | None = None


def held(world: World, symbol: str, holder: str = ALICE) -> int:
    """Base units of a token, or of the gas coin for ETH."""
    if symbol == "ETH":
        return int(str(world.rpc.call("eth_getBalance", holder, "latest")), 16)
    return balance(world, symbol, holder)


def fund(world: World, symbol: str, amount: int) -> Puppet:
    """Give Alice what she sells, and gas."""
    world.fund(ALICE, {"ETH": 10**18})
    world.fund(ALICE, {symbol: amount})
    return Puppet(world.rpc, ALICE)


def allow(world: World, symbol: str, spender: str, amount: int) -> None:
    """Let somebody spend Alice's; first nothing, because some tokens want that."""
    if symbol != "ETH":
        token = world.addresses[symbol]
        approvals = [tx(token, "approve(address,uint256)", spender, each) for each in (0, amount)]
        Puppet(world.rpc, ALICE).send(*approvals)


def trade(world: World, call: Call, sell: str, amount: int, buy: str) -> tuple[int, int]:
    """Let Alice make the call; how much less and more she has of each, without gas."""
    alice = fund(world, sell, amount)
    allow(world, sell, call.spender, amount)
    before = held(world, sell), held(world, buy)
    (receipt,) = alice.send(Tx(to=call.to, input=call.data, value=call.value, what="swapping"))
    gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    spent = before[0] - held(world, sell) - gas * (sell == "ETH")
    gained = held(world, buy) - before[1] + gas * (buy == "ETH")
    if sell != "ETH":
        token = world.addresses[sell]
        left = read(world, token, "allowance(address,address)", "(uint256)", ALICE, call.spender)
        assert (0,) == left, "it takes exactly what it may"
    return spent, gained
