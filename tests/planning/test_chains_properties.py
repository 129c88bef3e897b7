"""What holds for every plan over several chains, whatever lies where and whatever leads where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from portfolios import (
    NATIVE_PRICES,
    QUOTED,
    bridge,
    edge,
    limits,
    place,
    policy,
    price,
    problem,
    trigger,
)

from agent.core.fees import MAX_BASE_FEE_GROWTH, FeeQuote
from agent.core.money import NATIVE, WHOLE_BPS, Bps, ChainId, Token
from agent.core.plan import Plan, build
from agent.core.policy import Asset, Instance, Range, Target
from agent.core.price import Prices
from agent.core.value import value
from agent.planning.greedy import plan

# A sweep over what other tests cover line by line: measured, it would take three times as long.
pytestmark = pytest.mark.no_cover

PLACES = tuple(place(ChainId(chain)) for chain in (1, 10, 8453, 42161))
NAMES = ("ETH", "USDC", "WBTC", "DAI")
CENT = Decimal("0.01")


def tokens_of(where, name):
    return (where.eth, where.weth) if name == "ETH" else (getattr(where, name.lower()),)


def every(places, names):
    return [t for where, name in product(places, names) for t in tokens_of(where, name)]


ASSET_OF = {t: name for name in NAMES for where in PLACES for t in tokens_of(where, name)}
ALL_PRICES = Prices({n: price(n, QUOTED[n]) for n in NAMES}, {}, ASSET_OF)


def chosen(random, items, share):
    """Some of the *items*, each with this chance."""
    return [item for item in items if random.random() < share]


def lists(random, places, names):
    """Assets with their tokens: now and then a form is missing, or only counts."""
    found = []
    for name in names:
        instances = []
        for where in places:
            forms = tokens_of(where, name)
            if len(forms) > 1:
                forms = random.choice([forms, forms, forms, forms[:1], forms[1:]])
            instances += [Instance(t, random.choice(["spend"] * 12 + ["count"])) for t in forms]
        found.append(Asset(name, tuple(instances)))
    return tuple(found)


def targets(random, names):
    cuts = sorted(random.randint(0, 100) for _ in names[1:])
    weights = [(b - a) * 100 for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    return {
        name: Target(Bps(weight), Bps(random.choice([0, 100, 500, 2_000])))
        for name, weight in zip(names, weights, strict=True)
    }


def wallet(random, places, names):
    held = {}
    for token in every(places, names):
        value = random.choice([0, 0, 1, 3_000, 20_000, 60_000])
        held[token] = int(Decimal(value) / Decimal(QUOTED[ASSET_OF[token]]) * token.unit)
    for where in places:
        gas = random.choice([0, 10**12, 10**14, 9 * 10**15, 10**16, 10**17, 3 * 10**18])
        held[where.eth] = gas + random.randint(0, 9)
    return held


def a_swap(random, sell, buy):
    return edge(
        sell,
        buy,
        quoted=ALL_PRICES,
        fee_bps=random.choice([1, 5, 30, 100]),
        depth=random.choice(["100000", "3000000", "100000000"]),
        gas=random.choice([0, 150_000, 150_000, 2_000_000]),
        most=random.choice(["20000", "400000"]),
        pools=random.choice([(), (), (), ("0xa",), ("0xa", "0xb")]),
    )


def a_bridge(random, sell, buy):
    return bridge(
        sell,
        buy,
        quoted=ALL_PRICES,
        fee_bps=random.choice([0, 2, 8, 60]),
        fixed=random.choice(["0", "0.50", "3"]),
        least=random.choice(["1", "40", "2000"]),
        most=random.choice(["3000", "20000", "300000"]),
        gas=random.choice([90_000, 200_000]),
    )


def market(random, places, names):
    """Some swaps on every chain, some bridges between them, and some edges that are broken."""
    swaps = [
        (sell, buy)
        for where in places
        for sell, buy in product(every((where,), names), repeat=2)
        if sell != buy and not sell.is_native and not buy.is_native
    ]
    routes = [
        (sell, where.eth if name == "ETH" else tokens_of(where, name)[0])
        for name in names
        for source, where in product(places, repeat=2)
        if source is not where
        for sell in tokens_of(source, name)
    ]
    dense = random.choice([0.2, 0.6, 1])
    found = [a_swap(random, *pair) for pair in chosen(random, swaps, dense)]
    found += [a_bridge(random, *pair) for pair in chosen(random, routes, dense)]
    return (*found, *(broken(random, known, found) for known in chosen(random, found, 0.1)))


def broken(random, known, others):
    """A copy that leads elsewhere, or makes no sense."""
    changed = random.choice(
        [
            {"buy": random.choice(others).buy},
            {"buy": known.sell},
            {"ladder": ((10, 9), (10, 9))},
            {"ladder": ()},
            {"ladder": ((10**18, float("nan")),)},
            {"gas": -1},
            {"data_bytes": -1},
        ]
    )
    return replace(known, **changed)


def a_policy(random, places, names):
    chains = tuple(where.chain for where in places)
    ranges = [Range(Bps(0), Bps(3_000)), Range(Bps(2_000), Bps(9_000)), Range()]
    cells = list(product(names, chains))
    return policy(
        chains=chains,
        assets=lists(random, places, names),
        targets=targets(random, names),
        by_chain={c: random.choice(ranges) for c in chosen(random, chains, 0.3)},
        by_asset_on_chain={c: random.choice(ranges) for c in chosen(random, cells, 0.1)},
        trigger=trigger(rebalance_to=random.choice(["target", "edge", "cheapest", "cheapest"])),
        gas_reserve={c: random.choice([0, 10**14, 10**16]) for c in chains},
        limits=limits(
            max_run_value=random.choice([Decimal(2_000), Decimal(10**6), Decimal(10**6)]),
            max_in_flight=random.choice([Decimal(1_000), Decimal(10**6), Decimal(10**6)]),
            max_cost_bps=Bps(random.choice([30, 300, 300])),
            min_trade=random.choice([Decimal(0), Decimal(50), Decimal(900)]),
            max_price_impact_bps=Bps(random.choice([50, 100, 300])),
            max_slippage_bps=Bps(random.choice([0, 50, 300])),
        ),
        keep=random.choice([{}, {}, {}, {"USDC": Decimal(3_000)}, {"ETH": Decimal("0.5")}]),
    )


def a_problem(seed):
    """One to four chains, two to four assets, all else by chance."""
    random = Random(seed)
    places = PLACES[: random.choice([1, 2, 2, 3, 3, 4])]
    names = NAMES[: random.choice([2, 3, 3, 4])]
    chains = tuple(where.chain for where in places)
    return problem(
        wallet(random, places, names),
        policy=a_policy(random, places, names),
        prices=ALL_PRICES,
        edges=market(random, places, names),
        wrapped={where.chain: where.weth for where in places},
        fees={c: FeeQuote(10**8, 0, random.choice([0, 10**9])) for c in chains},
        native_prices=dict.fromkeys(chains, NATIVE_PRICES[ChainId(1)]),
        falling={name: f"{name} falls" for name in chosen(random, names, 0.05)},
        idle=dict.fromkeys(chosen(random, chains[1:], 0.1), "its node is down"),
    )


problems = st.integers(0, 2**32).map(a_problem)


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


@settings(max_examples=40, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_every_plan_keeps_its_promises_and_no_plan_says_why(asked, random):
    made = plan(asked)
    assert made.why
    assert all(made.why)
    assert made == plan(asked)
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


@settings(max_examples=15, deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_order_of_chains_assets_tokens_and_edges_changes_nothing(asked, random):
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
    assert plan(asked) == plan(again)
