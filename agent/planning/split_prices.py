"""Prices of tokens at which pools, left to trade as they like, use up exactly what is sold.

For any prices the value of what is sold and the pools' surpluses together is, by weak duality, at
least what any division of the swap brings, whichever of the pools it uses; the prices found here
make that bound small, and what the pools trade at them is the best division. A pool whose surplus
is less than its gas counts for nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from agent.core.amm.path import Hop
from agent.core.money import Address
from agent.planning.pool_curve import Curve

ROUNDING = 1e-12
"""What floats may be wrong by, as part of all that is traded: some twenty roundings of 2⁻⁵³ for
each pool would be 2·10⁻¹⁵, so this is beyond any doubt and a ten-millionth of what matters."""

_STEPS = 40
"""Newton steps; ten are enough where no price stands at a jump of liquidity."""

_WIDEST_STEP = 0.7
"""The most that the logarithm of a price moves in one step."""

_DAMPING = 0.1
"""Stiffness that is added for each unit by which a price misses its balance. Tokens that trade with
each other and hardly with the rest would otherwise move far together; none is left at the end."""

_SHORTEST, _SHORTEST_WITH_GAS = 1e-6, 1e-2
"""A step that has to be shortened below this part of it is not taken. With gas the bound has edges,
at which shorter steps end anyway."""

_LAST = 1e-11
"""A step that promises less than this part of the bound is the last: near the end a step leaves
about the square of what it found, so that nothing is left."""

_NOTHING = 1e-16
"""A step that promises less than floats can tell apart is not worth a look."""

Node = tuple[Address, bool]
"""A token, and whether it can only be swapped to what is bought, since two hops led to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Arc:
    """A pool in one direction."""

    hop: Hop
    curve: Curve
    spot: float


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """An arc between two nodes, and the gas that it costs in what is bought."""

    arc: Arc
    one: Node
    other: Node
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Bound:
    """What no division brings after the gas of its pools, and the prices that prove it.

    `taken` is what each pool takes and pays at these prices.
    """

    value: float
    prices: dict[Node, float]
    taken: dict[Arc, tuple[float, float]]


@dataclass(slots=True)
class _Slope:
    """The bound at some prices, how it changes with their logarithms, and twice."""

    value: float
    moved: float
    gradient: list[float]
    bend: list[list[float]]
    taken: dict[Arc, tuple[float, float]]


def least_bound(
    links: Sequence[Link], sold: Mapping[Node, float], prices: Mapping[Node, float], end: Node
) -> Bound:
    """The bound over *links* for what is *sold*, less what is bought, from *prices* downhill.

    All prices are in what is bought, whose own stays. Newton's method on their logarithms: the
    second derivatives are those of a network of springs, so each step is one small linear system.
    """
    nodes = [node for node in prices if node != end]
    place = {node: number for number, node in enumerate([*nodes, end])}
    springs = [(each.arc, place[each.one], place[each.other], each.cost) for each in links]
    sales = [(place[node], amount) for node, amount in sold.items()]
    shortest = _SHORTEST_WITH_GAS if any(each.cost > 0.0 for each in links) else _SHORTEST
    at = [*(prices[node] for node in nodes), 1.0]
    here = _slope(springs, at, sales)
    for _ in range(_STEPS):
        step = [*_solved(here.bend, here.gradient), 0.0]
        promise = -sum(g * s for g, s in zip(here.gradient, step, strict=True))
        if not promise > _NOTHING * here.value:
            break
        scale = widest = min(1.0, _WIDEST_STEP / max(map(abs, step)))
        while scale > shortest * widest:
            moved = [price * exp(scale * s) for price, s in zip(at, step, strict=True)]
            there = _slope(springs, moved, sales)
            if there.value < here.value or promise < _LAST * here.value:
                at, here = moved, there
                break
            scale *= 0.3
        else:
            break
        if promise < _LAST * here.value:
            break
    found = dict(zip([*nodes, end], at, strict=True))
    return Bound(here.value + ROUNDING * here.moved, found, here.taken)


def gain(link: Link, prices: Mapping[Node, float]) -> float:
    """The most that the arc brings between the prices of its ends, before gas."""
    price_in, price_out = prices[link.one], prices[link.other]
    if link.arc.spot * price_out <= price_in:
        return 0.0
    x, y, _, beyond = link.arc.curve.meet(price_in / price_out)
    return price_out * (y + beyond) - price_in * x


def _slope(
    springs: Sequence[tuple[Arc, int, int, float]],
    prices: list[float],
    sales: Sequence[tuple[int, float]],
) -> _Slope:
    size = len(prices)
    gradient = [0.0] * size
    bend = [[0.0] * size for _ in prices]
    value = moved = 0.0
    for node, amount in sales:
        worth = gradient[node] = amount * prices[node]
        value += worth
        moved += abs(worth)
    taken: dict[Arc, tuple[float, float]] = {}
    for arc, one, other, cost in springs:
        price_in, price_out = prices[one], prices[other]
        if arc.spot * price_out <= price_in:
            continue
        x, y, give, beyond = arc.curve.meet(price_in / price_out)
        worth_in, worth_out = price_in * x, price_out * y
        surplus = worth_out - worth_in + price_out * beyond
        if surplus <= cost:
            continue
        taken[arc] = (x, y)
        value += surplus - cost
        moved += worth_in + worth_out
        stiff = give * price_in
        gradient[one] -= worth_in
        gradient[other] += worth_out
        bend[one][one] += stiff
        bend[other][other] += stiff
        bend[one][other] -= stiff
        bend[other][one] -= stiff
    gradient[-1] = 0.0
    return _Slope(value, moved, gradient, bend, taken)


def _solved(bend: list[list[float]], gradient: list[float]) -> list[float]:
    """The step down, all prices but the last free; the system is made definite where it is not."""
    size = len(gradient) - 1
    rows = [[*row[:size], -slope] for row, slope in zip(bend[:size], gradient, strict=False)]
    largest = max(row[number] for number, row in enumerate(rows))
    for number, row in enumerate(rows):
        row[number] += 1e-12 * (row[number] + largest) + _DAMPING * abs(row[size]) + 1e-300
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
