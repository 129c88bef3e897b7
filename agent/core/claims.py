"""Who can be paid out of what: claims that may each draw on some of several supplies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """Base units that somebody needs, and the supplies that they may come out of."""

    raw: int
    sources: tuple[str, ...]


@dataclass(slots=True)
class _Ledger:
    """What is left of each supply, and who draws how much on it: by (claim, supply)."""

    claims: Sequence[Claim]
    left: dict[str, int]
    drawn: dict[tuple[int, str], int]

    def path(self, number: int) -> list[tuple[int, str]]:
        """The shortest way to pay a claim more.

        Its steps are (claim, supply it draws more on): each claim but the first lets go of the
        supply in the step before its own. Empty when there is no way.
        """
        came: dict[str, tuple[int, str | None]] = {}
        row: list[tuple[int, str | None]] = [(number, None)]
        for claim, behind in row:
            for source in self.claims[claim].sources:
                if source in came:
                    continue
                came[source] = (claim, behind)
                if self.left.get(source, 0) > 0:
                    return _traced(came, source)
                row += [
                    (other, source) for (other, used), raw in self.drawn.items()
                    if used == source and raw > 0 and other != claim
                ]  # fmt: skip
        return []

    def pay(self, number: int, wanted: int) -> int:
        """Pay a claim up to *wanted* more, moving others to their other supplies; what it got."""
        paid = 0
        while paid < wanted:
            path = self.path(number)
            if not path:
                break
            lets_go = [self.drawn[claim, path[i][1]] for i, (claim, _) in enumerate(path[1:])]
            raw = min(wanted - paid, self.left[path[-1][1]], *lets_go)
            for i, (claim, source) in enumerate(path):
                self.drawn[claim, source] = self.drawn.get((claim, source), 0) + raw
                if i:
                    self.drawn[claim, path[i - 1][1]] -= raw
            self.left[path[-1][1]] -= raw
            paid += raw
        return paid


def _traced(came: Mapping[str, tuple[int, str | None]], last: str) -> list[tuple[int, str]]:
    steps = []
    source: str | None = last
    while source is not None:
        claim, behind = came[source]
        steps.append((claim, source))
        source = behind
    return steps[::-1]


def first_unpaid(claims: Sequence[Claim], supplies: Mapping[str, int]) -> tuple[int, int] | None:
    """The first claim that cannot be paid together with all before it, and what it could get.

    None when everybody can be paid. Exact: claims move to other supplies of theirs (augmenting
    paths, Ford and Fulkerson) before one is refused.

    >>> first_unpaid([Claim(5, ("a", "b")), Claim(5, ("a",))], {"a": 5, "b": 5})
    >>> first_unpaid([Claim(5, ("a", "b")), Claim(5, ("a",))], {"a": 5, "b": 4})
    (1, 4)
    """
    ledger = _Ledger(claims, dict(supplies), {})
    for number, claim in enumerate(claims):
        paid = ledger.pay(number, claim.raw)
        if paid < claim.raw:
            return number, paid
    return None
