"""What holds for every plan over several chains, whatever lies where and whatever leads where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from portfolios import QUOTED, greedy_plan
from random_problems import ALL_PRICES, ASSET_OF, problems

from agent.core.fees import MAX_BASE_FEE_GROWTH
from agent.core.money import NATIVE, WHOLE_BPS, Token
from agent.core.plan import Plan, build
from agent.core.value import value
from agent.planning.planner import plan

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

CENT = Decimal("0.01")


# ---- carrying a plan out --------------------------------------------------------------------


def out(leg, spent, share):
    """What a leg brings for *spent*: *share* of the way from its minimum to what is expected."""
    if leg.kind in {"wrap", "unwrap"}:
        return spent
    planned = leg.planned_sell.raw
    least = leg.min_buy * spent // planned
    return least + int((leg.expected_out * spent // planned - least) * share)


def nothing(_):
    return 0


def carried_out(made, before, share_of, pick, fee_of=nothing):
    """Balances after the legs and fees, taken in any order that their waits allow."""
    held, came = Counter(before), {}
    while len(came) < len(made.legs):
        ready = [leg for leg in made.legs if leg.id not in came and set(leg.after) <= set(came)]
        leg = pick(ready)
        spent = leg.sell.sized(came)
        assert spent > 0
        held[leg.sell.token] -= spent
        held[Token(leg.sell.token.chain, NATIVE, 18, "")] -= fee_of(leg)
        assert all(raw >= 0 for raw in held.values()), leg
        came[leg.id] = out(leg, spent, share_of(leg))
        held[leg.buy] += came[leg.id]
    return held


def by_chance(random, made):
    """Every leg brings something between its minimum and what is expected."""
    shares = {leg.id: random.random() for leg in made.legs}
    return lambda leg: shares[leg.id]


def first(ready):
    return ready[0]


def least_run(asked, made):
    return carried_out(made, asked.snapshot.balances, lambda _: 0, first)


def expected_run(asked, made):
    return carried_out(made, asked.snapshot.balances, lambda _: 1, first)


def worth(token, raw):
    return Decimal(QUOTED[ASSET_OF[token]]) * raw / token.unit


def whole_worth(held):
    return sum((worth(token, raw) for token, raw in held.items()), Decimal(0))


def largest_fee(leg):
    """Wei that a node asks for: the fee may double, the gas limit is a quarter above the gas."""
    wei = leg.gas_cost * 10**18 / Decimal(QUOTED["ETH"])
    return max(0, int((wei - 10**9) * MAX_BASE_FEE_GROWTH * 5 / 4))


# ---- promises -------------------------------------------------------------------------------


def loses_exactly_what_it_says(asked, made):
    before = whole_worth(asked.snapshot.balances)
    for run, lost in ((expected_run, made.cost), (least_run, made.worst_case)):
        after = whole_worth(run(asked, made))
        assert abs(before - after + made.gas_if_reverted - lost) < CENT
    assert sum(leg.cost for leg in made.legs) == made.cost
    assert sum(leg.gas_cost for leg in made.legs) == made.gas_if_reverted
    assert made.cost <= made.worst_case


def touches_nothing_that_it_must_not(asked, made):
    spend = {i.token for a in asked.policy.assets for i in a.instances if i.role == "spend"}
    listed = {i.token for a in asked.policy.assets for i in a.instances}
    passed = {t for t in asked.wrapped.values() if t not in listed}
    kept = {p.token: p.kept for p in asked.valuation.positions}
    for leg in made.legs:
        assert {leg.sell.token, leg.buy} <= spend | passed
        assert not {leg.sell.token.chain, leg.buy.chain} & set(asked.idle)
        if leg.kind == "swap":
            assert ASSET_OF[leg.buy] not in asked.falling
    for run in (expected_run, least_run):
        held = run(asked, made)
        for token in spend & set(asked.snapshot.balances):
            floor = kept.get(token, 0)
            if token.is_native:
                floor += asked.policy.gas_reserve[token.chain]
                floor = min(floor, asked.snapshot.balances[token])
            elif token in asked.wrapped.values():
                continue  # what is kept of a coin may be kept in either form
            assert held[token] >= floor, token


def keeps_its_limits(asked, made):
    own = asked.policy.limits
    assert made.turnover <= own.max_run_value
    assert made.cost * WHOLE_BPS <= made.turnover * own.max_cost_bps + CENT * WHOLE_BPS
    bridged = [leg for leg in made.legs if leg.kind == "bridge"]
    assert sum(worth(leg.sell.token, leg.planned_sell.raw) for leg in bridged) <= own.max_in_flight
    for leg in made.legs:
        if leg.kind not in {"swap", "bridge"}:
            continue
        sold = leg.planned_sell
        if "gas for" not in leg.detail:
            assert worth(leg.sell.token, sold.raw) >= own.min_trade
        fair = ALL_PRICES.fair(sold, leg.buy)
        assert 0 < leg.min_buy <= leg.expected_out
        assert leg.expected_out * WHOLE_BPS >= fair * (WHOLE_BPS - own.max_price_impact_bps)
        assert (
            leg.min_buy * WHOLE_BPS
            >= leg.expected_out * (WHOLE_BPS - own.max_slippage_bps) - WHOLE_BPS
        )
        assert (leg.kind == "bridge") == (leg.sell.token.chain != leg.buy.chain)


def trades_in_no_circle(asked, made):
    def node(token):
        return asked.wrapped[token.chain] if token.is_native else token

    edges = {
        (node(leg.sell.token), node(leg.buy))
        for leg in made.legs
        if leg.kind in {"swap", "bridge"} and "gas for" not in leg.detail
    }
    while edges:
        bought = {b for _, b in edges}
        begin = {e for e in edges if e[0] not in bought}
        assert begin
        edges -= begin


def shortfall(asked, held, gas):
    """By how much all bands are missed, beyond dust."""
    kept = {p.token: p.kept for p in asked.valuation.positions}
    listed = {i.token: a.name for a in asked.policy.assets for i in a.instances}
    cells = Counter()
    for token, raw in held.items():
        if token in listed:
            cells[listed[token], token.chain] += worth(token, raw - kept.get(token, 0))
    for chain, cost in gas.items():
        if any(t.is_native and t.chain == chain for t in listed):
            cells["ETH", chain] -= cost
    total = sum(cells.values())
    bands = [((name, None), t.low, t.high) for name, t in asked.policy.targets.items()]
    bands += [((None, chain), r.low, r.high) for chain, r in asked.policy.by_chain.items()]
    bands += [(cell, r.low, r.high) for cell, r in asked.policy.by_asset_on_chain.items()]
    missed = Decimal(0)
    for (name, chain), low, high in bands:
        value = sum(v for (n, c), v in cells.items() if name in {None, n} and chain in {None, c})
        off = max(value - total * high / WHOLE_BPS, total * low / WHOLE_BPS - value)
        missed += off if off > asked.policy.dust else 0
    return missed


def is_no_worse_than_doing_nothing(asked, made):
    gas = Counter()
    for leg in made.legs:
        gas[leg.sell.token.chain] += leg.gas_cost
    before = shortfall(asked, asked.snapshot.balances, {})
    for run in (expected_run, least_run):
        assert shortfall(asked, run(asked, made), gas) <= before + CENT


def finds_gas_for_every_leg(asked, made):
    for chain in {leg.sell.token.chain for leg in made.legs}:
        coin = next((t for t in asked.snapshot.balances if t.is_native and t.chain == chain), None)
        if coin is not None and any("stays below its gas reserve" in line for line in made.why):
            continue
        counted = coin in {p.token for p in asked.valuation.positions if p.role == "spend"}
        reserve = asked.policy.gas_reserve[chain]
        assert not counted or least_run(asked, made)[coin] >= reserve


PROMISES = (
    loses_exactly_what_it_says,
    touches_nothing_that_it_must_not,
    keeps_its_limits,
    trades_in_no_circle,
    is_no_worse_than_doing_nothing,
    finds_gas_for_every_leg,
)


@settings(max_examples=20, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_every_greedy_plan_keeps_its_promises_and_no_plan_says_why(asked, random):
    keeps_its_promises(greedy_plan, asked, random)


@settings(max_examples=12, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_every_plan_of_the_solver_keeps_its_promises_and_no_plan_says_why(asked, random):
    keeps_its_promises(plan, asked, random)


def keeps_its_promises(planned, asked, random):
    made = planned(asked)
    assert made.why
    assert all(made.why)
    assert made == planned(asked)
    if not isinstance(made, Plan):
        event("no plan")
        return
    event(f"bridges: {sum(leg.kind == 'bridge' for leg in made.legs)}")
    event(f"gas: {any('gas for' in leg.detail for leg in made.legs)}")
    assert made is build(made, asked.snapshot.balances, {})
    for promise in PROMISES:
        promise(asked, made)
    for _ in range(5):
        before = asked.snapshot.balances
        carried_out(made, before, by_chance(random, made), random.choice, largest_fee)


@settings(max_examples=8, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_order_of_chains_assets_tokens_and_edges_changes_no_greedy_plan(asked, random):
    order_changes_nothing(greedy_plan, asked, random)


@settings(max_examples=6, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_order_of_chains_assets_tokens_and_edges_changes_no_plan_of_the_solver(asked, random):
    order_changes_nothing(plan, asked, random)


def order_changes_nothing(planned, asked, random):
    def shuffled(items):
        copy = list(items)
        random.shuffle(copy)
        return copy

    own = replace(
        asked.policy,
        chains=tuple(shuffled(asked.policy.chains)),
        assets=tuple(
            replace(asset, instances=tuple(shuffled(asset.instances)))
            for asset in shuffled(asked.policy.assets)
        ),
        targets=dict(shuffled(asked.policy.targets.items())),
        by_chain=dict(shuffled(asked.policy.by_chain.items())),
        by_asset_on_chain=dict(shuffled(asked.policy.by_asset_on_chain.items())),
    )
    chains = {
        chain: replace(seen, balances=dict(shuffled(seen.balances.items())))
        for chain, seen in shuffled(asked.snapshot.chains.items())
    }
    turned = replace(asked.snapshot, chains=chains)
    again = replace(
        asked,
        policy=own,
        snapshot=turned,
        valuation=value(turned, asked.prices, own),
        edges=tuple(shuffled(asked.edges)),
        wrapped=dict(shuffled(asked.wrapped.items())),
        idle=dict(shuffled(asked.idle.items())),
    )
    assert planned(asked) == planned(again)
