"""A plan: a directed acyclic graph of legs, sized by guaranteed minima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.money import Amount, Token

LegKind = Literal["swap", "bridge", "wrap", "unwrap", "revoke"]
"""What a leg does; a `revoke` takes the allowance of the spender in its `detail` back."""


class PlanError(ValueError):
    """A plan that must not be built; the message says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Sell:
    """What a leg spends: a fixed part, and what the legs in `arrivals` deliver, up to `max_raw`.

    Without arrivals the leg spends exactly `fixed_raw`.
    """

    token: Token
    fixed_raw: int
    arrivals: tuple[str, ...] = ()
    max_raw: int = 0

    def at_least(self, guaranteed: Mapping[str, int]) -> int:
        """Base units that can be spent when each arrival delivers only its minimum."""
        return self.sized(guaranteed)

    def sized(self, arrived: Mapping[str, int]) -> int:
        """Base units to spend once the *arrived* amounts are measured."""
        if not self.arrivals:
            return self.fixed_raw
        return min(self.max_raw, self.fixed_raw + sum(arrived[leg] for leg in self.arrivals))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One swap, one bridge transfer, one wrap, one unwrap or one revocation.

    `expected_out` is indicative, `min_buy` the least that the policy accepts for the
    planned size (base units of `buy`); `after` are legs that must have delivered first;
    `gas_cost` and `cost` are in the unit of account, `cost` including gas.
    """

    id: str
    kind: LegKind
    via: str
    sell: Sell
    buy: Token
    expected_out: int
    min_buy: int
    after: tuple[str, ...] = ()
    gas_cost: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    seconds: int = 0
    detail: str = ""

    @property
    def planned_sell(self) -> Amount:
        """The planned size."""
        raw = self.sell.max_raw if self.sell.arrivals else self.sell.fixed_raw
        return Amount(self.sell.token, raw)


@dataclass(frozen=True, slots=True)
class Standing:
    """One asset before and after the plan; shares in bps of the counted value."""

    asset: str
    before: Decimal
    after: Decimal
    target_bps: int
    low_bps: int
    high_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is needed to explain, execute and audit it later.

    Money is in the unit of account: `cost` expected, `bound` a proven lower bound
    (None where no solver ran), `worst_case` the loss when every leg gets only its
    minimum, `gas_if_reverted` the loss when every leg reverts, `turnover` value sold.
    `prices` are the agreed values by asset with sources; `blocks` the pinned block
    hashes by chain; `expires` is unix seconds.
    """

    id: str
    legs: tuple[Leg, ...]
    standings: tuple[Standing, ...]
    value: Decimal
    cost: Decimal
    worst_case: Decimal
    gas_if_reverted: Decimal
    turnover: Decimal
    bound: Decimal | None
    prices: tuple[tuple[str, Decimal, tuple[str, ...]], ...]
    blocks: tuple[tuple[int, int, str], ...]
    policy_hash: str
    made: int
    expires: int
    why: tuple[str, ...]
    alternatives: tuple[tuple[str, Decimal], ...] = ()

    def leg(self, leg_id: str) -> Leg:
        """The leg of that id; KeyError when there is none."""
        for leg in self.legs:
            if leg.id == leg_id:
                return leg
        raise KeyError(leg_id)


def build(plan: Plan, holdings: Mapping[Token, int], reserve: Mapping[Token, int]) -> Plan:
    """Check *plan* and return it.

    *holdings* and *reserve* (gas kept back) are base units. Raises PlanError for unknown or
    doubled leg ids, a cycle, an arrival in another token, and for spending more of a token
    than is held above its reserve, even when every leg delivers only its minimum.
    """
    ids = [leg.id for leg in plan.legs]
    if len(set(ids)) != len(ids):
        raise PlanError("two legs have the same id")
    left = {token: raw - reserve.get(token, 0) for token, raw in holdings.items()}
    minimum: dict[str, int] = {}
    waiting = list(plan.legs)
    while waiting:
        ready = [leg for leg in waiting if set(leg.after) <= set(minimum)]
        if not ready:
            raise PlanError(f"legs {', '.join(leg.id for leg in waiting)} wait for each other")
        for leg in ready:
            _spend(leg, plan, left, minimum)
        waiting = [leg for leg in waiting if leg not in ready]
    return plan


def _spend(leg: Leg, plan: Plan, left: dict[Token, int], minimum: dict[str, int]) -> None:
    """Take what *leg* spends from *left*; arrivals are credited by their minima."""
    for source in leg.sell.arrivals:
        if source not in leg.after or plan.leg(source).buy != leg.sell.token:
            raise PlanError(f"leg {leg.id} spends what leg {source} does not deliver first")
    spent = leg.sell.sized(minimum)
    token = leg.sell.token
    if not 0 < spent <= left.get(token, 0):
        raise PlanError(
            f"leg {leg.id} spends {spent} base units of {token.symbol}, "
            f"{left.get(token, 0)} are free"
        )
    left[token] -= spent
    left[leg.buy] = left.get(leg.buy, 0) + leg.min_buy
    minimum[leg.id] = leg.min_buy
