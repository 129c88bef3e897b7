"""What OP stack chains charge beside gas: for a transaction's place on the parent chain.

Sources: specs.optimism.io, "L1-Cost fees" of Ecotone and Fjord, "Operator Fee" of Isthmus; the
functions are those of GasPriceOracle in the packages/contracts-bedrock folder of
github.com/ethereum-optimism/optimism.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.chain.envelope import padded, unsigned_bytes
from agent.chain.fast_lz import compressed_bytes
from agent.chain.faults import is_limit
from agent.chain.multicall import Asks
from agent.chain.replies import payload, said, silent_oracle, value
from agent.core.fees import L1Fee
from agent.core.money import Address
from agent.core.quote import Call
from agent.wire.abi import AbiError, Function, encode
from agent.wire.rpc import JSON, RpcError
from agent.wire.words import WORD_BYTES

ORACLE = Address("0x420000000000000000000000000000000000000f")
"""GasPriceOracle, a predeploy with the same address on every OP stack chain."""

_FEE = Function("getL1Fee", ("bytes",), ("uint256",))
_OPERATOR_FEE = Function("getOperatorFee", ("uint256",), ("uint256",))
_PARAMETERS = tuple(
    Function(name, (), ("uint256",))
    for name in ("l1BaseFee", "baseFeeScalar", "blobBaseFee", "blobBaseFeeScalar")
)

_INTERCEPT, _SLOPE, _LEAST_SIZE = -42_585_600, 836_500, 100_000_000
"""Fjord's regression from FastLZ's length to the parent chain's bytes, in millionths of a byte."""

_CALLDATA_GAS = 16
"""Gas of one byte of calldata on the parent chain (EIP-2028)."""

_SCALE = 10**12
"""Sizes and scalars are both in millionths."""

MAX_REMEMBERED = 4096
"""Mined transactions whose fee is remembered; far more than one account has unsettled."""

Question = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A mined transaction whose receipt does not say all that it cost.

    The operator's fee is missing, and with `l1_fee` the parent chain's, too.
    """

    transaction: str
    block_hash: str
    gas_used: int
    l1_fee: bool


def questions(calls: Sequence[tuple[Call, int]]) -> list[Question]:
    """Return what to ask in a batch for the data fees of *calls*, each with its gas limit.

    Two questions a call: for its bytes, and for what the chain's operator takes.
    """
    return [
        question
        for call, gas_limit in calls
        for question in (_fee_of(unsigned_bytes(call)), _operator_fee_of(gas_limit, "latest"))
    ]


def fees(answers: Sequence[JSON | RpcError]) -> list[L1Fee]:
    """Read the answers to `questions`; raises ``BadReply`` where the oracle is silent."""
    return [
        L1Fee(wei=_word(fee) + _operator_fee(operator))
        for fee, operator in zip(answers[::2], answers[1::2], strict=True)
    ]


class Paid:
    """What mined transactions paid beside their gas; each is asked for once.

    Nodes of real chains say it in the receipt; local ones charge it and say nothing. Then it
    follows, to the wei, from the signed bytes and the oracle's numbers at the very block.
    """

    def __init__(self) -> None:
        self._known: dict[Untold, int] = {}

    def wei(self, rpc: Asks, untold: Sequence[Untold]) -> list[int]:
        """Wei that the receipts leave out, in order; a request for all that are new, rarely two.

        Raises ``BadReply`` and ``RpcError``: a fee that is not known is never zero.
        """
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
        unknown = [each for each in untold if each not in self._known]
        if unknown:
            self._known |= zip(unknown, _asked(rpc, unknown), strict=True)
        return [self._known[each] for each in untold]


def _asked(rpc: Asks, untold: Sequence[Untold]) -> list[int]:
    """Ask at each transaction's block, and once more at the newest where that state is gone.

    Local nodes keep the state of few blocks, and the numbers of their oracle stand still. Where
    they did not, the closing rule finds what is missing: no fee passes unproven.
    """
    found = _groups(rpc, [(each, _pinned(each)) for each in untold])
    gone = [place for place, group in enumerate(found) if any(map(_is_gone, group[2:]))]
    if gone:
        later = _groups(rpc, [(untold[place], "latest") for place in gone])
        for place, group in zip(gone, later, strict=True):
            found[place] = group
    return [_paid(each, group) for each, group in zip(untold, found, strict=True)]


def _pinned(untold: Untold) -> object:
    return {"blockHash": untold.block_hash, "requireCanonical": True}


def _is_gone(answer: JSON | RpcError) -> bool:
    return isinstance(answer, RpcError) and not is_limit(answer)


def _groups(rpc: Asks, wanted: Sequence[tuple[Untold, object]]) -> list[list[JSON | RpcError]]:
    """The answers for each transaction: operator's fee, signed bytes, the oracle's numbers."""
    batch: list[Question] = []
    for each, at in wanted:
        batch.append(_operator_fee_of(each.gas_used, at))
        batch.append(("eth_getRawTransactionByHash", (each.transaction,)))
        batch += [_call(function.encode(), at) for function in _PARAMETERS]
    answers = rpc.batch(batch)
    width = 2 + len(_PARAMETERS)
    return [answers[start : start + width] for start in range(0, len(answers), width)]


def _paid(untold: Untold, answers: Sequence[JSON | RpcError]) -> int:
    operator, raw, *parameters = answers
    numbers = [_word(answer) for answer in parameters]
    l1_fee = charged(compressed_bytes(payload(value(raw))), *numbers) if untold.l1_fee else 0
    return l1_fee + _operator_fee(operator)


def charged(compressed: int, base_fee: int, scalar: int, blob_fee: int, blob_scalar: int) -> int:
    """Return the wei charged for so many bytes after compression, by Fjord's formula.

    Fees are the parent chain's, in wei per gas; scalars are in millionths.
    """
    size = max(_LEAST_SIZE, _INTERCEPT + _SLOPE * compressed)
    return size * (_CALLDATA_GAS * base_fee * scalar + blob_fee * blob_scalar) // _SCALE


def _fee_of(unsigned: bytes) -> Question:
    head = encode(("uint256", "uint256"), (WORD_BYTES, len(unsigned)))
    return _call(_FEE.selector + (head + padded(unsigned)).hex(), "latest")


def _operator_fee_of(gas: int, at: object) -> Question:
    return _call(_OPERATOR_FEE.encode(gas), at)


def _call(encoded: str, at: object) -> Question:
    return "eth_call", ({"to": ORACLE, "data": encoded}, at)


def _operator_fee(answer: JSON | RpcError) -> int:
    """Read the operator's fee; an oracle that does not know it serves a chain without it.

    That the oracle is there at all is proven by the answers beside this one.
    """
    if isinstance(answer, RpcError) and not is_limit(answer):
        return 0
    return _word(answer)


def _word(answer: JSON | RpcError) -> int:
    try:
        (wei,) = _FEE.decode(said(answer, ORACLE))
    except AbiError:
        raise silent_oracle(ORACLE) from None
    return int(wei)
