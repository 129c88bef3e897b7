"""Plans that weigh distance from the targets against what it costs to go there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from portfolios import (
    ARB,
    BASE,
    ONE,
    USDC,
    WBTC,
    WETH,
    edge,
    edges,
    greedy_plan,
    holdings,
    policy,
    problem,
    spread,
    spread_policy,
    spread_problem,
    trigger,
)
from random_problems import problems
from wishes import invest, raised, served

from agent.core.codec import decode, encode
from agent.core.plan import Plan
from agent.core.policy import Tracking
from agent.core.tracking import charge, rates
from agent.core.wish import BUY_ONLY
from agent.planning.board import board
from agent.planning.draft import fingerprint
from agent.planning.greedy import Tries
from agent.planning.nearer import nearer
from agent.planning.outlook import untouched
from agent.planning.planner import plan
from agent.planning.problem import NoPlan

FAR = spread((ONE, {"usdc": "50000"}), (BASE, {"wbtc": "0.3"}), (ARB, {"weth": "2"}))
PEGS = {"USDC": Decimal(1), "DAI": Decimal(1)}
MONTH = 30 * 86_400
CENT = Decimal("0.01")


def weighing(risk: str, **more) -> Tracking:
    return Tracking(risk_aversion=Decimal(risk), **more)


def far(risk: str, **changed):
    return spread_problem(FAR, policy=spread_policy(tracking=weighing(risk), pegs=PEGS, **changed))


def counted(made: Plan) -> Decimal:
    """What a plan is compared by."""
    return made.cost + made.tracking


def off(made: Plan) -> Decimal:
    """How far a plan ends from the targets of what has no peg: the sum of squares, in bps."""
    return sum((r.after - r.target_bps) ** 2 for r in made.standings if r.asset not in PEGS)


# ---- nothing is charged -------------------------------------------------------------------------


@pytest.mark.parametrize("planner", [plan, greedy_plan])
def test_without_aversion_the_plan_is_the_same_byte_for_byte(planner):
    plainly = planner(spread_problem(FAR))
    told = weighing("0", horizon_seconds=MONTH, volatility={"ETH": Decimal(3)})
    made = planner(spread_problem(FAR, policy=spread_policy(tracking=told)))
    assert encode(plainly) == encode(made)
    assert "tracking" not in encode(made)


@pytest.mark.parametrize("to", ["target", "edge"])
@pytest.mark.parametrize("planner", [plan, greedy_plan])
def test_where_the_rule_says_where_to_end_nothing_changes(planner, to):
    when = trigger(rebalance_to=to)
    plainly = planner(spread_problem(FAR, policy=spread_policy(trigger=when)))
    own = spread_policy(trigger=when, tracking=weighing("50"))
    assert encode(plainly) == encode(planner(spread_problem(FAR, policy=own)))


# ---- something is -------------------------------------------------------------------------------


def test_a_plan_says_what_its_end_is_charged():
    made = plan(far("5"))
    assert made.tracking > 0
    own = spread_policy(tracking=weighing("5"), pegs=PEGS)
    left = made.value - made.cost
    after = {row.asset: row.after / 10_000 * left for row in made.standings}
    expected = charge(rates(own), own.targets, after=after, whole=made.value)
    assert abs(made.tracking - expected) < CENT
    assert made.bound <= counted(made) <= made.bound * Decimal("1.001")


def test_a_plan_with_a_charge_survives_its_journal_and_its_name_covers_it():
    made = plan(far("5"))
    assert made == decode(encode(made), Plan)
    assert fingerprint(made) == made.id
    assert fingerprint(replace(made, tracking=Decimal(1))) != made.id


def test_more_aversion_ends_nearer_and_never_at_lower_costs():
    """To within what is not proven of each plan."""
    risks = ("0.2", "1", "3", "5", "12", "40")
    made = [plan(far(risk)) for risk in risks]
    slack = [counted(each) - each.bound for each in made]
    for (low, few, first), (high, many, second) in zip(
        zip(risks, made, slack, strict=True),
        [*zip(risks, made, slack, strict=True)][1:],
        strict=False,
    ):
        unsure = first + second + 2 * CENT
        assert many.cost >= few.cost - unsure
        # By the unit of aversion: of each plan's own the larger counts the same distance more.
        fewer, more = few.tracking / Decimal(low), many.tracking / Decimal(high)
        assert more <= fewer + unsure / (Decimal(high) - Decimal(low))
    assert made[-1].cost > made[0].cost + 3
    assert off(made[-1]) < off(made[0]) / 50


@pytest.mark.parametrize("planner", [plan, greedy_plan])
def test_with_much_aversion_a_plan_ends_at_the_targets(planner):
    asked = spread_problem(
        FAR,
        policy=spread_policy(tracking=weighing("100", horizon_seconds=12 * MONTH), pegs=PEGS),
    )
    made = planner(asked)
    assert all(abs(row.after - row.target_bps) < 80 for row in made.standings)


def test_what_has_no_volatility_may_end_anywhere_in_its_band():
    calm = {"ETH": Decimal(0), "WBTC": Decimal(0), "USDC": Decimal(0)}
    own = spread_policy(tracking=weighing("100", volatility=calm), pegs=PEGS)
    made = plan(spread_problem(FAR, policy=own))
    assert encode(plan(spread_problem(FAR))) == encode(made)


@settings(max_examples=8, deadline=None)
@given(problems)
def test_no_plan_counts_more_than_without_a_solver_or_than_nothing(asked):
    own = replace(asked.policy, tracking=weighing("20"), trigger=trigger(rebalance_to="cheapest"))
    asked = replace(asked, policy=own)
    made, greedy = plan(asked), greedy_plan(asked)
    if isinstance(made, NoPlan) or isinstance(greedy, NoPlan):
        event("no plan")
        return
    place = board(asked)
    tries, nothing = Tries(place), untouched(place)
    idle = tries.bands.shortfall(nothing)
    assert made.missed <= greedy.missed <= idle + Decimal("0.000001")
    if made.missed == greedy.missed:
        assert counted(made) <= counted(greedy) + Decimal("0.0001")
    for each in (made, greedy):
        if each.missed >= idle:
            assert counted(each) <= nothing.charge + CENT
    assert made.bound is None or made.bound <= counted(made)
    event("charged" if made.tracking else "at the target")


@settings(max_examples=8, deadline=None)
@given(problems)
def test_sizes_are_changed_only_for_the_better(asked):
    own = replace(asked.policy, tracking=weighing("20"), trigger=trigger(rebalance_to="cheapest"))
    place = board(replace(asked, policy=own))
    if isinstance(place, NoPlan):
        return
    tries = Tries(place)
    for found in (*tries.to_edge[:2], tries.to_target[0]):
        changed = nearer(place, tries.bands, found)
        assert changed.outlook.total <= found.outlook.total
        assert tries.bands.shortfall(changed.outlook) <= tries.bands.shortfall(found.outlook)
        assert changed.left == tries.bands.missed(changed.outlook)


def test_sizes_are_changed_where_that_pays():
    place = board(far("20"))
    tries = Tries(place)
    wide, narrow = tries.best_of(tries.to_edge, "cheapest"), tries.best("target")
    for found in (wide, narrow):
        assert nearer(place, tries.bands, found).outlook.total < found.outlook.total - CENT
    assert nearer(place, tries.bands, wide).outlook.cost > wide.outlook.cost
    assert nearer(place, tries.bands, narrow).outlook.cost < narrow.outlook.cost


def test_what_is_inside_its_band_is_traded_only_where_that_is_worth_its_cost():
    """ETH is above its band; WBTC is inside, and less than its target."""
    held = holdings(ETH="0.2", WETH="18.8", WBTC="0.2917", USDC="25500")

    def made(risk, dear):
        ways = (*edges(WETH, USDC), edge(USDC, WBTC, fee_bps=dear))
        asked = problem(held, policy=policy(tracking=weighing(risk), pegs=PEGS), edges=ways)
        return plan(asked)

    def trades(each):
        return {(leg.sell.token, leg.buy) for leg in each.legs if leg.kind == "swap"}

    assert {(WETH, USDC)} == trades(made("0", 1)) == trades(made("20", 90))
    assert {(WETH, USDC), (USDC, WBTC)} == trades(made("20", 1))


@pytest.mark.parametrize(
    ("wish", "counts"), [(raised("3000"), True), (BUY_ONLY, True), (invest("3000"), False)]
)
def test_what_is_wished_for_is_served_all_the_same(wish, counts):
    """An investment goes to the exact targets, so it may choose nothing."""
    held = holdings(ETH="11", WETH="3", WBTC="0.12", USDC="33000")

    def made(risk):
        return served(wish, problem(held, policy=policy(tracking=weighing(risk), pegs=PEGS)))

    plainly, weighed = made("0"), made("20")
    assert plainly.reached == weighed.reached
    assert counts is (weighed.tracking > 0)
    assert counts is any(why.startswith("it ends where") for why in weighed.why)
    assert ({leg.sell.token for leg in weighed.legs} <= {USDC}) or wish.kind == "raise"


# ---- what is said about it ----------------------------------------------------------------------


def test_why_names_both_and_what_doing_nothing_counts():
    made = plan(far("5"))
    why = next(each for each in made.why if each.startswith("it ends where"))
    assert (
        "it ends where costs and distance from the targets together count least: "
        f"{made.cost:,.2f} and {made.tracking:,.2f}, for what the distance of ETH and WBTC is "
        "expected to lose until the next rebalancing"
    ) == why
    nothing = untouched(board(far("5"))).charge
    assert made.why[-1].startswith(
        f"doing nothing costs nothing now, counts {nothing:,.2f} for distance from the targets and "
        "leaves"
    )


def test_what_other_ways_cost_includes_their_distance():
    made = plan(far("5"))
    others = dict(made.alternatives)
    exactly = Tries(board(far("5"))).best("target").outlook
    assert abs(others["to the exact targets"] - exactly.total) < CENT
    assert all(cost > counted(made) for cost in others.values())
