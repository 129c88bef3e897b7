"""The sizes at which a way keeps to the limits of price, each looked up once."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.money import raw_down, raw_up
from agent.planning.board import Board
from agent.planning.ladder import narrowed
from agent.planning.route import Route
from agent.planning.trade import exactly, trade
from agent.planning.way import Way

_SLACK = 20
"""What a later way sells is worth less than what the first one sold, by no more than this part of
it (a twentieth): sizes are narrowed before they are tried exactly, nothing is left out."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The least and the largest base units of each way, by its index; None where there are none."""

    board: Board
    known: dict[int, tuple[int, int] | None] = field(default_factory=dict)

    def of(self, way: Way) -> tuple[int, int] | None:
        """The sizes of one way while nothing else has used it."""
        if way.index not in self.known:
            self.known[way.index] = self._found(way)
        return self.known[way.index]

    def _found(self, way: Way) -> tuple[int, int] | None:
        def fits(raw: int) -> bool:
            return not isinstance(trade(self.board, way, exactly(raw)), str)

        points = [raw for raw, _ in way.edge.ladder]
        good = [place for place, raw in enumerate(points) if fits(raw)]
        if not good:
            return None
        first, last = good[0], good[-1]
        below = points[first - 1] if first else 0
        above = points[last + 1] if last + 1 < len(points) else points[last] + 1
        return narrowed(points[first], below, fits), narrowed(points[last], above, fits)

    def along(self, route: Route, already: int) -> tuple[int, int]:
        """What the first way of a route may sell beside *already*, for all of its ways."""
        first = route.ways[0]
        low, high = 0, 1 << 256
        for way in route.ways:
            found = self.of(way)
            if found is None:
                return 1, 0
            worth = [way.sold_value(raw) / first.sell_price for raw in found]
            low = max(low, raw_up(worth[0], first.edge.sell))
            slack = worth[1] / _SLACK if way is not first else 0
            high = min(high, raw_down(worth[1] + slack, first.edge.sell))
        return max(0, low - already), high - already
