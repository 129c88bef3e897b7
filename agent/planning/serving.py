"""A plan that serves a wish: the planner is asked the wish's own question, and the answer told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from agent.core.money import WHOLE_BPS, ChainId, Token
from agent.core.plan import Plan, Standing
from agent.core.raising import reached
from agent.core.task import Task, asset_of
from agent.core.wish import Wish
from agent.core.wording import figure, percent_of_bps
from agent.planning.draft import fingerprint
from agent.planning.needs import Needs
from agent.planning.problem import NoPlan, Problem

_MICRO = Decimal("0.000001")
_HUNDREDTH = Decimal("0.01")


def permitted(task: Task, needs: Needs, wrapped: Mapping[ChainId, Token]) -> Needs:
    """What a plan for *task* could sell and buy, of what any plan could."""
    pairs = tuple(both for both in needs.pairs if task.permits(*both, wrapped))
    return Needs(pairs, needs.sizes)


def serve(
    task: Task, problem: Problem, planner: Callable[[Problem], Plan | NoPlan]
) -> Plan | NoPlan:
    """Ask *planner* for *task*, with edges that it may use alone, and tell what that is for."""
    wish, wrapped = task.wish, problem.wrapped
    asked = replace(
        problem,
        policy=task.policy,
        valuation=task.valuation,
        edges=tuple(e for e in problem.edges if task.permits(e.sell, e.buy, wrapped)),
    )
    found = planner(asked)
    if wish.kind == "rebalance":
        return found
    if isinstance(found, NoPlan):
        return NoPlan(tuple(dict.fromkeys((problem.decision.why, *found.why))), found.refusals)
    told = replace(found, id="", wish=wish)
    if wish.kind == "invest":
        told = _invested(told, task, wrapped)
    elif wish.kind == "raise":
        told = _raised(told, task, wrapped)
    return replace(told, id=fingerprint(told))


def _invested(plan: Plan, task: Task, wrapped: Mapping[ChainId, Token]) -> Plan:
    """*plan* with how much of the money it sells, and why not more."""
    wish, policy = task.wish, task.policy
    sales = (
        leg.planned_sell.whole
        for leg in plan.legs
        if leg.kind == "swap" and asset_of(leg.sell.token, policy, wrapped) == wish.asset
    )
    done = sum(sales, Decimal(0))
    rest, ends = wish.amount - done, tuple[str, ...]()
    if rest * task.moment.price(wish.asset) >= policy.dust:
        weight = percent_of_bps(policy.targets[wish.asset].weight)
        ends = (
            f"{figure(rest)} of {wish.sum} stay {wish.asset}: its own target of {weight}, limits "
            "or the depth of markets hold them",
        )
    return replace(plan, reached=done.quantize(_MICRO, ROUND_DOWN), why=(*plan.why, *ends))


def _raised(plan: Plan, task: Task, wrapped: Mapping[ChainId, Token]) -> Plan:
    """*plan* with what can be taken out after it at the least, told of what is left then."""
    wish, moment = task.wish, task.moment
    done = reached(wish, moment, plan.legs, wrapped).quantize(_MICRO, ROUND_DOWN)
    whole = plan.value - plan.cost
    aside = done * moment.price(wish.asset)
    left = whole - aside

    def row(told: Standing) -> Standing:
        target = moment.policy.targets[told.asset]
        value = told.after * whole / WHOLE_BPS - aside * (told.asset == wish.asset)
        after = value * WHOLE_BPS / left if left > 0 else Decimal(0)
        return Standing(
            told.asset,
            told.before,
            max(Decimal(0), after).quantize(_HUNDREDTH),
            target.weight,
            target.low,
            target.high,
        )

    standings = tuple(row(told) for told in plan.standings)
    note = ("the money counts in shares that are told as bands here",) if plan.missed else ()
    why = (plan.why[0], *note, *plan.why[1:], *_taken_out(wish, done))
    return replace(plan, reached=done, standings=standings, why=why)


def _taken_out(wish: Wish, done: Decimal) -> tuple[str, ...]:
    """What becomes of money that is raised, and what is missing of it."""
    stays = (
        f"{figure(done)} {wish.asset} or more stay in the wallet for you to take out; what lies "
        "there longer goes back to work unless flows.keep holds it"
    )
    missing = wish.amount - done
    if not missing > 0:
        return (stays,)
    return (f"{figure(missing)} {wish.asset} are missing of {wish.sum} at the least prices", stays)
