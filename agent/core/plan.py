"""A plan: a directed acyclic graph of legs, sized by guaranteed minima."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from agent.core.asked import Asked
from agent.core.claims import Claim, first_unpaid
from agent.core.frozen import LEFT_OUT
from agent.core.money import NATIVE, Amount, Token
from agent.core.rounding import mul_div_down
from agent.core.wish import Wish

_HELD = ""
"""The supply that is in the wallet before the plan; others go by the leg that delivers them."""

LegKind = Literal["swap", "bridge", "wrap", "unwrap", "revoke", "claim"]
"""What a leg does; a `revoke` takes the allowance of the spender in its `detail` back, a `claim`
follows a transfer that left before, by the hash of its deposit in `detail`; nothing is expected
of one whose money was there when it was planned."""


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
    """One swap, one bridge transfer, one wrap, one unwrap, one revocation or one claim.

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

    Money is in the unit of account: `cost` expected, `tracking` what distance from the targets
    counts beside it (`agent.core.tracking`), `bound` a proven lower bound of both together (None
    where no solver ran), `worst_case` the loss when every leg gets only its minimum,
    `gas_if_reverted` the loss when every leg reverts, `turnover` value sold, `missed` what stays
    outside the bands afterwards.
    `wish` is what it serves, `reached` how much of the wish's asset it moves or sets free, in
    whole tokens. `prices` are the agreed values by asset with sources; `blocks` the pinned block
    hashes by chain; `expires` is unix seconds. `asked` are the offers that were looked at for it.
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
    missed: Decimal = Decimal(0)
    wish: Wish = Wish()
    reached: Decimal = Decimal(0)
    tracking: Decimal = field(default=Decimal(0), metadata=LEFT_OUT)
    asked: tuple[Asked, ...] = field(default=(), metadata=LEFT_OUT)

    def takes(self, asked: Asked) -> bool:
        """Whether a leg goes by the offer that was measured."""
        pair = asked.measured, asked.sell.token, asked.buy
        return any((leg.via, leg.sell.token, leg.buy) == pair for leg in self.legs)

    def leg(self, leg_id: str) -> Leg:
        """The leg of that id; KeyError when there is none."""
        for leg in self.legs:
            if leg.id == leg_id:
                return leg
        raise KeyError(leg_id)


