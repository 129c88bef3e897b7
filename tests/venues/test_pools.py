"""Reading pool state in few requests, from a chain that is made up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import POOL, TOKEN_A, TOKEN_B, unhurried, v2_pool, v3_pool, v3_pools
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.core.amm.path import Pool
from agent.core.amm.tick_map import TickMap, first_word, last_word
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import GAS_COIN, V4Key, V4Pool
from agent.core.money import Address
from agent.venues._discovery import v4_place
from agent.venues._pools import V2Place, V3Place, extended, read_pools
from agent.wire.abi import decode, encode, selector

PAIR = Address("0x" + "22" * 20)
AT = 17
WIDE = v3_pool([(-60_000, 60_000, 10**21), (-120, 60, 5), (60, 120, 5)])
RESERVES = v2_pool(1000, 2000, PAIR)
V2_PLACE = V2Place(address=PAIR, token0=TOKEN_A, token1=TOKEN_B)


def place_of(pool: V3Pool) -> V3Place:
    return V3Place(
        address=pool.address,
        token0=pool.token0,
        token1=pool.token1,
        fee=pool.fee,
        tick_spacing=pool.tick_map.spacing,
    )


class Chain:
    """Answers like the pools' contracts, and counts requests."""

    def __init__(self, *pools: Pool, instead: dict[str, bytes | None] | None = None) -> None:
        self.pools = {pool.address: pool for pool in pools}
        self.instead = {selector(name): answer for name, answer in (instead or {}).items()}
        self.requests = 0

    def read(self, calls, at):
        assert at == AT
        self.requests += 1
        return [self.answer(call.to, call.data) for call in calls]

    def answer(self, to, calldata):
        if calldata[:10] in self.instead:
            return self.instead[calldata[:10]]
        pool = self.pools.get(to)
        if pool is None:
            return b""
        if isinstance(pool, V2Pool):
            return encode(["uint112", "uint112", "uint32"], [pool.reserve0, pool.reserve1, 99])
        return self.v3_answer(pool, calldata[:10], bytes.fromhex(calldata[10:]))

    def v3_answer(self, pool, name, argument):
        ticks = dict(pool.tick_map.ticks)
        if name == selector("slot0()"):
            return encode(["uint160", "int24", "uint16"], [pool.sqrt_price_x96, pool.tick, 7])
        if name == selector("liquidity()"):
            return encode(["uint128"], [pool.liquidity])
        if name == selector("tickBitmap(int16)"):
            (word,) = decode(["int16"], argument)
            indices = [tick // pool.tick_map.spacing for tick in ticks]
            bits = sum(1 << index % 256 for index in indices if index // 256 == word)
            return encode(["uint256"], [bits])
        (tick,) = decode(["int24"], argument)
        return encode(["uint128", "int128", "uint256"], [1, ticks.get(tick, 0), 0])


@settings(unhurried, max_examples=20)  # each reads thousands of words
@given(v3_pools())
def test_pool_read_as_a_whole_is_the_pool(pool):
    chain = Chain(pool, RESERVES)
    pools = read_pools(chain.read, [place_of(pool), V2_PLACE], AT, span_ticks=2_000_000)
    assert pools.found == {POOL: pool, PAIR: RESERVES}
    assert pools.missing == {}
    assert chain.requests <= 3


def test_ticks_are_known_around_the_price_only():
    pool = read_pools(Chain(WIDE).read, [place_of(WIDE)], AT).found[POOL]
    assert pool.tick_map == TickMap(
        spacing=60, lowest_word=-1, highest_word=0, ticks=((-120, 5), (60, 0), (120, -5))
    )


@unhurried
@given(v3_pools(), v3_pools(), v3_pools())
def test_what_was_known_before_changes_no_answer(pool, before, other):
    chain, known = Chain(pool, RESERVES), {POOL: before, PAIR: other}
    wanted = [place_of(pool), V2_PLACE]
    assert read_pools(chain.read, wanted, AT) == read_pools(chain.read, wanted, AT, before=known)


def test_pool_known_as_it_is_is_read_in_one_request():
    chain = Chain(WIDE, RESERVES)
    places = [place_of(WIDE), V2_PLACE]
    first = read_pools(chain.read, places, AT)
    assert first == read_pools(chain.read, places, AT, before=first.found)
    assert 3 + 1 == chain.requests


def test_address_without_a_contract_is_nowhere_and_one_that_fails_is_not():
    there = Chain(WIDE, RESERVES, instead={"slot0()": None, "getReserves()": b"\1"})
    wanted = [place_of(WIDE), V2_PLACE]
    assert set() == read_pools(there.read, wanted, AT).nowhere
    assert {POOL, PAIR} == read_pools(Chain().read, wanted, AT).nowhere


def test_pool_is_extended_to_a_missing_word_and_as_far_again():
    chain = Chain(WIDE)
    pool = read_pools(chain.read, [place_of(WIDE)], AT).found[POOL]
    below = extended(chain.read, place_of(WIDE), pool, -2, AT)
    both = extended(chain.read, place_of(WIDE), below, 2, AT)
    assert [(-4, 0), (-4, 7)] == [
        (known.tick_map.lowest_word, known.tick_map.highest_word) for known in (below, both)
    ]
    assert replace(both, tick_map=WIDE.tick_map) == WIDE
    assert both.tick_map.ticks == WIDE.tick_map.ticks


def test_extension_ends_at_the_ends_of_the_scale():
    chain = Chain(WIDE)
    pool = read_pools(chain.read, [place_of(WIDE)], AT).found[POOL]
    while pool.tick_map.lowest_word > first_word(60):
        pool = extended(chain.read, place_of(WIDE), pool, pool.tick_map.lowest_word - 1, AT)
    while pool.tick_map.highest_word < last_word(60):
        pool = extended(chain.read, place_of(WIDE), pool, pool.tick_map.highest_word + 1, AT)
    assert pool == WIDE


def test_extension_to_a_known_word_raises():
    pool = read_pools(Chain(WIDE).read, [place_of(WIDE)], AT).found[POOL]
    with pytest.raises(ValueError, match="word 0 is known already"):
        extended(Chain(WIDE).read, place_of(WIDE), pool, 0, AT)


def test_extension_that_the_pool_does_not_answer_raises():
    pool = read_pools(Chain(WIDE).read, [place_of(WIDE)], AT).found[POOL]
    chain = Chain(WIDE, instead={"tickBitmap(int16)": None})
    with pytest.raises(ValueError, match="tickBitmap reverted"):
        extended(chain.read, place_of(WIDE), pool, 1, AT)


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        ({"slot0()": None}, "slot0 reverted"),
        ({"slot0()": b"\x01"}, "slot0 answered nonsense"),
        ({"slot0()": encode(["uint160", "int24"], [0, 0])}, "the pool has no price yet"),
        ({"slot0()": encode(["uint160", "int24"], [1 << 96, 5])}, "tick 5 is not that of price"),
        ({"slot0()": encode(["uint160", "int24"], [1 << 96, 8_000_000])}, "no tick map"),
        ({"liquidity()": b""}, "liquidity answered nonsense"),
        ({"tickBitmap(int16)": None}, "tickBitmap reverted"),
        ({"ticks(int24)": None}, "ticks reverted"),
        ({"ticks(int24)": b"\xff" * 64}, "ticks answered nonsense"),
    ],
)
def test_pool_that_answers_nonsense_is_missing_and_the_others_are_not(instead, why):
    pools = read_pools(Chain(WIDE, RESERVES, instead=instead).read, [place_of(WIDE), V2_PLACE], AT)
    assert pools.found == {PAIR: RESERVES}
    assert [POOL] == list(pools.missing)
    assert pools.missing[POOL].startswith(why)


