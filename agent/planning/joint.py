"""What ways that share pools bring together at most: cuts that keep liquidity from counting twice.

At any prices of a chain's tokens no trades, in whatever order, bring more value than they take but
for what the pools lose on it; and no pool loses more than it does when it trades at these prices as
much as pays. So for prices p, and all ways over some pools together,

    Σ p(bought)·brought − Σ p(sold)·sold  ≤  Σ over pools of  max over x of  p(out)·f(x) − p(in)·x

with f the pool's curve, either side of it. What trades put into a pool one after the other brings
no more than all at once: exactly that in V3, whose fees stay outside, and less in V2, where x·y = k
after each fee gives (1 + d)^−γ ≤ 1 / (1 + γ·d) of what is left. Trades on both sides of a pool take
out less than their difference alone would, since each pays the fee. So this is true of every plan,
whatever the order, and a cut does not hide one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.core.money import Address, Amount, ChainId, Token
from agent.planning.board import Board
from agent.planning.network import Arc, Flow, Joint, Network
from agent.planning.split_prices import Arc as Side
from agent.planning.split_prices import Link, Node, gain, least_bound
from agent.planning.stretch import along
from agent.planning.wake import hops, side_curve
from agent.planning.way import Way

WORTHWHILE = 1e-4
"""Less than this part of a flow's cost is no reason to ask again."""

_EXACT = 1e-9
"""The part of what pools lose by which a cut is loosened, so that floats cannot make it false."""

