"""Random problems over one to four chains: any holdings, wishes, pools and bridges."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product
from random import Random

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

from agent.core.fees import FeeQuote
from agent.core.money import Bps, ChainId
from agent.core.policy import Asset, Instance, Range, Target
from agent.core.price import Prices

PLACES = tuple(place(ChainId(chain)) for chain in (1, 10, 8453, 42161))
NAMES = ("ETH", "USDC", "WBTC", "DAI")


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
    wrong = [broken(random, known, found) for known in chosen(random, found, 0.1)]
    return (*found, *wrong, *alone(Random(len(found)), found))


def alone(random, found):
    """Offers of somebody who is only asked, beside what is surveyed."""
    here = [known for known in found if known.sell.chain == known.buy.chain]
    for known in chosen(random, here, 0.2):
        yield replace(a_swap(random, known.sell, known.buy), via="asked", alone=True)


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
