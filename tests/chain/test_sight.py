"""One view of the chain: what came from two blocks is asked again, what moved away is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from chain.scripted import Scripted, block_hash, header

from agent.chain import sight as module
from agent.chain.fees_op_stack import Untold
from agent.chain.sight import MAX_LOOKS, MAX_REMEMBERED, receipt, sight
from agent.core.intent import Receipt
from agent.core.money import Address
from agent.errors import BadReply
from agent.wire.rpc import RpcError

ACCOUNT = Address("0x" + "ac" * 20)
ONE, TWO = "0x" + "01" * 32, "0x" + "02" * 32


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@dataclass
class Chain:
    """A chain that mines what it is told between two parts of a batch.

    `mined` are transactions by hash with (nonce, block); `moves` says after which question of
    all a block comes in, and what is in it.
    """

    head: int = 100
    finalized: Any = 90
    mined: dict[str, tuple[int, int]] = field(default_factory=dict)
    pool: dict[str, int] = field(default_factory=dict)
    salts: dict[int, int] = field(default_factory=dict)
    moves: dict[int, dict[str, int]] = field(default_factory=dict)
    asked: int = 0
    early_nonce: int = 0

    def node(self) -> Scripted:
        return Scripted(
            eth_getBlockByNumber=self._tick(self.block),
            eth_getTransactionCount=self._tick(self.nonce),
            eth_getTransactionReceipt=self._tick(self.receipt),
            eth_getTransactionByHash=self._tick(self.transaction),
        )

    def _tick(self, answer: Any) -> Any:
        def ticking(params: Sequence[Any]) -> Any:
            self.asked += 1
            if self.asked in self.moves:
                self.head += 1
                for hashed, nonce in self.moves[self.asked].items():
                    self.mined[hashed] = (nonce, self.head)
            return answer(params)

        return ticking

    def block(self, params: Sequence[Any]) -> Any:
        if params[0] == "finalized":
            return header(self.finalized) if isinstance(self.finalized, int) else self.finalized
        number = self._number(params[0])
        return header(number, salt=self.salts.get(number, 0)) if number <= self.head else None

    def nonce(self, params: Sequence[Any]) -> Any:
        if params[1] == "finalized" and not isinstance(self.finalized, int):
            return RpcError(-39001, "finalized block not found")
        at = self.finalized if params[1] == "finalized" else self._number(params[1])
        early = self.early_nonce if params[1] == "latest" else 0
        return hex(sum(block <= at for _, block in self.mined.values()) + early)

    def receipt(self, params: Sequence[Any]) -> Any:
        if params[0] not in self.mined:
            return None
        block = self.mined[params[0]][1]
        return answer(params[0], block)

    def transaction(self, params: Sequence[Any]) -> Any:
        nonce = self.mined.get(params[0], (self.pool.get(params[0]), 0))[0]
        return None if nonce is None else {"nonce": hex(nonce)}

    def _number(self, at: str) -> int:
        return self.head if at == "latest" else int(at, 16)


def answer(hashed: str, block: int, **changes: Any) -> dict[str, Any]:
    return {
        "transactionHash": hashed,
        "blockNumber": hex(block),
        "blockHash": block_hash(block),
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
        **changes,
    }


def test_quiet_chain_is_seen_by_one_request() -> None:
    chain = Chain(mined={ONE: (0, 100)}, pool={TWO: 1})
    node = chain.node()
    seen = sight(node, ACCOUNT, [ONE, TWO], {})
    expected = Receipt(
        hash=ONE, block_number=100, block_hash=block_hash(100), ok=True, gas_used=21_000, fee=42_000
    )
    assert ((expected, None), (True, True)) == (seen.receipts, seen.known)
    assert (100, 90, 1, 0) == (seen.head.number, seen.finalized, seen.nonce, seen.nonce_final)
    assert 1 == len(node.batches)


def test_nothing_asked_is_still_a_view() -> None:
    seen = sight(Chain().node(), ACCOUNT, [], {})
    assert ((), (), 0) == (seen.receipts, seen.known, seen.nonce)


@pytest.mark.parametrize("moment", range(2, 9))
def test_block_that_comes_in_between_never_hides_a_receipt(moment: int) -> None:
    # Eight questions: head, finalized, two nonces, two receipts, two transactions; then the head.
    chain = Chain(pool={ONE: 0}, moves={moment: {ONE: 0}})
    seen = sight(chain.node(), ACCOUNT, [ONE, TWO], {})
    consumed, found = seen.nonce > 0, seen.receipts[0] is not None
    assert consumed == found
    assert found == (seen.head.number == 101)


def test_chain_that_never_rests_is_not_guessed_at() -> None:
    chain = Chain(moves={moment: {} for moment in range(1, 1000)})
    chain.salts = {number: number for number in range(1000)}

    def restless(params: Sequence[Any]) -> Any:
        chain.asked += 1
        return header(100, salt=chain.asked) if params[0] != "finalized" else header(90)

    node = chain.node()
    node.answers["eth_getBlockByNumber"] = restless
    with pytest.raises(BadReply, match="another chain of blocks"):
        sight(node, ACCOUNT, [ONE], {})
    assert MAX_LOOKS == len(node.batches)


def test_nonce_that_runs_ahead_of_its_block_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = Chain(pool={ONE: 0}, early_nonce=1)

    def finish_the_block(_: float) -> None:
        chain.early_nonce = 0
        chain.head += 1
        chain.mined[ONE] = (0, chain.head)

    monkeypatch.setattr(module.time, "sleep", finish_the_block)
    node = chain.node()
    seen = sight(node, ACCOUNT, [ONE], {})
    assert (101, 1, True) == (seen.head.number, seen.nonce, seen.receipts[0] is not None)
    assert 2 == len(node.batches)


def test_transaction_that_another_displaced_is_reported_in_the_end() -> None:
    node = Chain(pool={ONE: 0}, mined={"0x" + "ff" * 32: (0, 99)}).node()
    seen = sight(node, ACCOUNT, [ONE], {})
    assert ((None,), (True,), 1) == (seen.receipts, seen.known, seen.nonce)
    assert MAX_LOOKS == len(node.batches)


def test_own_replacement_explains_the_used_nonce_at_once() -> None:
    node = Chain(pool={ONE: 0}, mined={TWO: (0, 100)}).node()
    seen = sight(node, ACCOUNT, [ONE, TWO], {})
    assert [True, False] == [found is None for found in seen.receipts]
    assert 1 == len(node.batches)


def test_older_receipt_is_placed_by_a_second_request_and_then_by_one() -> None:
    heights: dict[str, int] = {}
    chain = Chain(mined={ONE: (0, 50)})
    node = chain.node()
    first = sight(node, ACCOUNT, [ONE], heights)
    assert (2, {ONE: 50}) == (len(node.batches), heights)
    again = chain.node()
    assert first == sight(again, ACCOUNT, [ONE], heights)
    assert 1 == len(again.batches)


@pytest.mark.parametrize("block", [50, 99, 100])
def test_receipt_of_a_block_that_is_not_on_the_chain_is_none(block: int) -> None:
    chain = Chain(mined={ONE: (0, block)}, salts={block: 5})
    node = chain.node()
    if block == 99:
        node.answers["eth_getBlockByNumber"] = lambda params: (
            header(90) if params[0] == "finalized" else header(100, parentHash=block_hash(99, 5))
        )
    assert (None,) == sight(node, ACCOUNT, [ONE], {}).receipts


def test_receipt_of_a_block_that_the_node_lost_is_none() -> None:
    chain = Chain(mined={ONE: (0, 50)})
    node = chain.node()
    blocks = node.answers["eth_getBlockByNumber"]
    node.answers["eth_getBlockByNumber"] = lambda p: None if p[0] == hex(50) else blocks(p)
    assert (None,) == sight(node, ACCOUNT, [ONE], {}).receipts


def test_memory_of_heights_is_bounded() -> None:
    heights = {f"0x{n:064x}": n for n in range(MAX_REMEMBERED + 1)}
    sight(Chain(mined={ONE: (0, 100)}).node(), ACCOUNT, [ONE], heights)
    assert {ONE: 100} == heights


@pytest.mark.parametrize("absent", [None, RpcError(-39001, "finalized block not found")])
def test_chain_without_finalized_block_has_nothing_final(absent: Any) -> None:
    seen = sight(Chain(finalized=absent).node(), ACCOUNT, [], {})
    assert (0, 0) == (seen.finalized, seen.nonce_final)


def test_rate_limit_is_not_read_as_nothing_final() -> None:
    node = Chain().node()
    node.answers["eth_getTransactionCount"] = lambda p: (
        RpcError(-32005, "limit") if p[1] == "finalized" else "0x0"
    )
    with pytest.raises(RpcError, match="limit"):
        sight(node, ACCOUNT, [], {})
    node = Chain(finalized=RpcError(-32005, "limit")).node()
    with pytest.raises(RpcError, match="limit"):
        sight(node, ACCOUNT, [], {})


def test_finality_ahead_of_the_head_is_refused() -> None:
    with pytest.raises(BadReply, match="ahead"):
        sight(Chain(finalized=101).node(), ACCOUNT, [], {})


def test_final_nonce_ahead_of_the_latest_is_refused() -> None:
    node = Chain().node()
    node.answers["eth_getTransactionCount"] = lambda p: "0x2" if p[1] == "finalized" else "0x1"
    with pytest.raises(BadReply, match="ahead"):
        sight(node, ACCOUNT, [], {})


@pytest.mark.parametrize("answered", [[], "0x", {}, {"nonce": 3}])
def test_transaction_that_is_none_is_refused(answered: Any) -> None:
    node = Chain().node()
    node.answers["eth_getTransactionByHash"] = answered
    with pytest.raises(BadReply):
        sight(node, ACCOUNT, [ONE], {})


def test_fee_is_gas_at_the_price_paid_and_the_l1_fee() -> None:
    assert None is receipt(None, ONE)
    plain = receipt(answer(ONE, 5), ONE)
    rollup = receipt(answer(ONE, 5, l1Fee="0x64", status="0x0"), ONE)
    assert plain is not None
    assert rollup is not None
    assert (42_000, True) == (plain.fee, plain.ok)
    assert (42_100, False) == (rollup.fee, rollup.ok)


@pytest.mark.parametrize(
    "found",
    [
        [],
        {},
        answer(TWO, 5),
        answer(ONE, 5, status="0x2"),
        answer(ONE, 5, status=None),
        answer(ONE, 5, gasUsed=21_000),
        answer(ONE, 5, effectiveGasPrice=None),
        answer(ONE, 5, blockHash="0x12"),
        answer(ONE, 5, blockNumber=None),
        answer(ONE, 5, l1Fee="many"),
    ],
)
def test_malformed_receipt_is_refused(found: Any) -> None:
    with pytest.raises(BadReply):
        receipt(found, ONE)


class Rest:
    """Adds seven wei to each receipt that leaves a part out."""

    def __init__(self) -> None:
        self.asked: list[Untold] = []

    def wei(self, _rpc: object, untold: Sequence[Untold]) -> list[int]:
        self.asked += untold
        return [7 for _ in untold]


@pytest.mark.parametrize(
    ("changes", "missing", "fee"),
    [
        ({}, True, 42_007),
        ({"l1Fee": "0x64"}, None, 42_100),
        ({"l1Fee": "0x64", "operatorFeeScalar": "0x0", "operatorFeeConstant": "0x0"}, None, 42_100),
        ({"l1Fee": "0x64", "operatorFeeScalar": "0x1"}, False, 42_107),
        ({"l1Fee": "0x64", "operatorFeeConstant": "0x1"}, False, 42_107),
    ],
)
def test_what_a_receipt_leaves_out_is_added(
    changes: dict[str, str], missing: bool | None, fee: int
) -> None:
    node = Chain(mined={ONE: (0, 100)}).node()
    node.answers["eth_getTransactionReceipt"] = lambda params: (
        answer(ONE, 100, **changes) if params[0] == ONE else None
    )
    rest = Rest()
    found, none = sight(node, ACCOUNT, [ONE, TWO], {}, rest).receipts
    assert (fee, None) == (found and found.fee, none)
    untold = Untold(transaction=ONE, block_hash=block_hash(100), gas_used=21_000, l1_fee=True)
    expected = [] if missing is None else [replace(untold, l1_fee=missing)]
    assert expected == rest.asked
    assert fee - 7 * len(rest.asked) == sight(node, ACCOUNT, [ONE], {}).receipts[0].fee  # type: ignore[union-attr]
