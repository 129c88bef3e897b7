"""More points for a ladder between those that were searched for, along the same paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from agent.core.amm.split import Share, Split, quote_split
from agent.core.money import Address
from agent.core.rounding import mul_div_down

FINE_OCTAVES, FINE_PARTS = 4, 4
"""So many of the largest stretches of a twofold ladder are divided, into so many parts each.
Between twofold points a straight line shows up to a ninth more price impact than there is; with
four parts an eightieth."""


def finer(splits: Sequence[Split], above: int) -> tuple[Split, ...]:
    """The *splits*, growing ones, and others between those that sell at least *above* base units.

    Each of the others has the paths of a neighbour, and brings more than the straight line.
    """
    found = [splits[0]]
    for less, more in pairwise(splits):
        if less.amount_in >= above:
            found += _between(less, more)
        found.append(more)
    return tuple(found)


def _between(less: Split, more: Split) -> Iterator[Split]:
    """The best along known paths for each size between two, where that rises above the line."""
    width, height = more.amount_in - less.amount_in, more.amount_out - less.amount_out
    last, apart = less, not set(map(_way, less.shares)) <= set(map(_way, more.shares))
    for amount in sorted({width * part // FINE_PARTS for part in range(1, FINE_PARTS)} - {0}):
        whole = less.amount_in + amount
        ways = [(more, _mixed(less, more, amount))]
        if apart:
            ways += [(each, [share.amount_in for share in each.shares]) for each in (more, less)]
        tried = (divided(split, parts, whole) for split, parts in ways)
        known = [split for split in tried if split is not None]
        best = max(known, key=lambda split: split.amount_out, default=less)
        line = less.amount_out + mul_div_down(height, amount, width)
        if line < best.amount_out < more.amount_out and last.amount_out < best.amount_out:
            yield best
            last = best


def _mixed(less: Split, more: Split, amount: int) -> list[int]:
    """What goes along the paths of *more* at *amount* beyond *less*, each part of the way there.

    Outputs are concave, so that it brings more than a part of what both bring.
    """
    width = more.amount_in - less.amount_in
    before = {_way(share): share.amount_in for share in less.shares}
    return [
        (before.get(_way(share), 0) * (width - amount) + share.amount_in * amount) // width
        for share in more.shares
    ]


def _way(share: Share) -> tuple[tuple[Address, Address], ...]:
    """What tells paths apart, quickly."""
    return tuple((hop.pool.address, hop.token_in) for hop in share.hops)


def divided(split: Split, parts: Sequence[int], amount: int) -> Split | None:
    """*amount* along the paths of a split, in proportion to *parts*; None where they refuse it.

    What rounding leaves goes to the path that has most; paths that get nothing are left out.
    """
    whole = sum(parts)
    sizes = [mul_div_down(amount, part, whole) for part in parts]
    sizes[sizes.index(max(sizes))] += amount - sum(sizes)
    shares = zip(split.shares, sizes, strict=True)
    found = quote_split([(share.hops, size) for share, size in shares if size > 0])
    return found if isinstance(found, Split) else None
