"""What a block's space costs next, by each fee model.

The base fee is the protocol's, the priority fee what others paid, and what data costs the word of
the chain's own oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median_low
from typing import Any, assert_never

from agent.chain import fees_arbitrum, fees_op_stack
from agent.chain.envelope import signed_size, usual
from agent.chain.faults import is_limit
from agent.chain.multicall import Asks
from agent.chain.replies import bad_reply, header, quantity, value
from agent.core.fees import FeeModel, FeeQuote, L1Fee
from agent.core.money import ChainId
from agent.core.quote import Call
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

_SAMPLE_GAS = 100_000
"""Gas of a usual transaction, for what an OP stack chain's operator takes of it."""

Question = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBlock:
    """What is known of the block after `head`: fees, and the earliest unix time it may have."""

    head: Block
    fees: FeeQuote
    timestamp: int
    model: FeeModel = "eip1559"


def next_block(rpc: Asks, chain: ChainId, model: FeeModel = "eip1559") -> NextBlock:
    """Return the head and what the next block costs, in wei per gas; one HTTP request.

    The priority fee is the median over recent blocks of each block's median tip, weighted by gas
    (``eth_feeHistory``, Ethereum execution API); blocks without transactions say nothing.
    Where the node has no fee history its pending block and its own suggestion serve, by a second
    request. The time is the pending block's: a chain may be ahead of this machine or behind.
    Data costs what the chain's oracle says of a usual approval and swap together, by the byte.
    Raises ``BadReply`` and ``RpcError``, also where the oracle is silent: a fee that is not known
    is never zero.
    """
    price: Question = ("eth_feeHistory", (hex(BLOCKS), "latest", (_MEDIAN_PERCENTILE,)))
    samples = usual(chain)
    first, latest, pending, *oracle = rpc.batch(
        [
            ("eth_gasPrice", ()) if model == "legacy" else price,
            ("eth_getBlockByNumber", ("latest", False)),
            ("eth_getBlockByNumber", ("pending", False)),
            *_questions(model, [(sample, _SAMPLE_GAS) for sample in samples]),
        ]
    )
    head = header(value(latest))
    if model == "legacy":
        fees = FeeQuote(_per_gas(value(first)), 0, kind="legacy")
    elif isinstance(first, RpcError) and not is_limit(first):
        fees = _from_pending(rpc, pending)
    else:
        fees = _from_history(value(first))
    size = sum(map(signed_size, samples))
    fees = replace(fees, data_fee_per_byte=-(-_samples_wei(model, oracle) // size))
    timestamp = max(head.timestamp + 1, _timestamp(pending))
    return NextBlock(head=head, fees=fees, timestamp=timestamp, model=model)


def l1_fees(rpc: Asks, calls: Sequence[tuple[Call, int]], model: FeeModel) -> tuple[L1Fee, ...]:
    """Return what the place of each call costs, given with its gas limit; one HTTP request.

    None where data costs nothing. Raises ``BadReply`` and ``RpcError`` where the oracle is silent.
    """
    asked = _questions(model, calls)
    if not asked:
        return tuple(L1Fee() for _ in calls)
    answers = rpc.batch(asked)
    read = fees_op_stack.fees if model == "op_stack" else fees_arbitrum.fees
    return tuple(read(answers))


def _questions(model: FeeModel, calls: Sequence[tuple[Call, int]]) -> list[Question]:
    match model:
        case "eip1559" | "legacy":
            return []
        case "op_stack":
            return fees_op_stack.questions(calls)
        case "arbitrum":
            return fees_arbitrum.questions([call for call, _ in calls])
        case _:
            assert_never(model)


def _samples_wei(model: FeeModel, answers: Sequence[JSON | RpcError]) -> int:
    """Read what usual calls pay for their bytes, in wei; no answers are of a chain without."""
    if model == "arbitrum":
        return sum(map(fees_arbitrum.wei, answers))
    return sum(fee.wei for fee in fees_op_stack.fees(answers))


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
