"""Paper venues: firm quotes that their contracts keep, wraps, and orders filled in parts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_world import (
    BOOK,
    ETH_A,
    ETHER,
    ME,
    RICH_RATE,
    START,
    SWAP_A,
    USDC_A,
    USDC_B,
    VENUE,
    WETH_A,
    WETH_B,
    A,
    B,
    World,
    address,
    leg,
)
from sim.paper import PLENTY, tried

from agent.core.intent import SignedMessage
from agent.core.money import ChainId
from agent.core.plan import Sell
from agent.core.quote import Call, TypedMessage
from agent.errors import NoRoute
from agent.ports import Sent
from agent.sim.contracts import DEPOSIT, WITHDRAW
from agent.sim.ledger import Revert
from agent.sim.venue import QUOTE_SECONDS, PaperWrap
from agent.wire.keccak import selector
from agent.wire.order import read_order

RAW = 2 * ETHER
OUT = 5980 * 10**6
WRAP = PaperWrap({A: WETH_A.address, B: WETH_B.address})


def firm(world: World, raw: int = RAW, min_out: int = 1):
    return world.venue.quote(SWAP_A, raw, ME, min_out, START)


# Swaps


def test_survey_has_an_edge_for_each_pair_with_a_rate_on_its_chain() -> None:
    venue = World().venue
    pairs = [(WETH_A, USDC_A), (USDC_A, WETH_A), (WETH_B, USDC_B)]
    (edge,) = venue.survey(A, pairs, dict.fromkeys((WETH_A, USDC_A, WETH_B), RAW))
    assert ("venue", WETH_A, USDC_A, ((RAW, OUT),)) == (
        edge.via,
        edge.sell,
        edge.buy,
        edge.ladder,
    )
    assert () == venue.survey(A, pairs, {WETH_A: 0})


def test_quote_takes_the_higher_of_its_own_minimum_and_the_one_asked_for() -> None:
    world = World()
    own = OUT * 9950 // 10_000
    minima = [firm(world, min_out=asked).min_amount_out for asked in (1, own + 1)]
    assert [own, own + 1] == minima
    assert (OUT, START + QUOTE_SECONDS) == (firm(world).amount_out, firm(world).expires)


@given(
    raw=st.integers(1, 3 * ETHER),
    rate=st.fractions(min_value=Fraction(1, 10**13), max_value=10**4, max_denominator=10**13),
)
def test_contract_pays_what_the_quote_offers(raw: int, rate: Fraction) -> None:
    world = World()
    world.venue.rates[WETH_A.address, USDC_A.address] = rate
    quote = firm(world, raw, min_out=0)
    done = tried(world, quote)
    assert (True, {WETH_A: -raw, USDC_A: quote.amount_out}, (0,)) == (
        done.ok,
        dict(done.deltas),
        done.allowances,
    )


def test_contract_reverts_below_the_minimum() -> None:
    world = World()
    quote = firm(world)
    world.venue.rates[WETH_A.address, USDC_A.address] = RICH_RATE * Fraction(99, 100)
    assert (1, "too little received") == tried(world, quote).reverted


def test_contract_reverts_after_the_deadline_of_the_block_that_comes_next() -> None:
    world = World()
    quote = firm(world)
    world.clock.sleep(QUOTE_SECONDS)
    assert tried(world, quote).ok
    world.clock.sleep(1)
    assert (1, "deadline passed") == tried(world, quote).reverted


def test_contract_reverts_without_an_allowance_and_on_other_functions() -> None:
    world = World()
    node = world.chains[A]
    bare = replace(firm(world), allowances=())
    assert (0, "insufficient allowance") == tried(world, bare).reverted
    other = node.simulate(ME, [(Call(A, VENUE, 0, "0xdeadbeef"), PLENTY)], [], [])
    cut = node.simulate(ME, [(Call(A, VENUE, 0, bare.payload.data[:100]), PLENTY)], [], [])
    assert ((0, "no such function"), (0, "calldata of another shape")) == (
        other.reverted,
        cut.reverted,
    )


def test_forged_recipient_gets_the_money() -> None:
    world = World()
    world.venue.recipient = address(0xBAD)
    assert {WETH_A: -RAW, USDC_A: 0} == dict(tried(world, firm(world)).deltas)


def test_pair_without_a_rate_has_no_route() -> None:
    world = World()
    back = leg("1", "swap", "venue", Sell(USDC_A, 1), WETH_A, 1)
    with pytest.raises(NoRoute, match="venue has no way from USDC to WETH"):
        world.venue.quote(back, 1, ME, 1, START)


def test_targets_are_the_contract_and_layouts_its_one_function() -> None:
    world = World()
    assert {VENUE: ""} == world.venue.targets(A)
    assert {firm(world).payload.data[:10]} == set(world.venue.layouts)


# Wraps


@pytest.mark.parametrize(
    ("kind", "sell", "buy"), [("wrap", ETH_A, WETH_A), ("unwrap", WETH_A, ETH_A)]
)
@given(raw=st.integers(1, 3 * ETHER))
def test_wraps_are_one_to_one_both_ways(kind, sell, buy, raw) -> None:
    world = World()
    # Somebody wrapped before, so that the wrapper has what it owes.
    world.chains[A].ledger.mint(ETH_A.address, WETH_A.address, 3 * ETHER)
    quote = WRAP.quote(leg("1", kind, "wrap", Sell(sell, raw), buy, raw), raw, ME, 1, START)
    done = tried(world, quote)
    assert (True, {sell: -raw, buy: raw}) == (done.ok, dict(done.deltas))
    assert (raw, raw) == (quote.amount_out, quote.min_amount_out)


def test_wrapper_gives_back_only_what_is_wrapped_and_knows_no_other_function() -> None:
    node = World().chains[A]
    more = WRAP.quote(
        leg("1", "unwrap", "wrap", Sell(WETH_A, 4 * ETHER), ETH_A, 1), 4 * ETHER, ME, 1, START
    )
    calls = [more.payload, Call(A, WETH_A.address, 0, "0xdeadbeef")]
    reasons = [node.simulate(ME, [(call, PLENTY)], [], []).reverted for call in calls]
    assert [(0, "transfer exceeds balance"), (0, "no such function")] == reasons


def test_wraps_have_edges_between_coin_and_wrapper_of_one_chain() -> None:
    pairs = [(ETH_A, WETH_A), (WETH_A, ETH_A), (WETH_A, USDC_A), (WETH_B, WETH_B)]
    edges = WRAP.survey(A, pairs, dict.fromkeys((ETH_A, WETH_A, WETH_B), 7))
    assert [(ETH_A, WETH_A, ((7, 7),)), (WETH_A, ETH_A, ((7, 7),))] == [
        (edge.sell, edge.buy, edge.ladder) for edge in edges
    ]


def test_wraps_have_targets_where_there_is_a_wrapper() -> None:
    assert {WETH_B.address: ""} == WRAP.targets(B)
    assert {} == WRAP.targets(ChainId(10))
    assert {selector(each.signature) for each in (DEPOSIT, WITHDRAW)} == set(WRAP.layouts)


# Orders


def asked(world: World) -> TypedMessage:
    """The order of SWAP_A as it is quoted."""
    quote = world.book.quote(replace(SWAP_A, via="book"), RAW, ME, 1, START)
    assert isinstance(quote.payload, TypedMessage)
    return quote.payload


def posted(world: World) -> tuple[TypedMessage, SignedMessage]:
    """The order of SWAP_A in the book, with the allowance that it needs."""
    order = asked(world)
    signed = SignedMessage("cow_order", "0x" + "0d" * 32, "paper", START + QUOTE_SECONDS)
    assert world.book.post(order, signed).accepted
    world.chains[A].ledger.approve(WETH_A.address, ME, BOOK, RAW)
    return order, signed


def test_order_s_quote_is_a_message_with_the_swap_s_minimum() -> None:
    quote = World().book.quote(replace(SWAP_A, via="book"), RAW, ME, 1, START)
    assert isinstance(quote.payload, TypedMessage)
    assert ("cow_order", A, quote.expires) == (
        quote.payload.kind,
        quote.payload.chain,
        quote.payload.valid_to,
    )
    order = read_order(quote.payload)
    assert (quote.min_amount_out, ME) == (order.buy_amount, order.receiver)
    assert (OUT, 0) == (quote.amount_out, quote.gas)


def test_order_posted_twice_is_one_order() -> None:
    world = World()
    order, signed = posted(world)
    world.book.post(order, signed)
    assert (1, 2) == (len(world.book.book), world.book.posts)


def test_order_is_open_until_all_of_it_is_filled() -> None:
    world = World()
    order = posted(world)
    seen = []
    for percent in (25, 75):
        seen.append(world.book.order(*order))
        world.book.fill(world.chains[A].ledger, SWAP_A, ME, percent)
    done = world.book.order(*order)
    assert [True, True, False] == [state.open for state in (*seen, done)]
    assert [("0", RAW // 4, OUT // 4), ("1", 3 * RAW // 4, 3 * OUT // 4)] == [
        (fill.id, fill.sold, fill.bought) for fill in done.fills
    ]
    assert OUT == world.holds(USDC_A)


def test_order_is_open_until_its_time_is_over() -> None:
    world = World()
    order = posted(world)
    open_at = []
    for now in (order[1].valid_to, order[1].valid_to + 1):
        world.book.time = now
        open_at.append(world.book.order(*order).open)
    assert [True, False] == open_at


def test_order_that_was_never_posted_is_open_until_its_time_is_over() -> None:
    world = World()
    book, order = world.book, asked(world)
    signed = SignedMessage("cow_order", "0x" + "0e" * 32, "paper", START)
    states = []
    for now in (START, START + 1):
        book.time = now
        states.append(book.order(order, signed))
    assert [(True, (), False), (False, (), False)] == [
        (state.open, state.fills, state.known) for state in states
    ]


def test_order_that_a_deaf_book_was_given_is_not_known_there() -> None:
    world = World()
    order = asked(world)
    signed = SignedMessage("cow_order", "0x" + "0d" * 32, "paper", START + QUOTE_SECONDS)
    world.book.deaf = True
    assert Sent(accepted=False, said="try later") == world.book.post(order, signed)
    assert not world.book.order(order, signed).known


def test_order_without_an_allowance_is_not_filled() -> None:
    world = World()
    order = posted(world)
    world.chains[A].ledger.approve(WETH_A.address, ME, BOOK, 0)
    with pytest.raises(Revert, match="insufficient allowance"):
        world.book.fill(world.chains[A].ledger, SWAP_A, ME, 100)
    assert () == world.book.order(*order).fills
