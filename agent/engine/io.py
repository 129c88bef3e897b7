"""Everything that the engine may touch, gathered in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent.core.follow import Rules
from agent.core.money import Address, ChainId, Token
from agent.core.plan import Plan
from agent.core.policy import Policy
from agent.core.price import Prices
from agent.core.state import RunState
from agent.core.transit import Awaited
from agent.planning.problem import NoPlan
from agent.ports import Bridge, Clock, Journal, Node, Observer, Signer, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRules:
    """What the engine knows of one chain: its tokens, its pace, when a block counts.

    `native` is the gas coin, `wrapped` its ERC-20 form, `tokens` everything to look at, the
    gas coin first; `poll_seconds` the pause between two looks at the same thing.
    """

    native: Token
    wrapped: Token
    tokens: tuple[Token, ...]
    rules: Rules
    poll_seconds: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Something waits until `until` (unix seconds) while the rest goes on: for people, told once.

    `awaited` is the transfer that is waited for, None when it is anything else.
    """

    until: float
    why: str
    awaited: Awaited | None = None


def unheard(_pause: Pause) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Io:
    """The ports and the policy of one account's runs.

    `prices` returns agreed prices now; `replan` plans what is left on a fresh snapshot;
    `paused` says why nothing may be signed, or None; `hear` is told of what has to wait;
    `canary` is the most that the first use of a venue or bridge may move, None when first uses
    are not limited (local chains); `serial` performs steps one after another, for tests that
    count effects.
    """

    account: Address
    policy: Policy
    chains: Mapping[ChainId, ChainRules]
    nodes: Mapping[ChainId, Node]
    venues: Mapping[str, Venue]
    bridges: Mapping[str, Bridge]
    signer: Signer
    journal: Journal
    clock: Clock
    prices: Callable[[], Prices]
    replan: Callable[[RunState], Plan | NoPlan]
    paused: Callable[[], str | None]
    observe: Observer
    hear: Callable[[Pause], None] = unheard
    canary: Decimal | None = None
    serial: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """A step found nothing to do before `until` (unix seconds, may be fractional).

    With `news` a person should hear of it. `id` and `due` are what a bridge knows of the
    transfer that is waited for: its number there, and when the money comes back instead.
    """

    until: float
    why: str
    news: bool = False
    id: str = ""
    due: int | None = None
