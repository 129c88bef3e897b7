"""A portfolio of many assets on many chains: 20 on 8, with 3,432 ways between them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from random import Random

from portfolios import bridge, edge, policy, price, problem, token, trigger

from agent.core.fees import FeeQuote
from agent.core.market import Edge
from agent.core.money import NATIVE, Bps, ChainId, Token
from agent.core.policy import Asset, Instance, Limits, RebalanceTo, Target
from agent.core.price import Prices
from agent.planning.problem import Problem

CHAINS = tuple(ChainId(chain) for chain in (1, 10, 56, 100, 137, 8453, 42161, 59144))
NAMES = ("ETH", *(f"A{number:02}" for number in range(1, 20)))


def forms(name: str, chain: ChainId) -> tuple[Token, ...]:
    """The tokens of an asset on a chain, the one that swaps take first."""
    if name == "ETH":
        return (token("WETH", 18, chain), Token(chain, NATIVE, 18, "ETH"))
    return (token(name, 18, chain),)


def large_problem(
    seed: int = 1,
    chains: Sequence[ChainId] = CHAINS,
    names: Sequence[str] = NAMES,
    rebalance_to: RebalanceTo = "cheapest",
    bridged: int = 7,
) -> Problem:
    """Every asset on every chain, swaps between all of them, bridges for the first few assets."""
    random = Random(seed)
    worth = {
        name: str(3_000 if name == "ETH" else random.choice([1, 1, 20, 400])) for name in names
    }
    asset_of = {t: n for n, c in product(names, chains) for t in forms(n, c)}
    quoted = Prices({n: price(n, worth[n]) for n in names}, {}, asset_of)
    held = {}
    drift = {name: random.lognormvariate(0, 0.45) for name in names}
    for name, chain in product(names, chains):
        value = Decimal(
            round(300_000 / len(names) / len(chains) * drift[name] * random.random() * 2)
        )
        held[forms(name, chain)[0]] = int(value / Decimal(worth[name]) * 10**18)
    held |= {forms("ETH", chain)[1]: 10**17 for chain in chains}
    weight = 10_000 // len(names)
    weights = dict.fromkeys(names, weight) | {names[0]: 10_000 - weight * (len(names) - 1)}
    own = policy(
        chains=tuple(chains),
        assets=tuple(
            Asset(n, tuple(Instance(t, "spend") for c in chains for t in forms(n, c)))
            for n in names
        ),
        targets={n: Target(Bps(w), Bps(max(1, w // 10))) for n, w in weights.items()},
        gas_reserve=dict.fromkeys(chains, 10**16),
        trigger=trigger(rebalance_to=rebalance_to),
        limits=Limits(
            max_run_value=Decimal(500_000),
            max_in_flight=Decimal(500_000),
            min_trade=Decimal(25),
            max_price_impact_bps=Bps(300),
        ),
    )
    return problem(
        held,
        policy=own,
        prices=quoted,
        edges=tuple(market(random, chains, names, quoted, bridged)),
        wrapped={chain: forms("ETH", chain)[0] for chain in chains},
        fees={c: FeeQuote(10**9 if c == 1 else 10**7, 0, 0) for c in chains},
        native_prices=dict.fromkeys(chains, Decimal(3_000)),
    )


def market(
    random: Random, chains: Sequence[ChainId], names: Sequence[str], quoted: Prices, bridged: int
) -> list[Edge]:
    """Swaps between all assets of a chain, and bridges."""
    found = []
    for chain in chains:
        for sell, buy in product(names, repeat=2):
            if sell != buy:
                depth = 10 ** random.uniform(5.3, 8) * (5 if chain == 1 else 1)
                found.append(
                    edge(
                        forms(sell, chain)[0],
                        forms(buy, chain)[0],
                        quoted=quoted,
                        fee_bps=random.choice([1, 5, 30, 100]),
                        depth=str(round(depth)),
                        most="300000",
                        gas=random.choice([120_000, 180_000, 300_000]),
                    )
                )
    for name in names[:bridged]:
        for here, there in product(chains, repeat=2):
            if here != there:
                found.append(
                    bridge(
                        forms(name, here)[0],
                        forms(name, there)[-1],
                        quoted=quoted,
                        fee_bps=random.choice([2, 4, 8]),
                        fixed=random.choice(["0.1", "0.5", "2"]),
                        most="200000",
                    )
                )
    return found
