"""The scanner: its code on a real node, its answers against forged ones."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chain.assembler import OPCODES, assemble
from agent.chain.scanner import (
    GAS_PER_TOKEN,
    GAS_RESERVE,
    SCANNER_ADDRESS,
    SCANNER_CODE,
    OverrideIgnored,
    RawScan,
    decode,
    request,
    scan,
)
from agent.core.money import Address, ChainId
from agent.core.snapshot import Block
from agent.errors import BadReply
from agent.lab.anvil import Anvil, start_anvil
from agent.lab.packages import node_binary
from agent.lab.world import World
from agent.wire.abi import functions
from agent.wire.keccak import keccak256
from agent.wire.rpc import JSON, Rpc, RpcError

ACCOUNT = Address("0x" + "ac" * 20)
CODE_HASH = "0x" + "c0" * 32
BLOCK = Block(7, "0x" + "07" * 32, "0x" + "06" * 32, 1_700_000_000, 5)
WORDS = st.integers(0, 2**256 - 1)


def word(number: int | str) -> str:
    return f"{int(number, 16) if isinstance(number, str) else number:064x}"


def told(*balances: int, block: Block = BLOCK, code: int | str = 0) -> str:
    """What the scanner's code returns."""
    head = (1, block.number, block.timestamp, block.parent_hash, 9, code)
    return "0x" + "".join(map(word, (*head, *balances)))


def header(block: Block = BLOCK, **changes: JSON) -> dict[str, JSON]:
    return {
        "number": hex(block.number),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "timestamp": hex(block.timestamp),
        "baseFeePerGas": hex(block.base_fee_per_gas),
        **changes,
    }


def tokens(count: int) -> list[Address]:
    return [Address(f"0x{number:040x}") for number in range(1, count + 1)]


class Scripted:
    """Answers one batch after the other with what it was given."""

    def __init__(self, *batches: list[JSON | RpcError]) -> None:
        self.batches = list(batches)
        self.asked: list[list[tuple[str, list[Any]]]] = []

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        self.asked.append([(method, list(params)) for method, params in calls])
        return self.batches.pop(0)


# Pure


def test_scanner_lives_where_nobody_else_can() -> None:
    assert "0x" + keccak256(b"rebalancer scanner")[-20:].hex() == SCANNER_ADDRESS


def test_scanner_code_is_the_reviewed_one() -> None:
    assert (
        "6370a0823160005260003560601c80602052466040524360605242608052600143034060a052803160c0523f"
        "60e05261010060145b3681101561007c576203d0905a1115610069576020826024601c843560601c62030d40"
        "fa601f3d11166001900382511761006d565b6001195b82526014019060200190610034565b50604090036040f3"
    ) == SCANNER_CODE.hex()


def test_assembler_knows_no_instruction_younger_than_istanbul() -> None:
    assert set() == {"PUSH0", "BASEFEE", "MCOPY", "BLOBHASH", "TLOAD"} & OPCODES.keys()
    assert not {0x5F, 0x48, 0x49, 0x5C, 0x5D, 0x5E} & set(OPCODES.values())


def test_assembler_fills_in_targets_before_and_after_their_use() -> None:
    assert "610004565b610004" == assemble("@end JUMP ; skip\n end: @end").hex()


@pytest.mark.parametrize("listing", ["NOP", "0x1", "@nowhere"])
def test_assembler_refuses_what_it_does_not_know(listing: str) -> None:
    with pytest.raises(KeyError):
        assemble(listing)


def test_reserve_leaves_a_whole_call_under_the_rule_of_one_64th() -> None:
    assert GAS_RESERVE - GAS_RESERVE // 64 - 2_600 > GAS_PER_TOKEN


def test_request_packs_the_addresses_and_overrides_the_code() -> None:
    assert [
        {"to": SCANNER_ADDRESS, "data": "0x" + "ac" * 20 + "00" * 19 + "01" + "00" * 19 + "02"},
        "finalized",
        {SCANNER_ADDRESS: {"code": "0x" + SCANNER_CODE.hex()}},
    ] == request(ACCOUNT, tokens(2), "finalized")


