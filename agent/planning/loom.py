"""The solver's answer made whole: moves that keep all rules in integers, and what was proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from agent.core.fees import money as fee_value
from agent.core.money import ChainId, raw_up
from agent.planning.board import Board
from agent.planning.fuel import Starved, refuelled
from agent.planning.goals import Aim
from agent.planning.greedy import leg_price
from agent.planning.network import Flow
from agent.planning.outlook import Outlook, outlook, untouched
from agent.planning.pull import Aims, Pull
from agent.planning.question import Proof, Question, Solver, Tolerances
from agent.planning.route import Move, Route
from agent.planning.stretch import along
from agent.planning.trade import Trade
from agent.planning.unravel import unravelled
from agent.planning.way import Way
from agent.planning.weave import LOOSE, Tension, Weave

ROUNDS = 3
"""How often the solver is asked at most for moves that hold in integers."""

CLOSE = 5e-3
"""Moves that cost no more than this part above what their question could cost are not improved
further: goals are reached surely, and that alone costs about as much as prices may slip, half a
percent of it."""

FEW = 2
"""Trades that nobody would like to have fewer of: most plans need them."""

CENT = Decimal("0.01")
"""What may be missed of a range because base units are whole and floats are not exact."""

_SHARES = (
    Decimal(1),
    Decimal("1.002"),
    Decimal("0.999"),
    Decimal("0.98"),
    Decimal("0.9"),
    Decimal("0.5"),
)
"""Parts of a move that are tried where all of it must not be done."""

_EXACT = 1.0 - 1e-9
"""The part of what a flow sells that is sold: its floats may add up to a few base units more than
there are, and these would be wrapped or fetched for themselves."""

_END = 1.0 - 1e-7
"""The part of the most that can be sold which is sold at most."""

_PASSES = 12
"""How often sizes are changed by a little before that is given up."""

_WIDENED = 4
"""Moves that are tried wider for each part that is missed, the largest first."""


@dataclass(frozen=True, slots=True)
class Woven:
    """Where the solver's moves lead, what it proved, and why it failed if it did."""

    seen: tuple[Outlook, ...] = ()
    proof: Proof | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Loom:
    """What moves are looked for, and held to: each goal may be missed by what is `tolerated`.

    What is proven is proven of plans that miss each by `slack` more. Bands are `surely` reached,
    but for what is tolerated of them: they are the same parts in the same order. The search begins
    with what is `known`.
    """

    board: Board
    aim: Aim
    aims: Aims
    tolerated: Tolerances
    slack: Decimal = Decimal(0)
    surely: tuple[Aims, Tolerances] | None = None
    known: Outlook | None = None

    @property
    def proven(self) -> Tolerances:
        """By how much each goal is missed at most by plans of which something is proven."""
        return tuple(each + self.slack for each in self.tolerated)

    def missed(self, seen: Outlook) -> Decimal:
        """What goals and bands are missed by beyond what is tolerated here."""
        return sum((over for _, _, over in self.misses(seen)), Decimal(0))

    def misses(self, seen: Outlook) -> list[tuple[int, Pull, Decimal]]:
        """Goals and bands that are missed by more than that, by their place, and by how much."""
        bands = [] if self.surely is None else _misses(self.surely[0], seen, self.surely[1])
        return _misses(self.aims, seen, self.tolerated) + bands


def woven(loom: Loom, solver: Solver) -> Woven:
    """Ask the solver, carry its flow out in integers, and ask again where that does not hold."""
    known = untouched(loom.board) if loom.known is None else loom.known
    question = Question(loom.board, loom.aim, loom.proven, solver, known)
    flow = question.asked()
    if isinstance(flow, str):
        return Woven(failure=flow)
    # Only what is asked without tension is true of every plan.
    proof = Proof(loom.proven, flow)
    found: list[Outlook] = []
    tension = LOOSE
    while True:
        flow, proof = question.parted(flow, proof)
        first, refused = _carried_out(loom.board, _moves(loom.board, question.weave, flow))
        seen = _rerouted(loom, _tuned(loom, first))
        found.append(seen)
        reached = loom.missed(seen) <= Decimal(proof.flow.missed) + CENT
        close = float(seen.total) - flow.bound <= CLOSE * flow.bound
        tighter = _tighter(loom, tension, first, refused)
        good = (reached and close) or tighter == tension
        if len(found) == ROUNDS or (good and (tension.leg or len(seen.trades) <= FEW)):
            return Woven(tuple(found), proof)
        # With a price on legs another answer may do as well with fewer of them.
        tension = replace(tension if good else tighter, leg=float(leg_price(loom.board)))
        again = question.tighter(loom.tolerated, tension)
        if isinstance(again, str):
            return Woven(tuple(found), proof, again)
        flow = again


