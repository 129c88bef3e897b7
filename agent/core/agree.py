"""Agreement of independent price sources, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from agent.core.money import WHOLE_BPS, Bps, Token
from agent.core.price import Opinion, Price, Prices, Ratio, Unpriced
from agent.core.wording import figure, percent, span

STALE, MISSING, DISAGREE, ALONE = "G201", "G202", "G203", "G206"
"""Error codes: too old, no price, sources contradict each other, only one source."""

CLOCK_SKEW_SECONDS = 60
"""How far ahead of our time a source may be: beyond it the clock or the source is wrong."""

PEG_BREAKER_BPS = Bps(200)
"""Distance from its peg from which on an asset counts as falling."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """One source's value of one asset; `age` in seconds where it tells something."""

    source: str
    value: Decimal
    at: int
    age: int | None = None

    def __str__(self) -> str:
        age = "" if self.age is None else f" ({span(self.age)} old)"
        return f"{self.source} {figure(self.value)}{age}"


_Voices = Mapping[str, tuple[_Voice, ...]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pool's ratio of two assets; `agrees` with their feeds, None where one has no feed."""

    ratio: Ratio
    agrees: bool | None

    @property
    def ends(self) -> frozenset[str]:
        return frozenset((self.ratio.base, self.ratio.quote))

    def other(self, asset: str) -> str:
        return self.ratio.quote if asset == self.ratio.base else self.ratio.base

    def implies(self, asset: str, other_value: Decimal) -> _Voice:
        """What the pool makes of *asset* when the other one is worth *other_value*."""
        up = asset == self.ratio.base
        value = other_value * self.ratio.value if up else other_value / self.ratio.value
        return _Voice(self.ratio.source, value, self.ratio.at)


def agree(
    opinions: Iterable[Opinion | Ratio | Unpriced],
    *,
    assets: Mapping[str, Sequence[Token]],
    now: int,
    max_spread_bps: int,
) -> Prices:
    """Make prices of *assets* (with their tokens) out of what sources say at *now*.

    Two sources within *max_spread_bps* of each other make a price, the lower of them; of three
    or more it is the median (the lower middle one), if most of them are that near it. A pool
    speaks of a ratio: it is compared with the ratio of two feeds, and it stands for a second
    source of one asset through the feed of the other, never through the asset's own.

    An asset with one source has a price for reports, and a refusal beside it: an asset in
    `refused` has no price that money may move on.
    """
    heard = tuple(opinions)
    feeds, complaints = _feeds(heard, assets, now)
    anchors = {
        asset: value
        for asset, voices in feeds.items()
        if (value := _consensus(voices, max_spread_bps)) is not None
    }
    pairs = _pairs(heard, anchors, assets, now, max_spread_bps)
    guilty = _guilty(pairs, feeds)
    by_asset: dict[str, Price] = {}
    refused: dict[str, Unpriced] = {}
    for asset in sorted(assets):
        voices = feeds.get(asset, ()) + _pool_voices(asset, pairs, anchors, guilty)
        value = None if asset in guilty else _consensus(voices, max_spread_bps)
        if not voices:
            refused[asset] = _silent(asset, complaints.get(asset, ()))
        elif value is None:
            refused[asset] = _disagreement(asset, voices, max_spread_bps)
        else:
            by_asset[asset] = _price(asset, value, voices)
            if not by_asset[asset].independent:
                refused[asset] = _alone(asset, voices, complaints.get(asset, ()))
    asset_of = {token: asset for asset, tokens in assets.items() for token in tokens}
    return Prices(MappingProxyType(by_asset), MappingProxyType(refused), MappingProxyType(asset_of))


def falling(prices: Prices, pegs: Mapping[str, Decimal]) -> Mapping[str, str]:
    """Why assets with a peg must not be bought now; *pegs* in the unit of account.

    >>> usdc = Price("USDC", Decimal("0.93"), Decimal("0.93"), Decimal("0.931"), 0, ("a", "b"))
    >>> falling(Prices({"USDC": usdc}), {"USDC": Decimal(1)})["USDC"]
    'USDC is at 0.9300, 7.0 % below its peg of 1.0000: it is not bought while it falls'
    """
    notes = {}
    for asset, peg in pegs.items():
        price = prices.by_asset.get(asset)
        if price is not None and not price.low * WHOLE_BPS >= peg * (WHOLE_BPS - PEG_BREAKER_BPS):
            notes[asset] = (
                f"{asset} is at {figure(price.low)}, {percent(1 - price.low / peg)} below its "
                f"peg of {figure(peg)}: it is not bought while it falls"
            )
    return MappingProxyType(notes)


def _sound(value: Decimal, at: int, now: int) -> bool:
    """Whether a value can be a price at all; NaN is neither finite nor above nothing."""
    return value.is_finite() and value > 0 and at <= now + CLOCK_SKEW_SECONDS


def _feeds(
    heard: Sequence[Opinion | Ratio | Unpriced], assets: Mapping[str, Sequence[Token]], now: int
) -> tuple[_Voices, Mapping[str, tuple[Unpriced, ...]]]:
    """Fresh direct voices by asset, and complaints about the others."""
    voices: dict[str, tuple[_Voice, ...]] = {}
    complaints: dict[str, tuple[Unpriced, ...]] = {}
    for said in heard:
        if isinstance(said, Ratio) or said.asset not in assets:
            continue
        judged = _judged(said, now)
        if isinstance(judged, _Voice):
            voices[said.asset] = (*voices.get(said.asset, ()), judged)
        else:
            complaints[said.asset] = (*complaints.get(said.asset, ()), judged)
    return voices, complaints


def _judged(said: Opinion | Unpriced, now: int) -> _Voice | Unpriced:
    """The voice of a fresh opinion, or why it does not count."""
    if isinstance(said, Unpriced):
        return said
    if not _sound(said.value, said.at, now):
        what = (
            f"is dated {span(said.at - now)} from now"
            if said.at > now + CLOCK_SKEW_SECONDS
            else f"says {said.value}"
        )
        return Unpriced(said.asset, MISSING, f"{said.source} {what}, which is no price")
    if not now <= said.fresh_until:
        limit = span(said.fresh_until - said.at)
        age = span(now - said.at)
        return Unpriced(
            said.asset,
            STALE,
            f"{said.source} {figure(said.value)} is {age} old (limit {limit})",
        )
    return _Voice(said.source, said.value, said.at, max(0, now - said.at))


def _near(one: Decimal, other: Decimal, max_spread_bps: int) -> bool:
    return max(one, other) * WHOLE_BPS <= min(one, other) * (WHOLE_BPS + max_spread_bps)


def _consensus(voices: Sequence[_Voice], max_spread_bps: int) -> Decimal | None:
    """The value that *voices* stand for, None when they contradict each other.

    The lower of two, the lower middle one of more. Most must be near it, so that of two both
    must, and no single one of three decides.
    """
    values = sorted(voice.value for voice in voices)
    if not values:
        return None
    middle = values[(len(values) - 1) // 2]
    near = sum(_near(middle, value, max_spread_bps) for value in values)
    return middle if 2 * near > len(values) else None


def _pairs(
    heard: Sequence[Opinion | Ratio | Unpriced],
    anchors: Mapping[str, Decimal],
    assets: Mapping[str, Sequence[Token]],
    now: int,
    max_spread_bps: int,
) -> tuple[_Pair, ...]:
    """One ratio per pair of assets and source, judged by the feeds where both have one."""
    pools: dict[tuple[str, str, str], list[Ratio]] = {}
    for said in heard:
        if not isinstance(said, Ratio) or not _sound(said.value, said.at, now):
            continue
        if said.base == said.quote or not {said.base, said.quote} <= set(assets):
            continue
        base, quote = sorted((said.base, said.quote))
        value = said.value if base == said.base else 1 / said.value
        turned = Ratio(said.source, base, quote, value, said.at)
        pools.setdefault((base, quote, said.source), []).append(turned)
    judged = []
    for (base, quote, _), found in sorted(pools.items()):
        if base in anchors and quote in anchors:
            fair = anchors[base] / anchors[quote]
            ratio = _middle(found, fair)
            judged.append(_Pair(ratio, _near(ratio.value, fair, max_spread_bps)))
        else:
            judged.append(_Pair(_middle(found, None), agrees=None))
    return tuple(judged)


def _middle(ratios: Sequence[Ratio], fair: Decimal | None) -> Ratio:
    """The median pool; of two middle ones that which is further from the feeds' ratio."""
    ranked = sorted(ratios, key=lambda ratio: (ratio.value, ratio.at))
    low, high = ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]
    return high if fair is not None and high.value * low.value > fair * fair else low


def _guilty(pairs: Sequence[_Pair], feeds: _Voices) -> frozenset[str]:
    """Assets whose price cannot be trusted because a pool contradicts the feeds.

    An asset that another pair speaks for is innocent when nothing speaks for its partner.
    When that does not tell the two apart, both are refused. Two feeds that agree outvote
    a pool.
    """
    backed = {asset for asset, voices in feeds.items() if _names(voices)[1:]}
    vouched = backed | {asset for pair in pairs if pair.agrees for asset in pair.ends}
    accused = [sorted(pair.ends) for pair in pairs if pair.agrees is False]
    convicted = {
        asset
        for pair in accused
        for asset, partner in (pair, pair[::-1])
        if asset not in vouched and partner in vouched
    }
    unsolved = [pair for pair in accused if not convicted & set(pair)]
    return frozenset(convicted | {asset for pair in unsolved for asset in pair} - backed)


def _pool_voices(
    asset: str,
    pairs: Sequence[_Pair],
    anchors: Mapping[str, Decimal],
    guilty: frozenset[str],
) -> tuple[_Voice, ...]:
    """What pools make of *asset*: one voice per source, the lower middle one of its pairs.

    For a guilty asset they are the voices that contradict it.
    """
    implied: dict[str, list[_Voice]] = {}
    for pair in pairs:
        if asset not in pair.ends or pair.other(asset) not in anchors:
            continue
        contradicts = pair.agrees is False
        if contradicts if asset in guilty else not (contradicts or pair.other(asset) in guilty):
            voice = pair.implies(asset, anchors[pair.other(asset)])
            implied.setdefault(voice.source, []).append(voice)
    return tuple(
        sorted(found, key=lambda voice: (voice.value, voice.at))[(len(found) - 1) // 2]
        for _, found in sorted(implied.items())
    )


def _names(voices: Iterable[_Voice]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(voice.source for voice in voices))


def _price(asset: str, value: Decimal, voices: Sequence[_Voice]) -> Price:
    values = [voice.value for voice in voices]
    oldest = min(voice.at for voice in voices)
    return Price(asset, value, min(values), max(values), oldest, _names(voices))


def _silent(asset: str, complaints: Sequence[Unpriced]) -> Unpriced:
    """Why *asset* has no price: stale first, then what a source met, for both pass by waiting."""
    stale = [complaint.why for complaint in complaints if complaint.code == STALE]
    if stale:
        return Unpriced(asset, STALE, f"price of {asset} is stale: {'; '.join(stale)}")
    met = [complaint.code for complaint in complaints if complaint.code != MISSING]
    reasons = "; ".join(dict.fromkeys(complaint.why for complaint in complaints))
    return Unpriced(
        asset,
        met[0] if met else MISSING,
        f"no price of {asset}: {reasons or 'no source knows it'}",
    )


def _alone(asset: str, voices: Sequence[_Voice], complaints: Sequence[Unpriced]) -> Unpriced:
    """Why the price of *asset* is for reports only."""
    if any(complaint.code == STALE for complaint in complaints):
        return _silent(asset, complaints)
    heard = ", ".join(str(voice) for voice in voices)
    reasons = "".join(f"; {why}" for why in dict.fromkeys(c.why for c in complaints))
    return Unpriced(
        asset, ALONE, f"only one source prices {asset}, two must agree: {heard}{reasons}"
    )


def _disagreement(asset: str, voices: Sequence[_Voice], max_spread_bps: int) -> Unpriced:
    low = min(voice.value for voice in voices)
    high = max(voice.value for voice in voices)
    spread = (high / low - 1) * WHOLE_BPS
    # A spread that rounds to the limit is said so finely that it can be seen to be above it.
    shown = f"{spread:.0f}" if round(spread) > max_spread_bps else f"{spread:.2f}"
    heard = ", ".join(str(voice) for voice in voices)
    return Unpriced(
        asset,
        DISAGREE,
        f"price sources disagree on {asset} by {shown} bps (limit {max_spread_bps}): {heard}",
    )
