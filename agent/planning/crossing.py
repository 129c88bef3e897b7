"""Where money could go between chains, and what it could be traded for once it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from types import MappingProxyType

from agent.core.money import ChainId, Token, raw_up
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.value import Valuation
from agent.planning.needs import Needs

_Forms = Mapping[tuple[str, ChainId], tuple[Token, ...]]


def crossing_needed(
    valuation: Valuation, policy: Policy, *, prices: Prices, wrapped: Mapping[ChainId, Token]
) -> Needs:
    """Routes of every asset between the wallet's chains, and pairs on each of them.

    A pair sells an asset of which there is too much for one of which there is too little, on any
    chain: what is sold may have come by a bridge. Of a gas coin the form that is held leaves, its
    wrapped form when neither is, and the coin itself arrives. Sizes are in base units.
    """
    total = valuation.value
    if total is None or len(policy.chains) < 2:
        return Needs((), MappingProxyType({}))
    forms = _forms(policy, prices)
    held = {position.token for position in valuation.positions if position.raw > position.kept}
    pairs = dict.fromkeys(
        [*_routes(forms, held, wrapped), *_trades(forms, valuation, policy, total, wrapped)]
    )
    most = min(policy.limits.max_run_value, total)
    sizes = {
        sell: raw_up(most / price.value, sell)
        for sell, _ in pairs
        if (price := prices.of(sell)) is not None
    }
    return Needs(tuple(pair for pair in pairs if pair[0] in sizes), MappingProxyType(sizes))


def _forms(policy: Policy, prices: Prices) -> _Forms:
    """The tokens of each targeted asset that may be sold, by chain."""
    found: dict[tuple[str, ChainId], tuple[Token, ...]] = {}
    for token, asset in sorted(policy.asset_of.items(), key=lambda item: item[0].key):
        known = asset in policy.targets and token.chain in policy.chains
        if known and policy.role(token) == "spend" and prices.of(token) is not None:
            found[asset, token.chain] = (*found.get((asset, token.chain), ()), token)
    return found


def _routes(
    forms: _Forms, held: set[Token], wrapped: Mapping[ChainId, Token]
) -> Iterator[tuple[Token, Token]]:
    coins = set(wrapped.values())
    for ((asset, here), sells), ((other, there), buys) in product(forms.items(), repeat=2):
        if asset != other or here == there:
            continue
        coin = wrapped.get(here)
        for sell, buy in product(sells, buys):
            is_coin = sell.is_native or sell == coin
            leaves = sell in held or sell == coin if is_coin else True
            if leaves and buy not in coins and is_coin == buy.is_native:
                yield sell, buy


def _trades(
    forms: _Forms,
    valuation: Valuation,
    policy: Policy,
    total: Decimal,
    wrapped: Mapping[ChainId, Token],
) -> Iterator[tuple[Token, Token]]:
    targets = {asset: target.weight * total / 10_000 for asset, target in policy.targets.items()}
    above = {asset for asset, wanted in targets.items() if valuation.by_asset[asset] > wanted}
    below = {asset for asset, wanted in targets.items() if valuation.by_asset[asset] < wanted}
    for ((asset, here), sells), ((other, there), buys) in product(forms.items(), repeat=2):
        if here == there and asset in above and other in below:
            for sell, buy in product(sells, buys):
                yield _erc20(sell, wrapped), _erc20(buy, wrapped)


def _erc20(token: Token, wrapped: Mapping[ChainId, Token]) -> Token:
    return wrapped.get(token.chain, token) if token.is_native else token
