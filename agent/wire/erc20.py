"""The few ERC-20 calls that the engine makes itself."""

from __future__ import annotations

from agent.core.money import Address, ChainId
from agent.core.quote import Call
from agent.ports import Read
from agent.wire.abi import encode
from agent.wire.keccak import selector

APPROVE = "approve(address,uint256)"
"""Signature of EIP-20."""

ALLOWANCE = "allowance(address,address)"
"""Signature of EIP-20."""


def approve(chain: ChainId, token: Address, spender: Address, raw: int) -> Call:
    """The call that lets *spender* move exactly *raw* base units; 0 takes the right back."""
    data = encode(("address", "uint256"), (spender, raw)).hex()
    return Call(chain, token, 0, selector(APPROVE) + data)


def allowance(token: Address, owner: Address, spender: Address) -> Read:
    """The read of how many base units *spender* may move of *owner*'s tokens."""
    data = encode(("address", "address"), (owner, spender)).hex()
    return Read(token, selector(ALLOWANCE) + data)