Strands = Sequence[Sequence[tuple[Way, Arc]]]
"""The ways of each arc of a network, none where it is no trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """At these `prices`, as parts of the independent ones, `ways` bring no more than `worth`.

    What is meant is value beyond the value of what they sell.
    """

    ways: frozenset[int]
    prices: Mapping[Token, float]
    worth: float


def cuts(board: Board, strands: Strands, network: Network, flow: Flow) -> Iterator[Cut]:
    """What *flow* brings too much of because its ways share pools."""
    used = {
        place: (value, along(network.arcs[place].ladder, value))
        for place, value in enumerate(flow.sold)
        if value > 0
    }
    for basin in basins(board):
        mine = {p: strands[p][0][0] for p in used if _is_in(strands[p], basin.ways)}
        if len(mine) < 2:
            continue
        net: dict[Token, float] = {}
        for place, way in mine.items():
            for token, value in zip((way.edge.sell, way.edge.buy), used[place], strict=True):
                net[token] = net.get(token, 0.0) + (-value if token == way.edge.sell else value)
        heads = {network.arcs[place].head: way.edge.buy for place, way in mine.items()}
        for arc, sold, kept in ((network.arcs[p], *both) for p, both in used.items()):
            if is_waste(arc) and arc.tail in heads:
                net[heads[arc.tail]] -= sold - kept
        cut = basin.cut(net)
        over = sum(cut.prices[token] * value for token, value in net.items()) - cut.worth
        if over > WORTHWHILE * flow.cost:
            yield cut


@dataclass(frozen=True, slots=True)
class Basin:
    """Ways that lead through connected pools, those pools by side, and values of base units."""

    ways: frozenset[int]
    links: tuple[Link, ...]
    units: Mapping[Token, float]

    def cut(self, net: Mapping[Token, float]) -> Cut:
        """The cut that *net* value by token, what is brought less what is sold, breaks most."""
        nodes = {token: (token.address, False) for token in net}
        end = nodes[max(net, key=lambda token: (net[token], token.key))]
        first = self._first_prices()
        sold = {nodes[token]: -value / self.units[token] for token, value in net.items()}
        found = least_bound(self.links, sold, {n: p / first[end] for n, p in first.items()}, end)
        unit = first[end]
        prices = {node: price * unit for node, price in found.prices.items()}
        lost = sum(gain(link, prices) for link in self.links)
        moved = sum(prices[node] * abs(amount) for node, amount in sold.items())
        return Cut(
            ways=self.ways,
            prices={
                token: prices[token.address, False] / unit for token, unit in self.units.items()
            },
            worth=lost + _EXACT * (lost + moved),
        )

    def _first_prices(self) -> dict[Node, float]:
        """Values of base units, and of hubs in between what they bring."""
        prices: dict[Node, float] = {(t.address, False): unit for t, unit in self.units.items()}
        known = set(prices)
        for _ in range(len(self.links)):
            for link in self.links:
                price = link.arc.spot * prices.get(link.other, 0.0)
                if link.one not in known and price > prices.get(link.one, 0.0):
                    prices[link.one] = price
        return prices


def basins(board: Board) -> tuple[Basin, ...]:
    """Groups of ways whose pools are connected, of which two ways could share one."""
    key = ("basins",)
    found: tuple[Basin, ...] | None = board.memo.get(key)
    if found is None:
        found = board.memo[key] = tuple(_basins(board))
    return found


def _basins(board: Board) -> Iterator[Basin]:
    groups: list[tuple[set[tuple[ChainId, Address]], list[Way]]] = []
    for way in board.ways:
        if not way.edge.splits:
            continue
        pools = {(way.sell[1], pool) for pool, _ in hops((way,))}
        ways = [way]
        apart = []
        for group in groups:
            if group[0] & pools:
                pools |= group[0]
                ways = [*group[1], *ways]
            else:
                apart.append(group)
        groups = [*apart, (pools, ways)]
    for _, ways in groups:
        if len(ways) > 1:
            yield _basin(board, ways)


def _basin(board: Board, ways: Sequence[Way]) -> Basin:
    links = []
    for _, hop in sorted(hops(ways).items()):
        line = side_curve(board, ways[0].sell[1], hop)
        one, other = (hop.token_in, False), (hop.token_out, False)
        links.append(Link(Side(hop, line, line.spot), one, other))
    units = {}
    for way in ways:
        for token, price in ((way.edge.sell, way.sell_price), (way.edge.buy, way.buy_price)):
            units[token] = float(price * Amount(token, 1).whole)
    return Basin(frozenset(way.index for way in ways), tuple(links), units)


def together(network: Network, strands: Strands, known: Iterable[Cut], impact: float) -> Network:
    """*network* with what its arcs bring together at most.

    What they bring less then is wasted where it would arrive, which costs what it is worth: an
    arc for that leads to a place of its own in the same ranges. No trade may lose more than
    *impact* of what it sells, so that no more than that is ever wasted.
    """
    known = tuple(known)
    ways = {
        place: strand[0][0]
        for place, strand in enumerate(strands)
        if any(_is_in(strand, cut.ways) for cut in known)
    }
    heads = sorted({network.arcs[place].head for place in ways})
    first, places, wastes = len(network.start), {}, []
    for number, head in enumerate(heads):
        arcs = [network.arcs[place] for place in ways if network.arcs[place].head == head]
        places[head] = len(network.arcs) + number
        wastes.append(_waste(arcs, first + number, impact))
    nothing = (0.0,) * len(heads)
    more = {head: first + number for number, head in enumerate(heads)}
    return replace(
        network,
        start=(*network.start, *nothing),
        free=(*network.free, *nothing),
        arcs=(*network.arcs, *wastes),
        ranges=tuple(
            replace(each, nodes=each.nodes | {more[head] for head in heads if head in each.nodes})
            for each in network.ranges
        ),
        joints=(*network.joints, *(_joint(cut, network, ways, places) for cut in known)),
    )


def _joint(cut: Cut, network: Network, ways: Mapping[int, Way], places: Mapping[int, int]) -> Joint:
    """A cut's row; *places* are of the arcs on which it is wasted what arrives at a node."""
    terms, wasted = [], {}
    for place, way in ways.items():
        if way.index in cut.ways:
            price = cut.prices[way.edge.buy]
            terms.append((place, -cut.prices[way.edge.sell], price, 0.0))
            wasted[places[network.arcs[place].head]] = price
    terms += [(place, -price, price, 0.0) for place, price in sorted(wasted.items())]
    return Joint(terms=tuple(terms), most=cut.worth)


def _waste(arcs: Sequence[Arc], place: int, impact: float) -> Arc:
    """What is lost of all that *arcs* bring to one place.

    Of what is surely brought only that part is lost that counts of it. So half of what is put here
    stays, and counts for more than it is. Nothing is sold of what counts with its minimum.
    """
    most = sum(max(got - (1.0 - impact) * sold for sold, got in arc.ladder) for arc in arcs)
    sure = min(arc.sure for arc in arcs)
    end = (most, 0.0) if sure == 1.0 else (2.0 * most, most)
    return Arc(
        tail=arcs[0].head,
        head=place,
        ladder=((0.0, 0.0), end),
        fixed=0.0,
        sure=2.0 - sure,
        trade=False,
    )


def _is_in(strand: Sequence[tuple[Way, Arc]], ways: frozenset[int]) -> bool:
    return bool(strand) and all(way.index in ways for way, _ in strand)


def is_waste(arc: Arc) -> bool:
    """Whether an arc only wastes what it sells: a wrap loses nothing."""
    return not arc.trade and arc.ladder[-1][1] < arc.ladder[-1][0]
