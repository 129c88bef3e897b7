"""Adapters made from settings: nodes, oracles, venues and signers by their module's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

from agent.chain.node import RpcNode
from agent.compose.forks import FORKS, make_fork
from agent.compose.providers import make_provider, provider_names
from agent.core.agree import agree
from agent.core.money import Address, Token
from agent.core.price import Opinion, Prices
from agent.errors import KeyNotAllowed
from agent.oracles import chainlink, pool_twap
from agent.ports import AdapterIo, Clock, Oracle, Signer, Venue
from agent.settings import ChainFacts, Feed, Settings
from agent.signers import env_key, impersonate, keystore, watch
from agent.venues import router, wrap

POOL_DEPTH: Mapping[str, Decimal] = {
    "ETH": Decimal(15),
    "WBTC": Decimal("0.75"),
    "USDC": Decimal(50_000),
    "USDT": Decimal(50_000),
    "DAI": Decimal(50_000),
    "BNB": Decimal(60),
    "POL": Decimal(250_000),
    "AVAX": Decimal(2_500),
}
"""So much of an asset must be needed to move a pool's price by one percent before the pool has
a voice: about 50 000 in the unit of account, five times the default `max_run_value`."""

FEED_LATE_SECONDS = chainlink.LATE_SECONDS
"""How much later than its heartbeat a feed may speak."""

PRICE_SECONDS = 5
"""Prices are asked for again after this; several steps of one moment share one answer."""


def make_node(facts: ChainFacts, clock: Clock, *, fork: str | None = None) -> RpcNode:
    """The node of a chain, or of its *fork* at that URL; nothing is asked yet.

    A fork mines when it is sent something, so its head may be old.
    """
    return RpcNode(
        facts.chain,
        facts.rpc if fork is None else (fork,),
        genesis=facts.genesis,
        multicall3=facts.multicall3,
        max_head_age_seconds=facts.max_head_age_seconds if fork is None else None,
        clock=clock,
        fee_model=facts.fee_model,
    )


def make_oracles(settings: Settings, io: AdapterIo) -> tuple[Oracle, ...]:
    """Chainlink's feeds, those of the wallet's own first chain first, and the pools of all."""
    pools = {
        chain: pool_twap.ChainOptions(
            factory=facts.uniswap.v3_factory,
            fee_tiers=tuple(fee for fee, _ in facts.uniswap.v3_fee_tiers),
            min_depth=POOL_DEPTH,
        )
        for chain, facts in settings.chains.items()
        if facts.uniswap is not None
    }
    return (
        chainlink.make(feed_options(settings), io),
        pool_twap.make(pool_twap.Options(pools), io),
    )


def feed_options(settings: Settings) -> chainlink.Options:
    """The feeds of all chains of the wallet in its order, and the sequencers they depend on."""
    feeds: dict[str, tuple[chainlink.Feed, ...]] = {}
    for chain, facts in settings.chains.items():
        for asset, feed in facts.feeds.items():
            known = chainlink.Feed(
                chain=chain,
                address=feed.address,
                heartbeat_seconds=feed.heartbeat_seconds,
                decimals=feed.decimals,
                unbounded=feed.unbounded,
                rate=_rate(facts, feed),
            )
            feeds[asset] = (*feeds.get(asset, ()), known)
    sequencers = {
        chain: chainlink.Sequencer(facts.sequencer.feed, facts.sequencer.grace_seconds)
        for chain, facts in settings.chains.items()
        if facts.sequencer is not None
    }
    return chainlink.Options(feeds, sequencers)


def _rate(facts: ChainFacts, feed: Feed) -> tuple[Address, str] | None:
    counted = facts.named(feed.asset)
    return (counted.address, feed.rate) if feed.rate and counted is not None else None


@dataclass(slots=True)
class PriceDesk:
    """Asks all oracles and lets the core agree; one answer serves a few seconds.

    Only the first of them, the feeds, is asked for tokens that merely count: a thin pool of
    such a token would accuse the asset that it is a form of.
    """

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
        every = {**assets, **self._counted()}
        feeds, *others = self.oracles
        said = [*feeds.opinions(every, now)]
        said += [item for oracle in others for item in oracle.opinions(assets, now)]
        oldest = self.settings.max_price_age_seconds
        if oldest is not None:
            said = [x for x in said if not isinstance(x, Opinion) or now - x.at <= oldest]
        spread = self.settings.policy.limits.max_price_spread_bps
        self._prices = agree(said, assets=every, now=now, max_spread_bps=spread)
        self._made = now
        return self._prices

    def _priced(self, name: str) -> tuple[Token, ...]:
        """The tokens whose price is the asset's: a `count` form has a price of its own."""
        found = {asset.name: asset for asset in self.settings.assets}[name]
        return tuple(item.token for item in found.instances if item.role == "spend")

    def _counted(self) -> dict[str, tuple[Token, ...]]:
        """Tokens that only count, by the symbol that a feed on one of the chains prices."""
        priced = {name for facts in self.settings.chains.values() for name in facts.feeds}
        found: dict[str, tuple[Token, ...]] = {}
        for asset in self.settings.assets:
            for item in asset.instances:
                name = item.token.symbol
                if item.role == "count" and name in priced:
                    found[name] = (*found.get(name, ()), item.token)
        return found