def missed(aims: Aims, seen: Outlook, tolerated: Sequence[Decimal]) -> Decimal:
    """The value by which goals are missed beyond what is tolerated."""
    return sum((over for _, _, over in _misses(aims, seen, tolerated)), Decimal(0))


def _misses(
    aims: Aims, seen: Outlook, tolerated: Sequence[Decimal]
) -> list[tuple[int, Pull, Decimal]]:
    """Goals that are missed by more than is tolerated, by their place, and by how much."""
    found = []
    for place, (pull, tolerance) in enumerate(
        zip(aims.pulls(seen, aims=False), tolerated, strict=True)
    ):
        over = max(pull.surplus, pull.deficit) - tolerance
        if over > 0:
            found.append((place, pull, over))
    return found


def _moves(board: Board, asked: Weave, flow: Flow) -> tuple[Move, ...]:
    """The moves of a flow."""
    sold, brought = {}, {}
    for place, value in enumerate(flow.sold):
        found = asked.way(place, value) if value > 0 else None
        if found is not None:
            way, arc = found
            # At the very end of what may be sold a rounded base unit is one too many.
            sold[way] = min(value * _EXACT, arc.most * _END)
            brought[way] = along(arc.ladder, sold[way])
    return unravelled(board, sold, brought)


def _carried_out(board: Board, moves: Sequence[Move]) -> tuple[Outlook, tuple[Move, ...]]:
    """Where *moves* lead, and those of them that must not be done even in part."""
    whole = outlook(board, moves)
    if not isinstance(whole, str):
        return whole, ()
    seen, waiting = untouched(board), list(moves)
    while waiting:
        added = next(_additions(board, seen, waiting), None)
        if added is None:
            break
        seen, move = added
        waiting.remove(move)
    return seen, tuple(waiting)


def _additions(
    board: Board, seen: Outlook, waiting: Sequence[Move]
) -> Iterator[tuple[Outlook, Move]]:
    """Where one more of the moves leads that are *waiting*, the most of it that can be done."""
    for share in _SHARES:
        for move in waiting:
            raw = int(move.raw * share)
            ahead = outlook(board, (*seen.moves, Move(move.route, raw))) if raw else ""
            if not isinstance(ahead, str):
                yield ahead, move


def _tuned(loom: Loom, seen: Outlook) -> Outlook:
    """Moves made a little wider where something is still missed: costs, minima, whole units."""
    for _ in range(_PASSES):
        left = loom.misses(seen)
        if not left:
            break
        options = [
            (loom.missed(ahead), ahead.total, place, ahead)
            for place, ahead in enumerate(_wider(loom, seen, left))
        ]
        best = min(options, key=lambda each: each[:3], default=None)
        if best is None or not best[0] < sum(over for _, _, over in left):
            break
        seen = best[3]
    return seen


def _rerouted(loom: Loom, seen: Outlook) -> Outlook:
    """Moves in another order, or along other ways of the same venue, where that is cheaper.

    Which way is best for a size alone need not be so on pools that others have moved, and who comes
    first meets them as they are. No more is missed.
    """
    best = _better(loom, seen, seen.moves[::-1])
    for number, move in enumerate(best.moves):
        for place, way in enumerate(move.route.ways):
            for other in _beside(loom.board, way):
                moves, ways = list(best.moves), list(best.moves[number].route.ways)
                ways[place] = other
                moves[number] = Move(Route(tuple(ways)), moves[number].raw)
                best = _better(loom, best, moves)
    return best


def _better(loom: Loom, best: Outlook, moves: Sequence[Move]) -> Outlook:
    """Where *moves* lead if that is cheaper than the best and misses no more."""
    ahead = outlook(loom.board, moves)
    if isinstance(ahead, str) or not ahead.total < best.total:
        return best
    ahead = _tuned(loom, ahead)
    return ahead if ahead.total < best.total and loom.missed(ahead) <= loom.missed(best) else best


def _beside(board: Board, way: Way) -> Iterator[Way]:
    """Other ways of the same venue between the same tokens over shared pools."""
    for other in board.ways:
        ends = other.edge.via, other.edge.sell, other.edge.buy
        same = ends == (way.edge.via, way.edge.sell, way.edge.buy)
        if same and other is not way and other.edge.pools & way.edge.pools:
            yield other


