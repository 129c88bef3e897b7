"""Frozen settings out of chains.toml, portfolio.toml and the environment, read only here."""

from agent.settings.chain_facts import (
    Across,
    ChainFacts,
    Feed,
    Sequencer,
    TokenFacts,
    Uniswap,
    by_names,
)
from agent.settings.choices import Origin
from agent.settings.credentials import credential
from agent.settings.environment import (
    Environment,
    Paths,
    Secret,
    find_paths,
    inherited_variables,
    variable,
)
from agent.settings.kinds import flag_address, flag_seconds
from agent.settings.loading import load, load_chains_only, load_text
from agent.settings.model import AcrossWish, Confirm, RelayerFee, Settings, SignerSpec, World
from agent.settings.notify import Notify

__all__ = [
    "Across",
    "AcrossWish",
    "ChainFacts",
    "Confirm",
    "Environment",
    "Feed",
    "Notify",
    "Origin",
    "Paths",
    "RelayerFee",
    "Secret",
    "Sequencer",
    "Settings",
    "SignerSpec",
    "TokenFacts",
    "Uniswap",
    "World",
    "by_names",
    "credential",
    "find_paths",
    "flag_address",
    "flag_seconds",
    "inherited_variables",
    "load",
    "load_chains_only",
    "load_text",
    "variable",
]
