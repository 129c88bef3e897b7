"""ERC-20 tokens on paper: what they answer and do, out of a ledger's balances and allowances."""

from __future__ import annotations

from typing import Any

from agent.core.money import Address
from agent.sim.ledger import Ledger, Revert
from agent.wire.abi import AbiError, decode, functions
from agent.wire.erc20 import ALLOWANCE, APPROVE

BALANCE = "balanceOf(address)"
DECIMALS = "decimals()"
TRANSFER = "transfer(address,uint256)"
"""Signatures of EIP-20."""

_BY_SELECTOR = {function.selector: function for function in functions("erc20").values()}


def answer(ledger: Ledger, token: Address, calldata: str) -> bytes | None:
    """What *token* answers to a read, None where its contract reverts."""
    try:
        signature, values = _asked(calldata)
    except Revert:
        return None
    raw: int | None = None
    if signature == ALLOWANCE:
        owner, spender = values
        raw = ledger.allowances.get((token, owner, spender), 0)
    elif signature == BALANCE:
        raw = ledger.balance(token, *values)
    elif signature == DECIMALS:
        raw = ledger.decimals.get(token)
    return None if raw is None else raw.to_bytes(32, "big")


def act(ledger: Ledger, sender: Address, token: Address, calldata: str) -> bool:
    """Run `approve` or `transfer`, False when it is another function; raises Revert."""
    if calldata[:10] not in _BY_SELECTOR:
        return False
    signature, values = _asked(calldata)
    if signature == APPROVE:
        ledger.approve(token, sender, *values)
    elif signature == TRANSFER:
        ledger.move(token, sender, *values)
    return signature in {APPROVE, TRANSFER}


def _asked(calldata: str) -> tuple[str, tuple[Any, ...]]:
    function = _BY_SELECTOR.get(calldata[:10])
    if function is None:
        raise Revert("no such function")
    try:
        return function.signature, decode(function.inputs, bytes.fromhex(calldata[10:]))
    except AbiError:
        raise Revert("calldata of another shape") from None
