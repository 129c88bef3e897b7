"""The places of the local world are what chains.toml says of the real chains."""

import pytest

from agent.lab.places import FEED_DECIMALS, MARKETS, MULTICALL3, PLACES, Place
from agent.lab.pools import SEEDS, SPACING
from agent.settings import load_chains_only
from agent.settings.chain_facts import ChainFacts

FACTS = {int(chain): facts for chain, facts in load_chains_only(environ={}).chains.items()}
CHAINS = sorted(set(PLACES) & set(FACTS))


@pytest.fixture(params=CHAINS, ids=lambda chain: PLACES[chain].name)
def both(request: pytest.FixtureRequest) -> tuple[Place, ChainFacts]:
    return PLACES[request.param], FACTS[request.param]


def test_every_place_is_in_chains_toml() -> None:
    assert sorted(PLACES) == CHAINS


def test_tokens_are_where_chains_toml_says(both: tuple[Place, ChainFacts]) -> None:
    place, facts = both
    ours = {
        **{symbol: (token.address, token.decimals) for symbol, token in place.tokens.items()},
        "wstETH": (place.wsteth, 18),
    }
    theirs = {token.symbol: (token.address, token.decimals) for token in facts.tokens}
    shared = set(ours) & set(theirs)
    assert set(ours) == shared
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


def test_contracts_are_where_chains_toml_says(both: tuple[Place, ChainFacts]) -> None:
    place, facts = both
    there, uniswap = place.exchanges, facts.uniswap
    assert uniswap is not None
    assert (place.name, MULTICALL3) == (facts.name, facts.multicall3)
    assert place.weth == facts.wrapped.address
    assert (there.v2_factory, there.v3_factory) == (uniswap.v2_factory, uniswap.v3_factory)
    assert (there.swap_router02, there.quoter_v2) == (uniswap.swap_router_02, uniswap.quoter_v2)
    assert SPACING == dict(uniswap.v3_fee_tiers)


def test_feeds_are_where_chains_toml_says(both: tuple[Place, ChainFacts]) -> None:
    place, facts = both
    ours = {feed.description: feed.address for feed in place.feeds.values()}
    theirs = {feed.description: feed.address for feed in facts.feeds.values()}
    shared = set(ours) & set(theirs)
    assert set(ours) == shared
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}
    assert {FEED_DECIMALS} == {feed.decimals for feed in facts.feeds.values()}


def test_bridge_and_sequencer_are_where_chains_toml_says(both: tuple[Place, ChainFacts]) -> None:
    place, facts = both
    assert facts.across is not None
    assert place.spoke_pool == facts.across.spoke_pool
    assert place.sequencer == (facts.sequencer.feed if facts.sequencer else None)


def test_every_pool_is_of_a_chains_own_tokens_and_each_asset_has_one() -> None:
    assert set(PLACES) == set(SEEDS)
    for chain, seeds in SEEDS.items():
        assert all(seed.place is PLACES[chain] for seed in seeds)
        tokens = PLACES[chain].tokens
        assert set(tokens) == {symbol for seed in seeds for symbol in seed.pair}
        traded = {tokens[symbol].asset for seed in seeds for symbol in seed.pair}
        assert set(MARKETS) - {"STETH"} == traded


def test_only_rollups_have_a_sequencer_feed() -> None:
    assert {"ethereum": False, "op_stack": True, "arbitrum": True} == {
        place.kind: place.sequencer is not None for place in PLACES.values()
    }
