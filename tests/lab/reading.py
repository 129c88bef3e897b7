"""Reads contracts of the local world, by signature."""

from decimal import Decimal
from typing import Any

from agent.lab.abi import answer, call_bytes
from agent.lab.build import LabPool
from agent.lab.world import World

ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
SLOT0 = ("slot0()", "(uint160,int24,uint16,uint16,uint16,uint8,bool)")
QUOTE = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"


def read(world: World, to: str, signature: str, types: str, *arguments: Any) -> tuple[Any, ...]:
    call = {"to": to, "data": call_bytes(signature, *arguments)}
    return answer(types, str(world.rpc.call("eth_call", call, "latest")))


def balance(world: World, symbol: str, account: str = ALICE) -> int:
    (raw,) = read(world, world.addresses[symbol], "balanceOf(address)", "(uint256)", account)
    return int(raw)


def price(world: World, pool: LabPool) -> Decimal:
    """Base units of token1 for one of token0."""
    if pool.fee:
        root = Decimal(read(world, pool.address, *SLOT0)[0])
        return root * root / 2**192
    reserves = read(world, pool.address, "getReserves()", "(uint112,uint112,uint32)")
    return Decimal(reserves[1]) / Decimal(reserves[0])
