"""Whether to rebalance now, and always why."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent.core.fact import Outcome
from agent.core.money import WHOLE_BPS, ChainId
from agent.core.policy import Policy
from agent.core.value import Valuation
from agent.core.verdict import Refusal
from agent.core.wording import chain_name, listed, money, percent, span

EMPTY = "G404"
"""Error code of a wallet that holds nothing of what the policy counts."""


@dataclass(frozen=True, slots=True)
class History:
    """What earlier runs of the account leave for this decision; time is unix seconds."""

    last_closed_at: int | None = None
    last_outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a part of the whole is from where it should be.

    The part is an asset, a chain, or an asset on a chain. `weight`, `target`, `low` and
    `high` are shares of the counted value (1 is the whole), `target` is None where only a
    range is wanted. `value` is in the unit of account, as is `excess`: what is above the upper
    edge of the band, or below the lower one as a negative number.
    """

    asset: str | None
    chain: ChainId | None
    weight: Decimal
    target: Decimal | None
    low: Decimal
    high: Decimal
    value: Decimal
    excess: Decimal

    @property
    def name(self) -> str:
        """The part by its name."""
        parts = [self.asset] if self.asset else []
        return " on ".join([*parts, *([chain_name(self.chain)] if self.chain else [])])

    @property
    def distance(self) -> Decimal:
        """How far the share is from its target, nothing where there is none."""
        return Decimal(0) if self.target is None else abs(self.weight - self.target)

    @property
    def sentence(self) -> str:
        """Where it stands, for people."""
        share = f"{self.name} is {percent(self.weight)}"
        range_ = f"{percent(self.low)} to {percent(self.high)}"
        if self.excess > 0:
            return f"{share}, {money(self.excess)} above its band of {range_}"
        if self.excess < 0:
            return f"{share}, {money(-self.excess)} below its band of {range_}"
        return f"{share}, inside its band of {range_}"


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do now; `refusals` are there when something is amiss that a person must know.

    Either not even that is known for sure, or there is nothing that could be done anything with.
    """

    why: str
    drifts: tuple[Drift, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Something is to be done."""

    drifts: tuple[Drift, ...]
    why: str


Decision = Rest | Rebalance


def drifts(valuation: Valuation, policy: Policy) -> tuple[Drift, ...]:
    """All parts that the policy speaks of: assets, then chains, then assets on chains.

    Empty when the value is unknown or nothing: there are no shares of it then.
    """
    total = valuation.value
    if total is None or not total > 0:
        return ()
    assets = [
        _drift(
            (name, None), valuation.by_asset[name], total, (target.low, target.high), target.weight
        )
        for name, target in sorted(policy.targets.items())
    ]
    chains = [
        _drift((None, chain), valuation.by_chain.get(chain, Decimal(0)), total, (own.low, own.high))
        for chain, own in sorted(policy.by_chain.items())
    ]
    cells = [
        _drift(cell, valuation.by_asset_on_chain.get(cell, Decimal(0)), total, (own.low, own.high))
        for cell, own in sorted(policy.by_asset_on_chain.items())
    ]
    return (*assets, *chains, *cells)


def _drift(
    part: tuple[str | None, ChainId | None],
    value: Decimal,
    total: Decimal,
    band_bps: tuple[int, int],
    target_bps: int | None = None,
) -> Drift:
    low, high = (total * edge / WHOLE_BPS for edge in band_bps)
    return Drift(
        asset=part[0],
        chain=part[1],
        weight=value / total,
        target=None if target_bps is None else Decimal(target_bps) / WHOLE_BPS,
        low=Decimal(band_bps[0]) / WHOLE_BPS,
        high=Decimal(band_bps[1]) / WHOLE_BPS,
        value=value,
        excess=value - min(max(value, low), high),
    )


