"""What a block's space costs next: base fee by the protocol, priority fee by what others paid."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import median_low

from agent.chain.faults import is_limit
from agent.chain.multicall import Asks
from agent.chain.replies import bad_reply, header, quantity, value
from agent.core.fees import FeeQuote
from agent.core.snapshot import Block
from agent.wire.rpc import JSON, RpcError

BLOCKS = 20
"""Recent blocks that are looked at: four minutes on Ethereum, so that one odd block is nothing."""

LEAST_PRIORITY_FEE = 1
"""Wei per gas; some builders leave out transactions that tip nothing at all."""

MOST_PER_GAS = 10**18
"""Wei per gas: a whole coin for one unit of gas cannot be meant by any chain. What is too dear is
for the policy to say."""

_MEDIAN_PERCENTILE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBlock:
    """What is known of the block after `head`: fees, and the earliest unix time it may have."""

    head: Block
    fees: FeeQuote
    timestamp: int


def next_block(rpc: Asks) -> NextBlock:
    """Return the head and what the next block costs, in wei per gas; one HTTP request.

    The priority fee is the median over recent blocks of each block's median tip, weighted by gas
    (``eth_feeHistory``, Ethereum execution API); blocks without transactions say nothing.
    Where the node has no fee history its pending block and its own suggestion serve, by a second
    request. The time is the pending block's: a chain may be ahead of this machine or behind.
    Raises ``BadReply`` and ``RpcError``.
    """
    history, latest, pending = rpc.batch(
        [
            ("eth_feeHistory", (hex(BLOCKS), "latest", (_MEDIAN_PERCENTILE,))),
            ("eth_getBlockByNumber", ("latest", False)),
            ("eth_getBlockByNumber", ("pending", False)),
        ]
    )
    head = header(value(latest))
    if isinstance(history, RpcError) and not is_limit(history):
        fees = _from_pending(rpc, pending)
    else:
        fees = _from_history(value(history))
    return NextBlock(head=head, fees=fees, timestamp=max(head.timestamp + 1, _timestamp(pending)))


def _from_history(answer: JSON) -> FeeQuote:
    if not isinstance(answer, dict):
        raise bad_reply("no fee history")
    base_fees = _items(answer.get("baseFeePerGas"))
    used = _items(answer.get("gasUsedRatio"))
    rewards = _items(answer.get("reward"))
    if not (len(base_fees) == len(used) + 1 == len(rewards) + 1):
        raise bad_reply("a fee history without the next block or without tips")
    tips = [_only(tip) for tip, ratio in zip(rewards, used, strict=True) if _is_full(ratio)]
    priority = median_low(tips) if tips else 0
    return FeeQuote(_per_gas(base_fees[-1]), max(priority, LEAST_PRIORITY_FEE))


def _from_pending(rpc: Asks, pending: JSON | RpcError) -> FeeQuote:
    (tip,) = rpc.batch([("eth_maxPriorityFeePerGas", ())])
    block = value(pending)
    if not isinstance(block, dict):
        raise bad_reply("no pending block")
    priority = LEAST_PRIORITY_FEE if isinstance(tip, RpcError) else _per_gas(tip)
    return FeeQuote(_per_gas(block.get("baseFeePerGas")), max(priority, LEAST_PRIORITY_FEE))


def _timestamp(pending: JSON | RpcError) -> int:
    """Read the time of the pending block, 0 where the node builds none."""
    return quantity(pending.get("timestamp")) if isinstance(pending, dict) else 0


def _per_gas(answer: JSON) -> int:
    wei = quantity(answer)
    if not (wei <= MOST_PER_GAS):
        raise bad_reply(f"a fee of {wei} wei per gas")
    return wei


def _items(answer: JSON) -> list[JSON]:
    if not isinstance(answer, list):
        raise bad_reply("a malformed fee history")
    return answer


def _only(tips: JSON) -> int:
    match tips:
        case [tip]:
            return _per_gas(tip)
        case _:
            raise bad_reply("a malformed fee history")


def _is_full(ratio: JSON) -> bool:
    return isinstance(ratio, int | Decimal) and ratio > 0
