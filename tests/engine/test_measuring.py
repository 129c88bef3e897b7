"""What a leg did is told by its own transactions; whatever else happened stays unexplained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import stories
from paper_world import ETH_A, ETHER, ME, USDC_A, WETH_A, World, address, leg, plan
from scenes import BRIDGED, ONE_SWAP, after, facts, start, started

from agent.core import fact as f
from agent.core.plan import Sell
from agent.core.price import Prices
from agent.core.progress import Measure
from agent.engine.measure import measure

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


def test_an_act_that_was_mined_again_elsewhere_is_not_measured_by_its_old_block():
    world = World(finality=12)
    node = world.chains[WETH_A.chain]
    left = [1]

    def react(fact) -> None:
        if isinstance(fact, f.Mined) and fact.intent == "r1/1/1/1" and left:
            left.pop()
            del node.blocks[-1:]
            node._salt += 1
            node.send(facts(world, f.Signed)[-1].payload.raw)

    with started(world, ONE_SWAP) as held:
        after(held, react)
        ended = held.advance(600)
    assert ("done", 1) == (ended.outcome, len(facts(world, f.Unmined)))
    assert {"WETH": -2 * ETHER, "USDC": 5980 * 10**6} == settled(world)["1"]


def test_a_node_that_is_behind_the_last_final_block_ends_no_run():
    world = World(finality=0)
    node = world.chains[WETH_A.chain]
    blocks = []

    def react(fact) -> None:
        if isinstance(fact, f.Settled):
            blocks.append(node.blocks.pop())

    with started(world, ONE_SWAP) as held:
        after(held, react)
        waited = held.advance(5)
        assert "the node is behind the last transaction" == waited.why
        node.blocks += blocks
        ended = held.advance(600)
    assert ("done", ["done"]) == (ended.outcome, [fact.outcome for fact in facts(world, f.Closed)])


def test_a_message_fee_is_a_part_of_what_a_transfer_took():
    world = World("push")
    world.bridge.message_fee = 7 * 10**15
    world.chains[USDC_A.chain].ledger.mint(USDC_A.address, ME, 1000 * 10**6)
    ended = start(world, BRIDGED)
    assert ("done", []) == (ended.outcome, facts(world, f.ForeignInflow))
    assert {"1": {"USDC": -1000 * 10**6, "ETH": -7 * 10**15}} == settled(world)


class Coins:
    """A node of which only the gas coin's balance and the blocks' hashes are known."""

    def __init__(self, before: int, after: int) -> None:
        self._raw = {5: before, 6: after}

    def balances(self, _account, tokens, at):
        return {tokens[0]: self._raw[at]}

    def block(self, number):
        return stories.block(number)

    def received(self, *_):
        return 0, 100


def bought_coins(before: int, after: int, *, beside: bool = False) -> dict[str, int]:
    """What is measured of a swap into the gas coin, with these balances around its block."""
    act = stories.reserved()
    others = stories.done(stories.reserved(stories.APPROVE, 1, index=1)) if beside else ()
    state = stories.told(
        stories.started(stories.leg(buy=stories.ETH)),
        stories.quoted(stories.SWAP, min_out=90),
        *stories.done(act),
        *others,
    )
    io = SimpleNamespace(
        account=stories.ME,
        nodes={stories.A: Coins(before, after)},
        chains={stories.A: SimpleNamespace(native=stories.ETH)},
        prices=lambda: Prices({}),
        clock=SimpleNamespace(now=lambda: stories.NOW),
    )
    (fact,) = measure(Measure("r1", "1", stories.A), state, io)
    return {delta.token.symbol: delta.raw for delta in fact.deltas}


@pytest.mark.parametrize(
    ("change", "beside", "bought"),
    [
        (100 - stories.FEE, False, 100),
        (90 - stories.FEE, False, 90),
        (50 - stories.FEE, False, 90),
        (100 - 2 * stories.FEE, True, 90),
    ],
    ids=["all of it", "the minimum", "a theft beside it", "another of ours beside it"],
)
def test_gas_coin_that_is_bought_is_told_by_its_block_and_never_below_the_minimum(
    change, beside, bought
):
    assert {"WETH": -100, "ETH": bought} == bought_coins(1000, 1000 + change, beside=beside)
