"""`chains check` asks the contracts of forks whether pairs are where the venue looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from fork_rig import NAME, put_sushi
from router_rig import lab_node

from agent.cli.checks_facts import provider_addresses
from agent.cli.checks_forks import forks
from agent.core.money import ChainId
from agent.lab import mainnet
from agent.lab.world import World
from agent.ports import Node
from agent.settings import ChainFacts, load_chains_only

FACTS = load_chains_only(environ={}).chains[ChainId(1)]
HERE = ("http://127.0.0.1:8545",)
ZERO_HASH = "0x" + "00" * 32


@pytest.fixture
def node(chain: World, lab_cache: Path) -> Iterator[Node]:
    put_sushi(chain, lab_cache)
    with lab_node(chain) as made:
        yield made


def with_facts(**changes: str) -> ChainFacts:
    """Ethereum with SushiSwap alone, some of its facts changed."""
    known = FACTS.providers[NAME]
    known = replace(known, facts=MappingProxyType({**known.facts, **changes}))
    return replace(FACTS, providers={NAME: known})


def told(facts: ChainFacts, node: Node) -> list[tuple[str, str, str]]:
    return [(each.level, each.about, each.what) for each in forks(facts, node)]


def test_sound_facts_are_confirmed_in_one_request(node: Node) -> None:
    assert [] == told(replace(FACTS, providers={}), node)
    list(forks(with_facts(), node))
    before = node.requests
    assert [
        ("ok", "Ethereum sushiswap_v2", "5 pairs of hubs are where its facts put them")
    ] == told(with_facts(), node)
    assert 1 == node.requests - before


def test_init_code_hash_that_leads_elsewhere_is_an_error(node: Node) -> None:
    ((level, _, what),) = told(with_facts(init_code_hash=ZERO_HASH), node)
    assert "error" == level
    assert what.startswith("a pair is at 0x")
    assert ", and its facts put it at 0x" in what


def test_router_of_another_factory_or_of_none_is_an_error(node: Node) -> None:
    factory = "0xC0AEe478e3658e2610c5F7A4A2E1777cE9e4f2Ac"
    other = "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"
    for router, its in (
        (mainnet.V2_ROUTER02, other),
        (mainnet.USDC, "nobody"),
        ("0x" + "0f" * 20, "nobody"),
    ):
        assert [
            (
                "error",
                "Ethereum sushiswap_v2",
                f"its router swaps in pairs of {its}, not of {factory}",
            )
        ] == told(with_facts(router=router), node)


def test_factory_without_any_pair_of_hubs_is_a_warning(chain: World, lab_cache: Path) -> None:
    put_sushi(chain, lab_cache, ())
    with lab_node(chain) as node:
        assert [("warning", "Ethereum sushiswap_v2", "its factory has no pair of hubs")] == told(
            with_facts(), node
        )


def test_local_chain_without_a_fork_is_not_checked_for_it(chain: World) -> None:
    local, about = replace(with_facts(), rpc=HERE), "Ethereum sushiswap_v2"
    with lab_node(chain) as node:
        assert [("ok", about, "not checked: this local chain has none")] == told(local, node)
        assert "error" == told(with_facts(), node)[0][0]
    assert {} == provider_addresses(local)
    assert provider_addresses(with_facts()).keys() >= {"0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f"}


def test_local_chain_with_a_fork_is_checked(node: Node) -> None:
    (found,) = told(replace(with_facts(), rpc=HERE), node)
    assert "ok" == found[0]
    assert "pairs of hubs" in found[2]
    ((level, *_),) = told(replace(with_facts(router=mainnet.V2_ROUTER02), rpc=HERE), node)
    assert "error" == level