def test_address_without_a_pair_is_missing():
    pools = read_pools(Chain(WIDE).read, [place_of(WIDE), V2_PLACE], AT)
    assert [POOL] == list(pools.found)
    assert pools.missing[PAIR].startswith("getReserves answered nonsense")


def test_nothing_is_read_for_no_pools():
    chain = Chain()
    pools = read_pools(chain.read, [], AT)
    assert ({}, {}, 0) == (pools.found, pools.missing, chain.requests)


def test_spacing_of_nothing_raises():
    with pytest.raises(ValueError, match="tick spacing 0 is not positive"):
        replace(place_of(WIDE), tick_spacing=0)


VIEW = Address("0x" + "44" * 20)


def v4_place_of(curve, *, is_native=False):
    key = V4Key(
        currency0=GAS_COIN if is_native else TOKEN_A,
        currency1=TOKEN_B,
        fee=curve.fee,
        tick_spacing=curve.tick_map.spacing,
    )
    return v4_place(VIEW, key, TOKEN_A)


class V4Chain(Chain):
    """Answers like the contract that tells of one pool of v4, and of no other."""

    def __init__(self, place, curve, protocol_fee=0, fee=None):
        super().__init__()
        self.place, self.curve = place, curve
        self.fees = protocol_fee, curve.fee if fee is None else fee

    def answer(self, to, calldata):
        assert to == VIEW
        name, which = calldata[:10], "0x" + calldata[10:74]
        if which != self.place.id:
            return bytes(128)
        if name == selector("getSlot0(bytes32)"):
            said = [self.curve.sqrt_price_x96, self.curve.tick, *self.fees]
            return encode(["uint160", "int24", "uint24", "uint24"], said)
        names = {
            selector("getLiquidity(bytes32)"): "liquidity()",
            selector("getTickBitmap(bytes32,int16)"): "tickBitmap(int16)",
            selector("getTickLiquidity(bytes32,int24)"): "ticks(int24)",
        }
        return self.v3_answer(self.curve, selector(names[name]), bytes.fromhex(calldata[74:]))


