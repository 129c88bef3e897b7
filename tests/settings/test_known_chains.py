"""The eight chains that travel with the program: what is possible where, and what must agree."""

import pytest

from agent import resources
from agent.settings import ChainFacts, load_chains_only

CHAINS = {int(chain): facts for chain, facts in load_chains_only(environ={}).chains.items()}

every_chain = pytest.mark.parametrize("facts", CHAINS.values(), ids=lambda facts: facts.caip2)


def of_each(what):
    return {chain: what(facts) for chain, facts in CHAINS.items()}


def test_eight_chains_are_known_by_number_name_and_fee_model():
    assert {
        1: ("Ethereum", "eth", "eip1559"),
        8453: ("Base", "base", "op_stack"),
        42161: ("Arbitrum One", "arb1", "arbitrum"),
        10: ("OP Mainnet", "oeth", "op_stack"),
        56: ("BNB Smart Chain", "bnb", "eip1559"),
        100: ("Gnosis", "gno", "eip1559"),
        137: ("Polygon", "pol", "eip1559"),
        43114: ("Avalanche", "avax", "eip1559"),
    } == of_each(lambda facts: (facts.name, facts.short_name, facts.fee_model))


def test_gas_coins_are_assets_of_their_own_and_ether_is_one_asset():
    ether = ("ETH", "ETH", 60)
    assert {
        1: ether,
        8453: ether,
        42161: ether,
        10: ether,
        56: ("BNB", "BNB", 714),
        100: ("XDAI", "XDAI", 700),
        137: ("POL", "POL", 966),
        43114: ("AVAX", "AVAX", 9005),
    } == of_each(lambda facts: (facts.native.symbol, facts.listings[0].asset, facts.slip44))


def test_usdc_and_usdt_have_six_decimals_and_eighteen_on_bnb_chain():
    def decimals(facts: ChainFacts) -> set[int]:
        return {row.token.decimals for row in facts.listings if row.asset in ("USDC", "USDT")}

    assert {56: {18}} | {chain: {6} for chain in CHAINS if chain != 56} == of_each(decimals)


def test_usdc_is_listed_where_it_is_issued_and_on_bnb_chain():
    assert {100} == {chain for chain, facts in CHAINS.items() if facts.named("USDC") is None}


def test_feeds_are_those_that_two_sources_agree_on():
    assert {
        1: {"ETH", "WBTC", "USDC", "USDT", "DAI", "wstETH"},
        8453: {"ETH", "WBTC", "USDC", "USDT", "DAI"},
        42161: {"ETH", "WBTC", "USDC", "USDT", "DAI"},
        10: {"ETH", "WBTC", "USDC", "DAI"},
        56: {"BNB", "ETH", "USDC"},
        100: set(),
        137: {"POL", "ETH", "WBTC"},
        43114: {"AVAX", "USDC"},
    } == of_each(lambda facts: set(facts.feeds))


def test_rollups_and_only_they_have_a_sequencer():
    rollups = {chain for chain, facts in CHAINS.items() if facts.fee_model != "eip1559"}
    assert {10, 8453, 42161} == rollups
    assert rollups == {chain for chain, facts in CHAINS.items() if facts.sequencer is not None}


def test_uniswap_and_across_are_everywhere_but_on_gnosis():
    everywhere = set(CHAINS) - {100}
    assert everywhere == {chain for chain, facts in CHAINS.items() if facts.uniswap is not None}
    assert everywhere == {chain for chain, facts in CHAINS.items() if facts.across is not None}
    assert everywhere == {chain for chain, facts in CHAINS.items() if facts.uniswap_v4 is not None}


def test_cctp_knows_six_chains_by_numbers_of_its_own():
    known = {chain: facts.providers.get("cctp") for chain, facts in CHAINS.items()}
    domains = {chain: told.facts["domain"] for chain, told in known.items() if told is not None}
    assert {1: 0, 43114: 1, 10: 2, 42161: 3, 8453: 6, 137: 7} == domains


@every_chain
def test_wrapped_coin_is_a_form_of_the_gas_coin(facts: ChainFacts):
    wrapped = facts.listing(facts.wrapped)
    assert wrapped is not None
    assert (facts.listings[0].asset, "spend") == (wrapped.asset, wrapped.role)
    assert facts.native.decimals == facts.wrapped.decimals == 18


@every_chain
def test_hubs_are_tokens_to_be_traded_the_wrapped_coin_first(facts: ChainFacts):
    hubs = () if facts.uniswap is None else facts.uniswap.hub_tokens
    assert [] == [hub.symbol for hub in hubs if facts.listing(hub).role != "spend"]
    assert () == hubs or facts.wrapped == hubs[0]


@every_chain
def test_staked_ether_only_counts(facts: ChainFacts):
    counted = {row.token.symbol for row in facts.listings if row.role == "count"}
    assert counted <= {"wstETH"}


@every_chain
def test_nothing_stands_twice_at_one_address(facts: ChainFacts):
    addresses = [token.address for token in facts.tokens]
    addresses += [feed.address for feed in facts.feeds.values()]
    assert len(set(addresses)) == len(addresses)


def test_chains_are_told_apart_by_genesis_and_short_name():
    for what in ("genesis", "short_name", "name"):
        assert len({getattr(facts, what) for facts in CHAINS.values()}) == len(CHAINS)


@every_chain
def test_each_chain_is_reached_without_a_key_and_by_a_node_of_ones_own(facts: ChainFacts):
    assert len(facts.rpc) >= 2
    names = {8453: "BASE", 42161: "ARBITRUM", 10: "OPTIMISM", 56: "BNB", 1: "ETH"}
    names |= {100: "GNOSIS", 137: "POLYGON", 43114: "AVALANCHE"}
    environ = {f"{names[facts.chain]}_RPC_URL": "https://own.example/key"}
    own = load_chains_only(environ=environ).chains[facts.chain]
    assert ("https://own.example/key", *facts.rpc[1:]) == own.rpc


def test_nothing_claims_to_have_been_read_live():
    """Nobody has read these chains yet; `chains check` on a live node is what changes that."""
    assert 'checked = "live"' not in resources.text("chains.toml").split("schema = 1")[1]
