"""Chainlink price feeds, read on chain.

Sources: docs.chain.link "Data Feeds API Reference" for the calls, "Using Data Feeds" for
heartbeats and bounds, "L2 Sequencer Uptime Feeds" for sequencers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from agent.core.agree import CLOCK_SKEW_SECONDS, MISSING, STALE
from agent.core.frozen import empty
from agent.core.money import Address, ChainId, Token
from agent.core.price import Opinion, Unpriced
from agent.core.wording import chain_name, span
from agent.errors import Unavailable
from agent.ports import AdapterIo, Read
from agent.wire.abi import AbiError, Function, functions, selector

NAME: Final = "chainlink"

LATE_SECONDS: Final = 60
"""Time that a due round may take to be mined and seen; about 40 s are documented."""

GRACE_SECONDS: Final = 3_600
"""Time after which prices count again when a sequencer is back: the documented example's."""

_FEED: Final = functions("chainlink_feed")
_ROUND = _FEED["latestRoundData()"]
_DECIMALS = _FEED["decimals()"]
_AGGREGATOR = _FEED["aggregator()"]
_RATE: Final = Function("rate", (), ("uint256",))
RATE_DECIMALS: Final = 18
"""As wstETH's `stEthPerToken()` has them: stETH for one whole wstETH, docs.lido.fi."""

_BOUNDS = (_FEED["minAnswer()"], _FEED["maxAnswer()"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed on one chain; `unbounded` is for feeds that are known to have no bounds.

    `rate` is a contract and its function without arguments that says, in 18 decimals, how many
    of what the feed prices one whole token stands for; None for one.
    """

    chain: ChainId
    address: Address
    heartbeat_seconds: int
    decimals: int
    unbounded: bool = False
    rate: tuple[Address, str] | None = None


@dataclass(frozen=True, slots=True)
class Sequencer:
    """The uptime feed of a rollup's sequencer."""

    address: Address
    grace_seconds: int = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Options:
    """Feeds by asset, the preferred one first, and sequencers by chain where there is one.

    Feeds of one asset on two chains are one source: the later ones stand in while the chain
    of an earlier one cannot be read.
    """

    feeds: Mapping[str, tuple[Feed, ...]]
    sequencers: Mapping[ChainId, Sequencer] = field(default_factory=empty)


def make(options: Options, io: AdapterIo) -> Chainlink:
    """An oracle over the feeds of *options*; nothing is read yet."""
    return Chainlink(options, io)


@dataclass(frozen=True, slots=True)
class _Down:
    """A chain whose feeds say nothing now, and why."""

    code: str
    why: str


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
        said: dict[str, Opinion | Unpriced] = {
            asset: Unpriced(asset, MISSING, f"{NAME} has no feed of {asset}")
            for asset in set(assets) - set(feeds)
        }
        waiting = {asset: feeds[asset] for asset in sorted(set(assets) & set(feeds))}
        down: dict[ChainId, _Down] = {}
        while waiting:
            for chain, asked in _by_chain(waiting):
                heard = down.get(chain) or self._ask(chain, asked, now)
                if isinstance(heard, _Down):
                    down[chain] = heard
                    for name in asked:
                        said.setdefault(name, _refuse(name, heard.why, heard.code))
                    waiting |= {name: waiting[name][1:] for name in asked}
                else:
                    said |= heard
                    waiting |= dict.fromkeys(asked, ())
            waiting = {name: rest for name, rest in waiting.items() if rest}
        return tuple(said[asset] for asset in sorted(assets))

    def _ask(
        self, chain: ChainId, feeds: Mapping[str, Feed], now: int
    ) -> Mapping[str, Opinion | Unpriced] | _Down:
        """What the feeds of one chain say, or why the chain says nothing."""
        try:
            return self._read(chain, feeds, now)
        except Unavailable as fault:
            return _Down(fault.code, f"was not read: {fault.message}")

    def _read(
        self, chain: ChainId, feeds: Mapping[str, Feed], now: int
    ) -> Mapping[str, Opinion | Unpriced] | _Down:
        node, sequencer = self._nodes[chain], self._options.sequencers.get(chain)
        functions_asked = (_ROUND, _DECIMALS, _AGGREGATOR)
        calls = [
            Read(feed.address, each.encode()) for feed in feeds.values() for each in functions_asked
        ]
        rates = [Read(f.rate[0], selector(f.rate[1])) for f in feeds.values() if f.rate]
        calls += rates
        if sequencer is not None:
            calls.append(Read(sequencer.address, _ROUND.encode()))
        answers = node.read(calls)
        if sequencer is not None:
            why = _sequencer_down(answers[-1], sequencer, now)
            if why:
                return _Down(STALE, f"does not count: {why}")
        aggregators = [_values(_AGGREGATOR, answer) for answer in answers[2 : 3 * len(feeds) : 3]]
        known = [Address(found[0]) for found in aggregators if found is not None]
        ask = [Read(address, end.encode()) for address in known for end in _BOUNDS]
        bounds = iter(node.read(ask) if ask else ())
        standing = iter(answers[3 * len(feeds) :])
        said = {}
        for index, (name, feed) in enumerate(feeds.items()):
            ends = (next(bounds), next(bounds)) if aggregators[index] else (None, None)
            found = _opinion(name, feed, (*answers[3 * index : 3 * index + 2], *ends), now)
            said[name] = found if feed.rate is None else _rated(found, next(standing))
        return said


def _rated(said: Opinion | Unpriced, answer: bytes | None) -> Opinion | Unpriced:
    """The opinion on a token that stands for several of what the feed prices, or for a part."""
    if isinstance(said, Unpriced):
        return said
    values = _values(_RATE, answer)
    if values is None or not values[0] > 0:
        return _refuse(said.asset, "has no rate: its contract does not tell one")
    return replace(said, value=said.value * Decimal(values[0]).scaleb(-RATE_DECIMALS))


def _by_chain(
    waiting: Mapping[str, tuple[Feed, ...]],
) -> list[tuple[ChainId, dict[str, Feed]]]:
    """The first feed of each asset, by chain."""
    found: dict[ChainId, dict[str, Feed]] = {}
    for name, (first, *_) in waiting.items():
        found.setdefault(first.chain, {})[name] = first
    return sorted(found.items())


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
