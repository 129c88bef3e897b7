"""How far a set of moves is from each goal, and what one more may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from agent.planning.goals import Cell, Goal
from agent.planning.outlook import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What a move may do for one goal, in value: too much, missing, most to give, to take."""

    goal: Goal
    surplus: Decimal
    deficit: Decimal
    give: Decimal
    take: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Value to move from one cell into another, the most that may be, and what it repairs.

    `surplus` and `deficit` are the largest ones; `repairs` are all of them.
    """

    surplus: Decimal
    deficit: Decimal
    most: Decimal
    repairs: tuple[Decimal, ...]

    def repaired(self, value: Decimal) -> Decimal:
        """What moving *value* repairs, for every goal that it helps."""
        return sum((min(value, each) for each in self.repairs), Decimal(0))


class Aims:
    """Goals, and whether they are to be reached surely.

    Then a part counts as too large if it gets what is expected while all others get their
    minimum, and as too small the other way round; else all get what is expected.
    """

    def __init__(self, wanted: Sequence[Goal], *, surely: bool) -> None:
        self.wanted = tuple(wanted)
        self._surely = surely
        self._members: dict[Cell, tuple[int, ...]] = {}

    def members(self, cell: Cell) -> tuple[int, ...]:
        """The goals that hold *cell*, by their place."""
        found = self._members.get(cell)
        if found is None:
            found = tuple(i for i, goal in enumerate(self.wanted) if goal.holds(cell))
            self._members[cell] = found
        return found

    def pulls(self, seen: Outlook, *, aims: bool = True) -> tuple[Pull, ...]:
        """What is off about each goal, to its edges or, with *aims*, to where trades aim."""
        most, values = self._sums(seen.expected)
        least, sure_values = self._sums(seen.least)
        high_whole, low_whole = (
            (max(most, least), min(most, least)) if self._surely else (most,) * 2
        )
        return tuple(
            self._pull(goal, (value, sure_value), (high_whole, low_whole), aims=aims)
            for goal, value, sure_value in zip(self.wanted, values, sure_values, strict=True)
        )

    def _sums(self, cells: Mapping[Cell, Decimal]) -> tuple[Decimal, list[Decimal]]:
        """The whole, and the value of each goal's cells."""
        values = [Decimal(0)] * len(self.wanted)
        for cell, value in cells.items():
            for index in self.members(cell):
                values[index] += value
        return sum(cells.values(), Decimal(0)), values

    def _pull(
        self,
        goal: Goal,
        values: tuple[Decimal, Decimal],
        wholes: tuple[Decimal, Decimal],
        *,
        aims: bool,
    ) -> Pull:
        value, value_least = values
        high_whole, low_whole = wholes
        sure = value_least if self._surely else value
        surplus = value - goal.high * low_whole
        deficit = goal.low * high_whole - sure
        if aims:
            aimed = value - goal.aim_high * low_whole, goal.aim_low * high_whole - sure
            surplus = aimed[0] if surplus > goal.tolerance else Decimal(0)
            deficit = aimed[1] if deficit > goal.tolerance else Decimal(0)
        return Pull(
            goal=goal,
            surplus=max(Decimal(0), surplus),
            deficit=max(Decimal(0), deficit),
            give=value_least - goal.stop_low * high_whole,
            take=goal.stop_high * low_whole - value,
        )

    def missed(self, seen: Outlook) -> tuple[tuple[Goal, Decimal], ...]:
        """Goals that are not reached, with what is too much or (negative) missing."""
        return tuple(
            (pull.goal, pull.surplus - pull.deficit)
            for pull in self.pulls(seen, aims=False)
            if pull.surplus > 0 or pull.deficit > 0
        )

    def shortfall(self, seen: Outlook) -> Decimal:
        """The value by which goals are missed, beyond what they tolerate."""
        return shortfall(self.missed(seen))

    def need(self, sell: Cell, buy: Cell, pulls: Sequence[Pull]) -> Need | None:
        """How much moving value from *sell* to *buy* helps, None when it does not."""
        loses, wins = self.members(sell), self.members(buy)
        giving = [pulls[index] for index in loses if index not in wins]
        taking = [pulls[index] for index in wins if index not in loses]
        surpluses = [pull.surplus for pull in giving if pull.surplus > 0]
        deficits = [pull.deficit for pull in taking if pull.deficit > 0]
        if not (surpluses or deficits):
            return None
        most = min((*(pull.give for pull in giving), *(pull.take for pull in taking)))
        if not most > 0:
            return None
        return Need(
            surplus=max(surpluses, default=Decimal(0)),
            deficit=max(deficits, default=Decimal(0)),
            most=most,
            repairs=(*surpluses, *deficits),
        )


def shortfall(left: Sequence[tuple[Goal, Decimal]]) -> Decimal:
    """The value by which goals are missed, beyond what they tolerate."""
    misses = (abs(value) for goal, value in left if abs(value) > goal.tolerance)
    return sum(misses, Decimal(0))
