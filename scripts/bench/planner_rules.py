"""Seeded portfolios over chains, and how rebalancers without a solver would move them.

The rules are re-implemented from their descriptions; they are no one's code. All walk the same
ladders as ours: who uses a pool again goes on where the last trade left it, and pays gas again.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from agent.planning.network import Arc, Network, Range
from agent.planning.proof import brought

BAND = 0.1
"""How far from its target an asset may be, relative to it: what most rebalancers are set to."""

EXACT = 0.01
"""How far a rule that goes to the target may be off: what its own arithmetic leaves."""

_MIN_TRADE = {BAND: 25.0, EXACT: 1.0}
_FLOOR = {BAND: 0.002, EXACT: 0.0002}
_POINTS = 24
_STEEPEST = 0.45
"""The part of a pool's depth at which its ladder ends: there the last dollar brings a tenth."""

_MOST_STEPS = 600
_CENT = 0.01


@dataclass(frozen=True)
class Market:
    """Chains by assets: asset 0 is the dollar that is everywhere, asset 1 the gas coin."""

    chains: int
    assets: int
    start: np.ndarray
    listed: np.ndarray
    target: np.ndarray
    arcs: tuple[tuple[int, int, float, float, float, bool], ...]
    node: dict[tuple[int, int], int] = field(repr=False)

    @property
    def whole(self) -> float:
        return float(self.start.sum())

    def network(self, band: float) -> Network:
        """The planner's problem: every asset within a relative band of its target."""
        width = np.maximum(band * self.target, _FLOOR[band])
        of_asset: list[set[int]] = [set() for _ in range(self.assets)]
        for (_, asset), node in self.node.items():
            of_asset[asset].add(node)
        start = tuple(float(self.start[place]) for place in self.node)
        return Network(
            start=start,
            free=start,
            arcs=tuple(self._arc(number, _MIN_TRADE[band]) for number in range(len(self.arcs))),
            ranges=tuple(
                Range(
                    nodes=frozenset(nodes),
                    low=max(0.0, float(self.target[asset] - width[asset])),
                    high=float(self.target[asset] + width[asset]),
                )
                for asset, nodes in enumerate(of_asset)
            ),
        )

    def _arc(self, number: int, least: float) -> Arc:
        tail, head, fixed, fee, impact, is_bridge = self.arcs[number]
        most = min(self.whole, _STEEPEST / impact)
        sizes = [0.0, *np.geomspace(most * 1e-3, most, _POINTS - 1).tolist()]
        return Arc(
            tail=tail,
            head=head,
            ladder=tuple((x, x - fee * x - impact * x * x) for x in sizes),
            fixed=fixed,
            least=min(least, most),
            via="bridge" if is_bridge else "",
        )

    @cached_property
    def by_ends(self) -> dict[tuple[int, int], Arc]:
        """The arc from node to node, for sizes down to nothing."""
        return {(arc[0], arc[1]): self._arc(n, 0.0) for n, arc in enumerate(self.arcs)}


