"""Bridges made from settings: pools of chains.toml, one token per asset, and whose fee counts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from compose.conftest import PlainSettings
from portfolios import prices

from agent.bridges.across import Across, OwnFee
from agent.compose.bridges import make_bridges
from agent.core.money import Bps, ChainId, Token
from agent.core.price import Prices
from agent.ports import AdapterIo
from agent.settings import Settings
from agent.settings.model import RelayerFee
from agent.sim.clock import PaperClock

IO = AdapterIo({}, PaperClock(1_800_000_000))
THREE = "eip155:1,eip155:8453,eip155:42161"
ONE, BASE = ChainId(1), ChainId(8453)


def unpriced() -> Prices:
    return Prices({})


@pytest.fixture
def settings(plain: PlainSettings) -> Settings:
    return replace(plain(flags={"wallet.chains": THREE}), bridges=("across", "cctp"))


def made(settings: Settings, **changed: object) -> Across:
    found = make_bridges(settings, IO, **{"prices": unpriced, **changed})["across"]  # type: ignore[arg-type]
    assert isinstance(found, Across)
    return found


def test_bridges_are_the_allowed_ones_that_this_version_has(settings: Settings) -> None:
    assert ["across", "cctp"] == list(make_bridges(settings, IO, unpriced))
    assert {} == make_bridges(replace(settings, bridges=()), IO, unpriced)


def test_pools_are_those_of_chains_toml(settings: Settings) -> None:
    bridge = made(settings)
    for chain, facts in settings.chains.items():
        assert facts.across is not None
        assert {facts.across.spoke_pool} == set(bridge.targets(chain))
    assert {} == bridge.targets(ChainId(10))


def test_chain_without_a_pool_is_left_out(settings: Settings) -> None:
    bare = replace(settings.world.chains[ONE], across=None)
    world = replace(settings.world, chains={**settings.world.chains, ONE: bare})
    assert {} == made(replace(settings, world=world)).targets(ONE)


def test_each_asset_crosses_by_one_token(settings: Settings) -> None:
    chains = made(settings).options.chains
    assert {"ETH", "WBTC", "USDC", "USDT", "DAI"} == set(chains[BASE].tokens)
    assert chains[BASE].tokens["ETH"] == settings.chains[BASE].wrapped
    assert "USDC" == chains[BASE].tokens["USDC"].symbol


def test_asset_of_several_nameless_forms_does_not_cross(settings: Settings) -> None:
    facts = settings.world.chains[ONE]
    usdc = next(row for row in facts.listings if row.token.symbol == "USDC")
    forms = tuple(
        replace(usdc, token=replace(usdc.token, symbol=symbol)) for symbol in ("USDC.e", "axlUSDC")
    )
    rest = tuple(row for row in facts.listings if row != usdc)
    world = settings.world
    for listed, crosses in ((forms, False), (forms[:1], True)):
        changed = {**world.chains, ONE: replace(facts, listings=(*rest, *listed))}
        bridge = made(replace(settings, world=replace(world, chains=changed)))
        assert crosses is ("USDC" in bridge.options.chains[ONE].tokens)


def test_confirmations_are_the_chain_s_and_one_on_forks(settings: Settings) -> None:
    facts = settings.chains[ONE]
    assert facts.confirmations == made(settings).options.chains[ONE].confirmations
    assert 1 == made(settings, on_forks=True).options.chains[ONE].confirmations


@pytest.mark.parametrize("asked", [True, False])
def test_fee_server_is_asked_unless_it_is_switched_off(settings: Settings, asked: bool) -> None:
    wish = replace(settings.across, ask_api=asked)
    api = made(replace(settings, across=wish)).options.api
    assert api == (settings.world.across_api if asked else None)
    assert made(settings).options.fee is None


def test_own_fee_in_money_is_told_in_the_token_s_base_units(settings: Settings) -> None:
    own = RelayerFee(bps=Bps(8), fixed=Decimal("0.50"))
    wished = replace(settings, across=replace(settings.across, fee=own))
    usdc, weth = (Token(ONE, *rest) for rest in (("0x01", 6, "USDC"), ("0x02", 18, "WETH")))
    known = replace(prices(), asset_of={usdc: "USDC", weth: "ETH"})
    fee = made(wished, prices=lambda: known).options.fee
    assert isinstance(fee, OwnFee)
    assert (8, 500_000, 166_666_666_666_667) == (fee.bps, fee.fixed(usdc), fee.fixed(weth))
    without = made(wished).options.fee
    assert isinstance(without, OwnFee)
    assert without.fixed(usdc) is None


def test_key_of_across_is_its_variable_s(plain: PlainSettings) -> None:
    kept = plain(flags={"wallet.chains": THREE}, environ={"ACROSS_API_KEY": "canary-5e12e7"})
    bare = plain(flags={"wallet.chains": THREE})
    keys = [made(replace(each, bridges=("across",))).options.key() for each in (kept, bare)]
    assert ["canary-5e12e7", ""] == keys
