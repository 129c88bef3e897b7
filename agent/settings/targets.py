"""Reads the wanted shares: of assets, of chains, of assets on chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from agent.core.money import WHOLE_BPS, Bps
from agent.core.policy import Asset, Range, Target
from agent.settings import kinds
from agent.settings.choices import Choices
from agent.settings.value import Value


def read_targets(root: Value, assets: Mapping[str, Asset], choose: Choices) -> dict[str, Target]:
    """Weight and band of each asset; the weights are the whole.

    Raises WrongValue for another sum, with the nearest fix, and for an asset of which
    nothing can be traded.
    """
    table = root.need("targets")
    targets = {}
    for name, row in table.table().items():
        forms = assets[name].instances if name in assets else ()
        if not any(instance.role == "spend" for instance in forms):
            raise row.wrong(f"no form of {name} may be traded on the wallet's chains")
        targets[name] = Target(
            weight=kinds.share(choose.note(row.need("weight"))),
            band=kinds.share(choose.note(row.need("band"))),
        )
    _refuse_other_sums(table, targets)
    return targets


def _refuse_other_sums(table: Value, targets: Mapping[str, Target]) -> None:
    if not targets:
        raise table.wrong("names no asset")
    total = sum(target.weight for target in targets.values())
    if total == WHOLE_BPS:
        return
    missing = WHOLE_BPS - total
    gap = f"{_share(abs(missing))} {'is missing' if missing > 0 else 'is too much'}"
    largest = max(targets, key=lambda name: targets[name].weight)
    weight = targets[largest].weight + missing
    fix = f'; {largest} = "{_share(weight)}" would do' if 0 <= weight <= WHOLE_BPS else ""
    raise table.wrong(f"weights sum to {_share(total)}, not to exactly 1: {gap}{fix}")


def read_ranges(table: Value | None, choose: Choices) -> dict[str, tuple[Value, Range]]:
    """Least and largest share by name, with the place of each."""
    ranges = {}
    for name, row in ({} if table is None else table.table()).items():
        low, high = row.get("min"), row.get("max")
        span = Range(
            low=Bps(0) if low is None else kinds.share(choose.note(low)),
            high=WHOLE_BPS if high is None else kinds.share(choose.note(high)),
        )
        if not span.low <= span.high:
            raise row.wrong(f"min {_share(span.low)} is above max {_share(span.high)}")
        ranges[name] = (row, span)
    return ranges


def refuse_impossible(table: Value | None, spans: Iterable[Range]) -> None:
    """Raises WrongValue when shares of all chains inside *spans* cannot sum to the whole."""
    spans = tuple(spans)
    if table is None:
        return
    low, high = sum(span.low for span in spans), sum(span.high for span in spans)
    if not low <= WHOLE_BPS:
        raise table.wrong(f"the least shares of the wallet's chains sum to {_share(low)}, above 1")
    if not high >= WHOLE_BPS:
        raise table.wrong(
            f"the largest shares of the wallet's chains sum to {_share(high)}, below 1"
        )


def _share(in_bps: int) -> str:
    return kinds.plain(Decimal(in_bps) / WHOLE_BPS)
