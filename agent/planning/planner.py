"""From a problem to a plan: the cheapest that is found, and how little any could cost."""

from __future__ import annotations

from agent.core.decide import Rest
from agent.core.money import WHOLE_BPS
from agent.core.plan import Plan
from agent.core.verdict import Refusal
from agent.core.wording import money
from agent.planning import story
from agent.planning.board import Board, board
from agent.planning.draft import Draft, drawn_up, notes
from agent.planning.fuel import NO_GAS, Starved
from agent.planning.greedy import Tries
from agent.planning.outlook import Outlook
from agent.planning.problem import NoPlan, Problem
from agent.planning.question import Solver
from agent.planning.search import Found
from agent.planning.solved import WITHOUT, Solved


def plan(problem: Problem) -> Plan | NoPlan:
    """Plan *problem*, or say why there is no plan.

    The result depends on nothing but the problem, and not on the order of its parts: the same
    problem gives the same plan byte for byte, where a solver is installed and where none is. Its
    last check is `agent.core.plan.build`, whose PlanError would mean a fault of this planner.
    """
    if isinstance(problem.decision, Rest):
        return NoPlan((problem.decision.why,), problem.decision.refusals)
    # The solver takes a while to load: that is for those who plan, and only for them.
    try:
        from agent.planning.milp import solve
    except ImportError as error:
        return planned_by(None, problem, note=f"{WITHOUT}: {error}")
    return planned_by(solve, problem)


def planned_by(solver: Solver | None, problem: Problem, *, note: str = "") -> Plan | NoPlan:
    """Plan with this solver, or without one; the *note* is said about that."""
    decision = problem.decision
    if isinstance(decision, Rest):
        return NoPlan((decision.why,), decision.refusals)
    if problem.valuation.value is None:
        refusals = problem.valuation.refusals
        return NoPlan(tuple(refusal.why for refusal in refusals), refusals)
    place = board(problem)
    if isinstance(place, NoPlan):
        return place
    tries = Tries(place)
    solved = None if solver is None else Solved(place, tries, solver)
    found = _best(tries, solved, place)
    if isinstance(found, NoPlan):
        return found
    if solved is not None:
        note = solved.note
    return drawn_up(
        Draft(place=place, tries=tries, solved=solved, found=found, decision=decision, note=note)
    )


def _best(tries: Tries, solved: Solved | None, place: Board) -> Found | NoPlan:
    """The best way to what the policy wants, inside its cost limit."""
    policy = place.problem.policy
    wish = policy.trigger.rebalance_to
    known = [tries.best(wish)] if solved is None else solved.candidates
    found = tries.best_of(known, wish)
    if not found.moves:
        starved = [note for note in found.notes if isinstance(note, Starved)]
        refusals = tuple(Refusal(NO_GAS, note) for note in starved)
        return NoPlan(_reasons(place, found), refusals)
    if solved is not None:
        found = solved.as_far_as(found)
    if _affordable(place, found.outlook):
        return found
    # Without the trades that are too dear for their size the rest may still be worth doing.
    frugal = Tries(place, frugal=True).best(wish)
    cheap = [each for each in (*known, frugal) if each.moves and _affordable(place, each.outlook)]
    if cheap:
        found = tries.best_of(cheap, wish)
        if solved is None:
            return found
        return solved.as_far_as(found, lambda seen: _affordable(place, seen))
    cost, traded = money(found.outlook.cost), money(found.outlook.turnover)
    limit = policy.limits.max_cost_bps
    return NoPlan(
        (
            f"the plan would cost {cost} to move {traded}, more than max_cost_bps {limit} allows",
            *_reasons(place, frugal),
        )
    )


def _affordable(place: Board, seen: Outlook) -> bool:
    limit = place.problem.policy.limits.max_cost_bps
    return seen.cost * WHOLE_BPS <= seen.turnover * limit


def _reasons(place: Board, found: Found) -> tuple[str, ...]:
    """Why there is nothing to be done, though something should be."""
    held = notes(found) or ("no edge sells what is too much for what is missing",)
    return (*story.unreached(place, found.outlook, found.left), *held, *story.idle(place))
