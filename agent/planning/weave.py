"""A board's problem in numbers: what the solver is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agent.core.frozen import empty
from agent.core.market import Edge
from agent.core.money import WHOLE_BPS, Amount, ChainId, Token
from agent.planning.board import Board
from agent.planning.curve import Curve, curve
from agent.planning.fuel import UNWRAP, WRAP, Starved, refuelled
from agent.planning.goals import Aim, Cell, Goal, goals
from agent.planning.network import Arc, Joint, Network, Range
from agent.planning.outlook import charged_assets, in_flight_room
from agent.planning.stretch import Points, along, highest, offered, shortened
from agent.planning.trade import FEE_GROWTH
from agent.planning.way import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Tension:
    """What is drawn tighter than the truth, so that what is found holds in integers as well.

    `inside` is value by which ranges are narrowed at their lower and upper edges, by their
    place; `used` is value of ladders that others have used up, by way; `without` are ways that
    must not be used; `dearer` is value added to what each way costs that begins on a chain;
    `kept` is value of gas coins that fees may take; `leg` is value added to each trade. When it is
    `firm` no trade may be smaller than the policy allows, not even one that could be for gas alone.
    """

    inside: Mapping[int, tuple[float, float]] = field(default_factory=empty)
    used: Mapping[int, float] = field(default_factory=empty)
    without: frozenset[int] = frozenset()
    dearer: Mapping[ChainId, float] = field(default_factory=empty)
    kept: Mapping[ChainId, float] = field(default_factory=empty)
    leg: float = 0.0
    firm: bool = False


LOOSE = Tension()
"""The truth, or less: what is proven of it is proven of every plan."""


Strand = tuple[tuple[Way, Arc], ...]
"""Ways of which at most one is used, each as an arc by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weave:
    """The network of a board, and which ways each of its arcs stands for: none for a turn."""

    network: Network
    strands: tuple[Strand, ...]

    def way(self, place: int, sold: float) -> tuple[Way, Arc] | None:
        """The way that leaves most of what is *sold* on an arc, as an arc by itself."""
        fitting = [each for each in self.strands[place] if sold <= each[1].most]
        return max(
            fitting,
            key=lambda each: along(each[1].ladder, sold) - each[1].fixed,
            default=None,
        )


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Places of values: tokens that may be sold or bought, then what else counts of each cell.

    What `arrives` of a form that is only passed through has a place of its own: it must be
    unwrapped before it is sold.
    """

    tokens: Mapping[Token, int]
    arrives: Mapping[Token, int]
    cells: Mapping[Cell, int]
    members: tuple[Cell, ...]
    start: tuple[float, ...]
    free: tuple[float, ...]


def weave(board: Board, aim: Aim, tolerated: Sequence[Decimal], tension: Tension = LOOSE) -> Weave:
    """What the solver is asked about *board*, where each goal may be missed by what is *tolerated*.

    With no tension it is a relaxation: no plan whose integers keep all rules is left out of it,
    and none costs more in it than in truth. A base unit more or less, value that is lost on
    purpose to have less of what is too much, and a plan that uses two ways of one strand at once
    are not thought of.
    """
    nodes = _nodes(board, tension)
    dry = _dry(board)
    make = _Making(
        board=board,
        nodes=nodes,
        tension=tension,
        surely=aim == "edge",
        thirsty=frozenset() if tension.firm else _thirsty(board),
        sold=frozenset(board.node(way.edge.sell) for way in board.ways),
    )
    found = [(way, make.arc(way)) for way in board.ways if way.sell[1] not in dry]
    strands = _strands((way, arc) for way, arc in found if arc is not None)
    turns = tuple(_turns(board, nodes))
    wanted = goals(board.problem.policy, aim, stop_at_target=True)
    limits = board.problem.policy.limits
    network = Network(
        start=nodes.start,
        free=nodes.free,
        arcs=(*map(_either, strands), *turns),
        ranges=tuple(
            _charged(board, goal, each)
            for goal, each in zip(wanted, _ranges(nodes, wanted, tolerated, tension), strict=True)
        ),
        max_turnover=float(limits.max_run_value),
        max_in_flight=max(0.0, float(in_flight_room(board))),
        joints=tuple(_apart(strands, sum(nodes.start))),
    )
    return Weave(network=network, strands=(*strands, *(() for _ in turns)))


def _strands(found: Iterable[tuple[Way, Arc]]) -> list[Strand]:
    """Ways one by one, but those of one venue between the same tokens over shared pools together.

    Of these the one for the larger sizes is thought to do on its own whatever several would do:
    it was found as the best over all of the pools.
    """
    strands: dict[tuple[object, ...], list[tuple[Way, Arc]]] = {}
    for way, arc in found:
        edge = way.edge
        same = strands.setdefault((edge.via, edge.sell, edge.buy), [])
        if same and not any(arc.pools & other.pools for _, other in same):
            same = strands.setdefault((way.index,), [])
        same.append((way, arc))
    return [tuple(strand) for strand in strands.values()]


def _apart(strands: Sequence[Strand], whole: float) -> Iterator[Joint]:
    """Of what stands alone and all that is between the same tokens only one is used.

    The others are used beside each other as they like: so it is a row for each of those.
    """
    near: dict[tuple[Token, Token], list[tuple[int, Edge]]] = {}
    for place, strand in enumerate(strands):
        edge = strand[0][0].edge
        near.setdefault((edge.sell, edge.buy), []).append((place, edge))
    for found in near.values():
        lonely = [place for place, edge in found if edge.alone]
        others = [place for place, edge in found if not edge.alone] or lonely[:1]
        for other in others if lonely else ():
            places = dict.fromkeys((*lonely, other))
            if len(places) > 1:
                yield Joint(terms=tuple((place, 0.0, 0.0, whole) for place in places), most=whole)


def _either(strand: Strand) -> Arc:
    """One arc that is at no size worse than any of these is alone."""
    arcs = [arc for _, arc in strand]
    first, fixed = arcs[0], min(arc.fixed for arc in arcs)
    if len(arcs) == 1:
        return first
    return replace(
        first,
        ladder=highest([(arc.ladder, arc.fixed - fixed) for arc in arcs]),
        fixed=fixed,
        least=min(arc.least for arc in arcs),
        sure=max(arc.sure for arc in arcs),
        pools=frozenset().union(*(arc.pools for arc in arcs)),
    )


def _nodes(board: Board, tension: Tension) -> _Nodes:
    ends = {token for way in board.ways for token in (way.edge.sell, way.edge.buy)}
    coins = {board.native(chain) for chain in board.wraps}
    forms = {board.node(coin) for coin in coins}
    tokens = sorted(ends | coins | forms, key=lambda token: token.key)
    free = [_free(board, token) for token in tokens]
    rest = {cell: float(value) for cell, value in sorted(board.start.items())}
    for chain in sorted({way.sell[1] for way in board.ways}):
        asset = board.asset_of.get(board.native(chain))
        if asset is not None:  # fees come out of it, even of nothing
            rest.setdefault((asset, chain), 0.0)
    members: list[Cell] = []
    for token, value in zip(tokens, free, strict=True):
        cell = board.asset_of[token], token.chain
        rest[cell] = rest.get(cell, 0.0) - value
        members.append(cell)
    kept = [tension.kept.get(token.chain, 0.0) if token.is_native else 0.0 for token in tokens]
    sellable = [max(0.0, value - less) for value, less in zip(free, kept, strict=True)]
    passed = [token for token in tokens if token in board.transit]
    cells = sorted(rest)
    first, then = len(tokens), len(tokens) + len(cells)
    start = (*free, *(max(0.0, rest[cell]) for cell in cells), *(0.0 for _ in passed))
    # Nothing leaves a cell but fees, and what they may take is no question of its value.
    whole = sum(start)
    return _Nodes(
        tokens={token: place for place, token in enumerate(tokens)},
        arrives={token: then + place for place, token in enumerate(passed)},
        cells={cell: first + place for place, cell in enumerate(cells)},
        members=(*members, *cells, *((board.asset_of[t], t.chain) for t in passed)),
        start=start,
        free=(*sellable, *(whole for _ in cells), *(0.0 for _ in passed)),
    )


def _free(board: Board, token: Token) -> float:
    raw = board.native_free.get(token.chain, 0) if token.is_native else board.free.get(token, 0)
    price = board.prices.of(token)
    return float(price.value * Amount(token, raw).whole) if price is not None and raw else 0.0


def _dry(board: Board) -> frozenset[ChainId]:
    """Chains on which no way can be paid for, and to which nothing brings gas."""
    least: dict[ChainId, int] = {}
    fed: set[ChainId] = set()
    for way in board.ways:
        chain = way.sell[1]
        least[chain] = min(way.gas_cap, least.get(chain, way.gas_cap))
        if way.edge.buy.is_native:
            fed.add(way.buy[1])
    return frozenset(
        chain
        for chain, wei in least.items()
        if chain not in fed and isinstance(refuelled(board, {chain: wei}, {}), Starved)
    )


def _thirsty(board: Board) -> frozenset[ChainId]:
    """Chains to which something may have to be brought for gas alone, whatever is done there."""
    most: dict[ChainId, int] = {}
    for way in board.ways:
        most[way.sell[1]] = most.get(way.sell[1], 0) + way.gas_cap
    turns = (WRAP, UNWRAP)
    return frozenset(
        chain
        for chain in board.native_free
        if board.reserve_gap(chain)
        or most.get(chain, 0) + sum(board.gas_cap(chain, *turn) for turn in turns)
        > board.native_held.get(chain, 0)
    )


def _payer(board: Board, nodes: _Nodes, chain: ChainId) -> int:
    """Who pays for gas: what counts of the gas coin and is never sold, its reserve for example."""
    asset = board.asset_of.get(board.native(chain))
    return -1 if asset is None else nodes.cells.get((asset, chain), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """How ways become arcs; `surely` says that goals are to be reached surely.

    `thirsty` are chains to which smaller trades may bring gas, `sold` are nodes of the order of
    trades of which something may be sold: what comes there may go on, and then its minimum is
    not what counts.
    """

    board: Board
    nodes: _Nodes
    tension: Tension
    surely: bool
    thirsty: frozenset[ChainId]
    sold: frozenset[Token]
    pools: dict[str, int] = field(default_factory=dict)

    def arc(self, way: Way) -> Arc | None:
        """One way as an arc; None when it must not be used."""
        board, tension, nodes = self.board, self.tension, self.nodes
        falling = way.buy[0] in board.problem.falling and not way.is_bridge
        if way.index in tension.without or falling:
            return None
        limits = board.problem.policy.limits
        cap = float(limits.max_run_value)
        if way.is_bridge:
            cap = min(cap, float(in_flight_room(board)))
        impact = limits.max_price_impact_bps / WHOLE_BPS
        ladder = offered(_curve(board, way), impact, cap)
        ladder = shortened(ladder, tension.used.get(way.index, 0.0))
        least = 0.0 if self._brings_gas(way) else float(limits.min_trade)
        if not ladder or not ladder[-1][0] >= least:
            return None
        chain, target = way.sell[1], board.node(way.edge.buy)
        goes_on = target in self.sold
        return Arc(
            tail=nodes.tokens[way.edge.sell],
            head=nodes.arrives.get(way.edge.buy, nodes.tokens[way.edge.buy]),
            ladder=ladder,
            fixed=float(way.gas_cost) + tension.dearer.get(chain, 0.0) + tension.leg,
            payer=_payer(board, nodes, chain),
            least=max(least, ladder[0][0]),
            sure=1.0 if goes_on or not self.surely else _sure(board, way, ladder),
            via=way.edge.via if way.is_bridge else "",
            pools=frozenset(
                self.pools.setdefault(pool, len(self.pools)) for pool in sorted(way.edge.pools)
            ),
        )

    def _brings_gas(self, way: Way) -> bool:
        """Whether a trade along *way* could be for gas alone."""
        chain = way.buy[1]
        if chain not in self.thirsty:
            return False
        if way.is_bridge:
            return way.edge.buy.is_native
        return way.edge.buy == self.board.problem.wrapped.get(chain) and chain in self.board.wraps


def _curve(board: Board, way: Way) -> Curve:
    key = ("curve", way.index)
    found: Curve | None = board.memo.get(key)
    if found is None:
        found = board.memo[key] = curve(way)
    return found


def _sure(board: Board, way: Way, ladder: Points) -> float:
    """The largest part of what is expected that any size is sure of."""
    limits = board.problem.policy.limits
    by_quote = 1.0 - limits.max_slippage_bps / WHOLE_BPS
    by_price = 1.0 - limits.max_price_impact_bps / WHOLE_BPS
    paid = [sold / brought for sold, brought in ladder if brought > 0]
    best = max(by_quote, by_price * max(paid))
    if way.is_bridge:
        best = max(best, *(1.0 - max(0.0, each - 1.0) / FEE_GROWTH for each in paid))
    return min(1.0, best)


def _turns(board: Board, nodes: _Nodes) -> Iterator[Arc]:
    """Wraps of gas coins, and unwraps of forms that are only passed through."""
    whole = sum(nodes.start)
    for chain in sorted(board.wraps):
        coin = board.native(chain)
        form = board.node(coin)
        turns = [((nodes.tokens[coin], nodes.tokens[form]), WRAP)]
        if form in board.transit:
            turns.append(((nodes.arrives[form], nodes.tokens[coin]), UNWRAP))
        for (tail, head), gas in turns:
            yield Arc(
                tail=tail,
                head=head,
                ladder=((0.0, 0.0), (whole, whole)),
                fixed=float(board.gas_value(chain, *gas)),
                payer=_payer(board, nodes, chain),
                trade=False,
            )


def _ranges(
    nodes: _Nodes, wanted: Iterable[Goal], tolerated: Sequence[Decimal], tension: Tension
) -> Iterator[Range]:
    whole = sum(nodes.start) or 1.0
    for place, (goal, tolerance) in enumerate(zip(wanted, tolerated, strict=True)):
        low, high = float(goal.low), float(goal.high)
        more, less = (value / whole for value in tension.inside.get(place, (0.0, 0.0)))
        inner = low + more, high - less
        if inner[0] > inner[1]:
            inner = (sum(inner) / 2,) * 2
        narrow = max(low, min(high, inner[0])), max(low, min(high, inner[1]))
        # What is no wider than a point is to be met the more exactly.
        unmet = max(low + more - narrow[0], narrow[1] - (high - less), 0.0) * whole
        yield Range(
            nodes=frozenset(n for n, cell in enumerate(nodes.members) if goal.holds(cell)),
            low=narrow[0],
            high=narrow[1],
            tolerance=max(0.0, float(tolerance) - unmet),
        )


def _charged(board: Board, goal: Goal, wanted: Range) -> Range:
    """What an asset wants, with the charge on how far it is from its target, where there is one."""
    name = goal.asset
    if name is None or goal.chain is not None or name not in charged_assets(board):
        return wanted
    target = board.problem.policy.targets[name].weight / WHOLE_BPS
    return replace(wanted, target=target, rate=float(charged_assets(board)[name]))
