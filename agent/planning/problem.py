"""What a planner is asked, and how it says that it has no plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.core.decide import Decision
from agent.core.fees import FeeQuote
from agent.core.frozen import empty
from agent.core.market import Edge
from agent.core.money import ChainId, Token
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.snapshot import Snapshot
from agent.core.value import Valuation
from agent.core.verdict import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One moment's holdings, prices, wishes and ways to move.

    `wrapped` is the ERC-20 form of each chain's gas coin, `fees` what its blocks cost now, and
    `native_prices` the worth of one whole gas coin in the unit of account. `falling` says
    of assets that must not be bought why, `idle` of chains on which nothing can be done now:
    what lies there counts and no leg touches it. `now` is unix seconds. The snapshot's blocks
    are the plan's. `canary` is the most that a first use of a venue or bridge may move, None when
    first uses are not limited; those in `known` have worked before.
    """

    valuation: Valuation
    decision: Decision
    policy: Policy
    prices: Prices
    snapshot: Snapshot
    edges: tuple[Edge, ...]
    wrapped: Mapping[ChainId, Token]
    fees: Mapping[ChainId, FeeQuote]
    native_prices: Mapping[ChainId, Decimal]
    now: int
    falling: Mapping[str, str] = field(default_factory=empty)
    idle: Mapping[ChainId, str] = field(default_factory=empty)
    canary: Decimal | None = None
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is nothing that can be planned, in sentences for people.

    `refusals` are there when that is not a state to rest in: something is unknown or missing.
    """

    why: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()

    def __str__(self) -> str:
        return "; ".join(self.why)
