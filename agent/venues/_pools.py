"""Reads the state of on-chain pools in few requests.

One request for the prices and reserves of all pools, one for the words of their tick bitmaps
around the price, one for the ticks that those words name; all at one block. Of pools that were
read before, all of that is asked in the first request, and what has changed in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from agent.core.amm.path import Pool
from agent.core.amm.tick_map import WORD_BITS, TickMap, first_word, last_word, word_of
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Key, V4Pool
from agent.core.money import Address
from agent.ports import BlockTag, Read
from agent.wire.abi import AbiError, decode, functions

SPAN_TICKS = 6_932
"""Ticks that are read to each side of the price: until it halves or doubles, ln 2 / ln 1.0001."""

_NONE: Mapping[Address, Pool] = MappingProxyType({})

Reads = Callable[[Sequence[Read], BlockTag], Sequence[bytes | None]]
"""Answers in order, None for a call that reverted, in one request: `Node.read`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Place:
    """Where a pair is, its tokens, and the share of the input that counts."""

    address: Address
    token0: Address
    token1: Address
    kept_numerator: int = 997
    kept_denominator: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class V3Place:
    """Where a pool is, its tokens, its fee (hundredths of a basis point) and tick spacing.

    Raises ValueError for a spacing that no pool can have.
    """

    address: Address
    token0: Address
    token1: Address
    fee: int
    tick_spacing: int

    def __post_init__(self) -> None:
        if not (self.tick_spacing > 0):
            raise ValueError(f"tick spacing {self.tick_spacing} is not positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class V4Place:
    """Who tells of a pool, and what it is known by; `token0` may be the wrapped coin for the coin.

    `id` has 32 bytes.
    """

    state_view: Address
    id: str
    key: V4Key
    token0: Address
    token1: Address

    @property
    def address(self) -> Address:
        """What tells the pool from all others: as much of its id as an address has."""
        return Address(self.id[:42])

    @property
    def fee(self) -> int:
        """The fee of its liquidity providers, in hundredths of a basis point."""
        return self.key.fee

    @property
    def tick_spacing(self) -> int:
        """Ticks between the ends of positions."""
        return self.key.tick_spacing


Ticked = V3Place | V4Place
"""Of a pool with ticks."""

Place = V2Place | Ticked
"""What is known of a pool before its state is read; none of it ever changes."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Pools by address, and why there is none for the other addresses that were asked for.

    Of these, nothing at all is at those of `nowhere`.
    """

    found: dict[Address, Pool]
    missing: dict[Address, str]
    nowhere: set[Address]


def read_pools(
    read: Reads,
    places: Sequence[Place],
    at: BlockTag,
    *,
    span_ticks: int = SPAN_TICKS,
    before: Mapping[Address, Pool] = _NONE,
) -> Pools:
    """Return the pools at *places* as of block *at*, in at most three requests.

    Pairs are read in one, so that a tag will do for them; ticks need the block's number.

    Of a v3 pool the ticks up to *span_ticks* around the price are known afterwards, rounded up
    to whole bitmap words. A pool that answers nonsense is missing, never empty. What is known of
    some from *before* makes it one request, where no price moved into words and no position
    onto ticks that were not known then.
    """
    pools = Pools({}, {}, set())
    heads: dict[Ticked, _Head] = {}
    calls = [_states(place) for place in places]
    read = _remembering(read, [call for place in places for call in _likely(before, place)])
    for place, answers in zip(places, _read_groups(read, calls, at), strict=True):
        if _is_nowhere(place, answers[0]):
            pools.nowhere.add(place.address)
        try:
            if isinstance(place, V2Place):
                pools.found[place.address] = _v2_pool(place, answers)
            else:
                heads[place] = _head(place, answers)
        except ValueError as fault:
            pools.missing[place.address] = str(fault)
    around = {place: _around(head.tick, place, span_ticks) for place, head in heads.items()}
    maps = _read_maps(read, list(around.items()), at)
    for (place, head), tick_map in zip(heads.items(), maps, strict=True):
        try:
            pools.found[place.address] = _ticked_pool(place, head, _sound(tick_map))
        except ValueError as fault:
            pools.missing[place.address] = str(fault)
    return pools


def _likely(before: Mapping[Address, Pool], place: Place) -> list[Read]:
    """What is asked of a pool after its state if nothing much has changed."""
    known = before.get(place.address)
    if known is None or isinstance(known, V2Pool) or isinstance(place, V2Place):
        return []
    tick_map = _curve(known).tick_map
    words = range(tick_map.lowest_word, tick_map.highest_word + 1)
    return [*_bitmaps(place, words), *_ticks(place, [tick for tick, _ in tick_map.ticks])]


def _remembering(read: Reads, likely: Sequence[Read]) -> Reads:
    """Read like *read* at one block, and in the first request what is *likely* asked later."""
    known: dict[Read, bytes | None] = {}

    def reads(calls: Sequence[Read], at: BlockTag) -> list[bytes | None]:
        wanted = [*calls, *likely] if not known else calls
        fresh = list(dict.fromkeys(call for call in wanted if call not in known))
        if fresh:
            known.update(zip(fresh, read(fresh, at), strict=True))
        return [known[call] for call in calls]

    return reads


def extended(
    read: Reads, place: Ticked, pool: V3Pool | V4Pool, word: int, at: int
) -> V3Pool | V4Pool:
    """Return the *pool* at *place*, its ticks known up to bitmap word *word* and as far beyond it.

    Two requests; *at* must be the block that the pool was read at. Raises ValueError when the
    pool answers nonsense, or when the word is known already.
    """
    curve = _curve(pool)
    known = curve.tick_map
    reach = known.highest_word - known.lowest_word + 1
    if known.lowest_word <= word <= known.highest_word:
        raise ValueError(f"word {word} is known already")
    if word < known.lowest_word:
        lowest = max(min(first_word(known.spacing), word), word - reach)
        words = range(lowest, known.lowest_word)
    else:
        highest = min(max(last_word(known.spacing), word), word + reach)
        words = range(known.highest_word + 1, highest + 1)
    (found,) = _read_maps(read, [(place, words)], at)
    curve = replace(curve, tick_map=known.with_words(_sound(found)))
    return replace(pool, curve=curve) if isinstance(pool, V4Pool) else curve


def _curve(pool: V3Pool | V4Pool) -> V3Pool:
    return pool.curve if isinstance(pool, V4Pool) else pool


def _states(place: Place) -> list[Read]:
    if isinstance(place, V2Place):
        return [_call(place.address, "uniswap_v2_pair", "getReserves()")]
    if isinstance(place, V4Place):
        return [_view(place, "getSlot0(bytes32)"), _view(place, "getLiquidity(bytes32)")]
    return [
        _call(place.address, "uniswap_v3_pool", "slot0()"),
        _call(place.address, "uniswap_v3_pool", "liquidity()"),
    ]


def _v2_pool(place: V2Place, answers: Sequence[bytes | None]) -> V2Pool:
    reserve0, reserve1 = _values(("uint112", "uint112"), answers[0], "getReserves")
    return V2Pool(
        address=place.address,
        token0=place.token0,
        token1=place.token1,
        reserve0=reserve0,
        reserve1=reserve1,
        kept_numerator=place.kept_numerator,
        kept_denominator=place.kept_denominator,
    )


class _Head(NamedTuple):
    """What is read of a pool before its ticks; without a part for the protocol in v3."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    protocol_fee: int = 0


def _is_nowhere(place: Place, answer: bytes | None) -> bool:
    """Whether nothing is there: no code answers so, and in v4 a pool that was never made."""
    return answer == b"" or (isinstance(place, V4Place) and answer is not None and not any(answer))


def _head(place: Ticked, answers: Sequence[bytes | None]) -> _Head:
    # Forks append other things to slot0; price and tick come first with all of them.
    is_v4 = isinstance(place, V4Place)
    types = ("uint160", "int24", "uint24", "uint24") if is_v4 else ("uint160", "int24")
    sqrt_price_x96, tick, *fees = _values(types, answers[0], "slot0")
    (liquidity,) = _values(("uint128",), answers[1], "liquidity")
    if sqrt_price_x96 == 0:
        raise ValueError("the pool has no price yet")
    if fees and fees[1] != place.fee:
        raise ValueError(f"the pool takes a fee of {fees[1]}, not that of its key")
    return _Head(sqrt_price_x96, tick, liquidity, *fees[:1])


def _ticked_pool(place: Ticked, head: _Head, tick_map: TickMap) -> V3Pool | V4Pool:
    curve = V3Pool(
        address=place.address,
        token0=place.token0,
        token1=place.token1,
        fee=place.fee,
        sqrt_price_x96=head.sqrt_price_x96,
        tick=head.tick,
        liquidity=head.liquidity,
        tick_map=tick_map,
    )
    if isinstance(place, V3Place):
        return curve
    return V4Pool(key=place.key, curve=curve, protocol_fee=head.protocol_fee)


def _around(tick: int, place: Ticked, span_ticks: int) -> range:
    spacing = place.tick_spacing
    lowest = max(first_word(spacing), word_of(tick - span_ticks, spacing))
    highest = min(last_word(spacing), word_of(tick + span_ticks + spacing, spacing))
    return range(lowest, highest + 1)


def _read_maps(
    read: Reads, wanted: Sequence[tuple[Ticked, range]], at: BlockTag
) -> list[TickMap | str]:
    """Read these words of each pool; what went wrong stands in the place of a map."""
    asked = [_bitmaps(place, words) for place, words in wanted]
    bitmaps = _read_groups(read, asked, at)
    ticks: list[list[int] | str] = []
    for (place, words), answers in zip(wanted, bitmaps, strict=True):
        try:
            ticks.append(list(_initialised(answers, place.tick_spacing, words)))
        except ValueError as fault:
            ticks.append(str(fault))
    asked = [
        _ticks(place, found) if isinstance(found, list) else []
        for (place, _), found in zip(wanted, ticks, strict=True)
    ]
    nets = _read_groups(read, asked, at)
    return [
        _tick_map(place.tick_spacing, words, found, answers)
        for (place, words), found, answers in zip(wanted, ticks, nets, strict=True)
    ]


def _bitmaps(place: Ticked, words: Iterable[int]) -> list[Read]:
    if isinstance(place, V4Place):
        return [_view(place, "getTickBitmap(bytes32,int16)", word) for word in words]
    return [_call(place.address, "uniswap_v3_pool", "tickBitmap(int16)", word) for word in words]


def _ticks(place: Ticked, ticks: Iterable[int]) -> list[Read]:
    if isinstance(place, V4Place):
        return [_view(place, "getTickLiquidity(bytes32,int24)", tick) for tick in ticks]
    return [_call(place.address, "uniswap_v3_pool", "ticks(int24)", tick) for tick in ticks]


def _initialised(answers: Sequence[bytes | None], spacing: int, words: range) -> Iterable[int]:
    for word, answer in zip(words, answers, strict=True):
        (bits,) = _values(("uint256",), answer, "tickBitmap")
        for bit in range(bits.bit_length()):
            if bits >> bit & 1:
                yield (word * WORD_BITS + bit) * spacing


def _tick_map(
    spacing: int, words: range, ticks: list[int] | str, answers: Sequence[bytes | None]
) -> TickMap | str:
    if isinstance(ticks, str):
        return ticks
    try:
        nets = [_values(("uint128", "int128"), answer, "ticks")[1] for answer in answers]
        return TickMap(
            spacing=spacing,
            lowest_word=words.start,
            highest_word=words.stop - 1,
            ticks=tuple(zip(ticks, nets, strict=True)),
        )
    except ValueError as fault:
        return str(fault)


def _sound(found: TickMap | str) -> TickMap:
    if isinstance(found, TickMap):
        return found
    raise ValueError(found)


def _read_groups(
    read: Reads, groups: Sequence[Sequence[Read]], at: BlockTag
) -> list[Sequence[bytes | None]]:
    """Read all calls of all groups in one request, and group the answers likewise."""
    calls = [call for group in groups for call in group]
    answers = read(calls, at) if calls else ()
    starts = [0]
    for group in groups:
        starts.append(starts[-1] + len(group))
    return [answers[start:end] for start, end in pairwise(starts)]


def _view(place: V4Place, signature: str, *values: int) -> Read:
    which = bytes.fromhex(place.id[2:])
    return _call(place.state_view, "uniswap_v4_state_view", signature, which, *values)


def _call(address: Address, contract: str, signature: str, *values: int | bytes) -> Read:
    return Read(address, functions(contract)[signature].encode(*values))


def _values(types: Sequence[str], answer: bytes | None, name: str) -> tuple[int, ...]:
    if answer is None:
        raise ValueError(f"{name} reverted")
    try:
        return decode(types, answer)
    except AbiError as fault:
        raise ValueError(f"{name} answered nonsense: {fault}") from fault