@given(st.lists(WORDS, max_size=20))
def test_decode_reads_what_the_code_wrote(balances: list[int]) -> None:
    assert RawScan(
        chain=ChainId(1),
        number=BLOCK.number,
        timestamp=BLOCK.timestamp,
        parent_hash=BLOCK.parent_hash,
        native=9,
        code_hash=CODE_HASH,
        balances=tuple(None if balance >= 2**256 - 2 else balance for balance in balances),
        skipped=tuple(i for i, balance in enumerate(balances) if balance == 2**256 - 2),
    ) == decode(told(*balances, code=CODE_HASH), tokens=len(balances))


@pytest.mark.parametrize("code", [0, "0x" + keccak256(b"").hex()])
def test_account_without_code_has_no_code_hash(code: int | str) -> None:
    assert "" == decode(told(code=code), tokens=0).code_hash


@pytest.mark.parametrize(
    "answer", [None, 1, "", "1", "0x0", "0xzz", told(1), told(1, 2, 3), told(1, 2) + "00", {"a": 1}]
)
def test_answer_that_is_no_scan_is_refused(answer: JSON) -> None:
    with pytest.raises(BadReply):
        decode(answer, tokens=2)


@given(st.text("0x123456789abcdef", max_size=600))
def test_any_answer_is_read_or_refused(answer: str) -> None:
    try:
        assert 2 == len(decode("0x" + answer, tokens=2).balances)
    except BadReply:
        return


def test_node_that_ignores_the_override_is_told_from_a_bad_one() -> None:
    with pytest.raises(OverrideIgnored, match="ignores code overrides"):
        decode("0x", tokens=2)


def test_scan_of_a_quiet_chain_is_one_batch() -> None:
    node = Scripted([told(5, 2**256 - 1), header()])
    found = scan(node, ACCOUNT, tokens(2))
    assert (1, BLOCK, 9, "", (5, None)) == (
        found.chain,
        found.block,
        found.native,
        found.code_hash,
        found.balances,
    )
    assert [
        [
            ("eth_call", request(ACCOUNT, tokens(2), "latest")),
            ("eth_getBlockByNumber", ["latest", False]),
        ]
    ] == node.asked


@pytest.mark.parametrize(
    "other",
    [
        Block(8, BLOCK.hash, BLOCK.parent_hash, BLOCK.timestamp, 5),
        Block(7, BLOCK.hash, "0x" + "66" * 32, BLOCK.timestamp, 5),
        Block(7, BLOCK.hash, BLOCK.parent_hash, BLOCK.timestamp + 1, 5),
    ],
)
def test_scan_names_the_block_by_its_hash_when_the_head_moved(other: Block) -> None:
    node = Scripted([told(5, block=other), header()], [told(6)])
    found = scan(node, ACCOUNT, tokens(1))
    assert (BLOCK, (6,)) == (found.block, found.balances)
    pinned = {"blockHash": BLOCK.hash, "requireCanonical": True}
    assert [("eth_call", request(ACCOUNT, tokens(1), pinned))] == node.asked[1]


def test_scan_asks_again_for_tokens_that_gas_did_not_reach() -> None:
    skipped = 2**256 - 2
    node = Scripted(
        [told(1, skipped, skipped, skipped), header()],
        [told(2, skipped, skipped)],
        [told(3, 2**256 - 1)],
    )
    assert (1, 2, 3, None) == scan(node, ACCOUNT, tokens(4)).balances
    pinned = {"blockHash": BLOCK.hash, "requireCanonical": True}
    assert request(ACCOUNT, tokens(4)[2:], pinned) == node.asked[2][0][1]


def test_scan_without_progress_ends_with_the_token_unread() -> None:
    skipped = 2**256 - 2
    node = Scripted([told(1, skipped), header()], [told(skipped)])
    assert (1, None) == scan(node, ACCOUNT, tokens(2)).balances


@pytest.mark.parametrize("at", ["latest", {"blockHash": BLOCK.hash}])
def test_error_of_either_half_is_raised(at: Any) -> None:
    for batch in ([RpcError(-1, "call"), header()], [told(), RpcError(-1, "header")]):
        with pytest.raises(RpcError):
            scan(Scripted(list(batch)), ACCOUNT, [], at)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": None},
        {"number": 7},
        {"hash": "0x07"},
        {"parentHash": None},
        {"timestamp": "-0x1"},
        {"baseFeePerGas": "lots"},
        {"number": "0x" + "f" * 65},
    ],
)
def test_header_that_is_none_is_refused(changes: dict[str, JSON]) -> None:
    with pytest.raises(BadReply):
        scan(Scripted([told(), header(**changes)]), ACCOUNT, [])


