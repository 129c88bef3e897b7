"""Filling a swap by one path or by several: what pays, and what is not even looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amm_pools import TOKEN_A, TOKEN_B, v2_pool, v3_pool

from agent.core.amm.path import Pool
from agent.core.amm.tick_price import sqrt_ratio_at_tick
from agent.core.amm.v3 import V3Pool
from agent.core.amm.v4 import V4Key, V4Pool
from agent.core.money import Address, ChainId, Token
from agent.engine.gas_limits import MOST_SIMULATION_GAS, SIMULATION_MARGIN
from agent.planning.split import Splitter
from agent.venues._paths import (
    RATE_UNIT,
    TAKING_GAS,
    TICK_GAS,
    V2_HOP_GAS,
    V3_HOP_GAS,
    V4_HOP_GAS,
    Search,
)
from agent.venues._split import DEARER_HOP_GAS, DEARER_TICK_GAS, MOST_GAS, Filler, dearest_gas
from agent.venues.router import Desk

POOLS = [v2_pool(10**24, 10**24, f"0x{number:040x}") for number in (1, 2)]
RATE = RATE_UNIT * 10**12
"""A hop costs 72 000 × 10¹² base units: what 8.5 × 10²⁰ lose in one of the pools."""

LITTLE_GAS = 1_480_000
"""Room for a dozen swaps."""


def filler() -> Filler:
    return Filler(Search({(TOKEN_A, TOKEN_B): POOLS}, ()))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    amounts: list[int] = []
    best = Splitter.best

    def noted(self: Splitter, order, single):  # type: ignore[no-untyped-def]
        amounts.append(order.amount)
        return best(self, order, single)

    monkeypatch.setattr(Splitter, "best", noted)
    return amounts


def test_what_could_not_pay_for_one_hop_more_is_not_divided(asked: list[int]) -> None:
    found = filler().best(TOKEN_A, TOKEN_B, 10**20, RATE)
    assert found is not None
    assert (1, []) == (len(found.split.shares), asked)


def test_what_pays_for_one_hop_more_is_divided(asked: list[int]) -> None:
    found = filler().best(TOKEN_A, TOKEN_B, 10**22, RATE)
    assert found is not None
    assert [5 * 10**21] * 2 == pytest.approx([share.amount_in for share in found.split.shares])
    assert [10**22] == asked


def test_a_division_brings_more_after_gas_than_its_best_path_alone() -> None:
    for size in range(18, 25):
        amount = 3 * 10**size
        alone = filler().alone(TOKEN_A, TOKEN_B, amount, RATE)
        best = filler().best(TOKEN_A, TOKEN_B, amount, RATE)
        assert alone is not None
        assert best is not None
        assert best.net(RATE) >= alone.net(RATE)
        assert best.net_bound is None or best.net(RATE)[0] <= best.net_bound


def many(count: int, kind: str) -> Filler:
    pools: list[Pool] = [
        v2_pool(10**24, 10**24, f"0x{number:040x}") for number in range(1, count + 1)
    ]
    if kind == "v4":
        pools[::2] = [on_v4(number) for number in range(len(pools[::2]))]
    return Filler(Search({(TOKEN_A, TOKEN_B): pools}, ()))


def on_v4(number: int) -> V4Pool:
    ends = 3000 * (number + 1)
    curve = v3_pool([(-ends, ends, 10**24)], fee=3000, spacing=number + 1)
    key = V4Key(currency0=TOKEN_A, currency1=TOKEN_B, fee=3000, tick_spacing=number + 1)
    return V4Pool(key=key, curve=curve)


@pytest.mark.parametrize("kind", ["v2", "v4"])
def test_split_over_very_many_pools_fits_into_what_the_engine_simulates(kind: str) -> None:
    few, plenty = many(4, kind).best(TOKEN_A, TOKEN_B, 10**23), many(100, kind)
    found = plenty.best(TOKEN_A, TOKEN_B, 10**23)
    assert found is not None
    assert few is not None
    assert MOST_GAS < min(MOST_SIMULATION_GAS, found.gas * SIMULATION_MARGIN)
    assert (True, 10**23) == (dearest_gas(found.split) <= MOST_GAS, found.split.amount_in)
    # As many as there is room for, and a little less where they could be V4's.
    assert MOST_GAS - dearest_gas(found.split) < 4 * (V4_HOP_GAS + TAKING_GAS)
    assert found.split.amount_out > few.split.amount_out
    assert found.net_bound is not None
    assert found.net(0)[0] <= found.net_bound


def test_whatever_a_split_may_take_is_tried_by_the_engine() -> None:
    """Each part of it may be dearer than its quote says by less than the engine's margin."""
    margin = SIMULATION_MARGIN - 1
    assert margin * min(V2_HOP_GAS, V3_HOP_GAS, V4_HOP_GAS) >= DEARER_HOP_GAS
    assert margin * TICK_GAS >= DEARER_TICK_GAS
    assert MOST_GAS < MOST_SIMULATION_GAS


