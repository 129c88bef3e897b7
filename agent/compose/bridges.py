"""Bridges made from settings, by their module's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from agent.bridges import across
from agent.compose.providers import crossing_tokens, key_of, make_provider, provider_names
from agent.core.money import ChainId, Token, raw_up
from agent.core.price import Prices
from agent.ports import AdapterIo, Bridge, Node
from agent.settings import ChainFacts, Settings
from agent.wire.clock import SystemClock

FORK_CONFIRMATIONS = 1
"""A fork has no other traffic: its first block is as good as its sixth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What a bridge is made from."""

    settings: Settings
    io: AdapterIo
    prices: Callable[[], Prices]
    on_forks: bool


def make_bridges(
    settings: Settings, io: AdapterIo, prices: Callable[[], Prices], *, on_forks: bool = False
) -> dict[str, Bridge]:
    """The allowed bridges that this version has; *prices* turn a fee in money into tokens."""
    made = _Making(settings=settings, io=io, prices=prices, on_forks=on_forks)
    known = provider_names("bridges")
    found: dict[str, Bridge] = {}
    for name in settings.bridges:
        if name in _BUILT:
            found[name] = _BUILT[name](made)
        elif name in known:
            depth = FORK_CONFIRMATIONS if on_forks else None
            bridge = make_provider("bridges", name, settings, io, confirmations=depth)
            if bridge is not None:
                found[name] = bridge
    return found


def all_bridge_names() -> tuple[str, ...]:
    """The bridges that this version has."""
    return (*_BUILT, *provider_names("bridges"))


def all_bridges(
    settings: Settings, nodes: Mapping[ChainId, Node] | None = None
) -> dict[str, Bridge]:
    """All bridges that this version has, allowed or not, to look at; they ask no server."""
    every = replace(settings, bridges=all_bridge_names())
    return make_bridges(every, AdapterIo(nodes or {}, SystemClock()), lambda: Prices({}))


def _across(made: _Making) -> Bridge:
    settings = made.settings
    chains = {
        chain: _across_chain(facts, made)
        for chain, facts in settings.chains.items()
        if facts.across is not None
    }
    api = settings.world.across_api if settings.across.ask_api else ""
    own = settings.across.fee

    def fixed(token: Token) -> int | None:
        price = made.prices().of(token)
        if own is None or price is None or not price.value > 0:
            return None
        return raw_up(Fraction(own.fixed) / Fraction(price.value), token)

    fee = None if own is None else across.OwnFee(bps=own.bps, fixed=fixed)
    key = key_of(settings, "across")
    return across.make(across.Options(chains=chains, api=api or None, fee=fee, key=key), made.io)


def _across_chain(facts: ChainFacts, made: _Making) -> across.ChainOptions:
    if facts.across is None:
        raise ValueError(f"chain {facts.chain} has no pool of Across")
    pool = facts.across.spoke_pool
    return across.ChainOptions(
        spoke_pool=pool,
        native=facts.native,
        wrapped=facts.wrapped,
        tokens=crossing_tokens(facts),
        confirmations=FORK_CONFIRMATIONS if made.on_forks else facts.confirmations,
        code_hash=facts.code_hashes.get(pool, ""),
    )


_BUILT: Mapping[str, Callable[[_Making], Bridge]] = {"across": _across}
