"""Forks of Uniswap V2 as venues: made from chains.toml, and planned with where they are cheaper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from compose.conftest import PlainSettings
from fork_rig import ROUTER, put_sushi
from three_chains import FUNDS, PASSWORD, new_key, settings_of, write_files

from agent.compose import Account, open_account
from agent.compose.adapters import KeyAccess, make_venues, venue_names
from agent.compose.forks import FORKS
from agent.compose.providers import provider_names
from agent.core.money import Address, ChainId
from agent.core.plan import Plan
from agent.core.state import State
from agent.engine.survey import look, make_plan, survey
from agent.lab.worlds import Worlds
from agent.ports import AdapterIo
from agent.settings import load_chains_only
from agent.settings.portfolio import VENUES
from agent.sim.clock import PaperClock
from agent.venues import v2_fork

IO = AdapterIo({}, PaperClock(1_800_000_000))
WORLD = load_chains_only(environ={})

WETH, USDC = (
    "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
)
WETH_8453, USDC_8453 = "4200" + "0" * 35 + "6", "833589fcd6edb6e08f4c7c32d4f71b54bda02913"
KNOWN_PAIRS = [
    # Pairs that others name: Etherscan's SushiSwap: USDC-WETH; PancakeSwap's farms and its WBNB-BUSD
    # pair; V2_MATIC_USDT_PAIR of QuickSwap/interface-v2; the others in several bots' lists. Those of
    # SushiSwap on Arbitrum, Polygon and Gnosis are of one factory's address, as on other chains.
    ("sushiswap_v2", 1, WETH, USDC, "397ff1542f962076d0bfe58ea045ffa2d347aca0"),
    ("sushiswap_v2", 8453, WETH_8453, USDC_8453, "2f8818d1b0f3e3e295440c1c0cddf40aaa21fa87"),
    ("pancakeswap_v2", 1, WETH, USDC, "2e8135be71230c6b1b4045696d41c09db0414226"),
    ("pancakeswap_v2", 8453, WETH_8453, USDC_8453, "79474223aedd0339780bacce75abda0be84dcbf9"),
    (
        *("pancakeswap_v2", 42161, "82af49447d8a07e3bd95bd0d56f35241523fbab1"),
        *("af88d065e77c8cc2239327c5edb3a432268e5831", "a59bd260f9707ea44551c510f714ccd482ec75d8"),
    ),
    (
        *("pancakeswap_v2", 56, "bb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c"),
        *("e9e7cea3dedca5984780bafc599bd69add087d56", "58f876857a02d6762e0101bb5c46a8c1ed44dc16"),
    ),
    (
        *("sushiswap_v2", 42161, "82af49447d8a07e3bd95bd0d56f35241523fbab1"),
        *("ff970a61a04b1ca14834a43f5de4533ebddb5cc8", "905dfcd5649217c42684f23958568e533c711aa3"),
    ),
    (
        *("sushiswap_v2", 137, "2791bca1f2de4661ed88a30c99a7a9449aa84174"),
        *("7ceb23fd6bc0add59e62ac25578270cff1b9f619", "34965ba0ac2451a34a0471f04cca3f990b8dea27"),
    ),
    (
        *("sushiswap_v2", 100, "6a023ccd1ff6f2045c3309768ead9e68f978f6e1"),
        *("e91d153e0b41518a2ce8dd3d7944fa863463a97d", "8c0c36c85192204c8d782f763ff5a30f5ba0192f"),
    ),
    (
        *("quickswap_v2", 137, "0d500b1d8e8ef31e21c99d1db9a6444d3adf1270"),
        *("c2132d05d31c914a87c6611c10748aeb04b58e8f", "604229c960e5cacf2aaeac8be68ac07ba9df81c3"),
    ),
    (
        *("traderjoe_v1", 43114, "b31f66aa3c1e785363f0875a1b74e27b85fd66c7"),
        *("b97ef9ef8734c71904d8002f8b6bc66dd9c48a6e", "f4003f4efbe8691b60249e6afbd307abe7758adb"),
    ),
]


def fork_on(plain: PlainSettings, name: str, chain: int) -> v2_fork.ChainOptions:
    """What the fork's adapter is told of a chain."""
    settings = plain()
    world = replace(settings.world, chains={ChainId(chain): WORLD.chains[ChainId(chain)]})
    policy = replace(settings.policy, chains=(ChainId(chain),))
    venue = make_venues(replace(settings, venues=(name,), world=world, policy=policy), IO)[name]
    assert isinstance(venue, v2_fork.V2Fork)
    return venue._options.chains[ChainId(chain)]


@pytest.mark.parametrize(("name", "chain", "one", "other", "address"), KNOWN_PAIRS)
def test_well_known_pairs_are_where_the_facts_put_them(
    plain: PlainSettings, name: str, chain: int, one: str, other: str, address: str
) -> None:
    options = fork_on(plain, name, chain)
    (place,) = options.places([Address("0x" + one), Address("0x" + other)]).values()
    assert "0x" + address == place.address


