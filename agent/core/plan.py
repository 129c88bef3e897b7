"""A plan: a directed acyclic graph of legs, sized by guaranteed minima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.money import Amount, Token
from agent.core.rounding import mul_div_down

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


def in_order(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """The legs so that each comes after those that it waits for.

    Raises PlanError for doubled ids, for legs that wait for each other or for one that is not
    there, and for an arrival that is of another token or is not waited for.
    """
    by_id = {leg.id: leg for leg in legs}
    if len(by_id) != len(legs):
        raise PlanError("two legs have the same id")
    placed: dict[str, Leg] = {}
    while len(placed) < len(legs):
        ready = [leg for leg in legs if leg.id not in placed and set(leg.after) <= set(placed)]
        if not ready:
            stuck = ", ".join(leg.id for leg in legs if leg.id not in placed)
            raise PlanError(f"legs {stuck} wait for each other, or for a leg that is not there")
        for leg in ready:
            for source in leg.sell.arrivals:
                if source not in leg.after or by_id[source].buy != leg.sell.token:
                    raise PlanError(f"leg {leg.id} spends what leg {source} does not deliver first")
            placed[leg.id] = leg
    return tuple(placed.values())


def build(plan: Plan, holdings: Mapping[Token, int], reserve: Mapping[Token, int]) -> Plan:
    """Check *plan* and return it.

    *holdings* and *reserve* (gas kept back) are base units. Raises PlanError for legs that
    cannot be put in order, and for spending more of a token than is held above its reserve
    and delivered by legs that are waited for, even when each of them delivers only its minimum.
    """
    left = {token: raw - reserve.get(token, 0) for token, raw in holdings.items()}
    minimum: dict[str, int] = {}
    delivered: dict[str, int] = {}
    earlier: dict[str, tuple[Leg, ...]] = {}
    for leg in in_order(plan.legs):
        before = [plan.leg(name) for name in leg.after]
        earlier[leg.id] = tuple(
            dict.fromkeys([*before, *(e for b in before for e in earlier[b.id])])
        )
        spent = leg.sell.sized(minimum)
        _spend(leg, spent, earlier[leg.id], left, delivered)
        minimum[leg.id] = delivered[leg.id] = _least(leg, spent)
    return plan


def _spend(
    leg: Leg,
    spent: int,
    earlier: tuple[Leg, ...],
    left: dict[Token, int],
    delivered: dict[str, int],
) -> None:
    """Take *spent* from what arrives, then what is held, then what else earlier legs deliver."""
    token = leg.sell.token
    sources = tuple(source.id for source in earlier if source.buy == token)
    free = max(0, left.get(token, 0))
    there = free + sum(delivered[source] for source in sources)
    fixed = min(spent, leg.sell.fixed_raw)
    missing = _take(delivered, leg.sell.arrivals, spent - fixed)
    held = min(free, fixed + missing)
    left[token] = free - held
    missing = _take(delivered, sources, fixed + missing - held)
    if missing or not (spent > 0 or leg.kind == "revoke"):
        raise PlanError(
            f"leg {leg.id} spends {spent} base units of {token.symbol}, {there} are free"
        )


def _take(delivered: dict[str, int], sources: tuple[str, ...], wanted: int) -> int:
    """Take *wanted* base units from what the sources deliver; returns what is missing."""
    for source in sources:
        taken = min(wanted, delivered[source])
        delivered[source] -= taken
        wanted -= taken
    return wanted


def _least(leg: Leg, spent: int) -> int:
    """The least that *leg* delivers for *spent*: its minimum is for the planned size."""
    if leg.kind in {"wrap", "unwrap"}:
        return spent
    planned = leg.planned_sell.raw
    return leg.min_buy if spent == planned else mul_div_down(leg.min_buy, spent, planned)
