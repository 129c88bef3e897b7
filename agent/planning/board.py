"""The part of a problem that trades cannot change, looked up once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from agent.core.fees import money as fee_value
from agent.core.market import Edge
from agent.core.money import NATIVE, Amount, ChainId, Token
from agent.core.price import Prices
from agent.core.wording import chain_name
from agent.planning.goals import Cell
from agent.planning.ladder import is_sound
from agent.planning.problem import NoPlan, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Holdings by what may be spent of them, usable edges, and values before any trade.

    `free` is base units of ERC-20s that may be spent, `native_free` of gas coins that may be
    wrapped (beyond gas reserve and what is kept, before fees) where coin and wrapped form are
    one asset, `native_held` of all gas coins.
    `asset_of` knows the wrapped form of a gas coin even where only the coin is listed; such a
    form is only passed through, and stands in `transit`.
    """

    problem: Problem
    prices: Prices
    edges: tuple[Edge, ...]
    asset_of: Mapping[Token, str]
    transit: frozenset[Token]
    free: Mapping[Token, int]
    native_free: Mapping[ChainId, int]
    native_held: Mapping[ChainId, int]
    start: Mapping[Cell, Decimal]

    def cell(self, token: Token) -> Cell:
        """The cell that *token* counts for."""
        return self.asset_of[token], token.chain

    def worth(self, token: Token, raw: int) -> Decimal:
        """The value of *raw* base units of a token that has a price."""
        return self.unit_price(token) * Amount(token, raw).whole

    def unit_price(self, token: Token) -> Decimal:
        """The price of a token that has one."""
        return self.prices.by_asset[self.prices.asset_of[token]].value

    def gas_value(self, chain: ChainId, gas: int) -> Decimal:
        """What *gas* units cost on *chain* now."""
        problem = self.problem
        return fee_value(gas * problem.gas_prices[chain], problem.native_prices[chain])

    def reserve_gap(self, chain: ChainId) -> int:
        """Base units that the gas coin lacks to its reserve."""
        reserve = self.problem.policy.gas_reserve.get(chain, 0)
        return max(0, reserve - self.native_held.get(chain, 0))

    def native(self, chain: ChainId) -> Token:
        """The gas coin of *chain*, as the policy names it where it does."""
        coin = Token(chain, NATIVE, 18, "native")
        return next((token for token in self.problem.snapshot.balances if token == coin), coin)


def board(problem: Problem) -> Board | NoPlan:
    """Look everything up, or say what is missing."""
    chains = sorted({edge.sell.chain for edge in problem.edges})
    for chain in chains:
        price = problem.native_prices.get(chain, Decimal(0))
        if not (problem.gas_prices.get(chain, 0) > 0 and price.is_finite() and price > 0):
            return NoPlan((f"gas on {chain_name(chain)} has no price, so no cost is known",))
    asset_of, transit = _assets(problem)
    known = {**problem.prices.asset_of}
    for token in transit:
        coin = known.get(Token(token.chain, NATIVE, 18, ""))
        if coin is not None:
            known.setdefault(token, coin)
    prices = replace(problem.prices, asset_of=MappingProxyType(known))
    free, native_free = _free(problem, asset_of)
    return Board(
        problem=problem,
        prices=prices,
        edges=_usable(problem, prices, asset_of, transit),
        asset_of=asset_of,
        transit=transit,
        free=free,
        native_free=native_free,
        native_held={t.chain: raw for t, raw in problem.snapshot.balances.items() if t.is_native},
        start=problem.valuation.by_asset_on_chain,
    )


def _assets(problem: Problem) -> tuple[Mapping[Token, str], frozenset[Token]]:
    """The asset of each token that counts, and of wrapped coins that are only passed through."""
    policy = problem.policy
    assets = {t: name for t, name in policy.asset_of.items() if name in policy.targets}
    transit = set()
    for chain, wrapped in problem.wrapped.items():
        coin = Token(chain, NATIVE, wrapped.decimals, "")
        if wrapped not in policy.asset_of and coin in assets and policy.role(coin) == "spend":
            assets[wrapped] = assets[coin]
            transit.add(wrapped)
    return MappingProxyType(assets), frozenset(transit)


def _free(
    problem: Problem, asset_of: Mapping[Token, str]
) -> tuple[Mapping[Token, int], Mapping[ChainId, int]]:
    """What may be spent of each ERC-20, and wrapped of each gas coin."""
    free, native = {}, {}
    for position in problem.valuation.positions:
        token, raw = position.token, position.raw - position.kept
        if position.role != "spend":
            continue
        if not token.is_native:
            free[token] = raw
        elif asset_of.get(problem.wrapped.get(token.chain, token)) == position.asset:
            native[token.chain] = max(0, raw - problem.policy.gas_reserve.get(token.chain, 0))
    return MappingProxyType(free), MappingProxyType(native)


def _usable(
    problem: Problem,
    prices: Prices,
    asset_of: Mapping[Token, str],
    transit: frozenset[Token],
) -> tuple[Edge, ...]:
    """Edges between different assets whose both ends may be traded, in an order of their own."""

    def tradable(token: Token) -> bool:
        spend = token in transit or problem.policy.role(token) == "spend"
        price = prices.of(token)
        priced = price is not None and price.value.is_finite() and price.value > 0
        return token in asset_of and not token.is_native and spend and priced

    usable = {
        (edge.sell.key, edge.buy.key, edge.via, edge.detail, edge.ladder): edge
        for edge in problem.edges
        if tradable(edge.sell)
        and tradable(edge.buy)
        and edge.sell.chain == edge.buy.chain
        and asset_of[edge.sell] != asset_of[edge.buy]
        and is_sound(edge)
    }
    return tuple(edge for _, edge in sorted(usable.items()))