def market(chains: int, assets: int, seed: int) -> Market:
    """A random market and a portfolio that has drifted from its targets.

    60 % of assets are listed on a chain; chain 0 is dear and deep. Depths are 2e5 to 1e8 dollars,
    fees 5 to 100 bp, drifts have a standard deviation of 45 %, every fourth asset has bridges.
    """
    draw = np.random.default_rng(seed)
    whole = 10 ** draw.uniform(4, 5.7)
    listed = draw.random((chains, assets)) < 0.6
    listed[:, :2] = True
    for asset in range(assets):
        if not listed[:, asset].any():
            listed[draw.integers(chains), asset] = True
    gas = np.where(np.arange(chains) == 0, draw.uniform(3, 15), draw.uniform(0.03, 0.4, chains))
    depth = 10 ** draw.uniform(5.3, 8, (chains, assets))
    depth[0] *= 5
    depth[:, 1] *= 10
    fee = draw.choice([0.0005, 0.003, 0.0005, 0.01], (chains, assets), p=[0.4, 0.45, 0.1, 0.05])
    fee[:, 1] = 0.0005
    target = draw.dirichlet(np.ones(assets) * 2)
    drifted = target * np.exp(0.45 * draw.standard_normal(assets))
    drifted /= drifted.sum()
    start = np.zeros((chains, assets))
    for asset in range(assets):
        places = np.flatnonzero(listed[:, asset])
        start[places, asset] = whole * drifted[asset] * draw.dirichlet(np.ones(len(places)) * 0.7)
    node = {
        place: number
        for number, place in enumerate(
            (chain, asset)
            for chain in range(chains)
            for asset in range(assets)
            if listed[chain, asset]
        )
    }
    arcs = []
    for chain in range(chains):
        for asset in range(1, assets):
            if listed[chain, asset]:
                here, dollar = node[chain, asset], node[chain, 0]
                pool = (float(gas[chain]), float(fee[chain, asset]), float(1 / depth[chain, asset]))
                arcs += [(here, dollar, *pool, False), (dollar, here, *pool, False)]
    for asset in range(assets):
        if asset > 1 and draw.random() > 0.25:
            continue
        places = np.flatnonzero(listed[:, asset])
        for one in places:
            for other in places:
                if one != other:
                    price = float(gas[one] * 1.2 + 0.1 + gas[other] * 0.8)
                    part = float(draw.choice([0.0001, 0.0004, 0.0008]))
                    ends = node[one, asset], node[other, asset]
                    arcs.append((*ends, price, part, 1 / 2e7, True))
    return Market(chains, assets, start, listed, target, tuple(arcs), node)


class Walk:
    """A portfolio that is moved one transaction after the other."""

    def __init__(self, of: Market) -> None:
        self.of, self.held = of, of.start.copy()
        self.cost, self.transactions = 0.0, 0
        self._used: dict[tuple[int, int], float] = {}

    def off(self) -> np.ndarray:
        """By asset how much more is held than wanted."""
        return self.held.sum(axis=0) - self.of.target * self.held.sum()

    def brings(self, one: tuple[int, int], other: tuple[int, int], size: float) -> float:
        """What a trade or a bridge would bring after its gas."""
        arc = self.of.by_ends[self.of.node[one], self.of.node[other]]
        before = self._used.get((arc.tail, arc.head), 0.0)
        if before + size > arc.most:
            return -np.inf
        return brought(arc, before + size) - brought(arc, before) - arc.fixed

    def go(self, one: tuple[int, int], other: tuple[int, int], size: float) -> float:
        """Sell, as much of *size* as there is room for, and say what that brought."""
        arc = self.of.by_ends[self.of.node[one], self.of.node[other]]
        before = self._used.get((arc.tail, arc.head), 0.0)
        size = min(size, self.held[one], arc.most - before)
        if not size > 0:
            return 0.0
        got = brought(arc, before + size) - brought(arc, before)
        self._used[arc.tail, arc.head] = before + size
        self.held[one] -= size
        self.held[other] += got
        self.cost += size - got + arc.fixed
        self.transactions += 1
        return got

    def reached(self, band: float) -> bool:
        """Whether every asset is within a relative band of its target."""
        whole = self.held.sum()
        width = np.maximum(band * self.of.target, _FLOOR[band])
        off = np.abs(self.held.sum(axis=0) - self.of.target * whole)
        return bool((off <= width * whole * (1 + 1e-9)).all())

    def done(self) -> bool:
        """Whether nothing is further off than such rules care about."""
        width = np.maximum(EXACT * self.of.target, _FLOOR[EXACT]) * self.of.whole
        return bool((np.abs(self.off()) <= 0.9 * width).all())

    def buy(self, chain: int, asset: int, dollars: float, *, on: int | None = None) -> None:
        """Buy with dollars of one chain: there, or on the cheapest chain that lists the asset."""
        if asset == 0:
            return
        if on is None:
            on = chain if self.of.listed[chain, asset] else self.cheapest(asset, dollars)
        if on != chain:
            dollars = self.go((chain, 0), (on, 0), dollars)
        self.go((on, 0), (on, asset), dollars)

    def cheapest(self, asset: int, dollars: float) -> int:
        """The chain on which an asset is bought for the least."""
        places = np.flatnonzero(self.of.listed[:, asset]).tolist()
        return max(places, key=lambda c: (self.brings((c, 0), (c, asset), dollars), -c))


