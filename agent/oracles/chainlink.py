"""Chainlink price feeds, read on chain.

Sources: docs.chain.link "Data Feeds API Reference" for the calls, "Using Data Feeds" for
heartbeats and bounds, "L2 Sequencer Uptime Feeds" for sequencers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from agent.core.agree import CLOCK_SKEW_SECONDS, MISSING, STALE
from agent.core.frozen import empty
from agent.core.money import Address, ChainId, Token
from agent.core.price import Opinion, Unpriced
from agent.core.wording import chain_name, span
from agent.errors import Unavailable
from agent.ports import AdapterIo, Read
from agent.wire.abi import AbiError, Function, functions

NAME: Final = "chainlink"

LATE_SECONDS: Final = 60
"""Time that a due round may take to be mined and seen; about 40 s are documented."""

GRACE_SECONDS: Final = 3_600
"""Time after which prices count again when a sequencer is back: the documented example's."""

_FEED: Final = functions("chainlink_feed")
_ROUND = _FEED["latestRoundData()"]
_DECIMALS = _FEED["decimals()"]
_AGGREGATOR = _FEED["aggregator()"]
_BOUNDS = (_FEED["minAnswer()"], _FEED["maxAnswer()"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed on one chain; `unbounded` is for feeds that are known to have no bounds."""

    chain: ChainId
    address: Address
    heartbeat_seconds: int
    decimals: int
    unbounded: bool = False


@dataclass(frozen=True, slots=True)
class Sequencer:
    """The uptime feed of a rollup's sequencer."""

    address: Address
    grace_seconds: int = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Options:
    """Feeds by asset, and sequencers by chain where prices depend on one."""

    feeds: Mapping[str, Feed]
    sequencers: Mapping[ChainId, Sequencer] = field(default_factory=empty)


def make(options: Options, io: AdapterIo) -> Chainlink:
    """An oracle over the feeds of *options*; nothing is read yet."""
    return Chainlink(options, io)


class Chainlink:
    """The port `Oracle` over Chainlink feeds, in two requests per chain.

    The second one asks each feed's present aggregator for its bounds: an answer that is not
    strictly inside them may be cut off, and is no price.
    """

    name = NAME

    def __init__(self, options: Options, io: AdapterIo) -> None:
        self._options = options
        self._nodes = io.nodes

    def opinions(
        self, assets: Mapping[str, Sequence[Token]], now: int
    ) -> tuple[Opinion | Unpriced, ...]:
        """One opinion or reason per asset; *now* is unix seconds. Raises nothing."""
        feeds = self._options.feeds
        said: list[Opinion | Unpriced] = [
            Unpriced(asset, MISSING, f"{NAME} has no feed of {asset}")
            for asset in sorted(assets)
            if asset not in feeds
        ]
        by_chain: dict[ChainId, list[str]] = {}
        for asset in sorted(set(assets) & set(feeds)):
            by_chain.setdefault(feeds[asset].chain, []).append(asset)
        for chain, names in sorted(by_chain.items()):
            try:
                said += self._read(chain, names, now)
            except Unavailable as fault:
                said += [
                    _refuse(name, f"was not read: {fault.message}", fault.code) for name in names
                ]
        return tuple(said)

    def _read(
        self, chain: ChainId, names: Sequence[str], now: int
    ) -> tuple[Opinion | Unpriced, ...]:
        """What the feeds of one chain say, in the order of *names*."""
        node, sequencer = self._nodes[chain], self._options.sequencers.get(chain)
        feeds = [self._options.feeds[name] for name in names]
        functions_asked = (_ROUND, _DECIMALS, _AGGREGATOR)
        calls = [Read(feed.address, each.encode()) for feed in feeds for each in functions_asked]
        if sequencer is not None:
            calls.append(Read(sequencer.address, _ROUND.encode()))
        answers = node.read(calls)
        if sequencer is not None:
            down = _sequencer_down(answers[-1], sequencer, now)
            if down:
                return tuple(_refuse(name, f"does not count: {down}", STALE) for name in names)
        aggregators = [_values(_AGGREGATOR, answer) for answer in answers[2 : 3 * len(feeds) : 3]]
        known = [Address(found[0]) for found in aggregators if found is not None]
        ask = [Read(address, end.encode()) for address in known for end in _BOUNDS]
        bounds = iter(node.read(ask) if ask else ())
        said = []
        for index, (name, feed) in enumerate(zip(names, feeds, strict=True)):
            ends = (next(bounds), next(bounds)) if aggregators[index] else (None, None)
            said.append(_opinion(name, feed, (*answers[3 * index : 3 * index + 2], *ends), now))
        return tuple(said)


def _refuse(asset: str, why: str, code: str = MISSING) -> Unpriced:
    return Unpriced(asset, code, f"{NAME} of {asset} {why}")


def _values(function: Function, answer: bytes | None) -> tuple[Any, ...] | None:
    """The decoded answer, None when there is none or its bytes mean nothing."""
    if answer is None:
        return None
    try:
        return function.decode(answer)
    except AbiError:
        return None


def _sequencer_down(answer: bytes | None, sequencer: Sequencer, now: int) -> str:
    """Why prices of a rollup do not count now; empty when they do.

    Answer 0 means up, and `startedAt` since when; a feed that never started says 0 there.
    """
    values = _values(_ROUND, answer)
    if values is None:
        return "its sequencer's state is not known"
    _, state, started_at, _, _ = values
    if state != 0 or started_at == 0:
        return "its sequencer is down"
    up = now - started_at
    if not up > sequencer.grace_seconds:
        waited = span(sequencer.grace_seconds)
        return f"its sequencer is back for {span(max(0, up))} only, {waited} are waited"
    return ""


def _opinion(
    asset: str, feed: Feed, answers: Sequence[bytes | None], now: int
) -> Opinion | Unpriced:
    """What one feed says, or why that does not count.

    *answers* are those of `latestRoundData`, `decimals`, `minAnswer` and `maxAnswer`.
    """
    values, decimals = _values(_ROUND, answers[0]), _values(_DECIMALS, answers[1])
    if values is None or decimals is None:
        return _refuse(asset, f"does not answer on {chain_name(feed.chain)}")
    if decimals != (feed.decimals,):
        return _refuse(asset, f"has {decimals[0]} decimals, {feed.decimals} are configured")
    round_id, answer, _, updated_at, answered_in = values
    if not answer > 0:
        return _refuse(asset, f"says {answer}, which is no price")
    if not 0 < updated_at <= now + CLOCK_SKEW_SECONDS:
        return _refuse(asset, f"is dated {updated_at}, which is not before now ({now})")
    if not answered_in >= round_id:
        return _refuse(asset, "repeats the answer of an earlier round", STALE)
    if not feed.unbounded:
        low, high = (_values(end, raw) for end, raw in zip(_BOUNDS, answers[2:], strict=True))
        if low is None or high is None:
            return _refuse(asset, "does not tell its bounds, so its answer may be cut off")
        if not low[0] < answer < high[0]:
            bounds = f"{low[0]} to {high[0]}"
            return _refuse(asset, f"says {answer}, which is not inside its bounds {bounds}")
    return Opinion(
        source=NAME,
        asset=asset,
        value=Decimal(answer).scaleb(-feed.decimals),
        at=updated_at,
        fresh_until=updated_at + feed.heartbeat_seconds + LATE_SECONDS,
    )