def test_missing_block_is_refused() -> None:
    with pytest.raises(BadReply, match="no such block"):
        scan(Scripted([told(), None]), ACCOUNT, [])


def test_chain_without_base_fee_has_base_fee_zero() -> None:
    answer = header()
    del answer["baseFeePerGas"]
    assert 0 == scan(Scripted([told(), answer]), ACCOUNT, []).block.base_fee_per_gas


# On a real node

ANSWERS_ACCOUNT = (
    "60043560005260206000f3"  # calldataload(4) as a word: the address it was asked for
)
KINDS = {
    "its argument": (ANSWERS_ACCOUNT, int(ACCOUNT, 16)),
    "zero": ("60206000f3", 0),
    "two words": ("602a60005260406000f3", 42),
    "all ones less two": ("600219" + "60005260206000f3", 2**256 - 3),
    "revert": ("60006000fd", None),
    "revert with a word": ("602a60005260206000fd", None),
    "no code": ("", None),
    "one byte": ("602a60005260016000f3", None),
    "31 bytes": ("601f6000f3", None),
    "endless": ("5b600056", None),
    "invalid": ("fe", None),
    "writes": ("6001600055602a60005260206000f3", None),
    "destroys itself": ("33ff", None),
    "all ones": ("600019" + "60005260206000f3", None),
    "a megabyte": ("620f42406000f3", None),
}


@pytest.fixture(scope="module")
def node(lab_cache: Path) -> Iterator[Anvil]:
    started = start_anvil(node_binary(lab_cache), chain_id=8453)
    started.rpc.call("anvil_setBalance", ACCOUNT, hex(123))
    for number, (code, _) in enumerate(KINDS.values(), start=1):
        started.rpc.call(
            "anvil_setCode", f"0x{number:040x}"[:-4] + f"{number + 0x1000:04x}", "0x" + code
        )
    started.rpc.call("anvil_mine", "0x5")
    yield started
    started.stop()


def placed(count: int = len(KINDS)) -> list[Address]:
    return [Address(f"0x{number + 0x1000:040x}") for number in range(1, count + 1)]


def latest(rpc: Rpc, tag: str = "latest") -> dict[str, Any]:
    found = rpc.call("eth_getBlockByNumber", tag, False)
    assert isinstance(found, dict)
    return found


def test_scan_on_a_node_reads_every_kind_of_token_in_one_request(node: Anvil) -> None:
    before = node.rpc.requests
    found = scan(node.rpc, ACCOUNT, placed())
    assert 1 == node.rpc.requests - before
    assert {kind: expected for kind, (_, expected) in KINDS.items()} == dict(
        zip(KINDS, found.balances, strict=True)
    )
    head = latest(node.rpc)
    assert (8453, 123, "") == (found.chain, found.native, found.code_hash)
    assert (
        int(head["number"], 16),
        head["hash"],
        head["parentHash"],
        int(head["timestamp"], 16),
    ) == (
        found.block.number,
        found.block.hash,
        found.block.parent_hash,
        found.block.timestamp,
    )
    assert int(head["baseFeePerGas"], 16) == found.block.base_fee_per_gas > 0


def test_scan_on_a_node_reads_older_blocks_by_number_and_by_hash(node: Anvil) -> None:
    old = latest(node.rpc, "0x2")
    by_number = scan(node.rpc, ACCOUNT, placed(), "0x2")
    assert (2, old["hash"]) == (by_number.block.number, by_number.block.hash)
    assert by_number == scan(node.rpc, ACCOUNT, placed(), {"blockHash": old["hash"]})
    assert (
        latest(node.rpc, "finalized")["hash"] == scan(node.rpc, ACCOUNT, [], "finalized").block.hash
    )


def test_scan_on_a_node_without_tokens_reads_the_native_coin(node: Anvil) -> None:
    found = scan(node.rpc, ACCOUNT, [])
    assert (123, ()) == (found.native, found.balances)


