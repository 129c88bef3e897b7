"""The frozen settings that the rest of the program works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from agent.core.money import Address, Bps, ChainId, Token
from agent.core.policy import Asset, Policy
from agent.settings.chain_facts import ChainFacts
from agent.settings.choices import Origin
from agent.settings.environment import Environment, Paths, Secret
from agent.settings.notify import Notify

ConfirmMode = Literal["always", "over", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerSpec:
    """Who signs: the name of a module in `signers`, and what it is told.

    `name` is the name of a key store, of a variable, or the URL of a remote signer, which
    may hold a key and so is in no repr.
    """

    kind: str
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """When a person confirms before the first signature: `over` is money, for that mode."""

    mode: ConfirmMode
    over: Decimal

    def needed(self, value: Decimal) -> bool:
        """Whether a run that moves *value* waits for a person."""
        return self.mode == "always" or (self.mode == "over" and not value <= self.over)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayerFee:
    """What a relayer is offered without asking: a part of the amount and a fixed sum of money."""

    bps: Bps
    fixed: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossWish:
    """Whether Across's fee API may be asked, and the owner's own offer, None without one."""

    ask_api: bool
    fee: RelayerFee | None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known without a portfolio: chains, folders, variables.

    `local` means that an overlay is in force: then `chains` has local chains only, and
    only `generated` accounts may sign. `across_api` is where fees of Across are asked for,
    empty where nobody is to be asked, and `apis` where other providers are, by name. `pegs` are
    the currencies that assets stand for. `files` are all files that were read.
    """

    chains: Mapping[ChainId, ChainFacts]
    across_api: str
    apis: Mapping[str, str]
    pegs: Mapping[str, str]
    local: bool
    generated: frozenset[Address]
    paths: Paths
    files: tuple[Path, ...]
    environment: Environment = field(repr=False, compare=False)
    origin: Mapping[str, Origin] = field(repr=False, compare=False)

    def secret(self, name: str) -> Secret | None:
        """A secret by the name of its variable, None when it is absent."""
        return self.environment.secret(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was configured, effective and checked.

    `assets` are all known assets on the wallet's chains; those of `policy` have a target.
    `max_price_age_seconds` is None where each feed's heartbeat alone decides. `warnings`
    are sentences for `doctor`. `origin` tells who decided each key.
    """

    world: World
    portfolio: Path
    name: str
    base: str
    policy: Policy
    signer: SignerSpec
    env_key_max_value: Decimal
    assets: tuple[Asset, ...]
    confirm: Confirm
    canary_value: Decimal
    max_price_age_seconds: int | None
    venues: tuple[str, ...]
    bridges: tuple[str, ...]
    across: AcrossWish
    notify: Notify
    warnings: tuple[str, ...]
    origin: Mapping[str, Origin] = field(repr=False, compare=False)

    @property
    def account(self) -> Address:
        """The wallet."""
        return self.policy.account

    @property
    def chains(self) -> Mapping[ChainId, ChainFacts]:
        """Facts of the wallet's chains, in the portfolio's order."""
        return {chain: self.world.chains[chain] for chain in self.policy.chains}

    @property
    def local(self) -> bool:
        """Whether an overlay is in force."""
        return self.world.local

    @property
    def generated(self) -> frozenset[Address]:
        """The only accounts that may sign under an overlay."""
        return self.world.generated

    @property
    def paths(self) -> Paths:
        """The user's folders."""
        return self.world.paths

    def tokens(self, chain: ChainId) -> tuple[Token, ...]:
        """All tokens to look at on *chain*, the native coin first; raises KeyError."""
        return self.chains[chain].tokens

    def secret(self, name: str) -> Secret | None:
        """A secret by the name of its variable, None when it is absent."""
        return self.world.secret(name)
