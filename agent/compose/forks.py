"""Forks of Uniswap V2 from what chains.toml knows of them."""

from __future__ import annotations

from collections.abc import Mapping

from agent.compose.providers import crossing_tokens
from agent.core.money import Address
from agent.ports import AdapterIo, Venue
from agent.settings import ChainFacts, Settings
from agent.venues import v2_fork

FORKS = v2_fork.TITLES
"""Forks by their names as venues, with their titles."""


def make_fork(name: str, settings: Settings, io: AdapterIo) -> Venue | None:
    """A fork as a venue; None where it is on none of the wallet's chains. Nothing is asked yet."""
    chains = {
        chain: fork_options(facts, name)
        for chain, facts in settings.chains.items()
        if name in facts.providers
    }
    if not chains:
        return None
    slippage = settings.policy.limits.max_slippage_bps
    return v2_fork.make(v2_fork.Options(name=name, chains=chains, max_slippage_bps=slippage), io)


def fork_options(facts: ChainFacts, name: str) -> v2_fork.ChainOptions:
    """A fork's contracts on a chain, and the hubs of the built-in router where there is one.

    Raises KeyError and ValueError where its facts are not such.
    """
    known, found = facts.providers[name].facts, facts.uniswap
    hubs = crossing_tokens(facts).values() if found is None else found.hub_tokens
    router = Address(str(known["router"]))
    return v2_fork.ChainOptions(
        factory=Address(str(known["factory"])),
        init_code_hash=str(known["init_code_hash"]),
        kept=(int(str(known["kept_numerator"])), int(str(known["kept_denominator"]))),
        router=router,
        wrapped=facts.wrapped.address,
        hubs=tuple(token.address for token in hubs),
        code_hash=facts.code_hashes.get(router, ""),
    )


def hub_pairs(facts: ChainFacts, name: str) -> Mapping[tuple[Address, Address], Address]:
    """Where a fork's pairs of hubs are, if they are there, as its facts say."""
    options = fork_options(facts, name)
    return {tokens: place.address for tokens, place in options.places(options.hubs).items()}