def test_scan_on_a_node_sees_code_and_delegation_of_the_account(node: Anvil) -> None:
    delegated = Address("0x" + "de" * 20)
    designator = "ef0100" + "11" * 20  # EIP-7702
    node.rpc.call("anvil_setCode", delegated, "0x" + designator)
    assert (
        "0x" + keccak256(bytes.fromhex(designator)).hex() == scan(node.rpc, delegated, []).code_hash
    )
    contract = "0x" + keccak256(bytes.fromhex(ANSWERS_ACCOUNT)).hex()
    assert contract == scan(node.rpc, placed()[0], []).code_hash


def test_scan_on_a_node_outlives_tokens_that_burn_all_gas(node: Anvil) -> None:
    burner, honest = placed()[list(KINDS).index("endless")], placed()[0]
    wanted = [burner] * 450 + [honest] * 3
    before = node.rpc.requests
    found = scan(node.rpc, ACCOUNT, wanted)
    assert (None,) * 450 + (int(ACCOUNT, 16),) * 3 == found.balances
    assert 2 == node.rpc.requests - before


def test_scan_on_a_node_takes_a_thousand_tokens_at_once(node: Anvil) -> None:
    before = node.rpc.requests
    assert (int(ACCOUNT, 16),) * 1000 == scan(node.rpc, ACCOUNT, placed(1) * 1000).balances
    assert 1 == node.rpc.requests - before


class Moving:
    """A node whose chain does something between the two halves of a batch."""

    def __init__(self, rpc: Rpc, act: Callable[[], object]) -> None:
        self.rpc = rpc
        self.act = act
        self.batches = 0

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[JSON | RpcError]:
        self.batches += 1
        first = self.rpc.batch(calls[:1])
        if len(calls) > 1:
            self.act()
        return first + self.rpc.batch(calls[1:])


def test_scan_on_a_moving_chain_belongs_to_one_block(node: Anvil) -> None:
    def spend() -> None:
        node.rpc.call("anvil_setBalance", ACCOUNT, hex(77))
        node.rpc.call("anvil_mine", "0x1")

    snapshot = node.rpc.call("evm_snapshot")
    moving = Moving(node.rpc, spend)
    found = scan(moving, ACCOUNT, placed(1))
    assert (latest(node.rpc)["hash"], 77, 2) == (found.block.hash, found.native, moving.batches)
    node.rpc.call("evm_revert", snapshot)


def test_scan_during_a_reorg_belongs_to_the_chain_that_won(node: Anvil) -> None:
    snapshot = node.rpc.call("evm_snapshot")
    node.rpc.call("evm_setNextBlockTimestamp", int(latest(node.rpc)["timestamp"], 16) + 100)
    node.rpc.call("anvil_mine", "0x1")
    moving = Moving(node.rpc, lambda: node.rpc.call("anvil_reorg", 1, []))
    lost = latest(node.rpc)
    found = scan(moving, ACCOUNT, placed(1))
    won = latest(node.rpc)
    assert lost["number"] == won["number"]
    assert lost["hash"] != won["hash"] == found.block.hash
    node.rpc.call("evm_revert", snapshot)


def test_scan_equals_single_reads_of_real_tokens(chain: World) -> None:
    symbols = ["USDC", "USDT", "WBTC", "DAI", "WETH"]
    for raw, symbol in enumerate(symbols, start=1_000_000):
        chain.fund(ACCOUNT, {symbol: raw})
    chain.fund(ACCOUNT, {"ETH": 7})
    wanted = [Address(chain.addresses[symbol]) for symbol in symbols]
    balance_of = functions("erc20")["balanceOf(address)"]
    singles = tuple(
        balance_of.decode(
            bytes.fromhex(
                str(
                    chain.rpc.call(
                        "eth_call", {"to": token, "data": balance_of.encode(ACCOUNT)}, "latest"
                    )
                )[2:]
            )
        )[0]
        for token in wanted
    )
    found = scan(chain.rpc, ACCOUNT, wanted)
    assert singles == found.balances == tuple(range(1_000_000, 1_000_005))
    assert (1, 7) == (found.chain, found.native)
