"""Which edges a survey has to look for, before there are any."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from agent.core.decide import Decision, Rest
from agent.core.money import ChainId, Token, raw_up
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.value import Valuation
from agent.planning.goals import Aim, Goal, goals

HUBS = 3
"""Assets that are looked at as what is carried from chain to chain for others: the gas coin and
those that most chains have. Each more would add pairs on every chain."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Pairs (sell, buy) and the most to sell in base units.

    Both of a pair are ERC-20s of one chain, or forms of one asset on two chains: that is for
    bridges, which sell gas coins as they are and deliver no wrapped ones.
    """

    pairs: tuple[tuple[Token, Token], ...]
    sizes: Mapping[Token, int]


def pairs_needed(
    valuation: Valuation,
    decision: Decision,
    policy: Policy,
    *,
    prices: Prices,
    wrapped: Mapping[ChainId, Token],
    idle: Collection[ChainId] = (),
) -> Needs:
    """What a plan for *decision* could sell and buy; swaps take the gas coin in *wrapped* form.

    Sizes go up to all that could move, whoever sells it: trades that share pools use up each
    other's ladders. Nothing is looked for on *idle* chains.
    """
    total = valuation.value
    if isinstance(decision, Rest) or total is None:
        return Needs((), MappingProxyType({}))
    wanted = goals(policy, _aim(policy), stop_at_target=False)
    have = _Have(policy, prices, wrapped, frozenset(idle))
    held = {p.token for p in valuation.positions if p.role == "spend" and p.raw > p.kept}
    gives, takes = _directions(wanted, valuation, total)
    # Where parts on chains have limits too, an asset may have to leave that is not too much.
    limited = len(policy.chains) > 1 and any(_limits(goal) for goal in wanted)
    sources = [
        (token, form, asset)
        for token, form, asset in have.forms
        if token in held and (asset in gives or limited)
    ]
    hubs = _hubs(have)
    local = (
        *_swaps(sources, have.forms, frozenset(takes) | hubs),
        *_swaps([each for each in have.forms if each[2] in hubs], have.forms, takes),
        *_for_gas(have, valuation, held),
    )
    far = _bridges(have, held, {form for _, form, _ in sources}, hubs)
    pairs = tuple(dict.fromkeys((*local, *far)))
    most = min(
        policy.limits.max_run_value, max(sum(gives.values()), _off(wanted, valuation, total))
    )
    sizes = {sell: raw_up(most / have.worth[sell], sell) for sell, _ in pairs}
    return Needs(pairs, MappingProxyType(sizes))


_Form = tuple[Token, Token, str]
"""A token, the ERC-20 that swaps take for it, and its asset."""


class _Have:
    """Tokens that may be traded in the forms that swaps take, and what each is worth."""

    def __init__(
        self,
        policy: Policy,
        prices: Prices,
        wrapped: Mapping[ChainId, Token],
        idle: frozenset[ChainId],
    ) -> None:
        self.policy = policy
        self.wrapped = wrapped
        self.worth: dict[Token, Decimal] = {}
        self.forms: list[_Form] = []
        for token, asset in sorted(policy.asset_of.items(), key=lambda item: item[0].key):
            form = wrapped.get(token.chain) if token.is_native else token
            price = prices.of(token)
            if price is None or policy.role(token) != "spend" or token.chain in idle:
                continue
            self.worth[token] = price.value
            if form is not None and token.chain in policy.chains:
                self.worth[form] = price.value
                self.forms.append((token, form, asset))

    @property
    def coins(self) -> Mapping[ChainId, tuple[Token, str]]:
        """Gas coins that may be spent, with their assets."""
        return {token.chain: (token, asset) for token, _, asset in self.forms if token.is_native}


def _limits(goal: Goal) -> bool:
    """Whether a part on a chain must not be as large, or as small, as it likes."""
    return goal.chain is not None and (goal.low > 0 or goal.high < 1)


def _aim(policy: Policy) -> Aim:
    return "target" if policy.trigger.rebalance_to == "target" else "edge"


def _directions(
    wanted: Sequence[Goal], valuation: Valuation, total: Decimal
) -> tuple[Mapping[str, Decimal], frozenset[str]]:
    """Assets that may give, with the most they may, and assets that may take."""
    gives, takes = {}, set()
    for goal in wanted:
        if goal.asset is None or goal.chain is not None:
            continue
        value = valuation.by_asset[goal.asset]
        if value > goal.stop_low * total:
            gives[goal.asset] = value - goal.stop_low * total
        if value < goal.stop_high * total:
            takes.add(goal.asset)
    return gives, frozenset(takes)


def _off(wanted: Sequence[Goal], valuation: Valuation, total: Decimal) -> Decimal:
    """Value by which chains, and assets on chains, are outside of where they should end."""
    off = Decimal(0)
    for goal in wanted:
        if goal.chain is not None:
            value = goal.of(valuation.by_asset_on_chain)
            off += max(Decimal(0), value - goal.aim_high * total, goal.aim_low * total - value)
    return off


def _hubs(have: _Have) -> frozenset[str]:
    """Assets that can be carried from chain to chain in place of others: the gas coin first."""
    chains: dict[str, set[ChainId]] = {}
    for token, _, asset in have.forms:
        chains.setdefault(asset, set()).add(token.chain)
    gas = {asset for _, asset in have.coins.values()}
    several = [asset for asset, found in chains.items() if len(found) > 1]
    several.sort(key=lambda asset: (asset not in gas, -len(chains[asset]), asset))
    return frozenset(several[:HUBS])


def _swaps(
    sells: Iterable[_Form], forms: Sequence[_Form], buys: frozenset[str]
) -> Iterator[tuple[Token, Token]]:
    """Pairs of different assets on one chain."""
    for _, sell, sold in sells:
        for _, buy, bought in forms:
            if sell.chain == buy.chain and sold != bought and bought in buys:
                yield sell, buy


def _for_gas(
    have: _Have, valuation: Valuation, held: Collection[Token]
) -> Iterator[tuple[Token, Token]]:
    """Pairs that bring gas where it is short, from whatever else lies there."""
    raws = {p.token: p.raw for p in valuation.positions}
    for chain, (coin, asset) in have.coins.items():
        if raws.get(coin, 0) < have.policy.gas_reserve.get(chain, 0):
            for token, form, sold in have.forms:
                if token in held and token.chain == chain and sold != asset:
                    yield form, have.wrapped[chain]


def _bridges(
    have: _Have, held: Collection[Token], sources: Collection[Token], hubs: frozenset[str]
) -> Iterator[tuple[Token, Token]]:
    """Pairs of one asset on two chains: of what is held, and of hubs that could be bought."""
    full = {form.chain for form in sources}
    for token, form, asset in have.forms:
        bought = form in sources or (asset in hubs and form.chain in full)
        sells = [*([token] if token in held else []), *([form] if bought else [])]
        for goal, _, other in have.forms:
            if other != asset or goal.chain == token.chain:
                continue
            coin = have.coins.get(goal.chain)
            # A wrapped coin arrives as the coin itself.
            arrives = coin[0] if goal == have.wrapped.get(goal.chain) and coin else goal
            yield from ((sell, arrives) for sell in sells)
