"""Finding pools once a day and reading them once per block, from a chain that is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.money import Address
from agent.core.snapshot import Block
from agent.ports import BlockTag, Read
from agent.venues._book import FOUND_SECONDS, Book
from agent.venues._discovery import Factories, pair
from agent.wire.abi import decode, encode, selector

V2_FACTORY, V3_FACTORY = Address("0x" + "f2" * 20), Address("0x" + "f3" * 20)
A, B, C = (Address("0x" + code * 20) for code in ("aa", "bb", "cc"))
V2_AB, V3_AB, V2_BC = (Address("0x" + code * 20) for code in ("01", "02", "03"))
START = 1_800_000_000


@dataclass(slots=True)
class Chain:
    """Answers like two factories and their pools; counts what it is asked."""

    pools: dict[tuple[str, str, int], Address]
    number: int = 1
    timestamp: int = START
    fork: str = ""
    odd: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[set[str]] = field(default_factory=list)

    def block(self, at: BlockTag = "latest") -> Block:
        assert at == "latest"
        return Block(self.number, f"0x{self.number}{self.fork}", "", self.timestamp, 10**9)

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        self.asked.append({NAMES[call.data[:10]] for call in calls})
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Read) -> bytes | None:
        if call.to in self.odd:
            return self.odd[call.to]
        body = bytes.fromhex(call.data[10:])
        match NAMES[call.data[:10]]:
            case "getPair(address,address)":
                one, other = decode(["address", "address"], body)
                return encode(["address"], [self.pools.get((one, other, 0), "0x" + "00" * 20)])
            case "getPool(address,address,uint24)":
                one, other, fee = decode(["address", "address", "uint24"], body)
                return encode(["address"], [self.pools.get((one, other, fee), "0x" + "00" * 20)])
            case "getReserves()":
                return encode(["uint112", "uint112", "uint32"], [10**6, 10**6 * self.number, 0])
            case "slot0()":
                return encode(["uint160", "int24"], [2**96, 0]) + bytes(160)
            case "liquidity()":
                return encode(["uint128"], [10**9])
            case "tickBitmap(int16)":
                return encode(["uint256"], [0])
            case other_name:
                raise AssertionError(other_name)


NAMES = {
    selector(name): name
    for name in (
        "getPair(address,address)",
        "getPool(address,address,uint24)",
        "getReserves()",
        "slot0()",
        "liquidity()",
        "tickBitmap(int16)",
    )
}
FIND = {"getPair(address,address)", "getPool(address,address,uint24)"}
HEADS = {"getReserves()", "slot0()", "liquidity()"}


def made(**changes: object) -> tuple[Chain, Book]:
    known = {(A, B, 0): V2_AB, (A, B, 3000): V3_AB, (B, C, 0): V2_BC}
    chain = Chain(known, **changes)
    factories = Factories(V2_FACTORY, V3_FACTORY, ((500, 10), (3000, 60)))
    return chain, Book(chain, factories)


def test_page_has_every_pool_between_the_tokens() -> None:
    _, book = made()
    page = book.page([C, A, B, A])
    assert {pair(A, B), pair(A, C), pair(B, C)} == set(page.pools)
    v2, v3 = page.pools[pair(A, B)]
    assert isinstance(v2, V2Pool)
    assert isinstance(v3, V3Pool)
    assert (V2_AB, V3_AB, 3000, 60) == (v2.address, v3.address, v3.fee, v3.tick_map.spacing)
    assert () == page.pools[pair(A, C)]


def test_pools_are_looked_for_once_and_read_once_per_block() -> None:
    chain, book = made()
    book.page([A, B])
    assert [FIND, HEADS, {"tickBitmap(int16)"}] == chain.asked
    first = book.page([A, B])
    assert 3 == len(chain.asked)
    chain.number = 2
    second = book.page([A, B])
    assert [HEADS, {"tickBitmap(int16)"}] == chain.asked[3:]
    assert first.pools != second.pools


def test_only_what_is_new_is_read_at_a_known_block() -> None:
    chain, book = made()
    book.page([A, B])
    book.page([A, B, C])
    assert [FIND, {"getReserves()"}] == chain.asked[3:]


def test_other_block_of_the_same_number_is_read_anew() -> None:
    chain, book = made()
    book.page([A, B])
    chain.fork = "b"
    book.page([A, B])
    assert [HEADS, {"tickBitmap(int16)"}] == chain.asked[3:]


def test_pools_are_looked_for_again_after_a_day() -> None:
    chain, book = made()
    assert () == book.page([A, C]).pools[pair(A, C)]
    chain.pools[A, C, 0] = V2_BC
    chain.timestamp, chain.number = START + FOUND_SECONDS, 2
    assert () == book.page([A, C]).pools[pair(A, C)]
    chain.timestamp, chain.number = START + FOUND_SECONDS + 1, 3
    assert 1 == len(book.page([A, C]).pools[pair(A, C)])


def test_pool_that_answers_nonsense_is_left_out_and_not_asked_again_at_that_block() -> None:
    chain, book = made(odd={V3_AB: b"\x01", V2_AB: None})
    assert {pair(A, B): ()} == book.page([A, B]).pools
    asked = len(chain.asked)
    assert {pair(A, B): ()} == book.page([A, B]).pools
    assert asked == len(chain.asked)


def test_factory_that_answers_nonsense_has_no_pools() -> None:
    for odd in (None, b"", b"\x01" * 31, bytes(33)):
        _, book = made(odd={V2_FACTORY: odd, V3_FACTORY: odd})
        assert {pair(A, B): ()} == book.page([A, B]).pools


def test_tokens_are_paired_in_the_order_of_their_addresses() -> None:
    low, high = Address("0x" + "0a" * 20), Address("0x" + "a0" * 20)
    assert (low, high) == pair(low, high) == pair(high, low)


def test_unknown_part_of_a_pool_is_read_further_and_the_others_are_kept() -> None:
    chain, book = made()
    page = book.page([A, B])
    v2, v3 = page.pools[pair(A, B)]
    assert isinstance(v3, V3Pool)
    assert page == book.further(page, {})
    lowest = v3.tick_map.lowest_word
    wider = book.further(page, {v3.address: lowest - 1})
    same, grown = wider.pools[pair(A, B)]
    assert isinstance(grown, V3Pool)
    assert v2 is same
    assert grown.tick_map.lowest_word < lowest
    assert [{"tickBitmap(int16)"}] == chain.asked[3:]
