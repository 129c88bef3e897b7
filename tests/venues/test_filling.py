"""Filling a swap by one path or by several: what pays, and what is not even looked for."""

from __future__ import annotations

import pytest
from amm_pools import TOKEN_A, TOKEN_B, v2_pool

from agent.planning.split import Splitter
from agent.venues._paths import RATE_UNIT, Search
from agent.venues._split import Filler

POOLS = [v2_pool(10**24, 10**24, f"0x{number:040x}") for number in (1, 2)]
RATE = RATE_UNIT * 10**12
"""A hop costs 72 000 × 10¹² base units: what 8.5 × 10²⁰ lose in one of the pools."""


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


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_filled_by_nothing(amount: int) -> None:
    assert filler().best(TOKEN_A, TOKEN_B, amount) is None
    assert filler().alone(TOKEN_A, TOKEN_B, amount) is None
    assert filler().alone(TOKEN_A, TOKEN_A, 10**18) is None
