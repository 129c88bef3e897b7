"""Planning over real local chains and providers' servers: what is measured counts, what is said not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from provider_runs import KEYS, WorldsClock
from three_chains import ETHER, PASSWORD, new_key, settings_of, write_files

from agent.compose import Account, open_account
from agent.compose.adapters import KeyAccess
from agent.core import fact as f
from agent.core.money import Address, ChainId
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine.loop import session
from agent.engine.survey import look, make_plan
from agent.lab.providers._mischief import FORGERIES
from agent.lab.worlds import Worlds
from agent.settings import Settings
from agent.stores.memory import MemoryJournal

MAINNET = ChainId(1)
FUNDS = {"ETH": 12 * ETHER, "WETH": 8 * ETHER, "USDC": 20_000 * 10**6, "WBTC": 15_000_000}


@pytest.fixture
def home(chains: Worlds, tmp_path: Path) -> Path:
    """Files of a wallet with money on the first of three chains."""
    address = new_key(tmp_path)
    chains.fund(address, {1: FUNDS})
    write_files(chains, tmp_path, address, "keystore:demo", confirmations=2)
    return tmp_path


def blind(settings: Settings, tiers: tuple[tuple[int, int], ...]) -> Settings:
    """The same where the router knows only pools of these fees."""
    facts = settings.chains[MAINNET]
    assert facts.uniswap is not None
    narrow = replace(
        facts.uniswap, v3_fee_tiers=tiers, v2_factory=Address("0x" + "0b" * 20), hub_tokens=()
    )
    world = {**settings.chains, MAINNET: replace(facts, uniswap=narrow)}
    return replace(settings, world=replace(settings.world, chains=world))


@contextmanager
def opened(
    home: Path, chains: Worlds, *venues: str, tiers: Any = ((3000, 60),)
) -> Iterator[tuple[Account, list[f.Fact]]]:
    """The wallet with these venues beside the router, which does not know the best pools."""
    known = settings_of(home, **KEYS)
    one = replace(known.policy, chains=(MAINNET,), by_chain={})
    settings = blind(replace(known, venues=("router", *venues), policy=one), tiers)
    heard: list[f.Fact] = []
    account = open_account(
        settings,
        KeyAccess(ask=lambda: PASSWORD),
        observe=heard.append,
        journal=MemoryJournal(),
        clock=WorldsClock(chains),
    )
    with closing(account):
        yield account, heard


def planned(account: Account) -> Plan:
    made = make_plan(account.io, look(account.io, State(), asked=True))
    assert isinstance(made, Plan), made
    return made


def routed(home: Path, chains: Worlds) -> Plan:
    """The plan of the router alone."""
    with opened(home, chains) as (account, _):
        return planned(account)


def legs_of(made: Plan) -> list[tuple[str, str, int, int]]:
    return [(leg.via, leg.buy.symbol, leg.planned_sell.raw, leg.expected_out) for leg in made.legs]


def test_who_knows_better_pools_makes_the_plan_cheaper_and_brings_what_was_planned(
    home: Path, chains: Worlds
) -> None:
    plain = routed(home, chains)
    with opened(home, chains, "velora", "lifi") as (account, heard):
        made = planned(account)
        assert made.cost < plain.cost * Decimal("0.7")
        assert made.bound is not None
        assert made.bound <= made.cost <= made.bound * Decimal("1.001")
        assert {"velora"} == {leg.via for leg in made.legs} == {e.measured for e in made.asked}
        for each in made.asked:
            assert each.sentence(taken=made.takes(each)).endswith("better than router, taken")
            better = {rival.via: each.better_bps(rival) for rival in each.rivals}
            assert better["velora"] > 0 > better["lifi"]  # type: ignore[operator]
        account.io.signer.unlock()
        with session("test", account.io) as held:
            held.start("r1", made, look(account.io, State()).snapshot)
            ended = held.advance(600)
        assert "done" == ended.outcome
        came = {
            delta.token: delta.raw
            for fact in heard
            if isinstance(fact, f.Settled)
            for delta in fact.deltas
        }
        for leg in made.legs:
            assert came[leg.buy] >= leg.expected_out


@pytest.mark.parametrize("way", sorted(FORGERIES))
def test_a_lie_about_better_pools_changes_nothing(home: Path, chains: Worlds, way: str) -> None:
    plain = routed(home, chains)
    with opened(home, chains, "velora") as (account, _):
        chains.tell("velora", "forge", way, 99)
        try:
            made = planned(account)
        finally:
            left = chains.tell("velora", "forge", way, 0)
    assert {"forgeries_left": 0, "failures_left": 0} == left
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    assert {""} == {each.measured for each in made.asked}


def test_who_is_worse_changes_nothing(home: Path, chains: Worlds) -> None:
    plain = routed(home, chains)
    with opened(home, chains, "lifi") as (account, _):
        made = planned(account)
    assert (legs_of(plain), plain.cost, plain.bound) == (legs_of(made), made.cost, made.bound)
    assert all("worse than router" in each.sentence(taken=False) for each in made.asked)


def test_who_is_silent_is_told_of_and_planned_without(home: Path, chains: Worlds) -> None:
    plain = routed(home, chains)
    chains.tell("velora", "fail", "500", 99)
    try:
        with opened(home, chains, "velora") as (account, _):
            made = planned(account)
    finally:
        chains.tell("velora", "fail", "500", 0)
    assert (legs_of(plain), plain.cost) == (legs_of(made), made.cost)
    assert [1, 1] == [each.round for each in made.asked]
    assert all(each.sentence(taken=False).endswith(" did not answer") for each in made.asked)