def venue_names() -> tuple[str, ...]:
    """All venues that a portfolio may allow: our router, forks of V2, and those with servers."""
    return ("router", *FORKS, *provider_names("venues"))


def make_venues(settings: Settings, io: AdapterIo) -> dict[str, Venue]:
    """The allowed venues that are on, and wraps, which nobody needs to allow."""
    known = provider_names("venues")
    found: dict[str, Venue] = {}
    for name in ("wrap", *settings.venues):
        venue = None
        if name in _BUILT:
            venue = _BUILT[name](settings, io)
        elif name in known:
            venue = make_provider("venues", name, settings, io)
        if venue is not None:
            found[name] = venue
    return found


def _router(settings: Settings, io: AdapterIo) -> Venue:
    chains = {
        chain: router.ChainOptions(
            v2_factory=facts.uniswap.v2_factory,
            v3_factory=facts.uniswap.v3_factory,
            swap_router=facts.uniswap.swap_router_02,
            wrapped=facts.wrapped.address,
            hubs=tuple(token.address for token in facts.uniswap.hub_tokens),
            fee_tiers=facts.uniswap.v3_fee_tiers,
            code_hash=facts.code_hashes.get(facts.uniswap.swap_router_02, ""),
            v4=_v4(facts),
        )
        for chain, facts in settings.chains.items()
        if facts.uniswap is not None
    }
    slippage = settings.policy.limits.max_slippage_bps
    return router.make(router.Options(chains=chains, max_slippage_bps=slippage), io)


def _v4(facts: ChainFacts) -> router.V4Options | None:
    if facts.uniswap_v4 is None:
        return None
    return router.V4Options(
        state_view=facts.uniswap_v4.state_view,
        universal_router=facts.uniswap_v4.universal_router,
        permit2=facts.uniswap_v4.permit2,
        fee_tiers=facts.uniswap_v4.fee_tiers,
        code_hashes=facts.code_hashes,
    )


def _wrap(settings: Settings, io: AdapterIo) -> Venue:
    wrappers = {
        chain: (facts.wrapped.address, facts.code_hashes.get(facts.wrapped.address, ""))
        for chain, facts in settings.chains.items()
    }
    return wrap.make(wrap.Options(wrappers), io)


_BUILT: Mapping[str, Callable[[Settings, AdapterIo], Venue | None]] = {
    "router": _router,
    "wrap": _wrap,
    **{name: partial(make_fork, name) for name in FORKS},
}


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
                generated=generated | keystore.generated(key_folders(settings.paths.state)),
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
