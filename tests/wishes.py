"""Wishes put to the planner on paper, for tests of what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from portfolios import NOW, problem

from agent.core.decide import History
from agent.core.plan import Plan
from agent.core.task import Moment
from agent.core.wanted import wanted
from agent.core.wish import Wish
from agent.planning.planner import plan
from agent.planning.problem import NoPlan, Problem
from agent.planning.serving import serve

PEGS = {"USDC": Decimal(1), "DAI": Decimal(1)}


def invest(amount: str, asset: str = "USDC") -> Wish:
    return Wish("invest", asset, Decimal(amount))


def raised(amount: str, asset: str = "USDC") -> Wish:
    return Wish("raise", asset, Decimal(amount))


def moment_of(asked: Problem, history: History | None = None, **changed) -> Moment:
    """The moment that *asked* is about, stablecoins known as such."""
    usual = {
        "valuation": asked.valuation,
        "policy": replace(asked.policy, pegs=PEGS),
        "prices": asked.prices,
        "history": History() if history is None else history,
        "at": NOW,
        "asked": True,
    }
    return Moment(**{**usual, **changed})


def served(wish: Wish, asked: Problem | None = None) -> Plan | NoPlan:
    """The plan for *wish*, with the decision that it leads to."""
    whole = problem() if asked is None else asked
    moment = moment_of(whole)
    task, decision = wanted(wish, moment)
    return serve(task, replace(whole, policy=moment.policy, decision=decision), plan)