def decide(
    valuation: Valuation, policy: Policy, history: History, now: int, *, asked: bool = False
) -> Decision:
    """Decide at *now* (unix seconds) and say why; *asked* is a person's wish to do it now.

    `threshold` acts when a band is left, `time` on schedule, `hybrid` on either, `manual`
    only when asked. Inside the bands there is nothing to do on schedule either, unless the
    policy goes back to the exact targets. The cooldown and the schedule do not bind a person.
    """
    if valuation.value is None:
        reasons = "; ".join(refusal.why for refusal in valuation.refusals)
        return Rest(f"nothing is decided: {reasons}", (), valuation.refusals)
    seen = drifts(valuation, policy)
    if not seen:
        return _empty(policy)
    if history.last_outcome == "needs_human":
        return Rest("nothing to do: a person must look at the last run first", seen)
    since = _since(history, now)
    wanted = _wanted(seen, policy)
    if not wanted:
        return Rest(f"nothing to do: {_largest(seen, policy)}; {since}", seen)
    hold = "" if asked else _hold(policy, history, now, left=bool(_left(seen, policy)))
    if hold:
        return Rest(f"nothing to do: {wanted}, but {hold}; {since}", seen)
    return Rebalance(seen, f"{wanted}; {since}")


def _empty(policy: Policy) -> Rest:
    # Not the same as being at the target: a wrong address looks like this, or a theft.
    assets = listed(sorted(policy.targets))
    places = listed([chain_name(chain) for chain in policy.chains])
    why = f"the wallet holds nothing that counts: none of {assets} on {places}"
    return Rest(f"nothing to do: {why}", (), (Refusal(EMPTY, why),))


def _left(seen: tuple[Drift, ...], policy: Policy) -> list[Drift]:
    """Parts that have left their band by more than dust, the farthest first."""
    left = [drift for drift in seen if drift.excess and abs(drift.excess) >= policy.dust]
    return sorted(left, key=lambda drift: (-abs(drift.excess), drift.name))


def _wanted(seen: tuple[Drift, ...], policy: Policy) -> str:
    """Why something should be done, were it not for the time; empty when nothing should."""
    left = _left(seen, policy)
    if left:
        return "; ".join(drift.sentence for drift in left)
    if policy.trigger.rebalance_to != "target":
        return ""
    farthest = _farthest(seen)
    total = sum((drift.value for drift in seen if drift.target is not None), Decimal(0))
    off = farthest.distance * total
    if not off >= max(policy.dust, policy.limits.min_trade):
        return ""
    return f"{farthest.name} is {percent(farthest.distance)} ({money(off)}) off its target"


def _farthest(seen: tuple[Drift, ...]) -> Drift:
    return min(seen, key=lambda drift: (-drift.distance, drift.name))


def _largest(seen: tuple[Drift, ...], policy: Policy) -> str:
    """Why nothing needs to be done about the drifts."""
    outside = [drift for drift in seen if drift.excess]
    if outside:
        worst = min(outside, key=lambda drift: (-abs(drift.excess), drift.name))
        return f"{worst.sentence}, which is dust (less than {money(policy.dust)})"
    farthest = _farthest(seen)
    band = Decimal(policy.targets[str(farthest.asset)].band) / WHOLE_BPS
    return (
        f"largest drift {percent(farthest.distance)} ({farthest.name}) "
        f"is inside its {percent(band)} band"
    )


def _since(history: History, now: int) -> str:
    if history.last_closed_at is None:
        return "no run yet"
    return f"last run {span(max(0, now - history.last_closed_at))} ago"


def _hold(policy: Policy, history: History, now: int, *, left: bool) -> str:
    """Why what should be done is not done yet; empty when it may be done.

    *left* says whether a band was left. A clock that has gone back counts as no time passed.
    """
    trigger = policy.trigger
    if trigger.mode == "manual":
        return "the trigger is manual and nobody asked"
    if trigger.mode == "threshold" and not left:
        return "no part is outside its band"
    if history.last_closed_at is None:
        return ""
    passed = max(0, now - history.last_closed_at)
    if not passed >= trigger.cooldown_seconds:
        rest = span(trigger.cooldown_seconds - passed)
        return f"the cooldown of {span(trigger.cooldown_seconds)} ends in {rest}"
    # A band that was left goes before the schedule, unless the schedule is all there is.
    if (trigger.mode == "time" or not left) and not passed >= trigger.every_seconds:
        return f"the next scheduled run is in {span(trigger.every_seconds - passed)}"
    return ""
