"""One swap in several shares, each along a path of its own; the paths may meet in pools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.core.amm.path import Hop, PathRefusal, Pool, follow, must_join
from agent.core.money import Address
from agent.core.rounding import mul_div_down

Stretches = tuple[tuple[Hop, ...], ...]
"""What is swapped of one path at its turn: the first stretch sells the path's amount, each other
one all that has come to its first token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a swap: base units into its first hop and out of its last.

    The pools of `hops` are as they were before the whole swap, not as earlier shares left them.
    `ticks_crossed` is what its gas depends on besides the hops. Of what neighbours bring together
    it has the part that its amount brought to their common pools, and the last of them the ticks.
    """

    hops: tuple[Hop, ...]
    amount_in: int
    amount_out: int
    ticks_crossed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Shares in the order in which they are swapped, all from one token to one other.

    `bound` is proven: no amounts along these pools, in these directions, bring more of the token
    that is bought before gas. None where nobody proved anything.
    """

    shares: tuple[Share, ...]
    bound: int | None = None

    @property
    def amount_in(self) -> int:
        """Base units sold by all shares."""
        return sum(share.amount_in for share in self.shares)

    @property
    def amount_out(self) -> int:
        """Base units bought by all shares."""
        return sum(share.amount_out for share in self.shares)

    @property
    def swaps(self) -> tuple[Hop, ...]:
        """What is swapped, pool by pool; pools in which neighbours end come once for all."""
        return swaps([share.hops for share in self.shares])


def swaps(paths: Sequence[Sequence[Hop]]) -> tuple[Hop, ...]:
    """All that is swapped for *paths* in this order, as `stretches` says."""
    return tuple(hop for turn in stretches(paths) for stretch in turn for hop in stretch)


def stretches(paths: Sequence[Sequence[Hop]]) -> tuple[Stretches, ...]:
    """What is swapped at the turn of each path.

    A path that ends through the same pools as the next one stops before them: what it brought
    there is swapped at the turn of the next, together with what that brings. So it costs the gas
    of those pools once, and a pair keeps the fee of one swap for itself instead of two.
    """
    found: list[Stretches] = []
    waiting: list[int] = []  # how many pools are ahead of what earlier paths left
    for place, path in enumerate(paths):
        after = paths[place + 1] if place + 1 < len(paths) else ()
        left = _common_end(path, after)
        cuts = [len(path) - ahead for ahead in reversed(waiting) if ahead > left]
        ends = [0, *cuts, len(path) - left]
        found.append(tuple(tuple(path[start:end]) for start, end in pairwise(ends)))
        waiting = [ahead for ahead in waiting if ahead < left] + ([left] if left else [])
    return tuple(found)


def _common_end(one: Sequence[Hop], other: Sequence[Hop]) -> int:
    """How many last pools both have in common, beside the first pool of each."""
    ahead = 0
    for hop, same in zip(reversed(one[1:]), reversed(other[1:]), strict=False):
        if (hop.pool.address, hop.token_in) != (same.pool.address, same.token_in):
            break
        ahead += 1
    return ahead


def quote_split(paths: Iterable[tuple[Sequence[Hop], int]]) -> Split | PathRefusal:
    """Return what *paths* bring for their amounts in, swapped in this order as `stretches` says.

    A pool that is met again is as the earlier swaps left it, as on the chain. The first path that
    cannot take all of its amount refuses the whole. Raises ValueError as `quote_path` does, and
    for paths that do not all lead from one token to one other.
    """
    parts = [(tuple(hops), amount_in) for hops, amount_in in paths]
    for hops, _ in parts:
        must_join(hops)
    ends = {(hops[0].token_in, hops[-1].token_out) for hops, _ in parts}
    if len(ends) != 1:
        raise ValueError(f"the shares of a split lead from one token to one other, not {ends}")
    moved: dict[Address, Pool] = {}
    come: dict[Address, dict[int, int]] = {}  # what has come to a token, by whose share it is
    ticks = []
    for place, turn in enumerate(stretches([hops for hops, _ in parts])):
        whose, done = {place: parts[place][1]}, 0
        ticks.append(0)
        for number, stretch in enumerate(turn):
            if number:
                whose = come.pop(stretch[0].token_in, {}) | whose
            quote = follow(stretch, sum(whose.values()), moved)
            if isinstance(quote, PathRefusal):
                return PathRefusal(hop=done + quote.hop, why=quote.why)
            whose = _divided(quote.amount_out, whose)
            done += len(stretch)
            ticks[place] += sum(hop.ticks_crossed for hop in quote.hops)
        there = come.setdefault(turn[-1][-1].token_out, {})
        there |= whose
    (brought,) = come.values()
    shares = (
        Share(hops=hops, amount_in=x, amount_out=brought[place], ticks_crossed=ticks[place])
        for place, (hops, x) in enumerate(parts)
    )
    return Split(shares=tuple(shares))


def _divided(amount: int, parts: Mapping[int, int]) -> dict[int, int]:
    """*amount* in proportion to *parts*, the rest of all divisions to the last one."""
    whole = sum(parts.values())
    found = {place: mul_div_down(amount, part, whole) for place, part in parts.items()}
    found[next(reversed(found))] += amount - sum(found.values())
    return found
