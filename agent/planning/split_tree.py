"""A tree of pools from one token to another: the best amounts along it, and the proof of them.

At each node tokens are divided between branches; a branch is a bundle of pools side by side to the
next token, and the node there, or the end. No pool stands in a tree twice. Such networks have
curves in closed form (`agent.planning.pool_curve`), so that the best amounts are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from agent.core.amm.path import Hop
from agent.planning.pool_curve import Curve, in_a_row, pool_curve, side_by_side

ROUNDING = 1e-12
"""What floats may be wrong by, as part of all that is traded: some twenty roundings of 2⁻⁵³ for
each pool would be 2·10⁻¹⁵, so this is beyond any doubt and a ten-millionth of what matters."""


@dataclass(frozen=True, slots=True, eq=False)
class Arc:
    """A pool in one direction."""

    hop: Hop
    curve: Curve
    spot: float


@dataclass(frozen=True, slots=True)
class Branch:
    """Pools side by side to one token, and what follows; None where that is what is bought."""

    bundle: tuple[Arc, ...]
    node: Node | None


@dataclass(frozen=True, slots=True)
class Node:
    """Branches between which what arrives is divided."""

    branches: tuple[Branch, ...]

    def priced(self, prices: Mapping[int, float]) -> Iterator[tuple[float, Arc, float]]:
        """Each arc from here on between the prices of its tokens."""
        for branch in self.branches:
            price_out = 1.0 if branch.node is None else prices[id(branch.node)]
            for arc in branch.bundle:
                yield prices[id(self)], arc, price_out
            if branch.node is not None:
                yield from branch.node.priced(prices)

    def grown(self, additions: Sequence[Addition]) -> Node:
        """The tree with more in it."""
        here = [addition for addition in additions if addition.at is self]
        branches = [
            Branch(
                (*branch.bundle, *(each.row[0] for each in here if each.place == place)),
                None if branch.node is None else branch.node.grown(additions),
            )
            for place, branch in enumerate(self.branches)
        ]
        branches += [in_row(each.row) for each in here if each.place is None]
        return Node(tuple(branches))

    def without(self, arcs: Set[Arc]) -> Node | None:
        """The tree without some arcs, and without what only they led to or from; None if empty."""
        branches = []
        for branch in self.branches:
            bundle = tuple(arc for arc in branch.bundle if arc not in arcs)
            node = None if branch.node is None else branch.node.without(arcs)
            if bundle and (branch.node is None or node is not None):
                branches.append(Branch(bundle, node))
        return Node(tuple(branches)) if branches else None


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """What could be added at a node: an arc to the bundle at *place*, or a row as a new branch.

    `gain` is what it could bring at most.
    """

    gain: float
    at: Node
    place: int | None
    row: tuple[Arc, ...]


def in_row(row: Sequence[Arc]) -> Branch:
    """Arcs one after the other, as a branch."""
    node: Node | None = None
    for arc in reversed(row[1:]):
        node = Node((Branch((arc,), node),))
    return Branch((row[0],), node)


@dataclass(frozen=True, slots=True)
class Flow:
    """The best amounts for one tree: what each arc takes, and marginal prices by node's id.

    Prices are in what is bought. `bound` is what no amounts along these arcs can beat.
    """

    taken: dict[Arc, float]
    prices: dict[int, float]
    amount_out: float
    bound: float

    def price_of(self, node: Node | None) -> float:
        """The price of what arrives at a node, 1 at the end."""
        return 1.0 if node is None else self.prices[id(node)]


@dataclass(slots=True)
class Atlas:
    """Curves of pools and of trees of one page, each made once."""

    _arcs: dict[tuple[str, str], Arc] = field(default_factory=dict)
    _curves: dict[object, Curve] = field(default_factory=dict)

    def arc(self, hop: Hop) -> Arc:
        """The hop with its curve."""
        key = (hop.pool.address, hop.token_in)
        if key not in self._arcs:
            curve = pool_curve(hop.pool, zero_for_one=hop.zero_for_one)
            self._arcs[key] = Arc(hop, curve, curve.spot)
        return self._arcs[key]

    def of(self, node: Node) -> Curve:
        """The curve of all that is behind *node*."""
        if node not in self._curves:
            self._curves[node] = side_by_side([self._branch(each) for each in node.branches])
        return self._curves[node]

    def _branch(self, branch: Branch) -> Curve:
        if branch not in self._curves:
            curve = self._bundle(branch.bundle)
            if branch.node is not None:
                curve = in_a_row(curve, self.of(branch.node))
            self._curves[branch] = curve
        return self._curves[branch]

    def _bundle(self, bundle: tuple[Arc, ...]) -> Curve:
        if len(bundle) == 1:
            return bundle[0].curve
        if bundle not in self._curves:
            self._curves[bundle] = side_by_side([arc.curve for arc in bundle])
        return self._curves[bundle]

    def flow(self, node: Node, amount: float) -> Flow | None:
        """The best amounts, None where the pools do not take so much."""
        if not self.of(node).takes(amount):
            return None
        taken: dict[Arc, float] = {}
        prices = {id(node): self.of(node).at(amount)[1]}
        out = self._divide(node, amount, taken, prices)
        most, moved = amount * prices[id(node)], amount * prices[id(node)]
        for price_in, arc, price_out in node.priced(prices):
            gained, turned = arc.curve.surplus(price_in, price_out)
            most, moved = most + gained, moved + turned
        return Flow(taken, prices, out, most + ROUNDING * moved)

    def _divide(
        self, node: Node, amount: float, taken: dict[Arc, float], prices: dict[int, float]
    ) -> float:
        """Give each arc its part; what comes out at the end."""
        price = prices[id(node)]
        out = 0.0
        parts = _parts([self._branch(branch) for branch in node.branches], amount, price)
        for branch, part in zip(node.branches, parts, strict=True):
            bundle = [arc.curve for arc in branch.bundle]
            inner = part if len(bundle) == 1 else self._bundle(branch.bundle).at(part)[1]
            arrived = 0.0
            for arc, x in zip(branch.bundle, _parts(bundle, part, inner), strict=True):
                taken[arc] = x
                arrived += arc.curve.at(x)[0]
            if branch.node is not None:
                before = self._bundle(branch.bundle).slopes(part)[0]
                high, low = self.of(branch.node).slopes(arrived)
                # At a jump of the price any one between the two will do: the one that fits.
                prices[id(branch.node)] = min(max(price / before if before else high, low), high)
                arrived = self._divide(branch.node, arrived, taken, prices)
            out += arrived
        return out


def _parts(curves: list[Curve], amount: float, price: float) -> list[float]:
    """The amount divided so that one more brings *price* everywhere; the sum is exact."""
    if len(curves) == 1:
        return [amount]
    parts = [curve.until(price) for curve in curves]
    whole = sum(parts)
    return [part * (amount / whole) for part in parts] if whole > 0 else [amount, *parts[1:]]
