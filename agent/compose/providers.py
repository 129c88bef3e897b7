"""Venues and bridges that are made alike: found by their module's name, told facts and options."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

from agent.core.money import ChainId, Token
from agent.ports import AdapterIo
from agent.provider import About, ProviderChain, ProviderOptions
from agent.settings import ChainFacts, Settings
from agent.wire.clock import SystemClock
from agent.wire.pace import ProviderHttp, bucket_of

_NOBODY = AdapterIo({}, SystemClock())
"""What an adapter gets that is only asked what it knows."""

Room = Literal["venues", "bridges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One provider as this wallet has it; `off` says why nothing is asked of it, '' when it is on.

    `variable` is the name of the variable that its key is read from, '' where it takes none.
    """

    name: str
    about: About
    chains: tuple[ChainId, ...]
    variable: str
    off: str


def provider_names(room: Room) -> tuple[str, ...]:
    """The modules of a room that are made from `ProviderOptions`."""
    return tuple(name for name in _modules(room) if hasattr(_module(room, name), "ABOUT"))


def make_provider(
    room: Room, name: str, settings: Settings, io: AdapterIo, *, confirmations: int | None = None
) -> Any:
    """The adapter of that name, or None where it is off; *confirmations* replace those of chains.

    Its questions keep to the provider's own limit. Nothing is asked yet.
    """
    if standing(room, name, settings).off:
        return None
    module = _module(room, name)
    options = ProviderOptions(
        api=settings.world.apis.get(name, ""),
        chains={
            chain: _chain(facts, name, confirmations)
            for chain, facts in settings.chains.items()
            if name in facts.providers
        },
        max_slippage_bps=settings.policy.limits.max_slippage_bps,
        key=key_of(settings, name),
    )
    about: About = module.ABOUT
    # Local servers are ours alone, and are asked as often as tests like.
    bucket = None if settings.local else bucket_of(name, calls=about.calls, seconds=about.seconds)
    return module.make(options, replace(io, http=ProviderHttp(io.http, bucket)))


def bridges_of(chain: ChainId, known: Mapping[ChainId, ChainFacts]) -> list[str]:
    """The bridges of providers that have a contract on *chain*, as all *known* chains say."""
    found = []
    for name in provider_names("bridges"):
        chains = {
            each: _chain(facts, name, None)
            for each, facts in known.items()
            if name in facts.providers
        }
        made = _module("bridges", name).make(ProviderOptions(chains=chains), _NOBODY)
        found += [name] if made.targets(chain) else []
    return found


def standing(room: Room, name: str, settings: Settings) -> Standing:
    """Whether a provider is on for this wallet, and why not."""
    about: About = _module(room, name).ABOUT
    chains = tuple(chain for chain, facts in settings.chains.items() if name in facts.providers)
    variable = "" if about.key == "none" else key_variable(name)
    off = ""
    if not chains:
        off = "it serves none of the wallet's chains"
    elif about.key == "required" and settings.secret(variable) is None:
        off = f"it needs a key: set {variable}, in the environment or in .env"
    return Standing(name=name, about=about, chains=chains, variable=variable, off=off)


def key_variable(name: str) -> str:
    """The variable of a provider's key.

    >>> key_variable("zerox")
    'ZEROX_API_KEY'
    """
    return f"{name.upper()}_API_KEY"


def crossing_tokens(facts: ChainFacts) -> dict[str, Token]:
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


def _chain(facts: ChainFacts, name: str, confirmations: int | None) -> ProviderChain:
    return ProviderChain(
        chain=facts.chain,
        native=facts.native,
        wrapped=facts.wrapped,
        tokens=crossing_tokens(facts),
        facts=facts.providers[name].facts,
        code_hashes=facts.code_hashes,
        confirmations=facts.confirmations if confirmations is None else confirmations,
    )


def key_of(settings: Settings, name: str) -> Callable[[], str]:
    """Reveals the owner's key for a provider, '' where there is none."""
    secret = settings.secret(key_variable(name))
    return (lambda: "") if secret is None else secret.reveal


def _modules(room: Room) -> Collection[str]:
    folder = import_module(f"agent.{room}")
    found = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def _module(room: Room, name: str) -> ModuleType:
    return import_module(f"agent.{room}.{name}")
