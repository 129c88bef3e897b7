"""Reads portfolio.toml: the owner's will, into `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType

from agent.core.money import Address, Bps, ChainId, raw_down
from agent.core.policy import (
    Asset,
    Deposits,
    Limits,
    Policy,
    PolicyError,
    Range,
    RebalanceTo,
    Target,
    Tracking,
    Trigger,
    TriggerMode,
    Unlisted,
)
from agent.settings import kinds
from agent.settings.asset_lists import known_assets, overridden
from agent.settings.chain_facts import ChainFacts
from agent.settings.choices import Choices
from agent.settings.model import (
    AcrossWish,
    Confirm,
    ConfirmMode,
    RelayerFee,
    Settings,
    World,
)
from agent.settings.notify import read_notify
from agent.settings.policy_hash import policy_hash
from agent.settings.signer_spec import signer_spec
from agent.settings.targets import read_ranges, read_targets, refuse_impossible
from agent.settings.value import Value
from agent.wire.address import checksum

VENUES = (
    *("cow", "kyberswap", "lifi", "odos", "oneinch", "openocean", "pancakeswap_v2"),
    *("quickswap_v2", "router", "sushiswap_v2", "traderjoe_v1", "velora", "zerox"),
)
"""Names that `venues.allow` may have; which of them are installed is not known here."""

BRIDGES = (
    *("across", "canonical_arbitrum", "canonical_op", "cctp"),
    *("debridge", "lifi", "relay", "stargate"),
)
"""Names that `bridges.allow` may have."""

_MODES: Mapping[str, TriggerMode] = {
    "time": "time",
    "threshold": "threshold",
    "hybrid": "hybrid",
    "manual": "manual",
}
_STOPS: Mapping[str, RebalanceTo] = {"target": "target", "edge": "edge", "cheapest": "cheapest"}
_UNLISTED: Mapping[str, Unlisted] = {"outside": "outside", "refuse": "refuse"}
_DEPOSITS: Mapping[str, Deposits] = {"rebalance": "rebalance", "buy-only": "buy-only"}
_CONFIRM: Mapping[str, ConfirmMode] = {"always": "always", "over": "over", "never": "never"}


def read_portfolio(file: Path, root: Value, choose: Choices, world: World) -> Settings:
    """The settings that *root*, the contents of *file*, and stronger voices mean.

    Raises ConfigError of the kind that fits, with file, line and key.
    """
    kinds.whole(1, 1)(root.need("schema"))
    account = choose("wallet.address", kinds.address)
    chains = choose("wallet.chains", lambda value: _chains(value, world))
    assets = _assets(root, chains, choose)
    settings = Settings(
        world=world,
        portfolio=file,
        name=choose("name", kinds.text),
        base=choose("base", kinds.one_of({"USD": "USD"})),
        policy=_policy(root, choose, account, chains, assets, pegs=_pegs(world)),
        signer=choose("wallet.signer", signer_spec),
        env_key_max_value=choose("wallet.env_key_max_value", kinds.decimal),
        assets=tuple(assets.values()),
        confirm=Confirm(
            mode=choose("confirm.mode", kinds.one_of(_CONFIRM)),
            over=choose("confirm.over", kinds.decimal),
        ),
        canary_value=choose("canary.value", kinds.decimal),
        max_price_age_seconds=choose("limits.max_price_age", _price_age),
        venues=choose("venues.allow", kinds.names(VENUES, "venue")),
        bridges=choose("bridges.allow", kinds.names(BRIDGES, "bridge")),
        across=_across(choose),
        notify=read_notify(choose),
        warnings=choose("wallet.address", _checksum_warnings),
        origin=MappingProxyType({**world.origin, **choose.origins()}),
    )
    return replace(settings, policy=_hashed(settings))


def _policy(
    root: Value,
    choose: Choices,
    account: Address,
    chains: tuple[ChainFacts, ...],
    assets: Mapping[str, Asset],
    *,
    pegs: Mapping[str, Decimal],
) -> Policy:
    targets = read_targets(root, assets, choose)
    own_pegs = {asset: worth for asset, worth in pegs.items() if asset in targets}
    names = {facts.caip2: facts.chain for facts in chains}
    try:
        return Policy(
            account=account,
            chains=tuple(facts.chain for facts in chains),
            assets=_targeted(root, assets, targets),
            targets=MappingProxyType(targets),
            by_chain=_by_chain(root.get("targets_by_chain"), names, choose),
            by_asset_on_chain=_by_asset_on_chain(root, names, targets, choose),
            trigger=_trigger(choose),
            limits=_limits(choose),
            gas_reserve=_gas_reserve(root, chains, choose),
            dust=choose("holdings.dust", kinds.decimal),
            keep=_keep(root, targets, choose),
            unlisted=choose("holdings.unlisted", kinds.one_of(_UNLISTED)),
            max_wait_seconds=choose("bridges.max_wait", kinds.duration_seconds),
            deposits=choose("flows.deposits", partial(_deposits, cash=own_pegs)),
            pegs=MappingProxyType(own_pegs),
            tracking=_tracking(root, targets, choose),
        )
    except PolicyError as error:
        # Every rule of a policy is checked above with its line; this one is not known yet.
        raise root.wrong(str(error)) from error


def _trigger(choose: Choices) -> Trigger:
    return Trigger(
        mode=choose("trigger.mode", kinds.one_of(_MODES)),
        every_seconds=choose("trigger.every", kinds.duration_seconds),
        cooldown_seconds=choose("trigger.cooldown", kinds.duration_seconds),
        rebalance_to=choose("trigger.rebalance_to", kinds.one_of(_STOPS)),
    )


def _limits(choose: Choices) -> Limits:
    return Limits(
        max_slippage_bps=choose("limits.max_slippage_bps", kinds.bps),
        max_price_impact_bps=choose("limits.max_price_impact_bps", kinds.bps),
        max_cost_bps=choose("limits.max_cost_bps", kinds.bps),
        max_run_value=choose("limits.max_run_value", kinds.decimal),
        max_day_value=choose("limits.max_day_value", kinds.decimal),
        max_month_cost=choose("limits.max_month_cost", kinds.decimal),
        max_in_flight=choose("limits.max_in_flight", kinds.decimal),
        max_fee_per_tx=choose("limits.max_fee_per_tx", kinds.decimal),
        min_trade=choose("limits.min_trade", kinds.decimal),
        max_price_spread_bps=choose("limits.max_price_spread_bps", kinds.bps),
    )


def _across(choose: Choices) -> AcrossWish:
    bps = choose("bridges.across.relayer_fee_bps", kinds.unless_absent(kinds.bps))
    fixed = choose("bridges.across.relayer_fee_fixed", kinds.unless_absent(kinds.decimal))
    said = bps is not None or fixed is not None
    return AcrossWish(
        ask_api=choose("bridges.across.api", kinds.one_of({"on": True, "off": False})),
        fee=RelayerFee(bps=bps or Bps(0), fixed=fixed or Decimal(0)) if said else None,
    )


def _chains(value: Value, world: World) -> tuple[ChainFacts, ...]:
    known = {facts.caip2: facts for facts in world.chains.values()}
    found: list[ChainFacts] = []
    for item in value.items():
        name = kinds.text(item)
        if name not in known:
            kinds.chain(item)
            which = "the overlay of local chains" if world.local else "chains.toml"
            raise item.wrong(f"{which} has no {name}; it has {', '.join(known)}")
        if known[name] in found:
            raise item.wrong(f"{name} is named twice")
        found.append(known[name])
    if not found:
        raise value.wrong("names no chain")
    return tuple(found)


def _assets(root: Value, chains: tuple[ChainFacts, ...], choose: Choices) -> dict[str, Asset]:
    tables = root.get("assets")
    rows = {} if tables is None else tables.table()
    for row in rows.values():
        for listed in row.table().values():
            choose.note(listed)
    return overridden(known_assets(chains), rows, chains)


def _targeted(
    root: Value, assets: Mapping[str, Asset], targets: Mapping[str, Target]
) -> tuple[Asset, ...]:
    tables = root.get("assets")
    for name, row in ({} if tables is None else tables.table()).items():
        if name not in targets:
            raise row.wrong(f'{name} has no target; to sell all of it, give it the weight "0"')
    return tuple(assets[name] for name in targets)


def _by_chain(
    table: Value | None, names: Mapping[str, ChainId], choose: Choices
) -> Mapping[ChainId, Range]:
    ranges = {}
    for name, (row, span) in read_ranges(table, choose).items():
        if name not in names:
            raise row.wrong(f"{name} is not one of wallet.chains")
        ranges[names[name]] = span
    refuse_impossible(table, [ranges.get(chain, Range()) for chain in names.values()])
    return MappingProxyType(ranges)


def _by_asset_on_chain(
    root: Value, names: Mapping[str, ChainId], targets: Mapping[str, Target], choose: Choices
) -> Mapping[tuple[str, ChainId], Range]:
    ranges = {}
    for name, (row, span) in read_ranges(root.get("targets_by_asset_on_chain"), choose).items():
        asset, _, chain = name.partition("@")
        if asset not in targets:
            raise row.wrong(f"{asset} has no target")
        if chain not in names:
            raise row.wrong(f"{chain} is not one of wallet.chains")
        ranges[asset, names[chain]] = span
    return MappingProxyType(ranges)


def _gas_reserve(
    root: Value, chains: tuple[ChainFacts, ...], choose: Choices
) -> Mapping[ChainId, int]:
    native = {facts.caip2: facts.native for facts in chains}
    reserve = {facts.chain: raw_down(facts.gas_reserve, facts.native) for facts in chains}
    for name, value in _below(root, "gas", "reserve").items():
        if name not in native:
            raise value.wrong(f"{name} is not one of wallet.chains")
        coin = native[name]
        raw = Fraction(kinds.decimal(choose.note(value))) * coin.unit
        if raw.denominator != 1:
            raise value.wrong(f"{coin.symbol} has only {coin.decimals} decimals")
        reserve[coin.chain] = raw.numerator
    return MappingProxyType(reserve)


def _keep(root: Value, targets: Mapping[str, Target], choose: Choices) -> Mapping[str, Decimal]:
    keep = {}
    for name, value in _below(root, "flows", "keep").items():
        if name not in targets:
            raise value.wrong(f"{name} has no target, so all of it stays anyway")
        keep[name] = kinds.decimal(choose.note(value))
    return MappingProxyType(keep)


def _tracking(root: Value, targets: Mapping[str, Target], choose: Choices) -> Tracking:
    volatility = {}
    for name, value in _below(root, "tracking", "volatility").items():
        if name not in targets:
            raise value.wrong(f"{name} has no target to be away from")
        volatility[name] = _at_most(choose.note(value), 10)
    return Tracking(
        risk_aversion=choose("tracking.risk_aversion", partial(_at_most, most=100)),
        horizon_seconds=choose("tracking.horizon", kinds.unless_absent(kinds.duration_seconds)),
        volatility=MappingProxyType(volatility),
    )


def _at_most(value: Value, most: int) -> Decimal:
    number = kinds.decimal(value)
    if not number <= most:
        raise value.wrong(f"{kinds.plain(number)} is not between 0 and {most}")
    return number


def _below(root: Value, table: str, key: str) -> Mapping[str, Value]:
    around = root.get(table)
    found = None if around is None else around.get(key)
    return {} if found is None else found.table()


def _pegs(world: World) -> Mapping[str, Decimal]:
    """What assets stand for in the unit of account, which is the US dollar for every portfolio."""
    return {asset: Decimal(1) for asset, to in world.pegs.items() if to == "USD"}


def _deposits(value: Value, *, cash: Mapping[str, Decimal]) -> Deposits:
    # It would be ignored, which is worse than not being there.
    if kinds.text(value) == "ignore":
        raise value.wrong(
            '"ignore" is not available; `flows.keep` leaves an amount of an asset alone'
        )
    found = kinds.one_of(_DEPOSITS)(value)
    if found == "buy-only" and not cash:
        raise value.wrong("no asset of the targets is pegged to the unit of account: buy with what")
    return found


def _price_age(value: Value) -> int | None:
    if value.raw == "heartbeat":
        return None
    return kinds.duration_seconds(value)


def _checksum_warnings(value: Value) -> tuple[str, ...]:
    right = checksum(kinds.address(value))
    if value.raw == right:
        return ()
    return (f"{value.place}: {value.name} has no checksum, so a typo would pass: write {right}",)


def _hashed(settings: Settings) -> Policy:
    beyond = {
        "across": settings.across,
        "base": settings.base,
        "bridges": settings.bridges,
        "canary_value": settings.canary_value,
        "confirm": settings.confirm,
        "env_key_max_value": settings.env_key_max_value,
        "max_price_age_seconds": settings.max_price_age_seconds,
        "venues": settings.venues,
    }
    return replace(settings.policy, hash=policy_hash(settings.policy, beyond))
