"""What is known when a plan is wanted, and what the planner is asked then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.core.decide import Decision, History, decide, drifts
from agent.core.money import NATIVE, Amount, ChainId, Token
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.value import Position, Valuation
from agent.core.wish import REBALANCE, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A wallet at *at* (unix seconds), as the policy counts it.

    `asked` is a person's wish to act now, `idle` are chains on which nothing can be done.
    """

    valuation: Valuation
    policy: Policy
    prices: Prices
    history: History
    at: int
    asked: bool = False
    idle: Collection[ChainId] = ()

    @property
    def decision(self) -> Decision:
        """What the policy says of it, whatever is wished."""
        return self.decided(self.policy, asked=self.asked)

    def decided(self, policy: Policy, *, asked: bool) -> Decision:
        """What another policy would say of it."""
        return decide(self.valuation, policy, self.history, self.at, asked=asked)

    @property
    def undecided(self) -> bool:
        """Whether nothing must be done, whatever is wished: something is unknown or unexplained."""
        unexplained = self.history.last_outcome == "needs_human"
        return unexplained or not drifts(self.valuation, self.policy)

    def spendable(self, position: Position) -> int:
        """Base units of *position* that may be sold.

        What is kept aside, gas reserves, what only counts, and what lies on a chain that stands
        still may not.
        """
        if position.role != "spend" or position.token.chain in self.idle:
            return 0
        reserve = self.policy.gas_reserve.get(position.token.chain, 0)
        return max(0, position.raw - position.kept - (reserve if position.token.is_native else 0))

    def holdings(self, asset: str) -> tuple[Position, ...]:
        """Balances of *asset*, the largest first."""
        own = [held for held in self.valuation.positions if held.asset == asset]
        own.sort(key=lambda held: (-Amount(held.token, held.raw).whole, held.token.key))
        return tuple(own)

    def there(self, asset: str) -> Decimal:
        """Whole tokens of *asset* that may be sold."""
        own = (Amount(p.token, self.spendable(p)).whole for p in self.holdings(asset))
        return sum(own, Decimal(0))

    def price(self, asset: str) -> Decimal:
        """What one whole token of *asset* is worth, by the largest holding that may be sold."""
        own = (p for p in self.holdings(asset) if p.role == "spend")
        found = (self.prices.of(position.token) for position in own)
        return next((price.value for price in found if price is not None), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A problem whose answer serves the wish.

    `policy` and `valuation` stand in for the moment's own; `sells` are the assets that swaps may
    sell, None for all of them.
    """

    wish: Wish
    moment: Moment
    policy: Policy
    valuation: Valuation
    sells: frozenset[str] | None = None

    def permits(self, sell: Token, buy: Token, wrapped: Mapping[ChainId, Token]) -> bool:
        """Whether *sell* may go for *buy*: what crosses a bridge stays what it is."""
        if self.sells is None or sell.chain != buy.chain:
            return True
        return asset_of(sell, self.policy, wrapped) in self.sells


def plainly(moment: Moment, wish: Wish = REBALANCE) -> Task:
    """The policy's own problem, asked for *wish*."""
    return Task(wish=wish, moment=moment, policy=moment.policy, valuation=moment.valuation)


def asset_of(token: Token, policy: Policy, wrapped: Mapping[ChainId, Token]) -> str | None:
    """The asset of *token*; a wrapped gas coin that is in none is the coin's."""
    found = policy.asset_of.get(token)
    if found is None and token == wrapped.get(token.chain):
        found = policy.asset_of.get(Token(token.chain, NATIVE, token.decimals, ""))
    return found
