"""Which ways between chains, and which trades at their ends, a survey looks for."""

from __future__ import annotations

from dataclasses import replace

from paper_world import (
    ETH_A,
    ETH_B,
    ETHER,
    USDC_A,
    USDC_B,
    WBTC_B,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    policy,
    prices,
)

from agent.core.money import NATIVE, ChainId, Token
from agent.core.snapshot import Snapshot
from agent.core.value import value
from agent.planning.crossing import crossing_needed

WRAPPED = {A: WETH_A, B: WETH_B}


def seen(world: World | None = None, **changes: object) -> Snapshot:
    return replace((world or World()).snapshot(), **changes)


def needed(snapshot: Snapshot, **limits: object):
    wish = policy(**limits)
    return crossing_needed(value(snapshot, prices(), wish), wish, prices=prices(), wrapped=WRAPPED)


def test_what_is_held_may_leave_and_gas_coins_arrive_as_themselves() -> None:
    routes = {pair for pair in needed(seen()).pairs if pair[0].chain != pair[1].chain}
    assert routes == {
        (ETH_A, ETH_B),
        (WETH_A, ETH_B),
        (ETH_B, ETH_A),
        (WETH_B, ETH_A),
        (USDC_A, USDC_B),
        (USDC_B, USDC_A),
    }


def test_a_gas_coin_that_is_not_held_leaves_only_as_what_a_trade_brings() -> None:
    world = World()
    for node in world.chains.values():
        node.ledger.balances[NATIVE, world.io().account] = 0
    routes = {pair for pair in needed(seen(world)).pairs if pair[1].is_native}
    assert routes == {(WETH_A, ETH_B), (WETH_B, ETH_A)}


def test_what_there_is_too_much_of_is_sold_on_every_chain() -> None:
    trades = {pair for pair in needed(seen()).pairs if pair[0].chain == pair[1].chain}
    assert trades == {(WETH_A, USDC_A), (WETH_B, USDC_B), (WETH_B, WBTC_B)}


def test_sizes_go_up_to_what_a_run_may_move() -> None:
    found = needed(seen(), max_run_value=6000)
    assert 2 * ETHER == found.sizes[ETH_A] == found.sizes[WETH_B]
    assert 6000 * 10**6 == found.sizes[USDC_B]


def test_one_chain_alone_and_an_unknown_whole_need_no_crossing() -> None:
    snapshot = seen()
    alone = replace(policy(), chains=(A,))
    whole = value(snapshot, prices(), alone)
    assert () == crossing_needed(whole, alone, prices=prices(), wrapped=WRAPPED).pairs
    blind = replace(whole, value=None)
    assert () == crossing_needed(blind, policy(), prices=prices(), wrapped=WRAPPED).pairs


def test_a_token_without_a_price_is_left_out() -> None:
    known = prices()
    silent = replace(
        known, by_asset={name: p for name, p in known.by_asset.items() if name != "USDC"}
    )
    wish = policy()
    whole = value(seen(), known, wish)
    found = crossing_needed(whole, wish, prices=silent, wrapped=WRAPPED)
    tokens: set[Token] = {token for pair in found.pairs for token in pair}
    assert {USDC_A, USDC_B}.isdisjoint(tokens)
    assert {ChainId(1), ChainId(8453)} == {token.chain for token in tokens}