def _wider(
    loom: Loom, seen: Outlook, left: Sequence[tuple[int, Pull, Decimal]]
) -> Iterator[Outlook]:
    """Where it leads to widen one move by what a part is missed by."""
    for _, pull, over in left:
        fitting = [move for move in seen.moves if _helps(pull, move)]
        fitting.sort(key=lambda move: -move.route.ways[0].sold_value(move.raw))
        for move in fitting[:_WIDENED]:
            way = move.route.ways[0]
            more = raw_up((over + CENT) / way.sell_price, way.edge.sell)
            wider = Move(move.route, move.raw + more)
            ahead = outlook(loom.board, [wider if other is move else other for other in seen.moves])
            if not isinstance(ahead, str):
                yield ahead


def _helps(pull: Pull, move: Move) -> bool:
    """Whether more of a move helps a part that is too large or too small."""
    leaves, enters = pull.goal.holds(move.route.sell), pull.goal.holds(move.route.buy)
    return leaves != enters and leaves == (pull.surplus > pull.deficit)


def _tighter(loom: Loom, tension: Tension, seen: Outlook, refused: Sequence[Move]) -> Tension:
    """What the next round has to know that the last one did not."""
    inside = dict(tension.inside)
    for place, pull, over in loom.misses(seen):
        low, high = inside.get(place, (0.0, 0.0))
        more = float(over + CENT)
        inside[place] = (low, high + more) if pull.surplus > 0 else (low + more, high)
    done = {way.index for move in seen.moves for way in move.route.ways}
    banned = {way.index for move in refused for way in move.route.ways} - done
    return replace(
        tension,
        inside=inside,
        used={**tension.used, **_used(seen, refused)},
        without=tension.without
        | (banned - set(_used(seen, refused)))
        | _starved(loom.board, refused),
        dearer={**tension.dearer, **_dearer(seen)},
        kept={**tension.kept, **_kept(seen)} if refused else tension.kept,
        firm=tension.firm or bool(refused),
    )


def _used(seen: Outlook, refused: Sequence[Move]) -> dict[int, float]:
    """What each way's ladder loses to trades before it that share its pools."""
    used: dict[int, float] = {}
    for way in {way for move in refused for way in move.route.ways}:
        before = [t for t in seen.trades if t.way is not way and _is_met(t, way)]
        if before:
            used[way.index] = float(sum(t.sold_value for t in before))
    for place, done in enumerate(seen.trades):
        before = [t for t in seen.trades[:place] if t.way is not done.way and _is_met(t, done.way)]
        if before:
            used[done.way.index] = float(sum(t.sold_value for t in before))
    return used


def _is_met(done: Trade, way: Way) -> bool:
    """Whether a trade uses up the ladder of a way; cuts tell of paths that are known."""
    known = way.edge.splits and done.way.edge.splits
    return bool(done.way.edge.pools & way.edge.pools) and not known


def _starved(board: Board, refused: Sequence[Move]) -> frozenset[int]:
    """All ways that begin on chains whose gas coin does not pay for the least that was wanted."""
    chains = set()
    for way in {way for move in refused for way in move.route.ways}:
        if isinstance(refuelled(board, {way.sell[1]: way.gas_cap}, {}), Starved):
            chains.add(way.sell[1])
    return frozenset(way.index for way in board.ways if way.sell[1] in chains)


def _dearer(seen: Outlook) -> dict[ChainId, float]:
    """What it costs to bring gas to chains, for each way that begins there."""
    costs: dict[ChainId, Decimal] = {}
    for step in (*seen.fuel.first, *seen.fuel.last):
        cost = step.cost if isinstance(step, Trade) else step.gas_cost
        if step.gas_for is not None:
            costs[step.gas_for] = costs.get(step.gas_for, Decimal(0)) + cost
    begun = [done.way.sell[1] for done in seen.trades if done.gas_for is None]
    return {
        chain: float(cost / max(1, begun.count(chain)))
        for chain, cost in costs.items()
        if cost > CENT
    }


def _kept(seen: Outlook) -> dict[ChainId, float]:
    """The value of gas coins that fees may take."""
    prices = seen.board.problem.native_prices
    return {chain: float(fee_value(wei, prices[chain])) for chain, wei in seen.fuel.caps.items()}
