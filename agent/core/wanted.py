"""What the planner is asked for each kind of wish, and whether there is anything to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar, assert_never

from agent.core.decide import Decision, Rebalance, Rest, drifts
from agent.core.money import WHOLE_BPS, Amount, Bps, ChainId, Token, raw_down
from agent.core.policy import Policy, Range
from agent.core.raising import raising
from agent.core.state import RunState
from agent.core.task import Moment, Task, plainly
from agent.core.value import Valuation
from agent.core.verdict import Refusal
from agent.core.wish import TOO_MUCH, Wish
from agent.core.wording import figure, listed, money, percent, percent_of_bps

_Part = TypeVar("_Part", ChainId, tuple[str, ChainId])


def wanted(wish: Wish, moment: Moment) -> tuple[Task, Decision]:
    """What the planner is asked for *wish* at this moment, and the decision for it.

    Where the policy decides nothing because something is not known, no wish changes that. Asking
    for more than is there is a refusal in the decision. The asset of a wish has a target.
    """
    if wish.kind == "rebalance" or moment.undecided:
        return plainly(moment, wish), moment.decision
    match wish.kind:
        case "buy-only":
            return _buying(wish, moment)
        case "invest":
            return _investing(wish, moment)
        case "raise":
            return raising(wish, moment)
        case _:
            assert_never(wish.kind)


def again(run: RunState) -> Wish | None:
    """The wish of another plan for what is left of *run*; None when there must not be one.

    Of an investment that has begun nobody knows from balances alone what is left: it would be sold
    twice. The other wishes are about where the wallet ends, wherever it stands now.
    """
    wish = run.started.plan.wish
    if wish.kind == "invest" and any(known.names for known in run.intents.values()):
        return None
    return wish


def cash(policy: Policy) -> tuple[str, ...]:
    """Assets with a target that are pegged to the unit of account, by name."""
    return tuple(sorted(set(policy.pegs) & set(policy.targets)))


def _buying(wish: Wish, moment: Moment) -> tuple[Task, Decision]:
    """The policy's own problem, in which swaps sell cash alone.

    Bridges carry whatever they carry, and gas coins are wrapped: that is no sale.
    """
    task = replace(plainly(moment, wish), sells=frozenset(cash(moment.policy)))
    decision = moment.decision
    if isinstance(decision, Rest):
        return task, decision
    # Where a chain holds too much a bridge may help, and that needs no cash.
    crossing = any(drift.excess and drift.chain is not None for drift in decision.drifts)
    return task, _selling(task, decision.why, anyway=crossing)


def _investing(wish: Wish, moment: Moment) -> tuple[Task, Decision]:
    """The way to the targets on which nothing but the money that is named may move.

    It is taken out of the largest holdings first. All else counts where it is.
    """
    there, policy = moment.there(wish.asset), moment.policy
    if not wish.amount <= there:
        why = (
            f"{wish.sum} are to be invested and {figure(there)} can be: what flows.keep and gas "
            "reserves hold, what only counts and what is still on its way cannot"
        )
        seen = drifts(moment.valuation, policy)
        return plainly(moment, wish), Rest(why, seen, (Refusal(TOO_MUCH, why),))
    to_target = _to_target(moment)
    task = replace(
        plainly(moment, wish),
        policy=to_target,
        valuation=_only(wish, moment),
        sells=frozenset({wish.asset}),
    )
    decision, least = moment.decided(to_target, asked=True), _least(policy)
    if not wish.amount * moment.price(wish.asset) >= least:
        why = f"{wish.sum} are worth less than a trade may be ({money(least)})"
        return task, Rest(f"nothing to do: {why}", decision.drifts)
    if isinstance(decision, Rest):
        why = f"no trade of {money(least)} or more brings anything nearer to its target"
        return task, Rest(f"nothing to do: {why}", decision.drifts)
    if not _to_spare(task, wish.asset):
        return task, Rest(f"nothing to do: {_staying(wish, moment)}", decision.drifts)
    asked = f"asked to invest {wish.sum}; {decision.why}"
    return task, _selling(task, asked, anyway=True)


def _staying(wish: Wish, moment: Moment) -> str:
    """Why money stays the asset that it is, with the asset's share before it came and now."""
    total, own = moment.valuation.value or Decimal(0), moment.valuation.by_asset[wish.asset]
    worth = wish.amount * moment.price(wish.asset)
    before, now = max(own - worth, Decimal(0)) / max(total - worth, Decimal(1)), own / total
    weight = percent_of_bps(moment.policy.targets[wish.asset].weight)
    return (
        f"the {wish.sum} stay {wish.asset}, where they are wanted: it is {percent(before)} of the "
        f"rest without them and {percent(now)} of all with them, of a target of {weight}"
    )


