"""What people and programs are told of distance from the targets, where it counts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from cli.commands import Command
from planning.test_weighing import far

from agent.cli import present, reasoning
from agent.cli.plan import text
from agent.core.plan import Plan
from agent.planning.planner import plan


@pytest.fixture(scope="module")
def made() -> Plan:
    """A plan whose distance from the targets counts."""
    found = plan(far("5"))
    assert isinstance(found, Plan)
    return found


def told(which: Plan) -> str:
    return "\n".join([text(which), *reasoning.lines(which)])


def test_a_plan_shows_its_distance_apart_from_costs(made: Plan) -> None:
    cost, off, least = (f"{each:,.2f}" for each in (made.cost, made.tracking, made.bound))
    assert (
        f"cost {cost} and {off} for distance from the targets · no plan counts less than {least} "
        "in all (solver bound; the cost is rechecked in integers) · gap 0.0 %"
    ) in text(made).splitlines()
    assert f"expected cost {cost}" in text(made).splitlines()[0]


def test_explain_says_it_in_plain_sentences(made: Plan) -> None:
    off, least = f"{made.tracking:,.2f}", f"{made.bound:,.2f}"
    assert (
        f"  beside that {off} counts for its distance from the targets: what that is expected to "
        "lose until the next rebalancing, paid to nobody"
    ) in told(made).splitlines()
    assert (
        f"no plan that does as much can cost less than {least} with its distance from the targets:"
    ) in told(made)
    assert "of its cost with its distance from the targets" in told(made)


def test_other_ways_are_compared_by_both(made: Plan) -> None:
    name, cost = min(made.alternatives, key=lambda each: each[1])
    more = cost - made.cost - made.tracking
    assert f"  {name}, the cheapest other way: {cost:,.2f}, {more:,.2f} more" in told(made)


def test_programs_are_told_the_charge_and_the_gap_of_both(made: Plan) -> None:
    body = present.plan(made, far("5").policy.account, {})
    assert f"{made.tracking:f}" == body["tracking"]
    assert f"{made.cost + made.tracking - made.bound:f}" == body["gap"]
    assert Decimal(body["gap_ratio"]) < Decimal("0.001")


def test_without_a_charge_nothing_is_said_of_it(made: Plan) -> None:
    free = replace(made, tracking=Decimal(0))
    assert "0.000000" == present.plan(free, far("5").policy.account, {})["tracking"]
    assert "for distance" not in text(free).partition("why:")[0]
    assert "beside that" not in told(free)


@pytest.mark.parametrize("risk", ["0", "50"])
def test_a_variable_makes_distance_count(command: Command, risk: str) -> None:
    wished = {
        "REBALANCER_TRIGGER__REBALANCE_TO": "cheapest",
        "REBALANCER_TRACKING__RISK_AVERSION": risk,
    }
    document = command("plan", "--json", environ=wished).document
    assert (risk != "0") is (Decimal(document["tracking"]) > 0)
    off = {
        row["asset"]: Decimal(row["after"]) - Decimal(row["target"]) for row in document["assets"]
    }
    assert (risk == "0") is (off["ETH"] > Decimal("0.03"))
