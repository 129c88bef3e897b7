"""What holds for every plan, whatever the wallet, the wishes and the pools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from portfolios import (
    CHAIN,
    ETH,
    SPAM,
    STETH,
    USDC,
    WBTC,
    WETH,
    assets,
    edge,
    holdings,
    limits,
    policy,
    prices,
    problem,
    trigger,
)
from portfolios import (
    greedy_plan as plan,
)

from agent.core.codec import encode
from agent.core.money import WHOLE_BPS, Amount, Bps
from agent.core.plan import Plan, build
from agent.core.policy import Target
from agent.core.snapshot import ChainSnapshot, Snapshot
from agent.core.value import value

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

TRADED = (WETH, WBTC, USDC)
ASSETS = assets(("ETH", (ETH, WETH, STETH)), ("WBTC", (WBTC,)), ("USDC", (USDC,)), count=(STETH,))
CENT = Decimal("0.01")
WORTH = prices()


@st.composite
def shares(draw):
    """Three weights that are the whole, and their bands."""
    one = draw(st.integers(0, 9_000))
    other = draw(st.integers(0, 10_000 - one))
    weights = (one, other, 10_000 - one - other)
    bands = [draw(st.sampled_from([0, 10, 100, 300, 500, 2_000])) for _ in weights]
    return {
        name: Target(Bps(weight), Bps(band))
        for name, weight, band in zip(("ETH", "WBTC", "USDC"), weights, bands, strict=True)
    }


@st.composite
def wallets(draw):
    """Up to about 100 000 of each asset in value, some of it where it must not be touched."""
    sizes = st.integers(0, 100_000)
    return holdings() | {
        ETH: draw(st.sampled_from([10**16, 10**18, 10**19, 3 * 10**19])) + draw(st.integers(0, 9)),
        WETH: draw(sizes) * 10**18 // 3_000,
        STETH: draw(st.sampled_from([0, 10**18, 10**19])),
        WBTC: draw(sizes) * 10**8 // 60_000,
        USDC: draw(sizes) * 10**6 + draw(st.integers(0, 10**6)),
        SPAM: draw(st.sampled_from([0, 10**12])),
    }


PAIRS = [(a, b) for a in (*TRADED, STETH) for b in (*TRADED, STETH) if a != b]
one_edge = st.fixed_dictionaries(
    {
        "fee_bps": st.sampled_from([1, 5, 30, 100]),
        "depth": st.sampled_from(["100000", "3000000", "100000000"]),
        "gas": st.sampled_from([0, 150_000, 150_000, 2_000_000]),
        "most": st.sampled_from(["20000", "400000"]),
        "pools": st.sampled_from([(), ("0xa",), ("0xa", "0xb")]),
    }
)


@st.composite
def markets(draw):
    """Edges between some of the tokens, good and bad, with and without shared pools."""
    chosen = draw(st.lists(st.sampled_from(PAIRS), unique=True, min_size=6))
    return tuple(edge(sell, buy, **draw(one_edge)) for sell, buy in chosen)


@st.composite
def problems(draw):
    own = policy(
        assets=ASSETS,
        targets=draw(shares()),
        trigger=trigger(rebalance_to=draw(st.sampled_from(["target", "edge", "cheapest"]))),
        limits=limits(
            max_run_value=draw(st.sampled_from([Decimal(900), Decimal(10**6), Decimal(10**6)])),
            max_cost_bps=Bps(draw(st.sampled_from([20, 80, 300, 300]))),
            min_trade=draw(st.sampled_from([Decimal(0), Decimal(50), Decimal(900)])),
            max_price_impact_bps=Bps(draw(st.sampled_from([50, 100, 300, 10_000]))),
            max_slippage_bps=Bps(draw(st.sampled_from([0, 50, 300]))),
        ),
        keep=draw(st.sampled_from([{}, {"USDC": Decimal(3_000)}, {"ETH": Decimal("0.5")}])),
    )
    return problem(draw(wallets()), policy=own, edges=draw(markets()))


def worth(token, raw):
    return WORTH.worth(Amount(token, raw))


def balances(asked, answer, *, least):
    """Balances after the legs, one by one; every one must be paid out of what is there."""
    held = dict(asked.snapshot.balances)
    came = {}
    for leg in answer.legs:
        assert set(leg.after) <= set(came)
        spent = leg.sell.sized(came)
        out = leg.min_buy if least else leg.expected_out
        assert 0 < spent <= held[leg.sell.token]
        held[leg.sell.token] -= spent
        held[leg.buy] = held.get(leg.buy, 0) + out
        came[leg.id] = out
    return held


def never_sells_what_is_counted_kept_reserved_or_outside(asked, answer):
    for held in (balances(asked, answer, least=True), balances(asked, answer, least=False)):
        before = asked.snapshot.balances
        assert before[STETH] == held[STETH]
        assert before[SPAM] == held[SPAM]
        assert held[ETH] >= min(before[ETH], asked.policy.gas_reserve[CHAIN])
        kept = {p.token: p.kept for p in asked.valuation.positions}
        assert all(held[token] >= kept[token] for token in (USDC, WBTC))
        assert held[ETH] + held[WETH] >= kept[ETH] + kept[WETH]


def loses_exactly_its_cost(asked, answer):
    for least, lost in ((False, answer.cost), (True, answer.worst_case)):
        held = balances(asked, answer, least=least)
        after = sum(worth(t, raw) for t, raw in held.items() if t != SPAM)
        before = sum(worth(t, raw) for t, raw in asked.snapshot.balances.items() if t != SPAM)
        assert abs(before - after + answer.gas_if_reverted - lost) < CENT
    assert answer.cost <= answer.worst_case
    assert sum(leg.cost for leg in answer.legs) == answer.cost


def ends_inside_all_bands_by_minima_or_says_so(asked, answer):
    least, expected = (balances(asked, answer, least=flag) for flag in (True, False))
    kept = {p.token: p.kept for p in asked.valuation.positions}

    def asset_value(held, name):
        gas = answer.gas_if_reverted if name == "ETH" else 0
        own = [t for t, asset in asked.policy.asset_of.items() if asset == name]
        return sum(worth(t, held[t] - kept[t]) for t in own) - gas

    names = list(asked.policy.targets)
    for name in names:
        target = asked.policy.targets[name]
        others_most = sum(asset_value(expected, n) for n in names if n != name)
        others_least = sum(asset_value(least, n) for n in names if n != name)
        small, large = asset_value(least, name), asset_value(expected, name)
        low = small * WHOLE_BPS >= target.low * (small + others_most) - CENT * WHOLE_BPS
        high = large * WHOLE_BPS <= target.high * (large + others_least) + CENT * WHOLE_BPS
        said = any(line.startswith((f"{name} stays", f"{name} is expected")) for line in answer.why)
        assert (low and high) or said


def respects_its_limits(asked, answer):
    own = asked.policy.limits
    assert answer.turnover <= own.max_run_value
    assert answer.cost * WHOLE_BPS <= answer.turnover * own.max_cost_bps + CENT * WHOLE_BPS
    for leg in answer.legs:
        if leg.kind == "swap":
            sold = leg.planned_sell
            assert WORTH.worth(sold) >= own.min_trade
            fair = WORTH.fair(sold, leg.buy)
            assert leg.min_buy * WHOLE_BPS >= fair * (WHOLE_BPS - own.max_price_impact_bps)
            assert leg.min_buy * WHOLE_BPS >= leg.expected_out * (WHOLE_BPS - own.max_slippage_bps)
            assert 0 < leg.min_buy <= leg.expected_out


def wraps_exactly_what_the_swaps_are_short_of(asked, answer):
    sold = sum(leg.planned_sell.raw for leg in answer.legs if leg.sell.token == WETH)
    (kept,) = (p.kept for p in asked.valuation.positions if p.token == WETH)
    short = sold - (asked.snapshot.balances[WETH] - kept)
    wrapped = [leg.sell.fixed_raw for leg in answer.legs if leg.kind == "wrap"]
    assert ([short] if short > 0 else []) == wrapped


def passes_the_check_of_plans_on_the_whole_wallet(asked, answer):
    assert answer == build(answer, asked.snapshot.balances, {})


def is_the_same_again_byte_for_byte(asked, answer):
    assert json.dumps(encode(answer)) == json.dumps(encode(plan(asked)))


PROMISES = (
    never_sells_what_is_counted_kept_reserved_or_outside,
    loses_exactly_its_cost,
    ends_inside_all_bands_by_minima_or_says_so,
    respects_its_limits,
    wraps_exactly_what_the_swaps_are_short_of,
    passes_the_check_of_plans_on_the_whole_wallet,
    is_the_same_again_byte_for_byte,
)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_every_plan_keeps_its_promises_and_no_plan_says_why(asked):
    answer = plan(asked)
    event(type(answer).__name__)
    assert answer.why
    assert all(answer.why)
    if isinstance(answer, Plan):
        assert answer.legs
        for promise in PROMISES:
            promise(asked, answer)


@settings(max_examples=50, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_assets_tokens_and_edges_changes_nothing(asked, random):
    def shuffled(items):
        copy = list(items)
        random.shuffle(copy)
        return copy

    own = replace(
        asked.policy,
        assets=tuple(
            replace(asset, instances=tuple(shuffled(asset.instances)))
            for asset in shuffled(asked.policy.assets)
        ),
        targets=dict(shuffled(asked.policy.targets.items())),
    )
    chain = asked.snapshot.chains[CHAIN]
    turned = Snapshot(
        asked.snapshot.account,
        {
            CHAIN: ChainSnapshot(
                CHAIN, chain.account, chain.block, dict(shuffled(chain.balances.items()))
            )
        },
    )
    again = replace(
        asked,
        policy=own,
        snapshot=turned,
        valuation=value(turned, asked.prices, own),
        edges=tuple(shuffled(asked.edges)),
    )
    assert plan(asked) == plan(again)


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from(["NaN", "Infinity", "-1", "0"]))
def test_edges_and_prices_that_are_no_numbers_never_make_a_plan(asked, text):
    broken = tuple(replace(e, ladder=((10**18, float(text)),)) for e in asked.edges)
    assert not isinstance(plan(replace(asked, edges=broken)), Plan)
    natives = {CHAIN: Decimal(text)}
    assert not isinstance(plan(replace(asked, native_prices=natives)), Plan) or not asked.edges


def test_plan_is_the_same_in_another_process_with_another_hash_seed():
    script = "from portfolios import greedy_plan, problem; print(greedy_plan(problem()).id)"
    root = Path(__file__).parents[2]
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}:{root / 'tests'}"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert {plan(problem()).id + "\n"} == seen
