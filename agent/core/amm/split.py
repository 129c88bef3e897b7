"""One swap in several shares, each along a path of its own; the paths may meet in pools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.core.amm.path import Hop, PathRefusal, Pool, follow
from agent.core.money import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a swap: base units into its first hop and out of its last.

    The pools of `hops` are as they were before the whole swap, not as earlier shares left them.
    `ticks_crossed` is what its gas depends on besides the hops.
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


def quote_split(paths: Iterable[tuple[Sequence[Hop], int]]) -> Split | PathRefusal:
    """Return what *paths* bring for their amounts in, swapped one after the other in this order.

    A pool that occurs in several is met as the earlier ones left it, as on the chain. The first
    path that cannot take all of its amount refuses the whole. Raises ValueError as `quote_path`
    does, and for paths that do not all lead from one token to one other.
    """
    moved: dict[Address, Pool] = {}
    shares: list[Share] = []
    for hops, amount_in in paths:
        quote = follow(hops, amount_in, moved)
        if isinstance(quote, PathRefusal):
            return quote
        shares.append(
            Share(
                hops=tuple(hops),
                amount_in=amount_in,
                amount_out=quote.amount_out,
                ticks_crossed=sum(hop.ticks_crossed for hop in quote.hops),
            )
        )
    ends = {(share.hops[0].token_in, share.hops[-1].token_out) for share in shares}
    if len(ends) != 1:
        raise ValueError(f"the shares of a split lead from one token to one other, not {ends}")
    return Split(shares=tuple(shares))
