"""Permit2: who may take, for a while, what a wallet lets Permit2 itself take.

Source: Uniswap permit2, AllowanceTransfer.sol.
"""

from __future__ import annotations

from agent.core.money import ChainId
from agent.core.quote import Call, Permit
from agent.wire.abi import encode
from agent.wire.keccak import selector

APPROVE = "approve(address,address,uint160,uint48)"
"""Token, spender, base units, unix seconds until when."""


def approve(chain: ChainId, permit: Permit) -> Call:
    """The call that grants *permit*."""
    fields = (permit.amount.token.address, permit.spender, permit.amount.raw, permit.until)
    data = encode(("address", "address", "uint160", "uint48"), fields).hex()
    return Call(chain, permit.keeper, 0, selector(APPROVE) + data)
