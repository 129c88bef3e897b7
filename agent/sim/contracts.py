"""Contracts on paper: a wrapper, and a few words of calldata for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.core.layout import Layout
from agent.core.money import NATIVE, Address, ChainId
from agent.core.quote import Call
from agent.sim.ledger import NOBODY, Ledger, Revert
from agent.wire.abi import AbiError, decode, encode
from agent.wire.keccak import selector

DEPOSIT = Layout(signature="deposit()", target_is="buy", wallet_only=True)
WITHDRAW = Layout(signature="withdraw(uint256)", amount_in=(0,), target_is="sell", wallet_only=True)


def call(
    chain: ChainId, to: Address, layout: Layout, values: Sequence[Any], value: int = 0
) -> Call:
    """A call of the function that *layout* describes."""
    data = selector(layout.signature) + encode(layout.types, tuple(values)).hex()
    return Call(chain, to, value, data)


def arguments(layout: Layout, data: str) -> tuple[Any, ...]:
    """The arguments of a call of that function; raises Revert when it is another one."""
    if not data.startswith(selector(layout.signature)):
        raise Revert("no such function")
    try:
        return decode(layout.types, bytes.fromhex(data[10:]))
    except AbiError:
        raise Revert("calldata of another shape") from None


class PaperWrapper:
    """Wraps the native coin one to one, as WETH9 does."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def __call__(self, ledger: Ledger, sender: Address, value: int, data: str, _time: int) -> None:
        """`deposit()` or `withdraw(uint256)`."""
        if data == selector(DEPOSIT.signature):
            ledger.mint(self.address, sender, value)
            return
        (raw,) = arguments(WITHDRAW, data)
        ledger.move(self.address, sender, NOBODY, raw)
        ledger.move(NATIVE, self.address, sender, raw)
