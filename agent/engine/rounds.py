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

Pair = tuple[Token, Token]


def planned(io: Io, task: Task, problem: Problem, sizes: Mapping[Token, int]) -> Plan | NoPlan:
    """The best plan once venues that are only asked were asked about its swaps.

    *sizes* are base units up to which a token may be sold. The same offers give the same plan, and
    where there is nobody to ask it is the plan of what was surveyed. Raises Unavailable.
    """
    found = best = serve(task, problem, plan)
    talks = _Talks(io, problem, sizes)
    for number in range(1, ROUNDS + 1):
        tenders = talks.tenders(found)
        if not tenders:
            break
        before = talks.problem.edges
        withdrawn = talks.hear(invite(talks.desk, tenders, number))
        if talks.problem.edges == before:
            continue
        found = serve(task, talks.problem, plan)
        best = found if withdrawn else _better(best, found)
    return _told(best, tuple(each for each in talks.heard if each.is_news))


def _better(best: Plan | NoPlan, later: Plan | NoPlan) -> Plan | NoPlan:
    """Which leaves less outside the bands, or as much and costs less, the *best* where equal.

    What is proven of it holds among all offers, those of the *later* plan too: proven of plans
    that miss more it says nothing of one that misses less.
    """
    if isinstance(best, NoPlan) or (isinstance(later, Plan) and _rank(later) < _rank(best)):
        return later
    own = best.bound
    more = later.bound if isinstance(later, Plan) and later.missed <= best.missed else None
    return replace(best, bound=None if own is None or more is None else min(own, more))


def _rank(which: Plan) -> tuple[Decimal, Decimal]:
    return which.missed, which.cost + which.tracking


def _told(found: Plan | NoPlan, heard: tuple[Asked, ...]) -> Plan | NoPlan:
    """The same, with who was asked for it."""
    if not heard:
        return found
    if isinstance(found, NoPlan):
        return NoPlan((*found.why, *(each.sentence(taken=False) for each in heard)), found.refusals)
    told = replace(found, id="", asked=heard)
    return replace(told, id=fingerprint(told))


@dataclass(slots=True)
class _Talks:
    """What was heard so far.

    `problem` has the edges that are known by now. `measured` are those that were simulated; those
    which stand alone and were not are only what somebody says, for pairs that nobody surveys.
    """

    io: Io
    problem: Problem
    sizes: Mapping[Token, int]
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

        Before these come pairs that nobody surveys: what is only said must be found out.
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
