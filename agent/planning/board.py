"""The part of a problem that trades cannot change, looked up once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from agent.core.fees import money as fee_value
from agent.core.market import Edge
from agent.core.money import NATIVE, Amount, ChainId, Token
from agent.core.price import Prices
from agent.core.value import UNPRICED
from agent.core.verdict import Refusal
from agent.core.wording import chain_name
from agent.planning.goals import Cell
from agent.planning.ladder import is_sound
from agent.planning.problem import NoPlan, Problem

_Order = tuple[tuple[int, str], tuple[int, str], str, str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """An edge with the cells it leads from and to, and the prices of its two ends.

    There is one object per edge, and it is compared as such. `fair` is base units of what is
    bought for one base unit sold, by independent prices.
    """

    edge: Edge
    sell: Cell
    buy: Cell
    sell_price: Decimal
    buy_price: Decimal
    fair: Fraction

    @property
    def name(self) -> str:
        """The edge in a sentence."""
        return f"{self.edge.sell.symbol} to {self.edge.buy.symbol} by {self.edge.via}"

    def sold_value(self, raw: int) -> Decimal:
        """The value of *raw* base units of what is sold."""
        return self.sell_price * Amount(self.edge.sell, raw).whole

    def bought_value(self, raw: int) -> Decimal:
        """The value of *raw* base units of what is bought."""
        return self.buy_price * Amount(self.edge.buy, raw).whole

    def fair_out(self, raw: int) -> int:
        """Base units that *raw* is worth, rounded down."""
        return raw * self.fair.numerator // self.fair.denominator


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Holdings by what may be spent of them, usable ways, and values before any trade.

    `free` is base units of ERC-20s that may be spent, `native_free` of gas coins that may be
    wrapped (beyond gas reserve and what is kept, before fees) where coin and wrapped form are
    one asset, `native_held` of all gas coins; `coins` are the gas coins that were read.
    `asset_of` knows the wrapped form of a gas coin even where only the coin is listed; such a
    form is only passed through, and stands in `transit`.
    """

    problem: Problem
    prices: Prices
    ways: tuple[Way, ...]
    asset_of: Mapping[Token, str]
    transit: frozenset[Token]
    free: Mapping[Token, int]
    native_free: Mapping[ChainId, int]
    native_held: Mapping[ChainId, int]
    start: Mapping[Cell, Decimal]
    coins: Mapping[ChainId, Token]

    def gas_value(self, chain: ChainId, gas: int, data_bytes: int = 0) -> Decimal:
        """What *gas* units, and *data_bytes* on the parent chain, cost on *chain* now."""
        problem = self.problem
        wei = problem.fees[chain].expected(gas, data_bytes)
        return fee_value(wei, problem.native_prices[chain])

    def reserve_gap(self, chain: ChainId) -> int:
        """Base units that the gas coin lacks to its reserve."""
        reserve = self.problem.policy.gas_reserve.get(chain, 0)
        return max(0, reserve - self.native_held.get(chain, 0))

    def native(self, chain: ChainId) -> Token:
        """The gas coin of *chain*, named as in the snapshot where it was read."""
        return self.coins.get(chain) or Token(chain, NATIVE, 18, "native")


def board(problem: Problem) -> Board | NoPlan:
    """Look everything up, or say what is missing."""
    chains = sorted({edge.sell.chain for edge in problem.edges})
    for chain in chains:
        price = problem.native_prices.get(chain, Decimal(0))
        fees = problem.fees.get(chain)
        valued = price.is_finite() and price > 0
        if not (fees is not None and fees.expected(1, 0) > 0 and valued):
            why = f"gas on {chain_name(chain)} has no price, so no cost is known"
            return NoPlan((why,), (Refusal(UNPRICED, why),))
    asset_of, transit = _assets(problem)
    named = problem.prices.asset_of
    coins_named = {t: named.get(Token(t.chain, NATIVE, 18, "")) for t in transit}
    priced = {t: name for t, name in coins_named.items() if name is not None}
    prices = replace(problem.prices, asset_of=MappingProxyType({**priced, **named}))
    free, native_free = _free(problem, asset_of)
    coins = {t: raw for t, raw in problem.snapshot.balances.items() if t.is_native}
    return Board(
        problem=problem,
        prices=prices,
        ways=_usable(problem, prices, asset_of, transit),
        asset_of=asset_of,
        transit=transit,
        free=free,
        native_free=native_free,
        native_held={coin.chain: raw for coin, raw in coins.items()},
        start=problem.valuation.by_asset_on_chain,
        coins={coin.chain: coin for coin in coins},
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
) -> tuple[Way, ...]:
    """Edges between different assets whose both ends may be traded, in an order of their own."""
    usable: dict[_Order, Way] = {}

    def price(token: Token) -> Decimal | None:
        """The price of a token that may be traded."""
        spend = token in transit or problem.policy.role(token) == "spend"
        found = prices.of(token)
        if found is None or token not in asset_of or token.is_native or not spend:
            return None
        return found.value if found.value.is_finite() and found.value > 0 else None

    for edge in problem.edges:
        sell_price, buy_price = price(edge.sell), price(edge.buy)
        if sell_price is None or buy_price is None or not is_sound(edge):
            continue
        sell, buy = ((asset_of[token], token.chain) for token in (edge.sell, edge.buy))
        if sell[0] == buy[0] or sell[1] != buy[1]:
            continue
        worth = Fraction(sell_price) / edge.sell.unit, Fraction(buy_price) / edge.buy.unit
        key = edge.sell.key, edge.buy.key, edge.via, edge.detail, edge.ladder
        usable[key] = Way(
            edge=edge,
            sell=sell,
            buy=buy,
            sell_price=sell_price,
            buy_price=buy_price,
            fair=worth[0] / worth[1],
        )
    return tuple(usable[key] for key in sorted(usable))
