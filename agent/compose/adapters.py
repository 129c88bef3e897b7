"""Adapters made from settings: nodes, oracles, venues and signers by their module's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.chain.node import RpcNode
from agent.core.agree import agree
from agent.core.money import Token
from agent.core.price import Opinion, Prices
from agent.errors import KeyNotAllowed
from agent.ports import AdapterIo, Clock, Oracle, Signer, Venue
from agent.settings import ChainFacts, Settings
from agent.signers import env_key, impersonate, keystore, watch

POOL_DEPTH: Mapping[str, str] = {
    "ETH": "15",
    "WBTC": "0.75",
    "USDC": "50000",
    "USDT": "50000",
    "DAI": "50000",
}
"""So much of an asset must be needed to move a pool's price by one percent before the pool has
a voice: about 50 000 in the unit of account, five times the default `max_run_value`."""

PRICE_SECONDS = 5
"""Prices are asked for again after this; several steps of one moment share one answer."""


def make_node(facts: ChainFacts, clock: Clock, urls: tuple[str, ...] | None = None) -> RpcNode:
    """The node of a chain; nothing is asked yet."""
    return RpcNode(
        facts.chain,
        urls or facts.rpc,
        genesis=facts.genesis,
        multicall3=facts.multicall3,
        max_head_age_seconds=facts.max_head_age_seconds,
        clock=clock,
    )


def make_oracles(settings: Settings, io: AdapterIo) -> tuple[Oracle, ...]:
    """Chainlink's feeds and the pools of every chain in use."""
    chainlink = import_module("agent.oracles.chainlink")
    pool_twap = import_module("agent.oracles.pool_twap")
    feeds: dict[str, Any] = {}
    for facts in settings.chains.values():
        for asset, feed in facts.feeds.items():
            feeds.setdefault(
                asset,
                {
                    "chain": facts.chain,
                    "address": feed.address,
                    "heartbeat": feed.heartbeat_seconds,
                    "decimals": feed.decimals,
                },
            )
    made: tuple[Oracle, ...] = (
        chainlink.make({"feeds": feeds}, io),
        pool_twap.make(_pool_options(settings), io),
    )
    return made


def _pool_options(settings: Settings) -> dict[str, Any]:
    pairs = []
    factories = {}
    for facts in settings.chains.values():
        if facts.uniswap is None:
            continue
        factories[int(facts.chain)] = facts.uniswap.v3_factory
        tokens = [
            listing.token.address
            for listing in facts.listings
            if listing.role == "spend" and not listing.token.is_native
        ]
        pairs += [
            {"chain": facts.chain, "tokens": (a, b), "fees": facts.uniswap.v3_fee_tiers}
            for i, a in enumerate(tokens)
            for b in tokens[i + 1 :]
        ]
    return {"pairs": pairs, "factories": factories, "min_depth": POOL_DEPTH}


@dataclass(slots=True)
class PriceDesk:
    """Asks all oracles and lets the core agree; one answer serves a few seconds."""

    settings: Settings
    oracles: tuple[Oracle, ...]
    clock: Clock
    _made: int = field(default=0, init=False)
    _prices: Prices | None = field(default=None, init=False)

    def __call__(self) -> Prices:
        """Prices of all known assets on the wallet's chains."""
        now = self.clock.now()
        if self._prices is not None and now < self._made + PRICE_SECONDS:
            return self._prices
        assets = {asset.name: self._priced(asset.name) for asset in self.settings.assets}
        said = [item for oracle in self.oracles for item in oracle.opinions(assets, now)]
        oldest = self.settings.max_price_age_seconds
        if oldest is not None:
            said = [x for x in said if not isinstance(x, Opinion) or now - x.at <= oldest]
        spread = self.settings.policy.limits.max_price_spread_bps
        self._prices = agree(said, assets=assets, now=now, max_spread_bps=spread)
        self._made = now
        return self._prices

    def _priced(self, name: str) -> tuple[Token, ...]:
        """The tokens whose price is the asset's: a `count` form has a price of its own."""
        found = {asset.name: asset for asset in self.settings.assets}[name]
        return tuple(item.token for item in found.instances if item.role == "spend")


def make_venues(settings: Settings, io: AdapterIo) -> dict[str, Venue]:
    """The allowed venues that this version has, and wraps, which nobody needs to allow."""
    names = [name for name in settings.venues if name in _BUILT]
    return {name: _BUILT[name](settings, io) for name in ("wrap", *names)}


def _router(settings: Settings, io: AdapterIo) -> Venue:
    router = import_module("agent.venues.router")
    chains = {
        chain: router.ChainOptions(
            v2_factory=facts.uniswap.v2_factory,
            v3_factory=facts.uniswap.v3_factory,
            swap_router=facts.uniswap.swap_router_02,
            wrapped=facts.wrapped.address,
            hubs=tuple(token.address for token in facts.uniswap.hub_tokens),
            fee_tiers=facts.uniswap.v3_fee_tiers,
            code_hash=facts.code_hashes.get(facts.uniswap.swap_router_02, ""),
        )
        for chain, facts in settings.chains.items()
        if facts.uniswap is not None
    }
    slippage = settings.policy.limits.max_slippage_bps
    made: Venue = router.make(router.Options(chains=chains, max_slippage_bps=slippage), io)
    return made


def _wrap(settings: Settings, io: AdapterIo) -> Venue:
    wrap = import_module("agent.venues.wrap")
    wrappers = {
        chain: (facts.wrapped.address, facts.code_hashes.get(facts.wrapped.address, ""))
        for chain, facts in settings.chains.items()
    }
    made: Venue = wrap.make(wrap.Options(wrappers), io)
    return made


_BUILT: Mapping[str, Callable[[Settings, AdapterIo], Venue]] = {"router": _router, "wrap": _wrap}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccess:
    """How a key may be reached: asking for a password, and whether a plain key was accepted."""

    ask: Callable[[], str] = field(repr=False)
    accept_plain_key: bool = False


def make_signer(settings: Settings, access: KeyAccess) -> Signer:
    """The signer of the settings; it asks for nothing before it must sign."""
    spec = settings.signer
    generated = frozenset(settings.generated)
    if spec.kind == "watch":
        return watch.make(watch.Options(address=settings.account), None)
    if spec.kind == "keystore":
        return keystore.make(
            keystore.Options(
                address=settings.account,
                key=spec.name,
                folders=key_folders(settings.paths.state),
                ask=access.ask,
                local=settings.local,
                generated=generated,
            ),
            None,
        )
    if spec.kind == "env_key":
        return env_key.make(
            env_key.Options(
                address=settings.account,
                reveal=lambda: _revealed(settings, spec.name),
                accepted=access.accept_plain_key,
                max_value=settings.env_key_max_value,
                local=settings.local,
                generated=generated,
            ),
            None,
        )
    raise KeyNotAllowed(
        f"this version has no signer of the kind {spec.kind!r}",
        fix='use a key file, signer = "keystore:NAME", or signer = "watch"',
    )


def _revealed(settings: Settings, name: str) -> str:
    secret = settings.secret(name)
    return "" if secret is None else secret.reveal()


def key_folders(state: Path) -> keystore.Folders:
    """Our own key folder in the state folder, and the user's home for Foundry's and geth's."""
    return keystore.Folders(own=state / "keystore", home=Path.home())


def impersonator(settings: Settings) -> Signer:
    """The signer for forks: it has no key."""
    return impersonate.make(impersonate.Options(address=settings.account), None)