def test_pancakeswap_keeps_a_quarter_of_a_percent_and_the_others_three_tenths(
    plain: PlainSettings,
) -> None:
    for chain, facts in WORLD.chains.items():
        for name in FORKS.keys() & facts.providers.keys():
            kept = (9975, 10_000) if name == "pancakeswap_v2" else (997, 1000)
            options = fork_on(plain, name, chain)
            places = options.places(options.hubs).values()
            assert {kept} == {(each.kept_numerator, each.kept_denominator) for each in places}


def test_paths_lead_through_the_router_s_hubs_or_where_it_is_not_through_every_asset(
    plain: PlainSettings,
) -> None:
    uniswap = WORLD.chains[ChainId(1)].uniswap
    assert uniswap is not None
    hubs = tuple(token.address for token in uniswap.hub_tokens)
    assert hubs == fork_on(plain, "sushiswap_v2", 1).hubs
    gnosis = WORLD.chains[ChainId(100)]
    assert gnosis.uniswap is None
    assert gnosis.wrapped.address in fork_on(plain, "sushiswap_v2", 100).hubs


def test_forks_are_venues_that_a_portfolio_may_name_and_every_one_is_on_some_chain() -> None:
    assert {"router", *FORKS, *provider_names("venues")} == set(venue_names()) == set(VENUES)
    served = {name for facts in WORLD.chains.values() for name in facts.providers}
    assert FORKS.keys() <= served


def test_fork_that_is_on_none_of_the_wallet_s_chains_is_off(plain: PlainSettings) -> None:
    made = make_venues(replace(plain(), venues=("quickswap_v2", "sushiswap_v2")), IO)
    assert ["wrap", "sushiswap_v2"] == list(made)


def test_fork_spends_by_its_own_router_alone_whose_code_may_be_pinned(
    plain: PlainSettings,
) -> None:
    settings = replace(plain(), venues=("sushiswap_v2",))
    assert {ROUTER: ""} == dict(make_venues(settings, IO)["sushiswap_v2"].targets(ChainId(1)))
    facts = replace(settings.chains[ChainId(1)], code_hashes={ROUTER: "0xc0de"})
    pinned = replace(settings, world=replace(settings.world, chains={ChainId(1): facts}))
    assert {ROUTER: "0xc0de"} == dict(make_venues(pinned, IO)["sushiswap_v2"].targets(ChainId(1)))


@contextmanager
def opened(chains: Worlds, home: Path, *venues: str) -> Iterator[Account]:
    """A wallet far off its targets that may use *venues*."""
    address = new_key(home)
    chains.fund(address, FUNDS)
    write_files(chains, home, address, "watch", max_head_age_seconds=3600)
    portfolio = home / "portfolio.toml"
    allowed = json.dumps(venues)
    portfolio.write_text(portfolio.read_text().replace('allow = ["router"]', f"allow = {allowed}"))
    account = open_account(settings_of(home), KeyAccess(ask=lambda: PASSWORD))
    try:
        yield account
    finally:
        account.close()


@pytest.mark.parametrize(("bps", "chosen"), [(-40, True), (0, False)])
def test_plan_uses_the_fork_where_it_pays_more_than_uniswap_does(
    chains: Worlds, tmp_path: Path, lab_cache: Path, bps: int, chosen: bool
) -> None:
    pairs = (("WETH", "USDC", 200_000_000), ("WETH", "WBTC", 200_000_000))
    put_sushi(chains[1], lab_cache, pairs, bps)
    with opened(chains, tmp_path, "router", "sushiswap_v2") as account:
        found = make_plan(account.io, look(account.io, State(), asked=True))
        assert isinstance(found, Plan)
        swaps = {leg.via for leg in found.legs if leg.kind == "swap" and leg.sell.token.chain == 1}
        assert swaps
        assert chosen == ("sushiswap_v2" in swaps)


def test_one_survey_has_the_edges_of_router_and_fork_and_the_fork_costs_one_request_more(
    chains: Worlds, tmp_path: Path, lab_cache: Path
) -> None:
    put_sushi(chains[1], lab_cache)
    asked = {}
    for venues in (("router",), ("router", "sushiswap_v2")):
        home = tmp_path / str(len(venues))
        home.mkdir()
        with opened(chains, home, *venues) as account:
            here = account.settings.chains[ChainId(1)]
            tokens = {token.symbol: token for token in here.tokens}
            weth, usdc, wbtc = tokens["WETH"], tokens["USDC"], tokens["WBTC"]
            pairs, sizes = ((weth, usdc), (weth, wbtc)), {weth: 10**18}
            counts = []
            for _ in range(2):
                chains[1].mine()
                before = account.nodes[ChainId(1)].requests
                edges = survey(account.io, pairs, sizes)
                counts.append(account.nodes[ChainId(1)].requests - before)
            asked[venues] = counts[1]
            assert set(venues) == {edge.via for edge in edges}
    assert asked == {("router",): 2, ("router", "sushiswap_v2"): 3}
