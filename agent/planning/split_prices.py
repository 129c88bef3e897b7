"""Prices of tokens at which pools, left to trade as they like, use up exactly what is sold.

For any prices the value of what is sold and the pools' surpluses together is, by weak duality, more
than any division of a swap brings, whichever pools it uses; the prices found here make that bound
small. A pool whose surplus is less than its gas counts for nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from agent.core.money import Address
from agent.planning.split_tree import ROUNDING, Arc

_STEPS = 40
"""Newton steps; ten are enough where no price stands at a jump of liquidity."""

_WIDEST_STEP = 0.7
"""The most that the logarithm of a price moves in one step."""

_ENOUGH = 1e-10
"""A step that lowers the bound by less than this part of it is the last."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What no division brings after the gas of its pools, and the prices that prove it.

    `taken` is what each pool takes at these prices.
    """

    value: float
    prices: dict[Address, float]
    taken: dict[Arc, float]


@dataclass(slots=True)
class _Slope:
    """The bound at some prices, how it changes with their logarithms, and twice."""

    value: float
    moved: float
    gradient: list[float]
    bend: list[list[float]]
    taken: dict[Arc, float]


def least_bound(
    arcs: Sequence[tuple[Arc, float]],
    sell: Address,
    amount: float,
    prices: Mapping[Address, float],
    buy: Address,
) -> Bound:
    """The bound over *arcs*, each with the gas that it costs, from *prices* downhill.

    All prices are in the token that is bought. Newton's method on their logarithms: the second
    derivatives are those of a network of springs, so that each step is one small linear system.
    """
    names = [token for token in prices if token != buy]
    at = dict(prices)
    here = _slope(arcs, sell, amount, at, names)
    for _ in range(_STEPS):
        step = _solved(here.bend, [-each for each in here.gradient])
        widest = max(map(abs, step), default=0.0)
        scale = min(1.0, _WIDEST_STEP / widest) if widest > 0 else 0.0
        before = here.value
        while scale > 1e-6:
            moved = at | {
                name: at[name] * exp(scale * s) for name, s in zip(names, step, strict=True)
            }
            there = _slope(arcs, sell, amount, moved, names)
            if there.value < here.value:
                at, here = moved, there
                break
            scale *= 0.3
        if before - here.value <= _ENOUGH * before:
            break
    return Bound(here.value + ROUNDING * here.moved, at, here.taken)


def _slope(
    arcs: Sequence[tuple[Arc, float]],
    sell: Address,
    amount: float,
    prices: Mapping[Address, float],
    names: Sequence[Address],
) -> _Slope:
    place = {name: number for number, name in enumerate(names)}
    size = len(names)
    gradient = [0.0] * size
    bend = [[0.0] * size for _ in names]
    value = moved = gradient[place[sell]] = amount * prices[sell]
    taken: dict[Arc, float] = {}
    for arc, cost in arcs:
        price_in, price_out = prices[arc.hop.token_in], prices[arc.hop.token_out]
        if arc.spot * price_out <= price_in:
            continue
        gain, turned = arc.curve.surplus(price_in, price_out)
        if gain <= cost:
            continue
        x, give = arc.curve.until_and_give(price_in / price_out)
        taken[arc] = x
        value, moved = value + gain - cost, moved + turned
        one, other = place[arc.hop.token_in], place.get(arc.hop.token_out)
        stiff = give * price_in
        gradient[one] -= x * price_in
        bend[one][one] += stiff
        if other is not None:
            gradient[other] += gain + x * price_in
            bend[other][other] += stiff
            bend[one][other] -= stiff
            bend[other][one] -= stiff
    return _Slope(value, moved, gradient, bend, taken)


def _solved(bend: list[list[float]], right: list[float]) -> list[float]:
    """The solution of a small symmetric system, made definite where it is not."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(bend, right, strict=True)]
    largest = max((row[number] for number, row in enumerate(rows)), default=0.0)
    for number, row in enumerate(rows):
        row[number] = row[number] * (1.0 + 1e-12) + largest * 1e-13 + 1e-300
    for pivot in range(size):
        for below in range(pivot + 1, size):
            factor = rows[below][pivot] / rows[pivot][pivot]
            if factor:
                for column in range(pivot, size + 1):
                    rows[below][column] -= factor * rows[pivot][column]
    solution = [0.0] * size
    for number in range(size - 1, -1, -1):
        known = sum(rows[number][later] * solution[later] for later in range(number + 1, size))
        solution[number] = (rows[number][size] - known) / rows[number][number]
    return solution
