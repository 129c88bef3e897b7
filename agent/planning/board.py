"""The part of a problem that trades cannot change, looked up once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from agent.core.fees import MAX_BASE_FEE_GROWTH
from agent.core.fees import money as fee_value
from agent.core.market import Edge
from agent.core.money import NATIVE, ChainId, Token
from agent.core.price import Prices
from agent.core.rounding import mul_div_up
from agent.core.value import UNPRICED
from agent.core.verdict import Refusal
from agent.core.wording import chain_name
from agent.planning.goals import Cell
from agent.planning.ladder import is_bridge, is_sound
from agent.planning.problem import NoPlan, Problem
from agent.planning.way import Way

GAS_LIMIT_MARGIN = (3, 2)
"""A gas limit is a half above the gas that a simulation used, and nodes go by the limit; so they do
in the first simulation, with two and a half times the gas at a price that may grow by an eighth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Holdings by what may be spent of them, usable ways, and values before any trade.

    `into` are the ways by what they bring. `free` is base units of ERC-20s that may be spent,
    `native_free` of gas coins that may be spent (beyond gas reserve and what is kept, before
    fees), `native_held` of all gas coins; `coins` are the gas coins that were read. `wraps` are
    the chains on which the coin and its wrapped form are one asset that may be spent. `asset_of`
    knows the wrapped form of a gas coin even where only the coin is listed; such a form is only
    passed through, and stands in `transit`; `tradable` are all tokens that legs may sell and buy.
    `closed` says of chains on which nothing can be done why. `memo` keeps what is worked out from
    all this alone, again and again.
    """

    problem: Problem
    prices: Prices
    ways: tuple[Way, ...]
    into: Mapping[Token, tuple[Way, ...]]
    asset_of: Mapping[Token, str]
    transit: frozenset[Token]
    tradable: frozenset[Token]
    free: Mapping[Token, int]
    native_free: Mapping[ChainId, int]
    native_held: Mapping[ChainId, int]
    wraps: frozenset[ChainId]
    start: Mapping[Cell, Decimal]
    coins: Mapping[ChainId, Token]
    closed: Mapping[ChainId, str]
    memo: dict[tuple[object, ...], Any] = field(default_factory=dict, compare=False, repr=False)

    def gas_value(self, chain: ChainId, gas: int, data_bytes: int = 0) -> Decimal:
        """What *gas* units, and *data_bytes* on the parent chain, cost on *chain* now."""
        problem = self.problem
        wei = problem.fees[chain].expected(gas, data_bytes)
        return fee_value(wei, problem.native_prices[chain])

    def cost(self, edge: Edge) -> Decimal:
        """What all transactions of *edge* cost now, its message fee and its claims included."""
        near, far = edge.sell.chain, edge.buy.chain
        own = self.gas_value(near, edge.gas, edge.data_bytes)
        message = fee_value(edge.fee, self.problem.native_prices[near])
        claims = self.gas_value(far, edge.far_gas) if edge.far_gas else Decimal(0)
        return own + message + claims

    def gas_cap(self, chain: ChainId, gas: int, data_bytes: int = 0) -> int:
        """Wei that a node asks for before it takes such transactions: room for fees to grow."""
        expected = self.problem.fees[chain].expected(gas, data_bytes)
        return mul_div_up(MAX_BASE_FEE_GROWTH * expected, *GAS_LIMIT_MARGIN)

    def reserve_gap(self, chain: ChainId) -> int:
        """Base units that the gas coin lacks to its reserve."""
        reserve = self.problem.policy.gas_reserve.get(chain, 0)
        return max(0, reserve - self.native_held.get(chain, 0))

    def native(self, chain: ChainId) -> Token:
        """The gas coin of *chain*, named as in the snapshot where it was read."""
        return self.coins.get(chain) or Token(chain, NATIVE, 18, "native")

    def node(self, token: Token) -> Token:
        """The token whose place in the order of trades *token* shares: a gas coin is wrapped."""
        if token.is_native and token.chain in self.wraps:
            return self.problem.wrapped[token.chain]
        return token

    def passes_on(self, first: Token, then: Token) -> bool:
        """Whether what arrives as *first* can be spent as *then*: itself, or wrapped."""
        return first == then or (first.is_native and self.node(first) == then)


def board(problem: Problem) -> Board | NoPlan:
    """Look everything up, or say what is missing."""
    closed = {**_unpriced(problem), **problem.idle}
    chains = {edge.sell.chain for edge in problem.edges}
    if chains and chains <= set(closed) - set(problem.idle):
        why = tuple(closed[chain] for chain in sorted(chains))
        return NoPlan(why, tuple(Refusal(UNPRICED, each) for each in why))
    asset_of, transit = _assets(problem)
    named = problem.prices.asset_of
    coins_named = {t: named.get(Token(t.chain, NATIVE, 18, "")) for t in transit}
    priced = {t: name for t, name in coins_named.items() if name is not None}
    prices = replace(problem.prices, asset_of=MappingProxyType({**priced, **named}))
    free, native_free = _free(problem)
    coins = {t.chain: t for t in problem.snapshot.balances if t.is_native}
    lookup = Board(
        problem=problem,
        prices=prices,
        ways=(),
        into={},
        asset_of=asset_of,
        transit=transit,
        tradable=transit | _spend(problem, asset_of),
        free=free,
        native_free=native_free,
        native_held={c: problem.snapshot.balances[coin] for c, coin in coins.items()},
        wraps=_wraps(problem, asset_of, native_free),
        start=problem.valuation.by_asset_on_chain,
        coins=coins,
        closed=MappingProxyType(closed),
    )
    return _with_ways(lookup, tuple(_ways(lookup)))


def without_bridges(place: Board) -> Board:
    """The same board where nothing leads to another chain."""
    return _with_ways(place, tuple(way for way in place.ways if not way.is_bridge))


def without(place: Board, via: str) -> Board:
    """The same board where one venue or bridge has no part in anything."""
    return _with_ways(place, tuple(way for way in place.ways if way.edge.via != via))


def _with_ways(lookup: Board, ways: tuple[Way, ...]) -> Board:
    into: dict[Token, tuple[Way, ...]] = {}
    for way in ways:
        into[way.edge.buy] = (*into.get(way.edge.buy, ()), way)
    return replace(lookup, ways=ways, into=MappingProxyType(into))


def _unpriced(problem: Problem) -> Mapping[ChainId, str]:
    """Chains whose gas has no price, with the sentence that says so."""
    found = {}
    chains = {token.chain for edge in problem.edges for token in (edge.sell, edge.buy)}
    for chain in sorted(chains):
        price = problem.native_prices.get(chain, Decimal(0))
        fees = problem.fees.get(chain)
        valued = price.is_finite() and price > 0
        if not (fees is not None and fees.expected(1, 0) > 0 and valued):
            found[chain] = f"gas on {chain_name(chain)} has no price, so no cost is known"
    return found


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


def _spend(problem: Problem, asset_of: Mapping[Token, str]) -> frozenset[Token]:
    """Tokens of assets with a target, on chains in use, that may be sold."""
    instances = (each for asset in problem.policy.assets for each in asset.instances)
    return frozenset(
        each.token
        for each in instances
        if each.role == "spend"
        and each.token in asset_of
        and each.token.chain in problem.policy.chains
    )


def _free(problem: Problem) -> tuple[Mapping[Token, int], Mapping[ChainId, int]]:
    """What may be spent of each ERC-20, and of each gas coin."""
    free, native = {}, {}
    for position in problem.valuation.positions:
        token, raw = position.token, position.raw - position.kept
        if position.role != "spend" or position.asset is None:
            continue
        if token.is_native:
            native[token.chain] = max(0, raw - problem.policy.gas_reserve.get(token.chain, 0))
        else:
            free[token] = raw
    return MappingProxyType(free), MappingProxyType(native)


def _wraps(
    problem: Problem, asset_of: Mapping[Token, str], native_free: Mapping[ChainId, int]
) -> frozenset[ChainId]:
    """Chains on which the gas coin may be wrapped into its own asset."""
    found = set()
    for chain in native_free:
        wrapped = problem.wrapped.get(chain)
        coin = Token(chain, NATIVE, 18, "")
        if wrapped is not None and asset_of.get(wrapped) == asset_of.get(coin):
            found.add(chain)
    return frozenset(found)


def _ways(lookup: Board) -> Iterator[Way]:
    """Edges whose both ends may be traded, in an order of their own."""
    problem = lookup.problem
    edges = {_key(edge): edge for edge in problem.edges if is_sound(edge)}
    several = len({edge.sell.chain for edge in edges.values()}) > 1
    index = 0
    for _, edge in sorted(edges.items(), key=lambda item: item[0]):
        worth = _price(lookup, edge.sell, edge), _price(lookup, edge.buy, edge)
        if worth[0] is None or worth[1] is None:
            continue
        sell, buy = ((lookup.asset_of[token], token.chain) for token in (edge.sell, edge.buy))
        # A swap changes the asset, a bridge the chain; nothing does both.
        if (sell[0] == buy[0]) != is_bridge(edge):
            continue
        fair = Fraction(worth[0]) / edge.sell.unit / (Fraction(worth[1]) / edge.buy.unit)
        yield Way(
            edge=edge,
            index=index,
            sell=sell,
            buy=buy,
            sell_price=worth[0],
            buy_price=worth[1],
            fair=fair,
            gas_cost=lookup.cost(edge),
            gas_cap=lookup.gas_cap(sell[1], edge.gas, edge.data_bytes) + edge.fee,
            place=f" on {chain_name(sell[1])}" if several else "",
        )
        index += 1


def _key(edge: Edge) -> tuple[object, ...]:
    """What edges are ordered by, and what makes two of them the same."""
    gas = edge.gas, edge.data_bytes, edge.fee, edge.far_gas
    costs = (*gas, edge.seconds, tuple(sorted(edge.pools)))
    return (edge.sell.key, edge.buy.key, edge.via, edge.detail, edge.ladder, costs)


def _price(lookup: Board, token: Token, edge: Edge) -> Decimal | None:
    """The price of one end of an edge, None when it may not be traded that way."""
    if token.chain in lookup.closed or token not in lookup.tradable:
        return None
    if token.is_native and not (is_bridge(edge) and token.chain in lookup.native_free):
        return None
    found = lookup.prices.of(token)
    if found is None or not (found.value.is_finite() and found.value > 0):
        return None
    return found.value