@settings(unhurried, max_examples=20)  # each reads thousands of words
@given(v3_pools(), st.integers(0, 900), st.integers(0, 900), st.booleans())
def test_pool_of_v4_read_as_a_whole_is_the_pool(curve, down, up, is_native):
    place, fee = v4_place_of(curve, is_native=is_native), up << 12 | down
    assume(curve.fee < 990_000)
    chain = V4Chain(place, curve, fee)
    pools = read_pools(chain.read, [place], AT, span_ticks=2_000_000)
    named = replace(curve, address=place.address)
    assert {place.address: V4Pool(key=place.key, curve=named, protocol_fee=fee)} == pools.found
    asked = chain.requests
    assert pools == read_pools(chain.read, [place], AT, span_ticks=2_000_000, before=pools.found)
    assert asked + 1 == chain.requests <= 4


def test_pool_of_v4_that_was_never_made_is_nowhere():
    other = v4_place_of(v3_pool([], fee=500, spacing=10))
    pools = read_pools(V4Chain(v4_place_of(WIDE), WIDE).read, [other], AT)
    assert ({}, {other.address}) == (pools.found, pools.nowhere)
    assert {other.address: "the pool has no price yet"} == pools.missing


def test_pool_of_v4_with_another_fee_than_its_key_says_is_missing():
    place = v4_place_of(WIDE)
    pools = read_pools(V4Chain(place, WIDE, fee=3001).read, [place], AT)
    assert {place.address: "the pool takes a fee of 3001, not that of its key"} == pools.missing
    assert set() == pools.nowhere


def test_pool_of_v4_is_extended_as_one_of_v3_is():
    place = v4_place_of(WIDE)
    chain = V4Chain(place, WIDE, 7)
    pool = read_pools(chain.read, [place], AT).found[place.address]
    more = extended(chain.read, place, pool, 2, AT)
    assert (-1, 4) == (more.curve.tick_map.lowest_word, more.curve.tick_map.highest_word)
    assert replace(more, curve=pool.curve) == pool
