"""Reads chains.toml: facts, each with its source, into `ChainFacts`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from agent.core.money import NATIVE, Address, ChainId, Token
from agent.core.policy import Role
from agent.settings import kinds
from agent.settings.chain_facts import (
    Across,
    ChainFacts,
    Checked,
    Feed,
    FeeModel,
    Finality,
    Sequencer,
    TokenFacts,
    Uniswap,
    UniswapV4,
)
from agent.settings.environment import Environment
from agent.settings.keys import CHAINS, refuse_unknown_keys
from agent.settings.overlay import LocalChain, Overlay
from agent.settings.provider_facts import read_providers
from agent.settings.toml_file import TomlFile
from agent.settings.value import Value, did_you_mean
from agent.wire.endpoint import parse_endpoint

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

_GETTER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\(\)")

_FEE_MODELS: Mapping[str, FeeModel] = {
    "eip1559": "eip1559",
    "op_stack": "op_stack",
    "arbitrum": "arbitrum",
    "legacy": "legacy",
}
_FINALITY: Mapping[str, Finality] = {"finalized": "finalized"}
_CHECKED: Mapping[str, Checked] = {"live": "live", "document": "document"}
_CURRENCIES: Mapping[str, str] = {"USD": "USD"}
_ROLES: Mapping[str, Role] = {"spend": "spend", "count": "count"}

_decimals = kinds.whole(0, 36)
_heartbeat = kinds.whole(1, 604_800)
_fee = kinds.whole(1, 999_999)
_tick_spacing = kinds.whole(1, 16_383)
_coin_type = kinds.whole(0, 2**31 - 1)
_grace = kinds.whole(0, 86_400)


def chains_root(file: TomlFile) -> Value:
    """The root of chains.toml, once every key in it is known; raises ConfigError."""
    root = refuse_unknown_keys(file, CHAINS, "chains", {})
    kinds.whole(1, 1)(root.need("schema"))
    return root


def read_across_api(root: Value, overlay: Overlay | None) -> str:
    """Where fees of Across are asked for, empty where nobody is to be asked.

    Under an overlay it is what the overlay says, for the public one knows no local chain.
    Raises ConfigError.
    """
    if overlay is not None:
        return overlay.across_api
    bridges = root.get("bridges")
    across = None if bridges is None else bridges.get("across")
    if across is None:
        return ""
    _source(across)
    _checked(across)
    return kinds.https(across.need("api"))


def read_pegs(root: Value) -> Mapping[str, str]:
    """The currency that one whole token of an asset stands for, by asset; raises ConfigError."""
    table = root.get("pegs")
    found = {}
    for asset, row in ({} if table is None else table.table()).items():
        _source(row)
        _checked(row)
        found[asset] = kinds.one_of(_CURRENCIES)(row.need("to"))
    return MappingProxyType(found)


def read_chains(
    root: Value, environment: Environment, overlay: Overlay | None
) -> Mapping[ChainId, ChainFacts]:
    """The chains of chains.toml; under an overlay only those that it has, as it says.

    Raises:
        ConfigError: of the kind that fits, with file, line and key.
    """
    found: dict[ChainId, ChainFacts] = {}
    for name, table in root.need("chains").table().items():
        chain = kinds.chain(replace(table, raw=name))
        if overlay is None:
            found[chain] = _chain(table, chain, _urls(table.need("rpc"), environment))
        elif chain in overlay.chains:
            local = overlay.chains[chain]
            found[chain] = _localised(_chain(table, chain, local.rpc), local)
    if overlay is not None:
        overlay.refuse_beyond(found)
    return MappingProxyType(found)


def _chain(table: Value, chain: ChainId, rpc: tuple[str, ...]) -> ChainFacts:
    listings = _listings(table, chain)
    by_symbol = {listing.token.symbol: listing.token for listing in listings[1:]}
    uniswap, across = table.get("uniswap"), table.get("across")
    uniswap_v4 = table.get("uniswap_v4")
    sequencer = table.get("sequencer")
    return ChainFacts(
        chain=chain,
        name=kinds.text(table.need("name")),
        short_name=kinds.text(table.need("short_name")),
        slip44=_coin_type(table.need("native").need("slip44")),
        wrapped=kinds.one_of(by_symbol)(table.need("wrapped")),
        multicall3=kinds.checksummed(table.need("multicall3")),
        explorer=kinds.https(table.need("explorer")),
        fee_model=kinds.one_of(_FEE_MODELS)(table.need("fee_model")),
        finality=kinds.one_of(_FINALITY)(table.need("finality")),
        confirmations=kinds.whole(1, 10_000)(table.need("confirmations")),
        block_seconds=kinds.seconds(table.need("block_seconds")),
        max_head_age_seconds=kinds.whole(1, 86_400)(table.need("max_head_age_seconds")),
        gas_reserve=kinds.decimal(table.need("gas_reserve")),
        genesis=kinds.hash32(table.need("genesis")),
        rpc=rpc,
        listings=listings,
        feeds=_feeds(table, listings),
        uniswap=None if uniswap is None else _uniswap(uniswap, by_symbol),
        uniswap_v4=None if uniswap_v4 is None else _uniswap_v4(uniswap_v4),
        across=None if across is None else _across(across),
        sequencer=None if sequencer is None else _sequencer(sequencer),
        providers=read_providers(table),
        code_hashes=_code_hashes(table),
        place=_named_place(table),
        source=_source(table),
        checked=_checked(table),
    )


def _listings(table: Value, chain: ChainId) -> tuple[TokenFacts, ...]:
    native = table.need("native")
    decimals = native.need("decimals")
    coin = Token(chain, NATIVE, _decimals(decimals), kinds.text(native.need("symbol")))
    asset = kinds.text(native.need("asset"))
    listings = [
        TokenFacts(
            token=coin,
            asset=asset,
            role="spend",
            says=coin.symbol,
            place=_named_place(decimals),
            source=_source(table),
            checked=_checked(table),
        )
    ]
    for symbol, row in table.need("tokens").table().items():
        listing = _listing(row, chain, symbol)
        for earlier in listings:
            if earlier.token == listing.token:
                raise row.wrong(f"has the address of {earlier.token.symbol}")
        listings.append(listing)
    return tuple(listings)


def _listing(row: Value, chain: ChainId, symbol: str) -> TokenFacts:
    if symbol == NATIVE:
        raise row.wrong(f'"{NATIVE}" is the gas coin, which has no contract')
    address, decimals = kinds.checksummed(row.need("address")), row.need("decimals")
    says = row.get("says")
    return TokenFacts(
        token=Token(chain, address, _decimals(decimals), symbol),
        asset=kinds.text(row.need("asset")),
        role=kinds.one_of(_ROLES)(row.need("role")),
        says=symbol if says is None else kinds.text(says),
        place=_named_place(decimals),
        source=_source(row),
        checked=_checked(row),
    )


def _named_place(value: Value) -> str:
    return f"{value.place}: {value.name}"


def _feeds(table: Value, listings: tuple[TokenFacts, ...]) -> Mapping[str, Feed]:
    rows = table.get("feeds")
    assets = {listing.asset for listing in listings}
    counted = {row.token.symbol for row in listings if row.role == "count"}
    feeds: dict[str, Feed] = {}
    for name, row in ({} if rows is None else rows.table()).items():
        if name not in assets | counted:
            raise row.wrong(f'no token is a form of "{name}"{did_you_mean(name, assets)}')
        unbounded = row.get("unbounded")
        feeds[name] = Feed(
            asset=name,
            address=kinds.checksummed(row.need("address")),
            heartbeat_seconds=_heartbeat(row.need("heartbeat_seconds")),
            decimals=_decimals(row.need("decimals")),
            description=kinds.text(row.need("description")),
            unbounded=unbounded is not None and kinds.yes_or_no(unbounded),
            rate=_rate(row, needed=name not in assets),
            place=_named_place(row),
            source=_source(row),
            checked=_checked(row),
        )
    return MappingProxyType(feeds)


def _rate(row: Value, *, needed: bool) -> str:
    rate = row.need("rate") if needed else row.get("rate")
    if rate is None:
        return ""
    written = kinds.text(rate)
    if not needed:
        raise rate.wrong("an asset is what its feed prices; only a counted token has a rate")
    if not _GETTER.fullmatch(written):
        raise rate.wrong('a function without arguments is wanted, such as "stEthPerToken()"')
    return written


def _uniswap(row: Value, by_symbol: Mapping[str, Token]) -> Uniswap:
    hubs = kinds.names(by_symbol, "token of this chain")(row.need("hub_tokens"))
    return Uniswap(
        v2_factory=kinds.checksummed(row.need("v2_factory")),
        v3_factory=kinds.checksummed(row.need("v3_factory")),
        swap_router_02=kinds.checksummed(row.need("swap_router_02")),
        quoter_v2=kinds.checksummed(row.need("quoter_v2")),
        v3_fee_tiers=tuple(_fee_tier(item) for item in row.need("v3_fee_tiers").items()),
        hub_tokens=tuple(by_symbol[symbol] for symbol in hubs),
        place=_named_place(row),
        source=_source(row),
        checked=_checked(row),
    )


def _uniswap_v4(row: Value) -> UniswapV4:
    return UniswapV4(
        state_view=kinds.checksummed(row.need("state_view")),
        universal_router=kinds.checksummed(row.need("universal_router")),
        permit2=kinds.checksummed(row.need("permit2")),
        fee_tiers=tuple(_fee_tier(item) for item in row.need("fee_tiers").items()),
        place=_named_place(row),
        source=_source(row),
        checked=_checked(row),
    )


def _fee_tier(item: Value) -> tuple[int, int]:
    parts = item.items()
    if len(parts) != 2:
        raise item.wrong("a fee and its tick spacing are wanted, such as [3000, 60]")
    return _fee(parts[0]), _tick_spacing(parts[1])


def _across(row: Value) -> Across:
    return Across(
        spoke_pool=kinds.checksummed(row.need("spoke_pool")),
        place=_named_place(row),
        source=_source(row),
        checked=_checked(row),
    )


def _sequencer(row: Value) -> Sequencer:
    return Sequencer(
        feed=kinds.checksummed(row.need("feed")),
        grace_seconds=_grace(row.need("grace_seconds")),
        place=_named_place(row),
        source=_source(row),
        checked=_checked(row),
    )


def _code_hashes(table: Value) -> Mapping[Address, str]:
    row = table.get("code_hashes")
    if row is None:
        return MappingProxyType({})
    _source(row)
    _checked(row)
    return MappingProxyType(
        {
            kinds.checksummed(replace(value, raw=key)): kinds.hash32(value)
            for key, value in row.table().items()
            if key not in ("source", "checked")
        }
    )


def _source(row: Value) -> str:
    return kinds.text(row.need("source"))


def _checked(row: Value) -> Checked:
    return kinds.one_of(_CHECKED)(row.need("checked"))


def _urls(value: Value, environment: Environment) -> tuple[str, ...]:
    urls: list[str] = []
    for item in value.items():
        url = _expanded(item, environment)
        if not url:
            continue
        try:
            parse_endpoint(url)
        except ValueError as error:
            raise item.wrong(str(error)) from None
        if url not in urls:
            urls.append(url)
    if not urls:
        raise value.wrong("names no node")
    return tuple(urls)


def variables(rpc: Value) -> tuple[str, ...]:
    """The variables that a list of URLs asks for, in order."""
    return tuple(m[1] for item in rpc.items() for m in _VARIABLE.finditer(kinds.text(item)))


def _expanded(value: Value, environment: Environment) -> str:
    """The text with its variables put in; messages never show it, for it may hold a key."""
    written = kinds.text(value)
    if "$" in _VARIABLE.sub("", written):
        raise value.wrong("a variable is written ${NAME} or ${NAME:-default}")

    def put_in(match: re.Match[str]) -> str:
        found = environment.get(match[1]) or match[2]
        if found is None:
            raise value.wrong(f"the variable {match[1]} is not set and has no default")
        return found

    return _VARIABLE.sub(put_in, written)


def _localised(facts: ChainFacts, local: LocalChain) -> ChainFacts:
    if local.genesis.raw == facts.genesis:
        raise local.genesis.refused(
            f"this is the genesis of the real {facts.name}: "
            "what is signed there is valid on the real chain"
        )
    by_address = {feed.address: asset for asset, feed in facts.feeds.items()}
    feeds = dict(facts.feeds)
    for address, value in local.heartbeats.items():
        if address not in by_address:
            raise value.wrong("is the address of no feed")
        asset = by_address[address]
        feeds[asset] = replace(feeds[asset], heartbeat_seconds=_heartbeat(value))
    return replace(
        facts,
        genesis=kinds.hash32(local.genesis),
        block_seconds=local.block_seconds or facts.block_seconds,
        confirmations=local.confirmations or facts.confirmations,
        max_head_age_seconds=local.max_head_age_seconds or facts.max_head_age_seconds,
        code_hashes=local.code_hashes,
        feeds=MappingProxyType(feeds),
        sequencer=_local_sequencer(facts, local),
    )


def _local_sequencer(facts: ChainFacts, local: LocalChain) -> Sequencer | None:
    grace = local.sequencer_grace
    if grace is None:
        return facts.sequencer
    if facts.sequencer is None:
        raise grace.wrong(f"chains.toml knows no sequencer of {facts.name}")
    return replace(facts.sequencer, grace_seconds=_grace(grace))
