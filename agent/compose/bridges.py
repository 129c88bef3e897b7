"""Bridges made from settings, by their module's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from agent.bridges import across
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
    return {name: _BUILT[name](made) for name in settings.bridges if name in _BUILT}


def all_bridges(
    settings: Settings, nodes: Mapping[ChainId, Node] | None = None
) -> dict[str, Bridge]:
    """All bridges that this version has, allowed or not, to look at; they ask no server."""
    every = replace(settings, bridges=tuple(_BUILT))
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
    return across.make(across.Options(chains=chains, api=api or None, fee=fee), made.io)


def _across_chain(facts: ChainFacts, made: _Making) -> across.ChainOptions:
    if facts.across is None:
        raise ValueError(f"chain {facts.chain} has no pool of Across")
    pool = facts.across.spoke_pool
    return across.ChainOptions(
        spoke_pool=pool,
        native=facts.native,
        wrapped=facts.wrapped,
        tokens=_by_asset(facts),
        confirmations=FORK_CONFIRMATIONS if made.on_forks else facts.confirmations,
        code_hash=facts.code_hashes.get(pool, ""),
    )


def _by_asset(facts: ChainFacts) -> dict[str, Token]:
    """The one ERC-20 by which each asset crosses: an asset's own, before what stands for it.

    An asset with several forms of which none has its name does not cross: they are not equal.
    """
    forms: dict[str, list[Token]] = {}
    for listing in facts.listings[1:]:
        if listing.role == "spend":
            forms.setdefault(listing.asset, []).append(listing.token)
    found: dict[str, Token] = {}
    for asset, tokens in forms.items():
        own = [token for token in tokens if token.symbol == asset]
        chosen = own or [token for token in tokens if token == facts.wrapped] or tokens
        if len(chosen) == 1:
            found[asset] = chosen[0]
    return found


_BUILT: Mapping[str, Callable[[_Making], Bridge]] = {"across": _across}
