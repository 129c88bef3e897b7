"""How little and how much of the whole each asset may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.money import WHOLE_BPS, Bps
from agent.errors import WrongValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Least and most of each asset, inclusive, by the same names.

    Raises WrongValue when no weights lie inside and sum to the whole.

    >>> Bounds(least={"ETH": Bps(0)}, most={"ETH": Bps(9_000)})
    Traceback (most recent call last):
    agent.errors.WrongValue: all weights at their most sum to 90 percent, below 100
    """

    least: Mapping[str, Bps]
    most: Mapping[str, Bps]

    def __post_init__(self) -> None:
        for name, most in self.most.items():
            if not most > 0:
                raise WrongValue(f"{name} may be at most 0", fix="leave it out by --of")
            if not self.least[name] <= most:
                least = percent(self.least[name])
                what = f"{name} shall be at least {least} and at most {percent(most)} percent"
                raise WrongValue(what, fix="make the least no more than the most")
        low, high = sum(self.least.values()), sum(self.most.values())
        if not low <= WHOLE_BPS:
            what = f"all weights at their least sum to {percent(low)} percent, above 100"
            raise WrongValue(what, fix="lower --at-least until the whole has room")
        if not high >= WHOLE_BPS:
            what = f"all weights at their most sum to {percent(high)} percent, below 100"
            raise WrongValue(what, fix="make --at-most enough for the whole")

    @classmethod
    def none(cls, assets: tuple[str, ...]) -> Bounds:
        """Anything from nothing to the whole."""
        return cls(least=dict.fromkeys(assets, Bps(0)), most=dict.fromkeys(assets, WHOLE_BPS))


def percent(in_bps: int) -> str:
    """Basis points as percent, without needless zeros.

    >>> percent(9_050), percent(200)
    ('90.5', '2')
    """
    whole, part = divmod(in_bps, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".")