def _to_target(moment: Moment) -> Policy:
    """The policy, for the exact targets, with chains as they are where they are out of range.

    The money alone cannot bring them back, and must not be held up by them.
    """
    policy, seen = moment.policy, moment.valuation
    return replace(
        policy,
        trigger=replace(policy.trigger, rebalance_to="target"),
        by_chain=_widened(moment, policy.by_chain, seen.by_chain),
        by_asset_on_chain=_widened(moment, policy.by_asset_on_chain, seen.by_asset_on_chain),
    )


def _widened(
    moment: Moment, ranges: Mapping[_Part, Range], values: Mapping[_Part, Decimal]
) -> Mapping[_Part, Range]:
    """*ranges* that hold what is there, also when trades lose all that they may.

    Those that nothing can leave are left out: the planner would hold costs against them.
    """
    limits, total = moment.policy.limits, moment.valuation.value or Decimal(1)
    slack = limits.max_slippage_bps + limits.max_price_impact_bps
    found = {}
    for part, known in ranges.items():
        share = int(values.get(part, Decimal(0)) * WHOLE_BPS / total)
        low = known.low if share >= known.low else max(0, share - slack)
        high = known.high if share <= known.high else min(WHOLE_BPS, share + slack)
        if low > 0 or high < WHOLE_BPS:
            found[part] = Range(Bps(low), Bps(high))
    return MappingProxyType(found)


def _selling(task: Task, why: str, *, anyway: bool = False) -> Decision:
    """To act because of *why* where only some assets are sold, if any of them is to spare."""
    assets, moment = sorted(task.sells or ()), task.moment
    seen, name = drifts(moment.valuation, moment.policy), listed(assets) or "cash"
    if anyway or any(_to_spare(task, asset) for asset in assets):
        return Rebalance(seen, f"{why}; nothing but {name} is sold")
    total = moment.valuation.value or Decimal(1)
    shares = [
        f"{asset} is {percent(moment.valuation.by_asset[asset] / total)} itself, of a target of "
        f"{percent_of_bps(moment.policy.targets[asset].weight)}"
        for asset in assets
    ]
    needed = "; ".join([f"nothing but {name} would be sold", *shares])
    return Rest(f"nothing to do: {why}; {needed}", seen)


def _to_spare(task: Task, asset: str) -> bool:
    """Whether more of *asset* is there than it needs itself: as much as its target, or its band."""
    policy, total = task.policy, task.valuation.value or Decimal(0)
    own = policy.targets[asset]
    edge = own.weight if policy.trigger.rebalance_to == "target" else own.low
    return task.valuation.by_asset[asset] - total * edge / WHOLE_BPS >= _least(policy)


def _least(policy: Policy) -> Decimal:
    """The least value that is worth a trade."""
    return max(policy.dust, policy.limits.min_trade)


def _only(wish: Wish, moment: Moment) -> Valuation:
    """The same values, with everything kept aside but the money."""
    left, free = wish.amount, dict[Token, int]()
    for held in moment.holdings(wish.asset):
        free[held.token] = min(moment.spendable(held), raw_down(left, held.token))
        left -= Amount(held.token, free[held.token]).whole
    # Beyond what is kept anyway, all that could be spent and is not the money.
    positions = tuple(
        replace(held, kept=held.kept + moment.spendable(held) - free.get(held.token, 0))
        for held in moment.valuation.positions
    )
    return replace(moment.valuation, positions=positions)
