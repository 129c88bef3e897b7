"""Money that is to go: so much of one asset lies in the wallet beyond what the weights say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType

from agent.core.decide import Decision, Rebalance, Rest, drifts
from agent.core.money import NATIVE, WHOLE_BPS, Amount, Bps, ChainId, Token
from agent.core.plan import Leg
from agent.core.policy import Policy, Target
from agent.core.rounding import mul_div_down
from agent.core.task import Moment, Task, asset_of, plainly
from agent.core.verdict import Refusal
from agent.core.wish import TOO_MUCH, Wish
from agent.core.wording import figure, money


def raising(wish: Wish, moment: Moment) -> tuple[Task, Decision]:
    """The policy's own problem with targets as if the money were an asset of its own.

    The weights and bands hold for the rest; the asset's share has the money on top.
    """
    seen, total = drifts(moment.valuation, moment.policy), moment.valuation.value or Decimal(0)
    worth, why = wish.amount * moment.price(wish.asset), ""
    if not worth > 0:
        why = f"{wish.sum} are to be raised, and no form of {wish.asset} may be traded"
    elif not worth <= total:
        why = f"{wish.sum} are to be raised, worth {money(worth)}, of {money(total)} that counts"
    if why:
        return plainly(moment, wish), Rest(why, seen, (Refusal(TOO_MUCH, why),))
    policy = replace(moment.policy, targets=shifted(wish, moment))
    task = replace(plainly(moment, wish), policy=policy)
    if isinstance(moment.decided(policy, asked=True), Rest):
        done = reached(wish, moment, (), {})
        why = f"{figure(done)} {wish.asset} lie in the wallet beyond what the weights need"
        more = "take them out" if done >= wish.amount else f"of {wish.sum}, and trades add no more"
        return task, Rest(f"nothing to do: {why}: {more}", seen)
    return task, Rebalance(seen, f"asked to raise {wish.sum} beyond what the weights say")


def shifted(wish: Wish, moment: Moment) -> Mapping[str, Target]:
    """Targets as shares of all that counts, the money in it; for a value that is not nothing.

    Rounded so that the money is there: what is missing by less than dust is not repaired.
    """
    policy, total = moment.policy, moment.valuation.value or Decimal(0)
    aside = min(total, wish.amount * moment.price(wish.asset) + policy.dust)
    rest = 1 - aside / total
    own, others = policy.targets[wish.asset], set(policy.targets) - {wish.asset}
    by_band = own.low * rest + aside * WHOLE_BPS / total
    by_form = (aside + _fixed(wish, moment)) * WHOLE_BPS / total
    least = min(WHOLE_BPS, _up(max(by_band, by_form)))
    room = min(WHOLE_BPS - least, int((WHOLE_BPS - own.weight) * rest))
    whole = WHOLE_BPS - own.weight
    shares = {
        name: Target(
            Bps(policy.targets[name].weight * room // whole if whole else 0),
            Bps(int(policy.targets[name].band * rest)),
        )
        for name in others
    }
    weight = WHOLE_BPS - sum(share.weight for share in shares.values())
    shares[wish.asset] = Target(Bps(weight), Bps(min(int(own.band * rest), weight - least)))
    return MappingProxyType({name: shares[name] for name in policy.targets})


def _up(bps: Decimal) -> int:
    return int(bps.to_integral_value(ROUND_CEILING))


def _fixed(wish: Wish, moment: Moment) -> Decimal:
    """The counted value of the asset that nobody can take out of the wallet.

    Gas reserves, what only counts, what is on its way, and what lies where nothing can be done.
    """
    flying = [p.value or Decimal(0) for p in moment.valuation.in_flight if p.asset == wish.asset]
    held = [p for p in moment.holdings(wish.asset) if p.raw]
    fixed = [p.counted - (p.value or Decimal(0)) * moment.spendable(p) / p.raw for p in held]
    return sum([*flying, *fixed], Decimal(0))


def reached(
    wish: Wish, moment: Moment, legs: Sequence[Leg], wrapped: Mapping[ChainId, Token]
) -> Decimal:
    """Whole tokens that can be taken out after *legs*, the weights kept for the rest.

    That is when every leg brings only its minimum, and at most what is wished for.
    """
    own, price = moment.policy.targets[wish.asset], moment.price(wish.asset)
    changes, gas = _changes(legs), _gas(legs, moment.policy, wrapped)
    gains = {name: -gas.get(name, Decimal(0)) for name in moment.policy.targets}
    for token, raw in changes.items():
        asset, known = str(asset_of(token, moment.policy, wrapped)), moment.prices.of(token)
        worth = moment.price(asset) if known is None else known.value
        gains[asset] += worth * Amount(token, raw).whole
    there = -gas.get(wish.asset, Decimal(0)) / price
    for held in moment.holdings(wish.asset):
        after = moment.spendable(replace(held, raw=held.raw + changes[held.token]))
        there += Amount(held.token, after).whole
    total = (moment.valuation.value or Decimal(0)) + sum(gains.values(), Decimal(0))
    value, low = moment.valuation.by_asset[wish.asset], Decimal(own.low) / WHOLE_BPS
    # Of what is left then the asset is as much as its band wants at the least.
    beyond = there
    if low < 1:
        beyond = (value + gains[wish.asset] - low * total) / (1 - low) / price
    return max(Decimal(0), min(wish.amount, there, beyond))


def _changes(legs: Sequence[Leg]) -> Counter[Token]:
    """Base units that *legs* add to each token when they bring their minimum."""
    changes: Counter[Token] = Counter()
    arrived: dict[str, int] = {}
    for leg in legs:
        sold = leg.sell.sized(arrived)
        turns = leg.kind in {"wrap", "unwrap"}
        arrived[leg.id] = sold if turns else mul_div_down(leg.min_buy, sold, leg.planned_sell.raw)
        changes[leg.sell.token] -= sold
        changes[leg.buy] += arrived[leg.id]
    return changes


def _gas(
    legs: Sequence[Leg], policy: Policy, wrapped: Mapping[ChainId, Token]
) -> Mapping[str, Decimal]:
    """The value of the gas of *legs* by the asset that pays it, where that counts."""
    paid: dict[str, Decimal] = {}
    for leg in legs:
        coin = str(asset_of(Token(leg.sell.token.chain, NATIVE, 18, ""), policy, wrapped))
        paid[coin] = paid.get(coin, Decimal(0)) + leg.gas_cost
    return paid
