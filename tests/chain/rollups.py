"""Accounts on the rollups of the local world, their nodes, and what they really pay."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.nodes import Keyed, native, over

from agent.chain.node import RpcNode
from agent.core.fees import FeeModel
from agent.core.intent import Receipt
from agent.core.money import Address, ChainId, Token
from agent.core.quote import Call
from agent.lab.world import World

FUNDS = 10**18
GAS = 200_000

MODELS: dict[int, FeeModel] = {1: "eip1559", 8453: "op_stack", 42161: "arbitrum"}


@dataclass(frozen=True, slots=True)
class Paid:
    """What one transaction cost by its receipt, and by the balance."""

    receipt: Receipt
    by_balance: int


class OnRollup(Keyed):
    """An account with ether on one chain of the local world."""

    def __init__(self, world: World, node: RpcNode | None = None) -> None:
        super().__init__(ChainId(world.chain_id))
        self.world = world
        self.node = node or over(world, fee_model=MODELS[world.chain_id])
        self.coin: Token = native(self.chain)
        world.fund(self.account, {"ETH": FUNDS})

    def secret(self) -> str:
        """The key in hex, for signers of the program."""
        return str(self._key.key.hex())

    def balance(self, at: int) -> int:
        return self.node.balances(self.account, [self.coin], at)[self.coin]

    def pay(self, call: Call, nonce: int) -> Paid:
        """Send *call* in a block of its own and look what it cost."""
        signed = self.sign(call, nonce)
        assert self.node.send(signed.raw).accepted
        self.world.mine()
        (receipt,) = self.node.sight(self.account, [signed.hash]).receipts
        assert receipt is not None
        at = receipt.block_number
        return Paid(receipt, self.balance(at - 1) - self.balance(at) - call.value)


def calls(chain: ChainId, to: Address) -> list[Call]:
    """Calls of many lengths and shapes to an account without code."""
    word = "000000000000000000000000" + "7d3c51b096" * 4
    noise = "".join(f"{n * 2_654_435_769 % 2**32:08x}" for n in range(1, 80))
    return [
        Call(chain, to, n, "0x" + data) for n, data in enumerate(["", "ab" * 70, noise, word * 15])
    ]
