"""Indicative edges from fillings, and what gas is worth in what they buy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from agent.core.amm.split import Share, Split
from agent.core.amm.v2 import V2Pool
from agent.core.amm.v3 import V3Pool
from agent.core.fees import ENVELOPE_BYTES, FeeQuote
from agent.core.market import Edge
from agent.core.money import Address, ChainId, Token
from agent.core.rounding import mul_div_down
from agent.venues._finer import FINE_OCTAVES, finer
from agent.venues._paths import PERMIT_BYTES, PERMIT_GAS, RATE_UNIT, Search
from agent.venues._split import Filling

LADDER_STEPS = 8
"""Sizes for which the best paths are looked for, each twice the one before: the last one is the
size that was asked for. `finer` has more points between the largest."""

APPROVAL_GAS = 50_000
"""Gas of the exact approval that precedes a swap: 46 000 for plain tokens, 55 500 for USDC's proxy
(measured, docs/fees.md)."""

APPROVAL_BYTES = ENVELOPE_BYTES + 68
"""A signed approval: a selector and two words."""

SWAP_SECONDS = 24
"""Two blocks of mainnet: the approval's and the swap's."""

_PROBE_WEI = 10**16
"""Gas coin that is swapped on paper to see what gas is worth: a hundredth of an ether moves no
pool that matters."""

Rates = tuple[int, int]
"""Base units of what is bought that RATE_UNIT of gas and of bytes on a parent chain cost."""


def is_on(chain: ChainId, sell: Token, buy: Token) -> bool:
    """Whether pools of *chain* could swap these: both are ERC-20s of it."""
    here = sell.chain == buy.chain == chain
    return here and not (sell.is_native or buy.is_native)


def rates_in(buy: Address, wrapped: Address, search: Search, fees: FeeQuote) -> Rates | None:
    """What RATE_UNIT of gas and of bytes are worth in *buy*, by the pools themselves."""
    gas, byte = fees.expected(RATE_UNIT, 0), fees.expected(0, RATE_UNIT)
    if buy == wrapped:
        return gas, byte
    probe = search.best(wrapped, buy, _PROBE_WEI)
    if probe is None:
        return None
    worth = probe.amount_out
    return mul_div_down(worth, gas, _PROBE_WEI), mul_div_down(worth, byte, _PROBE_WEI)


def amounts_up_to(size: int) -> list[int]:
    """What the points of a ladder sell."""
    return [size >> step for step in range(LADDER_STEPS - 1, -1, -1)]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Fillings of growing amounts by one venue; amounts that have none are left out of its edge.

    `bytes_of` says how long a filling's call is: without it, as the built-in router calls.
    """

    via: str
    sell: Token
    buy: Token
    amounts: Sequence[int]
    bytes_of: Callable[[Filling], int] = attrgetter("call_bytes")

    def edge(self, found: Sequence[Filling | None]) -> Iterator[Edge]:
        """The edge of what was *found* for the amounts, none where that is nothing."""
        fillings: list[Filling] = []
        most = -1
        for filling in found:
            if filling is not None and filling.split.amount_out > most:
                fillings.append(filling)
                most = filling.split.amount_out
        if not fillings:
            return
        whole = fillings[-1]
        splits = finer([each.split for each in fillings], self.amounts[-1 - FINE_OCTAVES])
        shares = [share.hops for split in splits for share in split.shares]
        gas, size_of_calls = APPROVAL_GAS, APPROVAL_BYTES + ENVELOPE_BYTES + self.bytes_of(whole)
        if whole.is_universal:
            gas, size_of_calls = gas + PERMIT_GAS, size_of_calls + PERMIT_BYTES
        yield Edge(
            via=self.via,
            sell=self.sell,
            buy=self.buy,
            ladder=tuple((split.amount_in, split.amount_out) for split in splits),
            gas=whole.gas + gas,
            seconds=SWAP_SECONDS,
            pools=frozenset(hop.pool.address for hops in shares for hop in hops),
            detail=describe(whole.split),
            data_bytes=size_of_calls,
            splits=splits,
        )


def describe(split: Split) -> str:
    """The paths for people: the kind and fee of each pool, and the part of each of several.

    A fee of 3000 is 0.3 %.
    """
    if len(split.shares) == 1:
        return _path(split.shares[0])
    return ", ".join(
        f"{_percent(share.amount_in, split.amount_in)} % {_path(share)}" for share in split.shares
    )


def _path(share: Share) -> str:
    return " > ".join(
        "V2"
        if isinstance(hop.pool, V2Pool)
        else f"V3 {hop.pool.fee / 10_000:g} %"
        if isinstance(hop.pool, V3Pool)
        else f"V4 {hop.pool.key.fee / 10_000:g} %"
        for hop in share.hops
    )


def _percent(part: int, whole: int) -> str:
    """To the nearest whole one, and to the nearest tenth below two.

    >>> _percent(596, 1000), _percent(4, 1000), _percent(1, 10**6)
    ('60', '0.4', '0.0')
    """
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths / 10:.1f}" if tenths < 20 else f"{(200 * part + whole) // (2 * whole)}"
