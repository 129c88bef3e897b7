"""Rough costs of ways as floats: good enough to say which routes deserve an exact look."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from agent.core.money import Amount
from agent.planning.way import Way


@dataclass(frozen=True, slots=True)
class Curve:
    """A way's ladder in value: `sold` against `brought`, with the value of its gas.

    Nothing that is decided rests on these numbers alone.
    """

    sold: tuple[float, ...]
    brought: tuple[float, ...]
    gas: float
    is_bridge: bool

    def loss(self, value: float, already: float = 0.0) -> float:
        """The part of *value* that is lost on top of *already*, gas included if that is nothing.

        Beyond the ends of the ladder it is what is lost there.
        """
        value = min(value, self.sold[-1] - already)
        if self.is_bridge and not already:
            value = max(value, self.sold[0])
        if not value > 0:
            return 1.0
        brought = self._brought(already + value) - (self._brought(already) if already else 0.0)
        gas = 0.0 if already else self.gas
        return (value - brought + gas) / value

    def _brought(self, value: float) -> float:
        index = min(bisect_left(self.sold, value), len(self.sold) - 1)
        before = (self.sold[index - 1], self.brought[index - 1]) if index else (0.0, 0.0)
        part = (value - before[0]) / (self.sold[index] - before[0])
        return before[1] + part * (self.brought[index] - before[1])


def curve(way: Way) -> Curve:
    """The curve of one way."""
    sold_unit = float(way.sell_price * Amount(way.edge.sell, 1).whole)
    bought_unit = float(way.buy_price * Amount(way.edge.buy, 1).whole)
    return Curve(
        sold=tuple(raw * sold_unit for raw, _ in way.edge.ladder),
        brought=tuple(raw * bought_unit for _, raw in way.edge.ladder),
        gas=float(way.gas_cost),
        is_bridge=way.is_bridge,
    )
