"""Finding moves that repair every part that is off, one best move after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from agent.core.money import WHOLE_BPS, raw_down, raw_up
from agent.core.wording import money
from agent.planning.atlas import Atlas
from agent.planning.board import Board
from agent.planning.choice import Candidate, candidates
from agent.planning.fuel import Starved
from agent.planning.goals import Aim, Goal, goals
from agent.planning.ladder import fitting
from agent.planning.ledger import Unsaid
from agent.planning.outlook import Outlook, in_flight_room, outlook, untouched
from agent.planning.pull import Aims, Need, shortfall
from agent.planning.reach import Reach
from agent.planning.route import Move, Route

_STEPS_PER_GOAL = 6
"""Brake: a repaired part is touched again only because costs moved its edges, by less each
time; more often than this it does not pay."""

_LOOKS = 10
"""Routes that are tried exactly before the best of them is taken."""

_MOST_FAILS = 32
"""Routes that may fail in one step before the search gives up: what seems cheapest comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to choose the next move.

    `larger` sizes a move by the larger of the two needs that it serves, else by the smaller;
    `by_size` takes the largest repair first, else the cheapest per value repaired; `frugal`
    refuses every trade that costs more than the policy's share of its own value.
    """

    aim: Aim
    stop_at_target: bool = True
    larger: bool = False
    by_size: bool = False
    frugal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Moves, where they lead, what stays off, and why more was not possible.

    `left` are goals that are not reached, with the value that is too much or (negative)
    missing.
    """

    outlook: Outlook
    left: tuple[tuple[Goal, Decimal], ...]
    notes: tuple[str, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves."""
        return self.outlook.moves

    @property
    def shortfall(self) -> Decimal:
        """The value by which goals are missed, beyond what they tolerate."""
        return shortfall(self.left)


@dataclass(frozen=True, slots=True)
class _Step:
    """A candidate with what it repairs and costs."""

    outlook: Outlook
    repaired: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the moves that are chosen so far lead, and how the next one is chosen."""

    board: Board
    strategy: Strategy
    seen: Outlook
    reach: Reach


def search(
    board: Board, map_: Atlas, reach: Reach, strategy: Strategy, start: Found | None = None
) -> Found:
    """Add the best move until nothing is off or nothing helps; then drop what is not needed.

    With *start* its moves are there already.
    """
    wanted = goals(board.problem.policy, strategy.aim, stop_at_target=strategy.stop_at_target)
    aims = Aims(wanted, surely=strategy.aim == "edge")
    seen = start.outlook if start else untouched(board)
    notes: dict[str, None] = {}
    for _ in range(_STEPS_PER_GOAL * len(wanted)):
        notes = {}
        steps = _steps(_Stage(board, strategy, seen, reach), map_, aims, notes)
        if not steps:
            break
        seen = min(steps, key=lambda step: _rank(step, strategy)).outlook
    seen = _pruned(board, aims, seen)
    return Found(outlook=seen, left=aims.missed(seen), notes=tuple(notes))


def _pruned(board: Board, aims: Aims, seen: Outlook) -> Outlook:
    """Drop moves, the dearest first, without which nothing is missed by more."""

    def dearness(move: Move) -> Decimal:
        return -sum((seen.sold[way.index].cost for way in move.route.ways), Decimal(0))

    for move in sorted(seen.moves, key=dearness):
        rest = tuple(other for other in seen.moves if other.route.key != move.route.key)
        without = outlook(board, rest)
        if not isinstance(without, str) and aims.shortfall(without) <= aims.shortfall(seen):
            seen = without
    return seen


def _rank(step: _Step, strategy: Strategy) -> tuple[Decimal, Decimal]:
    if strategy.by_size:
        return -step.repaired, step.cost
    return step.cost / step.repaired, -step.repaired


def _steps(stage: _Stage, map_: Atlas, aims: Aims, notes: dict[str, None]) -> list[_Step]:
    """The best-looking moves that repair something, and notes about those that must not be done."""
    steps: list[_Step] = []
    fails = 0
    for candidate in candidates(map_, aims, stage.seen, by_size=stage.strategy.by_size):
        step = _falling(stage.board, candidate.route) or _step(stage, candidate)
        if isinstance(step, str):
            fails += 1
            if not isinstance(step, Unsaid) and not _is_said(step, notes):
                notes[step] = None
        else:
            steps.append(step)
        if len(steps) >= _LOOKS or fails >= _MOST_FAILS:
            break
    return steps


def _is_said(why: str, notes: Iterable[str]) -> bool:
    """Whether a better-looking move has already said that the same chain lacks gas."""
    starved = (note.chain for note in notes if isinstance(note, Starved))
    return isinstance(why, Starved) and why.chain in starved


def _falling(board: Board, route: Route) -> str:
    """Why what the route buys must not be bought; nothing when it may."""
    bought = (way.buy[0] for way in route.ways if not way.is_bridge)
    return next((why for name in bought if (why := board.problem.falling.get(name))), "")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One route, to be added to moves that are already chosen, or widened if it is there."""

    stage: _Stage
    route: Route

    @property
    def already(self) -> int:
        """Base units that the route moves so far."""
        key = self.route.key
        return sum(move.raw for move in self.stage.seen.moves if move.route.key == key)

    def with_more(self, more: int) -> tuple[Move, ...]:
        """The moves with *more* base units along the route."""
        key, moves = self.route.key, self.stage.seen.moves
        wider = Move(self.route, self.already + more)
        if not self.already:
            return (*moves, wider)
        return tuple(wider if move.route.key == key else move for move in moves)

    def fits(self, more: int) -> bool:
        """Whether *more* base units along the route lead anywhere."""
        return not isinstance(self.ahead(more), str)

    def ahead(self, more: int) -> Outlook | str:
        """Where that leads, or why it must not be done."""
        board = self.stage.board
        seen = outlook(board, self.with_more(more))
        if isinstance(seen, str) or not self.stage.strategy.frugal:
            return seen
        limit = board.problem.policy.limits.max_cost_bps
        for done in seen.trades:
            if done.gas_for is None and not done.cost * WHOLE_BPS <= done.sold_value * limit:
                costs = f"{money(done.cost)} for {money(done.sold_value)}"
                return f"{done.way.name} costs {costs} (limit {limit} bps)"
        return seen

    def moved(self, ahead: Outlook) -> Decimal:
        """The value that the route's first way sells more than before."""
        way = self.route.ways[0]
        before = self.stage.seen.sold.get(way.index)
        return ahead.sold[way.index].sold_value - (before.sold_value if before else 0)


def _step(stage: _Stage, candidate: Candidate) -> _Step | str:
    """The move along a route that serves a need, or why there is none."""
    attempt = _Attempt(stage, candidate.route)
    sizes = _sizes(attempt, candidate.need)
    if isinstance(sizes, str):
        return sizes
    floor, wish, cap = sizes
    ahead = attempt.ahead(wish)
    if isinstance(ahead, str):
        why = ahead
        raw = 0 if isinstance(why, Starved | Unsaid) else _fitting(attempt, floor, wish, cap)
        ahead = attempt.ahead(raw) if raw else why
        if isinstance(ahead, str):
            return why
    value = attempt.moved(ahead)
    if not value >= candidate.route.ways[0].sold_value(floor) / 2:
        return f"{candidate.route.name} could not move more"
    return _Step(ahead, candidate.need.repaired(value), ahead.cost - stage.seen.cost)


def _fitting(attempt: _Attempt, floor: int, wish: int, cap: int) -> int:
    """A size from *floor* to *cap* near *wish* that can be done, 0 when none is found."""
    low, high = attempt.stage.reach.along(attempt.route, attempt.already)
    floor, cap = max(floor, low), min(cap, high)
    if not floor <= cap:
        return 0
    return fitting(floor, min(max(wish, floor), cap), cap, attempt.fits)


def _sizes(attempt: _Attempt, need: Need) -> tuple[int, int, int] | str:
    """The least, the wanted and the largest size of a move in base units."""
    stage, route = attempt.stage, attempt.route
    way, policy = route.ways[0], stage.board.problem.policy
    limits, token, price = policy.limits, way.edge.sell, way.sell_price
    room = (limits.max_run_value - stage.seen.turnover) / len(route.ways)
    flight = _flight_room(stage, route)
    most = min(need.most, room, flight)
    cap = min(raw_down(most / price, token), stage.seen.available(token))
    # Widening a move by dust would go on for ever; a new one has its own least size.
    least = policy.dust if attempt.already else limits.min_trade
    floor = max(1, raw_up(least / price, token))
    if not cap >= floor:
        if room < min(need.most, least):
            return f"max_run_value of {money(limits.max_run_value)} is used up"
        if flight < min(need.most, least):
            return f"max_in_flight of {money(limits.max_in_flight)} is used up"
        if not cap > 0:
            return Unsaid(f"{route.name} has nothing left to move")
        could = money(way.sold_value(cap))
        return f"{route.name} could move {could} more, less than the least of {money(least)}"
    # What arrives is less than what is sold; the next round widens the move by the rest.
    sizes = [size for size in (need.surplus, need.deficit) if size > 0]
    size = max(sizes) if stage.strategy.larger else min(sizes)
    return floor, min(cap, max(floor, raw_up(size / price, token))), cap


def _flight_room(stage: _Stage, route: Route) -> Decimal:
    """Value that the route may send to other chains."""
    if not route.bridges:
        return stage.board.problem.policy.limits.max_run_value
    return in_flight_room(stage.board) - stage.seen.bridged
