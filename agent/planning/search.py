"""Finding trades that repair every part that is off, one best trade after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile

from agent.core.money import WHOLE_BPS, raw_down, raw_up
from agent.core.wording import money
from agent.planning.board import Board, Way
from agent.planning.goals import Aim, Cell, Goal, goals
from agent.planning.ladder import largest
from agent.planning.outlook import Flow, Outlook, outlook, trade, untouched

_STEPS_PER_GOAL = 6
"""Brake: a repaired part is touched again only because costs moved its edges, by less each
time; more often than this it does not pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to choose the next trade.

    `larger` sizes a trade by the larger of the two needs that it serves, else by the smaller;
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
    """Trades, where they lead, what stays off, and why more was not possible.

    `left` are goals that are not reached, with the value that is too much or (negative)
    missing.
    """

    flows: tuple[Flow, ...]
    outlook: Outlook
    left: tuple[tuple[Goal, Decimal], ...]
    notes: tuple[str, ...]

    @property
    def shortfall(self) -> Decimal:
        """The value by which goals are missed, beyond what they tolerate."""
        return shortfall(self.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """What a trade may do for one goal, in value: too much, missing, most to give, to take."""

    goal: Goal
    surplus: Decimal
    deficit: Decimal
    give: Decimal
    take: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """Value to sell from one cell into another, and the most that may be sold."""

    surplus: Decimal
    deficit: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class _Step:
    """A candidate with what it repairs and costs."""

    flows: tuple[Flow, ...]
    outlook: Outlook
    repaired: Decimal
    cost: Decimal


def search(board: Board, strategy: Strategy, start: Found | None = None) -> Found:
    """Add the best trade until nothing is off or nothing helps; then drop what is not needed.

    With *start* its trades are there already.
    """
    wanted = goals(board.problem.policy, strategy.aim, stop_at_target=strategy.stop_at_target)
    surely = strategy.aim == "edge"
    members = _members(board, wanted)
    flows, seen = (start.flows, start.outlook) if start else ((), untouched(board))
    notes: dict[str, None] = {}
    for _ in range(_STEPS_PER_GOAL * len(wanted)):
        notes = {}
        pulls = [_pull(goal, seen, surely=surely) for goal in wanted]
        steps = list(_steps(_Stage(board, strategy, flows, seen), pulls, members, notes))
        if not steps:
            break
        best = min(steps, key=lambda step: _rank(step, strategy))
        flows, seen = best.flows, best.outlook
    flows, seen = _pruned(board, wanted, flows, seen, surely=surely)
    left = missed(wanted, seen, surely=surely)
    return Found(flows=flows, outlook=seen, left=left, notes=tuple(notes))


def missed(
    wanted: Sequence[Goal], seen: Outlook, *, surely: bool
) -> tuple[tuple[Goal, Decimal], ...]:
    """Goals that are not reached, with what is too much or (negative) missing.

    With *surely*, a part counts as too large if it gets what is expected while all others get
    their minimum, and as too small the other way round; else all get what is expected.
    """
    found = []
    for goal in wanted:
        pull = _pull(goal, seen, surely=surely, aims=False)
        if pull.surplus > 0 or pull.deficit > 0:
            found.append((goal, pull.surplus - pull.deficit))
    return tuple(found)


def _pull(goal: Goal, seen: Outlook, *, surely: bool, aims: bool = True) -> _Pull:
    """What is off about *goal*, to its edges or, with *aims*, to where trades aim beyond them."""
    most, least = (sum(cells.values(), Decimal(0)) for cells in (seen.expected, seen.least))
    value, value_least = goal.of(seen.expected), goal.of(seen.least)
    high_whole, low_whole = (max(most, least), min(most, least)) if surely else (most, most)
    sure = value_least if surely else value
    surplus = value - goal.high * low_whole
    deficit = goal.low * high_whole - sure
    if aims:
        aimed = value - goal.aim_high * low_whole, goal.aim_low * high_whole - sure
        surplus = aimed[0] if surplus > goal.tolerance else Decimal(0)
        deficit = aimed[1] if deficit > goal.tolerance else Decimal(0)
    return _Pull(
        goal=goal,
        surplus=max(Decimal(0), surplus),
        deficit=max(Decimal(0), deficit),
        give=value_least - goal.stop_low * high_whole,
        take=goal.stop_high * low_whole - value,
    )


def shortfall(left: Sequence[tuple[Goal, Decimal]]) -> Decimal:
    """The value by which goals are missed, beyond what they tolerate."""
    misses = (abs(value) for goal, value in left if abs(value) > goal.tolerance)
    return sum(misses, Decimal(0))


def _pruned(
    board: Board,
    wanted: Sequence[Goal],
    flows: tuple[Flow, ...],
    seen: Outlook,
    *,
    surely: bool,
) -> tuple[tuple[Flow, ...], Outlook]:
    """Drop trades, the dearest first, without which nothing is missed by more."""
    for done in sorted(seen.trades, key=lambda trade: -trade.cost):
        rest = tuple(flow for flow in flows if flow.way is not done.way)
        without = outlook(board, rest)
        now = shortfall(missed(wanted, seen, surely=surely))
        if (
            not isinstance(without, str)
            and shortfall(missed(wanted, without, surely=surely)) <= now
        ):
            flows, seen = rest, without
    return flows, seen


def _rank(step: _Step, strategy: Strategy) -> tuple[Decimal, Decimal]:
    if strategy.by_size:
        return -step.repaired, step.cost
    return step.cost / step.repaired, -step.repaired


@dataclass(frozen=True, slots=True)
class _Stage:
    """The flows that are chosen so far, and where they lead."""

    board: Board
    strategy: Strategy
    flows: tuple[Flow, ...]
    seen: Outlook


def _members(board: Board, wanted: Sequence[Goal]) -> Mapping[Cell, frozenset[int]]:
    """Which goals hold each cell that may be traded, by their index."""
    cells = {cell for way in board.ways for cell in (way.sell, way.buy)}
    return {
        cell: frozenset(index for index, goal in enumerate(wanted) if goal.holds(cell))
        for cell in cells
    }


def _steps(
    stage: _Stage,
    pulls: Sequence[_Pull],
    members: Mapping[Cell, frozenset[int]],
    notes: dict[str, None],
) -> Iterator[_Step]:
    """All single trades that repair something, and notes about those that must not be done."""
    board = stage.board
    for way in board.ways:
        sell, buy = members[way.sell], members[way.buy]
        need = _need([pulls[i] for i in sell - buy], [pulls[i] for i in buy - sell])
        if need is None:
            continue
        falling = board.problem.falling.get(way.buy[0])
        step = falling or _step(_Attempt(stage, way), need)
        if isinstance(step, str):
            notes[step] = None
        else:
            yield step


def _need(giving: Sequence[_Pull], taking: Sequence[_Pull]) -> _Need | None:
    """How much selling helps goals that lose by it and goals that win, None when it does not."""
    surplus = max((pull.surplus for pull in giving), default=Decimal(0))
    deficit = max((pull.deficit for pull in taking), default=Decimal(0))
    if not (surplus > 0 or deficit > 0):
        return None
    most = min((*(pull.give for pull in giving), *(pull.take for pull in taking)))
    return _Need(surplus=surplus, deficit=deficit, most=most) if most > 0 else None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One edge, to be added to flows that are already chosen, or widened if it is there."""

    stage: _Stage
    way: Way

    @property
    def already(self) -> int:
        """Base units that are sold along the edge so far."""
        return sum(flow.raw for flow in self.stage.flows if flow.way is self.way)

    @property
    def available(self) -> int:
        """Base units that are not sold yet, with what can be wrapped to them."""
        board, token = self.stage.board, self.way.edge.sell
        sold = sum(flow.raw for flow in self.stage.flows if flow.way.edge.sell == token)
        is_wrapped = board.problem.wrapped.get(token.chain) == token
        native = board.native_free.get(token.chain, 0) if is_wrapped else 0
        return board.free.get(token, 0) + native - sold

    def with_more(self, more: int) -> tuple[Flow, ...]:
        """The flows with *more* base units along the edge."""
        wider = Flow(self.way, self.already + more)
        if not self.already:
            return (*self.stage.flows, wider)
        return tuple(wider if flow.way is self.way else flow for flow in self.stage.flows)

    def fits(self, more: int) -> bool:
        """Whether *more* base units along the way lead anywhere."""
        earlier = list(takewhile(lambda done: done.way is not self.way, self.stage.seen.trades))
        alone = trade(self.stage.board, Flow(self.way, self.already + more), earlier)
        return not (isinstance(alone, str) or isinstance(self.ahead(more), str))

    def ahead(self, more: int) -> Outlook | str:
        """Where that leads, or why it must not be done."""
        board = self.stage.board
        seen = outlook(board, self.with_more(more))
        if isinstance(seen, str) or not self.stage.strategy.frugal:
            return seen
        limit = board.problem.policy.limits.max_cost_bps
        for done in seen.trades:
            if not done.cost * WHOLE_BPS <= done.sold_value * limit:
                costs = f"{money(done.cost)} for {money(done.sold_value)}"
                return f"{done.way.name} costs {costs} (limit {limit} bps)"
        return seen


def _step(attempt: _Attempt, need: _Need) -> _Step | str:
    """The trade along an edge that serves *need*, or why there is none."""
    stage, way = attempt.stage, attempt.way
    limits = stage.board.problem.policy.limits
    token, price = way.edge.sell, way.sell_price
    room = limits.max_run_value - stage.seen.turnover
    cap = min(raw_down(min(need.most, room) / price, token), attempt.available)
    # Widening a trade by dust would go on for ever; a new one has its own least size.
    least = stage.board.problem.policy.dust if attempt.already else limits.min_trade
    floor = max(1, raw_up(least / price, token))
    if not cap >= floor:
        if room < min(need.most, least):
            return f"max_run_value of {money(limits.max_run_value)} is used up"
        most = money(way.sold_value(max(0, cap)))
        return f"{way.name} could move {most} more, less than the least of {money(least)}"
    # What arrives is less than what is sold; the next round widens the trade by the rest.
    sizes = [size for size in (need.surplus, need.deficit) if size > 0]
    size = max(sizes) if stage.strategy.larger else min(sizes)
    raw = min(cap, max(floor, raw_up(size / price, token)))
    ahead = attempt.ahead(raw)
    if isinstance(ahead, str):
        why = ahead
        raw = largest(raw, attempt.fits)
        ahead = attempt.ahead(raw) if raw >= floor else why
        if isinstance(ahead, str):
            return why
    value = way.sold_value(raw)
    repaired = min(value, need.surplus) + min(value, need.deficit)
    return _Step(attempt.with_more(raw), ahead, repaired, ahead.cost - stage.seen.cost)
