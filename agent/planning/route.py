"""A move from one cell to another over one to three ways."""

from __future__ import annotations

from dataclasses import dataclass

from agent.planning.goals import Cell
from agent.planning.way import Way


@dataclass(frozen=True, slots=True)
class Route:
    """Ways that hand on to each other what they bring."""

    ways: tuple[Way, ...]

    @property
    def sell(self) -> Cell:
        """Where it takes from."""
        return self.ways[0].sell

    @property
    def buy(self) -> Cell:
        """Where it leads to."""
        return self.ways[-1].buy

    @property
    def key(self) -> tuple[int, ...]:
        """What makes two routes the same."""
        return tuple(way.index for way in self.ways)

    @property
    def name(self) -> str:
        """The route in a sentence."""
        return ", then ".join(way.name for way in self.ways)

    @property
    def bridges(self) -> tuple[Way, ...]:
        """Its ways to another chain."""
        return tuple(way for way in self.ways if way.is_bridge)


@dataclass(frozen=True, slots=True)
class Move:
    """A route with the base units that its first way sells; each further way sells what comes."""

    route: Route
    raw: int
