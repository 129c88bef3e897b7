"""What the owner wants: targets, bands, trigger, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from agent.core.frozen import empty
from agent.core.money import WHOLE_BPS, Address, Bps, ChainId, Token

Role = Literal["spend", "count"]
TriggerMode = Literal["time", "threshold", "hybrid", "manual"]
RebalanceTo = Literal["target", "edge", "cheapest"]
Unlisted = Literal["outside", "refuse"]
Deposits = Literal["rebalance", "buy-only"]


class PolicyError(ValueError):
    """A policy that cannot be meant; the message names the key and what would do."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


@dataclass(frozen=True, slots=True)
class Instance:
    """One token that counts as an asset; `count` holdings are valued and never sold."""

    token: Token
    role: Role


@dataclass(frozen=True, slots=True)
class Asset:
    """An economic thing and the tokens that are forms of it on all chains."""

    name: str
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The wanted share of an asset and the tolerated distance from it."""

    weight: Bps
    band: Bps

    @property
    def low(self) -> int:
        """The lower edge of the band in bps, never below nothing."""
        return max(0, self.weight - self.band)

    @property
    def high(self) -> int:
        """The upper edge of the band in bps, never above the whole."""
        return min(WHOLE_BPS, self.weight + self.band)


@dataclass(frozen=True, slots=True)
class Range:
    """Allowed share of a chain, or of an asset on a chain, in bps of the counted value."""

    low: Bps = Bps(0)
    high: Bps = WHOLE_BPS


@dataclass(frozen=True, slots=True)
class Trigger:
    """When to act; times are seconds. `every` belongs to time and hybrid modes."""

    mode: TriggerMode = "hybrid"
    every_seconds: int = 7 * 86_400
    cooldown_seconds: int = 6 * 3_600
    rebalance_to: RebalanceTo = "cheapest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """What distance from the targets counts beside costs; `agent.core.tracking` says how.

    Nothing where `risk_aversion` is 0. `volatility` is a year's, by asset; `horizon_seconds` is
    how long a distance lasts, None: as the trigger says.
    """

    risk_aversion: Decimal = Decimal(0)
    horizon_seconds: int | None = None
    volatility: Mapping[str, Decimal] = field(default_factory=empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run, a day and a month may cost or move; money in the unit of account."""

    max_slippage_bps: Bps = Bps(50)
    max_price_impact_bps: Bps = Bps(100)
    max_cost_bps: Bps = Bps(80)
    max_run_value: Decimal = Decimal(10_000)
    max_day_value: Decimal = Decimal(20_000)
    max_month_cost: Decimal = Decimal(100)
    max_in_flight: Decimal = Decimal(20_000)
    max_fee_per_tx: Decimal = Decimal(15)
    min_trade: Decimal = Decimal(50)
    max_price_spread_bps: Bps = Bps(75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole will of the owner; does not construct unless the weights are the whole.

    `by_asset_on_chain` is keyed by (asset, chain). `gas_reserve` is base units of the
    native coin kept on each chain. `dust` is a value below which nothing is traded.
    `keep` is whole tokens of assets that stay outside the weights. No plan has a transfer that
    usually takes longer than `max_wait_seconds`. `deposits` is what plans do that nobody asks for
    otherwise; `pegs` are assets that stand for a fixed value in the unit of account. `tracking` is
    what it is worth to end near the targets.
    """

    account: Address
    chains: tuple[ChainId, ...]
    assets: tuple[Asset, ...]
    targets: Mapping[str, Target]
    by_chain: Mapping[ChainId, Range] = field(default_factory=empty)
    by_asset_on_chain: Mapping[tuple[str, ChainId], Range] = field(default_factory=empty)
    trigger: Trigger = field(default_factory=Trigger)
    limits: Limits = field(default_factory=Limits)
    gas_reserve: Mapping[ChainId, int] = field(default_factory=empty)
    dust: Decimal = Decimal(5)
    keep: Mapping[str, Decimal] = field(default_factory=empty)
    unlisted: Unlisted = "outside"
    max_wait_seconds: int = 3_600
    deposits: Deposits = "rebalance"
    pegs: Mapping[str, Decimal] = field(default_factory=empty)
    tracking: Tracking = field(default_factory=Tracking)
    hash: str = ""

    def __post_init__(self) -> None:
        total = sum(target.weight for target in self.targets.values())
        if total != WHOLE_BPS:
            raise PolicyError("targets", f"weights sum to {Decimal(total) / 10_000}, not to 1")
        for name, target in self.targets.items():
            if not 0 <= target.weight <= WHOLE_BPS or not 0 <= target.band <= WHOLE_BPS:
                raise PolicyError(f"targets.{name}", "weight and band lie between 0 and 1")
        strange = sorted(set(self.tracking.volatility) - set(self.targets))
        if strange:
            raise PolicyError(f"tracking.volatility.{strange[0]}", "no such target")
        named = [asset.name for asset in self.assets]
        missing = sorted(set(self.targets) - set(named))
        if missing:
            raise PolicyError(f"targets.{missing[0]}", "no such asset")
        if len(set(named)) != len(named):
            raise PolicyError("assets", "an asset is named twice")
        tokens = [instance.token for asset in self.assets for instance in asset.instances]
        if len(set(tokens)) != len(tokens):
            raise PolicyError("assets", "a token belongs to two assets")

    @property
    def asset_of(self) -> Mapping[Token, str]:
        """The asset that each token is a form of."""
        return MappingProxyType(
            {i.token: asset.name for asset in self.assets for i in asset.instances}
        )

    def role(self, token: Token) -> Role | None:
        """Whether *token* may be sold (`spend`) or only counts; None when unlisted."""
        for asset in self.assets:
            for instance in asset.instances:
                if instance.token == token:
                    return instance.role
        return None
