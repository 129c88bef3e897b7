"""Which edges a survey has to look for, before there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from agent.core.decide import Decision, Rest
from agent.core.money import ChainId, Token, raw_up
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.value import Valuation
from agent.planning.goals import Aim, goals


@dataclass(frozen=True, slots=True)
class Needs:
    """Pairs (sell, buy) of ERC-20s of one chain each, and the most to sell in base units."""

    pairs: tuple[tuple[Token, Token], ...]
    sizes: Mapping[Token, int]


def pairs_needed(
    valuation: Valuation,
    decision: Decision,
    policy: Policy,
    *,
    prices: Prices,
    wrapped: Mapping[ChainId, Token],
) -> Needs:
    """What a plan for *decision* could sell and buy; the gas coin goes in its *wrapped* form.

    Sizes go up to all that could move, whoever sells it: trades that share pools use up each
    other's ladders.
    """
    total = valuation.value
    if isinstance(decision, Rest) or total is None:
        return Needs((), MappingProxyType({}))
    gives, takes = _directions(valuation, policy, total)
    held = {p.token for p in valuation.positions if p.role == "spend" and p.raw > p.kept}
    sells: dict[Token, str] = {}
    buys: dict[Token, str] = {}
    worth: dict[Token, Decimal] = {}
    for token, asset in sorted(policy.asset_of.items(), key=lambda item: item[0].key):
        form = wrapped.get(token.chain) if token.is_native else token
        price = prices.of(token)
        if form is None or price is None or policy.role(token) != "spend":
            continue
        worth[form] = price.value
        if token in held and asset in gives:
            sells[form] = asset
        if asset in takes:
            buys[form] = asset
    pairs = tuple(
        (sell, buy)
        for sell, sold in sells.items()
        for buy, bought in buys.items()
        if sell.chain == buy.chain and sold != bought
    )
    most = min(policy.limits.max_run_value, sum(gives.values(), Decimal(0)))
    sizes = {sell: raw_up(most / worth[sell], sell) for sell, _ in pairs}
    return Needs(pairs, MappingProxyType(sizes))


def _directions(
    valuation: Valuation, policy: Policy, total: Decimal
) -> tuple[Mapping[str, Decimal], frozenset[str]]:
    """Assets that may give, with the most they may, and assets that may take."""
    aim: Aim = "target" if policy.trigger.rebalance_to == "target" else "edge"
    gives, takes = {}, set()
    for goal in goals(policy, aim, stop_at_target=False):
        if goal.asset is None or goal.chain is not None:
            continue
        value = valuation.by_asset[goal.asset]
        if value > goal.stop_low * total:
            gives[goal.asset] = value - goal.stop_low * total
        if value < goal.stop_high * total:
            takes.add(goal.asset)
    return gives, frozenset(takes)
