"""What Arbitrum counts as gas for a transaction's place on the parent chain.

Sources: NodeInterface in src/node-interface of github.com/OffchainLabs/nitro-contracts, and
docs.arbitrum.io, "How to estimate gas". A receipt's gas used has this part in it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.chain.envelope import padded
from agent.chain.replies import said, silent_oracle
from agent.core.fees import L1Fee
from agent.core.money import Address
from agent.core.quote import Call
from agent.wire.abi import AbiError, Function, encode
from agent.wire.rpc import JSON, RpcError
from agent.wire.words import WORD_BYTES

ORACLE = Address("0x00000000000000000000000000000000000000c8")
"""NodeInterface: nodes answer for it, contracts cannot call it, so no Multicall3 either."""

_COMPONENT = Function(
    "gasEstimateL1Component",
    ("address", "bool", "bytes"),
    ("uint64", "uint256", "uint256"),
)
"""Gas for the parent chain, the base fee that it was computed with, the parent's base fee."""

Question = tuple[str, Sequence[Any]]


def questions(calls: Sequence[Call]) -> list[Question]:
    """Return what to ask in a batch for the data fees of *calls*, one question each."""
    return [("eth_call", ({"to": ORACLE, "data": _encoded(call)}, "latest")) for call in calls]


def fees(answers: Sequence[JSON | RpcError]) -> list[L1Fee]:
    """Read the answers to `questions`; raises ``BadReply`` where the oracle is silent.

    The node's estimate is on the high side by itself: it adds a tenth and some bytes.
    """
    return [L1Fee(gas=_component(answer)[0]) for answer in answers]


def wei(answer: JSON | RpcError) -> int:
    """Read an answer as wei: gas at the base fee that the node computed it with."""
    gas, base_fee = _component(answer)
    return gas * base_fee


def _component(answer: JSON | RpcError) -> tuple[int, int]:
    try:
        gas, base_fee, _ = _COMPONENT.decode(said(answer, ORACLE))
    except AbiError:
        raise silent_oracle(ORACLE) from None
    return gas, base_fee


def _encoded(call: Call) -> str:
    raw = bytes.fromhex(call.data[2:])
    creates, offset = False, 3 * WORD_BYTES
    head = encode(("address", "bool", "uint256", "uint256"), (call.to, creates, offset, len(raw)))
    return _COMPONENT.selector + (head + padded(raw)).hex()
