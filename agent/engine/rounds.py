"""Plan, ask about the swaps of that plan who is only asked, and plan again with what they bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agent.core.asked import Asked
from agent.core.market import Edge
from agent.core.money import Amount, Token
from agent.core.plan import Plan
from agent.core.quote import Rival
from agent.core.task import Task
from agent.engine.asking import USUAL_SECONDS
from agent.engine.auction import WRAP
from agent.engine.io import Io
from agent.engine.tender import Bids, Desk, Tender, invite
from agent.planning.draft import fingerprint
from agent.planning.ladder import bought
from agent.planning.planner import plan
from agent.planning.problem import NoPlan, Problem
from agent.planning.serving import serve
from agent.ports import Venue

ROUNDS = 3
"""How often is asked at most: each asks about what the one before changed, and makes the prices of
the plan older."""

SWAPS = 6
"""Swaps that are asked about in one round, those that cost most: most plans have fewer, and
providers allow some ten questions in a second, or one."""

CLOSE = 10
"""A swap is not asked about again for a size within a tenth of one that was."""

LITTLE = Decimal("0.1")
"""Bps of the whole that targets may be missed by more if that is cheaper: ten times what shares are
rounded to, and nobody would pay to have it."""

Pair = tuple[Token, Token]


def planned(io: Io, task: Task, problem: Problem, sizes: Mapping[Token, int]) -> Plan | NoPlan:
    """The best plan once venues that are only asked were asked about its swaps.

    *sizes* are base units up to which a token may be sold. The same offers give the same plan, and
    where there is nobody to ask it is the plan of what was surveyed. Raises Unavailable.
    """
    found = best = serve(task, problem, plan)
    talks = _Talks(io, task, problem, sizes)
    to_target = task.policy.trigger.rebalance_to == "target"
    for number in range(1, ROUNDS + 1):
        tenders = talks.tenders(found)
        if not tenders:
            break
        before = talks.problem.edges
        withdrawn = talks.hear(invite(talks.desk, tenders, number))
        if talks.problem.edges == before:
            continue
        found = serve(task, talks.problem, plan)
        best = found if withdrawn else _better(best, found, to_target=to_target)
    return _told(best, tuple(each for each in talks.heard if each.is_news))


def _better(best: Plan | NoPlan, later: Plan | NoPlan, *, to_target: bool) -> Plan | NoPlan:
    """Which leaves less outside the bands, or as much and costs less, the *best* where equal.

    With *to_target* being nearer to the targets, by more than a little, goes before costs. What is
    proven of it holds among all offers, those of the *later* plan too: proven of plans that miss
    more it says nothing of one that misses less.
    """
    if isinstance(best, NoPlan):
        return later
    if isinstance(later, Plan) and _is_better(later, best, to_target=to_target):
        return later
    own = best.bound
    more = later.bound if isinstance(later, Plan) and later.missed <= best.missed else None
    return replace(best, bound=None if own is None or more is None else min(own, more))


def _is_better(later: Plan, best: Plan, *, to_target: bool) -> bool:
    """As the planner compares what it finds, by what plans tell of themselves."""
    if later.missed != best.missed:
        return later.missed < best.missed
    nearer = _away(best) - _away(later)
    if to_target and abs(nearer) > LITTLE:
        return nearer > 0
    return later.cost + later.tracking < best.cost + best.tracking


def _away(which: Plan) -> Decimal:
    """How far assets are from their targets after a plan, in bps of the whole."""
    return sum((abs(each.after - each.target_bps) for each in which.standings), Decimal(0))


def _told(found: Plan | NoPlan, heard: tuple[Asked, ...]) -> Plan | NoPlan:
    """The same, with who was asked for it."""
    if not heard:
        return found
    if isinstance(found, NoPlan):
        return NoPlan((*found.why, *(each.sentence(taken=False) for each in heard)), found.refusals)
    told = replace(found, id="", asked=heard)
    return replace(told, id=fingerprint(told))


def _deep(problem: Problem, sizes: Mapping[Token, int]) -> Problem:
    """The same where whatever is offered on one chain takes all *sizes* at independent prices."""
    kept, ways = list[Edge](), dict[Pair, Edge]()
    for edge in problem.edges:
        if edge.sell.chain != edge.buy.chain or edge.via == WRAP:
            kept.append(edge)
        else:
            ways.setdefault((edge.sell, edge.buy), edge)
    sold = {both: Amount(both[0], sizes.get(both[0], 0)) for both in ways}
    fair = {both: problem.prices.fair(sold[both], both[1]) for both in ways}
    deep = {both: ((sold[both].raw, out),) for both, out in fair.items() if out}
    kept += [
        replace(ways[both], ladder=ladder, pools=frozenset(), splits=(), alone=False)
        for both, ladder in deep.items()
    ]
    return replace(problem, edges=tuple(kept))


@dataclass(slots=True)
class _Talks:
    """What was heard so far.

    `problem` has the edges that are known by now. `measured` are those that were simulated; those
    which stand alone and were not are only what somebody says, for pairs that nobody surveys.
    `deep` is the plan that there would be if all swaps were at independent prices.
    """

    io: Io
    task: Task
    problem: Problem
    sizes: Mapping[Token, int]
    deep: Plan | NoPlan | None = None
    heard: list[Asked] = field(default_factory=list)
    measured: list[Edge] = field(default_factory=list)
    quiet: set[str] = field(default_factory=set)

    @property
    def desk(self) -> Desk:
        """Where offers are judged."""
        problem = self.problem
        return Desk(
            io=self.io,
            prices=problem.prices,
            held=problem.snapshot.balances,
            fees=problem.fees,
        )

    def tenders(self, found: Plan | NoPlan) -> list[Tender]:
        """The swaps of a plan that nobody was asked about, the dearest first.

        Where it misses something, or there is none, these are first the swaps that would be if
        what is surveyed were deep: who has no way yet may have one elsewhere.
        """
        if isinstance(found, Plan) and not found.missed:
            return self._swaps(found)
        if self.deep is None:
            self.deep = serve(self.task, _deep(self.problem, self.sizes), plan)
        return self._swaps(self.deep) or self._swaps(found)

    def _swaps(self, found: Plan | NoPlan) -> list[Tender]:
        """What is asked about the swaps of a plan.

        First come pairs that nobody surveys: what is only said must be found out.
        """
        if isinstance(found, NoPlan):
            return []
        raw: dict[Pair, int] = {}
        cost: dict[Pair, Decimal] = {}
        for leg in found.legs:
            if leg.kind == "swap":
                pair = leg.sell.token, leg.buy
                raw[pair] = raw.get(pair, 0) + leg.planned_sell.raw
                cost[pair] = cost.get(pair, Decimal(0)) + leg.cost
        dearest = sorted(raw, key=lambda pair: (-cost[pair], pair[0].key, pair[1].key))
        made = (self._tender(Amount(pair[0], raw[pair]), pair[1]) for pair in dearest)
        some = [tender for tender in made if tender is not None]
        return sorted(some, key=lambda each: each.known is not None)[:SWAPS]

    def _tender(self, sell: Amount, buy: Token) -> Tender | None:
        """What is asked about one swap; None where nobody is to be asked."""
        venues = self._venues(sell)
        pair = sell.token, buy
        asked = [each.sell.raw for each in self.heard if (each.sell.token, each.buy) == pair]
        is_asked = any(abs(sell.raw - each) * CLOSE <= each for each in asked)
        if not venues or is_asked or self.desk.floor(sell, buy) is None:
            return None
        own = [edge for edge in self.problem.edges if {edge.sell, edge.buy} == {*pair}]
        surveyed = [edge for edge in own if not edge.alone]
        return Tender(
            sell=sell,
            buy=buy,
            venues=venues,
            known=self._known(sell, [edge for edge in own if edge.sell == sell.token]),
            most=self.sizes.get(sell.token, 0),
            pools=frozenset().union(*(edge.pools for edge in surveyed)),
            seconds=max((edge.seconds for edge in surveyed), default=USUAL_SECONDS),
        )

    def _venues(self, sell: Amount) -> dict[str, Venue]:
        """Who surveys nothing on the chain, and has answered in time so far."""
        chain = sell.token.chain
        edges = self.problem.edges
        surveying = {e.via for e in edges if not e.alone and e.sell.chain == e.buy.chain == chain}
        left_out = {WRAP, *surveying, *self.quiet}
        return {name: venue for name, venue in self.io.venues.items() if name not in left_out}

    def _known(self, sell: Amount, edges: Sequence[Edge]) -> Rival | None:
        """What the best edge brings that was surveyed or measured."""
        found = []
        for edge in edges:
            out = bought(edge, sell.raw) if not edge.alone or edge in self.measured else None
            if out is not None:
                fees = self.problem.fees[sell.token.chain]
                wei = fees.expected(edge.gas, edge.data_bytes) + edge.fee
                net = out - self.desk.gas_worth(wei, edge.buy)
                found.append(Rival(via=edge.via, answer="offered", out=out, net=net))
        return max(found, key=lambda each: (each.net, each.via), default=None)

    def hear(self, bids: Sequence[Bids]) -> bool:
        """Add what was measured, and say whether something was withdrawn that was only said.

        Of a pair that nobody surveys everything is withdrawn that was only said once something
        was measured, and until then what was found to be untrue.
        """
        edges = list(self.problem.edges)
        for each in bids:
            self.heard.append(each.asked)
            self.quiet |= {r.via for r in each.asked.rivals if r.answer in {"limited", "down"}}
            said = [edge for edge in edges if edge.alone and edge not in self.measured]
            for edge in said:
                is_its = (edge.sell, edge.buy) == (each.asked.sell.token, each.asked.buy)
                if is_its and (each.edge is not None or edge.via in each.judged):
                    edges.remove(edge)
            if each.edge is not None:
                self.measured.append(each.edge)
                edges.append(each.edge)
        withdrawn = any(edge not in edges for edge in self.problem.edges)
        self.problem = replace(self.problem, edges=tuple(edges))
        return withdrawn