def test_swap_that_only_too_many_pools_take_is_not_filled() -> None:
    pools = [
        replace(v3_pool([(-600, 600, 10**20)]), address=Address(f"0x{number:040x}"))
        for number in range(1, 101)
    ]
    takes = 10**20 * 3 // 100
    filler = Filler(Search({(TOKEN_A, TOKEN_B): pools}, ()))
    assert filler.best(TOKEN_A, TOKEN_B, takes * 60) is not None
    assert filler.best(TOKEN_A, TOKEN_B, takes * 80) is None


def at(number: int, pool: V3Pool) -> V3Pool:
    return replace(pool, address=Address(f"0x{number:040x}"))


def test_more_pools_never_leave_a_swap_without_any_filling() -> None:
    """Those that bring least alone are the ones that nothing can do without here."""
    large = [at(number, v3_pool([(-60, 60, 10**22)])) for number in range(1, 11)]
    price = sqrt_ratio_at_tick(6900)
    small = [
        at(number, v3_pool([(6300, 7500, 10**19)], sqrt_price_x96=price))
        for number in range(21, 31)
    ]
    for pools in (large + small[:5], large + small):
        tight = Filler(Search({(TOKEN_A, TOKEN_B): pools}, ()), LITTLE_GAS)
        found = tight.best(TOKEN_A, TOKEN_B, 3 * 10**20)
        assert found is not None
        assert dearest_gas(found.split) <= LITTLE_GAS


def test_several_paths_that_fit_come_before_a_single_one_that_does_not() -> None:
    """One pool has the best price for all of it, and a tick at every step."""
    steps = [(-60 * i - 60, -60 * i, 10**22) for i in range(0, 41, 2)]
    rich = at(99, v3_pool([(-600, 600, 10**19), *steps]))
    others = [at(number, v3_pool([(-6000, 6000, 10**21)], fee=3000)) for number in range(1, 5)]
    for amount in (44 * 10**19, 60 * 10**19):
        pools = {(TOKEN_A, TOKEN_B): [rich, *others]}
        found = Filler(Search(pools, ()), LITTLE_GAS).best(TOKEN_A, TOKEN_B, amount)
        assert found is not None
        assert dearest_gas(found.split) <= LITTLE_GAS
        assert len(found.split.shares) > 1


def test_a_tiny_pool_of_v4_takes_nothing_from_what_others_bring() -> None:
    pools = [at(number, v3_pool([(-600, 600, 10**20)])) for number in range(1, 101)]
    tiny = on_v4(0)
    tiny = replace(tiny, curve=replace(tiny.curve, liquidity=1000))
    sell, buy = (Token(ChainId(1), each, 18, "T") for each in (TOKEN_A, TOKEN_B))
    for amount in (170 * 10**18, 195 * 10**18):
        without, beside = (
            Desk({(TOKEN_A, TOKEN_B): each}, ()).best(sell, buy, amount, (0, 0))
            for each in (tuple(pools), (*pools, tiny))
        )
        assert without is not None
        assert beside is not None
        assert without.split.amount_out <= beside.split.amount_out


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_filled_by_nothing(amount: int) -> None:
    assert filler().best(TOKEN_A, TOKEN_B, amount) is None
    assert filler().alone(TOKEN_A, TOKEN_B, amount) is None
    assert filler().alone(TOKEN_A, TOKEN_A, 10**18) is None
