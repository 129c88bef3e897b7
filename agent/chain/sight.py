"""Looks at an account and its transactions in one consistent view of the chain."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from agent.chain.faults import is_limit
from agent.chain.fees_op_stack import Untold
from agent.chain.multicall import Asks
from agent.chain.replies import bad_reply, hash_text, header, quantity, value
from agent.core.intent import Receipt
from agent.core.money import Address
from agent.core.sighting import Sighting
from agent.core.snapshot import Block
from agent.errors import BadReply
from agent.wire.rpc import JSON, RpcError

MAX_LOOKS = 6
"""Views taken before giving up: a block may come in between, and the place of older blocks in the
chain may have to be asked for; each look after the first is as good as the first."""

PAUSE_SECONDS = 0.02
"""Wait before a puzzling view is looked at again: importing a block takes some milliseconds. It
doubles each time."""

MAX_REMEMBERED = 4096
"""Transactions whose block number is remembered; far more than one account has unsettled."""


class Rest(Protocol):
    """What is to be added to the fees of receipts that do not say all."""

    def wei(self, rpc: Asks, untold: Sequence[Untold]) -> Sequence[int]:
        """Wei beside the gas of each transaction, in order."""


@dataclass(frozen=True, slots=True)
class _View:
    """One batch: `heads` are the block at its beginning and at its end.

    `known` are the nonces of the transactions that the node knows, None for the others; `untold`
    says by hash whose receipts leave out a part of the fee.
    """

    heads: tuple[Block, Block]
    finalized: int
    nonce: int
    nonce_final: int
    receipts: tuple[Receipt | None, ...]
    known: tuple[int | None, ...]
    canonical: dict[int, str]
    untold: dict[str, Untold]

    @property
    def moved(self) -> bool:
        """Whether another block became the head in between."""
        return self.heads[0].hash != self.heads[1].hash

    @property
    def puzzling(self) -> bool:
        """Whether a transaction that the node knows has a used nonce and nothing was mined on it.

        A node shows this for a moment while it imports a block; otherwise it has kept in mind a
        transaction that somebody else's displaced.
        """
        pairs = list(zip(self.known, self.receipts, strict=True))
        mined = {nonce for nonce, found in pairs if found is not None}
        used = {nonce for nonce, _ in pairs if nonce is not None and nonce < self.nonce}
        return not used <= mined

    @property
    def unplaced(self) -> set[int]:
        """Numbers of blocks whose canonical hash is not known yet."""
        head = self.heads[0].number
        numbers = {found.block_number for found in self.receipts if found is not None}
        return {number for number in numbers if number <= head} - set(self.canonical)


def sight(
    rpc: Asks,
    account: Address,
    hashes: Sequence[str],
    heights: MutableMapping[str, int],
    rest: Rest | None = None,
) -> Sighting:
    """Return heads, nonces and receipts that belong together; usually one HTTP request.

    A node answers the parts of a batch one after the other, so a block may come in between: a
    receipt that is missing beside a nonce that already counts it would look like somebody else's
    transaction. The head is therefore asked first and last, and if it moved everything is asked
    again of the older one; what puzzles is looked at again. A receipt counts only if its block is
    part of the head's chain; *heights* remembers which blocks to ask for next time. *rest* says
    what a transaction paid beside its gas, on chains where it does.

    Raises ``RpcError``, and ``BadReply`` when no consistent view was found.
    """
    at = "latest"
    wanted = {heights[each] for each in hashes if each in heights}
    for look in range(MAX_LOOKS):
        view = _look(rpc, account, hashes, wanted, at)
        if view.moved:
            at = hex(min(head.number for head in view.heads))
        elif view.unplaced:
            wanted |= view.unplaced
        elif view.puzzling and look < MAX_LOOKS - 1:
            at = "latest"
            time.sleep(PAUSE_SECONDS * 2**look)
        else:
            _remember(heights, view.receipts)
            return _paid(rpc, _sighting(view), view.untold, rest)
    raise bad_reply("another chain of blocks each time it was asked")


def receipt(answer: JSON, transaction: str) -> Receipt | None:
    """Read a receipt, None when there is none; raises ``BadReply``.

    The fee includes the ``l1Fee`` that OP stack chains charge for the place of the transaction in
    Ethereum's blocks (specs.optimism.io, "L1-Cost fees"), where the node says it; Arbitrum counts
    it as gas.
    """
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise bad_reply("a receipt that is none")
    if hash_text(answer.get("transactionHash")) != transaction:
        raise bad_reply("the receipt of another transaction")
    status, gas_used = quantity(answer.get("status")), quantity(answer.get("gasUsed"))
    if not (status <= 1):
        raise bad_reply(f"the transaction status {status}")
    l1_fee = answer.get("l1Fee")
    fee = gas_used * quantity(answer.get("effectiveGasPrice"))
    return Receipt(
        hash=transaction,
        block_number=quantity(answer.get("blockNumber")),
        block_hash=hash_text(answer.get("blockHash")),
        ok=status == 1,
        gas_used=gas_used,
        fee=fee + (0 if l1_fee is None else quantity(l1_fee)),
    )


def _untold(answer: JSON, found: Receipt) -> Untold | None:
    """Read which parts of the fee a receipt of an OP stack chain leaves out, None for no part.

    One with its `l1Fee` and without a word of the operator, or with zeros, is of a chain whose
    operator takes nothing (specs.optimism.io, Isthmus, "Operator Fee").
    """
    told = answer if isinstance(answer, dict) else {}
    operator = [told.get(name, "0x0") for name in ("operatorFeeScalar", "operatorFeeConstant")]
    l1_fee = told.get("l1Fee") is None
    if not l1_fee and not any(map(quantity, operator)):
        return None
    return Untold(
        transaction=found.hash,
        block_hash=found.block_hash,
        gas_used=found.gas_used,
        l1_fee=l1_fee,
    )


def _paid(rpc: Asks, seen: Sighting, untold: Mapping[str, Untold], rest: Rest | None) -> Sighting:
    """Add to the fees of the receipts what was paid beside the gas."""
    asked = [each.hash for each in seen.receipts if each is not None and each.hash in untold]
    if rest is None or not asked:
        return seen
    extra = dict(zip(asked, rest.wei(rpc, [untold[each] for each in asked]), strict=True))
    return replace(
        seen,
        receipts=tuple(
            each and replace(each, fee=each.fee + extra.get(each.hash, 0)) for each in seen.receipts
        ),
    )


def _look(rpc: Asks, account: Address, hashes: Sequence[str], wanted: set[int], at: str) -> _View:
    numbers = sorted(wanted)
    answers = rpc.batch(
        [
            ("eth_getBlockByNumber", (at, False)),
            ("eth_getBlockByNumber", ("finalized", False)),
            ("eth_getTransactionCount", (account, at)),
            ("eth_getTransactionCount", (account, "finalized")),
            *[("eth_getTransactionReceipt", (each,)) for each in hashes],
            *[("eth_getTransactionByHash", (each,)) for each in hashes],
            *[("eth_getBlockByNumber", (hex(number), False)) for number in numbers],
            ("eth_getBlockByNumber", (at, False)),
        ]
    )
    count = len(hashes)
    head, last = header(value(answers[0])), header(value(answers[-1]))
    receipts = answers[4 : 4 + count]
    transactions = answers[4 + count : 4 + 2 * count]
    blocks = map(_placed, map(value, answers[4 + 2 * count : -1]))
    found = tuple(receipt(value(a), h) for a, h in zip(receipts, hashes, strict=True))
    return _View(
        heads=(head, last),
        finalized=_finalized(answers[1]),
        nonce=quantity(value(answers[2])),
        nonce_final=_nonce_final(answers[3]),
        receipts=found,
        known=tuple(_nonce(value(answer)) for answer in transactions),
        canonical=dict(zip(numbers, blocks, strict=True))
        | {head.number - 1: head.parent_hash, head.number: head.hash},
        untold={
            each.hash: part
            for each, answer in zip(found, receipts, strict=True)
            if each is not None and (part := _untold(value(answer), each)) is not None
        },
    )


def _sighting(view: _View) -> Sighting:
    head = view.heads[0]
    if not (view.finalized <= head.number and view.nonce_final <= view.nonce):
        raise bad_reply("finalized blocks that are ahead of the latest")
    return Sighting(
        head=head,
        finalized=view.finalized,
        nonce=view.nonce,
        nonce_final=view.nonce_final,
        receipts=tuple(
            found if found and view.canonical.get(found.block_number) == found.block_hash else None
            for found in view.receipts
        ),
        known=tuple(nonce is not None for nonce in view.known),
    )


def _finalized(answer: JSON | RpcError) -> int:
    """Read the finalized block's number; a chain that has none yet has nothing final.

    Nodes say so by an error (go-ethereum), by null, or by block 0.
    """
    if isinstance(answer, RpcError) and not is_limit(answer):
        return 0
    found = value(answer)
    return 0 if found is None else header(found).number


def _nonce_final(answer: JSON | RpcError) -> int:
    """Read the finalized nonce; 0, the least that it can be, where the node keeps no old state."""
    if isinstance(answer, RpcError) and not is_limit(answer):
        return 0
    return quantity(value(answer))


def _nonce(transaction: JSON) -> int | None:
    if transaction is None:
        return None
    if not isinstance(transaction, dict):
        raise bad_reply("a transaction that is none")
    return quantity(transaction.get("nonce"))


def _placed(answer: JSON) -> str:
    try:
        return header(answer).hash
    except BadReply:
        return ""


def _remember(heights: MutableMapping[str, int], receipts: Sequence[Receipt | None]) -> None:
    if len(heights) > MAX_REMEMBERED:
        heights.clear()
    heights.update({each.hash: each.block_number for each in receipts if each is not None})