def pairing(of: Market) -> Walk:
    """The largest surplus to the largest deficit, from where most is held, whatever it costs."""
    walk = Walk(of)
    _pair(walk)
    return walk


def _pair(walk: Walk) -> None:
    of = walk.of
    for _ in range(_MOST_STEPS):
        if walk.done():
            break
        off = walk.off()
        sell, buy = int(off.argmax()), int(off.argmin())
        size = min(off[sell], -off[buy])
        chain = int(np.where(of.listed[:, sell], walk.held[:, sell], -1).argmax())
        size = min(size, walk.held[chain, sell])
        dollars = walk.go((chain, sell), (chain, 0), size) if sell else size
        walk.buy(chain, buy, dollars)


def cheapest_first(of: Market) -> Walk:
    """The largest surplus by the move that costs least of what it moves, one after the other."""
    walk = Walk(of)
    for _ in range(_MOST_STEPS):
        if walk.done():
            break
        off = walk.off()
        sell = int(off.argmax())
        move = min(_moves(walk, sell, off), default=None)
        if move is None:
            break
        _, size, chain, buy, on = move
        dollars = walk.go((chain, sell), (chain, 0), size) if sell else size
        walk.buy(chain, buy, dollars, on=on)
    return walk


def _moves(walk: Walk, sell: int, off: np.ndarray) -> list[tuple[float, float, int, int, int]]:
    """Moves out of an asset by their cost: the cheapest place to sell, then every place to buy."""
    of, found = walk.of, []
    places = [c for c in range(of.chains) if of.listed[c, sell] and walk.held[c, sell] > _CENT]
    for buy in np.flatnonzero(off < 0).tolist():
        wanted = min(off[sell], -off[buy])
        sales = []
        for chain in places if wanted > 0 else ():
            size = min(wanted, walk.held[chain, sell])
            got = walk.brings((chain, sell), (chain, 0), size) if sell else size
            sales.append((1 - got / size, size, chain, got))
        if not sales:
            continue
        _, size, chain, got = min(sales)
        if not got > 0:
            continue
        for on in np.flatnonzero(of.listed[:, buy]).tolist():
            there = got if on == chain else walk.brings((chain, 0), (on, 0), got)
            end = there if buy == 0 or not there > 0 else walk.brings((on, 0), (on, buy), there)
            if (buy > 0 or on == chain) and end > -np.inf:
                found.append((1 - end / size, size, chain, buy, on))
    return found


def sell_all(of: Market) -> Walk:
    """Everything is sold where it is, and the targets are bought where that is cheapest."""
    walk = Walk(of)
    for chain, asset in of.node:
        if asset and walk.held[chain, asset] > 0:
            walk.go((chain, asset), (chain, 0), walk.held[chain, asset])
    whole = walk.held.sum()
    for asset in sorted(range(1, of.assets), key=lambda a: -of.target[a]):
        missing = of.target[asset] * whole
        on = walk.cheapest(asset, missing)
        for _ in range(of.chains + 1):
            lacking = missing - walk.held[:, asset].sum()
            if lacking <= 1e-6 * whole:
                break
            chain = on if walk.held[on, 0] > _CENT else int(walk.held[:, 0].argmax())
            walk.buy(chain, asset, min(lacking, walk.held[chain, 0]), on=on)
    _pair(walk)  # what buying cost is missing everywhere
    return walk
