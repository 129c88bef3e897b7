"""What a leg did is told by its own transactions; whatever else happened stays unexplained."""

from __future__ import annotations

import pytest
from paper_world import ETH_A, ETHER, ME, USDC_A, WETH_A, World, address, leg, plan
from scenes import ONE_SWAP, facts, start, started

from agent.core import fact as f
from agent.core.plan import Sell

WRAP_AND_SWAP = plan(
    leg("1", "wrap", "wrap", Sell(ETH_A, 2 * ETHER), WETH_A, 2 * ETHER),
    leg("2", "swap", "venue", Sell(WETH_A, 0, ("1",), 2 * ETHER), USDC_A, 5900 * 10**6, ("1",)),
)


def settled(world: World) -> dict[str, dict[str, int]]:
    """The last measurement of each leg, by symbol."""
    return {
        fact.leg: {delta.token.symbol: delta.raw for delta in fact.deltas}
        for fact in facts(world, f.Settled)
    }


@pytest.mark.parametrize("token", [USDC_A, WETH_A], ids=["bought", "sold"])
def test_a_theft_in_the_very_block_of_a_swap_is_not_taken_for_part_of_it(token):
    world = World()
    node = world.chains[token.chain]
    original = node.mine

    def mine(count: int = 1) -> None:
        original(count)
        logs = node.blocks[-1].transfers.values()
        if any(move[0] == token.address for log in logs for move in log):
            node.ledger.move(token.address, ME, address(0xBAD), 10)

    node.mine = mine
    ended = start(world, ONE_SWAP)
    assert "needs_human" == ended.outcome
    assert f"10 base units of {token.symbol} on chain 1 left the wallet" in ended.why


def test_transactions_that_a_reorganisation_puts_into_one_block_are_told_apart():
    world = World(finality=30)
    node = world.chains[WETH_A.chain]
    with started(world, WRAP_AND_SWAP) as held:
        assert "done" == held.advance(600).outcome
        blocks = {fact.receipt.block_number for fact in facts(world, f.Mined)}
        del node.blocks[min(blocks) :]
        node._salt += 1
        node.automine = False
        for signed in facts(world, f.Signed):
            node.send(signed.payload.raw)
        node.mine(3)
        ended = held.advance(600)
    (block,) = {fact.receipt.block_number for fact in facts(world, f.Mined)[-3:]}
    assert ("done", min(blocks)) == (ended.outcome, block)
    assert {
        "1": {"ETH": -2 * ETHER, "WETH": 2 * ETHER},
        "2": {"WETH": -2 * ETHER, "USDC": 5980 * 10**6},
    } == settled(world)
    assert [] == facts(world, f.ForeignInflow)


def test_a_deposit_beside_a_wrap_is_not_taken_for_its_output():
    world = World()
    node = world.chains[WETH_A.chain]
    original = node.mine

    def mine(count: int = 1) -> None:
        original(count)
        if node.blocks[-1].receipts:
            node.ledger.mint(WETH_A.address, ME, 7)

    node.mine = mine
    ended = start(world, plan(WRAP_AND_SWAP.legs[0]))
    assert ("done", 2 * ETHER) == (ended.outcome, settled(world)["1"]["WETH"])
    assert [7] == [fact.amount.raw for fact in facts(world, f.ForeignInflow)]
