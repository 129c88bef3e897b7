"""Where each part of the whole should end, and how far a plan may push it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.core.money import WHOLE_BPS, Bps, ChainId
from agent.core.policy import Policy, Range

Cell = tuple[str, ChainId]
"""An asset on a chain, the smallest part that goals speak of."""

Aim = Literal["target", "edge"]

MARGIN_BPS = Bps(10)
"""How far inside a band a trade aims, in bps of the whole: costs move the edges by about the
loss of the plan, some bps of what is traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Shares of one asset, one chain, or one asset on one chain.

    Outside `low` to `high` something should be done; trades aim at `aim_low` or `aim_high`;
    what others need may push the share to `stop_low` or `stop_high`. A part is left alone
    while it is outside by no more than `tolerance` (unit of account).
    """

    asset: str | None
    chain: ChainId | None
    low: Decimal
    high: Decimal
    aim_low: Decimal
    aim_high: Decimal
    stop_low: Decimal
    stop_high: Decimal
    tolerance: Decimal

    def holds(self, cell: Cell) -> bool:
        """Whether *cell* is a part of it."""
        return self.asset in {None, cell[0]} and self.chain in {None, cell[1]}

    def of(self, cells: Mapping[Cell, Decimal]) -> Decimal:
        """Its value when *cells* have these values."""
        return sum((value for cell, value in cells.items() if self.holds(cell)), Decimal(0))


def goals(policy: Policy, aim: Aim, *, stop_at_target: bool) -> tuple[Goal, ...]:
    """What a plan with this aim has to reach: the exact targets, or the edges of the bands.

    With *stop_at_target* an asset inside its band is pushed to its target at most.
    """
    assets = [
        _asset_goal(policy, name, aim, stop_at_target=stop_at_target)
        for name in sorted(policy.targets)
    ]
    chains = [
        _range_goal(None, chain, own, policy.dust) for chain, own in sorted(policy.by_chain.items())
    ]
    cells = [
        _range_goal(asset, chain, own, policy.dust)
        for (asset, chain), own in sorted(policy.by_asset_on_chain.items())
    ]
    return (*assets, *chains, *cells)


def _asset_goal(policy: Policy, name: str, aim: Aim, *, stop_at_target: bool) -> Goal:
    target = policy.targets[name]
    middle = _share(target.weight)
    low, high = _share(target.low), _share(target.high)
    aim_low, aim_high = _inside(target.low, target.high)
    if aim == "target":
        low = high = aim_low = aim_high = middle
    return Goal(
        asset=name,
        chain=None,
        low=low,
        high=high,
        aim_low=aim_low,
        aim_high=aim_high,
        stop_low=middle if stop_at_target else aim_low,
        stop_high=middle if stop_at_target else aim_high,
        tolerance=policy.dust,
    )


def _range_goal(asset: str | None, chain: ChainId, own: Range, dust: Decimal) -> Goal:
    aim_low, aim_high = _inside(own.low, own.high)
    return Goal(
        asset=asset,
        chain=chain,
        low=_share(own.low),
        high=_share(own.high),
        aim_low=aim_low,
        aim_high=aim_high,
        stop_low=aim_low,
        stop_high=aim_high,
        tolerance=dust,
    )


def _inside(low_bps: int, high_bps: int) -> tuple[Decimal, Decimal]:
    """Where trades aim inside a band: at most a quarter of it away from its edges.

    Nothing can leave through an edge that is nothing or the whole.
    """
    margin = min(MARGIN_BPS, (high_bps - low_bps) // 4)
    low = low_bps + margin if low_bps > 0 else low_bps
    high = high_bps - margin if high_bps < WHOLE_BPS else high_bps
    return _share(low), _share(high)


def _share(bps: int) -> Decimal:
    return Decimal(bps) / WHOLE_BPS
