"""What it is worth to be near the targets: the charge on every asset's distance from its own.

To hold a part w of the whole in an asset earns, for sure, as much a year as w·m − (γ/2)·σ²·w²,
where m is what the asset brings on average beyond cash, σ its volatility and γ the owner's aversion
to risk. The target is where that is highest, and at a distance d from it (γ/2)·σ²·d² of the whole
is lost each year, whatever m is. The charge is that loss until the next rebalancing: λ·d² of the
whole with λ = (γ/2)·σ²·T. Sources: P. H. Dybvig and L. Pezzo, Mean-Variance Portfolio Rebalancing
with Transaction Costs, 2019 (trades weighed against this loss); M. Kritzman, S. Myrgren and S.
Page, Portfolio Rebalancing, MIT Sloan Working Paper 4641-07, 2007 (each distance by itself).

Each asset stands by itself: where two move together the loss of holding too much of both is
larger than their charges, and that of holding one in the other's place is smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from agent.core.frozen import empty
from agent.core.money import WHOLE_BPS
from agent.core.policy import Policy, Target

VOLATILITY = Decimal("0.7")
"""A year's volatility of an asset that nobody says anything about and that has no peg. An
assumption: in most years bitcoin's was 0.4 to 0.8 and ether's 0.5 to 1, by daily prices."""

HORIZON_SECONDS = 30 * 86_400
"""How long a distance is supposed to last where no schedule says when the next run is."""

MOST_RATE = Decimal("0.25")
"""No λ is larger. One unit less of an asset, and of the whole, changes all charges together by no
more than 4·λ of it, however far off anything is: so it never pays to throw value away."""

_YEAR_SECONDS = 365 * 86_400


def rates(policy: Policy) -> Mapping[str, Decimal]:
    """λ by asset; none where no distance is charged.

    It is charged where a plan may choose where to end: to the targets or to the edges of the bands
    the policy's own rule says that already.
    """
    wish, trigger = policy.tracking, policy.trigger
    if not wish.risk_aversion > 0 or trigger.rebalance_to != "cheapest":
        return empty()
    scheduled = trigger.mode in {"time", "hybrid"}
    usual = trigger.every_seconds if scheduled else HORIZON_SECONDS
    seconds = usual if wish.horizon_seconds is None else wish.horizon_seconds
    found = {}
    for name in policy.targets:
        pegged = Decimal(0) if name in policy.pegs else VOLATILITY
        volatility = wish.volatility.get(name, pegged)
        rate = wish.risk_aversion / 2 * volatility**2 * seconds / _YEAR_SECONDS
        if rate > 0:
            found[name] = min(rate, MOST_RATE)
    return MappingProxyType(found)


def charge(
    charged: Mapping[str, Decimal],
    targets: Mapping[str, Target],
    *,
    after: Mapping[str, Decimal],
    whole: Decimal,
) -> Decimal:
    """The charge, in the unit of account, of ending with these values by asset.

    *charged* are the rates, *whole* is the value before the plan; distances are those from the
    targets' shares of what is left *after* it.

    >>> from agent.core.money import Bps
    >>> one = {"ETH": Target(Bps(5000), Bps(500))}
    >>> after = {"ETH": Decimal(540), "USDC": Decimal(460)}
    >>> charge({"ETH": Decimal("0.1")}, one, after=after, whole=Decimal(1000))
    Decimal('0.16')
    """
    left = sum(after.values(), Decimal(0))
    squares = (
        rate * (after[name] - left * targets[name].weight / WHOLE_BPS) ** 2
        for name, rate in charged.items()
    )
    return sum(squares, Decimal(0)) / whole if charged and whole > 0 else Decimal(0)
