"""Finding pools once a day and reading them once per block, from a chain that is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core.amm.tick_price import sqrt_ratio_at_tick
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.fees import FeeQuote
from agent.core.money import Address
from agent.core.snapshot import Block
from agent.ports import BlockTag, Read
from agent.venues._book import FEES_SECONDS, FOUND_SECONDS, Book
from agent.venues._discovery import Factories, pair, places
from agent.wire.abi import decode, encode, selector

V2_FACTORY, V3_FACTORY = Address("0x" + "f2" * 20), Address("0x" + "f3" * 20)
A, B, C = (Address("0x" + code * 20) for code in ("aa", "bb", "cc"))
SPACING = 60
FACTORIES = Factories(V2_FACTORY, V3_FACTORY, ((500, 10), (3000, SPACING)))
V2_AB, _, V3_AB = (place.address for place in places(FACTORIES, pair(A, B)))
V2_BC, V2_AC = (places(FACTORIES, pair(one, C))[0].address for one in (B, A))
START = 1_800_000_000


@dataclass(slots=True)
class Chain:
    """Answers like pools where two factories would put them; counts what it is asked."""

    pools: set[Address]
    number: int = 1
    tick: int = 0
    ticks: dict[int, int] = field(default_factory=dict)
    timestamp: int = START
    fork: str = ""
    fees_asked: int = 0
    odd: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[set[str]] = field(default_factory=list)
    read_at: list[set[str]] = field(default_factory=list)

    def block(self, at: BlockTag = "latest") -> Block:
        assert at == "latest"
        return Block(self.number, f"0x{self.number}{self.fork}", "", self.timestamp, 10**9)

    def fees(self) -> FeeQuote:
        self.fees_asked += 1
        return FeeQuote(self.number, 1)

    def read(self, calls: Sequence[Read], at: BlockTag = "latest") -> tuple[bytes | None, ...]:
        self.asked.append({NAMES[call.data[:10]] for call in calls})
        self.read_at.append({call.to for call in calls})
        return tuple(self._answer(call) for call in calls)

    def _answer(self, call: Read) -> bytes | None:
        if call.to in self.odd:
            return self.odd[call.to]
        if call.to not in self.pools:
            return b""
        match NAMES[call.data[:10]]:
            case "getReserves()":
                return encode(["uint112", "uint112", "uint32"], [10**6, 10**6 * self.number, 0])
            case "slot0()":
                price = sqrt_ratio_at_tick(self.tick)
                return encode(["uint160", "int24"], [price, self.tick]) + bytes(160)
            case "liquidity()":
                return encode(["uint128"], [10**9])
            case "tickBitmap(int16)":
                (word,) = decode(["int16"], bytes.fromhex(call.data[10:]))
                places = [divmod(tick // SPACING, 256) for tick in self.ticks]
                bits = sum(1 << bit for at_word, bit in places if at_word == word)
                return encode(["uint256"], [bits])
            case "ticks(int24)":
                (tick,) = decode(["int24"], bytes.fromhex(call.data[10:]))
                return encode(["uint128", "int128"], [1, self.ticks.get(tick, 0)]) + bytes(192)
            case other_name:
                raise AssertionError(other_name)


NAMES = {
    selector(name): name
    for name in (
        "getReserves()",
        "slot0()",
        "liquidity()",
        "tickBitmap(int16)",
        "ticks(int24)",
    )
}
HEADS, MAPS, TICKS = (
    {"getReserves()", "slot0()", "liquidity()"},
    {"tickBitmap(int16)"},
    {"ticks(int24)"},
)


def made(**changes: object) -> tuple[Chain, Book]:
    chain = Chain({V2_AB, V3_AB, V2_BC}, **changes)
    return chain, Book(chain, FACTORIES)


def test_page_has_every_pool_between_the_tokens() -> None:
    _, book = made()
    page = book.page([C, A, B, A])
    assert {pair(A, B), pair(A, C), pair(B, C)} == set(page.pools)
    v2, v3 = page.pools[pair(A, B)]
    assert isinstance(v2, V2Pool)
    assert isinstance(v3, V3Pool)
    assert (V2_AB, V3_AB, 3000, 60) == (v2.address, v3.address, v3.fee, v3.tick_map.spacing)
    assert () == page.pools[pair(A, C)]


def test_pools_are_looked_for_with_their_state_and_read_once_per_block() -> None:
    chain, book = made(ticks={-60: 5, 120: -5})
    first = book.page([A, B])
    assert [HEADS, MAPS, TICKS] == chain.asked
    assert first == book.page([A, B])
    assert 3 == len(chain.asked)


def test_next_block_is_read_in_one_request_where_only_prices_and_amounts_have_changed() -> None:
    chain, book = made(ticks={-60: 5, 120: -5})
    first = book.page([A, B])
    chain.number, chain.tick, chain.ticks = 2, 61, {-60: 7, 120: -7}
    second = book.page([A, B])
    assert [HEADS | MAPS | TICKS] == chain.asked[3:]
    assert first.pools != second.pools
    _, v3 = second.pools[pair(A, B)]
    assert isinstance(v3, V3Pool)
    assert (61, ((-60, 7), (120, -7))) == (v3.tick, v3.tick_map.ticks)


def test_tick_that_is_new_at_the_next_block_is_read_and_one_that_is_gone_is_left_out() -> None:
    chain, book = made(ticks={-60: 5, 120: -5})
    book.page([A, B])
    chain.number, chain.ticks = 2, {-60: 5, 180: -5}
    _, v3 = book.page([A, B]).pools[pair(A, B)]
    assert [HEADS | MAPS | TICKS, TICKS] == chain.asked[3:]
    assert isinstance(v3, V3Pool)
    assert ((-60, 5), (180, -5)) == v3.tick_map.ticks


def test_price_that_moved_beyond_the_known_words_is_followed() -> None:
    chain, book = made(ticks={-60: 5, 120: -5})
    _, v3 = book.page([A, B]).pools[pair(A, B)]
    chain.number, chain.tick, chain.ticks = 2, 40_000, {39_960: 5, 40_020: -5}
    _, moved = book.page([A, B]).pools[pair(A, B)]
    assert [HEADS | MAPS | TICKS, MAPS, TICKS] == chain.asked[3:]
    assert isinstance(v3, V3Pool)
    assert isinstance(moved, V3Pool)
    assert v3.tick_map.highest_word < moved.tick_map.lowest_word
    assert ((39_960, 5), (40_020, -5)) == moved.tick_map.ticks


def test_pool_that_another_page_left_out_is_still_read_in_one_request() -> None:
    chain, book = made(ticks={-60: 5})
    book.page([A, B])
    chain.number = 2
    book.page([B, C])
    chain.number = 3
    book.page([A, B])
    assert [HEADS | MAPS | TICKS] == chain.asked[-1:]


def test_fees_are_asked_once_a_minute() -> None:
    chain, book = made()
    first = book.page([A, B])
    for number, later, asked in ((2, FEES_SECONDS - 1, 1), (3, FEES_SECONDS, 2), (4, -1, 3)):
        chain.number, chain.timestamp = number, START + later
        page = book.page([A, B])
        assert asked == chain.fees_asked
        assert (first.fees if asked == 1 else FeeQuote(number, 1)) == page.fees


def test_only_what_is_new_is_read_at_a_known_block() -> None:
    chain, book = made()
    book.page([A, B])
    book.page([A, B, C])
    assert [HEADS] == chain.asked[2:]
    chain.number = 2
    book.page([A, B, C])
    assert [HEADS | MAPS] == chain.asked[3:]
    assert {V2_AB, V3_AB, V2_BC} == chain.read_at[3]


def test_other_block_of_the_same_number_is_read_anew() -> None:
    chain, book = made()
    book.page([A, B])
    chain.fork = "b"
    book.page([A, B])
    assert [HEADS | MAPS] == chain.asked[2:]


def test_pools_are_looked_for_again_after_a_day() -> None:
    chain, book = made()
    assert () == book.page([A, C]).pools[pair(A, C)]
    chain.pools.add(V2_AC)
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
    assert [MAPS] == chain.asked[2:]
