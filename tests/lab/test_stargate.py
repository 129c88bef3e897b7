"""Stargate on the local chains: pools that owe what they have, and who delivers on orders."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from stargate_rigs import FACTS, FAR, NEAR, OTHER, WALLET, Passing, open_passing

from agent import resources
from agent.errors import Rejected, SetupFailed
from agent.lab.providers._stargate_places import STARGATE_PLACES
from agent.lab.providers.stargate import CREDIT, DEPTH, FEE_MILLIONTHS
from agent.lab.worlds import Worlds
from agent.wire.http import HttpClient

RAW = 4_150 * 10**6
CHAINS = (NEAR, FAR, OTHER)


@pytest.fixture
def passing(chains: Worlds) -> Iterator[Passing]:
    with open_passing(chains) as opened:
        yield opened


def sent(passing: Passing) -> int:
    passing.worlds[NEAR].fund(WALLET, {"USDC": RAW})
    leg = passing.leg("USDC", RAW)
    passing.deposit(leg)
    return passing.held(FAR, "USDC")


def test_addresses_are_those_of_chains_toml(passing: Passing) -> None:
    known = tomllib.loads(resources.text("chains.toml"))["chains"]
    for chain in CHAINS:
        told = known[f"eip155:{chain}"]["providers"]["stargate"]
        here, place = FACTS[chain], STARGATE_PLACES[chain]
        for name in ("endpoint", "messaging"):
            assert here[name] == told[name].lower()
        pools = {name: address.lower() for name, address in told["pools"].items()}
        assert (here["eid"], here["pools"]) == (told["eid"], pools)
        assert {here["eid"]} == {place.eid}
        assert set(pools.values()) == {pool.address for pool in place.pools.values()}
        for address in (here["endpoint"], here["messaging"], *pools.values()):
            assert passing.worlds[chain].code_hashes[address]


@pytest.mark.parametrize("asset", ["USDC", "ETH"])
def test_pools_have_what_all_chains_may_pay_out_of_them(passing: Passing, asset: str) -> None:
    name = "native" if asset == "ETH" else asset
    for chain in CHAINS:
        pool = FACTS[chain]["pools"][name]
        token = passing.worlds[chain].place.tokens["WETH" if asset == "ETH" else asset]
        whole = 10 ** (token.decimals - 6)
        eid = FACTS[chain]["eid"]
        asked = {other: FACTS[other]["pools"][name] for other in CHAINS}
        owed = {
            other: passing.puppet(other).read(theirs, "paths(uint32)", "(uint64)", eid)[0] * whole
            for other, theirs in asked.items()
        }
        (balance,) = passing.puppet(chain).read(pool, "poolBalance()", "(uint256)")
        assert token.raw(DEPTH) == balance == sum(owed.values()) == passing.held(chain, asset, pool)
        assert {token.raw(CREDIT)} == {raw for other, raw in owed.items() if other != chain}


def test_desk_has_no_server(passing: Passing) -> None:
    with pytest.raises(Rejected):
        HttpClient(retries=0).get(f"{passing.worlds.provider_apis['stargate']}/quote", {})


def test_order_that_is_none_is_refused(passing: Passing) -> None:
    for order in (("mode", "sometimes"), ("vanish",), ("pause", 5, "USDC")):
        with pytest.raises(SetupFailed):
            passing.tell(*order)


def test_chain_that_is_halted_gets_no_messages(passing: Passing) -> None:
    before = sent(passing)
    passing.worlds.halt(FAR)
    passing.worlds.jump(3)
    passing.worlds.turn()
    assert before == passing.held(FAR, "USDC")
    passing.worlds.go_on(FAR)
    passing.worlds.turn()
    assert before < passing.held(FAR, "USDC")


def test_message_that_cannot_be_executed_now_is_tried_again(passing: Passing) -> None:
    before = sent(passing)
    passing.tell("pause", FAR, "USDC")
    passing.deliver()
    assert before == passing.held(FAR, "USDC")
    passing.tell("go_on", FAR, "USDC")
    passing.deliver()
    assert before + RAW - RAW * FEE_MILLIONTHS // 10**6 - 1 == passing.held(FAR, "USDC")
    passing.deliver()
    assert before + RAW - RAW * FEE_MILLIONTHS // 10**6 - 1 == passing.held(FAR, "USDC")