def in_order(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """The legs so that each comes after those that it waits for.

    Raises PlanError for doubled ids, for two claims of one deposit, for legs that wait for each
    other or for one that is not there, and for an arrival that is of another token or is not
    waited for.
    """
    by_id = {leg.id: leg for leg in legs}
    if len(by_id) != len(legs):
        raise PlanError("two legs have the same id")
    followed = [(leg.via, leg.detail) for leg in legs if leg.kind == "claim"]
    if len(set(followed)) != len(followed):
        raise PlanError("two legs follow the same deposit")
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


def build(
    plan: Plan,
    holdings: Mapping[Token, int],
    reserve: Mapping[Token, int],
    fees: Mapping[str, int] | None = None,
) -> Plan:
    """Check *plan* and return it.

    *holdings* and *reserve* (gas kept back) are base units; *fees* are the most base units of
    its chain's gas coin that each leg may cost, by leg. Raises PlanError for legs that cannot be
    put in order, and for spending more of a token than is held above its reserve and delivered
    by legs that are waited for, in whatever order the legs are executed and whether they deliver
    their minimum or more. What is held of a gas coin pays the fees, its reserve too, and what
    other legs deliver of it fills the reserve before anybody spends it.
    """
    order = in_order(plan.legs)
    case = _least_case(order)
    _check_spending(case, holdings, reserve)
    _check_spending(replace(case, spent=_largest(order, case.spent)), holdings, reserve)
    if fees is not None:
        _check_fees(case, holdings, fees)
    return plan


@dataclass(frozen=True, slots=True)
class _Case:
    """Legs in order, what each waits for directly or not, what it spends and what it delivers."""

    order: tuple[Leg, ...]
    earlier: Mapping[str, frozenset[str]]
    spent: Mapping[str, int]
    delivered: Mapping[str, int]

    def selling(self, token: Token) -> list[Leg]:
        """The legs that spend *token*."""
        return [leg for leg in self.order if leg.sell.token == token]

    def sources(self, token: Token) -> list[str]:
        """The legs that deliver *token*."""
        return [leg.id for leg in self.order if leg.buy == token]

    def claims(self, legs: list[Leg], token: Token, amounts: Mapping[str, int]) -> list[Claim]:
        """What *legs* need of *token*: of what is held, and of what they wait for."""
        sources = self.sources(token)
        return [
            Claim(amounts[leg.id], (_HELD, *(n for n in sources if n in self.earlier[leg.id])))
            for leg in legs
        ]

    def supplies(self, token: Token, held: int) -> dict[str, int]:
        """What there is of *token*: so much is *held*, and what legs deliver."""
        return {_HELD: held, **{name: self.delivered[name] for name in self.sources(token)}}


def _least_case(order: tuple[Leg, ...]) -> _Case:
    """Every leg delivers its minimum for what it can spend then."""
    earlier: dict[str, frozenset[str]] = {}
    spent: dict[str, int] = {}
    delivered: dict[str, int] = {}
    for leg in order:
        earlier[leg.id] = frozenset(leg.after).union(*(earlier[name] for name in leg.after))
        spent[leg.id] = leg.sell.sized(delivered)
        delivered[leg.id] = _least(leg, spent[leg.id])
    return _Case(order, earlier, spent, delivered)


def _largest(order: tuple[Leg, ...], spent: Mapping[str, int]) -> Mapping[str, int]:
    """What legs may spend when more than the minimum arrives.

    A leg that alone follows an arrival grows by no more than that does. Of several that follow
    the same one each may grow by all of it, so each counts in full.
    """
    followed = Counter(source for leg in order for source in leg.sell.arrivals)
    shared = {
        leg.id: leg.planned_sell.raw
        for leg in order
        if any(followed[source] > 1 for source in leg.sell.arrivals)
    }
    return {**spent, **shared}


def _check_spending(
    case: _Case, holdings: Mapping[Token, int], reserve: Mapping[Token, int]
) -> None:
    """What is spent of each token is above its reserve or was delivered before."""
    for token in dict.fromkeys(leg.sell.token for leg in case.order):
        above = holdings.get(token, 0) - reserve.get(token, 0)
        supplies = case.supplies(token, max(0, above))
        sources = tuple(case.sources(token))
        lacking = Claim(min(max(0, -above), sum(supplies[name] for name in sources)), sources)
        legs = case.selling(token)
        found = first_unpaid([lacking, *case.claims(legs, token, case.spent)], supplies)
        nothing = [leg for leg in legs if not case.spent[leg.id] and leg.kind != "revoke"]
        if found or nothing:
            leg, free = (legs[found[0] - 1], found[1]) if found else (nothing[0], supplies[_HELD])
            spent = f"leg {leg.id} spends {case.spent[leg.id]} base units of {token.symbol}"
            raise PlanError(f"{spent}, {free} are free")


def _check_fees(case: _Case, holdings: Mapping[Token, int], fees: Mapping[str, int]) -> None:
    """Every leg finds its fees in the gas coin, beside what legs spend of that."""
    for chain in dict.fromkeys(leg.sell.token.chain for leg in case.order):
        coin = Token(chain, NATIVE, 18, "")
        spenders = case.selling(coin)
        here = [leg for leg in case.order if leg.sell.token.chain == chain]
        claims = [*case.claims(spenders, coin, case.spent), *case.claims(here, coin, fees)]
        found = first_unpaid(claims, case.supplies(coin, holdings.get(coin, 0)))
        if found:
            leg = [*spenders, *here][found[0]]
            raise PlanError(
                f"leg {leg.id} may need {fees[leg.id]} base units of the gas coin, "
                f"{found[1]} are free"
            )


def _least(leg: Leg, spent: int) -> int:
    """The least that *leg* delivers for *spent*: its minimum is for the planned size."""
    if leg.kind in {"wrap", "unwrap"}:
        return spent
    planned = leg.planned_sell.raw
    return leg.min_buy if spent == planned else mul_div_down(leg.min_buy, spent, planned)
